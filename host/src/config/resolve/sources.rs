//! `[sources.NAME]` against the descriptions of their providers.

use std::collections::BTreeMap;
use std::sync::Arc;

use hookport_plugin_api::description::{Description, SettingKind, SettingValue};
use url::Url;

use super::{Check, NAME_RULE, is_name, quoted};
use crate::allowance::Allowance;
use crate::config::resolved::{Source, SourceParts};
use crate::config::written;
use crate::event::OWN_SOURCE;
use crate::plugin::catalog;
use crate::provider::complaint::did_you_mean;
use crate::provider::slots::misfit;
use crate::provider::view::PublicUrl;

impl Check<'_> {
    pub(super) fn sources(&mut self) -> BTreeMap<String, Source> {
        let mut resolved = BTreeMap::new();
        let mut paths: BTreeMap<String, &str> = BTreeMap::new();
        for (name, written) in &self.draft.written.sources {
            if !is_name(name) {
                self.complain(&["sources", name], NAME_RULE);
            }
            if name == OWN_SOURCE {
                self.complain(&["sources", name], "is the name of the gateway's own events: choose another");
            }
            let Some(description) = self.description(&written.provider) else {
                self.unknown_provider(name, &written.provider);
                continue;
            };
            let source = self.source(name, written, description);
            if let Some(path) = &source.parts.path
                && let Some(other) = paths.insert(path.clone(), name)
            {
                let message = format!("\"{path}\" is also the path of sources.{other}: give each its own");
                self.complain(&["sources", name, "path"], message);
            }
            resolved.insert(name.clone(), source);
        }
        resolved
    }

    fn unknown_provider(&mut self, name: &str, provider: &str) {
        if catalog::find(provider).is_some() {
            let message = format!(
                "the plugin of \"{provider}\" in a plugin folder is refused: mend it, or remove it to use the catalogue's"
            );
            return self.complain(&["sources", name, "provider"], message);
        }
        let known: Vec<&str> = self.rules.providers.iter().map(|known| known.provider.id.as_str()).collect();
        let embedded = catalog::entries().iter().map(|entry| entry.id);
        let near = did_you_mean(provider, known.iter().copied().chain(embedded));
        let advice = match known.as_slice() {
            [] => format!("; no plugin folder has any, and neither has `hookport plugin catalog`{near}"),
            known => format!("; known: {} and those of `hookport plugin catalog`{near}", quoted(known.iter().copied())),
        };
        let message = format!("no plugin has the provider \"{provider}\"{advice}");
        self.complain(&["sources", name, "provider"], message);
    }

    fn source(&mut self, name: &str, written: &written::Source, description: &Description) -> Source {
        if let Some(unsigned) = description.verify.iter().find(|verify| verify.alg == "none") {
            let reason = unsigned.reason.as_deref().unwrap_or("the description gives no reason");
            let message =
                format!("\"{}\" does not sign its requests: anybody can send them ({reason})", written.provider);
            self.warn(&["sources", name], message);
        }
        if written.tolerance.is_some() && description.timestamp.is_none() {
            let message = format!("has no effect: \"{}\" signs no time", written.provider);
            self.warn(&["sources", name, "tolerance"], message);
        }
        if written.max_in_flight == Some(0) {
            self.complain(&["sources", name, "max_in_flight"], "must be more than nothing");
        }
        let parts = SourceParts {
            secrets: self.source_secrets(name, written, description),
            settings: self.settings(name, written, description),
            tolerance: written.tolerance.map(|span| span.0),
            public_urls: self.public_urls(name, written),
            path: self.path(name, written, description),
            allow_from: written.allow_from.iter().map(|network| network.0).collect(),
            allow_private: written.allow_private,
            allowance: Arc::new(Allowance::new(written.rate.map(|rate| rate.0), written.max_in_flight)),
        };
        Source { provider: written.provider.clone(), parts }
    }

    fn path(&mut self, name: &str, written: &written::Source, description: &Description) -> Option<String> {
        let path = match (&written.path, &description.route) {
            (Some(_), None) if description.verify.is_empty() => {
                let message = format!("\"{}\" is only called and never calls: remove the path", written.provider);
                self.complain(&["sources", name, "path"], message);
                return None;
            }
            (Some(path), _) => path,
            (None, route) => &route.as_ref()?.path,
        };
        let fits = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#');
        if !path.starts_with('/') || !path.bytes().all(fits) {
            let message = format!("\"{path}\" is not a path such as \"/{name}\": it begins with / and has no query");
            self.complain(&["sources", name, "path"], message);
        }
        Some(path.clone())
    }

    fn public_urls(&mut self, name: &str, written: &written::Source) -> Vec<PublicUrl> {
        match &*written.public_url {
            [] => {
                let server = self.draft.written.server.public_url.as_deref();
                server.and_then(|text| PublicUrl::parse(text).ok()).into_iter().collect()
            }
            own => own.iter().filter_map(|text| self.public_url(&["sources", name, "public_url"], text)).collect(),
        }
    }

    fn source_secrets(
        &mut self,
        name: &str,
        written: &written::Source,
        description: &Description,
    ) -> BTreeMap<String, Vec<secrecy::SecretString>> {
        let known = || description.secrets.keys().map(String::as_str);
        let mut secrets = BTreeMap::new();
        for (secret, places) in &written.secrets {
            let key = ["sources", name, "secrets", secret];
            match description.secrets.contains_key(secret) {
                false => {
                    let message = no_such(secret, "secret", &written.provider, known());
                    self.complain(&key, message);
                }
                true => {
                    let values = self.secrets(&key, places);
                    secrets.insert(secret.clone(), values);
                }
            }
        }
        for (secret, slot) in &description.secrets {
            let given = written.secrets.get(secret).is_some_and(|places| !places.is_empty());
            if slot.required && !given && !description.captures(secret) {
                let message = format!("is missing ({}): add secrets.{secret} = {{ env = \"NAME\" }}", slot.about);
                self.missing(&["sources", name, "secrets", secret], message);
            }
        }
        secrets
    }

    fn settings(
        &mut self,
        name: &str,
        written: &written::Source,
        description: &Description,
    ) -> BTreeMap<String, SettingValue> {
        let known = || description.settings.keys().map(String::as_str);
        let settings = self.as_written(name, written, description);
        for (setting, value) in &settings {
            let complaint = match description.settings.get(setting) {
                None => Some(no_such(setting, "setting", &written.provider, known())),
                Some(rule) => misfit(rule, value),
            };
            if let Some(message) = complaint {
                self.complain(&["sources", name, "settings", setting], message);
            }
        }
        for (setting, rule) in &description.settings {
            if rule.default.is_none() && !written.settings.contains_key(setting) {
                self.missing(&["sources", name, "settings", setting], format!("is missing: {}", rule.about));
            }
        }
        if !description.operations.is_empty() {
            self.called(name, &settings, written.allow_private, description);
        }
        settings
    }

    /// The settings; one that is text keeps the text of its variable, whatever it looks like.
    fn as_written(
        &self,
        name: &str,
        written: &written::Source,
        description: &Description,
    ) -> BTreeMap<String, SettingValue> {
        let text_of = |setting: &String| {
            description.settings.get(setting).filter(|rule| rule.kind == SettingKind::String)?;
            let key = ["sources", name, "settings", setting].map(str::to_owned);
            self.draft.origin.environment().raw(&key).map(|text| SettingValue::String(text.to_owned()))
        };
        let value = |(setting, value): (&String, &SettingValue)| {
            let text = if matches!(value, SettingValue::String(_)) { None } else { text_of(setting) };
            (setting.clone(), text.unwrap_or_else(|| value.clone()))
        };
        written.settings.iter().map(value).collect()
    }

    /// Where operations call: every setting that is a URL, written or by default.
    fn called(
        &mut self,
        name: &str,
        settings: &BTreeMap<String, SettingValue>,
        allow_private: bool,
        description: &Description,
    ) {
        for (setting, rule) in &description.settings {
            let Some(SettingValue::String(text)) = settings.get(setting).or(rule.default.as_ref()) else {
                continue;
            };
            if let Ok(url) = Url::parse(text)
                && matches!(url.scheme(), "http" | "https")
            {
                self.reach(&["sources", name, "settings", setting], &url, allow_private, "calls travel");
            }
        }
    }
}

fn no_such<'t>(name: &str, what: &str, provider: &str, known: impl Iterator<Item = &'t str> + Clone) -> String {
    match known.clone().next() {
        None => format!("\"{provider}\" has no {what}s: remove it"),
        Some(_) => {
            let meant = did_you_mean(name, known.clone());
            format!("\"{provider}\" has no {what} \"{name}\"; it has {}{meant}", quoted(known))
        }
    }
}
