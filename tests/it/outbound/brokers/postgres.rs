//! A table in PostgreSQL, on a real server.

use hookport::event::{Data, Event};
use hookport::journal::Outcome;

use super::*;
use crate::postgres::cluster::Cluster;

const TABLE: &str = "(id uuid PRIMARY KEY, source text NOT NULL, type text NOT NULL, subject text, \"time\" timestamptz NOT NULL, data jsonb)";

/// A schema of its own with this table in it, and the destination that writes to it.
fn made(cluster: &Cluster, table: &str) -> (String, String) {
    let schema = cluster.place().schema;
    cluster.sql(&format!("CREATE SCHEMA {schema}; CREATE TABLE {schema}.events {table}"));
    let written = written(&cluster.url("postgres"), &format!("{schema}.events"));
    (schema, written)
}

fn written(url: &str, table: &str) -> String {
    format!("kind = 'postgres'\nurl = {{ value = '{url}' }}\ntable = '{table}'")
}

#[tokio::test]
async fn an_event_is_a_row_as_it_was_recorded_and_a_repeat_is_none() {
    let cluster = Cluster::shared();
    let (schema, written) = made(cluster, TABLE);
    for _ in 0..2 {
        delivered(&written, 1..=250).await;
    }
    let count = format!("SELECT count(*), min(id::text), max((data->>'number')::int) FROM {schema}.events");
    assert_eq!(cluster.sql(&count), "250|00000000-0000-0000-0000-000000000001|250");
    let row = format!(
        "SELECT source, type, subject, \"time\" AT TIME ZONE 'UTC', data FROM {schema}.events ORDER BY id LIMIT 1"
    );
    let expected = r#"esim|eiotclub.CardStopped|8985|2026-01-02 03:04:05|{"amount": 10.00, "number": 1}"#;
    assert_eq!(cluster.sql(&row), expected);
}

#[tokio::test]
async fn columns_are_what_the_configuration_says_and_values_are_never_sql() {
    let cluster = Cluster::shared();
    let (schema, written) = made(
        cluster,
        r#"("Key" uuid PRIMARY KEY, amount numeric, label text, city text, whole json, "odd"" name" bool)"#,
    );
    let hostile = r#"'); DROP TABLE events; -- $1 \ "x""#;
    let event = Event { subject: Some(hostile.into()), ..event(1) };
    let written = format!(
        "{written}\nformat = 'cloudevent'\n[columns]\nKey = '{{id}}'\namount = '{{event.data.amount}}'\n\
         label = '{{source}}: {{subject}}'\ncity = '{{event.data.city}}'\nwhole = '{{payload}}'\n'odd\" name' = '{{1 < 2}}'"
    );
    let ledger = Arc::new(Ledger::default());
    ledger.add("bus", event, plain_request());
    let running = run(ledger, vec![destination("bus", &written, &[])]);
    until("it was tried", || !running.ledger.row(0).attempts.is_empty()).await;
    let row = running.ledger.row(0);
    assert_eq!(row.outcomes, [Outcome::Delivered], "{}", error(&row));
    running.stop().await;
    let select =
        format!("SELECT amount, label, city IS NULL, whole->>'specversion', \"odd\"\" name\" FROM {schema}.events");
    assert_eq!(cluster.sql(&select), format!("10|esim: {hostile}|t|1.0|t"));
}

#[tokio::test]
async fn a_row_that_the_server_refuses_fails_alone_and_its_values_are_not_told() {
    let cluster = Cluster::shared();
    let (schema, written) =
        made(cluster, "(id uuid PRIMARY KEY, data jsonb CHECK ((data->>'n')::int <> 3), n int UNIQUE)");
    let written = format!(
        "{written}\nretry = {{ attempts = 1 }}\n[columns]\nid = '{{id}}'\ndata = '{{payload}}'\nn = '{{event.data.n}}'"
    );
    let ledger = Arc::new(Ledger::default());
    for (number, n) in (0..).zip(["0", "1", "2", "3", "4", "\"card 4111\"", "6", "1"]) {
        let event = Event { data: Data::Json(format!(r#"{{"n":{n}}}"#).into()), ..event(number) };
        ledger.add("bus", event, plain_request());
    }
    let running = run(ledger, vec![destination("bus", &written, &[])]);
    until("all have ended", || running.ledger.rows().iter().all(|row| row.due.is_none())).await;
    let rows = running.ledger.rows();
    let failed: Vec<_> = (0..).zip(&rows).filter(|(_, row)| row.outcomes != [Outcome::Delivered]).collect();
    assert_eq!(failed.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [3, 5, 7]);
    for ((_, row), words) in
        failed.iter().zip(["violates check constraint", "invalid input syntax", "unique constraint"])
    {
        assert!(error(row).contains(words) && error(row).contains("SQLSTATE 2"), "{}", error(row));
        assert!(!error(row).contains("4111"), "{}", error(row));
    }
    assert_eq!(cluster.sql(&format!("SELECT count(*) FROM {schema}.events")), "5");
    running.stop().await;
}

#[tokio::test]
async fn a_server_that_ends_in_mid_flow_loses_nothing_and_doubles_nothing() {
    let mut cluster = Cluster::new();
    let (schema, written) = made(&cluster, TABLE);
    let written = format!("{written}\n{PATIENT}\nbatch = 50\nconcurrency = 2");
    let running = run(filled(0..3000), vec![destination("bus", &written, &[])]);
    until("some are delivered", || count_delivered(&running.ledger) > 300).await;
    cluster.kill();
    until("one has failed", || running.ledger.rows().iter().any(|row| !row.attempts.is_empty() && row.due.is_some()))
        .await;
    cluster.start(None);
    until("all are delivered", || all_delivered(&running.ledger)).await;
    running.stop().await;
    assert_eq!(cluster.sql(&format!("SELECT count(*) FROM {schema}.events")), "3000");
}

#[tokio::test]
async fn a_connection_that_was_lost_while_nothing_was_sent_costs_no_attempt() {
    let mut cluster = Cluster::new();
    let (_, written) = made(&cluster, TABLE);
    let running = run(filled([1]), vec![destination("bus", &format!("{written}\n{PATIENT}"), &[])]);
    until("the first is delivered", || all_delivered(&running.ledger)).await;
    cluster.kill();
    cluster.start(None);
    // The end of the connection is there to be read; whoever reads it needs a turn.
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    running.ledger.add("bus", event(2), plain_request());
    until("the second is delivered", || all_delivered(&running.ledger)).await;
    assert_eq!(running.ledger.row(1).attempts.len(), 1);
    running.stop().await;
}

#[tokio::test]
async fn what_is_wrong_is_said() {
    let cluster = Cluster::shared();
    let (schema, right) = made(cluster, TABLE);
    cluster.sql(&format!(
        "CREATE TABLE {schema}.keyless (LIKE {schema}.events); CREATE TABLE {schema}.other (id uuid PRIMARY KEY)"
    ));
    let table = |name: &str| right.replace(".events", &format!(".{name}"));
    for (written, words) in [
        (table("nowhere"), format!(r#"make it with CREATE TABLE "{schema}"."nowhere" ("id" uuid PRIMARY KEY"#)),
        (table("keyless"), r#""id" must be the primary key"#.into()),
        (table("other"), "unless `columns` says otherwise".into()),
        (right.replace("of-the-tests-only", "wrong-word"), "password authentication failed".into()),
        (written("postgres://nobody@127.0.0.1:1/x", "events"), "no connection to PostgreSQL at 127.0.0.1:1: ".into()),
    ] {
        let row = tried(&written, event(1)).await;
        assert!(error(&row).contains(&words), "{}", error(&row));
        assert!(!error(&row).contains("wrong-word"), "{}", error(&row));
    }
}
