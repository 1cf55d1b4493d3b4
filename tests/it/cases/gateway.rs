//! A gateway of its own for a case: the whole of it, in this process, on free ports.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use hookport::clock::Clock;
use hookport::config::{self, Config, Environment, Rules};
use hookport::gateway::{Gateway, Plugins};
use hookport::journal::Journal;
use hookport::keys::RemoteKeys;
use hookport::outbound::Condition;

use crate::{catalogue, shipped};

/// A running gateway.
pub(crate) struct Running {
    /// Where providers call.
    pub(crate) public: SocketAddr,
    /// Where its operator asks.
    pub(crate) admin: SocketAddr,
    /// What it keeps.
    pub(crate) journal: Arc<dyn Journal>,
    gateway: Gateway,
}

impl Running {
    /// Starts one with a clock.
    pub(crate) async fn start_by(clock: Clock, folder: &Path, configuration: &str) -> Result<Self, String> {
        Self::start_with(RemoteKeys::new(clock.clone()), clock, folder, configuration).await
    }

    /// Starts one that has fetched keys already.
    pub(crate) async fn start_with(
        keys: RemoteKeys,
        clock: Clock,
        folder: &Path,
        configuration: &str,
    ) -> Result<Self, String> {
        let config = resolved(folder, configuration, plugins())?;
        let gateway = Gateway::start_with(config, plugins(), clock, keys).await.map_err(|error| error.to_string())?;
        let (public, admin) = (gateway.address, gateway.admin);
        Ok(Self { public, admin, journal: gateway.journal.clone(), gateway })
    }

    /// Stops it in good order.
    pub(crate) async fn stop(self) {
        self.gateway.stop().await;
    }
}

/// A configuration against plugins, or what is wrong with it.
pub(crate) fn resolved(folder: &Path, configuration: &str, plugins: &Plugins) -> Result<Config, String> {
    let environment: Environment = BTreeMap::new().into_iter().collect();
    let descriptions = plugins.descriptions();
    let compile = |text: &str| Condition::compile(text).map(drop).map_err(|error| error.to_string());
    let rules = Rules { providers: &descriptions, compile };
    let draft = config::load_text(&folder.join("hookport.toml"), configuration.to_owned(), &environment);
    draft
        .and_then(|draft| config::resolve(&draft, rules))
        .map_err(|complaints| complaints.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

/// The shipped plugins, loaded once: loaded code stays for as long as the process.
pub(crate) fn plugins() -> &'static Plugins {
    static PLUGINS: OnceLock<Plugins> = OnceLock::new();
    PLUGINS.get_or_init(|| {
        let plugins = Plugins::discover(&[shipped::folder().to_owned(), catalogue::folder()]);
        assert!(plugins.refused.is_empty(), "{:?}", plugins.refused);
        for provider in shipped::PROVIDERS {
            assert!(plugins.by_id.contains_key(provider), "{provider} is not among the plugins");
        }
        plugins
    })
}
