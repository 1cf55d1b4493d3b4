//! Operations, be they in code or declared: with the exchanges that `fixtures/calls/*.toml` recorded, and with answers that no
//! exchange has.

mod callee;
mod exchange;

use self::callee::Callee;
use self::exchange::{Exchange, Given};
use super::Verdict;
use super::stage::Bench;
use crate::gateway::Plugin;
use crate::plugin::{Fault, FaultKind, OpResult};
use crate::provider::json::Document;

/// The host ends a call that wants more after so many rounds.
const ROUNDS: usize = 200;

pub(super) fn exchanges(bench: &Bench) -> Verdict {
    let declared = &bench.plugin.provider.description.operations;
    if declared.is_empty() {
        return Verdict::left_out("it makes no calls");
    }
    // Of a description alone, what its code would ask for is not known.
    let unknown = |id: &str| {
        bench.plugin.code.is_none() && declared.iter().any(|known| known.id == id && known.request.is_none())
    };
    if declared.iter().all(|known| unknown(&known.id)) {
        return Verdict::left_out("its requests are made by its code, which is not checked");
    }
    let folder = bench.subject.fixtures.join("calls");
    let exchanges = match exchange::read(&folder) {
        Ok(exchanges) if exchanges.is_empty() => {
            return Verdict::left_out(format!("no recorded exchanges: put .toml files into {}", folder.display()));
        }
        Ok(exchanges) => exchanges,
        Err(error) => return Verdict::of(vec![error]),
    };
    let mut wrong = Vec::new();
    let known = exchanges.iter().filter(|(_, exchange)| exchange.is_of(declared) && !unknown(&exchange.operation));
    for (name, exchange) in known {
        let found = match Callee::of(&bench.plugin, &bench.subject.fixtures, exchange) {
            Ok(callee) => told(&callee, exchange),
            Err(error) => vec![error],
        };
        wrong.extend(found.into_iter().map(|what| format!("calls/{name}: {what}")));
    }
    let answered =
        |id: &str| exchanges.iter().any(|(_, exchange)| exchange.operation == id && exchange.answer.is_some());
    let silent: Vec<&str> =
        declared.iter().map(|known| known.id.as_str()).filter(|id| !answered(id) && !unknown(id)).collect();
    match (wrong.is_empty(), silent.is_empty()) {
        (true, false) => Verdict::noted(format!("no recorded answer of {}", silent.join(", "))),
        _ => Verdict::of(wrong),
    }
}

/// What is not as recorded where the plugin is loaded otherwise.
pub(super) fn exchanged(bench: &Bench, plugin: &Plugin) -> Vec<String> {
    let declared = &bench.plugin.provider.description.operations;
    let exchanges = exchange::read(&bench.subject.fixtures.join("calls")).unwrap_or_default();
    let mut wrong = Vec::new();
    for (name, exchange) in exchanges.iter().filter(|(_, exchange)| exchange.is_of(declared)) {
        let found = match Callee::of(plugin, &bench.subject.fixtures, exchange) {
            Ok(callee) => recorded(&callee, exchange),
            Err(error) => vec![error],
        };
        wrong.extend(found.into_iter().map(|what| format!("calls/{name}: {what}")));
    }
    wrong
}

/// Everything about one exchange, and about what no exchange has.
fn told(callee: &Callee<'_>, exchange: &Exchange) -> Vec<String> {
    let mut wrong = recorded(callee, exchange);
    let Ok(plans) = callee.plans() else { return wrong };
    for status in [429, 500, 502, 503, 504] {
        for body in [&b"<html>try later</html>"[..], b"", b"{}"] {
            let headers = vec![("retry-after".to_owned(), "7".to_owned())];
            let given = Given { status, headers, body: body.to_vec() };
            match callee.parse(&vec![given; plans]) {
                Ok(OpResult::Done(json)) if !json.contains("error") => {
                    wrong.push(format!("status {status} passes for success: {json}"));
                }
                result => wrong.extend(harm(result).map(|what| format!("status {status}: {what}"))),
            }
        }
    }
    let answer = exchange.answer();
    for body in garbage(answer.as_ref()) {
        let given = Given { status: 200, headers: Vec::new(), body };
        let shown: String = String::from_utf8_lossy(&given.body).chars().take(20).collect();
        wrong.extend(harm(callee.parse(&vec![given; plans])).map(|what| format!("the answer {shown:?}: {what}")));
    }
    wrong.extend(answer.and_then(|page| endless(callee, &page, plans)));
    wrong.truncate(8);
    wrong
}

/// The request and the answer that were recorded.
fn recorded(callee: &Callee<'_>, exchange: &Exchange) -> Vec<String> {
    let plans = match (callee.plans(), &exchange.refused, &exchange.answer) {
        (Ok(plans), ..) => plans,
        (Err(why), Some(refused), None) if same_words(refused, &why) => return Vec::new(),
        (Err(why), ..) => return vec![format!("its requests cannot be built: {why}")],
    };
    let mut wrong = callee.unlike(exchange);
    let Some(given) = exchange.answer() else { return wrong };
    wrong.extend(match (callee.parse(&vec![given; plans]), &exchange.output, &exchange.refused) {
        (Ok(OpResult::Done(json)), Some(expected), _) if same(&json, expected) => None,
        (Ok(OpResult::Fail(words)), _, Some(refused)) if same_words(refused, &words) => None,
        (_, None, None) => None,
        (Ok(other), ..) => Some(format!("the recorded answer gives {other:?}")),
        (Err(fault), ..) => Some(format!("the recorded answer: {fault}")),
    });
    wrong
}

/// Bodies that no provider should send, and what is left of one that was cut.
fn garbage(answer: Option<&Given>) -> Vec<Vec<u8>> {
    let deep = [vec![b'['; 5_000], vec![b']'; 5_000]].concat();
    let whole = answer.map(|given| given.body.clone()).unwrap_or_default();
    let cut = whole[..whole.len() / 2].to_vec();
    let words = [&b""[..], b"null", b"[]", b"{}", b"\xff\xfe", b"<html>"].map(<[u8]>::to_vec);
    words.into_iter().chain([deep, cut]).collect()
}

/// The same page again and again: there must be an end, be it the host's.
fn endless(callee: &Callee<'_>, page: &Given, plans: usize) -> Option<String> {
    let mut answers = vec![page.clone(); plans];
    for _ in 0..ROUNDS {
        match callee.parse(&answers) {
            Ok(OpResult::More(more)) if more.is_empty() => {
                return Some("it wants more and plans nothing".to_owned());
            }
            Ok(OpResult::More(more)) => answers.extend(vec![page.clone(); more.len()]),
            result => return harm(result).map(|what| format!("the same page for ever: {what}")),
        }
    }
    None
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

/// A gateway says in front of some words whose they are.
fn same_words(recorded: &str, said: &str) -> bool {
    recorded.strip_prefix("the request cannot be made: ").unwrap_or(recorded) == said
}
