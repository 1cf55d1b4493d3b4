//! `[destinations.NAME]` of brokers and databases: the URL with its secrets, and names that the kind can carry.

use secrecy::ExposeSecret;

use super::Check;
use crate::config::resolved::{Broker, BrokerServer, To};
use crate::config::template::{Template, Word};
use crate::config::written::{self, HeaderText, Sending};

/// More in one attempt gains nothing, and all of them wait for the slowest.
const MOST_AT_ONCE: usize = 1000;

/// AMQP counts the bytes of its short texts in one.
const LONGEST_SHORT_TEXT: usize = 255;

/// PostgreSQL cuts longer names off.
const LONGEST_IDENTIFIER: usize = 63;

/// The kinds whose clients this build has.
const BUILT_IN: &[&str] = &[
    #[cfg(feature = "nats")]
    "nats",
    #[cfg(feature = "postgres")]
    "postgres",
    #[cfg(feature = "redis")]
    "redis",
    #[cfg(feature = "rabbitmq")]
    "rabbitmq",
];

impl Check<'_> {
    pub(super) fn broker(&mut self, name: &str, written: &written::Destination) -> Option<Broker> {
        let (kind, sending) = (written.kind(), written.sending()?);
        if !BUILT_IN.contains(&kind) {
            let message = format!("is not in this build: build it with `cargo build --release --features {kind}`");
            self.complain(&["destinations", name, "kind"], message);
        }
        let server = self.server_url(name, kind, &sending);
        self.timeouts(name, [sending.connect_timeout, None], sending.timeout);
        let in_the_clear = server.as_ref().and_then(|server| in_the_clear(server.url()));
        self.tls(name, sending.ca.as_ref(), sending.client_cert.as_ref(), in_the_clear.as_deref());
        for (key, count) in [("batch", sending.batch), ("concurrency", sending.concurrency)] {
            if !(1..=MOST_AT_ONCE).contains(&count) {
                self.complain(&["destinations", name, key], format!("must be from 1 to {MOST_AT_ONCE}"));
            }
        }
        self.breaker(name, sending.breaker);
        self.retry(name, &sending.retry);
        let to = self.place(name, written)?;
        let broker = Broker::with(to, server?, sending);
        self.transform(name, broker.transform.is_some(), broker.format);
        Some(broker)
    }

    /// What was written is not repeated: it may hold a password.
    fn server_url(&mut self, name: &str, kind: &str, sending: &Sending) -> Option<BrokerServer> {
        let key = ["destinations", name, "url"];
        let url = match &sending.url {
            HeaderText::Secret(secret) => self.secret(&key, secret),
            HeaderText::Plain(url) => Some(url.as_str().into()),
        };
        let password = match &sending.password {
            Some(password) => Some(self.secret(&["destinations", name, "password"], password)?),
            None => None,
        };
        let wrong = |message: String| format!("{message}; it must be such as \"{}\"", example(kind));
        let server = BrokerServer::new(url?.expose_secret(), password.as_ref());
        let server = server.map_err(|message| self.complain(&key, wrong(message))).ok()?;
        if !schemes(kind).contains(&server.url().scheme()) {
            self.complain(&key, wrong(format!("must begin with {}", schemes(kind).join(":// or ") + "://")));
            return None;
        }
        if matches!(sending.url, HeaderText::Plain(_)) && password.is_none() && server.url().password().is_some() {
            let message = "holds a password: write { env = \"NAME\" } or { file = \"path\" } for all of it, or the password \
                           alone under `password`";
            self.complain(&key, message);
        }
        Some(server)
    }

    fn place(&mut self, name: &str, written: &written::Destination) -> Option<To> {
        match written {
            written::Destination::Http(_) | written::Destination::File(_) | written::Destination::Stdout(_) => {}
            written::Destination::Nats(nats) => {
                self.template(&["destinations", name, "subject"], &nats.subject, is_subject);
            }
            written::Destination::Redis(redis) => {
                self.template(&["destinations", name, "stream"], &redis.stream, is_not_empty);
                if redis.max_len == Some(0) {
                    self.complain(&["destinations", name, "max_len"], "must be at least 1: nothing would be kept");
                }
            }
            written::Destination::RabbitMq(rabbitmq) => {
                if rabbitmq.exchange.len() > LONGEST_SHORT_TEXT {
                    self.complain(&["destinations", name, "exchange"], "must be of at most 255 bytes");
                }
                self.template(&["destinations", name, "routing_key"], &rabbitmq.routing_key, is_routing_key);
            }
            written::Destination::Postgres(postgres) => {
                let parts: Vec<_> = postgres.table.split('.').collect();
                if parts.len() > 2 || !parts.iter().all(|part| is_identifier(part)) {
                    let message = "must be a table's name, or schema.table, each of at most 63 bytes";
                    self.complain(&["destinations", name, "table"], message);
                }
                self.columns(name, postgres);
            }
        }
        let environment = self.draft.origin.environment().clone();
        if let written::Destination::Nats(nats) = written
            && let Some(credentials) = &nats.credentials
        {
            self.secret(&["destinations", name, "credentials"], credentials)?;
        }
        To::of(written, |secret| secret.load(&environment).ok())
    }

    fn columns(&mut self, name: &str, written: &written::PostgresDestination) {
        let Some(columns) = &written.columns else { return };
        let key = ["destinations", name, "columns"];
        for (column, template) in columns {
            let at = [key[0], name, key[2], column];
            if !is_identifier(column) {
                self.complain(&at, "is no column's name: it must be of at most 63 bytes");
            }
            self.expressions(&at, template);
        }
        if columns.values().filter(|template| **template == Template::word(Word::Id)).count() != 1 {
            self.complain(&key, "must have one column that gets \"{id}\": by it a repeat is known");
        }
    }

    /// A name that the event has a part in.
    fn template(&mut self, key: &[&str], template: &Template, fits: fn(&str) -> Result<(), &'static str>) {
        self.expressions(key, template);
        if template.names(Word::Payload) {
            self.complain(key, "names {payload}, which is no name");
        }
        if let Err(message) = fits(&template.example()) {
            self.complain(key, message);
        }
    }

    fn expressions(&mut self, key: &[&str], template: &Template) {
        for expression in template.expressions() {
            if let Err(message) = (self.rules.compile)(expression) {
                self.complain(key, format!("{{{expression}}} is not a CEL expression: {message}"));
            }
        }
    }
}

fn schemes(kind: &str) -> &'static [&'static str] {
    match kind {
        "nats" => &["nats", "tls"],
        "redis" => &["redis", "rediss"],
        "rabbitmq" => &["amqp", "amqps"],
        _ => &["postgres", "postgresql"],
    }
}

fn example(kind: &str) -> &'static str {
    match kind {
        "nats" => "nats://nats.internal:4222",
        "redis" => "redis://redis.internal:6379",
        "rabbitmq" => "amqp://hookport@rabbit.internal",
        _ => "postgres://hookport@db.internal/ledger",
    }
}

/// Why certificates would be looked at by nobody.
fn in_the_clear(url: &url::Url) -> Option<String> {
    let other = match url.scheme() {
        "nats" => "tls",
        "redis" => "rediss",
        "amqp" => "amqps",
        "postgres" | "postgresql" if url.query_pairs().any(|pair| pair == ("sslmode".into(), "disable".into())) => {
            return Some("has no meaning with sslmode=disable: leave one of them out".to_owned());
        }
        _ => return None,
    };
    Some(format!("has no meaning with {}://: write {other}:// in `url`", url.scheme()))
}

fn is_subject(text: &str) -> Result<(), &'static str> {
    let unfit = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '*' | '>');
    if text.split('.').any(str::is_empty) || text.contains(unfit) {
        return Err("must be a subject such as \"events.{source}.{type}\": no empty part, no space, no * and no >");
    }
    if text.starts_with('$') || text.starts_with("_INBOX.") {
        return Err("begins as subjects of the server's own do");
    }
    Ok(())
}

fn is_not_empty(text: &str) -> Result<(), &'static str> {
    if text.is_empty() { Err("must be a key, such as \"events\"") } else { Ok(()) }
}

fn is_routing_key(text: &str) -> Result<(), &'static str> {
    if text.len() > LONGEST_SHORT_TEXT { Err("must be of at most 255 bytes") } else { Ok(()) }
}

fn is_identifier(text: &str) -> bool {
    (1..=LONGEST_IDENTIFIER).contains(&text.len()) && !text.contains('\0')
}
