//! What a check asks of each row: whether it fits to its neighbours and says what was recorded, opened where a key is there.

use rusqlite::Row;
use uuid::Uuid;

use crate::journal::seal::{Unopened, Vault};
use crate::journal::sqlite::{ids, rows, sum};

/// What a row is found to be.
pub(super) enum Verdict {
    /// As it was written.
    Good,
    /// Fit, as far as can be told of what nobody opened.
    Sealed,
    /// Something else than was written.
    Bad(String),
}

/// A table and how its rows are judged. The first two parameters bound the rows' numbers.
pub(super) struct Judged {
    pub(super) table: &'static str,
    pub(super) select: &'static str,
    /// Where the last number is remembered that was given.
    pub(super) last: &'static str,
    pub(super) judge: fn(&Row<'_>, Option<&Vault>) -> rusqlite::Result<Verdict>,
}

pub(super) const ALL: [Judged; 5] = [
    Judged {
        table: "requests",
        select: "SELECT id, received, method, target, headers, body, sum, seal FROM requests WHERE id > ? AND id <= ? \
             ORDER BY id",
        last: "last_request",
        judge: request,
    },
    Judged {
        table: "events",
        select: "SELECT e.id, e.uuid, r.id, r.sum, e.sum, e.kind, e.subject, e.provider_id, e.time, e.form, \
             e.content, e.head, e.tail, e.data, coalesce(e.seal, r.seal), length(r.body), e.deliveries, \
             (SELECT count(*) FROM deliveries d WHERE d.id >= e.first_delivery AND d.id < e.first_delivery + e.deliveries), \
             o.id FROM events e LEFT JOIN requests r ON r.id = e.request LEFT JOIN origins o ON o.id = e.origin \
             WHERE e.id > ? AND e.id <= ? ORDER BY e.id",
        last: "last_event",
        judge: event,
    },
    Judged {
        table: "deliveries",
        select: "SELECT d.id, e.id, n.id, d.state FROM deliveries d LEFT JOIN events e ON e.id = d.event \
             LEFT JOIN destinations n ON n.id = d.destination WHERE d.id > ? AND d.id <= ? ORDER BY d.id",
        last: "last_delivery",
        judge: delivery,
    },
    Judged {
        table: "rejections",
        select: "SELECT id, reason, received, target, headers, body, seal FROM rejections WHERE id > ? AND id <= ? ORDER BY id",
        last: "",
        judge: rejection,
    },
    Judged {
        table: "captures",
        select: "SELECT id, value FROM captures WHERE id > ? AND id <= ? ORDER BY id",
        last: "",
        judge: capture,
    },
];

fn changed() -> Verdict {
    Verdict::Bad("the bytes are not those that were recorded".into())
}

fn bad(what: &str) -> rusqlite::Result<Verdict> {
    Ok(Verdict::Bad(what.into()))
}

/// Whether all of these open: what is sealed does not where a byte of it changed.
fn opened(row: &Row<'_>, seal: &[u8], columns: &[usize], vault: Option<&Vault>) -> rusqlite::Result<Verdict> {
    let Some(vault) = vault else { return Ok(Verdict::Sealed) };
    for column in columns {
        if let Err(unopened) = vault.open(seal, row.get_ref(*column)?.as_bytes()?) {
            return bad(&unopened.to_string());
        }
    }
    Ok(Verdict::Good)
}

fn request(row: &Row<'_>, vault: Option<&Vault>) -> rusqlite::Result<Verdict> {
    if let Some(seal) = row.get_ref(7)?.as_blob_or_null()? {
        return opened(row, seal, &[3, 4, 5], vault);
    }
    let Some(kept) = row.get::<_, Option<i64>>(6)? else { return Ok(Verdict::Good) };
    let (method, target) = (row.get_ref(2)?.as_str()?, row.get_ref(3)?.as_str()?);
    let (headers, body) = (row.get_ref(4)?.as_blob()?, row.get_ref(5)?.as_blob()?);
    let found = sum::Request { received: row.get(1)?, method, target, headers, body }.sum();
    Ok(if found == kept { Verdict::Good } else { changed() })
}

fn event(row: &Row<'_>, vault: Option<&Vault>) -> rusqlite::Result<Verdict> {
    if ids::number(Uuid::from_bytes(row.get(1)?)) != row.get::<_, i64>(0)? {
        return bad("its id is that of another");
    }
    if row.get::<_, Option<i64>>(2)?.is_none() || row.get::<_, Option<i64>>(18)?.is_none() {
        return bad("its request or its origin is not there");
    }
    if row.get::<_, Option<i64>>(4)?.is_some_and(|kept| sum_of(row) != Ok(kept)) {
        return Ok(changed());
    }
    let (planned, there): (i64, i64) = (row.get(16)?, row.get(17)?);
    if planned != there {
        return bad(&format!("{} of its deliveries are not there", planned - there));
    }
    let data = row.get_ref(13)?.as_blob_or_null()?;
    match (row.get_ref(14)?.as_blob_or_null()?, data) {
        (Some(seal), Some(_)) => opened(row, seal, &[13], vault),
        // All of it is its request's.
        (Some(_), None) => Ok(Verdict::Good),
        (None, _) => {
            let (head, tail, length): (i64, i64, i64) = (row.get(11)?, row.get(12)?, row.get(15)?);
            let fits = (0..=length).contains(&head) && (0..=length).contains(&tail);
            if fits { Ok(Verdict::Good) } else { bad("its data does not fit its request") }
        }
    }
}

fn sum_of(row: &Row<'_>) -> rusqlite::Result<i64> {
    let text = |column| Ok::<_, rusqlite::Error>(row.get_ref(column)?.as_str_or_null()?);
    let event = sum::Event {
        request: row.get::<_, Option<i64>>(3)?.unwrap_or_default(),
        kind: row.get_ref(5)?.as_str()?,
        subject: text(6)?,
        provider_id: text(7)?,
        time: row.get(8)?,
        form: row.get(9)?,
        content: text(10)?,
        head: row.get(11)?,
        tail: row.get(12)?,
        data: row.get_ref(13)?.as_blob_or_null()?.unwrap_or_default(),
    };
    Ok(event.sum())
}

fn delivery(row: &Row<'_>, _: Option<&Vault>) -> rusqlite::Result<Verdict> {
    if row.get::<_, Option<i64>>(1)?.is_none() {
        return bad("its event is not there");
    }
    if row.get::<_, Option<i64>>(2)?.is_none() {
        return bad("its destination is not there");
    }
    let state: i64 = row.get(3)?;
    let known = rows::PENDING..=rows::LEAVING;
    if known.contains(&state) { Ok(Verdict::Good) } else { bad(&format!("its state is {state}")) }
}

fn rejection(row: &Row<'_>, vault: Option<&Vault>) -> rusqlite::Result<Verdict> {
    row.get::<_, String>(1)?;
    match row.get_ref(6)?.as_blob_or_null()? {
        Some(seal) => opened(row, seal, &[3, 4, 5], vault),
        None => Ok(Verdict::Good),
    }
}

/// What was told before a key was set is a text.
fn capture(row: &Row<'_>, vault: Option<&Vault>) -> rusqlite::Result<Verdict> {
    match (row.get_ref(1)?.as_blob(), vault) {
        (Err(_), _) => Ok(Verdict::Good),
        (Ok(_), None) => Ok(Verdict::Sealed),
        (Ok(value), Some(vault)) => match vault.unwrap(value) {
            Ok(_) => Ok(Verdict::Good),
            Err(unopened @ Unopened) => bad(&unopened.to_string()),
        },
    }
}
