//! What a case expects, and what came of it: events, the reason of a refusal, and the answer.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::value::RawValue;

use crate::case::Case;
use crate::cli::verify::judged::Judged;
use crate::event::{Data, Event, EventState};
use crate::provider::ack::{Ack, Outcome};
use crate::provider::json::Document;
use crate::provider::source::Source;
use crate::reason::Reason;
use crate::request::Incoming;

/// The sections of a case.
pub(super) struct Expected {
    /// CloudEvents, of each the members that count.
    events: Vec<Members>,
    /// Parts of the events' warnings.
    warnings: Vec<String>,
    undecoded: bool,
    rejected: Option<String>,
    ack: Option<Answer>,
    /// The answer to a repeat.
    again: Option<Answer>,
}

/// Members of a document, compact.
type Members = BTreeMap<String, String>;

/// Members that a provider's code may say otherwise than its description.
const REFINED: &[&str] = &["type", "subject", "data"];

/// An answer; of its headers those that must be there.
struct Answer {
    status: String,
    headers: Vec<(String, String)>,
    body: String,
}

/// What came of a case's request.
pub(super) struct Came {
    events: Vec<Members>,
    warnings: Vec<String>,
    undecoded: bool,
    rejected: Option<Reason>,
    ack: Ack,
    again: Option<Ack>,
}

impl Expected {
    pub(super) fn of(case: &Case) -> Result<Self, String> {
        let (mut events, mut warnings) = (Vec::new(), Vec::new());
        let (mut undecoded, mut rejected, mut ack, mut again) = (false, None, None, None);
        for (name, text) in &case.sections {
            let text = std::str::from_utf8(text).map_err(|_| format!("{name}: not text"))?;
            let text = text.strip_suffix('\n').unwrap_or(text);
            match name.as_str() {
                "given" => {}
                "event" => events.push(members(text).map_err(|error| format!("event: {error}"))?),
                "warnings" => warnings = text.lines().map(str::to_owned).collect(),
                "undecoded" => undecoded = true,
                "rejected" => rejected = Some(text.trim().to_owned()),
                "ack" => ack = Some(Answer::of(text)?),
                "again" => again = Some(Answer::of(text)?),
                other => return Err(format!("no section is called {other:?}")),
            }
        }
        let nothing = events.is_empty() && !undecoded && rejected.is_none() && ack.is_none() && again.is_none();
        if nothing {
            Err("nothing is expected: add a line ---------- event, rejected or ack".into())
        } else {
            Ok(Self { events, warnings, undecoded, rejected, ack, again })
        }
    }

    /// Whether the request is sent again.
    pub(super) fn repeats(&self) -> bool {
        self.again.is_some()
    }

    /// Whether an event is expected or a refusal; a handshake is neither.
    pub(super) fn accepts(&self) -> Option<bool> {
        match (self.events.is_empty() && !self.undecoded, &self.rejected) {
            (false, _) => Some(true),
            (true, Some(_)) => Some(false),
            (true, None) => None,
        }
    }

    /// What differs. Without the provider's code nothing is asked of events that code may say otherwise.
    pub(super) fn differences(&self, came: &Came, whole: bool) -> Vec<String> {
        let mut all = Vec::new();
        let mut differ = |what: &str, expected: String, came: String| {
            if expected != came {
                all.push(format!("{what}: expected {expected}, came {came}"));
            }
        };
        let or_none = |text: Option<&str>| text.unwrap_or("none").to_owned();
        differ("rejected", or_none(self.rejected.as_deref()), or_none(came.rejected.map(Reason::code)));
        if whole {
            differ("undecoded", self.undecoded.to_string(), came.undecoded.to_string());
            differ("events", self.events.len().to_string(), came.events.len().to_string());
            differ("warnings", self.warnings.len().to_string(), came.warnings.len().to_string());
            for (part, warning) in self.warnings.iter().zip(&came.warnings).filter(|(part, all)| !all.contains(*part)) {
                differ("warning", part.clone(), warning.clone());
            }
        }
        for (expected, came) in self.events.iter().zip(&came.events) {
            for (name, text) in expected.iter().filter(|(name, _)| whole || !REFINED.contains(&name.as_str())) {
                differ(name, text.clone(), or_none(came.get(name).map(String::as_str)));
            }
        }
        all.extend(self.ack.iter().flat_map(|ack| ack.differences(&came.ack)).map(|what| format!("ack: {what}")));
        match (&self.again, &came.again) {
            (Some(expected), Some(came)) => {
                all.extend(expected.differences(came).into_iter().map(|what| format!("again: {what}")));
            }
            (Some(_), None) => all.push("again: what is not accepted is not repeated".to_owned()),
            (None, _) => {}
        }
        all
    }
}

impl Answer {
    /// Status, headers, blank line, body; without a blank line there is no body.
    fn of(text: &str) -> Result<Self, String> {
        let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
        let mut lines = head.lines();
        let status = lines.next().unwrap_or_default().trim().to_owned();
        let header = |line: &str| {
            let (name, value) = line.split_once(':').ok_or_else(|| format!("ack: {line:?} is no header"))?;
            Ok::<_, String>((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        };
        Ok(Self { status, headers: lines.map(header).collect::<Result<_, _>>()?, body: body.to_owned() })
    }

    fn differences(&self, came: &Ack) -> Vec<String> {
        let mut all = Vec::new();
        let mut differ = |what: &str, expected: &str, came: &str| {
            if expected != came {
                all.push(format!("{what} expected {expected:?}, came {came:?}"));
            }
        };
        differ("status", &self.status, &came.status.to_string());
        for (name, value) in &self.headers {
            let header = came.headers.iter().find(|(header, _)| header == name.as_str());
            let header = header.map(|(_, value)| String::from_utf8_lossy(value.as_bytes()));
            differ(name, value, &header.unwrap_or_default());
        }
        differ("body", &self.body, &String::from_utf8_lossy(&came.body));
        all
    }
}

impl Came {
    /// Of the judgement, what the gateway would keep, deliver and answer, to the request and to its repeat.
    pub(super) fn of(source: &Source, request: &Incoming, judged: Judged, now: Timestamp, repeated: bool) -> Self {
        let (mut kept, undecoded): (Vec<Event>, Vec<Event>) =
            judged.events.into_iter().partition(|event| event.state != EventState::Undecoded);
        let accepted = judged.reason.is_none() && !kept.is_empty();
        let outcome = if judged.forgotten { Outcome::Accepted } else { Outcome::Duplicate };
        let again = (accepted && repeated).then(|| source.ack(outcome, request, now));
        if judged.forgotten && again.is_some() {
            kept.extend_from_within(..);
        }
        let rejected = judged.reason.map(|rejection| rejection.reason).filter(|_| undecoded.is_empty());
        let warnings = undecoded.iter().chain(&kept).flat_map(|event| event.warnings.clone()).collect();
        let text = |event| serde_json::to_string(&opened(source, event)).ok();
        let events = kept.into_iter().filter_map(|event| members(&text(event)?).ok()).collect();
        let mut ack = judged.ack;
        if request.method == "HEAD" {
            ack.body.clear();
        }
        Self { events, warnings, undecoded: !undecoded.is_empty(), rejected, ack, again }
    }
}

/// As a destination gets it.
fn opened(source: &Source, mut event: Event) -> Event {
    if let Data::Json(data) = &event.data {
        event.data = Data::Json(source.open(data).0);
    }
    event
}

/// Every member's text without white space and needless escapes.
fn members(json: &str) -> Result<Members, String> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(json).map_err(|error| error.to_string())?;
    let compact = |(name, value): (String, &RawValue)| {
        let document = Document::parse(value.get().as_bytes()).map_err(|error| error.to_string())?;
        let mut text = Vec::new();
        document.root().write_compact(&mut text);
        Ok((name, String::from_utf8_lossy(&text).into_owned()))
    };
    members.into_iter().map(compact).collect()
}
