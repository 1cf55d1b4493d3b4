//! A gateway in this process with one source, `tally`, and nothing to deliver to.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use hookport::clock::Clock;
use hookport::config::{self, Config, Environment, Rules};
use hookport::event::Event;
use hookport::gateway::{Gateway, Plugins};
use hookport::journal::{EventFilter, Journal, Rejected, RejectionFilter};
use hookport::outbound::Condition;
use tempfile::TempDir;

use super::line::Line;
use crate::tally;

pub(super) struct Gate {
    pub(super) address: SocketAddr,
    pub(super) journal: Arc<dyn Journal>,
    gateway: Gateway,
    folder: TempDir,
}

impl Gate {
    pub(super) async fn start() -> Self {
        Self::with("", "").await
    }

    /// `server` are lines of `[server]`, `source` of the source.
    pub(super) async fn with(server: &str, source: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (config, plugins) = configured(folder.path(), server, source);
        let gateway = Gateway::start(config, &plugins, Clock::default()).await.expect("it starts");
        Self { address: gateway.address, journal: gateway.journal.clone(), gateway, folder }
    }

    pub(super) async fn connect(&self) -> Line {
        Line::connect(self.address).await
    }

    /// The journal's file.
    pub(super) fn file(&self) -> std::path::PathBuf {
        self.folder.path().join("data/journal.db")
    }

    /// The ids of what was kept, as their sender named them, sorted.
    pub(super) async fn kept(&self) -> Vec<String> {
        let events = self.journal.events(EventFilter { limit: 1_000, ..EventFilter::default() });
        let named = |event: Event| event.provider_id.expect("every event of these tests has an id");
        let mut kept: Vec<String> = events.await.expect("a journal").into_iter().map(named).collect();
        kept.sort_unstable();
        kept
    }

    /// The rejections, once there are so many: they are written without anybody waiting.
    pub(super) async fn rejections(&self, count: usize) -> Vec<Rejected> {
        let end = tokio::time::Instant::now() + super::PATIENCE;
        loop {
            let rejections = self.journal.rejections(RejectionFilter::default()).await.expect("a journal");
            if rejections.len() >= count {
                return rejections;
            }
            assert!(tokio::time::Instant::now() < end, "only {rejections:?}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    pub(super) async fn stop(self) {
        self.gateway.stop().await;
    }
}

/// A configuration with the journal in the folder, and the plugins that it names.
pub(super) fn configured(folder: &Path, server: &str, source: &str) -> (Config, Plugins) {
    tally::install(&folder.join("plugins"));
    let plugins = Plugins::discover(&[folder.join("plugins")]);
    assert!(plugins.refused.is_empty(), "{:?}", plugins.refused);
    let text = format!(
        "admin.listen = \"127.0.0.1:0\"\njournal.path = {:?}\n[server]\nlisten = \"127.0.0.1:0\"\n{server}\n\
         [sources.tally]\nprovider = \"tally\"\nsecrets.main = {{ value = {:?} }}\n{source}\n",
        folder.join("data"),
        tally::SECRET,
    );
    let environment: Environment = BTreeMap::new().into_iter().collect();
    let descriptions = plugins.descriptions();
    let compile = |text: &str| Condition::compile(text).map(drop).map_err(|error| error.to_string());
    let rules = Rules { providers: &descriptions, compile };
    let draft = config::load_text(&folder.join("hookport.toml"), text, &environment);
    let config = draft.and_then(|draft| config::resolve(&draft, rules));
    (config.unwrap_or_else(|complaints| panic!("{complaints:?}")), plugins)
}
