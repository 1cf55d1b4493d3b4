//! Who makes an operation's requests and reads its answers: the plugin's code, or the description.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use toml::{Table, Value};

use super::exchange::{Exchange, Given};
use crate::cli::offline::fixture::Fixture;
use crate::clock::Clock;
use crate::gateway::Plugin;
use crate::plugin::{Answer, Code, Fault, FaultKind, OpResult};
use crate::provider::outgoing::{Call, Draft, Judged, Moment, Plan, in_order, recorded};
use crate::provider::source::Source;

/// An operation of a source.
pub(super) struct Callee<'e> {
    source: Source,
    code: Option<Arc<Code>>,
    exchange: &'e Exchange,
    settings: String,
}

impl<'e> Callee<'e> {
    /// As the exchange has it: the folder's source, with the exchange's own secrets and settings over it.
    pub(super) fn of(plugin: &Plugin, fixtures: &Path, exchange: &'e Exchange) -> Result<Self, String> {
        let given = [("secrets", exchange.secrets.clone()), ("settings", exchange.settings.clone())];
        let given = given.into_iter().map(|(name, table)| (name.to_owned(), Value::Table(table)));
        let Fixture { parts, .. } = Fixture::within(fixtures, given.collect::<Table>())?;
        let source = Source::build("case", plugin.provider.clone(), parts).map_err(|wrong| wrong.join("; "))?;
        if source.provider.calls.named(&exchange.operation).is_none() {
            return Err(format!("there is no operation {:?}", exchange.operation));
        }
        let code = plugin.code.clone().filter(|code| code.operates());
        let settings = source.settings_json();
        Ok(Self { source, code, exchange, settings })
    }

    /// How many requests it begins with; else why none is made.
    pub(super) fn plans(&self) -> Result<usize, String> {
        Ok(self.drafts()?.len().max(1))
    }

    /// How its requests differ from the recorded ones.
    pub(super) fn unlike(&self, exchange: &Exchange) -> Vec<String> {
        let Some(expected) = &exchange.request else { return Vec::new() };
        let made = match self.drafts() {
            Ok(drafts) => recorded(&drafts),
            Err(why) => return vec![format!("its requests cannot be built: {why}")],
        };
        match in_order(expected.trim_matches('\n')) == in_order(&made) {
            true => Vec::new(),
            false => vec![format!("another request than the recorded one: {made:?}")],
        }
    }

    /// What the answers so far mean.
    pub(super) fn parse(&self, given: &[Given]) -> Result<OpResult, Fault> {
        let operation = self.exchange.operation.as_str();
        if let Some(code) = &self.code {
            let answers: Vec<Answer<'_>> = given.iter().map(Given::answer).collect();
            return pollster::block_on(code.op_parse(operation, &self.exchange.input, &self.settings, &answers));
        }
        let Some((call, last)) = self.call().zip(given.last()) else {
            return Err(Fault::new(FaultKind::Absent, operation));
        };
        Ok(match self.source.judge(call, last.status, &headers(last), &Bytes::copy_from_slice(&last.body)) {
            Judged::Done(json) => OpResult::Done(json),
            Judged::Retry(after) => OpResult::RetryAfter(after),
            Judged::Failed(words) => OpResult::Fail(words),
        })
    }

    fn call(&self) -> Option<&Call> {
        self.source.provider.calls.named(&self.exchange.operation)
    }

    /// Its first requests, signed, with `***` in place of every secret.
    fn drafts(&self) -> Result<Vec<Draft>, String> {
        let Exchange { operation, input, .. } = self.exchange;
        let plans = match &self.code {
            None => vec![Plan::Input(input.clone())],
            Some(code) => match pollster::block_on(code.op_build(operation, input, &self.settings)) {
                Ok(plans) => plans.into_iter().map(Plan::Built).collect(),
                Err(fault) if fault.kind == FaultKind::Refused => return Err(fault.message),
                Err(fault) => return Err(fault.to_string()),
            },
        };
        let call = self.call().ok_or("there is no such operation")?;
        let now = self.exchange.at.unwrap_or_else(|| Clock::default().now());
        let moment = Moment { now, nonce: self.exchange.nonce.clone() };
        let show = |plan| self.source.show(call, plan, &moment).map_err(|unmade| unmade.to_string());
        plans.iter().map(show).collect()
    }
}

fn headers(given: &Given) -> HeaderMap {
    let header = |(name, value): &(String, String)| {
        Some((HeaderName::try_from(name.as_str()).ok()?, HeaderValue::try_from(value.as_str()).ok()?))
    };
    given.headers.iter().filter_map(header).collect()
}
