//! What an operator does to deliveries that are there: due again, or given up. In steps, each a transaction of its own, so that
//! nobody's ack waits for many. What it means for others of the same key is said in `order.sql`.

use tokio_postgres::{Client, GenericClient};

use super::deliveries;
use super::fault::Fault;
use super::filter::{Where, parameters};
use super::numbers::{self, Sequence};
use super::rows::{WAITING, get};
use crate::journal::{DeliveryFilter, DeliveryState, Plan};

/// Deliveries changed in one step.
const STEP: usize = 256;

/// What one kind of deliveries is changed by, a step at a time from the lowest number on.
struct Walk<'f> {
    filter: &'f DeliveryFilter,
    after: i64,
    /// What is recorded meanwhile is not meant.
    until: i64,
    done: u64,
}

/// A piece of the way: what was found, and whether there may be more.
struct Piece {
    numbers: Vec<i64>,
    more: bool,
}

impl Walk<'_> {
    /// How many more may be changed.
    fn room(&self) -> usize {
        match self.filter.limit {
            0 => STEP,
            limit => limit.saturating_sub(usize::try_from(self.done).unwrap_or(usize::MAX)).min(STEP),
        }
    }

    /// The next ones; those that nothing can be sent of any more are passed over.
    async fn piece(
        &mut self,
        client: &impl GenericClient,
        mut wanted: Where,
        plan: Option<&dyn Plan>,
    ) -> Result<Piece, Fault> {
        let room = self.room();
        if room == 0 {
            return Ok(Piece { numbers: Vec::new(), more: false });
        }
        wanted.condition("d.id > ?", Some(self.after));
        wanted.condition("d.id <= ?", Some(self.until));
        let (from, values) = deliveries::listed(self.filter, wanted, "d.id", room);
        let erased = "(SELECT r.erased FROM requests r WHERE r.id = d.request AND r.day = d.day) AS blank";
        let sql = format!("SELECT d.id, n.name, {erased} FROM {from}");
        let found = client.query(&sql, &parameters(&values)).await?;
        let mut numbers = Vec::with_capacity(found.len());
        for row in &found {
            self.after = get(row, "id")?;
            // For who gets requests, of what was erased with another event of its own nothing is left.
            let blank = get::<Option<bool>>(row, "blank")? == Some(true);
            if !(blank && plan.is_some_and(|plan| row.try_get("name").is_ok_and(|name| plan.once_per_request(name)))) {
                numbers.push(self.after);
            }
        }
        Ok(Piece { numbers, more: found.len() == room })
    }
}

async fn walk<'f>(client: &Client, filter: &'f DeliveryFilter) -> Result<Walk<'f>, Fault> {
    let until = numbers::settled(client, Sequence::Deliveries).await?;
    Ok(Walk { filter, after: 0, until, done: 0 })
}

/// Makes exhausted or cancelled deliveries due again at once, and hurries those that are retrying when the filter asks for
/// these; says how many.
pub(super) async fn retry(
    client: &mut Client,
    filter: &DeliveryFilter,
    plan: &dyn Plan,
    now: i64,
) -> Result<u64, Fault> {
    let hurries = filter.state == Some(DeliveryState::Retrying);
    let mut walk = walk(client, filter).await?;
    loop {
        let mut wanted = deliveries::retriable(filter);
        if hurries {
            wanted.always("d.due > 0");
        }
        let plan = (!hurries).then_some(plan);
        let Piece { numbers, more } = walk.piece(&*client, wanted, plan).await?;
        let transaction = client.transaction().await?;
        walk.done += if hurries {
            // They need not wait for their time; how often they were tried stays.
            let hurry = "UPDATE queue SET due = 0 WHERE id = ANY ($1) AND state = 1 AND host IS NULL";
            transaction.execute(hurry, &[&numbers]).await?
        } else {
            let again = "SELECT number FROM try_again($1, $2)";
            transaction.query(again, &[&numbers, &now]).await?.len() as u64
        };
        transaction.commit().await?;
        if !more {
            return Ok(walk.done);
        }
    }
}

/// Gives up deliveries that have not ended, and those that hold their key; says how many. One that is in flight ends with
/// this try.
pub(super) async fn cancel(client: &mut Client, filter: &DeliveryFilter, now: i64) -> Result<u64, Fault> {
    let mut done = 0;
    // What waits goes before what is open, so that nothing that is to go is handed a key.
    for states in
        [format!("d.state > 2 AND d.state = {WAITING}"), "d.state > 2 AND d.state = 6".into(), "d.state < 2".into()]
    {
        let mut walk = Walk { done, ..walk(client, filter).await? };
        loop {
            let mut wanted = deliveries::which(filter);
            wanted.always(states.clone());
            match filter.state {
                // Of those that have ended only one that holds its key has something to give up.
                None | Some(DeliveryState::Exhausted) => {}
                Some(state) => wanted.always(deliveries::in_state(state)),
            }
            if filter.state == Some(DeliveryState::Exhausted) {
                wanted.always("d.state = 6");
            }
            let Piece { numbers, more } = walk.piece(&*client, wanted, None).await?;
            let transaction = client.transaction().await?;
            let give_up = "SELECT number FROM give_up($1, 'cancelled by an operator', $2)";
            walk.done += transaction.query(give_up, &[&numbers, &now]).await?.len() as u64;
            transaction.commit().await?;
            if !more {
                break;
            }
        }
        done = walk.done;
    }
    Ok(done)
}
