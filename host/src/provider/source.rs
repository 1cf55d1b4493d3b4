//! A source: one configured instance of a provider, with its secrets, settings and keys made ready once.

mod ready;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hookport_plugin_api::description::SettingValue;
use ipnet::IpNet;
use secrecy::{ExposeSecret, SecretString};

pub(super) use self::ready::{Ready, ReadyKey};
use super::Few;
use super::ack::{Ack, Outcome};
use super::algorithm::Scheme;
use super::compile::Provider;
use super::open::OpeningKey;
use super::outgoing::ReadySigner;
use super::place::Place;
use super::slots::{check_secrets, settings};
use super::view::{Parsed, PublicUrl, View};
use crate::allowance::Allowance;
use crate::request::Incoming;
use jiff::Timestamp;

/// What the configuration says of a source.
#[derive(Debug, Clone, Default)]
pub struct SourceParts {
    /// By the description's names; a list means "any of these".
    pub secrets: BTreeMap<String, Vec<SecretString>>,
    /// By the description's names.
    pub settings: BTreeMap<String, SettingValue>,
    /// Overrides the description's freshness.
    pub tolerance: Option<Duration>,
    /// The forms of the public URL; each is tried.
    pub public_urls: Vec<PublicUrl>,
    /// The path; the description's unless said.
    pub path: Option<String>,
    /// Who may call; empty: anybody.
    pub allow_from: Vec<IpNet>,
    /// Whether operations may call private addresses.
    pub allow_private: bool,
    /// How much it takes; shared by all sources that are made of these parts.
    pub allowance: Arc<Allowance>,
}

/// A source, ready.
pub struct Source {
    /// Its name.
    pub name: Arc<str>,
    /// Where it is called; absent for one that is only called by us.
    pub path: Option<String>,
    /// What it is an instance of.
    pub provider: Arc<Provider>,
    /// How far a signed time may be off.
    pub tolerance: Duration,
    /// Who may call; empty: anybody.
    pub allow_from: Vec<IpNet>,
    /// Whether operations may call private addresses.
    pub allow_private: bool,
    /// How much it takes at once and in a time.
    pub allowance: Arc<Allowance>,
    pub(super) secrets: BTreeMap<String, Vec<SecretString>>,
    pub(super) settings: BTreeMap<String, String>,
    pub(super) urls: Vec<PublicUrl>,
    /// One for each of the provider's tables.
    pub(super) ready: Vec<Ready>,
    /// One for each handshake; none where it has no MAC or its key is not there.
    pub(super) macs: Vec<Option<Box<dyn Scheme>>>,
    pub(super) opening: BTreeMap<String, Vec<OpeningKey>>,
    /// One for each of the provider's signers; none where its key is not configured.
    pub(super) signing: Vec<Option<ReadySigner>>,
}

impl Source {
    /// Makes a source ready; what is wrong comes as `secrets.main: ...`, never with a secret's value.
    pub fn build(name: &str, provider: Arc<Provider>, parts: SourceParts) -> Result<Self, Vec<String>> {
        let mut wrong = Vec::new();
        let settings = settings(&provider.description.settings, &parts.settings, &mut wrong);
        check_secrets(&provider, &parts, &mut wrong);
        let described = provider.description.timestamp.as_ref().map_or(0, |time| time.tolerance_s);
        let mut source = Self {
            name: name.into(),
            path: parts.path.or_else(|| provider.description.route.as_ref().map(|route| route.path.clone())),
            tolerance: parts.tolerance.unwrap_or(Duration::from_secs(described)),
            allow_from: parts.allow_from,
            allow_private: parts.allow_private,
            allowance: parts.allowance,
            secrets: parts.secrets,
            settings,
            urls: parts.public_urls,
            ready: Vec::new(),
            macs: Vec::new(),
            opening: BTreeMap::new(),
            signing: Vec::new(),
            provider,
        };
        if !wrong.is_empty() {
            return Err(wrong);
        }
        for (index, table) in source.provider.tables.iter().enumerate() {
            match source.ready(table) {
                Ok(ready) => source.ready.push(ready),
                Err(error) => wrong.push(match error.split_once(": ") {
                    Some((key, _)) if key.starts_with("secrets.") || key.starts_with("settings.") => error,
                    _ => format!("verify.{index}: {error}"),
                }),
            }
        }
        match source.handshake_macs() {
            Ok(macs) => source.macs = macs,
            Err(errors) => wrong.extend(errors),
        }
        for key in source.provider.opened.iter().map(|opened| &opened.key) {
            let keys = source.secrets.get(key).map(Vec::as_slice).unwrap_or_default();
            let opening: Result<Vec<_>, _> = keys.iter().map(|text| OpeningKey::read(text.expose_secret())).collect();
            match opening {
                Ok(keys) => drop(source.opening.insert(key.clone(), keys)),
                Err(error) => wrong.push(format!("secrets.{key}: {error}")),
            }
        }
        wrong.extend(source.provider.payload.check_keys(&source).err());
        let (signing, unfit) = source.signers();
        source.signing = signing;
        wrong.extend(unfit);
        if wrong.is_empty() { Ok(source) } else { Err(wrong) }
    }

    /// A setting's text, defaults included.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(String::as_str)
    }

    /// Every secret's value with its name, for masking texts that hold them.
    pub fn secrets(&self) -> impl Iterator<Item = (&str, &SecretString)> {
        self.secrets.iter().flat_map(|(name, values)| values.iter().map(move |value| (name.as_str(), value)))
    }

    /// Every setting as JSON text, for native code.
    pub fn settings_json(&self) -> String {
        serde_json::to_string(&self.settings).unwrap_or_else(|_| "{}".into())
    }

    /// The methods that its events come with.
    pub fn methods(&self) -> &[String] {
        self.provider.description.route.as_ref().map_or(&[], |route| &route.methods)
    }

    /// Whether it takes a method, for its events or for a handshake.
    pub fn takes(&self, method: &str) -> bool {
        self.methods().iter().any(|own| own == method)
            || self.provider.handshakes.iter().any(|handshake| handshake.method.as_deref() == Some(method))
    }

    /// The methods that it takes, those of its handshakes too.
    pub fn allowed_methods(&self) -> Vec<&str> {
        let mut all: Vec<&str> = self.methods().iter().map(String::as_str).collect();
        for method in self.provider.handshakes.iter().filter_map(|handshake| handshake.method.as_deref()) {
            if !all.contains(&method) {
                all.push(method);
            }
        }
        all
    }

    /// Whether the address may call.
    pub fn allows(&self, peer: Option<IpAddr>) -> bool {
        self.allow_from.is_empty()
            || peer.is_some_and(|peer| self.allow_from.iter().any(|net| net.contains(&peer.to_canonical())))
    }

    /// Whether checking a request may take longer than an async thread should be held.
    pub fn costly(&self) -> bool {
        self.provider.asks_code()
            || self.provider.tables.iter().any(|table| table.algorithm.costly || table.remote.is_some())
    }

    /// The answer for an outcome.
    pub fn ack(&self, outcome: Outcome, request: &Incoming, now: Timestamp) -> Ack {
        let parsed = Parsed::new(request, self.provider.answer_reads);
        let mut secrets = self.first_secrets();
        if self.provider.answers.seals(outcome) {
            self.provider.payload.take_opening(self, &self.view(&parsed), &mut secrets);
        }
        let view = View { secrets: &secrets, ..self.view(&parsed) };
        self.provider.answers.render(outcome, &view, self.provider.payload.decrypt.as_ref(), now)
    }

    /// The first value of every secret, which is the one that we sign with.
    pub(super) fn first_secrets(&self) -> Vec<(&str, &[u8])> {
        let first = self.secrets.iter().filter_map(|(name, texts)| Some((name.as_str(), texts.first()?)));
        first.map(|(name, text)| (name, text.expose_secret().as_bytes())).collect()
    }

    /// A view without secrets, with the first form of the public URL.
    pub(super) fn view<'v>(&'v self, parsed: &'v Parsed<'v>) -> View<'v> {
        View {
            parsed,
            envelope: None,
            lets: &self.provider.lets,
            settings: &self.settings,
            secrets: &[],
            url: self.urls.first(),
            sig: &[],
            own: &[],
        }
    }

    pub(super) fn secrets_in(&self, places: Vec<&Place>) -> Vec<String> {
        let names = places.into_iter().filter_map(|place| match place {
            Place::Secret(name) => Some(name.clone()),
            _ => None,
        });
        names.collect()
    }

    /// Every way to take one value of each secret; none where a secret has no value, one empty way without secrets.
    pub(super) fn combinations(&self, names: &[String]) -> Vec<Vec<(String, usize)>> {
        names.iter().fold(vec![Vec::new()], |ways, name| {
            let count = self.secrets.get(name).map_or(0, Vec::len);
            let extended =
                ways.iter().flat_map(|way| (0..count).map(|index| [way.as_slice(), &[(name.clone(), index)]].concat()));
            extended.collect()
        })
    }

    /// The values that a way takes, by name.
    pub(super) fn chosen<'s>(&'s self, way: impl IntoIterator<Item = &'s (String, usize)>) -> Few<(&'s str, &'s [u8])> {
        way.into_iter()
            .map(|(name, index)| (name.as_str(), self.secrets[name][*index].expose_secret().as_bytes()))
            .collect()
    }
}
