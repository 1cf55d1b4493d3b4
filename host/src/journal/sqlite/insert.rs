//! The ingest statements, and the one decision of a request: new, known or refused. Inside the writer's transaction.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, Statement, params, params_from_iter};
use uuid::Uuid;

use super::columns::{SAYS, says};
use super::dedup::{self, Keys};
use super::due::{AT_ONCE, Cached, Due, Open, Place};
use super::ids::Ids;
use super::reject::Shelf;
use super::{order, rows};
use crate::event::Build;
use crate::journal::kept::Kept;
use crate::journal::prepare::{Prepared, PreparedEvent};
use crate::journal::{OrderKey, Recorded};
use crate::reason::{Reason, Rejection};

/// What is recorded so much later than it came was released: it could not be delivered before.
const LATE: i64 = 10 * 1_000_000;

/// The inserts of a request, compiled once, and what they number and look up.
pub(super) struct Ingest<'c> {
    pub(super) conn: &'c Connection,
    request: Statement<'c>,
    event: Statement<'c>,
    delivery: Statement<'c>,
    pub(super) ids: Ids,
    pub(super) keys: Keys,
    origins: HashMap<[Arc<str>; 3], i64>,
    /// The build that made the last request of each provider: there is one at a time, and for a moment two.
    plugins: HashMap<Arc<str>, (Arc<Build>, i64)>,
    destinations: HashMap<Arc<str>, i64>,
}

/// New deliveries, for memory, once they are committed.
pub(super) type Planned = Vec<(Arc<str>, Place, Open)>;

impl<'c> Ingest<'c> {
    pub(super) fn new(conn: &'c Connection, ids: Ids, keys: Keys) -> rusqlite::Result<Self> {
        Ok(Self {
            conn,
            request: conn.prepare(
                "INSERT INTO requests (id, received, origin, first_event, events, method, target, peer, nonce, \
                 nonce_until, headers, body, seal, sum, plugin) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )?,
            event: conn.prepare(&format!(
                "INSERT INTO events (id, uuid, request, received, first_delivery, deliveries, {SAYS}) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            ))?,
            delivery: conn.prepare(
                "INSERT INTO deliveries (id, event, destination, state, attempts, base, next, since, order_key, replay) \
                 VALUES (?1, ?2, ?3, ?4, 0, 0, ?5, ?6, ?7, ?8)",
            )?,
            ids,
            keys,
            origins: HashMap::new(),
            plugins: HashMap::new(),
            destinations: HashMap::new(),
        })
    }

    /// Decides a request and writes what follows from the decision.
    pub(super) fn record(
        &mut self,
        prepared: Prepared,
        now: jiff::Timestamp,
        shelf: &mut Shelf,
        due: &Due,
        planned: &mut Planned,
    ) -> rusqlite::Result<Recorded> {
        let instant = now.as_microsecond();
        self.keys.mind_the_clock(instant);
        let mut new = Vec::with_capacity(prepared.events.len());
        let mut seen = HashSet::new();
        for event in &prepared.events {
            let again = prepared.events.len() > 1 && !seen.insert(event.key.hash);
            new.push(!again && !self.keys.known(self.conn, &event.key.hash, instant)?);
        }
        let any_new = new.contains(&true);
        if any_new && let Some(refused) = self.refusal(&prepared, instant)? {
            shelf.put(self.conn, &mut self.ids, Kept::stale(&prepared, refused.clone()))?;
            return Ok(Recorded::Refused(refused));
        }
        if let Some((poll, state)) = &prepared.poll_state {
            let put = "INSERT INTO polls (name, state) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET state = ?2";
            self.conn.prepare_cached(put)?.execute(params![&**poll, &state[..]])?;
        }
        if !any_new {
            let none = prepared.events.is_empty();
            return Ok(if none { Recorded::Accepted(Vec::new()) } else { Recorded::Duplicate });
        }
        Ok(Recorded::Accepted(self.insert(prepared, &new, now, due, planned)?))
    }

    fn refusal(&self, prepared: &Prepared, now: i64) -> rusqlite::Result<Option<Rejection>> {
        if prepared.stale.is_some() {
            return Ok(prepared.stale.clone());
        }
        let Some(nonce) = &prepared.nonce else { return Ok(None) };
        let known = self.keys.known(self.conn, &dedup::nonce_hash(nonce), now)?;
        Ok(known.then(|| Rejection::new(Reason::ReplayedNonce, "the nonce came before, with other events")))
    }

    fn insert(
        &mut self,
        prepared: Prepared,
        new: &[bool],
        now: jiff::Timestamp,
        due: &Due,
        planned: &mut Planned,
    ) -> rusqlite::Result<Vec<Uuid>> {
        let origin = self.origin([prepared.source.clone(), prepared.provider.clone(), prepared.version.clone()])?;
        let plugin = prepared.build.as_ref().map(|build| self.plugin(&prepared.provider, build)).transpose()?;
        let request = &prepared.request;
        let received = request.received.as_microsecond();
        self.ids.request += 1;
        let count = new.iter().filter(|new| **new).count() as i64;
        self.request.execute(params![
            self.ids.request,
            received,
            origin,
            self.ids.event + 1,
            count,
            request.method,
            prepared.stored.target,
            request.peer.map(|peer| peer.to_string()),
            prepared.nonce.as_ref().map(dedup::nonce_hash),
            prepared.nonce.and_then(|nonce| nonce.until).map(jiff::Timestamp::as_microsecond),
            prepared.stored.headers,
            &prepared.stored.body[..],
            prepared.stored.seal,
            prepared.sum,
            plugin,
        ])?;
        if let Some(nonce) = &prepared.nonce {
            self.keys.add(dedup::nonce_hash(nonce), dedup::hold(nonce, received));
        }
        let instant = now.as_microsecond();
        let since = (instant.saturating_sub(received) > LATE).then_some(instant);
        // Whole for each: every cached event pins the whole request.
        let weight = prepared.bytes;
        let mut accepted = Vec::with_capacity(new.len());
        let mut went = HashSet::new();
        for (mut event, _) in prepared.events.into_iter().zip(new).filter(|(_, new)| **new) {
            event.to.retain(|(to, _)| !prepared.once.contains(to) || went.insert(to.clone()));
            self.keys.add(event.key.hash, dedup::hold(&event.key, received));
            let (number, id) = self.ids.next_event(now);
            accepted.push(id);
            let first = self.ids.delivery + 1;
            self.insert_event(&event, event.to.len(), number, id, origin, first)?;
            let PreparedEvent { event, to, .. } = event;
            if to.is_empty() {
                continue;
            }
            let cached = due.cache(crate::event::Event { id, ..event }, request, weight);
            for to in to {
                self.deliver(number, to, (since, None), cached.clone(), planned)?;
            }
        }
        Ok(accepted)
    }

    /// A new delivery of an event, which may have to wait behind others of its key; from when a deadline counts where that is
    /// not its event's arrival, and which replay made it.
    pub(super) fn deliver(
        &mut self,
        event: i64,
        (destination, order): (Arc<str>, Option<OrderKey>),
        (since, replay): (Option<i64>, Option<i64>),
        cached: Option<Arc<Cached>>,
        planned: &mut Planned,
    ) -> rusqlite::Result<()> {
        self.ids.delivery += 1;
        let place = (AT_ONCE, self.ids.delivery);
        let name = self.destination(&destination)?;
        let waits = match &order {
            Some(key) => order::waits(self.conn, name, key)?,
            None => false,
        };
        let state = if waits { rows::WAITING } else { rows::PENDING };
        self.delivery.execute(params![place.1, event, name, state, place.0, since, order, replay])?;
        if !waits {
            planned.push((destination, place, Open { event, attempts: 0, base: 0, since, order, cached }));
        }
        Ok(())
    }

    /// With so many deliveries that lie side by side from the first on.
    pub(super) fn insert_event(
        &mut self,
        prepared: &PreparedEvent,
        deliveries: usize,
        number: i64,
        id: Uuid,
        origin: i64,
        first_delivery: i64,
    ) -> rusqlite::Result<usize> {
        let place = [
            ValueRef::Integer(number),
            ValueRef::Blob(id.as_bytes()),
            ValueRef::Integer(self.ids.request),
            ValueRef::Integer(prepared.event.received.as_microsecond()),
            ValueRef::Integer(first_delivery),
            ValueRef::Integer(deliveries as i64),
        ];
        let values = place.map(ToSqlOutput::Borrowed).into_iter().chain(says(prepared, origin));
        self.event.execute(params_from_iter(values))
    }

    /// After a failed commit: names that it added are not there.
    pub(super) fn roll_back(&mut self, ids: Ids) {
        self.ids = ids;
        self.keys.roll_back();
        self.origins.clear();
        self.plugins.clear();
        self.destinations.clear();
    }

    /// Source, provider and version.
    pub(super) fn origin(&mut self, key: [Arc<str>; 3]) -> rusqlite::Result<i64> {
        if let Some(id) = self.origins.get(&key) {
            return Ok(*id);
        }
        let [source, provider, version] = key.each_ref().map(|part| &**part);
        let find = "SELECT id FROM origins WHERE source = ? AND provider = ? AND version = ?";
        let found = self.conn.query_row(find, [source, provider, version], |row| row.get(0)).optional()?;
        let id = match found {
            Some(id) => id,
            None => {
                let insert = "INSERT INTO origins (source, provider, version) VALUES (?, ?, ?)";
                self.conn.execute(insert, [source, provider, version])?;
                self.conn.last_insert_rowid()
            }
        };
        self.origins.insert(key, id);
        Ok(id)
    }

    /// A build of a provider's plugin.
    fn plugin(&mut self, provider: &Arc<str>, build: &Arc<Build>) -> rusqlite::Result<i64> {
        if let Some((known, id)) = self.plugins.get(provider)
            && known == build
        {
            return Ok(*id);
        }
        let put =
            "INSERT INTO plugins (provider, version, sha256, generation) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING";
        let find = "SELECT id FROM plugins WHERE provider = ? AND version = ? AND sha256 = ? AND generation = ?";
        let values = params![&**provider, &*build.version, &*build.sha256, build.generation];
        self.conn.prepare_cached(put)?.execute(values)?;
        let id = self.conn.prepare_cached(find)?.query_row(values, |row| row.get(0))?;
        self.plugins.insert(provider.clone(), (build.clone(), id));
        Ok(id)
    }

    pub(super) fn destination(&mut self, name: &Arc<str>) -> rusqlite::Result<i64> {
        if let Some(id) = self.destinations.get(name) {
            return Ok(*id);
        }
        self.conn.execute("INSERT INTO destinations (name) VALUES (?) ON CONFLICT DO NOTHING", [&**name])?;
        let find = "SELECT id FROM destinations WHERE name = ?";
        let id = self.conn.query_row(find, [&**name], |row| row.get(0))?;
        self.destinations.insert(name.clone(), id);
        Ok(id)
    }
}
