//! Destinations that a broker or a database keeps. Delivered is what the server confirmed.
//!
//! Here a batch becomes messages; each kind hands them over in its own words, all at once, and waits for every confirmation.
//! How long until another try, and when to leave a server alone, is `judge`'s and `breaker`'s, as for HTTP.

// What a small build leaves out uses the rest of this.
#![cfg_attr(
    not(all(feature = "nats", feature = "postgres", feature = "rabbitmq", feature = "redis")),
    allow(dead_code, unused_variables)
)]

mod message;
mod name;
#[cfg(feature = "nats")]
mod nats;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "rabbitmq")]
mod rabbitmq;
#[cfg(feature = "redis")]
mod redis;
mod session;

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::future::join_all;

use self::message::Message;
use super::Open;
use super::destination::{DestinationError, opened, tls};
use super::judge::Reply;
use super::shape::Shape;
use crate::config::resolved::{self, Format, To};
use crate::journal::Claimed;
use crate::net::tls::Tls;
use crate::net::tls_advice;

/// A place in a broker or a database, ready to be sent to.
pub(super) struct Broker {
    shape: Shape,
    batch: usize,
    link: Box<dyn Link>,
}

/// The server of a kind. It connects when there is something to send, and again after a failure.
trait Link: Send + Sync {
    /// Hands messages over in their order; one reply for each, in order.
    fn send<'a>(&'a self, messages: &'a [Message<'a>]) -> Replies<'a>;
}

type Replies<'a> = Pin<Box<dyn Future<Output = Vec<Reply>> + Send + 'a>>;

impl Broker {
    pub(super) fn build(broker: &resolved::Broker) -> Result<Self, DestinationError> {
        if broker.concurrency == 0 || broker.batch == 0 {
            return Err(DestinationError::Concurrency);
        }
        if broker.timeout.min(broker.connect_timeout).is_zero() {
            return Err(DestinationError::Timeout);
        }
        let shape = Shape::build(broker.format, broker.transform.as_deref(), broker.timeout)?;
        let tls = tls(broker.ca.as_deref(), broker.client_cert.as_ref())?;
        Ok(Self { shape, batch: broker.batch, link: link(broker, tls)? })
    }

    pub(super) fn format(&self) -> Format {
        self.shape.format
    }

    pub(super) fn batch(&self) -> usize {
        self.batch
    }

    /// One reply for each delivery, in order; one that cannot be sent fails alone.
    pub(super) async fn deliver(&self, batch: &[Claimed], opener: &Arc<dyn Open>) -> Vec<Reply> {
        let prepared = join_all(batch.iter().map(|claimed| self.message(claimed, opener))).await;
        let (mut messages, mut replies) = (Vec::with_capacity(batch.len()), Vec::with_capacity(batch.len()));
        for message in prepared {
            match message {
                Ok(message) => {
                    messages.push(message);
                    replies.push(None);
                }
                Err(reply) => replies.push(Some(reply)),
            }
        }
        let sent = if messages.is_empty() { Vec::new() } else { self.link.send(&messages).await };
        let mut sent = sent.into_iter();
        let untold = || Reply::Failed("nothing came of it".into());
        replies.into_iter().map(|reply| reply.or_else(|| sent.next()).unwrap_or_else(untold)).collect()
    }

    async fn message<'a>(&self, claimed: &'a Claimed, opener: &Arc<dyn Open>) -> Result<Message<'a>, Reply> {
        let event = opened(&claimed.event, self.shape.format, opener).await;
        match self.shape.payload(&event, &claimed.request).await {
            Ok(Some(payload)) => Ok(Message::new(&claimed.event, self.shape.format, payload)),
            Ok(None) => Err(Reply::Skipped),
            Err(error) => Err(Reply::Unsent(error)),
        }
    }
}

fn link(broker: &resolved::Broker, tls: Tls) -> Result<Box<dyn Link>, DestinationError> {
    match &broker.to {
        #[cfg(feature = "nats")]
        To::Nats { subject, credentials } => {
            Ok(Box::new(nats::Nats::build(broker, subject, credentials.clone(), tls)?))
        }
        #[cfg(feature = "postgres")]
        To::Postgres { table, columns } => Ok(Box::new(postgres::Postgres::build(broker, table, columns, tls)?)),
        #[cfg(feature = "redis")]
        To::Redis { stream, max_len } => Ok(Box::new(redis::Redis::build(broker, stream, *max_len, tls)?)),
        #[cfg(feature = "rabbitmq")]
        To::RabbitMq { exchange, routing_key } => {
            Ok(Box::new(rabbitmq::RabbitMq::build(broker, exchange, routing_key, tls)?))
        }
        #[allow(unreachable_patterns)]
        to => Err(DestinationError::NotBuiltIn(to.kind())),
    }
}

/// An error with its causes, and what to do about one of TLS; a cause that repeats what was said is left out.
fn words(error: &(dyn Error + 'static)) -> String {
    let (mut words, mut cause) = (error.to_string(), error.source());
    let advice = tls_advice(error);
    while let Some(error) = cause {
        let more = error.to_string();
        if !words.contains(&more) {
            words = format!("{words}: {more}");
        }
        cause = error.source();
    }
    advice.map_or_else(|| words.clone(), |advice| format!("{words}: {advice}"))
}
