//! A gateway in this process with a source for every description of `cases/handshakes`, and nothing to deliver to.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use hookport::clock::Clock;
use hookport::config::{self, Config, Environment, Rules};
use hookport::gateway::{Gateway, Plugins};
use hookport::journal::{EventFilter, Journal, Rejected, RejectionFilter};
use hookport::outbound::Condition;
use sha2::Sha256;
use tempfile::TempDir;

use crate::process::PATIENCE;
use crate::wire::{Reply, exchange};

/// The sources of a door; `tells` has no secret yet.
pub(super) const SOURCES: &str = r#"
[sources.echoes]
provider = "echoes"
secrets = { main = { value = "app secret" }, word = [{ value = "old word" }, { value = "new word" }] }
[sources.signs]
provider = "signs"
secrets.main = { value = "integration_private_key" }
[sources.asks]
provider = "asks"
secrets.main = { value = "s3cret" }
[sources.tells]
provider = "tells"
"#;

pub(super) struct Door {
    pub(super) address: SocketAddr,
    pub(super) admin: SocketAddr,
    pub(super) journal: Arc<dyn Journal>,
    gateway: Gateway,
    folder: TempDir,
}

impl Door {
    pub(super) async fn open() -> Self {
        Self::with(SOURCES).await
    }

    pub(super) async fn with(sources: &str) -> Self {
        Self::of(tempfile::tempdir().expect("a folder"), sources).await
    }

    async fn of(folder: TempDir, sources: &str) -> Self {
        install(&folder.path().join("plugins"));
        let plugins = Plugins::discover(&[folder.path().join("plugins")]);
        assert!(plugins.refused.is_empty(), "{:?}", plugins.refused);
        let config = configured(folder.path(), &plugins, sources);
        let gateway = Gateway::start(config, &plugins, Clock::default()).await.expect("it starts");
        Self { address: gateway.address, admin: gateway.admin, journal: gateway.journal.clone(), gateway, folder }
    }

    /// Stops it and starts it again.
    pub(super) async fn again(self, sources: &str) -> Self {
        let Self { gateway, folder, .. } = self;
        gateway.stop().await;
        Self::of(folder, sources).await
    }

    /// Exchanges its sources while it runs.
    pub(super) async fn exchange(&self, sources: &str) {
        let plugins = Plugins::discover(&[self.folder.path().join("plugins")]);
        let config = configured(self.folder.path(), &plugins, sources);
        let exchanged = self.gateway.exchange(config, plugins).await.expect("it is right");
        assert!(!exchanged.changes.0.is_empty(), "nothing has changed");
    }

    pub(super) async fn stop(self) {
        self.gateway.stop().await;
    }

    pub(super) async fn ask(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        ask(self.address, method, target, headers, body).await
    }

    pub(super) async fn get(&self, target: &str) -> Reply {
        self.ask("GET", target, &[], "").await
    }

    pub(super) async fn events(&self) -> usize {
        self.journal.events(EventFilter { limit: 1_000, ..EventFilter::default() }).await.expect("a journal").len()
    }

    /// The rejections, once there are so many: they are written without anybody waiting.
    pub(super) async fn rejections(&self, count: usize) -> Vec<Rejected> {
        let end = tokio::time::Instant::now() + PATIENCE;
        loop {
            let rejections = self.journal.rejections(RejectionFilter::default()).await.expect("a journal");
            if rejections.len() >= count {
                return rejections;
            }
            assert!(tokio::time::Instant::now() < end, "only {rejections:?}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}

/// One request on a connection of its own.
pub(super) async fn ask(to: SocketAddr, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = if body.is_empty() { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    let request = format!("{method} {target} HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\n{lines}{length}\r\n{body}");
    exchange(to, request.as_bytes()).await.expect("an answer")
}

/// Writes the descriptions where a plugin folder is searched for them.
pub(super) fn install(plugins: &Path) {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/handshakes");
    for file in std::fs::read_dir(cases).expect("the descriptions are there").flatten() {
        let folder = plugins.join(file.path().file_stem().expect("a name"));
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::copy(file.path(), folder.join("provider.toml")).expect("a copy");
    }
}

fn configured(folder: &Path, plugins: &Plugins, sources: &str) -> Config {
    let text = format!(
        "admin.listen = \"127.0.0.1:0\"\njournal.path = {:?}\nserver.listen = \"127.0.0.1:0\"\n{sources}",
        folder.join("data"),
    );
    let environment: Environment = BTreeMap::new().into_iter().collect();
    let descriptions = plugins.descriptions();
    let compile = |text: &str| Condition::compile(text).map(drop).map_err(|error| error.to_string());
    let rules = Rules { providers: &descriptions, compile };
    let draft = config::load_text(&folder.join("hookport.toml"), text, &environment);
    let config = draft.and_then(|draft| config::resolve(&draft, rules));
    config.unwrap_or_else(|complaints| panic!("{complaints:?}"))
}

/// HMAC-SHA256, as the senders of these tests sign.
pub(super) fn hmac(key: &str, message: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("any key does");
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// The same in hex.
pub(super) fn hex_hmac(key: &str, message: &str) -> String {
    hmac(key, message).iter().map(|byte| format!("{byte:02x}")).collect()
}
