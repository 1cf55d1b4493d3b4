//! RabbitMQ: a delivery is a persistent message, delivered when the broker has confirmed it and a queue has taken it. The broker
//! knows no repeats; the event's id is the message's.

mod runtime;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::uri::AMQPUri;
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, ErrorKind, PublisherConfirm};
use tokio::time::{Instant, timeout_at};

use super::message::Message;
use super::name::{Name, dotted};
use super::session::Slot;
use super::{Link, Replies, words};
use crate::config::resolved::{self, BrokerServer};
use crate::config::template::Template;
use crate::net::tls::Tls;
use crate::outbound::destination::DestinationError;
use crate::outbound::judge::Reply;

/// The protocol counts the bytes of a routing key in one.
const LONGEST_KEY: usize = 255;

/// What AMQP calls a message that is written to disk.
const PERSISTENT: u8 = 2;

pub(super) struct RabbitMq {
    server: BrokerServer,
    uri: AMQPUri,
    tls: Option<Arc<rustls::ClientConfig>>,
    exchange: ShortString,
    routing_key: Name,
    timeout: Duration,
    slot: Slot<Connection>,
}

impl RabbitMq {
    pub(super) fn build(
        broker: &resolved::Broker,
        exchange: &str,
        routing_key: &Template,
        tls: Tls,
    ) -> Result<Self, DestinationError> {
        let uri: AMQPUri =
            broker.server.url().as_str().parse().map_err(|error| DestinationError::Client("url", error))?;
        let wrong = |_| DestinationError::Client("exchange", "it is longer than 255 bytes".into());
        let encrypted = broker.server.url().scheme() == "amqps";
        Ok(Self {
            server: broker.server.clone(),
            uri,
            tls: encrypted.then(|| Arc::new(tls.config())),
            exchange: ShortString::try_new(exchange).map_err(wrong)?,
            routing_key: Name::compile("routing_key", routing_key)?,
            timeout: broker.timeout,
            slot: Slot::new(broker.connect_timeout),
        })
    }

    async fn connect(&self) -> Result<Connection, String> {
        let properties = ConnectionProperties::default().with_connection_name("hookport".into());
        let connecting = runtime::connect(&self.server, self.uri.clone(), self.tls.clone(), properties).await;
        connecting.map_err(|error| {
            let advice = match error.kind() {
                ErrorKind::ProtocolError(_) => {
                    ": is the user in `url` there, with this password, and may it enter this vhost?"
                }
                _ => "",
            };
            format!("no connection to RabbitMQ at {}: {}{advice}", self.server.shown(), words(&error))
        })
    }

    async fn send(&self, messages: &[Message<'_>]) -> Vec<Reply> {
        let connection = match self.slot.get(|connection| connection.status().connected(), self.connect()).await {
            Ok(connection) => connection,
            Err(error) => return vec![Reply::Failed(error); messages.len()],
        };
        let deadline = Instant::now() + self.timeout;
        let replies = match timeout_at(deadline, open(&connection)).await {
            Ok(Ok(channel)) => {
                let replies = self.publish_all(&channel, messages, deadline).await;
                // It closes with the last of its handles where this does not.
                let _ = timeout_at(deadline, channel.close(200, "sent".into())).await;
                replies
            }
            Ok(Err(error)) => vec![self.failed(&error); messages.len()],
            Err(_) => vec![self.late(); messages.len()],
        };
        if replies.iter().any(|reply| matches!(reply, Reply::Failed(_))) {
            self.slot.forget(&connection).await;
        }
        replies
    }

    /// A message that no queue takes comes back with some confirmation of the channel, and is known by its id.
    async fn publish_all(&self, channel: &Channel, messages: &[Message<'_>], deadline: Instant) -> Vec<Reply> {
        let mut published = Vec::with_capacity(messages.len());
        for message in messages {
            published.push(self.publish(channel, message, deadline).await);
        }
        let confirmed = published.into_iter().map(|published| self.confirmed(published, deadline));
        let (mut replies, mut returned) = (Vec::with_capacity(messages.len()), HashSet::new());
        for (reply, back) in join_all(confirmed).await {
            replies.push(reply);
            returned.extend(back);
        }
        if let Ok(Ok(rest)) = timeout_at(deadline, channel.wait_for_confirms()).await {
            returned.extend(rest.iter().filter_map(|back| id(&back.delivery.properties)));
        }
        for (reply, message) in replies.iter_mut().zip(messages) {
            if *reply == Reply::Written && returned.contains(&message.id) {
                *reply = Reply::Refused(
                    "no queue takes this routing key: bind one to the exchange, or mend `routing_key`".into(),
                );
            }
        }
        replies
    }

    async fn publish(
        &self,
        channel: &Channel,
        message: &Message<'_>,
        deadline: Instant,
    ) -> Result<PublisherConfirm, Reply> {
        let unsent = |error: String| Reply::Unsent(format!("routing_key: {error}"));
        let key = self.routing_key.of(message.event, dotted).map_err(unsent)?;
        let long = |_| unsent(format!("it is longer than {LONGEST_KEY} bytes"));
        let key = ShortString::try_new(key).map_err(long)?;
        let options = BasicPublishOptions { mandatory: true, immediate: false };
        let publishing = channel.basic_publish(self.exchange.clone(), key, options, &message.body, properties(message));
        match timeout_at(deadline, publishing).await {
            Ok(published) => published.map_err(|error| self.failed(&error)),
            Err(_) => Err(self.late()),
        }
    }

    /// With the id of a message that came back with it.
    async fn confirmed(
        &self,
        published: Result<PublisherConfirm, Reply>,
        deadline: Instant,
    ) -> (Reply, Option<String>) {
        let confirm = match published {
            Ok(confirm) => confirm,
            Err(reply) => return (reply, None),
        };
        match timeout_at(deadline, confirm).await {
            Ok(Ok(confirmation)) => {
                let reply = match &confirmation {
                    Confirmation::Ack(_) => Reply::Written,
                    _ => Reply::Refused(
                        "the broker does not take it (a negative acknowledgement): is the queue full?".into(),
                    ),
                };
                (reply, confirmation.take_message().and_then(|back| id(&back.delivery.properties)))
            }
            Ok(Err(error)) => (self.failed(&error), None),
            Err(_) => (self.late(), None),
        }
    }

    fn failed(&self, error: &lapin::Error) -> Reply {
        let words = words(error);
        let advice = match words.contains("NOT_FOUND") {
            true => ": declare the exchange, or mend `exchange`",
            false => "",
        };
        Reply::Failed(format!("RabbitMQ at {}: {words}{advice}", self.server.shown()))
    }

    fn late(&self) -> Reply {
        Reply::Failed(format!("RabbitMQ did not confirm within {:?}", self.timeout))
    }
}

impl Link for RabbitMq {
    fn send<'a>(&'a self, messages: &'a [Message<'a>]) -> Replies<'a> {
        Box::pin(self.send(messages))
    }
}

async fn open(connection: &Connection) -> Result<Channel, lapin::Error> {
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    Ok(channel)
}

fn id(properties: &BasicProperties) -> Option<String> {
    properties.message_id().as_ref().map(ToString::to_string)
}

fn properties(message: &Message<'_>) -> BasicProperties {
    let mut headers = FieldTable::default();
    for (name, value) in message.described("cloudEvents:") {
        if let Ok(name) = ShortString::try_new(name) {
            headers.insert(name, AMQPValue::LongString(value.into()));
        }
    }
    let properties = BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_message_id(message.id.as_str().into())
        .with_app_id("hookport".into())
        .with_headers(headers);
    match ShortString::try_new(message.content_type.as_str()) {
        Ok(content_type) => properties.with_content_type(content_type),
        Err(_) => properties,
    }
}
