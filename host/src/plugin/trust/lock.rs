//! `plugins.lock`: which bytes an operator has seen and wants, by provider.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::super::ours;

/// The file, read whole.
#[derive(Debug, Clone, Default)]
pub struct Lock {
    /// Where it is.
    pub place: PathBuf,
    pins: BTreeMap<String, Vec<Pin>>,
}

/// One build of a provider.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// The description's version, for people.
    pub version: String,
    /// Of the file, hexadecimal.
    pub sha256: String,
}

impl Lock {
    /// Reads it; one that is not there has no pins. An error says why it cannot be gone by.
    pub fn read(place: &Path) -> Result<Self, String> {
        let wrong = |why: String| format!("{}: {why}", place.display());
        let text = super::read(place).map_err(|error| wrong(error.to_string()))?;
        let Some(text) = text else { return Ok(Self { place: place.into(), ..Self::default() }) };
        ours::check(place).map_err(|fault| wrong(fault.to_string()))?;
        let pins = toml::from_str(&text).map_err(|error| wrong(error.message().to_owned()))?;
        Ok(Self { place: place.into(), pins })
    }

    /// The builds that a provider is pinned to; nothing of one that is not pinned.
    pub fn pins(&self, id: &str) -> Option<&[Pin]> {
        self.pins.get(id).map(Vec::as_slice)
    }

    /// Pins a provider to one more build, or to that one alone; says whether that is anything new.
    pub fn pin(&mut self, id: &str, pin: Pin, only: bool) -> bool {
        let pins = self.pins.entry(id.to_owned()).or_default();
        let before = pins.clone();
        if only {
            pins.clear();
        }
        if !pins.contains(&pin) {
            pins.push(pin);
        }
        *pins != before
    }

    /// As the file has it.
    pub fn text(&self) -> String {
        let mut text =
            "# Which bytes of plugins may be used; `hookport plugin pin` writes it. Keep it where only you can.\n"
                .to_owned();
        for (id, pins) in &self.pins {
            for Pin { version, sha256 } in pins {
                // Writing to a text does not fail.
                let _ =
                    write!(text, "\n[[{}]]\nversion = {}\nsha256 = {}\n", quoted(id), quoted(version), quoted(sha256));
            }
        }
        text
    }
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("plugins.lock");
        let mut lock = Lock::read(&place).unwrap();
        assert_eq!(lock.pins("acme"), None);
        let pin = |version: &str| Pin { version: version.into(), sha256: format!("{version}00") };
        assert!(lock.pin("acme", pin("1.0.0"), false) && lock.pin("acme", pin("1.1.0"), false));
        assert!(!lock.pin("acme", pin("1.0.0"), false) && lock.pin("odd \"one\"", pin("2"), true));
        std::fs::write(&place, lock.text()).unwrap();
        let mut read = Lock::read(&place).unwrap();
        assert_eq!(read.pins("acme"), Some(&[pin("1.0.0"), pin("1.1.0")][..]));
        assert_eq!(read.text(), lock.text());
        assert!(read.pin("acme", pin("3"), true));
        assert_eq!(read.pins("acme"), Some(&[pin("3")][..]));
        std::fs::write(&place, "[[acme]]\nversion = \"1\"\nsha = \"2\"\n").unwrap();
        assert!(Lock::read(&place).unwrap_err().contains("sha"));
    }
}
