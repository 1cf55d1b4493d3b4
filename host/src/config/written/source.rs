//! `[sources.NAME]`, as written.

use std::collections::BTreeMap;

use hookport_plugin_api::description::{Many, SettingValue};
use serde::Deserialize;

use super::Secret;
use crate::config::units::{Network, Rate, Span};

/// `[sources.NAME]`: one instance of a provider.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The provider's id.
    pub provider: String,
    /// Matches exactly; the description's route unless said.
    pub path: Option<String>,
    /// The description's keys.
    #[serde(default)]
    pub secrets: BTreeMap<String, Many<Secret>>,
    /// The description's settings.
    #[serde(default)]
    pub settings: BTreeMap<String, SettingValue>,
    /// Overrides the description's freshness.
    pub tolerance: Option<Span>,
    /// Addresses or networks; empty: anybody.
    #[serde(default)]
    pub allow_from: Vec<Network>,
    /// The URL that this provider was given, when not the server's; several are tried.
    #[serde(default)]
    pub public_url: Many<String>,
    /// Whether operations may call private addresses.
    #[serde(default)]
    pub allow_private: bool,
    /// More requests are told to come again.
    pub rate: Option<Rate>,
    /// The same for requests at once.
    pub max_in_flight: Option<usize>,
}
