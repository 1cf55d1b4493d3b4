//! New deliveries of stored events, and new contents of theirs: all of it in one transaction.

mod content;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use tokio_postgres::{Client, Transaction};
use uuid::Uuid;

use self::content::{Stored, add, replace, stored, taken};
use super::family::Family;
use super::fault::Fault;
use super::rows::{ERASED, PENDING, WAITING, get};
use super::text;
use crate::event::EventState;
use crate::journal::again::{Change, Item};
use crate::journal::seal::Vault;
use crate::journal::{OrderKey, Plan, Redelivered, Replay, Replayed};

/// A replay of some events, inside its transaction.
struct Again<'a> {
    transaction: &'a Transaction<'a>,
    plan: &'a dyn Plan,
    run: i64,
    now: Timestamp,
    /// Whether the routes chose where they go.
    planned: bool,
    destinations: HashMap<Arc<str>, i32>,
    /// Requests that a destination has got of this replay, for those that get them once; copies count as what they are of.
    went: HashSet<(i64, Arc<str>)>,
    done: Redelivered,
}

/// Plans them as new ones are, and makes what deliveries there are not yet. Events that it adds get ids of the host.
pub(super) async fn redeliver(
    client: &mut Client,
    replay: Replay,
    plan: &dyn Plan,
    vault: Option<&Vault>,
    now: Timestamp,
    new_id: &(dyn Fn() -> Uuid + Sync),
) -> Result<Redelivered, Fault> {
    let Replay { run, events, to, dry } = replay;
    let item = |mut replayed: Replayed| {
        text::clean(&mut replayed.event);
        Item::new(replayed, &to, plan, vault)
    };
    let items: Vec<Item> = events.into_iter().map(item).collect();
    let transaction = client.transaction().await?;
    let mut again = Again {
        transaction: &transaction,
        plan,
        run: run.as_microsecond(),
        now,
        planned: to.is_empty(),
        destinations: HashMap::new(),
        went: HashSet::new(),
        done: Redelivered::default(),
    };
    again.all(items, new_id).await?;
    let done = again.done;
    if dry {
        transaction.rollback().await?;
    } else {
        transaction.commit().await?;
    }
    Ok(done)
}

impl Again<'_> {
    async fn all(&mut self, items: Vec<Item>, new_id: &(dyn Fn() -> Uuid + Sync)) -> Result<(), Fault> {
        let mut found = Vec::with_capacity(items.len());
        for Item { mut event, change } in items {
            let Some(stored) = stored(self.transaction, event.event.id).await? else { continue };
            // It may have been erased since it was read: what is gone is not written again.
            if stored.state == ERASED || (stored.blank && change != Change::None) {
                self.done.erased += 1;
                continue;
            }
            event.sum = stored.sum.filter(|_| event.seal.is_none()).map(|request| event.sum(request));
            found.push((event, change, stored));
        }
        self.lock(found.iter().flat_map(|(event, ..)| &event.to)).await?;
        let added = found.iter().filter(|(_, change, _)| *change == Change::Added);
        let mut new = taken(self.transaction, added.map(|(event, ..)| event), self.now).await?;
        for (event, change, mut stored) in found {
            match change {
                Change::None => {
                    if self.planned && event.event.state == EventState::Routed {
                        let routed =
                            "UPDATE events SET state = 0 WHERE request = $1 AND place = $2 AND day = $3 AND state = 1";
                        self.transaction.execute(routed, &[&stored.request, &stored.place, &stored.day]).await?;
                    }
                }
                Change::Replaced => replace(self.transaction, &event, &stored).await?,
                Change::Added if new.remove(&event.key.hash) => {
                    stored = add(self.transaction, &event, stored, new_id()).await?;
                    self.done.added += 1;
                }
                Change::Added => continue,
            }
            if event.event.state == EventState::Undecoded {
                self.done.undecoded += 1;
                continue;
            }
            self.done.unrouted += u64::from(event.to.is_empty());
            let before = self.done.deliveries;
            for to in event.to {
                self.deliver(&stored, change, to).await?;
            }
            self.done.events += u64::from(self.done.deliveries > before);
        }
        Ok(())
    }

    /// Learns the destinations' numbers, and takes the locks of the keys in their order.
    async fn lock(&mut self, to: impl Iterator<Item = &(Arc<str>, Option<OrderKey>)>) -> Result<(), Fault> {
        let (mut destinations, mut keys) = (Vec::new(), Vec::new());
        let all: Vec<_> = to.collect();
        let mut names: Vec<&Arc<str>> = all.iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let put = "INSERT INTO destinations (name) VALUES ($1) ON CONFLICT DO NOTHING";
            self.transaction.execute(put, &[&&**name]).await?;
            let find = "SELECT id FROM destinations WHERE name = $1";
            let number = get(&self.transaction.query_one(find, &[&&**name]).await?, "id")?;
            self.destinations.insert(name.clone(), number);
        }
        for (name, key) in all {
            if let (Some(number), Some(key)) = (self.destinations.get(name), key) {
                destinations.push(*number);
                keys.push(Uuid::from_bytes(*key));
            }
        }
        let lock = "SELECT pg_advisory_xact_lock(k.lock) FROM (SELECT DISTINCT uuid_hash_extended(key, destination) AS lock \
             FROM unnest($1::int[], $2::uuid[]) AS t (destination, key) ORDER BY 1) k";
        self.transaction.query(lock, &[&destinations, &keys]).await?;
        Ok(())
    }

    /// A delivery, unless this replay made it, or one that is open does as well.
    async fn deliver(
        &mut self,
        stored: &Stored,
        change: Change,
        (destination, order): (Arc<str>, Option<OrderKey>),
    ) -> Result<(), Fault> {
        let Some(to) = self.destinations.get(&destination).copied() else { return Ok(()) };
        let once = self.plan.once_per_request(&destination);
        if once && stored.blank {
            self.done.erased += 1;
            return Ok(());
        }
        if once {
            let family = Family::of(self.transaction, stored.request, stored.day).await?;
            let went = self.went.contains(&(stored.root, destination.clone()));
            if went || family.has_got(self.transaction, self.run, to).await? {
                return Ok(());
            }
        }
        let earlier = "SELECT state IN (0, 1, 5) AS open, host IS NOT NULL AS flies, replay IS NOT DISTINCT FROM $5 AS of_this_run \
             FROM every_delivery WHERE request = $1 AND place = $2 AND day = $3 AND destination = $4";
        let found = self
            .transaction
            .query(earlier, &[&stored.request, &stored.place, &stored.day, &to, &Some(self.run)])
            .await?;
        let mut open = false;
        for row in &found {
            if get(row, "of_this_run")? {
                return Ok(());
            }
            // One that is in flight may carry what was stored before.
            open |= get(row, "open")? && !(change == Change::Replaced && get(row, "flies")?);
        }
        if open {
            self.done.open += 1;
            return Ok(());
        }
        if once {
            self.went.insert((stored.root, destination));
        }
        // A long replay's last events have as long as its first ones: a deadline counts from now.
        let put = format!(
            "INSERT INTO queue (id, day, request, place, destination, state, due, attempts, base, since, order_key, replay) \
             SELECT nextval('delivery_numbers'), $1::date, $2::bigint, $3::int, $4::int, CASE WHEN $6::uuid IS NOT NULL AND EXISTS \
             (SELECT 1 FROM queue WHERE destination = $4 AND order_key = $6) THEN {WAITING} ELSE {PENDING} END, 0, 0, 0, $5::bigint, $6, $7::bigint"
        );
        let (since, order) = (self.now.as_microsecond(), order.map(Uuid::from_bytes));
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 7] =
            [&stored.day, &stored.request, &stored.place, &to, &since, &order, &self.run];
        self.transaction.execute(&put, &values).await?;
        self.done.deliveries += 1;
        Ok(())
    }
}
