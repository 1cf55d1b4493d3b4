//! Operations in code, with the exchanges that `fixtures/calls/*.toml` recorded, and with answers that no exchange has.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use hookport_plugin_api::Header;
use serde::Deserialize;

use super::Verdict;
use super::stage::Bench;
use crate::plugin::{Answer, Code, Fault, FaultKind, OpResult};
use crate::provider::json::Document;

/// The host ends a call that wants more after so many rounds.
const ROUNDS: usize = 200;

/// An exchange; what else stands in its file is the gateway's own test of the requests.
#[derive(Deserialize)]
struct Exchange {
    operation: String,
    /// JSON.
    input: String,
    /// Status, headers, blank line, body.
    answer: Option<String>,
    output: Option<String>,
    #[serde(default)]
    settings: BTreeMap<String, toml::Value>,
}

/// One exchange with the code that made it.
struct Called<'c> {
    code: &'c Code,
    exchange: &'c Exchange,
    settings: String,
}

/// An answer as a server gives it.
#[derive(Clone)]
struct Given {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

pub(super) fn exchanges(bench: &Bench) -> Verdict {
    let Some(code) = bench.code().filter(|code| code.operates()) else {
        return Verdict::left_out("it makes no calls in code");
    };
    let folder = bench.subject.fixtures.join("calls");
    let exchanges = match read(&folder) {
        Ok(exchanges) if exchanges.is_empty() => {
            return Verdict::left_out(format!("no recorded exchanges: put .toml files into {}", folder.display()));
        }
        Ok(exchanges) => exchanges,
        Err(error) => return Verdict::of(vec![error]),
    };
    let mut wrong = Vec::new();
    for (name, exchange) in &exchanges {
        let called = Called { code, exchange, settings: settings(bench, exchange) };
        wrong.extend(called.wrong().into_iter().map(|what| format!("calls/{name}: {what}")));
    }
    Verdict::of(wrong)
}

fn read(folder: &Path) -> Result<Vec<(String, Exchange)>, String> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<_> = files.filter(|file| file.extension().is_some_and(|ending| ending == "toml")).collect();
    files.sort();
    let read = |file: &std::path::PathBuf| {
        let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
        let exchange = toml::from_str(&text).map_err(|error| format!("{}: {}", file.display(), error.message()))?;
        Ok((file.file_stem().unwrap_or_default().to_string_lossy().into_owned(), exchange))
    };
    files.iter().map(read).collect()
}

/// The settings of the description, and over them those of the exchange, as JSON.
fn settings(bench: &Bench, exchange: &Exchange) -> String {
    let declared = bench.plugin.provider.description.settings.iter();
    let declared = declared.filter_map(|(name, rule)| Some((name.clone(), rule.default.as_ref()?.to_string())));
    let given = exchange
        .settings
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
    let all: BTreeMap<String, String> = declared.chain(given).collect();
    serde_json::to_string(&all).unwrap_or_else(|_| "{}".to_owned())
}

impl Called<'_> {
    fn wrong(&self) -> Vec<String> {
        let plans = match pollster::block_on(self.code.op_build(
            &self.exchange.operation,
            &self.exchange.input,
            &self.settings,
        )) {
            Ok(plans) => plans.len().max(1),
            Err(fault) => return vec![format!("its requests cannot be built: {fault}")],
        };
        let mut wrong = Vec::new();
        let recorded = self.exchange.answer.as_deref().map(Given::read);
        if let (Some(given), Some(expected)) = (&recorded, &self.exchange.output) {
            match self.parse(&vec![given.clone(); plans]) {
                Ok(OpResult::Done(json)) if same(&json, expected) => {}
                Ok(other) => wrong.push(format!("the recorded answer gives {other:?}")),
                Err(fault) => wrong.push(format!("the recorded answer: {fault}")),
            }
        }
        for status in [429, 500, 502, 503, 504] {
            for body in [&b"<html>try later</html>"[..], b"", b"{}"] {
                let headers = vec![("retry-after".to_owned(), "7".to_owned())];
                let given = Given { status, headers, body: body.to_vec() };
                match self.parse(&vec![given; plans]) {
                    Ok(OpResult::Done(json)) if !json.contains("error") => {
                        wrong.push(format!("status {status} passes for success: {json}"));
                    }
                    result => wrong.extend(harm(result).map(|what| format!("status {status}: {what}"))),
                }
            }
        }
        let deep = [vec![b'['; 5_000], vec![b']'; 5_000]].concat();
        let body = recorded.as_ref().map(|given| given.body.clone()).unwrap_or_default();
        let cut = body[..body.len() / 2].to_vec();
        for body in [
            Vec::new(),
            b"null".to_vec(),
            b"[]".to_vec(),
            b"{}".to_vec(),
            b"\xff\xfe".to_vec(),
            b"<html>".to_vec(),
            deep,
            cut,
        ] {
            let given = Given { status: 200, headers: Vec::new(), body };
            let shown: String = String::from_utf8_lossy(&given.body).chars().take(20).collect();
            wrong.extend(harm(self.parse(&vec![given; plans])).map(|what| format!("the answer {shown:?}: {what}")));
        }
        wrong.extend(recorded.and_then(|given| self.endless(&given, plans)));
        wrong.truncate(8);
        wrong
    }

    /// The same page again and again: there must be an end, be it the host's.
    fn endless(&self, page: &Given, plans: usize) -> Option<String> {
        let mut answers = vec![page.clone(); plans];
        for _ in 0..ROUNDS {
            match self.parse(&answers) {
                Ok(OpResult::More(more)) if more.is_empty() => {
                    return Some("it wants more and plans nothing".to_owned());
                }
                Ok(OpResult::More(more)) => answers.extend(vec![page.clone(); more.len()]),
                result => return harm(result).map(|what| format!("the same page for ever: {what}")),
            }
        }
        None
    }

    fn parse(&self, given: &[Given]) -> Result<OpResult, Fault> {
        let answers: Vec<Answer<'_>> = given.iter().map(Given::answer).collect();
        pollster::block_on(self.code.op_parse(&self.exchange.operation, &self.exchange.input, &self.settings, &answers))
    }
}

/// What is no error but a defect.
fn harm(result: Result<OpResult, Fault>) -> Option<String> {
    match result {
        Err(fault) if fault.kind != FaultKind::Refused => Some(fault.to_string()),
        _ => None,
    }
}

fn same(one: &str, other: &str) -> bool {
    let compact = |text: &str| {
        let mut out = Vec::new();
        Document::parse(text.as_bytes()).ok()?.root().write_compact(&mut out);
        Some(out)
    };
    compact(one) == compact(other)
}

impl Given {
    fn read(text: &str) -> Self {
        let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
        let mut lines = head.trim_start().lines();
        let status = lines.next().and_then(|line| line.trim().parse().ok()).unwrap_or(200);
        let header = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.trim().to_owned(), value.trim().to_owned()))
        };
        Self { status, headers: lines.filter_map(header).collect(), body: body.trim_end_matches('\n').into() }
    }

    fn answer(&self) -> Answer<'_> {
        Answer {
            status: self.status,
            headers: self.headers.iter().map(|(name, value)| Header { name, value: value.as_bytes() }).collect(),
            body: self.body.as_slice().into(),
            error: None,
        }
    }
}
