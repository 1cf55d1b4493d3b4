//! A group of requests as the arrays of its one statement, and what comes of each. The decision itself is in `record.sql`.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::fault::Fault;
use super::ids::Instant;
use super::names::Names;
use super::queue::Waiting;
use super::{partitions, rows, text};
use crate::event::DedupKey;
use crate::journal::prepare::{self, Prepared, PreparedEvent, Target};
use crate::journal::{OrderKey, Recorded};
use crate::reason::{Reason, Rejection};

/// What is recorded so much later than it came was released: it could not be delivered before.
const LATE: i64 = 10 * 1_000_000;

const RECORD: &str = "SELECT fresh, replayed, known FROM record($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, \
    $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40)";

/// What came of a group.
pub(super) struct Decided {
    /// In the order of the group.
    pub(super) recorded: Vec<Recorded>,
    /// Destinations that have something due.
    pub(super) due: Vec<Arc<str>>,
}

/// A group's arrays; what is not read from the requests themselves is owned.
#[derive(Default)]
struct Arrays<'g> {
    requests: Vec<&'g Prepared>,
    origins: Vec<i32>,
    builds: Vec<Option<i32>>,
    since: Vec<Option<i64>>,
    /// Each with the number of its request, from 1.
    events: Vec<(i32, &'g PreparedEvent, Uuid)>,
    deliveries: Vec<Delivery>,
    polls: Vec<(i32, &'g str, &'g [u8])>,
    stale: Vec<Uuid>,
    destinations: Vec<Arc<str>>,
}

struct Delivery {
    event: i32,
    destination: i32,
    key: Option<OrderKey>,
    once: bool,
}

/// A nonce and an event's key may be the same text, so nonces live in the other half of the space.
pub(super) fn nonce_hash(key: &DedupKey) -> [u8; 16] {
    key.hash.map(|byte| !byte)
}

/// Decides and writes a group in one round trip; a name that is new in the journal takes one of its own before.
pub(super) async fn record(
    client: &deadpool_postgres::Client,
    names: &Names,
    group: &[Waiting],
    instant: Instant,
    now: Timestamp,
) -> Result<Decided, Fault> {
    let arrays = Arrays::of(client, names, group, instant, now).await?;
    if arrays.requests.is_empty() && arrays.stale.is_empty() {
        return Ok(Decided { recorded: Vec::new(), due: Vec::new() });
    }
    let row = arrays.run(client, instant, now).await?;
    let (fresh, replayed): (Vec<i32>, Vec<i32>) = (row.try_get(0)?, row.try_get(1)?);
    let known: HashSet<Uuid> = row.try_get::<_, Vec<Uuid>>(2)?.into_iter().collect();
    Ok(arrays.decided(group, &fresh, &replayed, &known))
}

impl<'g> Arrays<'g> {
    async fn of(
        client: &deadpool_postgres::Client,
        names: &Names,
        group: &'g [Waiting],
        instant: Instant,
        now: Timestamp,
    ) -> Result<Self, Fault> {
        let mut arrays = Self::default();
        let instant_now = now.as_microsecond();
        for Waiting { prepared, .. } in group {
            if prepared.stale.is_some() {
                arrays.stale.extend(prepared.events.iter().map(|event| Uuid::from_bytes(event.key.hash)));
                continue;
            }
            arrays.requests.push(prepared);
            let request = number(arrays.requests.len());
            let origin = [prepared.source.clone(), prepared.provider.clone(), prepared.version.clone()];
            arrays.origins.push(names.origin(client, &origin).await?);
            let build = match &prepared.build {
                Some(build) => Some(names.build(client, &prepared.provider, build).await?),
                None => None,
            };
            arrays.builds.push(build);
            let received = prepared.request.received.as_microsecond();
            arrays.since.push((instant_now.saturating_sub(received) > LATE).then_some(instant_now));
            arrays.polls.extend(prepared.poll_state.as_ref().map(|(name, state)| (request, &**name, &state[..])));
            let mut seen = HashSet::new();
            // Of two with the same key in one request the second is a repeat.
            for event in prepared.events.iter().filter(|event| seen.insert(event.key.hash)) {
                arrays.events.push((request, event, instant.id(arrays.events.len())));
                for (to, key) in &event.to {
                    let destination = names.destination(client, to).await?;
                    let (event, once) = (number(arrays.events.len()), prepared.once.contains(to));
                    arrays.deliveries.push(Delivery { event, destination, key: *key, once });
                    arrays.destinations.push(to.clone());
                }
            }
        }
        Ok(arrays)
    }

    async fn run(
        &self,
        client: &deadpool_postgres::Client,
        instant: Instant,
        now: Timestamp,
    ) -> Result<tokio_postgres::Row, Fault> {
        let (requests, events, deliveries) = (&self.requests, &self.events, &self.deliveries);
        macro_rules! of {
            ($rows:ident, $row:pat => $value:expr) => {
                &$rows.iter().map(|$row| $value).collect::<Vec<_>>() as &(dyn ToSql + Sync)
            };
        }
        let polls = &self.polls;
        let statement = client.prepare_cached(RECORD).await?;
        let values: [&(dyn ToSql + Sync); 40] = [
            &now.as_microsecond(),
            &partitions::day_of(instant.id(0)),
            of!(requests, new => new.request.received.as_microsecond()),
            &self.origins,
            &self.builds,
            of!(requests, new => &*new.request.method),
            of!(requests, new => target(&new.stored.target)),
            of!(requests, new => new.request.peer.map(|peer| peer.to_string())),
            of!(requests, new => new.nonce.as_ref().map(|nonce| Uuid::from_bytes(nonce_hash(nonce)))),
            of!(requests, new => new.nonce.and_then(|nonce| nonce.until).map(Timestamp::as_microsecond)),
            of!(requests, new => &new.stored.headers[..]),
            of!(requests, new => &new.stored.body[..]),
            of!(requests, new => new.stored.seal.as_deref()),
            of!(requests, new => new.sum),
            &self.since,
            of!(events, (request, ..) => *request),
            of!(events, (_, _, id) => *id),
            of!(events, (_, new, _) => rows::state_code(new.event.state)),
            of!(events, (_, new, _) => Uuid::from_bytes(new.key.hash)),
            of!(events, (_, new, _) => new.key.until.map(Timestamp::as_microsecond)),
            of!(events, (_, new, _) => text::kept(&new.event.kind)),
            of!(events, (_, new, _) => new.event.subject.as_deref().map(text::kept)),
            of!(events, (_, new, _) => new.event.provider_id.as_deref().map(text::kept)),
            of!(events, (_, new, _) => new.event.time.map(Timestamp::as_microsecond)),
            of!(events, (_, new, _) => new.warnings.as_deref().map(text::kept)),
            of!(events, (_, new, _) => i16::try_from(prepare::form(&new.event.data)).unwrap_or_default()),
            of!(events, (_, new, _) => prepare::content(&new.event.data).map(text::kept)),
            of!(events, (_, new, _) => number(new.data.head)),
            of!(events, (_, new, _) => number(new.data.tail)),
            of!(events, (_, new, _) => (!new.data.own.is_empty()).then_some(&new.data.own[..])),
            of!(events, (_, new, _) => new.seal.as_deref()),
            of!(events, (_, new, _) => new.sum),
            of!(deliveries, to => to.event),
            of!(deliveries, to => to.destination),
            of!(deliveries, to => to.key.map(Uuid::from_bytes)),
            of!(deliveries, to => to.once),
            of!(polls, (request, ..) => *request),
            of!(polls, (_, name, _) => *name),
            of!(polls, (_, _, state) => *state),
            &self.stale,
        ];
        Ok(client.query_one(&statement, &values).await?)
    }

    fn decided(&self, group: &[Waiting], fresh: &[i32], replayed: &[i32], known: &HashSet<Uuid>) -> Decided {
        let mut accepted = vec![Vec::new(); self.requests.len()];
        let fresh: HashSet<i32> = fresh.iter().copied().collect();
        for (event, (request, _, id)) in (1..).zip(&self.events) {
            if fresh.contains(&event) {
                accepted[index(*request)].push(*id);
            }
        }
        let mut accepted = accepted.into_iter().zip(1..);
        let recorded = group.iter().map(|Waiting { prepared, .. }| {
            if let Some(stale) = &prepared.stale {
                let repeat = prepared.events.iter().all(|event| known.contains(&Uuid::from_bytes(event.key.hash)));
                return if repeat { Recorded::Duplicate } else { Recorded::Refused(stale.clone()) };
            }
            match accepted.next() {
                Some((_, request)) if replayed.contains(&request) => {
                    let why = "the nonce came before, with other events";
                    Recorded::Refused(Rejection::new(Reason::ReplayedNonce, why))
                }
                Some((ids, _)) if !ids.is_empty() || prepared.events.is_empty() => Recorded::Accepted(ids),
                _ => Recorded::Duplicate,
            }
        });
        let recorded = recorded.collect();
        let wanted = self.deliveries.iter().zip(&self.destinations).filter(|(to, _)| fresh.contains(&to.event));
        let mut due: Vec<Arc<str>> = wanted.map(|(_, name)| name.clone()).collect();
        due.sort_unstable();
        due.dedup();
        Decided { recorded, due }
    }
}

fn target(target: &Target) -> &[u8] {
    match target {
        Target::Plain(text) => text.as_bytes(),
        Target::Sealed(bytes) => bytes,
    }
}

/// Lengths and counts of one group, which are far smaller.
fn number(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

fn index(number: i32) -> usize {
    usize::try_from(number - 1).unwrap_or(0)
}
