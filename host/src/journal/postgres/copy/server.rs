//! The journal in PostgreSQL, as it is filled: each piece in one transaction with how far the copy is.

use std::collections::BTreeSet;
use std::pin::pin;

use deadpool_postgres::Object;
use jiff::civil::Date;
use tokio_postgres::Transaction;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};

use super::CopyError;
use super::cell::Cell;
use super::keys::Keys;
use super::tables::{DELIVERIES, REQUESTS, Table};
use crate::journal::postgres::partitions;
use crate::journal::postgres::rows::{DELIVERED, get, unsigned};

/// A target that is being filled.
pub(super) struct Filled {
    client: Object,
    days: BTreeSet<Date>,
    /// The last request that is there.
    pub(super) after: i64,
}

/// A table is there as long as a copy is not finished, and no gateway opens what it is in.
const BEGIN: &str = "CREATE TABLE copying (source text NOT NULL, after bigint NOT NULL)";
const USED: &str = "SELECT EXISTS (SELECT 1 FROM requests) OR EXISTS (SELECT 1 FROM rejections) OR EXISTS (SELECT 1 FROM keys) \
    OR EXISTS (SELECT 1 FROM polls) OR EXISTS (SELECT 1 FROM captures) OR EXISTS (SELECT 1 FROM paused) \
    OR EXISTS (SELECT 1 FROM vault) OR EXISTS (SELECT 1 FROM hosts) AS used";

impl Filled {
    /// Begins a copy in a target that is empty, or goes on with one from the same source.
    pub(super) async fn begin(
        mut client: Object,
        source: &str,
        names: &[(&Table, Vec<Vec<Cell>>)],
    ) -> Result<Self, CopyError> {
        let days = partitions::all(&**client).await?.into_iter().collect();
        let transaction = client.transaction().await?;
        let there = transaction.query_one("SELECT to_regclass('copying') IS NOT NULL AS there", &[]).await?;
        if get::<bool>(&there, "there")? {
            let row = transaction.query_one("SELECT source, after FROM copying FOR UPDATE", &[]).await?;
            let (begun, after): (String, i64) = (get(&row, "source")?, get(&row, "after")?);
            if begun != source {
                return Err(CopyError::Other { begun });
            }
            drop(transaction);
            return Ok(Self { client, days, after });
        }
        if get::<bool>(&transaction.query_one(USED, &[]).await?, "used")? {
            return Err(CopyError::Used);
        }
        transaction.batch_execute(BEGIN).await?;
        transaction.execute("INSERT INTO copying VALUES ($1, 0)", &[&source]).await?;
        for (table, rows) in names {
            put(&transaction, table.name, &table.columns(), rows.iter().map(|row| &row[..])).await?;
        }
        transaction.commit().await?;
        Ok(Self { client, days, after: 0 })
    }

    /// The rows of some requests, and their keys.
    pub(super) async fn add(
        &mut self,
        piece: &[(&Table, Vec<Vec<Cell>>)],
        keys: &Keys,
        until: i64,
    ) -> Result<(), CopyError> {
        let requests = piece.iter().filter(|(table, _)| table.name == REQUESTS.name).flat_map(|(_, rows)| rows);
        let wanted: BTreeSet<Date> = requests.filter_map(|row| row.get(1)?.day()).collect();
        for day in wanted.difference(&self.days) {
            partitions::make(&mut self.client, *day).await?;
        }
        self.days.extend(wanted);
        let transaction = self.client.transaction().await?;
        for (table, rows) in piece {
            if table.name == DELIVERIES.name {
                put_deliveries(&transaction, rows).await?;
            } else {
                put(&transaction, table.name, &table.columns(), rows.iter().map(|row| &row[..])).await?;
            }
        }
        put_keys(&transaction, keys).await?;
        transaction.execute("UPDATE copying SET after = $1", &[&until]).await?;
        transaction.commit().await?;
        self.after = until;
        Ok(())
    }

    /// Keys alone; the same ones again change nothing.
    pub(super) async fn add_keys(&mut self, keys: &Keys) -> Result<(), CopyError> {
        let transaction = self.client.transaction().await?;
        put_keys(&transaction, keys).await?;
        Ok(transaction.commit().await?)
    }

    /// The rows of a table, of requests in a range.
    pub(super) async fn rows(&self, table: &Table, range: (i64, i64)) -> Result<Vec<Vec<Cell>>, CopyError> {
        let rows = self.client.query(table.server, &[&range.0, &range.1]).await?;
        let cells = |row: &tokio_postgres::Row| {
            (0..row.len()).map(|index| row.try_get(index)).collect::<Result<Vec<Cell>, _>>()
        };
        Ok(rows.iter().map(cells).collect::<Result<_, tokio_postgres::Error>>()?)
    }

    pub(super) async fn count(&self, table: &str) -> Result<u64, CopyError> {
        Ok(unsigned(&self.client.query_one(&format!("SELECT count(*) AS n FROM {table}"), &[]).await?, "n")?)
    }

    /// What is small, where it is not there yet; a copy that was interrupted brings it again.
    pub(super) async fn replace(&mut self, tables: &[(&Table, Vec<Vec<Cell>>)]) -> Result<(), CopyError> {
        let transaction = self.client.transaction().await?;
        for (table, rows) in tables {
            transaction.execute(&format!("DELETE FROM {}", table.name), &[]).await?;
            put(&transaction, table.name, &table.columns(), rows.iter().map(|row| &row[..])).await?;
        }
        transaction.batch_execute(SHELVES).await?;
        Ok(transaction.commit().await?)
    }

    /// New numbers go on behind these, of each key the first is open, and gateways may come.
    pub(super) async fn finish(&mut self, last: [i64; 3], now: i64) -> Result<(), CopyError> {
        let transaction = self.client.transaction().await?;
        for (sequence, last) in ["request_numbers", "delivery_numbers", "rejection_numbers"].into_iter().zip(last) {
            if last > 0 {
                transaction.execute(&format!("SELECT setval('{sequence}', $1)"), &[&last]).await?;
            }
        }
        for table in ["origins", "builds", "destinations", "vault", "captures"] {
            let next = format!(
                "SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table} HAVING max(id) IS NOT NULL"
            );
            transaction.query(&next, &[]).await?;
        }
        let first = "SELECT hand_over(destination, order_key, $1) FROM queue WHERE order_key IS NOT NULL \
             GROUP BY destination, order_key";
        transaction.query(first, &[&now]).await?;
        transaction.batch_execute("DROP TABLE copying").await?;
        transaction.commit().await?;
        self.client.batch_execute("ANALYZE requests, events, deliveries, attempts, queue, keys").await?;
        Ok(())
    }
}

const SHELVES: &str = "UPDATE shelves s SET kept = (SELECT count(*) FROM rejections r WHERE r.authentic = s.authentic), \
    bytes = (SELECT coalesce(sum(size), 0)::bigint FROM rejections r WHERE r.authentic = s.authentic)";

async fn put<'r>(
    transaction: &Transaction<'_>,
    table: &str,
    columns: &[(&str, Type)],
    rows: impl Iterator<Item = &'r [Cell]>,
) -> Result<(), CopyError> {
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let kinds: Vec<Type> = columns.iter().map(|(_, kind)| kind.clone()).collect();
    let sink = transaction.copy_in(&format!("COPY {table} ({}) FROM STDIN BINARY", names.join(", "))).await?;
    let mut writer = pin!(BinaryCopyInWriter::new(sink, &kinds));
    for row in rows {
        let row: Vec<&(dyn ToSql + Sync)> = row.iter().map(|cell| cell as &(dyn ToSql + Sync)).collect();
        writer.as_mut().write(&row).await?;
    }
    writer.finish().await?;
    Ok(())
}

/// Those that have ended lie with their day, without a time when they are due.
async fn put_deliveries(transaction: &Transaction<'_>, rows: &[Vec<Cell>]) -> Result<(), CopyError> {
    let (columns, state, due) = (DELIVERIES.columns(), DELIVERIES.at("state"), DELIVERIES.at("due"));
    let has_ended = |row: &&Vec<Cell>| {
        let state = row.get(state).and_then(Cell::number).unwrap_or_default();
        (i64::from(DELIVERED)..=4).contains(&state)
    };
    let (ended, open): (Vec<&Vec<Cell>>, Vec<&Vec<Cell>>) = rows.iter().partition(has_ended);
    put(transaction, "queue", &columns, open.into_iter().map(|row| &row[..])).await?;
    let without = |row: &Vec<Cell>| {
        let mut row = row.clone();
        row.remove(due);
        row
    };
    let ended: Vec<Vec<Cell>> = ended.into_iter().map(without).collect();
    let columns: Vec<_> = columns.into_iter().filter(|(name, _)| *name != "due").collect();
    put(transaction, "deliveries", &columns, ended.iter().map(|row| &row[..])).await
}

async fn put_keys(transaction: &Transaction<'_>, keys: &Keys) -> Result<(), CopyError> {
    if keys.is_empty() {
        return Ok(());
    }
    let (hashes, untils, receiveds) = keys.columns();
    let put = "INSERT INTO keys (hash, until, received) SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) \
         ON CONFLICT (hash) DO UPDATE SET until = CASE WHEN keys.until IS NULL OR excluded.until IS NULL THEN NULL \
         ELSE greatest(keys.until, excluded.until) END, received = greatest(keys.received, excluded.received)";
    transaction.execute(put, &[&hashes, &untils, &receiveds]).await?;
    Ok(())
}
