//! `[operations.answer]`, compiled: what a provider's answer means.

use bytes::Bytes;
use hookport_plugin_api::description::AnswerRule;
use hyper::header::HeaderMap;
use secrecy::ExposeSecret;

use super::super::condition::Condition;
use super::super::identity::first;
use super::super::json::{Document, pointer, write_string};
use super::super::place::Place;
use super::super::source::Source;
use super::super::template::Template;
use super::super::view::{Parsed, Reads, View};
use super::Call;
use crate::request::Incoming;

/// Characters of an answer's start, where it has no words of the provider's.
const START: usize = 200;
/// Characters of the provider's words.
const WORDS: usize = 1000;

/// The compiled rule.
#[derive(Debug, Default)]
pub(super) struct Answering {
    success: Option<Condition>,
    output: Vec<String>,
    message: Vec<Template>,
    retry: Option<(Condition, u32)>,
    pub(super) reads: Reads,
}

/// What an answer means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judged {
    /// The output, JSON with its number texts as received.
    Done(String),
    /// The provider wants to be asked again in so many seconds.
    Retry(u32),
    /// The provider's words, or the start of its answer.
    Failed(String),
}

impl Answering {
    /// Compiles one; complaints are by key.
    pub(super) fn compile(written: &AnswerRule) -> Result<Self, Vec<(&'static str, String)>> {
        let mut wrong = Vec::new();
        let retry = written.retry.as_ref().map(|retry| (&retry.when, retry.after_s));
        for (key, when) in [("success", written.success.as_ref()), ("retry.when", retry.map(|(when, _)| when))] {
            if when.is_some_and(|when| when.method.is_some()) {
                wrong.push((key, "an answer has no method".into()));
            }
        }
        let compiled = written.success.as_ref().map(Condition::compile).transpose();
        let success = compiled.map_err(|error| wrong.push(("success", error))).ok().flatten();
        let compiled = retry.map(|(when, after)| Ok((Condition::compile(when)?, after))).transpose();
        let retry = compiled.map_err(|error: String| wrong.push(("retry.when", error))).ok().flatten();
        let message = written.message.iter().map(|text| Template::place_or_template(text));
        let message = message.filter_map(|made| made.map_err(|error| wrong.push(("message", error))).ok()).collect();
        let output = written.output.as_deref().unwrap_or_default();
        let steps = pointer(output).ok_or_else(|| super::super::check::not_a_pointer(output));
        let output = steps.map_err(|error| wrong.push(("output", error))).unwrap_or_default();
        let answering = Self { success, output, message, retry, reads: Reads::default() };
        if wrong.is_empty() { Ok(answering) } else { Err(wrong) }
    }

    /// Every place that it reads, with its key.
    pub(super) fn places(&self) -> Vec<(&'static str, &Place)> {
        let success = self.success.iter().flat_map(Condition::places).map(|place| ("success", place));
        let retry = self.retry.iter().flat_map(|(when, _)| when.places()).map(|place| ("retry.when", place));
        let message = self.message.iter().flat_map(Template::places).map(|place| ("message", place));
        success.chain(retry).chain(message).collect()
    }
}

impl Source {
    /// What an answer to a call means by its description.
    pub fn judge(&self, call: &Call, status: u16, headers: &HeaderMap, body: &Bytes) -> Judged {
        let rule = &call.answering;
        let answer = Incoming { headers: headers.clone(), body: body.clone(), ..Incoming::nothing() };
        let parsed = Parsed::new(&answer, rule.reads);
        let code = status.to_string();
        let own = [("status", code.as_bytes())];
        let view = View { own: &own, ..self.view(&parsed) };
        if let Some((_, after)) = rule.retry.as_ref().filter(|(when, _)| when.holds(&view).is_ok()) {
            return Judged::Retry(*after);
        }
        let succeeded = match &rule.success {
            Some(when) => when.holds(&view).is_ok(),
            None => (200..300).contains(&status),
        };
        match (succeeded, first(&rule.message, &view)) {
            (true, _) => Judged::Done(output(body, &rule.output)),
            (false, Some((_, words))) => Judged::Failed(self.secrets_hidden(words).chars().take(WORDS).collect()),
            (false, None) => Judged::Failed(self.secrets_hidden(start(status, body))),
        }
    }

    /// A provider may quote what it refuses, and its words go into logs.
    fn secrets_hidden(&self, words: String) -> String {
        let secrets = self.secrets().map(|(_, secret)| secret.expose_secret().trim());
        secrets.filter(|secret| !secret.is_empty()).fold(words, |words, secret| words.replace(secret, "***"))
    }
}

/// The value at the pointer as received, null where there is none; an answer that is no JSON is a text.
fn output(body: &[u8], steps: &[String]) -> String {
    if body.is_empty() {
        return "null".into();
    }
    match Document::parse(body) {
        Ok(document) => document.root().at(steps).map_or("null", |value| value.raw()).to_owned(),
        Err(_) => {
            let mut text = Vec::new();
            write_string(String::from_utf8_lossy(body).as_bytes(), &mut text);
            String::from_utf8_lossy(&text).into_owned()
        }
    }
}

fn start(status: u16, body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(START).collect();
    match line.as_str() {
        "" => format!("HTTP {status}"),
        line => format!("HTTP {status}: {line}"),
    }
}
