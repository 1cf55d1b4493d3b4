//! PostgreSQL: a delivery is a row, delivered when it is committed; one whose id is there already is not written again.
//!
//! A batch is one statement. Where a row of it is refused each goes alone, so that only that one fails.

use std::error::Error;
use std::time::Duration;

use bytes::BytesMut;
use futures_util::future::join_all;
use tokio::time::{Instant, timeout_at};
use tokio_postgres::types::{Format, IsNull, ToSql, Type};
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::message::Message;
use super::name::Name;
use super::session::Slot;
use super::{Link, Replies, words};
use crate::config::resolved::{self, BrokerServer};
use crate::config::template::{Template, Word};
use crate::net::tls::Tls;
use crate::outbound::destination::DestinationError;
use crate::outbound::judge::Reply;

/// The protocol counts the parameters of a statement in 16 bits.
const MOST_PARAMETERS: usize = u16::MAX as usize;

pub(super) struct Postgres {
    server: BrokerServer,
    config: Config,
    tls: MakeRustlsConnect,
    table: String,
    columns: Vec<(String, Name)>,
    id: String,
    timeout: Duration,
    slot: Slot<Client>,
}

/// Sent as text, which the server reads as the column's own type.
#[derive(Debug)]
struct Text(Option<String>);

type Row = Vec<Text>;

impl Postgres {
    pub(super) fn build(
        broker: &resolved::Broker,
        table: &str,
        columns: &[(String, Template)],
        tls: Tls,
    ) -> Result<Self, DestinationError> {
        let wrong = |error: tokio_postgres::Error| DestinationError::Client("url", words(&error));
        let mut config: Config = broker.server.url().as_str().parse().map_err(wrong)?;
        if config.get_application_name().is_none() {
            config.application_name("hookport");
        }
        let id = columns.iter().find(|(_, template)| *template == Template::word(Word::Id));
        let named = |(column, template): &(String, Template)| {
            Ok((column.clone(), Name::compile(&format!("columns.{column}"), template)?))
        };
        Ok(Self {
            server: broker.server.clone(),
            config,
            tls: MakeRustlsConnect::new(tls.config()),
            table: table.split('.').map(quoted).collect::<Vec<_>>().join("."),
            columns: columns.iter().map(named).collect::<Result<_, DestinationError>>()?,
            id: id.map_or_else(|| "id".to_owned(), |(column, _)| column.clone()),
            timeout: broker.timeout,
            slot: Slot::new(broker.connect_timeout),
        })
    }

    async fn connect(&self) -> Result<Client, String> {
        let connecting = self.config.connect(self.tls.clone()).await;
        let (client, connection) = connecting
            .map_err(|error| format!("no connection to PostgreSQL at {}: {}", self.server.shown(), words(&error)))?;
        // It ends with its client; what broke it is told to who waits for an answer.
        tokio::spawn(connection);
        Ok(client)
    }

    async fn send(&self, messages: &[Message<'_>]) -> Vec<Reply> {
        let client = match self.slot.get(|client| !client.is_closed(), self.connect()).await {
            Ok(client) => client,
            Err(error) => return vec![Reply::Failed(error); messages.len()],
        };
        let rows: Vec<_> = messages.iter().map(|message| self.row(message)).collect();
        let deadline = Instant::now() + self.timeout;
        let most = (MOST_PARAMETERS / self.columns.len().max(1)).max(1);
        let mut replies = Vec::with_capacity(rows.len());
        for rows in rows.chunks(most) {
            replies.extend(self.insert_all(&client, rows, deadline).await);
        }
        if client.is_closed() || replies.iter().any(|reply| matches!(reply, Reply::Failed(_))) {
            self.slot.forget(&client).await;
        }
        replies
    }

    fn row(&self, message: &Message<'_>) -> Result<Row, Reply> {
        let Ok(payload) = std::str::from_utf8(&message.body) else {
            return Err(Reply::Unsent("the payload is not text, and a column gets text".into()));
        };
        let value = |(column, name): &(String, Name)| {
            let value = name.value(message.event, payload);
            value.map(Text).map_err(|error| Reply::Unsent(format!("columns.{column}: {error}")))
        };
        self.columns.iter().map(value).collect()
    }

    /// One statement for all, and one for each where the server does not take them together.
    async fn insert_all(&self, client: &Client, rows: &[Result<Row, Reply>], deadline: Instant) -> Vec<Reply> {
        let good: Vec<&Row> = rows.iter().flatten().collect();
        let together = self.insert(client, &good, deadline).await;
        let alone = match &together {
            Reply::Refused(_) if good.len() > 1 => {
                join_all(good.chunks(1).map(|row| self.insert(client, row, deadline))).await
            }
            reply => vec![reply.clone(); good.len()],
        };
        let mut alone = alone.into_iter();
        let reply = |row: &Result<Row, Reply>| match row {
            Ok(_) => alone.next().unwrap_or_else(|| together.clone()),
            Err(reply) => reply.clone(),
        };
        rows.iter().map(reply).collect()
    }

    async fn insert(&self, client: &Client, rows: &[&Row], deadline: Instant) -> Reply {
        if rows.is_empty() {
            return Reply::Written;
        }
        let statement = self.statement(rows.len());
        let values: Vec<(&(dyn ToSql + Sync), Type)> =
            rows.iter().flat_map(|row| row.iter().map(|text| (text as &(dyn ToSql + Sync), Type::UNKNOWN))).collect();
        match timeout_at(deadline, client.execute_typed(&statement, &values)).await {
            Ok(Ok(_)) => Reply::Written,
            Ok(Err(error)) => self.reply(&error),
            Err(_) => Reply::Failed(format!("PostgreSQL did not answer within {:?}", self.timeout)),
        }
    }

    fn statement(&self, rows: usize) -> String {
        let columns = self.columns.len();
        let names = self.columns.iter().map(|(column, _)| quoted(column)).collect::<Vec<_>>().join(", ");
        let row = |row: usize| {
            let places = (1..=columns).map(|column| format!("${}", row * columns + column));
            format!("({})", places.collect::<Vec<_>>().join(", "))
        };
        let values = (0..rows).map(row).collect::<Vec<_>>().join(", ");
        let (table, id) = (&self.table, quoted(&self.id));
        format!("INSERT INTO {table} ({names}) VALUES {values} ON CONFLICT ({id}) DO NOTHING")
    }

    /// Which of the server's errors are about a row, and what to do about the others.
    fn reply(&self, error: &tokio_postgres::Error) -> Reply {
        let Some(told) = error.as_db_error() else {
            let shown = self.server.shown();
            return Reply::Failed(format!("the connection to PostgreSQL at {shown} was lost: {}", words(error)));
        };
        let code = told.code().code();
        // Behind a colon the value follows that was not taken, which no log may show.
        let said = told.message().split(": ").next().unwrap_or_default();
        let advice = match code {
            "42P01" => format!(": make it with {}, or mend `table`", self.create_table()),
            "42703" => format!(": the columns are those of {}, unless `columns` says otherwise", self.create_table()),
            "42P10" => {
                format!(": {} must be the primary key, or have a unique constraint of its own", quoted(&self.id))
            }
            "42501" => format!(": GRANT INSERT, SELECT ON {} TO the user in `url`", self.table),
            _ => String::new(),
        };
        let words = format!("{said} (SQLSTATE {code}){advice}");
        match &code[..2] {
            // Data that does not fit, a constraint, a limit, what a trigger raised.
            "22" | "23" | "54" | "P0" => Reply::Refused(words),
            _ => Reply::Failed(words),
        }
    }

    fn create_table(&self) -> String {
        let column = |(column, _): &(String, Name)| match column.as_str() {
            column if column == self.id => format!("{} uuid PRIMARY KEY", quoted(column)),
            "time" => "\"time\" timestamptz".into(),
            "data" => "\"data\" jsonb".into(),
            column => format!("{} text", quoted(column)),
        };
        format!("CREATE TABLE {} ({})", self.table, self.columns.iter().map(column).collect::<Vec<_>>().join(", "))
    }
}

impl Link for Postgres {
    fn send<'a>(&'a self, messages: &'a [Message<'a>]) -> Replies<'a> {
        Box::pin(self.send(messages))
    }
}

impl ToSql for Text {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let Some(text) = &self.0 else { return Ok(IsNull::Yes) };
        out.extend_from_slice(text.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    tokio_postgres::types::to_sql_checked!();
}

/// A name of the configuration as SQL; it is never made of an event.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
