//! What calling a plugin costs, by where its code runs: the same work without a plugin, through the loaded library, and in a
//! worker, one call after the other and several at once. Then what one plugin that hangs costs the requests of another.
//!
//! `cargo bench -p hookport-tests --bench plugins -- [--only calls,hang]`; `HOOKPORT_BENCH_QUICK=1` takes a fraction of the time.

#[path = "../it/plugins/built.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod built;
#[path = "../it/shipped.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod shipped;

mod plugins {
    pub(crate) mod calls;
    pub(crate) mod hang;
}

use std::sync::Arc;
use std::time::Duration;

use hookport::gateway::Plugins;
use hookport::plugin::policy::{Isolation, Limits, Policy, QuarantineTerms, Terms};
use hookport::plugin::{Code, DecodeRequest, DecodedEvent, Fault};
use hyper::header::{HeaderMap, HeaderValue};
use jiff::Timestamp;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let only = words.iter().position(|word| word == "--only").and_then(|at| words.get(at + 1));
    let wanted = |name: &str| only.is_none_or(|only| only.split(',').any(|only| only == name));
    if wanted("calls") {
        plugins::calls::measure();
    }
    if wanted("hang") {
        plugins::hang::measure();
    }
}

/// A fraction where nobody has time.
pub(crate) fn scaled(count: usize) -> usize {
    if std::env::var_os("HOOKPORT_BENCH_QUICK").is_some() { count / 20 } else { count }
}

/// The code of a test plugin.
pub(crate) fn code(name: &str, isolation: Isolation, deadline: Duration) -> Arc<Code> {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::copy(built::plugin(name), folder.path().join(format!("lib{name}.so"))).expect("a copy");
    let policy = Policy {
        general: Terms { isolation, limits: Limits { deadline, ..Limits::default() } },
        quarantine: QuarantineTerms { faults: 0, ..QuarantineTerms::default() },
        program: Some(shipped::program()),
        ..Policy::default()
    };
    let plugins = Plugins::discover_by(&[folder.path().to_owned()], &policy);
    assert!(plugins.refused.is_empty(), "{:?}", plugins.refused);
    plugins.by_id[name].code.clone().expect("it has code")
}

/// A request of so many bytes, decoded as this type.
pub(crate) async fn decode(code: &Code, document: &str, kind: &str) -> Result<Vec<DecodedEvent>, Fault> {
    let mut headers = HeaderMap::new();
    for name in ["content-type", "user-agent", "x-sign", "x-request-id", "accept", "host"] {
        headers.insert(name, HeaderValue::from_static("application/json"));
    }
    let request = DecodeRequest {
        method: "POST",
        target: "/odd",
        headers: &headers,
        body: document.as_bytes(),
        received: Timestamp::UNIX_EPOCH,
        declared_type: kind,
        declared_subject: Some("8985203105001234567"),
        document,
    };
    code.decode(&request).await
}

/// A document of so many bytes.
pub(crate) fn document(bytes: usize) -> String {
    let start = r#"{"event":"typed","iccid":"8985203105001234567","n":1.5,"fill":""#;
    format!("{start}{}\"}}", "x".repeat(bytes - start.len() - 2))
}

/// The time that this part is not above, in microseconds.
pub(crate) fn quantile(times: &mut [Duration], part: f64) -> f64 {
    times.sort_unstable();
    times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e6
}
