//! Polls: an operation again and again, and an event of each item that is new or changed.
//!
//! Events and what was seen become durable in one transaction, so that a crash neither loses nor doubles an event. What is
//! a change is decided in `changes`, whose turn it is among several hosts in the journal.

use std::collections::BTreeMap;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

use super::changes::{Changed, Compared, Seen};
use super::{CallError, Operations};
use crate::clock::Clock;
use crate::config::resolved::{self, Input};
use crate::event::{Data, NewEvent};
use crate::journal::{Journal, JournalError, NewRequest, Recorded};
use crate::provider::identity::dedup_key;
use crate::provider::json::pointer;
use crate::provider::source::Source;
use crate::request::Incoming;

/// A share of the interval, at most, that a poll waits longer by chance, so that polls do not go in step.
const JITTER: f64 = 0.05;
const LONGEST_JITTER: Duration = Duration::from_secs(60);
/// A journal that has too much waiting is asked again after so long.
const BUSY: Duration = Duration::from_secs(1);

/// A journal that is away is asked again after so long.
const AWAY: Duration = Duration::from_secs(5);

/// One of `[[polls]]` at work.
struct Poll {
    /// Names its state; the same after a restart and after other polls were added.
    name: Arc<str>,
    source: Arc<Source>,
    operation: String,
    every: Duration,
    input: Input,
    /// Where the items are.
    items: Vec<String>,
    /// The field that tells items apart.
    key: String,
    /// `<provider>.<changed_event>`.
    kind: String,
    operations: Arc<Operations>,
    journal: Arc<dyn Journal>,
    clock: Clock,
}

/// Why a poll gave nothing this time.
#[derive(Debug, thiserror::Error)]
enum PollError {
    #[error("{file} cannot be read: {error}", file = .file.display())]
    Input { file: Box<Path>, error: std::io::Error },
    #[error("{0}")]
    Call(#[from] CallError),
    #[error("{0}")]
    Output(String),
    #[error("{0}")]
    Journal(#[from] JournalError),
}

/// Polls until `stopped` turns true (or its sender is gone). The journal must stay open until the task ends.
pub fn run(
    polls: &[resolved::Poll],
    operations: &Arc<Operations>,
    journal: &Arc<dyn Journal>,
    clock: &Clock,
    stopped: &watch::Receiver<bool>,
) -> JoinHandle<()> {
    let mut running = JoinSet::new();
    let mut names = BTreeMap::new();
    for poll in polls {
        match Poll::new(poll, operations, journal, clock, &mut names) {
            Ok(poll) => drop(running.spawn(poll.run(stopped.clone()))),
            Err(error) => tracing::error!(source = poll.source, operation = poll.operation, "not polled: {error}"),
        }
    }
    tokio::spawn(async move {
        while let Some(ended) = running.join_next().await {
            if let Err(error) = ended {
                tracing::error!("a poll broke off: {error}; it goes on after a restart");
            }
        }
    })
}

impl Poll {
    fn new(
        poll: &resolved::Poll,
        operations: &Arc<Operations>,
        journal: &Arc<dyn Journal>,
        clock: &Clock,
        names: &mut BTreeMap<String, usize>,
    ) -> Result<Self, String> {
        let (caller, operation) = operations.find(&poll.source, &poll.operation).map_err(|error| error.to_string())?;
        let items = operation.items.as_deref().and_then(pointer);
        let (Some(items), Some(event)) = (items, &operation.changed_event) else {
            return Err(
                "the provider does not say where the items of its output are, or what a change is called".into()
            );
        };
        Ok(Self {
            name: name(poll, names).into(),
            source: caller.source.clone(),
            operation: poll.operation.clone(),
            every: poll.every,
            input: poll.input.clone(),
            items,
            key: poll.key.clone(),
            kind: format!("{}.{event}", caller.source.provider.id),
            operations: operations.clone(),
            journal: journal.clone(),
            clock: clock.clone(),
        })
    }

    /// One after the other, so that a poll never meets itself.
    async fn run(self, mut stopped: watch::Receiver<bool>) {
        let mut last = self.last().await;
        loop {
            let wait = self.wait(last);
            let turn = async {
                self.turn(wait).await;
                let begun = self.clock.now();
                if let Err(error) = self.once().await {
                    tracing::warn!(poll = &*self.name, "the poll failed, and what was seen stays: {error}");
                }
                if let Err(error) = self.journal.polled(&self.name).await {
                    tracing::warn!(poll = &*self.name, "other hosts cannot be told that it is over: {error}");
                }
                begun
            };
            last = tokio::select! {
                begun = turn => Some(begun),
                _ = stopped.wait_for(|stop| *stop) => return,
            };
        }
    }

    /// Waits for its time, and until no other host has run it in this interval or is at it.
    async fn turn(&self, mut wait: Duration) {
        loop {
            sleep(wait).await;
            match self.journal.poll(&self.name, self.every).await {
                Ok(None) => return,
                Ok(Some(later)) => wait = later,
                Err(error) => {
                    tracing::warn!(poll = &*self.name, "whose turn it is cannot be told, and nobody polls: {error}");
                    wait = AWAY;
                }
            }
        }
    }

    /// A poll's whole way: read the input, call, compare, record.
    async fn once(&self) -> Result<(), PollError> {
        let input = self.input().await?;
        let output = self.operations.call(&self.source.name, &self.operation, &input).await?;
        for words in output.errors() {
            tracing::warn!(poll = &*self.name, "a part of the poll failed, and what was seen of it stays: {words}");
        }
        let seen = self.seen().await?;
        let compared = seen.compare(&output.json, &self.items, &self.key).map_err(PollError::Output)?;
        self.record(&seen, &compared.changed).await?;
        self.report(&compared);
        Ok(())
    }

    async fn input(&self) -> Result<String, PollError> {
        match &self.input {
            Input::Here(document) => Ok(document.to_string()),
            Input::File(file) => {
                let text = tokio::fs::read_to_string(file).await;
                text.map_err(|error| PollError::Input { file: file.as_path().into(), error })
            }
        }
    }

    async fn seen(&self) -> Result<Seen, PollError> {
        let Some(state) = self.journal.poll_state(&self.name).await? else { return Ok(Seen::default()) };
        serde_json::from_slice(&state)
            .map_err(|error| PollError::Output(format!("what was seen last cannot be read from the journal: {error}")))
    }

    /// Events and what was seen in one transaction; without a change only that the poll ran.
    async fn record(&self, seen: &Seen, changed: &[Changed]) -> Result<(), PollError> {
        let now = self.clock.now();
        let state =
            serde_json::to_vec(&seen.after(changed, now)).map_err(|error| PollError::Output(error.to_string()))?;
        let new = self.request(seen, changed, state.into(), now);
        loop {
            match self.journal.record(new.clone()).await {
                Err(JournalError::Busy) => sleep(BUSY).await,
                Err(error) => return Err(error.into()),
                Ok(Recorded::Accepted(_) | Recorded::Duplicate) => return Ok(()),
                Ok(Recorded::Refused(rejection)) => return Err(PollError::Output(rejection.detail)),
            }
        }
    }

    /// What the provider said of the changed items, as if it had sent it to the operation's own address.
    fn request(&self, seen: &Seen, changed: &[Changed], state: Bytes, now: Timestamp) -> NewRequest {
        let (body, places) = body(changed);
        let event = |(changed, place): (&Changed, Range<usize>)| NewEvent {
            kind: self.kind.clone(),
            subject: Some(changed.key.clone()),
            time: None,
            provider_id: None,
            key: self.dedup(seen, changed),
            data: Data::Json(body.slice(place)),
            warnings: Vec::new(),
            undecoded: None,
        };
        let events = changed.iter().zip(places).map(event).collect();
        NewRequest {
            source: self.source.name.clone(),
            provider: self.source.provider.id.clone(),
            provider_version: self.source.provider.version.clone(),
            request: Arc::new(Incoming {
                method: "POST".into(),
                target: format!("/v1/sources/{}/operations/{}", self.source.name, self.operation),
                headers: HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]),
                body,
                peer: None,
                received: now,
            }),
            events,
            nonce: None,
            stale: None,
            build: self.source.provider.build.clone(),
            poll_state: Some((self.name.clone(), state)),
        }
    }

    /// The same transition has the same key, and an item that returns to what it was before has another.
    fn dedup(&self, seen: &Seen, changed: &Changed) -> crate::event::DedupKey {
        let before = changed.before.as_deref().unwrap_or_default();
        let run = seen.run.to_string();
        let key = [&*self.name, &changed.key, before, &changed.now, &run].join("\0");
        dedup_key(&self.source.name, "poll", key.as_bytes(), None)
    }

    fn report(&self, compared: &Compared) {
        let (changed, same, poll) = (compared.changed.len(), compared.same, &*self.name);
        match changed {
            0 => tracing::debug!(poll, same, "nothing changed"),
            _ => tracing::info!(poll, changed, same, "items changed"),
        }
        if compared.nameless > 0 {
            tracing::warn!(poll, "{} items have no {:?} and are not compared", compared.nameless, self.key);
        }
    }

    /// When it ran last, also before a restart.
    async fn last(&self) -> Option<Timestamp> {
        match self.seen().await {
            Ok(seen) => seen.at,
            Err(error) => {
                tracing::warn!(poll = &*self.name, "{error}");
                None
            }
        }
    }

    /// Until the next poll; the first one comes at once where the last was long ago.
    fn wait(&self, last: Option<Timestamp>) -> Duration {
        let Some(last) = last else { return Duration::ZERO };
        // A clock that was set back must not stop a poll for longer than its interval.
        let passed = Duration::try_from(self.clock.now().duration_since(last)).unwrap_or_default();
        let left = self.every.saturating_sub(passed);
        if left.is_zero() {
            return left;
        }
        left.saturating_add(self.every.mul_f64(JITTER * rand::random::<f64>()).min(LONGEST_JITTER))
    }
}

/// Polls that ask differently have states of their own, whichever stands first; only equal ones are numbered.
fn name(poll: &resolved::Poll, names: &mut BTreeMap<String, usize>) -> String {
    let hash = match &poll.input {
        Input::Here(document) => Sha256::new().chain_update("here ").chain_update(document.to_string()),
        Input::File(file) => Sha256::new().chain_update("file ").chain_update(file.as_os_str().as_bytes()),
    };
    let hash = hex::encode(&hash.finalize()[..8]);
    let name = format!("{}/{}/{} {hash}", poll.source, poll.operation, poll.key);
    let count = names.entry(name.clone()).or_default();
    *count += 1;
    if *count == 1 { name } else { format!("{name} #{count}") }
}

/// One item as it is, several as an array, and where in it each of them lies.
fn body(changed: &[Changed]) -> (Bytes, Vec<Range<usize>>) {
    let (mut body, mut places) = (Vec::new(), Vec::with_capacity(changed.len()));
    let several = changed.len() > 1;
    for (index, changed) in changed.iter().enumerate() {
        if several {
            body.push(if index == 0 { b'[' } else { b',' });
        }
        let start = body.len();
        body.extend_from_slice(changed.item.as_bytes());
        places.push(start..body.len());
    }
    if several {
        body.push(b']');
    }
    (body.into(), places)
}

#[cfg(test)]
mod tests;
