//! Wiping: content that is deleted or replaced may be erased one day, so nothing of it may stay in what is free.
//!
//! What becomes free inside a page is always wiped, which costs nothing: the page is written anyway. Whole pages are wiped
//! where somebody asks for it; those that retention frees go back to the system, and what is free is given back with every
//! erasure.

use rusqlite::Connection;

/// What a writer's connection always does.
pub(super) fn within_pages(conn: &Connection) -> rusqlite::Result<()> {
    conn.pragma_update(None, "secure_delete", "FAST")
}

/// Does a step that also wipes the pages that it frees.
pub(super) fn wiping<T>(conn: &Connection, step: impl FnOnce() -> rusqlite::Result<T>) -> rusqlite::Result<T> {
    conn.pragma_update(None, "secure_delete", true)?;
    let done = step();
    within_pages(conn)?;
    done
}
