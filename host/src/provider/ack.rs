//! `[ack.<outcome>]`: answers in the provider's own words, and where it wants that, signed.

mod msgcrypt;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use bytes::Bytes;
use hookport_plugin_api::description::{Ack as Written, AckSign, Acks, Content};
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use self::msgcrypt::Sealing;
use super::algorithm;
use super::condition::Condition;
use super::decrypt::Decrypt;
use super::key::KeyText;
use super::place::Place;
use super::template::{Lookup, Template};
use super::view::View;

/// Headers that frame the answer.
const FRAMING: &[&str] =
    &["content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "trailer", "te"];

/// What became of a request, as its sender is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Stored.
    Accepted,
    /// Stored before.
    Duplicate,
    /// Not proven.
    Rejected,
    /// Not parseable.
    Malformed,
    /// Not now; come again.
    Unavailable,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    /// The status.
    pub status: u16,
    /// The headers, content type included.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The exact body.
    pub body: Bytes,
}

/// The compiled answers of a provider.
pub struct Answers {
    accepted: Answer,
    duplicate: Option<Answer>,
    rejected: Answer,
    malformed: Answer,
    unavailable: Answer,
}

struct Answer {
    status: u16,
    headers: Vec<(HeaderName, Template)>,
    body: Option<(&'static str, Template)>,
    sealing: Option<Sealing>,
    signs: Vec<Sign>,
}

struct Sign {
    when: Condition,
    now: String,
    algorithm: &'static algorithm::Algorithm,
    key: (String, Template),
    message: Template,
    headers: Vec<(HeaderName, Template)>,
}

impl Default for Answers {
    fn default() -> Self {
        let plain = |status| Answer { status, headers: Vec::new(), body: None, sealing: None, signs: Vec::new() };
        Self {
            accepted: plain(200),
            duplicate: None,
            rejected: plain(401),
            malformed: plain(400),
            unavailable: plain(503),
        }
    }
}

impl Answers {
    /// Compiles the answers; what is not written has its outcome's status and no body.
    pub fn compile(written: &Acks, content: Content, decrypt: Option<&Decrypt>) -> Result<Self, String> {
        let named = |name: &str, written: &Option<Written>, status| {
            let written = written.clone().unwrap_or_default();
            if written.profile.is_some() && !["accepted", "duplicate"].contains(&name) {
                return Err(format!(
                    "{name}: profile: what a stranger is answered is not signed: accepted and duplicate"
                ));
            }
            let answer = Answer::compile(&written, status).map_err(|error| format!("{name}: {error}"))?;
            let sealing = Sealing::compile(&written, content, decrypt).map_err(|error| format!("{name}: {error}"))?;
            Ok(Answer { sealing, ..answer })
        };
        Ok(Self {
            accepted: named("accepted", &written.accepted, 200)?,
            duplicate: written.duplicate.is_some().then(|| named("duplicate", &written.duplicate, 200)).transpose()?,
            rejected: named("rejected", &written.rejected, 401)?,
            malformed: named("malformed", &written.malformed, 400)?,
            unavailable: named("unavailable", &written.unavailable, 503)?,
        })
    }

    /// The answer for an outcome; a place that the request lacks is empty in it.
    pub fn render(&self, outcome: Outcome, view: &View<'_>, decrypt: Option<&Decrypt>, now: Timestamp) -> Ack {
        let answer = self.answer(outcome);
        let mut ack = answer.render(view, decrypt, now);
        if outcome == Outcome::Unavailable && !ack.headers.iter().any(|(name, _)| name == RETRY_AFTER) {
            ack.headers.push((RETRY_AFTER, HeaderValue::from_static("5")));
        }
        ack
    }

    fn answer(&self, outcome: Outcome) -> &Answer {
        match outcome {
            Outcome::Accepted => &self.accepted,
            Outcome::Duplicate => self.duplicate.as_ref().unwrap_or(&self.accepted),
            Outcome::Rejected => &self.rejected,
            Outcome::Malformed => &self.malformed,
            Outcome::Unavailable => &self.unavailable,
        }
    }

    /// Whether the answer goes out encrypted.
    pub fn seals(&self, outcome: Outcome) -> bool {
        self.answer(outcome).sealing.is_some()
    }

    /// The places that the answers read.
    pub fn places(&self) -> Vec<&Place> {
        let answers = [
            Some(&self.accepted),
            self.duplicate.as_ref(),
            Some(&self.rejected),
            Some(&self.malformed),
            Some(&self.unavailable),
        ];
        let sealed = answers.iter().flatten().filter_map(|answer| answer.sealing.as_ref()).flat_map(Sealing::places);
        let sealed: Vec<_> = sealed.collect();
        let templates =
            answers.into_iter().flatten().flat_map(|answer| {
                let own = answer
                    .headers
                    .iter()
                    .map(|(_, template)| template)
                    .chain(answer.body.as_ref().map(|(_, template)| template));
                own.chain(answer.signs.iter().flat_map(|sign| {
                    sign.headers.iter().map(|(_, template)| template).chain([&sign.message, &sign.key.1])
                }))
            });
        templates.flat_map(Template::places).chain(sealed).collect()
    }
}

impl Answer {
    fn compile(written: &Written, status: u16) -> Result<Self, String> {
        let bodies = [
            ("application/json", &written.json),
            ("text/plain; charset=utf-8", &written.text),
            ("application/xml", &written.xml),
        ];
        let mut bodies = bodies.into_iter().filter_map(|(kind, text)| Some((kind, text.as_deref()?)));
        let body = bodies.next();
        if bodies.next().is_some() || (written.empty && body.is_some()) {
            return Err("has more than one of json, text, xml and empty".into());
        }
        let status = written.status.unwrap_or(status);
        if !(200..600).contains(&status) {
            return Err(format!("status {status} is not one that an answer can have: 200 to 599"));
        }
        Ok(Self {
            status,
            headers: headers(&written.headers)?,
            body: body.map(|(kind, text)| Template::compile(text).map(|template| (kind, template))).transpose()?,
            sealing: None,
            signs: written.sign.iter().map(Sign::compile).collect::<Result<_, _>>()?,
        })
    }

    fn render(&self, view: &View<'_>, decrypt: Option<&Decrypt>, now: Timestamp) -> Ack {
        let body = self.body.as_ref().map(|(kind, template)| (*kind, lenient(template, view)));
        let body = match (&self.sealing, body, decrypt) {
            (None, body, _) => body,
            // What should be encrypted never goes out as it is.
            (Some(sealing), Some((_, plain)), Some(decrypt)) => sealing.seal(decrypt, &plain, view, now),
            (Some(_), ..) => None,
        };
        let mut headers: Vec<_> =
            self.headers.iter().filter_map(|(name, template)| header(name, template, view)).collect();
        if let Some((kind, _)) = body
            && !headers.iter().any(|(name, _)| name == CONTENT_TYPE)
        {
            headers.push((CONTENT_TYPE, HeaderValue::from_static(kind)));
        }
        let body = body.map(|(_, body)| Bytes::from(body)).unwrap_or_default();
        if let Some(sign) = self.signs.iter().find(|sign| sign.when.holds(view).is_ok()) {
            headers.extend(sign.render(&body, view, now));
        }
        Ack { status: self.status, headers, body }
    }
}

impl Sign {
    fn compile(written: &AckSign) -> Result<Self, String> {
        let (form, value) = written.key.as_ref().map_or(("utf8", "${secret}"), |key| (&key.form, &key.value));
        jiff::fmt::strtime::format(&written.now, &Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC))
            .map_err(|error| format!("sign.now: {:?} is not a strftime pattern: {error}", written.now))?;
        Ok(Self {
            when: written.when.as_ref().map(Condition::compile).transpose()?.unwrap_or_default(),
            now: written.now.clone(),
            algorithm: algorithm::named(&written.alg)
                .filter(|algorithm| algorithm.key != algorithm::KeyKind::Public && algorithm.token.is_none())
                .ok_or_else(|| format!("sign.alg: {:?} is not a digest or MAC that can sign an answer", written.alg))?,
            key: (form.to_owned(), Template::compile(value)?),
            message: Template::compile(&written.message)?,
            headers: headers(&written.headers)?,
        })
    }

    fn render(&self, body: &[u8], view: &View<'_>, now: Timestamp) -> Vec<(HeaderName, HeaderValue)> {
        let now = jiff::fmt::strtime::format(&self.now, &now.to_zoned(TimeZone::UTC)).unwrap_or_default();
        let own = [("now", now.as_bytes()), ("ack", body)];
        let unsigned = View { own: &own, ..*view };
        let key = self.key.1.render(&unsigned).unwrap_or_default();
        let Ok(scheme) = (self.algorithm.prepare)(&KeyText { form: &self.key.0, text: &key, user_id: "" }) else {
            return Vec::new();
        };
        let Some(mac) = self.message.render(&unsigned).ok().and_then(|message| scheme.expected(&message)) else {
            return Vec::new();
        };
        let own = [own[0], own[1], ("mac", mac.as_slice())];
        let signed = View { own: &own, ..*view };
        self.headers.iter().filter_map(|(name, template)| header(name, template, &signed)).collect()
    }
}

pub(super) fn headers(
    written: &std::collections::BTreeMap<String, String>,
) -> Result<Vec<(HeaderName, Template)>, String> {
    let compile = |(name, text): (&String, &String)| {
        let name: HeaderName =
            name.to_ascii_lowercase().parse().map_err(|_| format!("{name:?} is not a header's name"))?;
        if FRAMING.contains(&name.as_str()) {
            return Err(format!("the header {name} is the host's to send"));
        }
        Ok((name, Template::compile(text)?))
    };
    written.iter().map(compile).collect()
}

fn header(name: &HeaderName, template: &Template, view: &View<'_>) -> Option<(HeaderName, HeaderValue)> {
    HeaderValue::from_bytes(&lenient(template, view)).ok().map(|value| (name.clone(), value))
}

fn lenient(template: &Template, view: &View<'_>) -> Vec<u8> {
    template.render(&Lenient(view)).unwrap_or_default()
}

/// What is missing is empty.
struct Lenient<'v>(&'v View<'v>);

impl Lookup for Lenient<'_> {
    fn bytes(&self, place: &Place) -> Option<Cow<'_, [u8]>> {
        Some(self.0.bytes(place).unwrap_or_default())
    }
}
