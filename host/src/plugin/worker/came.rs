//! What comes of a call. A worker is no more to be believed than the plugin in it: what it answers is counted while it is read
//! and goes through the same [`Output`] as what a plugin in this process gives.

use std::fmt;
use std::marker::PhantomData;

use hookport_plugin_api::abi::{code, outcome};
use serde::de::{DeserializeOwned, Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_bytes::ByteBuf;

use crate::plugin::output::{LIMITS, Output, RawEvent, RawPlan, shortened};
use crate::plugin::{DecodedEvent, Fault, FaultKind, OpResult, RequestPlan};

/// What came of a call.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Came {
    Events(#[serde(deserialize_with = "few::<_, _, 10_000>")] Vec<EventCame>),
    Plans(#[serde(deserialize_with = "few::<_, _, 1_000>")] Vec<PlanCame>),
    Done(String),
    RetryAfter(u32),
    Fail(String),
    Text(ByteBuf),
    Fault { kind: u8, message: String, location: Option<String> },
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct EventCame {
    kind: Option<String>,
    subject: Option<String>,
    data: Option<ByteBuf>,
    #[serde(deserialize_with = "few::<_, _, 33>")]
    warnings: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PlanCame {
    method: String,
    url: String,
    #[serde(deserialize_with = "few::<_, _, 256>")]
    headers: Vec<(String, String)>,
    body: ByteBuf,
    timeout_s: Option<u32>,
}

/// A list of at most so many: an item of one byte may take a hundred in memory.
fn few<'de, D: Deserializer<'de>, T: DeserializeOwned, const MOST: usize>(from: D) -> Result<Vec<T>, D::Error> {
    struct Few<T, const MOST: usize>(PhantomData<T>);
    impl<'de, T: DeserializeOwned, const MOST: usize> Visitor<'de> for Few<T, MOST> {
        type Value = Vec<T>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "at most {MOST} of them")
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
            let mut all = Vec::new();
            while let Some(item) = items.next_element()? {
                if all.len() == MOST {
                    return Err(A::Error::custom("too many"));
                }
                all.push(item);
            }
            Ok(all)
        }
    }
    from.deserialize_seq(Few::<T, MOST>(PhantomData))
}

const FAULTS: [FaultKind; 5] =
    [FaultKind::Refused, FaultKind::Panic, FaultKind::Absent, FaultKind::TooMuch, FaultKind::BadOutput];

impl From<Result<Vec<DecodedEvent>, Fault>> for Came {
    fn from(decoded: Result<Vec<DecodedEvent>, Fault>) -> Self {
        let event = |event: DecodedEvent| EventCame {
            kind: event.kind,
            subject: event.subject,
            data: event.data.map(|data| ByteBuf::from(data.to_vec())),
            warnings: event.warnings,
        };
        decoded.map_or_else(Self::from, |events| Self::Events(events.into_iter().map(event).collect()))
    }
}

impl From<Result<Vec<RequestPlan>, Fault>> for Came {
    fn from(built: Result<Vec<RequestPlan>, Fault>) -> Self {
        let plan = |plan: RequestPlan| PlanCame {
            method: plan.method,
            url: plan.url,
            headers: plan.headers,
            body: ByteBuf::from(plan.body),
            timeout_s: plan.timeout_s,
        };
        built.map_or_else(Self::from, |plans| Self::Plans(plans.into_iter().map(plan).collect()))
    }
}

impl From<Result<OpResult, Fault>> for Came {
    fn from(parsed: Result<OpResult, Fault>) -> Self {
        match parsed {
            Ok(OpResult::Done(json)) => Self::Done(json),
            Ok(OpResult::More(plans)) => Ok::<_, Fault>(plans).into(),
            Ok(OpResult::RetryAfter(seconds)) => Self::RetryAfter(seconds),
            Ok(OpResult::Fail(words)) => Self::Fail(words),
            Err(fault) => fault.into(),
        }
    }
}

impl From<Fault> for Came {
    fn from(fault: Fault) -> Self {
        let kind = FAULTS.iter().position(|kind| *kind == fault.kind).and_then(|kind| u8::try_from(kind).ok());
        Self::Fault { kind: kind.unwrap_or_default(), message: fault.message, location: fault.location }
    }
}

impl Came {
    /// As a worker said it.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Fault> {
        let bad = |error: postcard::Error| Fault::new(FaultKind::BadOutput, format!("its worker's answer: {error}"));
        postcard::from_bytes(bytes).map_err(bad)
    }

    pub(super) fn events(self) -> Result<Vec<DecodedEvent>, Fault> {
        let mut output = Output::default();
        let answer = match self {
            Self::Events(events) => {
                for event in &events {
                    let raw = RawEvent {
                        kind: event.kind.as_deref().map(str::as_bytes),
                        subject: event.subject.as_deref().map(str::as_bytes),
                        data: event.data.as_ref().map(|data| &data[..]),
                        warnings: event.warnings.iter().map(String::as_bytes).collect(),
                    };
                    output.event(&raw);
                }
                code::OK
            }
            other => return Err(other.fault()),
        };
        output.into_events(answer)
    }

    pub(super) fn plans(self) -> Result<Vec<RequestPlan>, Fault> {
        match self {
            Self::Plans(plans) => planned(&plans).into_plans(code::OK),
            other => Err(other.fault()),
        }
    }

    pub(super) fn result(self) -> Result<OpResult, Fault> {
        let mut output = Output::default();
        match self {
            Self::Plans(plans) => {
                output = planned(&plans);
                output.outcome(outcome::MORE, b"", 0)
            }
            Self::Done(json) => output.outcome(outcome::DONE, json.as_bytes(), 0),
            Self::RetryAfter(seconds) => output.outcome(outcome::RETRY_AFTER, b"", seconds.into()),
            Self::Fail(words) => output.outcome(outcome::FAIL, words.as_bytes(), 0),
            other => return Err(other.fault()),
        };
        output.into_result(code::OK)
    }

    pub(super) fn fault(self) -> Fault {
        let Self::Fault { kind, message, location } = self else {
            return Fault::new(FaultKind::BadOutput, "its worker answered another question");
        };
        let kind = FAULTS.get(usize::from(kind)).copied().unwrap_or(FaultKind::BadOutput);
        let short = |text: String| shortened(text.as_bytes(), 4096);
        Fault { location: location.map(short), ..Fault::new(kind, short(message)) }
    }
}

fn planned(plans: &[PlanCame]) -> Output {
    let mut output = Output::default();
    for plan in plans {
        let raw = RawPlan {
            method: plan.method.as_bytes(),
            url: plan.url.as_bytes(),
            headers: plan.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect(),
            body: &plan.body,
            timeout_s: plan.timeout_s,
        };
        output.plan(&raw);
    }
    output
}

const _: () = assert!(LIMITS.events == 10_000 && LIMITS.plans == 1_000 && LIMITS.warnings == 32);

#[cfg(test)]
mod tests {
    use super::*;

    fn read(said: &Came) -> Result<Came, Fault> {
        Came::read(&postcard::to_stdvec(said).unwrap())
    }

    fn event() -> EventCame {
        EventCame { kind: None, subject: None, data: None, warnings: Vec::new() }
    }

    #[test]
    fn a_worker_that_lies_is_a_fault_and_costs_no_memory() {
        let many = |count: usize| Came::Events((0..count).map(|_| event()).collect());
        assert_eq!(read(&many(10_000)).unwrap().events().unwrap().len(), 10_000);
        assert_eq!(read(&many(10_001)).unwrap_err().kind, FaultKind::BadOutput);
        assert_eq!(read(&many(0)).unwrap().events().unwrap_err().message, "the decoder gave no event");
        let warnings = vec![String::new(); 34];
        assert!(read(&Came::Events(vec![EventCame { warnings, ..event() }])).is_err());
        let data = Some(ByteBuf::from(b"{".to_vec()));
        let broken = read(&Came::Events(vec![EventCame { data, ..event() }])).unwrap().events().unwrap_err();
        assert!(broken.message.contains("is not JSON"), "{broken}");
        assert_eq!(read(&Came::Done("{}".into())).unwrap().events().unwrap_err().kind, FaultKind::BadOutput);
        assert_eq!(read(&Came::Done("{".into())).unwrap().result().unwrap_err().kind, FaultKind::BadOutput);
        for bytes in [&b""[..], b"\xff", b"\x00\xff\xff\xff\xff\x0f", b"\x05\xff"] {
            assert!(Came::read(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn a_fault_comes_as_it_went() {
        let fault = Fault { location: Some("lib.rs:1:1".into()), ..Fault::new(FaultKind::Panic, "boom") };
        assert_eq!(read(&fault.clone().into()).unwrap().events(), Err(fault));
    }
}
