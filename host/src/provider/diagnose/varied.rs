//! A source with one thing changed. One that cannot be made ready so is none.

use std::sync::Arc;

use hookport_plugin_api::description::{SettingKind, SettingValue, Verify};

use crate::provider::compile::Provider;
use crate::provider::parse::Places;
use crate::provider::source::{Source, SourceParts};

/// With other secrets or URLs.
pub(super) fn given(source: &Source, change: impl FnOnce(&mut SourceParts)) -> Option<Source> {
    let mut parts = parts(source);
    change(&mut parts);
    Source::build(&source.name, source.provider.clone(), parts).ok()
}

/// With one of `[[verify]]` described otherwise.
pub(super) fn described(source: &Source, table: usize, change: impl FnOnce(&mut Verify)) -> Option<Source> {
    let mut description = source.provider.description.clone();
    change(description.verify.0.get_mut(table)?);
    let provider = Provider::compile(description, &Places::new("", "")).ok()?.with_texts(source.provider.texts());
    Source::build(&source.name, Arc::new(provider), parts(source)).ok()
}

fn parts(source: &Source) -> SourceParts {
    let settings = source.settings.iter().filter_map(|(name, text)| {
        let value = match source.provider.description.settings.get(name)?.kind {
            SettingKind::String => SettingValue::String(text.clone()),
            SettingKind::Bool => SettingValue::Bool(text.parse().ok()?),
            SettingKind::Int => SettingValue::Int(text.parse().ok()?),
        };
        Some((name.clone(), value))
    });
    SourceParts {
        secrets: source.secrets.clone(),
        settings: settings.collect(),
        tolerance: Some(source.tolerance),
        public_urls: source.urls.clone(),
        path: source.path.clone(),
        allow_from: source.allow_from.clone(),
        allow_private: source.allow_private,
        allowance: source.allowance.clone(),
    }
}
