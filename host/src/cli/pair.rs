//! `NAME=VALUE`, as options take secrets, settings and keys.

use std::path::Path;

use hookport_plugin_api::description::{Setting, SettingKind, SettingValue};
use secrecy::SecretString;

use super::Failure;
use crate::config::Environment;
use crate::config::written::Secret;
use crate::provider::sign::PrivateKey;

/// Name and value of `--option NAME=VALUE`.
pub(super) fn split<'p>(option: &str, pair: &'p str) -> Result<(&'p str, &'p str), Failure> {
    pair.split_once('=').ok_or_else(|| Failure::unusable(format!("{option} is written {option} NAME=VALUE")))
}

/// `@FILE`, `env:NAME` or the value itself.
pub(super) fn secret(name: &str, value: &str) -> Result<SecretString, Failure> {
    let place = match (value.strip_prefix('@'), value.strip_prefix("env:")) {
        (Some(file), _) => Secret::File(file.into()),
        (None, Some(variable)) => Secret::Env(variable.to_owned()),
        (None, None) => Secret::Value(value.to_owned()),
    };
    place.load(&Environment::of_process()).map_err(|error| Failure::unusable(format!("--secret {name}: {error}")))
}

/// A setting's value, read as what its rule holds; without a rule it is text.
pub(super) fn setting(name: &str, value: &str, rule: Option<&Setting>) -> Result<SettingValue, Failure> {
    let wrong = |holds: &str| Failure::unusable(format!("--setting {name}: {value:?} is not {holds}"));
    Ok(match rule.map(|rule| rule.kind).unwrap_or_default() {
        SettingKind::String => SettingValue::String(value.to_owned()),
        SettingKind::Bool => SettingValue::Bool(value.parse().map_err(|_| wrong("true or false"))?),
        SettingKind::Int => SettingValue::Int(value.parse().map_err(|_| wrong("a whole number"))?),
    })
}

/// A private key by the name of the public key that it belongs to.
pub(super) fn key(pair: &str) -> Result<(String, PrivateKey), Failure> {
    let (name, file) = pair.split_once('=').ok_or_else(|| Failure::unusable("--key is written --key NAME=FILE"))?;
    let text =
        std::fs::read_to_string(Path::new(file)).map_err(|error| Failure::unusable(format!("{file}: {error}")))?;
    let key = PrivateKey::read(&text).map_err(|error| Failure::unusable(format!("--key {name}: {error}")))?;
    Ok((name.to_owned(), key))
}
