//! Back to an earlier build, and what holds it there.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_holds_until_the_file_is_another_or_somebody_reloads() {
    let folder = folder();
    let gateway = folder.serve();
    put(&folder, &version("2.0.0"));
    assert_eq!(reload(&gateway).await["changed"][0]["from"], "1.0.0");
    serves(&gateway, "upgraded", "2.0.0").await;
    let admin = format!("http://{}", gateway.admin);
    let told = folder.run(&["plugin", "rollback", "graded", "--admin", &admin]);
    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(told.said.contains("graded 2.0.0 -> 1.0.0, generation 3"), "{told:?}");
    serves(&gateway, "back", "1.0.0").await;
    let listed = document(&gateway.get("/v1/events?provider_id=back&limit=1").await);
    let event = listed["events"][0]["event"]["id"].as_str().expect("an id").to_owned();
    let told = folder.run(&["events", "show", &event, "--admin", &admin]);
    let line = format!("plugin: 1.0.0, generation 3 ({})", sha256(&version("1.0.0")));
    assert!(told.said.contains(&line), "{told:?}");
    let held = shown(&gateway).await;
    assert_eq!((&held["on_disk"]["version"], &held["on_disk"]["refused"]), (&json!("2.0.0"), &Value::Null));
    assert_eq!(post(&gateway, "/v1/reload", &json!({})).await.0, 200);
    serves(&gateway, "held", "1.0.0").await;
    assert_eq!(gateway.stop().code, Some(0));

    let gateway = folder.serve();
    serves(&gateway, "restarted", "1.0.0").await;
    let held = shown(&gateway).await;
    assert_eq!((&held["on_disk"]["version"], &held["generation"]), (&json!("2.0.0"), &json!(3)));
    let told = reload(&gateway).await;
    assert_eq!((&told["changed"][0]["version"], &told["changed"][0]["generation"]), (&json!("2.0.0"), &json!(4)));
    let (status, _) = post(&gateway, "/v1/plugins/graded/rollback", &json!({})).await;
    assert_eq!(status, 200);
    put(&folder, &version("3.0.0"));
    assert_eq!(post(&gateway, "/v1/reload", &json!({})).await.0, 200);
    serves(&gateway, "another", "3.0.0").await;
    let list = folder.run(&["plugin", "list", "--admin", &format!("http://{}", gateway.admin)]);
    assert!(list.said.contains("3.0.0") && !list.said.contains("rolled back"), "{list:?}");
    assert_eq!(gateway.stop().code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_names_what_there_is_to_go_back_to() {
    let folder = folder();
    let gateway = folder.serve();
    let first = shown(&gateway).await["sha256"].as_str().expect("a hash").to_owned();
    let back = async |id: &str, to: Value| post(&gateway, &format!("/v1/plugins/{id}/rollback"), &to).await;
    let (status, answer) = back("graded", json!({})).await;
    assert_eq!(status, 422, "{answer}");
    assert!(answer.to_string().contains("no earlier build of it is kept"), "{answer}");
    let (status, answer) = back("grade", json!({})).await;
    assert!(status == 422 && answer.to_string().contains("graded"), "{answer}");
    for number in 2..=4 {
        put(&folder, &version(&format!("{number}.0.0")));
        reload(&gateway).await;
    }
    let (status, answer) = back("graded", json!({ "to": "zzz" })).await;
    assert!(status == 422 && answer.to_string().contains(&first[..12]), "{answer}");
    let (status, answer) = back("graded", json!({ "to": first[..10] })).await;
    assert_eq!((status, &answer["changed"][0]["version"]), (200, &json!("1.0.0")), "{answer}");
    serves(&gateway, "first", "1.0.0").await;
    // A copy that somebody changed is none.
    let kept = folder.path("data/plugins/graded");
    for entry in fs::read_dir(&kept).expect("the store").flatten() {
        if entry.path().extension().is_some_and(|kind| kind == "so") {
            fs::remove_file(entry.path()).expect("removed");
            fs::write(entry.path(), "something else").expect("written");
        }
    }
    let (status, answer) = back("graded", json!({})).await;
    assert!(status == 422 && answer.to_string().contains("is damaged"), "{answer}");
    serves(&gateway, "still", "1.0.0").await;
    assert_eq!(gateway.stop().code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_that_fails_says_why_and_what_ran_goes_on() {
    let folder = folder();
    // A start has nothing else to serve with.
    put(&folder, &in_a_mood("1.0.0", "tense"));
    let gateway = folder.serve();
    put(&folder, &version("2.0.0"));
    assert_eq!(reload(&gateway).await["changed"][0]["version"], "2.0.0");
    let admin = format!("http://{}", gateway.admin);
    let told = folder.run(&["plugin", "rollback", "graded", "--admin", &admin]);
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(told.said.contains("over its own sample said") && told.said.contains("too tense"), "{told:?}");
    serves(&gateway, "still", "2.0.0").await;
    let shown = shown(&gateway).await;
    assert_eq!((&shown["generation"], &shown["on_disk"]), (&json!(2), &Value::Null), "{shown}");
    let ended = gateway.stop();
    assert!(ended.said.contains("the plugins stay as they are") && ended.said.contains("too tense"), "{ended:?}");
    let gateway = folder.serve();
    serves(&gateway, "restarted", "2.0.0").await;
    assert_eq!(gateway.stop().code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn trust_holds_for_new_builds_and_for_those_that_are_gone_back_to() {
    let folder = folder();
    let pin = |more: &[&str]| {
        let pinned = folder.run(&[&["plugin", "pin", "plugins/libgraded.so"], more].concat());
        assert_eq!(pinned.code, Some(0), "{pinned:?}");
    };
    pin(&[]);
    let gateway = folder.serve();
    assert_eq!(shown(&gateway).await["standing"], "pinned");
    put(&folder, &version("2.0.0"));
    let answer = reload(&gateway).await;
    assert!(answer["refused"][0]["reason"].as_str().is_some_and(|why| why.contains("is modified")), "{answer}");
    serves(&gateway, "first", "1.0.0").await;
    pin(&["--only"]);
    assert_eq!(reload(&gateway).await["changed"][0]["version"], "2.0.0");
    let (status, answer) = post(&gateway, "/v1/plugins/graded/rollback", &json!({})).await;
    assert!(status == 422 && answer.to_string().contains("is modified"), "{answer}");
    serves(&gateway, "second", "2.0.0").await;
    assert_eq!(gateway.stop().code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watched_plugin_is_taken_on_by_itself() {
    let folder = folder();
    folder.reconfigure("plugins.dirs", "plugins.watch = true\nplugins.dirs");
    let gateway = folder.serve();
    put(&folder, &version("2.0.0"));
    crate::reload::until("the new one serves", async || shown(&gateway).await["version"] == "2.0.0").await;
    serves(&gateway, "watched", "2.0.0").await;
    let pinned = folder.run(&["plugin", "pin", "plugins/libgraded.so"]);
    assert_eq!(pinned.code, Some(0), "{pinned:?}");
    crate::reload::until("the pin is seen", async || shown(&gateway).await["standing"] == "pinned").await;
    put(&folder, &version("2.1.0"));
    crate::reload::until("it is modified", async || shown(&gateway).await["on_disk"]["version"] == "2.1.0").await;
    let pinned = folder.run(&["plugin", "pin", "plugins/libgraded.so"]);
    assert_eq!(pinned.code, Some(0), "{pinned:?}");
    crate::reload::until("it is pinned, too", async || shown(&gateway).await["version"] == "2.1.0").await;
    fs::remove_file(folder.path("plugins.lock")).expect("removed");
    put(&folder, &in_a_mood("3.0.0", "angry"));
    crate::reload::until("the next is refused", async || shown(&gateway).await["on_disk"]["version"] == "3.0.0").await;
    serves(&gateway, "still", "2.1.0").await;
    assert_eq!(gateway.stop().code, Some(0));
}
