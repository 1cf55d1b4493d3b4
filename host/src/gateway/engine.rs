//! Which engine the journal is kept by. Nobody behind this knows.

use std::sync::Arc;

use super::StartError;
use crate::clock::Clock;
use crate::config::resolved::{self, JournalEngine};
use crate::journal::{Journal, Observer, Plan, Vault, sqlite};

/// Opens the configured journal; waits for its disk or its server without holding up others.
pub(super) async fn open(
    config: &resolved::Journal,
    clock: Clock,
    plan: Arc<dyn Plan>,
    observer: Arc<dyn Observer>,
) -> Result<Arc<dyn Journal>, StartError> {
    let vault = Vault::new(&config.keys);
    match &config.engine {
        JournalEngine::Sqlite => {
            let options = sqlite::Options { vault, observer, ..sqlite::Options::new(&config.path, clock, plan) };
            Ok(tokio::task::spawn_blocking(|| sqlite::open(options)).await??)
        }
        #[cfg(feature = "postgres")]
        JournalEngine::Postgres(server) => {
            use crate::journal::postgres;
            use crate::net::tls::Tls;
            let roots =
                server.ca.as_deref().map(crate::net::tls::roots).transpose().map_err(StartError::Authorities)?;
            let options = postgres::Options::new(server.url.clone(), &server.schema, clock, plan);
            let (connections, lease) = (server.connections, server.lease);
            let tls = Some(Tls { roots, ..Tls::default() }.config());
            let options = postgres::Options { connections, lease, tls, vault, observer, ..options };
            Ok(tokio::task::spawn_blocking(|| postgres::open(options)).await??)
        }
        // Whoever checked the configuration refused it.
        #[cfg(not(feature = "postgres"))]
        JournalEngine::Postgres(_) => Err(StartError::NotBuilt),
    }
}
