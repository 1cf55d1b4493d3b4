//! What a plugin hands over during one call: counted, measured and checked while it arrives. A plugin is native code of
//! somebody else's; what it says is text and JSON only after we looked.

use bytes::Bytes;
use hookport_plugin_api::abi::{code, outcome};
use hookport_plugin_api::operation::{OpResult, RequestPlan};
use serde_json::value::RawValue;

use super::{DecodedEvent, Fault, FaultKind};

/// What the host takes from one call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) events: usize,
    pub(super) plans: usize,
    pub(super) warnings: usize,
    pub(super) warning_chars: usize,
    pub(super) bytes: usize,
}

/// A body is at most some megabytes, and its events together not much more.
pub(super) const LIMITS: Limits =
    Limits { events: 10_000, plans: 1_000, warnings: 32, warning_chars: 500, bytes: 32 << 20 };

/// Of all events of one call together.
const MAX_WARNINGS: usize = 10_000;
const MAX_NAME: usize = 256;
const MAX_SUBJECT: usize = 1024;
const MAX_MESSAGE: usize = 4096;
/// Of a signed text beside four times the body, for headers and the URL.
const MAX_TEXT: usize = 64 << 10;
const MAX_DEPTH: usize = 128;

/// What arrived so far.
#[derive(Debug, Default)]
pub(super) struct Output {
    pub(super) events: Vec<DecodedEvent>,
    pub(super) plans: Vec<RequestPlan>,
    outcome: Option<(u32, String, u64)>,
    text: Option<Vec<u8>>,
    error: Option<(String, String)>,
    early_warnings: Vec<String>,
    warned: usize,
    bytes: usize,
    fault: Option<Fault>,
}

/// An event as it came over the border.
#[derive(Debug, Default)]
pub(super) struct RawEvent<'a> {
    pub(super) kind: Option<&'a [u8]>,
    pub(super) subject: Option<&'a [u8]>,
    pub(super) data: Option<&'a [u8]>,
    pub(super) warnings: Vec<&'a [u8]>,
}

/// A plan as it came over the border.
#[derive(Debug, Default)]
pub(super) struct RawPlan<'a> {
    pub(super) method: &'a [u8],
    pub(super) url: &'a [u8],
    pub(super) headers: Vec<(&'a [u8], &'a [u8])>,
    pub(super) body: &'a [u8],
    pub(super) timeout_s: Option<u32>,
}

impl Output {
    pub(super) fn event(&mut self, raw: &RawEvent<'_>) -> u32 {
        self.taken(|output| {
            output.room(output.events.len(), LIMITS.events, "events")?;
            let event = DecodedEvent {
                kind: raw.kind.map(|kind| output.line(kind, MAX_NAME, "an event's type")).transpose()?,
                subject: raw.subject.map(|text| output.line(text, MAX_SUBJECT, "an event's subject")).transpose()?,
                data: raw.data.map(|data| output.json(data, "an event's data")).transpose()?.map(Bytes::from),
                warnings: std::mem::take(&mut output.early_warnings),
            };
            output.events.push(event);
            raw.warnings.iter().for_each(|warning| output.warn(warning));
            Ok(())
        })
    }

    /// On the last event, or kept for the first. One too many is counted in words, because it is not the event's fault.
    pub(super) fn warn(&mut self, warning: &[u8]) {
        self.warned = self.warned.saturating_add(1);
        if self.warned > MAX_WARNINGS {
            return;
        }
        let warnings = self.events.last_mut().map_or(&mut self.early_warnings, |event| &mut event.warnings);
        match warnings.len().cmp(&LIMITS.warnings) {
            std::cmp::Ordering::Less => warnings.push(shortened(warning, LIMITS.warning_chars)),
            std::cmp::Ordering::Equal => warnings.push("and more warnings, which were left out".into()),
            std::cmp::Ordering::Greater => {}
        }
    }

    pub(super) fn plan(&mut self, raw: &RawPlan<'_>) -> u32 {
        self.taken(|output| {
            output.room(output.plans.len(), LIMITS.plans, "requests")?;
            let method = output.line(raw.method, MAX_NAME, "a request's method")?;
            let url = output.line(raw.url, 8 * MAX_SUBJECT, "a request's URL")?;
            let mut headers = Vec::with_capacity(raw.headers.len().min(MAX_NAME));
            for (name, value) in &raw.headers {
                output.room(headers.len(), MAX_NAME, "headers of a request")?;
                headers.push((output.utf8(name, "a header's name")?, output.utf8(value, "a header's value")?));
            }
            output.measured(raw.body.len())?;
            let body = raw.body.to_vec();
            output.plans.push(RequestPlan { method, url, headers, body, timeout_s: raw.timeout_s });
            Ok(())
        })
    }

    pub(super) fn outcome(&mut self, outcome: u32, text: &[u8], number: u64) -> u32 {
        self.taken(|output| {
            let text = match outcome {
                outcome::DONE => output.json(text, "an operation's output")?,
                _ => shortened(text, MAX_MESSAGE),
            };
            output.outcome = Some((outcome, text, number));
            Ok(())
        })
    }

    /// A signed text; there is one.
    pub(super) fn text(&mut self, text: &[u8]) -> u32 {
        self.taken(|output| {
            output.room(usize::from(output.text.is_some()), 1, "text")?;
            output.measured(text.len())?;
            output.text = Some(text.to_vec());
            Ok(())
        })
    }

    pub(super) fn error(&mut self, message: &[u8], place: &[u8]) {
        self.error = Some((shortened(message, MAX_MESSAGE), shortened(place, MAX_SUBJECT)));
    }

    /// The events of a decoder that answered `answer`.
    pub(super) fn into_events(mut self, answer: u32) -> Result<Vec<DecodedEvent>, Fault> {
        self.judge(answer, "decode")?;
        if self.events.is_empty() {
            return Err(Fault::new(FaultKind::BadOutput, "the decoder gave no event"));
        }
        Ok(self.events)
    }

    /// The signed text of a request with so long a body. Anybody can ask for one, so it has a bound of its own.
    pub(super) fn into_text(mut self, answer: u32, body: usize) -> Result<Vec<u8>, Fault> {
        self.judge(answer, "canonicalize")?;
        let most = body.saturating_mul(4).saturating_add(MAX_TEXT);
        let bad = |kind, message: String| Err(Fault::new(kind, message));
        match self.text {
            Some(text) if text.len() > most => {
                bad(FaultKind::TooMuch, format!("a signed text of more than {most} bytes"))
            }
            Some(text) if !text.is_empty() => Ok(text),
            _ => bad(FaultKind::BadOutput, "the signed text is empty, and would bind nothing".into()),
        }
    }

    /// The requests of an operation.
    pub(super) fn into_plans(mut self, answer: u32) -> Result<Vec<RequestPlan>, Fault> {
        self.judge(answer, "op_build")?;
        Ok(self.plans)
    }

    /// What the answers of an operation mean.
    pub(super) fn into_result(mut self, answer: u32) -> Result<OpResult, Fault> {
        self.judge(answer, "op_parse")?;
        let bad = |message: &str| Err(Fault::new(FaultKind::BadOutput, message));
        match self.outcome {
            Some((outcome::DONE, json, _)) => Ok(OpResult::Done(json)),
            Some((outcome::MORE, ..)) if self.plans.is_empty() => bad("more requests were announced and none given"),
            Some((outcome::MORE, ..)) => Ok(OpResult::More(self.plans)),
            Some((outcome::RETRY_AFTER, _, seconds)) => {
                Ok(OpResult::RetryAfter(u32::try_from(seconds).unwrap_or(u32::MAX)))
            }
            Some((outcome::FAIL, message, _)) => Ok(OpResult::Fail(message)),
            Some((other, ..)) => bad(&format!("outcome {other} is not known to this gateway")),
            None => bad("the operation has no outcome"),
        }
    }

    /// A panic says more than the limit it may have followed; a limit counts also where the plugin went on.
    fn judge(&mut self, answer: u32, function: &str) -> Result<(), Fault> {
        let (message, place) = self.error.take().unwrap_or_default();
        match (answer, self.fault.take()) {
            (code::PANIC, _) => {
                let location = Some(place).filter(|place| !place.is_empty());
                Err(Fault { location, ..Fault::new(FaultKind::Panic, message) })
            }
            (_, Some(fault)) => Err(fault),
            (code::OK, None) => Ok(()),
            (code::ABSENT, None) => Err(Fault::new(FaultKind::Absent, function)),
            (code::REFUSED, None) => Err(Fault::new(FaultKind::Refused, message)),
            (other, None) => Err(Fault::new(FaultKind::Refused, format!("code {other}: {message}"))),
        }
    }

    /// After the first fault nothing more is taken.
    fn taken(&mut self, take: impl FnOnce(&mut Self) -> Result<(), Fault>) -> u32 {
        if self.fault.is_none()
            && let Err(fault) = take(self)
        {
            self.fault = Some(fault);
        }
        if self.fault.is_some() { code::FULL } else { code::OK }
    }

    fn room(&self, count: usize, limit: usize, what: &str) -> Result<(), Fault> {
        if count < limit { Ok(()) } else { Err(Fault::new(FaultKind::TooMuch, format!("more than {limit} {what}"))) }
    }

    fn measured(&mut self, bytes: usize) -> Result<(), Fault> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes <= LIMITS.bytes {
            return Ok(());
        }
        Err(Fault::new(FaultKind::TooMuch, format!("more than {} MiB for one request", LIMITS.bytes >> 20)))
    }

    fn utf8(&mut self, bytes: &[u8], what: &str) -> Result<String, Fault> {
        self.measured(bytes.len())?;
        let text = std::str::from_utf8(bytes);
        text.map(Into::into).map_err(|_| Fault::new(FaultKind::BadOutput, format!("{what} is not UTF-8")))
    }

    /// Text that stands in a line of a log or a header.
    fn line(&mut self, bytes: &[u8], limit: usize, what: &str) -> Result<String, Fault> {
        let text = self.utf8(bytes, what)?;
        if text.is_empty() || text.len() > limit || text.chars().any(char::is_control) {
            let message = format!("{what} must have 1 to {limit} bytes and no control characters");
            return Err(Fault::new(FaultKind::BadOutput, message));
        }
        Ok(text)
    }

    fn json(&mut self, bytes: &[u8], what: &str) -> Result<String, Fault> {
        let text = self.utf8(bytes, what)?;
        let bad = |message: String| Fault::new(FaultKind::BadOutput, format!("{what} is not JSON: {message}"));
        serde_json::from_str::<&RawValue>(&text).map_err(|error| bad(error.to_string()))?;
        compact(&text).ok_or_else(|| bad(format!("deeper than {MAX_DEPTH}")))
    }
}

/// Valid JSON without the white space between its tokens, so that an event is one line; nothing where it is too deep.
fn compact(json: &str) -> Option<String> {
    let mut written = String::with_capacity(json.len());
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for character in json.chars() {
        if in_text {
            in_text = escaped || character != '"';
            escaped = !escaped && character == '\\';
        } else {
            match character {
                ' ' | '\t' | '\n' | '\r' => continue,
                '"' => in_text = true,
                '[' | '{' => depth += 1,
                ']' | '}' => depth -= 1,
                _ => {}
            }
            if depth > MAX_DEPTH {
                return None;
            }
        }
        written.push(character);
    }
    Some(written)
}

/// One line of at most so many characters, whatever the bytes are.
pub(super) fn shortened(bytes: &[u8], characters: usize) -> String {
    // Four bytes a character at most, so that a huge message is not decoded whole.
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(characters.saturating_mul(4))]);
    let mut line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(characters).collect();
    if text.chars().count() > characters || bytes.len() > text.len() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests;
