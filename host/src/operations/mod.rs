//! Operations: calls to a provider, because somebody asks (`hookport call`, the admin API) or because it is time (`poll`).
//!
//! What to send and what an answer means is the plugin's code's to say, or the description's; signing is the provider's
//! `outgoing`, connections and repeats are `send`'s. Bounds are here: a plugin that always wants more ends with an error
//! that says so.

mod changes;
mod poll;
mod schema;
mod send;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hookport_plugin_api::description::Operation;
use tokio::time::sleep;

pub use self::poll::run as poll;
use self::send::{LONGEST_PAUSE, Line, Reply};
use crate::clock::Clock;
use crate::net::retry_after;
use crate::plugin::{Answer, Fault, FaultKind, Native, OpResult};
use crate::provider::complaint::did_you_mean;
use crate::provider::json::{Document, Kind};
use crate::provider::outgoing::{Call, Judged, Plan, Unmade};
pub use crate::provider::outgoing::{Draft, Moment};
use crate::provider::source::Source;

/// A plugin may want more so often.
const ROUNDS: usize = 200;
/// Requests of one call, repeats not counted.
const REQUESTS: usize = 2_000;
/// Bytes of the answers of one call.
const BYTES: usize = 64 << 20;
/// Tries where the description does not say how many.
const TRIES: u32 = 3;

/// What can be called, by source.
#[derive(Default)]
pub struct Operations {
    callers: BTreeMap<Arc<str>, Caller>,
}

/// A source whose provider can be called.
struct Caller {
    source: Arc<Source>,
    native: Option<Arc<Native>>,
    settings: String,
    line: Line,
}

/// What an operation gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// A JSON document, as the plugin wrote it.
    pub json: String,
}

/// Why an operation gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The source or the operation is not there.
    #[error("{0}")]
    Unknown(String),
    /// The input is not what the operation takes.
    #[error("{0}")]
    Input(String),
    /// The provider said no; in its own words.
    #[error("{0}")]
    Refused(String),
    /// The provider wants to be asked later than we wait.
    #[error("the provider wants to be asked again in {0} seconds")]
    Later(u32),
    /// More than an operation may do.
    #[error("the operation came to no end: {0}")]
    Endless(String),
    /// The source or the description does not allow the request.
    #[error("the request cannot be made: {0}")]
    Unmade(String),
    /// The plugin's requests cannot be sent.
    #[error("the plugin planned a request that cannot be sent: {0}")]
    Plan(String),
    /// The plugin failed.
    #[error("{0}")]
    Fault(#[from] Fault),
}

impl Operations {
    /// Makes the sources ready to be called; `native` finds a provider's code by its id.
    pub fn new<'s>(
        sources: impl Iterator<Item = &'s Arc<Source>>,
        native: impl Fn(&str) -> Option<Arc<Native>>,
        clock: &Clock,
    ) -> Self {
        let caller = |source: &Arc<Source>| {
            let caller = Caller {
                source: source.clone(),
                native: native(&source.provider.id),
                settings: source.settings_json(),
                line: Line::new(source.clone(), clock.clone()),
            };
            (source.name.clone(), caller)
        };
        Self { callers: sources.map(caller).collect() }
    }

    /// Runs an operation with an input, which is JSON.
    pub async fn call(&self, source: &str, operation: &str, input: &str) -> Result<Output, CallError> {
        let (caller, operation) = self.find(source, operation)?;
        caller.call(operation, input).await.inspect_err(|error| caller.report(operation, error))
    }

    /// The first requests that an operation would send, signed, with `***` in place of every secret. Nothing is sent.
    pub fn show(&self, source: &str, operation: &str, input: &str, moment: &Moment) -> Result<Vec<Draft>, CallError> {
        let (caller, operation) = self.find(source, operation)?;
        caller.show(operation, input, moment)
    }

    /// The source and the operation of these names.
    fn find(&self, source: &str, operation: &str) -> Result<(&Caller, &Operation), CallError> {
        let unknown = |what: &str, name: &str, known: Vec<&str>| {
            let advice = match did_you_mean(name, known.iter().copied()) {
                none if none.is_empty() => format!("; there are: {}", known.join(", ")),
                meant => meant,
            };
            CallError::Unknown(format!("there is no {what} \"{name}\"{advice}"))
        };
        let Some(caller) = self.callers.get(source) else {
            return Err(match self.callers.is_empty() {
                true => CallError::Unknown(format!("there is no source \"{source}\": none is configured")),
                false => unknown("source", source, self.callers.keys().map(|name| &**name).collect()),
            });
        };
        let operations = &caller.source.provider.description.operations;
        if operations.is_empty() {
            let provider = &caller.source.provider.id;
            return Err(CallError::Unknown(format!("\"{source}\" cannot be called: {provider} has no operations")));
        }
        let found = operations.iter().find(|known| known.id == operation);
        let known = || operations.iter().map(|known| known.id.as_str()).collect();
        found.map(|found| (caller, found)).ok_or_else(|| unknown("operation", operation, known()))
    }
}

impl CallError {
    /// `built`: by a plugin's code.
    fn unmade(unmade: Unmade, built: bool) -> Self {
        match unmade {
            Unmade::Input(why) => Self::Input(why),
            Unmade::Other(why) if built => Self::Plan(why),
            Unmade::Other(why) => Self::Unmade(why),
        }
    }
}

impl Caller {
    /// An operation's whole way: check, build, send, parse, and again while there is more.
    async fn call(&self, operation: &Operation, input: &str) -> Result<Output, CallError> {
        schema::check(operation, input)?;
        let mut plans = self.build(operation, input)?;
        let (mut replies, mut bounds) = (Vec::new(), Bounds::new(operation));
        loop {
            let before = replies.len();
            bounds.begin_round(&plans)?;
            for plan in &plans {
                replies.push(self.line.send(plan, operation).await?);
                bounds.count(replies.last())?;
            }
            match self.parse(operation, input, &replies)? {
                OpResult::Done(json) => return Ok(Output { json }),
                OpResult::More(more) => plans = more.into_iter().map(Plan::Built).collect(),
                OpResult::RetryAfter(seconds) => {
                    sleep(bounds.pause(seconds)?).await;
                    replies.truncate(before);
                }
                OpResult::Fail(words) => return Err(CallError::Refused(words)),
            }
        }
    }

    /// The plugin refuses an input before anything was sent.
    fn build(&self, operation: &Operation, input: &str) -> Result<Vec<Plan>, CallError> {
        let Some(native) = self.native() else {
            return match self.declared(operation)?.declared() {
                true => Ok(vec![Plan::Input(input.to_owned())]),
                false => Err(CallError::Unknown(format!(
                    "\"{}\" cannot be called: {} has neither [operations.request] nor code",
                    self.source.name, operation.id
                ))),
            };
        };
        match native.op_build(&operation.id, input, &self.settings) {
            Ok(plans) => Ok(plans.into_iter().map(Plan::Built).collect()),
            Err(fault) if fault.kind == FaultKind::Refused => Err(CallError::Input(fault.message)),
            Err(fault) => Err(fault.into()),
        }
    }

    fn parse(&self, operation: &Operation, input: &str, replies: &[Reply]) -> Result<OpResult, CallError> {
        let Some(native) = self.native() else { return self.judge(operation, replies.last()) };
        let answers: Vec<Answer<'_>> = replies.iter().map(Reply::answer).collect();
        Ok(native.op_parse(&operation.id, input, &self.settings, &answers)?)
    }

    /// What the description says of the answer.
    fn judge(&self, operation: &Operation, reply: Option<&Reply>) -> Result<OpResult, CallError> {
        let answer = match reply {
            Some(Reply::Answered(answer)) => answer,
            Some(Reply::Failed { words, .. }) => return Ok(OpResult::Fail(format!("no answer: {words}"))),
            None => return Ok(OpResult::Fail("no answer".to_owned())),
        };
        let asked = retry_after(&answer.headers, self.line.now());
        let judged =
            self.source.judge(self.declared(operation)?, answer.status.as_u16(), &answer.headers, &answer.body);
        Ok(match judged {
            Judged::Done(json) => OpResult::Done(json),
            Judged::Retry(after) => {
                OpResult::RetryAfter(asked.map_or(after, |asked| u32::try_from(asked.as_secs()).unwrap_or(u32::MAX)))
            }
            Judged::Failed(words) => OpResult::Fail(words),
        })
    }

    /// The code, where it has both functions of operations.
    fn native(&self) -> Option<&Native> {
        self.native.as_deref().filter(|native| native.operates())
    }

    fn declared(&self, operation: &Operation) -> Result<&Call, CallError> {
        let call = self.source.provider.calls.named(&operation.id);
        call.ok_or_else(|| CallError::Unknown(format!("there is no operation \"{}\"", operation.id)))
    }

    /// The first requests of an operation, for people.
    fn show(&self, operation: &Operation, input: &str, moment: &Moment) -> Result<Vec<Draft>, CallError> {
        schema::check(operation, input)?;
        let (plans, call) = (self.build(operation, input)?, self.declared(operation)?);
        let shown = |plan: &Plan| {
            let shown = self.source.show(call, plan, moment);
            shown.map_err(|unmade| CallError::unmade(unmade, matches!(plan, Plan::Built(_))))
        };
        plans.iter().map(shown).collect()
    }

    /// What the plugin's author must know goes to the log, too.
    fn report(&self, operation: &Operation, error: &CallError) {
        let (source, plugin, version) = (&*self.source.name, &*self.source.provider.id, &*self.source.provider.version);
        match error {
            CallError::Fault(fault) if fault.kind == FaultKind::Panic => {
                let location = fault.location.as_deref().unwrap_or("-");
                tracing::error!(source, operation = operation.id, plugin, version, location, "{error}");
            }
            CallError::Fault(_) | CallError::Plan(_) | CallError::Endless(_) => {
                tracing::warn!(source, operation = operation.id, plugin, version, "{error}");
            }
            _ => {}
        }
    }
}

impl Output {
    /// What failed of the whole, in the provider's own words: the output's `errors`.
    pub fn errors(&self) -> Vec<String> {
        let Ok(document) = Document::parse(self.json.as_bytes()) else { return Vec::new() };
        let Some(errors) = document.root().at(&["errors".to_owned()]) else { return Vec::new() };
        let words = |error: crate::provider::json::Value<'_>| match error.at(&["message".to_owned()]) {
            Some(message) => message.text().into_owned(),
            None => error.text().into_owned(),
        };
        match errors.kind() {
            Kind::Array => errors.children().map(words).collect(),
            _ if errors.is_empty() => Vec::new(),
            _ => vec![words(errors)],
        }
    }
}

/// What one call may still do.
struct Bounds {
    rounds: usize,
    requests: usize,
    bytes: usize,
    pauses: u32,
}

impl Bounds {
    fn new(operation: &Operation) -> Self {
        let pauses = operation.attempts.unwrap_or(TRIES).saturating_sub(1);
        Self { rounds: ROUNDS, requests: REQUESTS, bytes: BYTES, pauses }
    }

    fn begin_round(&mut self, plans: &[Plan]) -> Result<(), CallError> {
        let end = |what: String| Err(CallError::Endless(what));
        match (self.rounds.checked_sub(1), self.requests.checked_sub(plans.len())) {
            (None, _) => end(format!("its plugin wanted more after {ROUNDS} rounds of requests")),
            (_, None) => end(format!("its plugin wanted more than {REQUESTS} requests")),
            (Some(rounds), Some(requests)) => {
                (self.rounds, self.requests) = (rounds, requests);
                Ok(())
            }
        }
    }

    fn count(&mut self, reply: Option<&Reply>) -> Result<(), CallError> {
        let left = self.bytes.checked_sub(reply.map_or(0, Reply::len));
        self.bytes = left.ok_or_else(|| CallError::Endless(format!("its answers exceed {} MiB", BYTES >> 20)))?;
        Ok(())
    }

    fn pause(&mut self, seconds: u32) -> Result<Duration, CallError> {
        let pause = Duration::from_secs(seconds.into());
        self.pauses = self.pauses.checked_sub(1).filter(|_| pause <= LONGEST_PAUSE).ok_or(CallError::Later(seconds))?;
        Ok(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(json: &str) -> Vec<String> {
        Output { json: json.to_owned() }.errors()
    }

    #[test]
    fn errors_are_told_in_the_providers_words() {
        assert_eq!(errors(r#"{"errors":[{"numbers":["1"],"message":"未查询到"},"no"]}"#), ["未查询到", "no"]);
        assert_eq!(errors(r#"{"errors":[]}"#), Vec::<String>::new());
        assert_eq!(errors(r#"{"errors":null}"#), Vec::<String>::new());
        assert_eq!(errors(r#"{"errors":"down"}"#), ["down"]);
        assert_eq!(errors("[1]"), Vec::<String>::new());
    }
}
