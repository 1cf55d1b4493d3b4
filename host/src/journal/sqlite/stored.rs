//! Requests with their events, for those who decode them again; they run on a reader.

use std::sync::Arc;

use rusqlite::{Connection, params_from_iter};

use super::{query, rows};
use crate::journal::{EventFilter, StoredEvent, StoredRequest};

/// Bytes of requests in one answer.
const PAGE: usize = 8 << 20;

/// A request's events lie side by side, so that each comes once in an answer.
pub(super) fn requests(conn: &Connection, filter: &EventFilter) -> rusqlite::Result<Vec<StoredRequest>> {
    let (text, values) = query::wanted(filter).limited(filter.limit);
    let sql = format!(
        "SELECT {}, e.key, e.request, r.erased FROM {} {text} ORDER BY e.id LIMIT ?",
        rows::EVENT,
        rows::EVENT_FROM
    );
    let mut select = conn.prepare_cached(&sql)?;
    let mut found = select.query(params_from_iter(values))?;
    let (mut all, mut last, mut bytes) = (Vec::<StoredRequest>::new(), None, 0);
    while let Some(row) = found.next()? {
        let number: i64 = row.get("request")?;
        if last != Some(number) {
            if bytes >= PAGE {
                break;
            }
            let request = rows::request(row)?;
            bytes += request.body.len();
            let erased = row.get("erased")?;
            all.push(StoredRequest { request: Arc::new(request), events: Vec::new(), others: Vec::new(), erased });
            last = Some(number);
        }
        if let Some(stored) = all.last_mut() {
            // One that is damaged says so itself, without its data.
            stored.events.push(StoredEvent { event: rows::listed(row)?, key: row.get("key")? });
            if stored.events.len() == 1 {
                stored.others = keys(conn, number)?;
            }
        }
    }
    for stored in &mut all {
        let StoredRequest { events, others, .. } = stored;
        others.retain(|key| !events.iter().any(|event| event.key == *key));
    }
    Ok(all)
}

/// The keys of all events of a request.
fn keys(conn: &Connection, request: i64) -> rusqlite::Result<Vec<[u8; 16]>> {
    let all = "SELECT e.key FROM requests r CROSS JOIN events e ON e.id >= r.first_event AND e.id < r.first_event + r.events \
         WHERE r.id = ?";
    conn.prepare_cached(all)?.query_map([request], |row| row.get(0))?.collect()
}
