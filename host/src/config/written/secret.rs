//! Where a secret is, as written.

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use crate::provider::complaint::did_you_mean;

/// A secret's place; a debug print shows no value, and neither does an error.
#[derive(Clone)]
pub enum Secret {
    /// An environment variable.
    Env(String),
    /// A file; one trailing newline is not part of it.
    File(PathBuf),
    /// Here.
    Value(String),
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Value(_) => f.write_str("value (hidden)"),
        }
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Place;
        impl<'de> Visitor<'de> for Place {
            type Value = Secret;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(SECRET_FORMS)
            }
            fn visit_str<E: Error>(self, _: &str) -> Result<Secret, E> {
                Err(E::custom(format_args!("a text alone is not a secret: write {SECRET_FORMS}")))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Secret, A::Error> {
                let wrong = || A::Error::custom(format_args!("a secret is exactly one of {SECRET_FORMS}"));
                let form = map.next_key::<String>()?.ok_or_else(wrong)?;
                let secret = match form.as_str() {
                    "env" => Secret::Env(map.next_value()?),
                    "file" => Secret::File(map.next_value()?),
                    "value" => Secret::Value(map.next_value()?),
                    other => {
                        let meant = did_you_mean(other, ["env", "file", "value"]);
                        let message = format_args!("unknown key \"{other}\": a secret is {SECRET_FORMS}{meant}");
                        return Err(A::Error::custom(message));
                    }
                };
                if map.next_key::<String>()?.is_some() { Err(wrong()) } else { Ok(secret) }
            }
        }
        deserializer.deserialize_any(Place)
    }
}

/// As error messages name them.
pub(in crate::config) const SECRET_FORMS: &str = r#"{ env = "NAME" }, { file = "path" } or { value = "..." }"#;
