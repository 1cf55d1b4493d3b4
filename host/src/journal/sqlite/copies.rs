//! Copies of requests in files of older layouts, which did not know them: what was erased of one of a family then goes of
//! the others, too, as it would now. Which they are is found by `schema_7.sql`.

use rusqlite::Connection;

use super::family::Family;
use super::seal;

/// Erases the bytes of families of which some are gone. Their events keep their data; where a delivery is open, the bytes
/// stay until somebody erases one of the events that are left. Who calls it wipes what it frees.
pub(super) fn blank(conn: &Connection) -> rusqlite::Result<()> {
    // No key is known yet, and none is needed: what was sealed leans on nothing.
    seal::register(conn, None)?;
    let torn = "SELECT coalesce(copy_of, id) AS root FROM requests \
         WHERE copy_of IS NOT NULL OR id IN (SELECT copy_of FROM requests WHERE copy_of IS NOT NULL) \
         GROUP BY root HAVING min(erased) < max(erased)";
    let torn: Vec<i64> = conn.prepare(torn)?.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    for root in torn {
        let mut family = Family::of(conn, root)?;
        if !family.has_open(conn)? {
            family.erase(conn, 0, None)?;
        }
    }
    Ok(())
}
