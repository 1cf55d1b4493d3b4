//! Who vouches for a plugin: pinned, signed, the gateway's own, nobody, or not what somebody vouched for.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::plugins::built::plugin;
use crate::process::{Ended, Folder};

const DESCRIPTION: &str =
    "[provider]\nid = \"free\"\nversion = \"1.0.0\"\n\n[[verify]]\nalg = \"none\"\nreason = \"a test\"\n";

/// A folder with one plugin of code, one without, and a key that `trust` may name.
struct Site {
    folder: Folder,
    key: String,
}

fn site() -> Site {
    let folder = Folder::new("");
    fs::copy(plugin("plain"), folder.path("plugins/libplain.so")).expect("a copy");
    folder.write("plugins/free/provider.toml", DESCRIPTION);
    let made = folder.run(&["plugin", "keygen", "acme.key"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    let key = made.said.lines().next().expect("the public key").to_owned();
    Site { folder, key }
}

impl Site {
    fn trusts(&self, more: &str) {
        self.folder.reconfigure("plugins.dirs", &format!("{more}\nplugins.dirs"));
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        self.folder.run(arguments)
    }

    fn done(&self, arguments: &[&str]) -> Ended {
        let ended = self.run(arguments);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended
    }

    /// How the loaded ones stand, by provider, and what is refused, as one text.
    fn listed(&self) -> (Value, String) {
        let listed = self.done(&["plugin", "list", "--json"]);
        let document: Value = serde_json::from_str(&listed.said).expect("one document");
        let plugins = document["plugins"].as_array().expect("a list").iter();
        let mine = plugins.filter(|plugin| plugin["file"].as_str().is_some_and(|file| file.starts_with("plugins/")));
        let standing =
            mine.map(|plugin| (plugin["provider"].as_str().unwrap_or_default().to_owned(), plugin["standing"].clone()));
        (Value::Object(standing.collect()), document["refused"].to_string())
    }

    fn change(&self, file: &str) {
        let path = self.folder.path(file);
        let mut bytes = fs::read(&path).expect("a file");
        bytes.extend(b"\n");
        fs::write(&path, bytes).expect("written");
    }
}

#[test]
fn what_nobody_vouches_for_is_unsigned_and_may_be_refused() {
    let site = site();
    assert_eq!(site.listed().0, json!({ "free": "unsigned", "plain": "unsigned", "tally": "unsigned" }));
    site.trusts("plugins.trust.unsigned = \"refuse\"");
    let (standing, refused) = site.listed();
    assert_eq!(standing, json!({ "free": "unsigned", "tally": "unsigned" }), "a description has no code to refuse");
    assert!(refused.contains("is unsigned") && refused.contains("hookport plugin pin"), "{refused}");
    let checked = site.run(&["check"]);
    assert_eq!(checked.code, Some(1), "{checked:?}");
    site.done(&["plugin", "pin", "plugins/libplain.so"]);
    assert_eq!(site.listed().0["plain"], "pinned");
    assert!(site.done(&["check"]).said.contains("native, pinned, plugins/libplain.so"));
}

#[test]
fn what_a_trusted_key_signed_is_signed_and_another_byte_is_refused() {
    let site = site();
    site.done(&["plugin", "sign", "plugins/libplain.so", "plugins/free/provider.toml", "--key", "acme.key"]);
    assert_eq!(site.listed().0["plain"], "unsigned", "nobody trusts the key yet");
    site.trusts(&format!("plugins.trust.keys = {{ acme = \"{}\" }}\nplugins.trust.unsigned = \"refuse\"", site.key));
    assert_eq!(site.listed().0, json!({ "free": "signed", "plain": "signed", "tally": "unsigned" }));
    let inspected = site.done(&["plugin", "inspect", "plugins/libplain.so"]);
    assert!(inspected.said.contains("standing       signed"), "{inspected:?}");
    site.change("plugins/libplain.so");
    site.change("plugins/free/provider.toml");
    let (standing, refused) = site.listed();
    assert_eq!(standing, json!({ "tally": "unsigned" }));
    assert_eq!(refused.matches("is modified").count(), 2, "{refused}");
    assert!(site.run(&["plugin", "inspect", "plugins/libplain.so"]).said.contains("standing       modified"));
    let checked = site.run(&["check"]);
    assert!(checked.code == Some(1) && checked.said.contains("over other bytes"), "{checked:?}");
}

#[test]
fn a_pin_says_which_bytes_whoever_signed_others() {
    let site = site();
    site.trusts(&format!("plugins.trust.keys.acme = \"{}\"", site.key));
    let pinned = site.done(&["plugin", "pin", "--all"]);
    assert_eq!(pinned.said.lines().filter(|line| line.contains(" 1.0.0 ")).count(), 3, "{pinned:?}");
    assert!(site.done(&["plugin", "pin", "--all"]).said.contains("nothing has changed"));
    assert_eq!(site.listed().0, json!({ "free": "pinned", "plain": "pinned", "tally": "pinned" }));
    site.change("plugins/libplain.so");
    site.done(&["plugin", "sign", "plugins/libplain.so", "--key", "acme.key"]);
    let (standing, refused) = site.listed();
    assert_eq!(standing["plain"], Value::Null);
    assert!(refused.contains("is pinned in plugins.lock, and not to this sha256"), "{refused}");
    site.done(&["plugin", "pin", "plugins/libplain.so", "--only"]);
    assert_eq!(site.listed().0["plain"], "pinned");
    site.folder.write("plugins.lock", "nonsense");
    let (standing, refused) = site.listed();
    assert_eq!(standing, json!({}), "nothing is used while nobody can say what is pinned");
    assert!(refused.contains("the lock file plugins.lock"), "{refused}");
}

#[test]
fn keys_are_made_once_and_a_key_that_is_none_is_named() {
    let site = site();
    let again = site.run(&["plugin", "keygen", "acme.key"]);
    assert_eq!(again.code, Some(1), "{again:?}");
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &fs::metadata(site.folder.path("acme.key")).expect("a key").permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
    let signed = site.run(&["plugin", "sign", "hookport.toml", "--key", "acme.key"]);
    assert_eq!(signed.code, Some(2), "{signed:?}");
    assert!(!Path::new(&site.folder.path("hookport.toml.sig")).exists());
    site.trusts("plugins.trust.keys.acme = \"AAAA\"");
    let checked = site.run(&["check"]);
    assert!(checked.code == Some(1) && checked.said.contains("plugins.trust.keys.acme"), "{checked:?}");
}
