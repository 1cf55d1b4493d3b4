//! The meters of the sources that are served: looked up once, when the sources change.

use std::collections::HashMap;
use std::sync::Arc;

use super::answer;
use crate::metrics::{Answered, RequestMeter, RequestMeters};
use crate::provider::ack::Outcome;
use crate::provider::source::Source;
use crate::provider::sources::Sources;
use crate::reason::Reason;

/// By source, and one for requests to none.
pub(super) struct Meters {
    by_source: HashMap<Arc<str>, Arc<RequestMeter>>,
    nobody: Arc<RequestMeter>,
}

impl Meters {
    pub(super) fn of(sources: &Sources, counted: &RequestMeters) -> Self {
        let by_source = sources.iter().map(|source| (source.name.clone(), counted.of(&source.name))).collect();
        Self { by_source, nobody: counted.of_nobody() }
    }

    /// Every source that is served has one.
    pub(super) fn source(&self, source: &Source) -> &RequestMeter {
        self.by_source.get(&source.name).unwrap_or(&self.nobody)
    }

    pub(super) fn refused(&self, source: Option<&Source>, reason: Reason) {
        let meter = source.map_or(&*self.nobody, |source| self.source(source));
        meter.refused.count(reason);
        meter.answered.count(answer::outcome(reason).into());
    }
}

impl From<Outcome> for Answered {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Accepted => Self::Accepted,
            Outcome::Duplicate => Self::Duplicate,
            Outcome::Rejected => Self::Rejected,
            Outcome::Malformed => Self::Malformed,
            Outcome::Unavailable => Self::Unavailable,
        }
    }
}
