//! New files that may not serve: the old one does, and the status says why.

use std::io::Write;
use std::time::Duration;

use hookport::plugin::policy::Policy;
use hookport::plugin::{Ask, Search, Trust};

use super::*;
use crate::cli::program::program;

/// The reason that the gateway gives for a file that it does not take on.
async fn refusal(gateway: &Process) -> String {
    let answer = reload(gateway).await;
    assert_eq!(answer["changed"], json!([]), "{answer}");
    assert_eq!(answer["refused"].as_array().map(Vec::len), Some(1), "{answer}");
    let (refused, shown) = (&answer["refused"][0], shown(gateway).await);
    assert_eq!((&refused["provider"], &refused["serving"]), (&json!("graded"), &json!("1.0.0")));
    assert_eq!((&shown["version"], &shown["generation"]), (&json!("1.0.0"), &json!(1)));
    assert_eq!(shown["on_disk"]["refused"], refused["reason"]);
    assert_eq!(shown["on_disk"]["version"], refused["version"]);
    refused["reason"].as_str().expect("a reason").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_wrong_with_a_new_file_leaves_the_old_one() {
    let folder = folder();
    let gateway = folder.serve();
    serves(&gateway, "first", "1.0.0").await;
    let good = version("2.0.0");
    put(&folder, &good[..good.len() / 2]);
    assert!(refusal(&gateway).await.contains("is truncated"));
    put(&folder, b"not a library");
    assert!(refusal(&gateway).await.contains("is not a shared object"));
    put(&folder, &build(&[("alg = \"none\"", "alq = \"none\"")]));
    assert!(refusal(&gateway).await.contains("alq"));
    put(&folder, &build(&[("1.0.0\"\ncontent", "2.0.0\"\ncontent"), ("required = false", "required = true ")]));
    let words = refusal(&gateway).await;
    assert!(words.contains("does not fit the configuration") && words.contains("secrets.main"), "{words}");
    put(&folder, &build(&[("id = \"graded\"", "id = \"gruded\"")]));
    assert!(refusal(&gateway).await.contains("carries the provider \"gruded\""));
    serves(&gateway, "last", "1.0.0").await;
    put(&folder, &good);
    assert_eq!(reload(&gateway).await["changed"][0]["generation"], 2);
    serves(&gateway, "mended", "2.0.0").await;
    assert_eq!(shown(&gateway).await["on_disk"], Value::Null);
    assert_eq!(gateway.stop().code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_or_a_panic_over_its_own_sample_is_a_refusal_that_is_remembered_by_its_hash() {
    for (place, signal) in [("inline", "signal: 6"), ("worker", "SIGABRT")] {
        a_broken_one_is_refused(place, signal).await;
    }
}

async fn a_broken_one_is_refused(place: &str, signal: &str) {
    let folder = in_place(place);
    let gateway = folder.serve();
    put(&folder, &in_a_mood("2.0.0", "tense"));
    let words = refusal(&gateway).await;
    assert!(words.contains("over its own sample said") && words.contains("too tense"), "{words}");
    put(&folder, &in_a_mood("3.0.0", "angry"));
    let words = refusal(&gateway).await;
    assert!(words.contains("process of its own") && words.contains(signal), "{words}");
    // Who reads the configuration again tries nothing again, and is not held up by it.
    let (status, answer) = post(&gateway, "/v1/reload", &json!({})).await;
    assert_eq!(status, 200, "{answer}");
    assert!(answer["warnings"].to_string().contains("on disk 3.0.0 refused"), "{answer}");
    serves(&gateway, "after", "1.0.0").await;
    let admin = format!("http://{}", gateway.admin);
    let list = folder.run(&["plugin", "list", "--admin", &admin]);
    assert!(list.said.contains("3.0.0 refused: failed when it was tried"), "{list:?}");
    let told = folder.run(&["plugin", "reload", "graded", "--admin", &admin]);
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(told.said.contains("graded: on disk 3.0.0 refused:") && told.said.contains("serving 1.0.0"), "{told:?}");
    assert_eq!(gateway.stop().code, Some(0));
    // Nobody tried it on the way up either: the earlier build serves, and the file is told.
    let gateway = folder.serve();
    serves(&gateway, "restarted", "1.0.0").await;
    let shown = shown(&gateway).await;
    assert!(shown["on_disk"]["refused"].as_str().is_some_and(|why| why.contains("was refused before")), "{shown}");
    assert_eq!(gateway.stop().code, Some(0));
}

#[test]
fn a_build_that_hangs_when_it_is_tried_is_refused_and_ended() {
    let folder = tempfile::tempdir().expect("a folder");
    let tried = |mood: &str, longest: Duration| {
        fs::write(folder.path().join("libgraded.so"), in_a_mood("2.0.0", mood)).expect("written");
        let (dirs, trust) = ([folder.path().to_owned()], Trust::default());
        let search =
            Search { dirs: &dirs, known: &[], trust: &trust, store: None, ask: &Ask::Nothing, settle: None }.find();
        let policy = Policy { program: Some(program().into()), probe: longest, ..Policy::default() };
        let (fresh, _) = search.fresh.first().expect("its bytes are sound");
        fresh.probe(&policy).map_err(|error| error.to_string())
    };
    let why = tried("hangs", Duration::from_millis(300)).expect_err("it hangs");
    assert!(why.contains("tried in a process of its own: it was not ready after 300ms"), "{why}");
    assert_eq!(tried("calm ", crate::process::PATIENCE), Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_being_written_is_waited_for() {
    let folder = folder();
    let gateway = folder.serve();
    let bytes = version("2.0.0");
    let (place, parts) = (file(&folder), bytes.clone());
    fs::remove_file(&place).expect("removed");
    let mut open = fs::File::create(&place).expect("created");
    open.write_all(&parts[..1000]).expect("written");
    let writer = std::thread::spawn(move || {
        for part in parts[1000..].chunks(parts.len() / 8 + 1) {
            open.write_all(part).expect("written");
            open.sync_all().expect("synced");
        }
    });
    // Whatever moment it is looked at, it is whole or it is refused; and in the end it is whole.
    loop {
        let answer = reload(&gateway).await;
        match answer["changed"].as_array().is_some_and(|changed| !changed.is_empty()) {
            true => break,
            false => assert!(answer["refused"].to_string().contains("truncated"), "{answer}"),
        }
    }
    writer.join().expect("it wrote");
    serves(&gateway, "whole", "2.0.0").await;
    assert_eq!(gateway.stop().code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_others_may_change_is_refused_with_the_way_out() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let gateway = folder.serve();
    put(&folder, &version("2.0.0"));
    let open = |mode| fs::set_permissions(file(&folder), fs::Permissions::from_mode(mode)).expect("set");
    open(0o666);
    let words = refusal(&gateway).await;
    assert!(words.contains("chmod o-w") && words.contains("libgraded.so"), "{words}");
    open(0o644);
    assert_eq!(reload(&gateway).await["changed"][0]["version"], "2.0.0");
    assert_eq!(gateway.stop().code, Some(0));
}
