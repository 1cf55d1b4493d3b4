//! Operations: calls to a provider, because somebody asks (`hookport call`, the admin API) or because it is time (`poll`).
//!
//! What to send and what an answer means is the plugin's code's to say, or the description's; signing is the provider's
//! `outgoing`, connections and repeats are `send`'s.

mod bounds;
mod caller;
mod changes;
mod poll;
mod schema;
mod send;

use std::collections::BTreeMap;
use std::sync::Arc;

use hookport_plugin_api::description::Operation;

use self::caller::Caller;
pub use self::poll::run as poll;
use crate::clock::Clock;
use crate::plugin::{Code, Fault};
use crate::provider::complaint::did_you_mean;
use crate::provider::json::{Document, Kind};
use crate::provider::outgoing::Unmade;
pub use crate::provider::outgoing::{Draft, Moment, in_order, recorded};
use crate::provider::source::Source;

/// What can be called, by source.
#[derive(Default)]
pub struct Operations {
    callers: BTreeMap<Arc<str>, Caller>,
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
    /// Makes the sources ready to be called; `code` finds a provider's code by its id.
    pub fn new<'s>(
        sources: impl Iterator<Item = &'s Arc<Source>>,
        code: impl Fn(&str) -> Option<Arc<Code>>,
        clock: &Clock,
    ) -> Self {
        let caller =
            |source: &Arc<Source>| (source.name.clone(), Caller::new(source, code(&source.provider.id), clock));
        Self { callers: sources.map(caller).collect() }
    }

    /// Runs an operation with an input, which is JSON.
    pub async fn call(&self, source: &str, operation: &str, input: &str) -> Result<Output, CallError> {
        let (caller, operation) = self.find(source, operation)?;
        caller.call(operation, input).await.inspect_err(|error| caller.report(operation, error))
    }

    /// The first requests that an operation would send, signed, with `***` in place of every secret. Nothing is sent.
    pub async fn show(
        &self,
        source: &str,
        operation: &str,
        input: &str,
        moment: &Moment,
    ) -> Result<Vec<Draft>, CallError> {
        let (caller, operation) = self.find(source, operation)?;
        caller.show(operation, input, moment).await
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
