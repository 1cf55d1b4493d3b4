//! Sending: a plan becomes a request, a request is tried until there is an answer or no more tries. What an answer means is
//! the plugin's; here is only whether it deserves another try.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hookport_plugin_api::description::Operation;
use http_body_util::Full;
use hyper::{Method, Request};
use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::time::sleep;

use super::CallError;
use super::bounds::TRIES;
use crate::clock::Clock;
use crate::net::{self, Client, SendError, retry_after};
use crate::plugin::{Answer, Header, RequestPlan};
use crate::provider::outgoing::{Draft, Moment, Plan, Unmade};
use crate::provider::source::Source;

/// A provider that asks for a longer pause is not waited for.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Nobody waits longer for one answer, whatever a plan says.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(600);
/// Before the second try; each further wait is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// Of one answer.
const MOST: usize = 16 << 20;
/// Requests of one source that are under way at once; more wait their turn.
const AT_ONCE: usize = 4;

/// The way to one source's provider.
pub(super) struct Line {
    source: Arc<Source>,
    client: Client,
    turns: Semaphore,
    clock: Clock,
}

/// What became of one plan.
pub(super) enum Reply {
    /// An answer, whatever it says.
    Answered(net::Answer),
    /// None, and why.
    Failed {
        words: String,
        /// Another try would end the same way.
        for_good: bool,
    },
}

impl Line {
    pub(super) fn new(source: Arc<Source>, clock: Clock) -> Self {
        let client = Client::new(source.allow_private);
        Self { source, client, turns: Semaphore::new(AT_ONCE), clock }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Sends what was planned; only what cannot be sent at all is an error. Every try is signed anew: a provider may refuse
    /// a nonce that it has seen.
    pub(super) async fn send(&self, plan: &Plan, operation: &Operation) -> Result<Reply, CallError> {
        let seconds = match plan {
            Plan::Built(RequestPlan { timeout_s: Some(seconds), .. }) => u64::from(*seconds),
            _ => operation.timeout_s,
        };
        let limit = Duration::from_secs(seconds.max(1)).min(LONGEST_TIMEOUT);
        let mut attempt = 1;
        loop {
            // Nobody closes the semaphore, and without a turn there is no harm either. What waits for it is not signed yet.
            let turn = self.turns.acquire().await;
            let request = self.request(plan, operation).await?;
            let tries = tries(operation, request.method());
            let reply = self.once(request, limit).await;
            drop(turn);
            match self.again(&reply, attempt).filter(|_| attempt < tries) {
                Some(wait) => sleep(wait).await,
                None => return Ok(reply),
            }
            attempt += 1;
        }
    }

    async fn request(&self, plan: &Plan, operation: &Operation) -> Result<Request<Full<Bytes>>, CallError> {
        let (source, plan, id) = (self.source.clone(), plan.clone(), operation.id.clone());
        let moment = Moment { now: self.clock.now(), nonce: None };
        let built = matches!(plan, Plan::Built(_));
        let made = make(source, plan, id, moment).await.and_then(|draft| Ok(draft.parts()?));
        let (method, uri, headers, body) = made.map_err(|unmade| CallError::unmade(unmade, built))?;
        let mut request = Request::new(Full::new(body));
        (*request.method_mut(), *request.uri_mut(), *request.headers_mut()) = (method, uri, headers);
        Ok(request)
    }

    async fn once(&self, request: Request<Full<Bytes>>, limit: Duration) -> Reply {
        match self.client.send(request, MOST, limit).await {
            Ok(answer) if answer.whole => Reply::Answered(answer),
            Ok(answer) if answer.body.len() == MOST => {
                Reply::Failed { words: format!("the answer is longer than {} MiB", MOST >> 20), for_good: true }
            }
            Ok(_) => {
                Reply::Failed { words: format!("the answer broke off or took longer than {limit:?}"), for_good: false }
            }
            Err(error) => Reply::Failed { words: error.to_string(), for_good: matches!(error, SendError::Refused(_)) },
        }
    }

    /// How long to wait before another try, where one could help.
    fn again(&self, reply: &Reply, attempt: u32) -> Option<Duration> {
        let asked = match reply {
            Reply::Failed { for_good: true, .. } => return None,
            Reply::Failed { .. } => None,
            Reply::Answered(answer) if answer.status.as_u16() == 429 || answer.status.is_server_error() => {
                retry_after(&answer.headers, self.clock.now())
            }
            Reply::Answered(_) => return None,
        };
        let doubled = FIRST_WAIT * 2_u32.saturating_pow(attempt - 1).min(64);
        let wait = asked.unwrap_or_else(|| doubled.mul_f64(0.8 + 0.4 * rand::random::<f64>()));
        Some(wait).filter(|wait| *wait <= LONGEST_PAUSE)
    }
}

impl Reply {
    /// As a plugin sees it.
    pub(super) fn answer(&self) -> Answer<'_> {
        match self {
            Self::Answered(answer) => Answer {
                status: answer.status.as_u16(),
                headers: answer
                    .headers
                    .iter()
                    .map(|(name, value)| Header { name: name.as_str(), value: value.as_bytes() })
                    .collect(),
                body: Cow::Borrowed(&answer.body),
                error: None,
            },
            Self::Failed { words, .. } => {
                Answer { status: 0, headers: Vec::new(), body: Cow::Borrowed(&[]), error: Some(Cow::Borrowed(words)) }
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Answered(answer) => answer.body.len(),
            Self::Failed { words, .. } => words.len(),
        }
    }
}

/// Makes a request and signs it, off the async threads where that takes its time.
async fn make(source: Arc<Source>, plan: Plan, operation: String, moment: Moment) -> Result<Draft, Unmade> {
    let costly = source.provider.calls.named(&operation).is_some_and(|call| source.signs_costly(call));
    let make = move || match source.provider.calls.named(&operation) {
        Some(call) => source.make(call, &plan, &moment),
        None => Err(Unmade::Other(format!("there is no operation \"{operation}\""))),
    };
    match costly {
        false => make(),
        true => tokio::task::spawn_blocking(make).await.unwrap_or_else(|error| Err(error.to_string().into())),
    }
}

/// A request that may do something twice is tried once, unless the description says how often it may be tried.
fn tries(operation: &Operation, method: &Method) -> u32 {
    let unsaid = if method.is_idempotent() { TRIES } else { 1 };
    operation.attempts.unwrap_or(unsaid).max(1)
}
