//! A gateway of its own for a case: the whole of it, in this process, on free ports.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use hookport::clock::Clock;
use hookport::config::{self, Environment, Rules};
use hookport::gateway::{Gateway, Plugins};
use hookport::journal::Journal;
use hookport::outbound::Condition;
use jiff::Timestamp;

use crate::shipped;

/// A running gateway.
pub(crate) struct Running {
    /// Where providers call.
    pub(crate) public: SocketAddr,
    /// What it keeps.
    pub(crate) journal: Arc<dyn Journal>,
    gateway: Gateway,
}

impl Running {
    /// Starts one whose clock stands at a time.
    pub(crate) async fn start(folder: &Path, configuration: &str, at: Timestamp) -> Result<Self, String> {
        let environment: Environment = BTreeMap::new().into_iter().collect();
        let descriptions = plugins().descriptions();
        let compile = |text: &str| Condition::compile(text).map(drop).map_err(|error| error.to_string());
        let rules = Rules { providers: &descriptions, compile };
        let draft = config::load_text(&folder.join("hookport.toml"), configuration.to_owned(), &environment);
        let config = draft
            .and_then(|draft| config::resolve(&draft, rules))
            .map_err(|complaints| complaints.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
        let gateway =
            Gateway::start(config, plugins(), Clock::standing_at(at)).await.map_err(|error| error.to_string())?;
        Ok(Self { public: gateway.address, journal: gateway.journal.clone(), gateway })
    }

    /// Stops it in good order.
    pub(crate) async fn stop(self) {
        self.gateway.stop().await;
    }
}

/// The shipped plugins, loaded once: loaded code stays for as long as the process.
fn plugins() -> &'static Plugins {
    static PLUGINS: OnceLock<Plugins> = OnceLock::new();
    PLUGINS.get_or_init(|| {
        let plugins = Plugins::discover(&[shipped::folder().to_owned()]);
        assert!(plugins.refused.is_empty(), "{:?}", plugins.refused);
        for provider in shipped::PROVIDERS {
            assert!(plugins.by_id.contains_key(provider), "{provider} is not among the plugins");
        }
        plugins
    })
}
