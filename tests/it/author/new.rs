//! `hookport plugin new`: what it makes is green at once, and nothing that is there is touched.

use std::fs;

use crate::cli::program::Folder;

const CAPTURED: &str = "POST /hooks/acme?page=1 HTTP/1.1
Host: hooks.example.com
X-Acme-Signature: sha256=9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
X-Acme-Event: card.used
Cookie: session=0123456789
Content-Type: application/json

{\"id\":\"evt_77\",\"card\":{\"card_no\":\"4000123412341234\",\"amount\":12.50}}
";

fn read(folder: &Folder, name: &str) -> String {
    fs::read_to_string(folder.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn a_new_provider_without_code_is_green() {
    let folder = Folder::new();
    let made = folder.run(&["plugin", "new", "acme", "--no-code"]);
    assert_eq!((made.code, made.out.as_str()), (0, ""), "{}", made.err);
    assert!(!folder.path().join("acme/Cargo.toml").exists());
    let checked = folder.run(&["plugin", "check", "acme"]);
    assert_eq!(checked.code, 0, "{}", checked.out);
    assert!(checked.out.contains("0 errors, 1 warning, 6 of 6 cases hold"), "{}", checked.out);
    for kept in ["provider.toml", "README.md", ".gitignore", "fixtures/source.toml"] {
        assert!(folder.path().join("acme").join(kept).is_file(), "{kept}");
    }
}

#[test]
fn nothing_is_overwritten_and_names_are_ids() {
    let folder = Folder::new();
    folder.write("acme/provider.toml", "mine");
    let again = folder.run(&["plugin", "new", "acme"]);
    assert!(again.code == 2 && again.err.contains("is there already"), "{}", again.err);
    assert_eq!(read(&folder, "acme/provider.toml"), "mine");
    for name in ["Acme", "ac me", "../acme", "acme_2", ""] {
        let run = folder.run(&["plugin", "new", name]);
        assert!(run.code == 2 && run.err.contains("is not an id"), "{name}: {}", run.err);
    }
}

#[test]
fn a_captured_request_becomes_a_description_and_a_fixture_without_what_is_private() {
    let folder = Folder::new();
    folder.write("captured.http", CAPTURED);
    let made = folder.run(&["plugin", "new", "acme", "--no-code", "--from", "captured.http"]);
    assert_eq!(made.code, 0, "{}", made.err);
    let description = read(&folder, "acme/provider.toml");
    for part in [
        "path = \"/hooks/acme\"",
        "from = \"header:x-acme-signature\"\nprefix = \"sha256=\"\nencoding = \"hex\"\nalg = \"hmac-sha256\"",
        "type = \"header:x-acme-event\"\nid = \"json:/id\"",
        "redact = [\"/card/card_no\"]",
    ] {
        assert!(description.contains(part), "{part} is not in\n{description}");
    }
    let fixture = read(&folder, "acme/fixtures/a_captured_request_is_accepted.http");
    assert!(fixture.contains("\"type\": \"acme.card.used\"") && fixture.contains("\"amount\":12.50"), "{fixture}");
    for private in ["4000123412341234", "session", "9f86d081"] {
        assert!(!fixture.contains(private), "{private} is in\n{fixture}");
    }
    let checked = folder.run(&["plugin", "check", "acme"]);
    assert_eq!(checked.code, 0, "{}", checked.out);
}
