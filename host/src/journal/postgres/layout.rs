//! The tables and functions in the schema, and their version. What is added later leaves what older hosts use as it is, so
//! that they serve on beside newer ones; a layout that they cannot use says so, and is refused in words.

use tokio_postgres::{Client, Transaction};

use super::connect::quoted;
use super::open::OpenError;

/// What each layout adds to the one before it; the first is all of it.
const LAYOUTS: [&[&str]; 1] = [&[include_str!("layout.sql"), include_str!("layout_1.sql")]];
/// Functions that every host uses: those of the newest layout replace the others, and take what the others take.
const FUNCTIONS: [&str; 3] = [include_str!("order.sql"), include_str!("record.sql"), include_str!("flights.sql")];
/// The oldest version that may work with what this one makes.
const USABLE_FROM: i32 = 1;
/// Who makes or changes a layout holds this lock, with the schema's own number.
const LOCK: &str = "SELECT pg_advisory_xact_lock(1885432691, hashtext($1))";

fn version() -> i32 {
    i32::try_from(LAYOUTS.len()).unwrap_or(i32::MAX)
}

/// Makes the schema and what it lacks; several hosts may try it at once. One that is half a copy is nobody's journal yet.
pub(super) async fn prepare(client: &mut Client, schema: &str) -> Result<(), OpenError> {
    prepare_copy(client, schema).await?;
    let copying = "SELECT to_regclass('copying') IS NOT NULL";
    let row = client.query_one(copying, &[]).await.map_err(|error| OpenError::server(&error.into()))?;
    if row.get(0) { Err(OpenError::Copying { schema: schema.to_owned() }) } else { Ok(()) }
}

/// The same for who copies a journal into it.
pub(super) async fn prepare_copy(client: &mut Client, schema: &str) -> Result<(), OpenError> {
    let failed = |error: tokio_postgres::Error| OpenError::server(&error.into());
    let transaction = client.transaction().await.map_err(failed)?;
    transaction.query_one(LOCK, &[&schema]).await.map_err(failed)?;
    let there = "SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1)";
    if !transaction.query_one(there, &[&schema]).await.map_err(failed)?.get::<_, bool>(0) {
        let make = format!("CREATE SCHEMA {}", quoted(schema));
        transaction.batch_execute(&make).await.map_err(failed)?;
    }
    let found = found(&transaction, schema).await?;
    if found < version() {
        add(&transaction, usize::try_from(found).unwrap_or(0)).await.map_err(failed)?;
        tracing::info!("the journal's schema {schema} has layout {} now; it had {found}", version());
    }
    transaction.commit().await.map_err(failed)
}

/// The version that is there; 0 in an empty schema.
async fn found(transaction: &Transaction<'_>, schema: &str) -> Result<i32, OpenError> {
    let failed = |error: tokio_postgres::Error| OpenError::server(&error.into());
    let ours = "SELECT to_regclass('layout') IS NOT NULL, \
         EXISTS (SELECT 1 FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1))";
    let row = transaction.query_one(ours, &[&schema]).await.map_err(failed)?;
    match (row.get(0), row.get(1)) {
        (false, true) => return Err(OpenError::Foreign { schema: schema.to_owned() }),
        (false, false) => return Ok(0),
        (true, _) => {}
    }
    let newest = "SELECT version, usable_from FROM layout ORDER BY version DESC LIMIT 1";
    let row = transaction.query_one(newest, &[]).await.map_err(failed)?;
    let (found, usable_from): (i32, i32) = (row.get(0), row.get(1));
    if usable_from > version() {
        return Err(OpenError::Newer { schema: schema.to_owned(), found, known: version() });
    }
    Ok(found)
}

/// All of it or nothing.
async fn add(transaction: &Transaction<'_>, from: usize) -> Result<(), tokio_postgres::Error> {
    for text in LAYOUTS.iter().skip(from).flat_map(|layout| layout.iter()).chain(&FUNCTIONS) {
        transaction.batch_execute(text).await?;
    }
    let note = "INSERT INTO layout (version, usable_from) VALUES ($1, $2)";
    transaction.execute(note, &[&version(), &USABLE_FROM]).await.map(|_| ())
}
