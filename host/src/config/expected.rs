//! What was expected where something else was written: figment's errors in words that help, and never with a secret in them.

use figment::error::{Actual, Kind};

use super::environment::is_secret;
use super::written::SECRET_FORMS;
use crate::provider::complaint::did_you_mean;

/// Keys and values of later issues, by the section that they belong to: refused, so that nobody relies on them yet.
const LATER: &[(&str, &[&str])] = &[
    ("", &["console", "metrics", "telemetry", "tls", "transforms"]),
    ("server", &["rate"]),
    ("admin", &["tls", "console"]),
    ("sources", &["order_by", "transform"]),
    ("destinations", &["tls", "kafka"]),
    ("routes", &["rate", "order_by", "transform"]),
];

/// The key's whole path and what is wrong with it.
pub(super) fn explain(mut key: Vec<String>, kind: Kind) -> (Vec<String>, String) {
    if let Kind::MissingField(name) = &kind {
        key.push(name.to_string());
    }
    let leaf = key.last().map_or("", String::as_str);
    let message = match kind {
        Kind::Message(message) => message,
        Kind::MissingField(_) => format!("is missing: {}", expected(&key, "this key is required")),
        Kind::UnknownField(name, known) => unknown(&key[..key.len() - 1], "key", &name, known),
        _ if leaf == "secrets" && key.len() == 3 => "must be a table with a secret for each name".to_owned(),
        _ if key.iter().any(|step| step == "headers") => match leaf {
            "headers" => "must be a table with a value for each name".to_owned(),
            _ => format!("a header's value is a text in quotes, {SECRET_FORMS}"),
        },
        _ if is_secret(&key) => format!("a secret is {SECRET_FORMS}"),
        Kind::UnknownVariant(name, known) => unknown(&key[..key.len() - 1], "value", &name, known),
        Kind::InvalidType(actual, wanted) | Kind::InvalidValue(actual, wanted) => {
            format!("{} is not {}", found(&actual), expected(&key, in_words(&wanted)))
        }
        other => other.to_string(),
    };
    let message = match message.as_str() {
        "invalid socket address syntax" => format!("must be {}", expected(&key, "an address with its port")),
        text if text.starts_with("data did not match any variant of untagged enum SettingValue") => {
            "a setting is a text, a whole number, true or false".to_owned()
        }
        _ => message,
    };
    (key, message)
}

fn found(actual: &Actual) -> String {
    match actual {
        Actual::Bool(value) => value.to_string(),
        Actual::Unsigned(number) => number.to_string(),
        Actual::Signed(number) => number.to_string(),
        Actual::Float(number) => number.to_string(),
        Actual::Str(text) => format!("\"{text}\""),
        Actual::Seq => "a list".to_owned(),
        Actual::Map => "a table".to_owned(),
        other => other.to_string(),
    }
}

/// A Rust type as an operator would call it.
fn in_words(wanted: &str) -> &str {
    match wanted {
        "usize" | "u32" | "u64" => "a whole number from 0",
        "f64" => "a number",
        "a string" => "a text in quotes",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "path string" => "a path in quotes",
        other if other.starts_with("struct ") => "a table",
        other => other,
    }
}

/// An unknown key or value: of a later version, or a slip.
pub(super) fn unknown(section: &[String], what: &str, name: &str, known: &[&str]) -> String {
    if is_later(section.first().map_or("", String::as_str), name) {
        return format!("\"{name}\" is not yet known in this version of Hookport: remove it, or upgrade");
    }
    let meant = did_you_mean(name, known.iter().copied());
    let list = known.iter().map(|known| format!("\"{known}\"")).collect::<Vec<_>>().join(", ");
    match known {
        [] => format!("unknown {what} \"{name}\""),
        _ => format!("unknown {what} \"{name}\"; known: {list}{meant}"),
    }
}

fn is_later(section: &str, name: &str) -> bool {
    LATER.iter().any(|(of, names)| *of == section && names.contains(&name))
}

/// What a key holds, in words.
fn expected(key: &[String], otherwise: &str) -> String {
    let section = key.first().map_or("", String::as_str);
    let words = match key.last().map_or("", String::as_str) {
        "listen" => "an address with its port, such as \"127.0.0.1:8080\"",
        "kind" => "a kind in quotes, such as \"http\"",
        "provider" => {
            "the id of a provider, such as \"acme\" (`hookport plugin list` and `hookport plugin catalog` name them)"
        }
        "url" => "a URL, such as \"https://crm.example.com/hooks\"",
        "to" => "a list of destinations' names, such as [\"crm\"]",
        "types" => "a list of globs over event types, such as [\"acme.*\"]",
        "every" => "a duration with its unit, such as \"1h\"",
        "cert" => "a PEM file, such as \"cert.pem\"",
        "key" if section != "polls" => "a PEM file, such as \"key.pem\"",
        "key" => "the name of the field that tells items apart",
        _ => otherwise,
    };
    words.to_owned()
}
