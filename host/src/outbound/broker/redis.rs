//! Redis Streams: a delivery is an entry, delivered when the server has told its id. Redis knows no repeats, so after a failure
//! an event may be there twice, and what it confirmed is as durable as its `appendfsync`.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use percent_encoding::percent_decode_str;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, RedisConnectionInfo, RedisError};
use tokio::task::AbortHandle;

use super::message::Message;
use super::name::Name;
use super::session::Slot;
use super::{Link, Replies, words};
use crate::config::resolved::{self, BrokerServer};
use crate::config::template::Template;
use crate::net::stream;
use crate::net::tls::Tls;
use crate::outbound::destination::DestinationError;
use crate::outbound::judge::Reply;

const PORT: u16 = 6379;

pub(super) struct Redis {
    server: BrokerServer,
    tls: Option<Arc<rustls::ClientConfig>>,
    stream: Name,
    max_len: Option<u64>,
    timeout: Duration,
    slot: Slot<Session>,
}

struct Session {
    connection: MultiplexedConnection,
    driver: AbortHandle,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Redis {
    pub(super) fn build(
        broker: &resolved::Broker,
        stream: &Template,
        max_len: Option<u64>,
        tls: Tls,
    ) -> Result<Self, DestinationError> {
        let encrypted = broker.server.url().scheme() == "rediss";
        Ok(Self {
            server: broker.server.clone(),
            tls: encrypted.then(|| Arc::new(tls.config())),
            stream: Name::compile("stream", stream)?,
            max_len,
            timeout: broker.timeout,
            slot: Slot::new(broker.connect_timeout),
        })
    }

    async fn connect(&self) -> Result<Session, String> {
        let (url, shown) = (self.server.url(), self.server.shown());
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let mut login = RedisConnectionInfo::default();
        if let Some(password) = url.password() {
            login = login.set_password(decoded(password));
            if !url.username().is_empty() {
                login = login.set_username(decoded(url.username()));
            }
        }
        match url.path().trim_start_matches('/') {
            "" => {}
            number => {
                login = login.set_db(number.parse().map_err(|_| "url: its path is a database's number".to_owned())?)
            }
        }
        let stream = stream::connect(url, PORT, self.tls.clone()).await;
        let stream = stream.map_err(|error| format!("no connection to Redis at {shown}: {}", words(&error)))?;
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(self.timeout));
        let (connection, driver) = MultiplexedConnection::new_with_config(&login, stream, config)
            .await
            .map_err(|error| format!("Redis at {shown} does not let the gateway in: {}", words(&error)))?;
        Ok(Session { connection, driver: tokio::spawn(driver).abort_handle() })
    }

    async fn send(&self, messages: &[Message<'_>]) -> Vec<Reply> {
        let session = match self.slot.get(|session| !session.driver.is_finished(), self.connect()).await {
            Ok(session) => session,
            Err(error) => return vec![Reply::Failed(error); messages.len()],
        };
        let replies = join_all(messages.iter().map(|message| self.add(&session, message))).await;
        if replies.iter().any(|reply| matches!(reply, Reply::Failed(_))) {
            self.slot.forget(&session).await;
        }
        replies
    }

    async fn add(&self, session: &Session, message: &Message<'_>) -> Reply {
        // Nothing in a key has a meaning.
        let stream = match self.stream.of(message.event, |value, _| value.to_owned()) {
            Ok(stream) => stream,
            Err(error) => return Reply::Unsent(format!("stream: {error}")),
        };
        let mut connection = session.connection.clone();
        match self.command(&stream, message).query_async::<String>(&mut connection).await {
            Ok(_) => Reply::Written,
            Err(error) => self.reply(&error),
        }
    }

    fn command(&self, stream: &str, message: &Message<'_>) -> Cmd {
        let mut command = redis::cmd("XADD");
        command.arg(stream);
        if let Some(most) = self.max_len {
            command.arg("MAXLEN").arg("~").arg(most);
        }
        command.arg("*").arg("id").arg(&message.id);
        for (name, value) in message.attributes.iter().filter(|(name, _)| *name != "id") {
            command.arg(*name).arg(value);
        }
        for (name, value) in &message.headers {
            command.arg(format!("http-{name}")).arg(value);
        }
        command.arg("content-type").arg(&message.content_type).arg("payload").arg(&*message.body);
        command
    }

    fn reply(&self, error: &RedisError) -> Reply {
        match error.code() {
            Some("WRONGTYPE") => Reply::Refused("the key in `stream` holds something else than a stream".into()),
            Some(_) => Reply::Failed(words(error)),
            None => Reply::Failed(format!("Redis at {} did not answer: {}", self.server.shown(), words(error))),
        }
    }
}

impl Link for Redis {
    fn send<'a>(&'a self, messages: &'a [Message<'a>]) -> Replies<'a> {
        Box::pin(self.send(messages))
    }
}
