//! NATS JetStream: a message is delivered when the stream has acknowledged it, and the stream drops a repeat by the event's id.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::context::{Context, ContextBuilder, PublishAckFuture, PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::{ConnectError, ConnectErrorKind, ConnectOptions, Event, HeaderMap, HeaderName, HeaderValue};
use futures_util::future::join_all;
use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::watch;

use super::message::Message;
use super::name::{Name, dotted};
use super::session::Slot;
use super::{Link, Replies, words};
use crate::config::resolved::{self, BrokerServer};
use crate::config::template::Template;
use crate::net::tls::Tls;
use crate::outbound::destination::DestinationError;
use crate::outbound::judge::Reply;

/// The line that a subject stands in is 4096 bytes at most unless the server says otherwise.
const LONGEST_SUBJECT: usize = 1024;

pub(super) struct Nats {
    server: BrokerServer,
    credentials: Option<SecretString>,
    tls: rustls::ClientConfig,
    subject: Name,
    timeout: Duration,
    slot: Slot<Session>,
}

struct Session {
    context: Context,
    state: watch::Receiver<State>,
}

/// What the server told besides acknowledgements.
#[derive(Default)]
struct State {
    lost: bool,
    said: Option<String>,
}

impl Nats {
    pub(super) fn build(
        broker: &resolved::Broker,
        subject: &Template,
        credentials: Option<SecretString>,
        tls: Tls,
    ) -> Result<Self, DestinationError> {
        if let Some(credentials) = &credentials {
            let wrong = |error: std::io::Error| DestinationError::Client("credentials", error.to_string());
            ConnectOptions::with_credentials(credentials.expose_secret()).map_err(wrong)?;
        }
        Ok(Self {
            server: broker.server.clone(),
            credentials,
            tls: tls.config(),
            subject: Name::compile("subject", subject)?,
            timeout: broker.timeout,
            slot: Slot::new(broker.connect_timeout),
        })
    }

    async fn connect(&self) -> Result<Session, String> {
        let shown = self.server.shown();
        let (told, state) = watch::channel(State::default());
        let told = Arc::new(told);
        let url = self.server.url();
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let mut options = ConnectOptions::new().name("hookport").tls_client_config(self.tls.clone());
        options = match (url.username(), url.password()) {
            ("", _) => options,
            (token, None) => options.token(decoded(token)),
            (user, Some(password)) => options.user_and_password(decoded(user), decoded(password)),
        };
        if let Some(credentials) = &self.credentials {
            let wrong = |error: std::io::Error| format!("credentials: {error}");
            options = options.credentials(credentials.expose_secret()).map_err(wrong)?;
        }
        // One that is lost is not mended but made anew, so that nothing waits in it that was given up here.
        options = options.max_reconnects(1).event_callback(move |event| {
            told.send_modify(|state| match event {
                Event::Disconnected | Event::Closed | Event::Draining => state.lost = true,
                Event::ServerError(error) => state.said = Some(error.to_string()),
                _ => {}
            });
            async {}
        });
        let mut bare = url.clone();
        // Both only fail on addresses without a host.
        let _ = bare.set_username("");
        let _ = bare.set_password(None);
        let client = options.connect(bare.as_str()).await.map_err(|error| refused(&shown, &error))?;
        let context = ContextBuilder::new().timeout(self.timeout).build(client);
        Ok(Session { context, state })
    }

    async fn send(&self, messages: &[Message<'_>]) -> Vec<Reply> {
        let session = match self.slot.get(|session| !session.state.borrow().lost, self.connect()).await {
            Ok(session) => session,
            Err(error) => return vec![Reply::Failed(error); messages.len()],
        };
        let mut published = Vec::with_capacity(messages.len());
        for message in messages {
            published.push(self.publish(&session, message).await);
        }
        let replies = join_all(published.into_iter().map(|published| self.confirmed(&session, published))).await;
        if replies.iter().any(|reply| matches!(reply, Reply::Failed(_))) {
            self.slot.forget(&session).await;
        }
        replies
    }

    async fn publish(&self, session: &Session, message: &Message<'_>) -> Result<PublishAckFuture, Reply> {
        let subject = self.subject.of(message.event, dotted).map_err(|error| unsent(&error))?;
        if subject.len() > LONGEST_SUBJECT {
            return Err(unsent(&format!("it has {} bytes, and {LONGEST_SUBJECT} are the most", subject.len())));
        }
        let publish = PublishMessage::build().headers(headers(message)).message_id(&message.id);
        let publish = publish.payload(message.body.clone());
        let sent = session.context.send_publish(subject, publish).await;
        sent.map_err(|error| self.reply(session, &error))
    }

    async fn confirmed(&self, session: &Session, published: Result<PublishAckFuture, Reply>) -> Reply {
        let acknowledged = match published {
            Ok(published) => published,
            Err(reply) => return reply,
        };
        let mut state = session.state.clone();
        tokio::select! {
            acknowledged = acknowledged.into_future() => match acknowledged {
                Ok(_) => Reply::Written,
                Err(error) => self.reply(session, &error),
            },
            _ = state.wait_for(|state| state.lost) => {
                Reply::Failed(format!("the connection to NATS at {} was lost before it acknowledged", self.server.shown()))
            }
        }
    }

    fn reply(&self, session: &Session, error: &PublishError) -> Reply {
        let said = session.state.borrow().said.clone().map(|said| format!("; the server said: {said}"));
        let said = said.unwrap_or_default();
        match error.kind() {
            PublishErrorKind::StreamNotFound => Reply::Refused(
                "no stream of JetStream takes this subject: make one, such as `nats stream add EVENTS --subjects 'events.>'`, \
                 or mend `subject`"
                    .into(),
            ),
            PublishErrorKind::TimedOut => Reply::Failed(format!("no acknowledgement within {:?}{said}", self.timeout)),
            PublishErrorKind::BrokenPipe | PublishErrorKind::MaxAckPending => {
                Reply::Failed(format!("{}{said}", words(error)))
            }
            PublishErrorKind::MaxPayloadExceeded
            | PublishErrorKind::WrongLastMessageId
            | PublishErrorKind::WrongLastSequence
            | PublishErrorKind::Other => Reply::Refused(words(error)),
        }
    }
}

impl Link for Nats {
    fn send<'a>(&'a self, messages: &'a [Message<'a>]) -> Replies<'a> {
        Box::pin(self.send(messages))
    }
}

fn unsent(error: &str) -> Reply {
    Reply::Unsent(format!("subject: {error}"))
}

/// Everything in them is visible ASCII, and no name of the provider's can be one of the server's own.
fn headers(message: &Message<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("Content-Type", HeaderValue::from(escaped(&message.content_type).as_str()));
    for (name, value) in message.described("ce-") {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
            headers.append(name, value);
        }
    }
    headers
}

fn escaped(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

fn refused(shown: &str, error: &ConnectError) -> String {
    let advice = match error.kind() {
        ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => {
            ": the name and password in `url` (or `password`), or `credentials`, are not those of a user there"
        }
        _ => "",
    };
    format!("no connection to NATS at {shown}: {}{advice}", words(error))
}
