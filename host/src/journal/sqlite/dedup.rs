//! Which keys are known. Young keys are in memory exactly; older ones lie in sorted runs in the file, each behind a filter.
//!
//! A new key is looked up in every run, and all but a few of those look-ups end in a filter. What makes a key known is
//! decided here; when runs are written is `runs`' business.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::runs::{Filter, Frozen, Run};
use crate::event::DedupKey;

pub(super) type Hash = [u8; 16];
pub(super) type Young = HashMap<Hash, Hold>;

/// How long a key holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hold {
    /// When its request came, for those that hold as long as retention.
    pub(super) received: i64,
    pub(super) until: Option<i64>,
}

/// The keys of the journal.
pub(super) struct Keys {
    pub(super) young: Young,
    pub(super) frozen: Option<Frozen>,
    /// Newest last.
    pub(super) runs: Vec<Run>,
    /// Run 0 is not empty.
    pub(super) outliving: bool,
    /// Retention forgot everything received before this.
    pub(super) forgotten: i64,
    /// Added by the group that is not committed yet.
    added: Vec<Hash>,
}

/// A nonce and an event's key may be the same text, so nonces live in the other half of the space.
pub(super) fn nonce_hash(key: &DedupKey) -> Hash {
    key.hash.map(|byte| !byte)
}

impl Keys {
    /// Reads the runs, and the keys that are not in a run yet from the events and requests themselves.
    pub(super) fn load(conn: &Connection, forgotten: i64, filter_bytes: usize) -> rusqlite::Result<Self> {
        let runs = Run::load(conn, filter_bytes)?;
        let (event, request) = runs.last().map_or((0, 0), |run| (run.last_event, run.last_request));
        let outliving = conn.query_row("SELECT EXISTS (SELECT 1 FROM keys WHERE run = 0)", [], |row| row.get(0))?;
        let mut keys = Self { young: Young::new(), frozen: None, runs, outliving, forgotten, added: Vec::new() };
        let read = |row: &Row<'_>| {
            let hold = Hold { received: row.get(1)?, until: row.get(2)? };
            Ok((row.get::<_, Hash>(0)?, hold))
        };
        let mut events = conn.prepare("SELECT key, received, key_until FROM events WHERE id > ? ORDER BY id")?;
        for key in events.query_map([event], read)? {
            let (hash, hold) = key?;
            keys.young.insert(hash, hold);
        }
        let mut nonces = conn.prepare(
            "SELECT nonce, received, nonce_until FROM requests WHERE id > ? AND nonce IS NOT NULL ORDER BY id",
        )?;
        for nonce in nonces.query_map([request], read)? {
            let (hash, hold) = nonce?;
            keys.young.insert(hash, hold);
        }
        Ok(keys)
    }

    /// A pass under a clock that was ahead forgot the future too, and that says nothing about what comes now.
    pub(super) fn mind_the_clock(&mut self, now: i64) {
        if self.forgotten > now {
            self.forgotten = i64::MIN;
        }
    }

    /// Whether a key holds now.
    pub(super) fn known(&self, conn: &Connection, hash: &Hash, now: i64) -> rusqlite::Result<bool> {
        let frozen: Option<&Arc<Young>> = self.frozen.as_ref().map(|frozen| &frozen.keys);
        for young in [Some(&self.young), frozen.map(|keys| &**keys)].into_iter().flatten() {
            if young.get(hash).is_some_and(|hold| self.holds(hold, now)) {
                return Ok(true);
            }
        }
        for run in self.runs.iter().rev() {
            if run.filter.as_ref().is_none_or(|filter| filter.may_hold(hash)) && self.in_run(conn, run.id, hash, now)? {
                return Ok(true);
            }
        }
        Ok(self.outliving && self.in_run(conn, 0, hash, now)?)
    }

    /// Remembers a key; forgotten again if the group does not commit.
    pub(super) fn add(&mut self, hash: Hash, hold: Hold) {
        self.young.insert(hash, hold);
        self.added.push(hash);
    }

    pub(super) fn commit(&mut self) {
        self.added.clear();
    }

    pub(super) fn roll_back(&mut self) {
        for hash in self.added.drain(..) {
            self.young.remove(&hash);
        }
    }

    fn in_run(&self, conn: &Connection, run: i64, hash: &Hash, now: i64) -> rusqlite::Result<bool> {
        let mut find = conn.prepare_cached("SELECT received, until FROM keys WHERE run = ? AND hash = ?")?;
        let hold = find.query_row(params![run, hash], |row| Ok(Hold { received: row.get(0)?, until: row.get(1)? }));
        Ok(hold.optional()?.is_some_and(|hold| self.holds(&hold, now)))
    }

    fn holds(&self, hold: &Hold, now: i64) -> bool {
        hold.until.map_or(hold.received >= self.forgotten, |until| until > now)
    }
}

/// A key's hold as it is kept.
pub(super) fn hold(key: &DedupKey, received: i64) -> Hold {
    Hold { received, until: key.until.map(Timestamp::as_microsecond) }
}

/// What a run must know of its keys before it may go.
pub(super) fn span(keys: &Young) -> (i64, i64) {
    let received = keys.values().filter(|hold| hold.until.is_none()).map(|hold| hold.received).max();
    let until = keys.values().filter_map(|hold| hold.until).max();
    (received.unwrap_or(i64::MIN), until.unwrap_or(i64::MIN))
}

/// The filter over a set of keys.
pub(super) fn filter(keys: &Young) -> Filter {
    let mut filter = Filter::for_keys(keys.len());
    keys.keys().for_each(|hash| filter.add(hash));
    filter
}
