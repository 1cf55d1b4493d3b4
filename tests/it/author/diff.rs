//! `hookport plugin diff`: what an operator would meet, and the version that it asks for.

use serde_json::Value;

use crate::cli::program::Folder;
use crate::plugins::built;

const OLD: &str = r#"[provider]
id = "acme"
version = "1.2.0"
content = "json"

[route]
path = "/acme"

[secrets.main]
about = "the signing secret"

[settings.region]
about = "where it is"
choices = ["eu", "us"]
default = "eu"

[[verify]]
from = "header:acme-signature"
encoding = "hex"
alg = "hmac-sha256"
message = "${body}"

[event]
type = "json:/type"

[ack.accepted]
json = '{"ok":true}'
"#;

/// What the change asks for, what is told of it, and whether `version` is enough.
fn diff(change: &[(&str, &str)], version: &str) -> (Value, String, i32) {
    let folder = Folder::new();
    let mut new = OLD.replace("version = \"1.2.0\"", &format!("version = \"{version}\""));
    for (old, with) in change {
        assert!(new.contains(old), "{old}");
        new = new.replace(old, with);
    }
    folder.write("a/provider.toml", OLD);
    folder.write("b/provider.toml", &new);
    let run = folder.run(&["plugin", "diff", "a/provider.toml", "b/provider.toml", "--json"]);
    let document: Value = serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("{}{}", run.out, run.err));
    (document["asks"].clone(), document["changes"].to_string(), run.code)
}

#[test]
fn what_takes_away_or_newly_requires_asks_for_a_major_version() {
    for (old, new, told) in [
        ("[secrets.main]", "[secrets.other]\nabout = \"a second one\"\n\n[secrets.main]", "\"name\":\"other\""),
        ("[settings.region]", "[settings.shop]\nabout = \"which\"\n\n[settings.region]", "\"name\":\"shop\""),
        ("choices = [\"eu\", \"us\"]", "choices = [\"eu\"]", "\"name\":\"region\""),
        ("path = \"/acme\"", "path = \"/hooks/acme\"", "/hooks/acme"),
        ("hmac-sha256", "hmac-sha512", "hmac-sha512"),
    ] {
        let (asks, changes, code) = diff(&[(old, new)], "1.3.0");
        assert_eq!((&asks, code), (&"major".into(), 1), "{told}: {changes}");
        assert!(changes.contains(told), "{told}: {changes}");
        assert_eq!(diff(&[(old, new)], "2.0.0").2, 0, "{told}");
    }
}

#[test]
fn what_adds_or_differs_asks_for_a_minor_version_and_words_for_a_patch() {
    let optional = "[secrets.other]\nabout = \"a second one\"\nrequired = false\n\n[secrets.main]";
    for (old, new) in [
        ("[secrets.main]", optional),
        ("{\"ok\":true}", "{\"ok\":1}"),
        ("choices = [\"eu\", ", "choices = [\"ap\", \"eu\", "),
    ] {
        assert_eq!(diff(&[(old, new)], "1.2.1").0, "minor", "{new}");
        assert_eq!((diff(&[(old, new)], "1.2.1").2, diff(&[(old, new)], "1.3.0").2), (1, 0), "{new}");
    }
    let words = [("the signing secret", "the secret, from the console")];
    assert_eq!((diff(&words, "1.2.1").0, diff(&words, "1.2.1").2), ("patch".into(), 0));
    assert_eq!(diff(&words, "1.2.0").2, 1, "the same version is two files");
}

#[test]
fn events_are_those_of_the_cases_and_one_file_is_no_change() {
    let folder = Folder::new();
    folder.write("a/provider.toml", OLD);
    folder.write("b/provider.toml", &OLD.replace("1.2.0", "1.9.0"));
    let case = "POST /acme HTTP/1.1\n\n{}\n---------- event\n{\"type\":\"acme.paid\"}\n";
    folder.write("a/fixtures/paid.http", case);
    folder.write("b/fixtures/sold.http", &case.replace("paid", "sold"));
    let run = folder.run(&["plugin", "diff", "a/provider.toml", "b/provider.toml"]);
    assert_eq!(run.code, 1, "{}", run.out);
    assert!(run.out.starts_with("major: event is gone: acme.paid\nminor: event is new: acme.sold\n"), "{}", run.out);
    assert!(run.out.contains("too low: a major version is asked for, at least 2.0.0"), "{}", run.out);
    let same = folder.run(&["plugin", "diff", "a/provider.toml", "a/provider.toml"]);
    assert!(same.code == 0 && same.out.contains("the same file"), "{}", same.out);
}

#[test]
fn of_libraries_nothing_runs_and_their_needs_are_compared() {
    let folder = Folder::new();
    let (a, b) = (built::plugin("plain"), built::plugin("constructor"));
    let (a, b) = (a.display().to_string(), b.display().to_string());
    // The second would end the process when it is loaded.
    let run = folder.run(&["plugin", "diff", &a, &b]);
    assert_eq!(run.code, 1, "{}", run.err);
    assert!(run.out.contains("minor: start-up functions: 0 -> 1"), "{}", run.out);
    assert_eq!(folder.run(&["plugin", "diff", &a, "nowhere.so"]).code, 2);
}
