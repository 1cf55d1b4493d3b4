//! How much room the journal takes on the server. Rows that are deleted leave room for new ones; only a day that is dropped
//! gives it back.

use jiff::civil::Date;
use tokio_postgres::GenericClient;

use super::fault::Fault;
use super::partitions::{self, TABLES};
use super::rows::unsigned;

/// What a row of each table takes, with its entries in indexes; what varies is measured.
const ROWS: [(&str, &str); 4] = [
    ("requests", "350 + pg_column_size(t.headers) + pg_column_size(t.body)"),
    ("events", "400 + coalesce(pg_column_size(t.data), 0)"),
    ("deliveries", "200"),
    ("attempts", "200 + coalesce(pg_column_size(t.answer), 0)"),
];

/// Bytes of all tables and indexes.
pub(super) async fn all(client: &impl GenericClient) -> Result<u64, Fault> {
    let all = "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint AS bytes FROM pg_class c \
         WHERE c.relkind = 'r' AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'queue'::regclass)";
    unsigned(&client.query_one(all, &[]).await?, "bytes")
}

/// Bytes of a day's tables.
pub(super) async fn of_day(client: &impl GenericClient, day: Date) -> Result<u64, Fault> {
    let sizes = TABLES.map(|table| format!("pg_total_relation_size('{}'::regclass)", partitions::name(table, day)));
    unsigned(&client.query_one(&format!("SELECT {} AS bytes", sizes.join(" + ")), &[]).await?, "bytes")
}

/// About how many bytes of them hold rows, where some were deleted.
pub(super) async fn used_of_day(client: &impl GenericClient, day: Date) -> Result<u64, Fault> {
    let used =
        ROWS.map(|(table, row)| format!("(SELECT coalesce(sum({row}), 0) FROM {} t)", partitions::name(table, day)));
    unsigned(&client.query_one(&format!("SELECT ({})::bigint AS bytes", used.join(" + ")), &[]).await?, "bytes")
}
