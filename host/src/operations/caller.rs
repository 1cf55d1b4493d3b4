//! One source's provider, ready to be called: by its code where it has both functions of operations, else by its description.

use std::sync::Arc;

use hookport_plugin_api::description::Operation;
use tokio::time::sleep;

use super::bounds::Bounds;
use super::send::{Line, Reply};
use super::{CallError, Output, schema};
use crate::clock::Clock;
use crate::net::retry_after;
use crate::plugin::{Answer, Code, FaultKind, OpResult};
use crate::provider::outgoing::{Call, Draft, Judged, Moment, Plan};
use crate::provider::source::Source;

/// A source whose provider can be called.
pub(super) struct Caller {
    pub(super) source: Arc<Source>,
    code: Option<Arc<Code>>,
    settings: String,
    line: Line,
}

impl Caller {
    pub(super) fn new(source: &Arc<Source>, code: Option<Arc<Code>>, clock: &Clock) -> Self {
        let line = Line::new(source.clone(), clock.clone());
        Self { source: source.clone(), code, settings: source.settings_json(), line }
    }

    /// An operation's whole way: check, build, send, parse, and again while there is more.
    pub(super) async fn call(&self, operation: &Operation, input: &str) -> Result<Output, CallError> {
        schema::check(operation, input)?;
        let mut plans = self.build(operation, input).await?;
        let (mut replies, mut bounds) = (Vec::new(), Bounds::new(operation));
        loop {
            let before = replies.len();
            bounds.begin_round(&plans)?;
            for plan in &plans {
                replies.push(self.line.send(plan, operation).await?);
                bounds.count(replies.last())?;
            }
            match self.parse(operation, input, &replies).await? {
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
    async fn build(&self, operation: &Operation, input: &str) -> Result<Vec<Plan>, CallError> {
        let Some(code) = self.code() else {
            return match self.declared(operation)?.declared() {
                true => Ok(vec![Plan::Input(input.to_owned())]),
                false => Err(CallError::Unknown(format!(
                    "\"{}\" cannot be called: {} has neither [operations.request] nor code",
                    self.source.name, operation.id
                ))),
            };
        };
        match code.op_build(&operation.id, input, &self.settings).await {
            Ok(plans) => Ok(plans.into_iter().map(Plan::Built).collect()),
            Err(fault) if fault.kind == FaultKind::Refused => Err(CallError::Input(fault.message)),
            Err(fault) => Err(fault.into()),
        }
    }

    async fn parse(&self, operation: &Operation, input: &str, replies: &[Reply]) -> Result<OpResult, CallError> {
        let Some(code) = self.code() else { return self.judge(operation, replies.last()) };
        let answers: Vec<Answer<'_>> = replies.iter().map(Reply::answer).collect();
        Ok(code.op_parse(&operation.id, input, &self.settings, &answers).await?)
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
    fn code(&self) -> Option<&Code> {
        self.code.as_deref().filter(|code| code.operates())
    }

    fn declared(&self, operation: &Operation) -> Result<&Call, CallError> {
        let call = self.source.provider.calls.named(&operation.id);
        call.ok_or_else(|| CallError::Unknown(format!("there is no operation \"{}\"", operation.id)))
    }

    /// The first requests of an operation, for people.
    pub(super) async fn show(
        &self,
        operation: &Operation,
        input: &str,
        moment: &Moment,
    ) -> Result<Vec<Draft>, CallError> {
        schema::check(operation, input)?;
        let (plans, call) = (self.build(operation, input).await?, self.declared(operation)?);
        let shown = |plan: &Plan| {
            let shown = self.source.show(call, plan, moment);
            shown.map_err(|unmade| CallError::unmade(unmade, matches!(plan, Plan::Built(_))))
        };
        plans.iter().map(shown).collect()
    }

    /// What the plugin's author must know goes to the log, too.
    pub(super) fn report(&self, operation: &Operation, error: &CallError) {
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
