//! What opens sealed content inside a query, so that readers of plain and of sealed rows are the same:
//! `opened(seal, content)` for content under a data key, `unwrapped(content)` for what the configured key sealed itself.

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::Value;
use rusqlite::{Connection, Error};

use crate::journal::seal::{Unopened, Vault};

/// Adds both to a connection.
pub(in crate::journal::sqlite) fn register(conn: &Connection, vault: Option<&Vault>) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DIRECTONLY | FunctionFlags::SQLITE_DETERMINISTIC;
    let keys = vault.cloned();
    conn.create_scalar_function("opened", 2, flags, move |context| {
        let Some(sealed) = blob(context, 1)? else { return Ok(Value::Null) };
        let seal = blob(context, 0)?.unwrap_or_default();
        // A text where bytes are expected: this row cannot be read, and the others of the query can.
        let bytes = opened(keys.as_ref(), |vault| vault.open(seal, sealed));
        Ok(bytes.map_or_else(|_| Value::Text(Unopened.to_string()), Value::Blob))
    })?;
    let keys = vault.cloned();
    conn.create_scalar_function("unwrapped", 1, flags, move |context| {
        let Some(sealed) = blob(context, 0)? else { return Ok(None) };
        opened(keys.as_ref(), |vault| vault.unwrap(sealed).map(|bytes| bytes.to_vec())).map(Some)
    })
}

fn blob<'c>(context: &'c Context<'_>, index: usize) -> rusqlite::Result<Option<&'c [u8]>> {
    Ok(context.get_raw(index).as_blob_or_null()?)
}

fn opened(vault: Option<&Vault>, open: impl FnOnce(&Vault) -> Result<Vec<u8>, Unopened>) -> rusqlite::Result<Vec<u8>> {
    vault.ok_or(Unopened).and_then(open).map_err(|error| Error::UserFunctionError(error.into()))
}
