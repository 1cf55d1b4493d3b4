//! Sending: a plan becomes a request, a request is tried until there is an answer or no more tries. What an answer means is
//! the plugin's; here is only whether it deserves another try.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hookport_plugin_api::description::Operation;
use http_body_util::Full;
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, TE, TRANSFER_ENCODING, UPGRADE, USER_AGENT,
};
use hyper::{Method, Request, Uri};
use secrecy::ExposeSecret;
use tokio::sync::Semaphore;
use tokio::time::sleep;
use url::Url;

use super::{CallError, TRIES};
use crate::clock::Clock;
use crate::net::{self, Client, SendError, retry_after};
use crate::plugin::{Answer, Header, RequestPlan};
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
const AGENT: &str = concat!("hookport/", env!("CARGO_PKG_VERSION"));
/// What a plan may not say, because the connection is the host's.
const OURS: [HeaderName; 6] = [HOST, CONTENT_LENGTH, CONNECTION, TRANSFER_ENCODING, TE, UPGRADE];

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

    /// Sends a plan; only a plan that cannot be sent at all is an error.
    pub(super) async fn send(&self, plan: &RequestPlan, operation: &Operation) -> Result<Reply, CallError> {
        let request = self.request(plan).map_err(CallError::Plan)?;
        let seconds = plan.timeout_s.map_or(operation.timeout_s, u64::from);
        let limit = Duration::from_secs(seconds.max(1)).min(LONGEST_TIMEOUT);
        let tries = tries(operation, request.method());
        let mut attempt = 1;
        loop {
            let reply = self.once(request.clone(), limit).await;
            match self.again(&reply, attempt).filter(|_| attempt < tries) {
                Some(wait) => sleep(wait).await,
                None => return Ok(reply),
            }
            attempt += 1;
        }
    }

    async fn once(&self, request: Request<Full<Bytes>>, limit: Duration) -> Reply {
        // Nobody closes the semaphore, and without a turn there is no harm either.
        let _turn = self.turns.acquire().await;
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

    fn request(&self, plan: &RequestPlan) -> Result<Request<Full<Bytes>>, String> {
        let method =
            Method::from_bytes(plan.method.as_bytes()).map_err(|_| format!("{:?} is no method", plan.method))?;
        let mut request = Request::new(Full::new(Bytes::copy_from_slice(&plan.body)));
        *request.method_mut() = method;
        *request.uri_mut() = target(&plan.url)?;
        *request.headers_mut() = self.headers(&plan.headers)?;
        Ok(request)
    }

    fn headers(&self, planned: &[(String, String)]) -> Result<HeaderMap, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in planned {
            let header = HeaderName::try_from(name).map_err(|_| format!("{name:?} is no header's name"))?;
            if OURS.contains(&header) {
                return Err(format!("the header {name} is the gateway's own"));
            }
            let filled = filled(value, &self.source)?;
            let mut value =
                HeaderValue::try_from(&*filled).map_err(|_| format!("the header {name} has no header's value"))?;
            value.set_sensitive(matches!(filled, Cow::Owned(_)));
            headers.append(header, value);
        }
        headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(AGENT));
        Ok(headers)
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

/// A request that may do something twice is tried once, unless the description says how often it may be tried.
fn tries(operation: &Operation, method: &Method) -> u32 {
    let unsaid = if method.is_idempotent() { TRIES } else { 1 };
    operation.attempts.unwrap_or(unsaid).max(1)
}

fn target(url: &str) -> Result<Uri, String> {
    let mut parsed = Url::parse(url).map_err(|error| format!("{url:?} is no URL: {error}"))?;
    if !matches!(parsed.scheme(), "http" | "https") {
        return Err(format!("{url:?} does not begin with http:// or https://"));
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err("the URL holds credentials, which belong into a header".to_owned());
    }
    parsed.set_fragment(None);
    Uri::try_from(parsed.as_str()).map_err(|error| format!("{url:?} is no URL: {error}"))
}

/// A header's value with the source's secrets in place of `${secret:NAME}`, so that no plugin sees a credential.
fn filled<'v>(value: &'v str, source: &Source) -> Result<Cow<'v, str>, String> {
    const OPEN: &str = "${secret:";
    let mut filled = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once(OPEN) {
        let (name, after) = after.split_once('}').ok_or("a header's value has ${secret: without an end")?;
        let secret = source.secrets().find(|(known, _)| *known == name);
        let (_, secret) = secret.ok_or_else(|| format!("it needs secrets.{name}, which the source does not set"))?;
        filled.push_str(before);
        filled.push_str(secret.expose_secret());
        rest = after;
    }
    Ok(if rest.len() == value.len() { Cow::Borrowed(value) } else { Cow::Owned(filled + rest) })
}
