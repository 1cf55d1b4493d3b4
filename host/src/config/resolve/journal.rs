//! `[journal]`: what every engine has, and what only one has, which is refused where it is not chosen.

use std::time::Duration;

use secrecy::ExposeSecret;

use super::Check;
use crate::config::resolved::{Journal, JournalEngine, PostgresJournal};
use crate::config::written;

/// The embedded journal's log alone takes some MiB under load.
const LEAST: usize = 64 << 20;
/// Of the schema, where none is named.
const SCHEMA: &str = "hookport";
/// PostgreSQL cuts longer names off.
const LONGEST_NAME: usize = 63;
const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];
const CONNECTIONS: usize = 12;
const LEAST_CONNECTIONS: usize = 3;
const LEASE: Duration = Duration::from_secs(15);
/// A host says three times in a lease that it lives, and a server may be busy for a second.
const LEASES: std::ops::RangeInclusive<Duration> = Duration::from_secs(5)..=Duration::from_secs(600);

impl Check<'_> {
    pub(super) fn journal(&mut self) -> Journal {
        let written = &self.draft.written.journal;
        if written.path.as_os_str().is_empty() {
            self.complain(&["journal", "path"], "is empty: name a folder, such as \"data\"");
        } else if written.path.exists() && !written.path.is_dir() {
            self.complain(&["journal", "path"], format!("{} is a file: name a folder", written.path.display()));
        }
        if written.retention.0.is_zero() {
            self.complain(&["journal", "retention"], "must be more than nothing, such as \"30d\"");
        }
        if written.max_size.is_some_and(|size| size.0 < LEAST) {
            self.complain(&["journal", "max_size"], "is too little to work in: give it \"64MiB\" or more");
        }
        let max_size = written.max_size.map(|size| size.0 as u64);
        let keys = self.keys(&["journal", "key"], &written.key);
        let engine = match written.engine {
            written::JournalEngine::Sqlite => self.sqlite(written),
            written::JournalEngine::Postgres => self.postgres(written).unwrap_or(JournalEngine::Sqlite),
        };
        Journal { engine, path: written.path.clone(), retention: written.retention.0, max_size, keys }
    }

    fn sqlite(&mut self, written: &written::Journal) -> JournalEngine {
        let others = [
            ("url", written.url.is_some()),
            ("schema", written.schema.is_some()),
            ("connections", written.connections.is_some()),
            ("lease", written.lease.is_some()),
            ("ca", written.ca.is_some()),
        ];
        for (key, _) in others.into_iter().filter(|(_, is_there)| *is_there) {
            let message = "belongs to engine = \"postgres\": remove it, or choose that engine";
            self.complain(&["journal", key], message);
        }
        JournalEngine::Sqlite
    }

    /// Nothing where it cannot be used, and that was said.
    fn postgres(&mut self, written: &written::Journal) -> Option<JournalEngine> {
        if !cfg!(feature = "postgres") {
            let message =
                "\"postgres\" is not in this build: build hookport with the feature postgres, which is on by default";
            self.complain(&["journal", "engine"], message);
            return None;
        }
        let schema = written.schema.clone().unwrap_or_else(|| SCHEMA.to_owned());
        if !super::is_name(&schema) || schema.len() > LONGEST_NAME || schema.starts_with("pg_") {
            let message = format!("{}, up to {LONGEST_NAME} of them, and does not begin with pg_", super::NAME_RULE);
            self.complain(&["journal", "schema"], message);
        }
        let connections = written.connections.unwrap_or(CONNECTIONS);
        if connections < LEAST_CONNECTIONS {
            let message = format!("is too few to write and read at the same time: give it {LEAST_CONNECTIONS} or more");
            self.complain(&["journal", "connections"], message);
        }
        let lease = written.lease.map_or(LEASE, |lease| lease.0);
        if !LEASES.contains(&lease) {
            self.complain(&["journal", "lease"], "must be from \"5s\" to \"10m\"");
        }
        if let Some(ca) = &written.ca {
            self.mark(&["journal", "ca"], ca);
        }
        let Some(url) = &written.url else {
            let message = "is missing: with engine = \"postgres\" it says where the server is, such as \
                url = { env = \"HOOKPORT_JOURNAL_URL\" } with postgres://user:password@host:5432/database in it";
            self.missing(&["journal", "url"], message);
            return None;
        };
        let url = self.secret(&["journal", "url"], url)?;
        // What else may be wrong with it is said when the journal is opened.
        if !SCHEMES.iter().any(|scheme| url.expose_secret().trim().starts_with(scheme)) {
            let message = "is not a URL of PostgreSQL: it is like postgres://user:password@host:5432/database";
            self.complain(&["journal", "url"], message);
        }
        let ca = written.ca.clone();
        Some(JournalEngine::Postgres(PostgresJournal { url, schema, connections, lease, ca }))
    }
}
