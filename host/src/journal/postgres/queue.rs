//! What waits for a connection on the way in: bounded in number and bytes, so that a server that is slow or away is answered
//! `Busy` and not with memory.
//!
//! No key and no nonce is in two groups at once, and none twice in one: whether the later request is a repeat is known when
//! the earlier one is decided. Such a request waits for a later group, and nobody waits for it.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::Limits;
use super::ids::{Ids, Instant};
use crate::journal::prepare::Prepared;
use crate::journal::{Answer, JournalError, Recorded};

/// A group's bounds: one commit pays for many, but nobody waits for all.
const GROUP: usize = 1_024;
const GROUP_EVENTS: usize = 4_096;
const GROUP_BYTES: usize = 8 << 20;
/// So many are looked at for a group whose keys are free.
const LOOKED_AT: usize = 2 * GROUP;

/// What must not be in two groups at once.
type Mark = [u8; 16];

/// A request that waits for its answer.
pub(super) struct Waiting {
    pub(super) prepared: Prepared,
    pub(super) answer: Answer<Recorded>,
    marks: Vec<Mark>,
}

/// What is written together.
pub(super) struct Group {
    pub(super) requests: Vec<Waiting>,
    /// That of the ids of its events.
    pub(super) instant: Instant,
}

pub(super) struct Queue {
    state: Mutex<State>,
    filled: Notify,
    limit: usize,
    limit_bytes: usize,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    /// Of the groups that are being written.
    writing: HashSet<Mark>,
    ids: Ids,
    closed: bool,
}

impl Queue {
    pub(super) fn new(limits: &Limits) -> Self {
        Self { state: Mutex::default(), filled: Notify::new(), limit: limits.queue, limit_bytes: limits.queue_bytes }
    }

    pub(super) fn push(&self, prepared: Prepared, answer: Answer<Recorded>) -> Result<(), JournalError> {
        let mut state = self.state();
        if state.closed {
            return Err(JournalError::Closed);
        }
        let bytes = state.bytes + prepared.bytes;
        // One request may always wait, however large: otherwise it would be refused for ever.
        if state.waiting.len() >= self.limit || (bytes > self.limit_bytes && !state.waiting.is_empty()) {
            return Err(JournalError::Busy);
        }
        state.bytes = bytes;
        let marks = marks(&prepared);
        state.waiting.push_back(Waiting { prepared, answer, marks });
        drop(state);
        self.filled.notify_one();
        Ok(())
    }

    /// The next group; none when the journal is closing and nothing waits any more.
    pub(super) async fn take(&self, now: impl Fn() -> jiff::Timestamp) -> Option<Group> {
        loop {
            let filled = self.filled.notified();
            {
                let mut state = self.state();
                let requests = state.group();
                if !requests.is_empty() {
                    let instant = state.ids.next(now());
                    let more = !state.waiting.is_empty();
                    drop(state);
                    if more {
                        self.filled.notify_one();
                    }
                    return Some(Group { requests, instant });
                }
                if state.closed && state.waiting.is_empty() {
                    self.filled.notify_one();
                    return None;
                }
            }
            filled.await;
        }
    }

    /// An id beside those of groups.
    pub(super) fn id(&self, now: jiff::Timestamp) -> uuid::Uuid {
        self.state().ids.next(now).id(0)
    }

    /// A group is decided: what waited for its keys may go.
    pub(super) fn written(&self, group: &Group) {
        let mut state = self.state();
        for mark in group.requests.iter().flat_map(|waiting| &waiting.marks) {
            state.writing.remove(mark);
        }
        drop(state);
        self.filled.notify_one();
    }

    /// Nothing more is taken; what waits is still written.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.filled.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn group(&mut self) -> Vec<Waiting> {
        let (mut group, mut later) = (Vec::new(), VecDeque::new());
        let (mut bytes, mut events) = (0, 0);
        // What waits for a key that is being written holds up those behind it of the same key.
        let mut held: HashSet<Mark> = HashSet::new();
        for _ in 0..LOOKED_AT {
            if group.len() >= GROUP || bytes >= GROUP_BYTES || events >= GROUP_EVENTS {
                break;
            }
            let Some(waiting) = self.waiting.pop_front() else { break };
            if waiting.marks.iter().any(|mark| self.writing.contains(mark) || held.contains(mark)) {
                held.extend(&waiting.marks);
                later.push_back(waiting);
                continue;
            }
            bytes += waiting.prepared.bytes;
            events += waiting.prepared.events.len();
            self.writing.extend(&waiting.marks);
            group.push(waiting);
        }
        while let Some(waiting) = later.pop_back() {
            self.waiting.push_front(waiting);
        }
        self.bytes -= bytes;
        group
    }
}

/// Its keys, its nonce, and the poll whose state it replaces.
fn marks(prepared: &Prepared) -> Vec<Mark> {
    let keys = prepared.events.iter().map(|event| event.key.hash);
    let nonce = prepared.nonce.as_ref().map(super::record::nonce_hash);
    let poll = prepared.poll_state.as_ref().map(|(poll, _)| {
        use sha2::{Digest, Sha256};
        let mut mark = Mark::default();
        mark.copy_from_slice(&Sha256::digest(poll.as_bytes())[..16]);
        mark
    });
    let mut marks: Vec<Mark> = keys.chain(nonce).chain(poll).collect();
    marks.sort_unstable();
    marks.dedup();
    marks
}
