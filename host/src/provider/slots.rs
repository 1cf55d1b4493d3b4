//! What a description asks of an operator, against what the operator gave: settings and secrets.

use std::collections::BTreeMap;

use hookport_plugin_api::description::{Setting, SettingKind, SettingValue};
use secrecy::ExposeSecret;

use super::compile::Provider;
use super::complaint::did_you_mean;
use super::source::SourceParts;

/// The texts of all settings, defaults included; what is wrong is told by key.
pub(super) fn settings(
    slots: &BTreeMap<String, Setting>,
    given: &BTreeMap<String, SettingValue>,
    wrong: &mut Vec<String>,
) -> BTreeMap<String, String> {
    for name in given.keys().filter(|name| !slots.contains_key(*name)) {
        wrong.push(format!(
            "settings.{name}: the provider has no such setting{}",
            did_you_mean(name, slots.keys().map(String::as_str))
        ));
    }
    let mut settings = BTreeMap::new();
    for (name, slot) in slots {
        let Some(value) = given.get(name).or(slot.default.as_ref()) else {
            wrong.push(format!("settings.{name}: missing, and it has no default: {}", slot.about));
            continue;
        };
        wrong.extend(misfit(slot, value).map(|what| format!("settings.{name}: {what}")));
        settings.insert(name.clone(), value.to_string());
    }
    settings
}

/// Tells what is wrong with the secrets that are given, by key and without their values.
pub(super) fn check_secrets(provider: &Provider, parts: &SourceParts, wrong: &mut Vec<String>) {
    let slots = &provider.description.secrets;
    for name in parts.secrets.keys().filter(|name| !slots.contains_key(*name)) {
        wrong.push(format!(
            "secrets.{name}: the provider has no such secret{}",
            did_you_mean(name, slots.keys().map(String::as_str))
        ));
    }
    for (name, slot) in slots {
        let given = parts.secrets.get(name).map(Vec::as_slice).unwrap_or_default();
        if slot.required && given.is_empty() && !provider.description.captures(name) {
            wrong.push(format!("secrets.{name}: missing: {}", slot.about));
        }
        if given.iter().any(|text| text.expose_secret().trim().is_empty()) {
            wrong.push(format!("secrets.{name}: empty"));
        }
    }
}

/// Why a value does not fit its setting.
pub fn misfit(rule: &Setting, value: &SettingValue) -> Option<String> {
    let fits = matches!(
        (rule.kind, value),
        (SettingKind::String, SettingValue::String(_))
            | (SettingKind::Bool, SettingValue::Bool(_))
            | (SettingKind::Int, SettingValue::Int(_))
    );
    let choices = || rule.choices.iter().map(String::as_str);
    match (fits, value) {
        (false, _) => Some(match rule.kind {
            SettingKind::String => "must be a text in quotes".to_owned(),
            SettingKind::Bool => "must be true or false, without quotes".to_owned(),
            SettingKind::Int => "must be a whole number, without quotes".to_owned(),
        }),
        (true, SettingValue::String(text)) if !rule.choices.is_empty() && !rule.choices.contains(text) => {
            Some(format!(
                "\"{text}\" is none of {}{}",
                choices().map(|choice| format!("\"{choice}\"")).collect::<Vec<_>>().join(", "),
                did_you_mean(text, choices())
            ))
        }
        _ => None,
    }
}
