//! What the store of builds has: those that served, whole, and written by one gateway alone.

use std::collections::BTreeSet;

use super::*;

/// The builds of which a copy is kept, by their hashes.
fn kept(folder: &Folder) -> BTreeSet<String> {
    let entries = fs::read_dir(folder.path("data/plugins/graded")).expect("the store").flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter_map(|name| name.strip_suffix(".so").map(str::to_owned)).collect()
}

fn hashes(builds: &[&[u8]]) -> BTreeSet<String> {
    builds.iter().map(|build| sha256(build)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_never_served_is_not_kept() {
    for place in ["inline", "worker"] {
        let folder = in_place(place);
        let gateway = folder.serve();
        put(&folder, &in_a_mood("2.0.0", "tense"));
        assert_eq!(reload(&gateway).await["refused"][0]["version"], "2.0.0");
        assert_eq!(kept(&folder), hashes(&[&version("1.0.0")]), "{place}");
        put(&folder, &version("3.0.0"));
        assert_eq!(reload(&gateway).await["changed"][0]["version"], "3.0.0");
        assert_eq!(kept(&folder), hashes(&[&version("1.0.0"), &version("3.0.0")]), "{place}");
        assert_eq!(gateway.stop().code, Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_was_damaged_is_made_anew_when_its_build_is_loaded() {
    let folder = folder();
    assert_eq!(folder.serve().stop().code, Some(0));
    let good = version("1.0.0");
    let copy = folder.path(&format!("data/plugins/graded/{}.so", sha256(&good)));
    fs::remove_file(&copy).expect("it is kept");
    fs::write(&copy, "something else").expect("written");
    folder.write("data/plugins/graded/left-behind.so", "by nobody");
    let gateway = folder.serve();
    assert!(fs::read(&copy).expect("a copy") == good, "the copy is not mended");
    put(&folder, &version("2.0.0"));
    assert_eq!(reload(&gateway).await["changed"][0]["version"], "2.0.0");
    assert_eq!(kept(&folder), hashes(&[&good, &version("2.0.0")]));
    assert_eq!(post(&gateway, "/v1/plugins/graded/rollback", &json!({})).await.0, 200);
    serves(&gateway, "back", "1.0.0").await;
    assert_eq!(gateway.stop().code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_finds_the_folder_taken_writes_nothing() {
    let folder = in_place("inline");
    let gateway = folder.serve();
    serves(&gateway, "first", "1.0.0").await;
    let ledger = || fs::read_to_string(folder.path("data/plugins/graded/ledger.json")).expect("a ledger");
    let before = (ledger(), kept(&folder));
    for other in [version("2.0.0"), in_a_mood("3.0.0", "angry")] {
        put(&folder, &other);
        let second = folder.serve_in_vain(None);
        assert!(second.code == Some(1) && second.said.contains("in use"), "{second:?}");
        assert_eq!((ledger(), kept(&folder)), before);
    }
    serves(&gateway, "last", "1.0.0").await;
    assert_eq!(gateway.stop().code, Some(0));
}
