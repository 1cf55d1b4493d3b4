//! A request and its copies: where the same bytes lie, and all the events that lean on them.
//!
//! A replay that adds an event copies its request, because an event is of one request for good. What is erased of one is
//! erased of all.

use jiff::civil::Date;
use tokio_postgres::{GenericClient, Transaction};

use super::fault::Fault;
use super::rows::{self, ERASED, get};
use crate::event::{Data, Event};
use crate::journal::seal::Vault;
use crate::journal::{prepare, sum};

/// The requests of a family.
pub(super) struct Family(Vec<Member>);

/// One of them.
struct Member {
    request: i64,
    day: Date,
    /// Its bytes are gone, and its events are written whole.
    blank: bool,
}

impl Family {
    /// Until the transaction ends nobody else erases it, makes a delivery of it or deletes it.
    pub(super) async fn lock(transaction: &Transaction<'_>, request: i64, day: Date) -> Result<(), Fault> {
        let alone = "SELECT FROM requests WHERE id IN ($1, (SELECT copy_of FROM requests WHERE id = $1 AND day = $2)) \
             ORDER BY id FOR UPDATE";
        transaction.query(alone, &[&request, &day]).await?;
        Ok(())
    }

    /// Until the transaction ends nobody tries what has ended of these requests again.
    pub(super) async fn lock_ended(transaction: &Transaction<'_>, requests: &[i64]) -> Result<(), Fault> {
        let ended = "SELECT FROM deliveries WHERE request = ANY ($1) ORDER BY id FOR UPDATE";
        transaction.query(ended, &[&requests]).await?;
        Ok(())
    }

    /// That of a request.
    pub(super) async fn of(client: &impl GenericClient, request: i64, day: Date) -> Result<Self, Fault> {
        // The first one may have gone with its age, and its copies know it still.
        let find = "WITH root (id) AS (SELECT coalesce(copy_of, id) FROM requests WHERE id = $1 AND day = $2) \
             SELECT id, day, erased FROM requests WHERE id = (SELECT id FROM root) UNION ALL \
             SELECT id, day, erased FROM requests WHERE copy_of IS NOT NULL AND copy_of = (SELECT id FROM root)";
        let member =
            |row: &_| Ok(Member { request: get(row, "id")?, day: get(row, "day")?, blank: get(row, "erased")? });
        client.query(find, &[&request, &day]).await?.iter().map(member).collect::<Result<_, Fault>>().map(Self)
    }

    pub(super) fn numbers(&self) -> Vec<i64> {
        self.0.iter().map(|member| member.request).collect()
    }

    /// Whether a delivery still needs the request's bytes, or an event's data, or is still on its way.
    pub(super) async fn has_open(&self, client: &impl GenericClient) -> Result<bool, Fault> {
        let open = "SELECT EXISTS (SELECT 1 FROM queue WHERE request = ANY ($1)) AS open";
        get(&client.query_one(open, &[&self.numbers()]).await?, "open")
    }

    /// Whether a destination got one of its events by this replay.
    pub(super) async fn has_got(&self, client: &impl GenericClient, replay: i64, to: i32) -> Result<bool, Fault> {
        let got = "SELECT EXISTS (SELECT 1 FROM every_delivery WHERE request = ANY ($1) AND replay = $2 AND destination = $3) AS got";
        get(&client.query_one(got, &[&self.numbers(), &replay, &to]).await?, "got")
    }

    /// Erases the requests' bytes, where they are not gone yet. Their events but this one are written whole before: they
    /// share the bytes.
    pub(super) async fn erase(
        &mut self,
        client: &impl GenericClient,
        but: (i64, i32),
        vault: Option<&Vault>,
    ) -> Result<(), Fault> {
        for member in self.0.iter_mut().filter(|member| !member.blank) {
            member.set_apart(client, but, vault).await?;
            let wipe = "UPDATE requests SET seal = NULL, sum = NULL, target = '', headers = '', body = '', erased = true \
                 WHERE id = $1 AND day = $2";
            client.execute(wipe, &[&member.request, &member.day]).await?;
            member.blank = true;
        }
        Ok(())
    }
}

impl Member {
    /// Writes its events whole, but one, which goes with the request; their sums lean on nothing but themselves then.
    async fn set_apart(
        &self,
        client: &impl GenericClient,
        (request, place): (i64, i32),
        vault: Option<&Vault>,
    ) -> Result<(), Fault> {
        // What has a key of its own leans on nothing.
        let others = format!(
            "SELECT {} FROM events e {} WHERE e.request = $1 AND e.day = $2 AND e.seal IS NULL AND e.state <> {ERASED}",
            rows::EVENT,
            rows::EVENT_JOINS
        );
        for row in &client.query(&others, &[&self.request, &self.day]).await? {
            let number: i32 = get(row, "place")?;
            if (self.request, number) == (request, place) {
                continue;
            }
            match rows::event(row, vault) {
                Ok((event, _)) => self.write(client, number, &event, vault).await?,
                // What is damaged stays as it is, and goes on saying so.
                Err(fault) if fault.is_damage() => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    }

    async fn write(
        &self,
        client: &impl GenericClient,
        place: i32,
        event: &Event,
        vault: Option<&Vault>,
    ) -> Result<(), Fault> {
        let data = match &event.data {
            Data::Json(data) | Data::Bytes(data, _) => Some(data),
            Data::None => None,
        };
        let sum = sum::Event {
            request: 0,
            kind: &event.kind,
            subject: event.subject.as_deref(),
            provider_id: event.provider_id.as_deref(),
            time: event.time.map(jiff::Timestamp::as_microsecond),
            form: prepare::form(&event.data),
            content: prepare::content(&event.data),
            head: 0,
            tail: 0,
            data: data.map(|data| &data[..]).unwrap_or_default(),
        };
        let key = vault.filter(|_| data.is_some()).map(Vault::data_key);
        let sealed = key.as_ref().zip(data).map(|(key, data)| key.seal(data));
        let kept = sealed.as_deref().or(data.map(|data| &data[..]));
        let sum = key.is_none().then(|| sum.sum());
        let whole = "UPDATE events SET head = 0, tail = 0, data = $1, seal = $2, sum = $3 \
             WHERE request = $4 AND place = $5 AND day = $6";
        let seal = key.map(|key| key.wrapped);
        client.execute(whole, &[&kept, &seal, &sum, &self.request, &place, &self.day]).await?;
        Ok(())
    }
}
