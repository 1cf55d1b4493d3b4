//! A configuration that is exchanged while the gateway runs: what changes with it, and that nobody notices who need not.

mod listener;
mod load;
mod process;
mod swap;
mod watch;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Instant;

use hookport::admin::Reloaded;
use hookport::clock::Clock;
use hookport::config::{self, Config, Environment, Rules};
use hookport::gateway::{Gateway, Plugins};
use hookport::outbound::Condition;
use tempfile::TempDir;

use crate::process::PATIENCE;
use crate::tally;

/// A gateway in this process whose configuration is exchanged.
struct Site {
    gateway: Gateway,
    folder: TempDir,
}

impl Site {
    async fn start(text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        tally::install(&folder.path().join("plugins"));
        let (config, plugins) = configured(folder.path(), text).unwrap_or_else(|wrong| panic!("{wrong}"));
        let gateway = Gateway::start(config, &plugins, Clock::default()).await.expect("it starts");
        Self { gateway, folder }
    }

    /// Exchanges the configuration; what is wrong comes as text.
    async fn exchange(&self, text: &str) -> Result<Reloaded, String> {
        let (config, plugins) = configured(self.folder.path(), text)?;
        let exchanged = self.gateway.exchange(config, plugins).await;
        exchanged.map_err(|wrong| wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    }

    /// The lines that say what an exchange changed.
    async fn changes(&self, text: &str) -> Vec<String> {
        let exchanged = self.exchange(text).await.unwrap_or_else(|wrong| panic!("{wrong}"));
        exchanged.changes.0.iter().map(ToString::to_string).collect()
    }
}

/// A configuration on free ports, with its journal in the folder.
fn configured(folder: &Path, text: &str) -> Result<(Config, Plugins), String> {
    configured_bare(folder, &format!("server.listen = \"127.0.0.1:0\"\nadmin.listen = \"127.0.0.1:0\"\n{text}"))
}

/// The same, with addresses of its own.
fn configured_bare(folder: &Path, text: &str) -> Result<(Config, Plugins), String> {
    let plugins = Plugins::discover(&[folder.join("plugins")]);
    let text = format!("journal.path = {:?}\n{text}", folder.join("data"));
    let environment: Environment = BTreeMap::new().into_iter().collect();
    let descriptions = plugins.descriptions();
    let compile = |text: &str| Condition::compile(text).map(drop).map_err(|error| error.to_string());
    let draft = config::load_text(&folder.join("hookport.toml"), text, &environment);
    let config = draft.and_then(|draft| config::resolve(&draft, Rules { providers: &descriptions, compile }));
    let config = config.map_err(|wrong| wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
    Ok((config, plugins))
}

/// A source of the provider `tally` with these keys.
fn source(name: &str, keys: &[&str]) -> String {
    let keys: Vec<_> = keys.iter().map(|key| format!("{{ value = {key:?} }}")).collect();
    format!("[sources.{name}]\nprovider = \"tally\"\npath = \"/{name}\"\nsecrets.main = [{}]\n", keys.join(", "))
}

/// An HTTP destination on this machine that is asked again soon.
fn destination(name: &str, at: SocketAddr, more: &str) -> String {
    format!(
        "[destinations.{name}]\nkind = \"http\"\nurl = \"http://{at}/\"\nallow_private = true\n\
         retry = {{ attempts = 1000, first = \"50ms\", max = \"100ms\" }}\n{more}\n"
    )
}

fn route(more: &str) -> String {
    format!("[[routes]]\n{more}\n")
}

/// Waits for something that must come true; the machine may be slow.
pub(crate) async fn until(what: &str, mut is_true: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !is_true().await {
        assert!(start.elapsed() < PATIENCE, "waited in vain until {what}");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}
