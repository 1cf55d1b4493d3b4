//! The files that a configuration names and that are read with it: of secrets, of certificates and their keys.

use std::path::PathBuf;

use figment::value::{Dict, Value};

/// Of the merged layers. Whether they are there is not asked.
pub(super) fn named(layers: &Dict) -> Vec<PathBuf> {
    let mut found = Vec::new();
    take(layers, "", &mut found);
    found
}

fn take(entries: &Dict, around: &str, found: &mut Vec<PathBuf>) {
    for (key, value) in entries {
        match value {
            Value::String(_, text) if is_a_file(around, key) => found.push(text.into()),
            Value::Dict(_, inner) => take(inner, key, found),
            // Of a list of secrets each may be in a file.
            Value::Array(_, items) => {
                items.iter().filter_map(Value::as_dict).for_each(|inner| take(inner, key, found));
            }
            _ => {}
        }
    }
}

fn is_a_file(around: &str, key: &str) -> bool {
    matches!((around, key), ("tls" | "client_cert", "cert" | "key") | (_, "ca" | "file"))
}

#[cfg(test)]
mod tests {
    use figment::Figment;
    use figment::providers::{Format, Toml};

    use super::*;

    #[test]
    fn every_file_that_is_read_with_it_is_found() {
        let text = r#"
            server.tls = { cert = "a", key = "b" }
            sources.x = { provider = "p", secrets.main = [{ file = "c" }, { env = "N" }, { value = "v" }] }
            destinations.y = { kind = "http", ca = "d", client_cert = { cert = "e", key = "f" }, signing_secret = { file = "g" } }
            destinations.z = { kind = "file", path = "no" }
            journal = { path = "no", key = { file = "h" } }
        "#;
        let layers: Dict = Figment::from(Toml::string(text)).extract().unwrap();
        let mut found: Vec<_> = named(&layers).into_iter().map(|file| file.display().to_string()).collect();
        found.sort_unstable();
        assert_eq!(found, ["a", "b", "c", "d", "e", "f", "g", "h"]);
    }
}
