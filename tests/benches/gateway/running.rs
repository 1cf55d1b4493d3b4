//! A gateway in this process, on threads of its own, with its journal on the disk that `target/` is on.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hookport::clock::Clock;
use hookport::config::{self, Environment, Rules};
use hookport::gateway::{Gateway, Plugins};
use hookport::journal::Journal;
use hookport::outbound::Condition;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::bare::runtime;
use crate::tally;

pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) journal: Arc<dyn Journal>,
    runtime: Runtime,
    _gateway: Gateway,
    _silent: TcpListener,
    _folder: TempDir,
}

/// A folder on a real disk; the system's own may be memory.
pub(crate) fn folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder below target/")
}

impl Running {
    /// Everything goes to a destination with these lines, or to one that takes the first event and never answers: then an event costs all
    /// that it costs in the journal, and nobody delivers.
    pub(crate) fn start(destination: &str) -> Self {
        let (folder, runtime) = (folder(), runtime("gateway"));
        let silent = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let nobody = silent.local_addr().expect("an address");
        let never = format!("url = \"http://{nobody}/\"\nconcurrency = 1\ntimeout = \"10m\"");
        let destination = if destination.is_empty() { &never } else { destination };
        let text = configuration(folder.path(), destination);
        tally::install(&folder.path().join("plugins"));
        let plugins = Plugins::discover(&[folder.path().join("plugins")]);
        let environment: Environment = BTreeMap::new().into_iter().collect();
        let descriptions = plugins.descriptions();
        let compile = |text: &str| Condition::compile(text).map(drop).map_err(|error| error.to_string());
        let draft = config::load_text(Path::new("bench.toml"), text, &environment);
        let config = draft.and_then(|draft| config::resolve(&draft, Rules { providers: &descriptions, compile }));
        let config = config.unwrap_or_else(|complaints| panic!("{complaints:?}"));
        let gateway = runtime.block_on(Gateway::start(config, &plugins, Clock::default())).expect("it starts");
        let (address, journal) = (gateway.address, gateway.journal.clone());
        Self { address, journal, runtime, _gateway: gateway, _silent: silent, _folder: folder }
    }

    /// Runs something beside it.
    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// Ends it without waiting for the destination that never answers.
    pub(crate) fn stop(self) {
        self.runtime.block_on(self.journal.close()).expect("it closes");
        self.runtime.shutdown_timeout(Duration::from_secs(1));
    }
}

fn configuration(folder: &Path, destination: &str) -> String {
    format!(
        "server.listen = \"127.0.0.1:0\"\nadmin.listen = \"127.0.0.1:0\"\njournal.path = {:?}\n\
         sources.tally = {{ provider = \"tally\", secrets.main = {{ value = {:?} }} }}\n\
         [destinations.crm]\nkind = \"http\"\nallow_private = true\n{destination}\n[[routes]]\nto = [\"crm\"]\n",
        folder.join("data"),
        tally::SECRET,
    )
}
