//! Plugins in workers: whatever one does ends there, and nobody else notices.

mod batch;
mod calls;
mod gateway;
mod pretenders;
mod walls;

use std::sync::Arc;
use std::time::Duration;

use hookport::gateway::Plugins;
use hookport::plugin::policy::{Isolation, Limits, Policy, QuarantineTerms, Terms};
use hookport::plugin::{Code, DecodeRequest, DecodedEvent, Fault};
use hyper::header::HeaderMap;
use jiff::Timestamp;

use crate::cli::program::program;
use crate::plugins::built::plugin;

/// Of a busy machine nobody can ask a millisecond.
const PATIENT: Duration = Duration::from_secs(30);

/// Workers of the real program for all, and nobody is left alone.
fn policy(limits: Limits) -> Policy {
    Policy {
        general: Terms { isolation: Isolation::Worker, limits },
        quarantine: QuarantineTerms { faults: 0, ..QuarantineTerms::default() },
        program: Some(program().to_owned()),
        ..Policy::default()
    }
}

fn patient() -> Limits {
    Limits { deadline: PATIENT, ..Limits::default() }
}

/// The code of a test plugin as this policy has it.
fn code(name: &str, policy: &Policy) -> Arc<Code> {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::copy(plugin(name), folder.path().join(format!("lib{name}.so"))).expect("a copy");
    let plugins = Plugins::discover_by(&[folder.path().to_owned()], policy);
    assert!(plugins.refused.is_empty(), "{:?}", plugins.refused);
    plugins.by_id[name].code.clone().expect("it has code")
}

async fn decode(code: &Code, declared_type: &str) -> Result<Vec<DecodedEvent>, Fault> {
    let request = DecodeRequest {
        method: "POST",
        target: "/",
        headers: &HeaderMap::new(),
        body: b"{}",
        received: Timestamp::UNIX_EPOCH,
        declared_type,
        declared_subject: None,
        document: "{}",
    };
    code.decode(&request).await
}

async fn data(code: &Code, declared_type: &str) -> String {
    let mut events = decode(code, declared_type).await.unwrap_or_else(|fault| panic!("{declared_type}: {fault}"));
    String::from_utf8(events.remove(0).data.expect("data of its own").to_vec()).expect("text")
}
