//! Folders of plugins, and code-free providers in them.

use std::time::Duration;

use hookport::plugin::{Ask, Search, Trust};

use super::*;

fn description(folder: &Path, name: &str, id: &str) -> PathBuf {
    let place = folder.join(name);
    fs::create_dir_all(&place).expect("a folder");
    let text = format!("[provider]\nid = \"{id}\"\n\n[[verify]]\nalg = \"none\"\nreason = \"a test\"\n");
    fs::write(place.join("provider.toml"), text).expect("a description");
    place.join("provider.toml")
}

#[test]
fn a_code_free_provider_loads_by_the_same_path_with_the_cases_beside_it() {
    let folder = folder();
    let file = description(folder.path(), "free", "free");
    let fixtures = folder.path().join("free/fixtures");
    fs::create_dir(&fixtures).expect("a folder");
    for (name, text) in [("b.http", "B"), ("a.http", "A"), ("notes.txt", "N")] {
        fs::write(fixtures.join(name), text).expect("a case");
    }
    let loaded = load(&file).expect("it loads");
    assert!(loaded.native.is_none() && loaded.abi.is_none());
    let samples: Vec<_> = loaded.samples.iter().map(|s| (s.name.as_str(), &s.text[..])).collect();
    assert_eq!(samples, [("a", &b"A"[..]), ("b", &b"B"[..])]);
    let inspection = inspect(&file).expect("it is readable");
    assert!(inspection.code.is_none() && inspection.to_string().contains("none: the description is all of it"));
}

#[test]
fn a_description_that_is_half_written_is_waited_for_where_a_gateway_starts() {
    let folder = folder();
    let file = description(folder.path(), "free", "free");
    let more = "\n[ack.accepted]\ntext = \"the last line\"\n";
    let (dirs, trust) = ([folder.path().to_owned()], Trust::default());
    let search = |settle| {
        Search { dirs: &dirs, known: &[], trust: &trust, store: None, ask: &Ask::Nothing, settle }
            .find()
            .fresh
            .remove(0)
            .0
    };
    let half = search(None);
    assert!(!half.description().1.contains("last line"), "who only looks takes it as it is");
    let whole = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| search(Some(Duration::from_secs(3))));
        std::thread::sleep(Duration::from_millis(200));
        let mut open = fs::OpenOptions::new().append(true).open(&file).expect("a description");
        std::io::Write::write_all(&mut open, more.as_bytes()).expect("written");
        waiting.join().expect("found")
    });
    assert!(whole.description().1.ends_with(more), "the half was taken");
}

#[test]
fn folders_are_searched_one_level_deep_and_one_bad_plugin_stops_nobody() {
    let folder = folder();
    let dir = folder.path();
    fs::copy(plugin("odd"), dir.join("libodd.so")).expect("a copy");
    fs::copy(plugin("stranger"), dir.join("libstranger.so")).expect("a copy");
    fs::write(dir.join("libbad.so"), "not a library").expect("a bad file");
    fs::create_dir(dir.join("deps")).expect("a folder");
    fs::copy(plugin("odd"), dir.join("deps/libodd.so")).expect("a copy that is too deep");
    description(dir, "free", "free");
    description(dir, "broken", "");
    fs::write(dir.join("broken/provider.toml"), "[provider").expect("a broken description");
    description(dir, "source", "source");
    fs::write(dir.join("source/Cargo.toml"), "[package]").expect("the mark of source code");

    let found = Plugins::discover(&[dir.to_path_buf(), dir.join("."), dir.join("nowhere")]);
    let ids: Vec<_> = found.by_id.keys().map(String::as_str).collect();
    assert_eq!(ids, ["free", "odd"]);
    let mut refused: Vec<_> =
        found.refused.iter().map(|(file, _)| file.strip_prefix(dir).expect("in the folder")).collect();
    refused.sort_unstable();
    assert_eq!(refused, [Path::new("broken/provider.toml"), Path::new("libbad.so"), Path::new("nowhere")]);
    assert_eq!(found.skipped.len(), 1);
    assert!(found.skipped[0].0.ends_with("libstranger.so") && found.skipped[0].1.contains("no Hookport identity"));
}

#[test]
fn the_second_carrier_of_a_provider_is_refused_and_both_are_named() {
    let (first, second) = (folder(), folder());
    fs::copy(plugin("plain"), first.path().join("libplain.so")).expect("a copy");
    description(second.path(), "other", "plain");
    let found = Plugins::discover(&[first.path().into(), second.path().into()]);
    assert_eq!(found.by_id.len(), 1);
    let words = found.refused[0].1.to_string();
    assert!(words.contains("libplain.so") && words.contains("other/provider.toml"), "{words}");
}

#[test]
fn a_duplicate_is_refused_before_any_of_its_code_runs() {
    let (first, second) = (folder(), folder());
    description(first.path(), "first", "constructor");
    fs::copy(plugin("constructor"), second.path().join("libconstructor.so")).expect("a copy");
    let found = Plugins::discover(&[first.path().into(), second.path().into()]);
    assert_eq!((found.by_id.len(), found.refused.len()), (1, 1));
}
