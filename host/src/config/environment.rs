//! The environment as configuration sees it: a value that tests can make, and the `HOOKPORT__SECTION__KEY` overrides.

use std::collections::BTreeMap;

use figment::providers::Serialized;
use figment::value::{Dict, Map, Value};
use figment::{Error, Metadata, Profile, Provider};

/// Before every override; `__` separates its keys.
const PREFIX: &str = "HOOKPORT__";

/// The last key of a secret that is text, whatever it looks like.
pub(super) const FORMS: [&str; 3] = ["env", "file", "value"];

/// Variables by name.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// That of this process; what is not UTF-8 is left out.
    pub fn of_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self(std::env::vars_os().filter_map(text).collect())
    }

    /// A variable's value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The variable that overrides this key or a part of it.
    pub(super) fn overriding(&self, key: &[String]) -> Option<&str> {
        let starts = |path: &[String]| path.len() >= key.len() && path[..key.len()] == *key;
        self.overrides().find(|(_, path, _)| starts(path)).map(|(name, ..)| name)
    }

    /// The text of the variable for exactly this key, for what is text whatever it looks like.
    pub(super) fn raw(&self, key: &[String]) -> Option<&str> {
        self.overrides().find(|(_, path, _)| path == key).map(|(.., text)| text)
    }

    /// The keys of the secrets that variables set, whole or in one of their forms.
    pub(super) fn secrets(&self) -> impl Iterator<Item = Vec<String>> {
        self.overrides().filter_map(|(_, mut path, _)| {
            let length = match path.first().map(String::as_str) {
                Some("sources") => 4,
                Some("destinations") if path.get(2).is_some_and(|key| key == "headers") => 4,
                Some("destinations") => 3,
                _ => 2,
            };
            (is_secret(&path) && path.len() >= length).then(|| {
                path.truncate(length);
                path
            })
        })
    }

    fn overrides(&self) -> impl Iterator<Item = (&str, Vec<String>, &str)> {
        self.0.iter().filter_map(|(name, value)| {
            let path = name.strip_prefix(PREFIX).filter(|path| !path.is_empty())?.to_ascii_lowercase();
            Some((name.as_str(), path.split("__").map(str::to_owned).collect(), value.as_str()))
        })
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self(variables.into_iter().collect())
    }
}

impl Provider for Environment {
    fn metadata(&self) -> Metadata {
        Metadata::named("environment variables")
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        let mut figment = figment::Figment::new();
        for (_, path, text) in self.overrides() {
            let parsed: Value = text.parse().unwrap_or_else(|never| match never {});
            let is_form = path.last().is_some_and(|form| FORMS.contains(&form.as_str()));
            let is_header = path.len() == 4 && path[2] == "headers";
            // A secret that looks like a number is still text, and a setting is nothing but text, bool or whole number.
            let value =
                match (is_secret(&path) && (is_form || is_header)) || (is_setting(&path) && !fits_a_setting(&parsed)) {
                    true => Value::from(text),
                    false => parsed,
                };
            figment = figment.merge(Serialized::default(&path.join("."), value));
        }
        figment.data()
    }
}

fn is_setting(path: &[String]) -> bool {
    path.len() == 4 && path[0] == "sources" && path[2] == "settings"
}

fn fits_a_setting(value: &Value) -> bool {
    let whole = |value: &Value| value.to_i128().is_some_and(|number| i64::try_from(number).is_ok());
    matches!(value, Value::String(..) | Value::Bool(..)) || whole(value)
}

/// Whether the key's value, or what it leads to, may not be shown.
pub(super) fn is_secret(path: &[String]) -> bool {
    match path.first().map(String::as_str) {
        Some("sources") => path.get(2).is_some_and(|key| key == "secrets"),
        Some("destinations") => path
            .get(2)
            .is_some_and(|key| matches!(key.as_str(), "signing_secret" | "headers" | "password" | "credentials")),
        Some("traces") => path.get(1).is_some_and(|key| key == "headers"),
        Some("admin") => path.get(1).is_some_and(|key| key == "token" || key == "metrics_token"),
        Some("journal") => path.get(1).is_some_and(|key| key == "url"),
        _ => false,
    }
}
