//! What is wrong with a description, and what is allowed and worth a look.

use std::path::Path;
use std::sync::Arc;

use hookport_plugin_api::description::Description;

use super::found::beside;
use crate::cli::Failure;
use crate::gateway::Plugin;
use crate::plugin::{self, LoadFault, Text};
use crate::provider::compile::Provider;
use crate::provider::complaint::Complaint;
use crate::provider::parse::{Grammar, Places, parse};

/// A file that was checked.
#[derive(Default)]
pub(super) struct Checked {
    pub(super) id: Option<String>,
    pub(super) errors: Vec<Complaint>,
    pub(super) warnings: Vec<Complaint>,
    /// Where cases can be run; without its code, which runs elsewhere.
    pub(super) plugin: Option<Plugin>,
    /// Whether the file is code.
    pub(super) native: bool,
    /// Whether the code is there too, where there is any.
    pub(super) whole: bool,
}

/// Digests without a key.
const PLAIN: &[&str] = &["md5", "sha1", "sha256", "sha512", "sm3"];

/// Checks a provider.toml or a plugin; it fails where the file is neither.
pub(super) fn check(file: &Path) -> Result<Checked, Failure> {
    let Text { text, grammar, code_free } = match plugin::text(file) {
        Ok(text) => text,
        Err(error) if error.fault.is_no_plugin() => return Err(Failure::unusable(error)),
        Err(error) => return Ok(Checked { errors: vec![whole(file, &error.fault)], ..Checked::default() }),
    };
    let name = file.display().to_string();
    let places = Places::new(&text, &name);
    let (provider, mut errors) = described(&text, &name, grammar, &places);
    let mut checked = Checked { whole: true, ..Checked::default() };
    if let Some(provider) = provider.filter(|_| errors.is_empty()) {
        checked.id = Some(provider.id.to_string());
        checked.warnings = warnings(&provider.description, &places);
        checked.warnings.extend(provider.binds_nothing().map(|index| {
            let message =
                "the signed text has nothing of the body; ${body} is meant with its $, else say covers = \"none\"";
            places.complain(format!("verify.{index}.message"), message)
        }));
        let described = |provider| Plugin::described(Arc::new(provider), file.to_owned());
        let code = beside(file).join("Cargo.toml").is_file();
        if !code_free {
            // Nothing of it runs here: a crash would be the end of the check.
            match plugin::inspect(file).map(|inspection| inspection.refusal) {
                Ok(None) => checked.plugin = Some(described(provider)),
                Ok(Some(refusal)) => errors.push(whole(file, &refusal)),
                Err(error) => errors.push(whole(file, &error.fault)),
            }
            return Ok(Checked { errors, native: true, ..checked });
        }
        match plugin::load(file) {
            // Code may do more than a description says.
            Ok(_) if code => {
                checked.whole = false;
                checked.plugin = Some(described(provider));
            }
            Ok(loaded) => match Plugin::compile(loaded) {
                Ok(plugin) => checked.plugin = Some(plugin),
                Err(error) => errors.push(whole(file, &error)),
            },
            Err(error) if code && matches!(error.fault, LoadFault::Operations(_) | LoadFault::Text(_)) => {
                checked.whole = false;
                checked.plugin = Some(described(provider));
            }
            Err(error) => errors.push(whole(file, &error.fault)),
        }
    }
    if !checked.whole {
        let message = "its code is not checked: build it, or name the library that is built of it";
        checked.warnings.push(whole(file, &message));
    }
    Ok(Checked { errors, ..checked })
}

/// A complaint about the file as a whole.
pub(super) fn whole(file: &Path, message: &dyn std::fmt::Display) -> Complaint {
    Complaint { file: file.display().to_string(), line: None, key: String::new(), message: message.to_string() }
}

/// The provider if it can be compiled, and everything that is wrong; what is misspelt hides nothing else.
fn described(text: &str, file: &str, grammar: Grammar, places: &Places<'_>) -> (Option<Provider>, Vec<Complaint>) {
    let (description, mut errors) = match parse(text, file, grammar) {
        Ok(description) => (Some(description), Vec::new()),
        Err(errors) => (parse(text, file, Grammar::Newer).ok(), errors),
    };
    match description.map(|description| Provider::compile(description, places)) {
        Some(Ok(provider)) => (Some(provider), errors),
        Some(Err(more)) => {
            errors.extend(more);
            (None, errors)
        }
        None => (None, errors),
    }
}

fn warnings(description: &Description, places: &Places<'_>) -> Vec<Complaint> {
    let mut warnings = Vec::new();
    let mut warn = |key: &str, message: &str| warnings.push(places.complain(key, message));
    if description.provider.docs.is_none() {
        warn("provider.docs", "missing: where does the vendor describe it?");
    }
    if description.provider.evidence.is_none() {
        warn("provider.evidence", "missing: is it a vector, a vendor-doc, third-party or unverified?");
    }
    for (index, table) in description.verify.iter().enumerate() {
        let key = format!("verify.{index}.alg");
        match table.alg.as_str() {
            "none" => warn(&key, "the sender proves nothing: anybody can send requests"),
            "static" => warn(&key, "a token proves who sends and binds nothing of what is sent"),
            plain if PLAIN.contains(&plain) => warn(
                &key,
                "a digest over a text with the secret in it is weaker than a MAC: take one where the sender offers it",
            ),
            _ => {}
        }
    }
    match description.event.covers.as_deref() {
        Some("fields") => warn("event.covers", "what is not among the signed fields can be changed on the way"),
        Some("none") => warn("event.covers", "the signature binds nothing of what the request says"),
        _ => {}
    }
    warnings
}
