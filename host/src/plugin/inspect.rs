//! Tells what a plugin's file is without running any of it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use hookport_plugin_api::description::{Description, HeaderRule, SecretKind, SecretSlot, Setting};
use hookport_plugin_api::identity::{Identity, flag};
use serde::Serialize;

use super::candidate::{Candidate, acceptable, is_description};
use super::preflight::Preflight;
use super::{LoadError, LoadFault, abi};
use crate::provider::compile::Provider;
use crate::provider::parse::Places;

/// What a plugin's file says.
#[derive(Debug, Clone, Serialize)]
pub struct Inspection {
    /// The file.
    pub file: PathBuf,
    /// Its hash, hexadecimal.
    pub sha256: String,
    /// Its length.
    pub bytes: usize,
    /// Why this gateway would not load it.
    pub refusal: Option<String>,
    /// The provider, where its description can be read.
    pub provider: Option<ProviderPart>,
    /// The code, where there is any.
    pub code: Option<CodePart>,
    /// The cases that came with it, by name.
    pub samples: Vec<String>,
}

/// What a description says.
#[derive(Debug, Clone, Serialize)]
pub struct ProviderPart {
    /// The provider's id.
    pub id: String,
    /// As people write it.
    pub name: String,
    /// The description's own version.
    pub version: String,
    /// The vendor's documentation.
    pub docs: Option<String>,
    /// Methods and default path.
    pub route: Option<String>,
    /// The signature algorithms.
    pub verify: Vec<String>,
    /// Headers, and what they must be.
    pub headers: BTreeMap<String, String>,
    /// Secrets by name, and what they are.
    pub secrets: BTreeMap<String, String>,
    /// Settings by name, and what they change.
    pub settings: BTreeMap<String, String>,
    /// Where an event's type comes from.
    pub event_type: Vec<String>,
    /// Calls that the gateway makes.
    pub operations: BTreeMap<String, String>,
}

/// What a library says.
#[derive(Debug, Clone, Serialize)]
pub struct CodePart {
    /// Name and version of the plugin's crate.
    pub package: String,
    /// The ABI that it is built for.
    pub abi: String,
    /// The oldest ABI of a gateway that it accepts.
    pub abi_at_least: String,
    /// The version of the plugin API's crate.
    pub sdk: String,
    /// The compiler.
    pub rustc: String,
    /// The target triple.
    pub target: String,
    /// The machine that its code is for.
    pub machine: String,
    /// `unwind` or `abort`.
    pub panic: &'static str,
    /// Whether it is a debug build.
    pub debug: bool,
    /// Its functions.
    pub functions: Vec<&'static str>,
    /// Libraries that it needs.
    pub needs: Vec<String>,
    /// The glibc that it needs.
    pub glibc: Option<String>,
    /// Symbols that it exports.
    pub exports: Vec<String>,
    /// Whether code of its own runs when it is loaded.
    pub startup_code: bool,
}

/// What the engine says against a description that can be read.
fn senseless(description: &Description, text: &str) -> Option<String> {
    let wrong = Provider::compile(description.clone(), &Places::new(text, "provider.toml")).err()?;
    let words = wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    Some(format!("has a description that cannot be used: {words}"))
}

/// Reads a plugin's file. It fails where the file is no plugin or damaged; one that this gateway would refuse for another
/// reason is shown with the reason.
pub fn inspect(file: &Path) -> Result<Inspection, LoadError> {
    let candidate = Candidate::read(file)?;
    let mut refusal = None;
    let mut code = None;
    if !candidate.is_description() {
        match candidate.native() {
            Ok((preflight, identity)) => {
                refusal = acceptable(&preflight, &identity, abi::glibc()).err().map(|fault| fault.to_string());
                code = Some(CodePart::of(preflight, &identity));
            }
            // What another major version says beyond its number is not ours to read.
            Err(fault @ LoadFault::OtherMajor { .. }) => return Ok(Inspection::unread(candidate, &fault)),
            Err(fault) => return Err(candidate.error(fault)),
        }
    }
    let provider = match candidate.description() {
        Ok((description, text)) => {
            refusal = refusal.or(candidate.complete(&description).err().map(|fault| fault.to_string()));
            refusal = refusal.or_else(|| senseless(&description, &text));
            Some(ProviderPart::of(description))
        }
        Err(fault) => {
            refusal.get_or_insert(fault.to_string());
            None
        }
    };
    let samples = candidate.samples().map_err(|fault| candidate.error(fault))?;
    Ok(Inspection {
        bytes: candidate.bytes.len(),
        refusal,
        provider,
        code,
        samples: samples.into_iter().map(|sample| sample.name).collect(),
        file: candidate.file,
        sha256: candidate.sha256,
    })
}

impl Inspection {
    /// A plugin of which only the refusal can be told.
    fn unread(candidate: Candidate, fault: &LoadFault) -> Self {
        Self {
            bytes: candidate.bytes.len(),
            refusal: Some(fault.to_string()),
            provider: None,
            code: None,
            samples: Vec::new(),
            file: candidate.file,
            sha256: candidate.sha256,
        }
    }
}

impl ProviderPart {
    fn of(description: Description) -> Self {
        let operation = |operation: hookport_plugin_api::description::Operation| (operation.id, operation.about);
        Self {
            id: description.provider.id,
            name: description.provider.name,
            version: description.provider.version,
            docs: description.provider.docs,
            route: description.route.map(|route| format!("{} {}", route.methods.join("|"), route.path)),
            verify: description.verify.iter().map(|verify| verify.alg.clone()).collect(),
            headers: description.headers.into_iter().map(|rule| (rule.name.clone(), header(&rule))).collect(),
            secrets: description.secrets.into_iter().map(|(name, slot)| (name, secret(&slot))).collect(),
            settings: description.settings.into_iter().map(|(name, about)| (name, setting(&about))).collect(),
            event_type: description.event.kind.0,
            operations: description.operations.into_iter().map(operation).collect(),
        }
    }
}

fn header(rule: &HeaderRule) -> String {
    let mut parts = vec![if rule.required { "required".to_owned() } else { "optional".to_owned() }];
    parts.extend(rule.media_type.as_ref().map(|media_type| format!("media type {media_type}")));
    parts.extend(rule.pattern.as_ref().map(|pattern| format!("matches {pattern}")));
    parts.extend(rule.one_of.as_ref().map(|values| format!("one of {}", values.join(", "))));
    parts.extend(rule.max_len.map(|length| format!("at most {length} characters")));
    parts.join(", ")
}

fn secret(slot: &SecretSlot) -> String {
    let kind = match slot.kind {
        SecretKind::Text => "text",
        SecretKind::PublicKey => "public key",
        SecretKind::PrivateKey => "private key",
    };
    format!("{kind}, {}: {}", if slot.required { "required" } else { "optional" }, slot.about)
}

fn setting(setting: &Setting) -> String {
    let default = setting.default.as_ref().map_or("required".to_owned(), |value| format!("default {value}"));
    let choices =
        if setting.choices.is_empty() { String::new() } else { format!(", one of {}", setting.choices.join(", ")) };
    format!("{default}{choices}: {}", setting.about)
}

/// For people.
impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        line(f, "file", &format!("{} ({} bytes)", self.file.display(), self.bytes))?;
        line(f, "sha256", &self.sha256)?;
        line(f, "loads here", self.refusal.as_deref().map_or("yes", |_| "no"))?;
        lines(f, "because", self.refusal.iter())?;
        if let Some(provider) = &self.provider {
            provider.show(f)?;
        }
        match &self.code {
            Some(code) => code.show(f)?,
            None if !is_description(&self.file) => line(f, "code", "of an ABI that this gateway cannot read")?,
            None => line(f, "code", "none: the description is all of it")?,
        }
        lines(f, "samples", &self.samples)
    }
}

impl ProviderPart {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        line(f, "provider", &format!("{} {} {}", self.id, self.version, self.name))?;
        lines(f, "docs", &self.docs)?;
        line(f, "route", self.route.as_deref().unwrap_or("none: it is only called"))?;
        lines(f, "verify", &self.verify)?;
        entries(f, "header", &self.headers)?;
        entries(f, "secret", &self.secrets)?;
        entries(f, "setting", &self.settings)?;
        lines(f, "event type", &self.event_type)?;
        entries(f, "operation", &self.operations)
    }
}

impl CodePart {
    fn of(preflight: Preflight<'_>, identity: &Identity<'_>) -> Self {
        let named = |(bit, name)| (identity.flags & bit != 0).then_some(name);
        Self {
            package: identity.package.into(),
            abi: format!("{}.{}", identity.abi_major, identity.abi_minor),
            abi_at_least: format!("{}.{}", identity.abi_major, identity.abi_min_minor),
            sdk: identity.sdk.into(),
            rustc: identity.rustc.into(),
            target: identity.target.into(),
            machine: preflight.machine.clone(),
            panic: if identity.flags & flag::UNWIND == 0 { "abort" } else { "unwind" },
            debug: identity.flags & flag::DEBUG != 0,
            functions: [(flag::DECODE, "decode"), (flag::OP_BUILD, "op_build"), (flag::OP_PARSE, "op_parse")]
                .into_iter()
                .filter_map(named)
                .collect(),
            glibc: preflight.glibc.map(|(major, minor)| format!("{major}.{minor}")),
            startup_code: preflight.startup_code,
            needs: preflight.needed,
            exports: preflight.exports,
        }
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        line(f, "code", &self.package)?;
        line(f, "abi", &format!("{}, of a gateway at least {} (sdk {})", self.abi, self.abi_at_least, self.sdk))?;
        line(f, "built by", &format!("{}{}", self.rustc, if self.debug { ", a debug build" } else { "" }))?;
        line(f, "target", &format!("{} ({})", self.target, self.machine))?;
        line(f, "panic", self.panic)?;
        line(f, "functions", &self.functions.join(", "))?;
        line(f, "needs", &self.needs.join(", "))?;
        line(f, "glibc", self.glibc.as_deref().unwrap_or("not needed"))?;
        line(f, "exports", &self.exports.join(", "))?;
        line(f, "start-up code", if self.startup_code { "yes: it runs code when it is loaded" } else { "no" })
    }
}

fn line(f: &mut fmt::Formatter<'_>, name: &str, text: &str) -> fmt::Result {
    writeln!(f, "{name:<14} {text}")
}

fn lines<T: AsRef<str>>(f: &mut fmt::Formatter<'_>, name: &str, texts: impl IntoIterator<Item = T>) -> fmt::Result {
    texts.into_iter().try_for_each(|text| line(f, name, text.as_ref()))
}

fn entries(f: &mut fmt::Formatter<'_>, name: &str, entries: &BTreeMap<String, String>) -> fmt::Result {
    entries.iter().try_for_each(|(key, about)| line(f, name, &format!("{key}: {about}")))
}
