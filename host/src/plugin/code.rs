//! A provider's code, wherever it runs. Everybody calls it through this; that it may be slow, broken or in another process
//! is known here and below, and to callers it is a [`Fault`].

use super::{Answer, DecodeRequest, DecodedEvent, Fault, Native, OpResult, RequestPlan};

/// The code of one loaded plugin.
#[derive(Debug)]
pub struct Code {
    place: Place,
}

/// Where code runs.
#[derive(Debug)]
enum Place {
    /// In this process.
    Inline(Native),
}

impl Code {
    /// In this process: nothing contains a crash of it.
    pub fn inline(native: Native) -> Self {
        Self { place: Place::Inline(native) }
    }

    /// Whether there is a decoder.
    pub fn decodes(&self) -> bool {
        let Place::Inline(native) = &self.place;
        native.decodes()
    }

    /// Whether there are both functions of operations.
    pub fn operates(&self) -> bool {
        let Place::Inline(native) = &self.place;
        native.operates()
    }

    /// The events of a request; at least one.
    pub async fn decode(&self, request: &DecodeRequest<'_>) -> Result<Vec<DecodedEvent>, Fault> {
        let Place::Inline(native) = &self.place;
        native.decode(request)
    }

    /// The requests of an operation. Input and settings are JSON.
    pub async fn op_build(&self, operation: &str, input: &str, settings: &str) -> Result<Vec<RequestPlan>, Fault> {
        let Place::Inline(native) = &self.place;
        native.op_build(operation, input, settings)
    }

    /// What the answers so far mean, in the order of the plans.
    pub async fn op_parse(
        &self,
        operation: &str,
        input: &str,
        settings: &str,
        answers: &[Answer<'_>],
    ) -> Result<OpResult, Fault> {
        let Place::Inline(native) = &self.place;
        native.op_parse(operation, input, settings, answers)
    }

    /// Tells it that no call comes any more; once.
    pub fn quiesce(&self) {
        let Place::Inline(native) = &self.place;
        native.quiesce();
    }
}
