//! One case through a real gateway: configured, sent, answered, kept and delivered. What is expected is the file's to say.

use std::fs;
use std::time::Duration;

use hookport::clock::Clock;
use hookport::event::EventState;
use hookport::journal::{EventFilter, RejectionFilter};
use hookport::keys::RemoteKeys;
use hookport::request::Incoming;
use tempfile::TempDir;

use super::document;
use super::file::{Answer, Case, Outcome};
use super::gateway::Running;
use super::setup::Setup;
use crate::server::Receiver;
use crate::shipped::sources;
use crate::wire::{Reply, exchange};

/// Runs a case; the error says how what came differs, or that nothing could be sent.
pub(crate) async fn run(case: &Case, provider: &str, update: bool) -> Result<(), String> {
    let expected = case.expected()?;
    let came = play(case, provider, expected.again.is_some()).await?;
    let differences = differences(&expected, &came)?;
    if differences.is_empty() {
        return Ok(());
    }
    if update {
        return case.rewrite(&written(&expected, &came)?);
    }
    Err(differences.join("\n    "))
}

/// What comes of the case: answers as they were, events as the receiver got them.
async fn play(case: &Case, provider: &str, again: bool) -> Result<Came, String> {
    let stage = Stage::set(case, provider).await?;
    let ack = exchange(stage.gateway.public, &stage.request).await?;
    let again = if again { Some(exchange(stage.gateway.public, &stage.request).await?) } else { None };
    let came = kept(&stage.gateway, &stage.receiver, ack, again).await;
    stage.gateway.stop().await;
    came
}

/// Plays a case that holds, and gives what its gateway left: the request of its rejection, and the journal's files.
pub(crate) async fn left_behind(provider: &str, name: &str) -> Result<(Option<Incoming>, Vec<u8>), String> {
    let case = Case::read(&sources(provider).join(format!("fixtures/{name}.http")))?;
    let Stage { folder, receiver, gateway, request } = Stage::set(&case, provider).await?;
    let ack = exchange(gateway.public, &request).await?;
    kept(&gateway, &receiver, ack, None).await?;
    let rejections = gateway.journal.rejections(RejectionFilter::default()).await.map_err(|error| error.to_string())?;
    let rejected = match rejections.first() {
        Some(rejected) => gateway.journal.rejection(rejected.id).await.map_err(|error| error.to_string())?,
        None => None,
    };
    gateway.stop().await;
    let files = fs::read_dir(folder.path().join("data")).map_err(|error| error.to_string())?;
    let files = files.filter_map(|file| fs::read(file.ok()?.path()).ok());
    Ok((rejected.and_then(|(_, request)| request), files.flatten().collect()))
}

/// Everything that a case is played with.
struct Stage {
    folder: TempDir,
    receiver: Receiver,
    gateway: Running,
    request: Vec<u8>,
}

impl Stage {
    async fn set(case: &Case, provider: &str) -> Result<Self, String> {
        let setup = Setup::of(case, provider)?;
        let (folder, receiver) = (TempDir::new().map_err(|error| error.to_string())?, Receiver::start().await);
        let configuration = setup.configuration(&folder.path().join("data"), receiver.server.address);
        let clock = Clock::standing_at(setup.at);
        let known = |keys: RemoteKeys, (url, text): (&String, &String)| keys.knowing(url, text.clone().into());
        let keys = setup.fetched.iter().fold(RemoteKeys::new(clock.clone()), known);
        let gateway = Running::start_with(keys, clock, folder.path(), &configuration).await?;
        Ok(Self { folder, receiver, gateway, request: case.wire(setup.peer.as_deref())? })
    }
}

/// Everything that came of a request.
struct Came {
    ack: Reply,
    again: Option<Reply>,
    /// CloudEvents as the receiver got them.
    events: Vec<String>,
    /// Of the events in the journal.
    warnings: Vec<String>,
    undecoded: bool,
    rejected: Option<String>,
}

async fn kept(gateway: &Running, receiver: &Receiver, ack: Reply, again: Option<Reply>) -> Result<Came, String> {
    let accepted = (200..300).contains(&ack.status);
    let events = gateway.journal.events(EventFilter::default()).await.map_err(|error| error.to_string())?;
    let undecoded = events.iter().any(|event| event.state == EventState::Undecoded);
    let routed = events.iter().filter(|event| event.state == EventState::Routed).count();
    until("every routed event is delivered", || async { receiver.received().len() >= routed }).await?;
    let mut rejected = None;
    if !accepted && !undecoded {
        until("the rejection is kept", || async { !rejections(gateway).await.is_empty() }).await?;
        rejected = rejections(gateway).await.pop();
    }
    let warnings = events.into_iter().flat_map(|event| event.warnings).collect();
    let mut events = receiver.received();
    // Those of one request are delivered side by side; the gateway's ids are in their order.
    events.sort_by_key(|event| document::id(event));
    Ok(Came { ack, again, events, warnings, undecoded, rejected })
}

async fn rejections(gateway: &Running) -> Vec<String> {
    let kept = gateway.journal.rejections(RejectionFilter::default()).await.unwrap_or_default();
    kept.into_iter().map(|rejected| rejected.reason.code().to_owned()).collect()
}

/// Waits for what must come; the deadline is only for what never does.
async fn until<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) -> Result<(), String> {
    for _ in 0..3000 {
        if holds().await {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Err(format!("waited in vain until {what}"))
}

fn differences(expected: &Outcome, came: &Came) -> Result<Vec<String>, String> {
    let mut all = Vec::new();
    let mut differ = |what: &str, expected: String, came: String| {
        if expected != came {
            all.push(format!("{what}: expected {expected}, came {came}"));
        }
    };
    differ("rejected", format!("{:?}", expected.rejected), format!("{:?}", came.rejected));
    differ("undecoded", expected.undecoded.to_string(), came.undecoded.to_string());
    differ("events", expected.events.len().to_string(), came.events.len().to_string());
    differ("warnings", expected.warnings.len().to_string(), format!("{}", came.warnings.len()));
    for (part, warning) in expected.warnings.iter().zip(&came.warnings) {
        if !warning.contains(part.as_str()) {
            all.push(format!("warning: expected {part:?}, came {warning:?}"));
        }
    }
    for (expected, came) in expected.events.iter().zip(&came.events) {
        all.extend(document::missing(expected, came)?);
    }
    for (what, expected, came) in
        [("ack", &expected.ack, Some(&came.ack)), ("again", &expected.again, came.again.as_ref())]
    {
        match (expected, came) {
            (Some(expected), Some(came)) => all.extend(answered(expected, came).map(|text| format!("{what}: {text}"))),
            (None, _) => {}
            (Some(_), None) => all.push(format!("{what}: nothing came")),
        }
    }
    Ok(all)
}

fn answered<'a>(expected: &'a Answer, came: &'a Reply) -> impl Iterator<Item = String> + use<'a> {
    let status = (expected.status != came.status).then(|| format!("status {}", came.status));
    let body =
        (expected.body.as_bytes() != came.body).then(|| format!("body {:?}", String::from_utf8_lossy(&came.body)));
    let headers = expected.headers.iter().filter_map(|(name, value)| {
        let got = came.header(name);
        (got != Some(value)).then(|| format!("header {name}: expected {value:?}, came {got:?}"))
    });
    status.into_iter().chain(body).chain(headers)
}

/// What came, as a case writes it down.
fn written(expected: &Outcome, came: &Came) -> Result<Outcome, String> {
    let answer = |expected: Option<&Answer>, came: &Reply| {
        let named = expected.map_or(&[][..], |answer| answer.headers.as_slice());
        let names = named
            .iter()
            .map(|(name, _)| name.as_str())
            .chain(["content-type"].into_iter().filter(|_| named.is_empty()));
        let headers = names.filter_map(|name| Some((name.to_owned(), came.header(name)?.to_owned()))).collect();
        Answer { status: came.status, headers, body: String::from_utf8_lossy(&came.body).into_owned() }
    };
    Ok(Outcome {
        events: came.events.iter().map(|event| document::lasting(event)).collect::<Result<_, _>>()?,
        warnings: came.warnings.clone(),
        undecoded: came.undecoded,
        rejected: came.rejected.clone(),
        ack: Some(answer(expected.ack.as_ref(), &came.ack)),
        again: came.again.as_ref().map(|came| answer(expected.again.as_ref(), came)),
    })
}
