//! What waits for the writer: bounded in number and bytes, so that a slow disk is answered `Busy` and not with memory.
//!
//! The writer takes what is there when the last commit ends; an artificial wait would only add to the latency.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Shared;
use super::answer::Sender;
use super::chore::Chore;
use super::limits::Limits;
use super::settle::Settling;
use crate::journal::kept::Kept;
use crate::journal::prepare::Prepared;
use crate::journal::{JournalError, Recorded};

/// A group's bounds: one sync pays for many, but nobody waits for all.
const GROUP: usize = 4_096;
const GROUP_BYTES: usize = 16 << 20;
const GROUP_SETTLED: usize = 256;
const GROUP_REJECTED: usize = 64;
/// Rejections that may wait.
const REJECTIONS: usize = 512;
const REJECTION_BYTES: usize = 8 << 20;
/// Chores that may wait; they come from people and timers.
const CHORES: usize = 64;

/// A request that waits for its answer.
pub(super) struct Record {
    pub(super) prepared: Prepared,
    pub(super) answer: Sender<Recorded>,
}

/// The next group.
#[derive(Default)]
pub(super) struct Group {
    pub(super) records: Vec<Record>,
    pub(super) settled: Vec<Settling>,
    pub(super) rejected: Vec<Kept>,
    pub(super) chores: Vec<Chore>,
    /// Nothing comes after this group.
    pub(super) last: bool,
}

/// How long the writer may wait for a group.
pub(super) enum Patience {
    Forever,
    Until(Instant),
    None,
}

pub(super) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    limit: usize,
    limit_bytes: usize,
    rejections_per_second: u32,
}

#[derive(Default)]
struct State {
    records: VecDeque<Record>,
    record_bytes: usize,
    settled: VecDeque<Settling>,
    rejected: VecDeque<Kept>,
    rejected_bytes: usize,
    chores: Vec<Chore>,
    second: Option<(Instant, u32)>,
    waiting: bool,
    closed: bool,
    finished: bool,
    closers: Vec<Sender<()>>,
}

impl Group {
    /// None of it can be written now.
    pub(super) fn refuse(self, shared: &Shared, error: &JournalError) {
        let Self { records, settled, rejected, chores, .. } = self;
        for record in records {
            let _ = record.answer.send(Err(error.clone()));
        }
        shared.dropped.fetch_add(rejected.len() as u64, Ordering::Relaxed);
        // First, so that a caller that settles again at once is heard.
        shared.due.unsettled(settled.iter().map(Settling::delivery));
        settled.iter().for_each(|settling| settling.fail(error));
        chores.into_iter().for_each(|chore| chore.refuse(shared, error));
    }
}

impl Queue {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            state: Mutex::default(),
            filled: Condvar::new(),
            limit: limits.queue,
            limit_bytes: limits.queue_bytes,
            rejections_per_second: limits.rejection_rate,
        }
    }

    pub(super) fn push_record(&self, record: Record) -> Result<(), JournalError> {
        let mut state = self.open_state()?;
        let bytes = state.record_bytes + record.prepared.bytes;
        // One request may always wait, however large: otherwise it would be refused for ever.
        if state.records.len() >= self.limit || (bytes > self.limit_bytes && !state.records.is_empty()) {
            return Err(JournalError::Busy);
        }
        state.record_bytes = bytes;
        state.records.push_back(record);
        self.wake(state);
        Ok(())
    }

    /// Bounded by what is in flight.
    pub(super) fn push_settled(&self, settled: Vec<Settling>) -> Result<(), JournalError> {
        let mut state = self.open_state()?;
        state.settled.extend(settled);
        self.wake(state);
        Ok(())
    }

    /// False: dropped, because the writer is busy, the rate is exceeded or the journal is closed.
    pub(super) fn push_rejection(&self, kept: Kept) -> bool {
        let Ok(mut state) = self.open_state() else { return false };
        let bytes = state.rejected_bytes + kept.size;
        if state.rejected.len() >= REJECTIONS || bytes > REJECTION_BYTES || !state.within(self.rejections_per_second) {
            return false;
        }
        state.rejected_bytes = bytes;
        state.rejected.push_back(kept);
        self.wake(state);
        true
    }

    pub(super) fn push_chore(&self, chore: Chore) -> Result<(), JournalError> {
        let mut state = self.open_state()?;
        // A refill is asked for once per destination; it and what memory has to follow carry no caller.
        let bound = !matches!(chore, Chore::Refill(_) | Chore::Leave(_) | Chore::GoBack(_) | Chore::GiveUp(_));
        if bound && state.chores.len() >= CHORES {
            return Err(JournalError::Busy);
        }
        state.chores.push(chore);
        self.wake(state);
        Ok(())
    }

    /// Lets the writer finish what is here; it answers when the file is closed.
    pub(super) fn close(&self, answer: Option<Sender<()>>) {
        let mut state = self.state();
        state.closed = true;
        if !state.finished {
            state.closers.extend(answer);
        }
        self.wake(state);
    }

    /// The writer's last call; those who wait for the end, and whoever still waits for something gets `Closed`.
    pub(super) fn finish(&self) -> Vec<Sender<()>> {
        let mut state = self.state();
        let closers = std::mem::take(&mut state.closers);
        *state = State { closed: true, finished: true, ..State::default() };
        closers
    }

    /// The next group; empty when the patience is over.
    pub(super) fn take(&self, patience: &Patience) -> Group {
        let mut state = self.state();
        while state.is_empty() && !state.closed {
            let left = match patience {
                Patience::None => break,
                Patience::Forever => Duration::MAX,
                Patience::Until(end) => end.saturating_duration_since(Instant::now()),
            };
            if left.is_zero() {
                break;
            }
            state.waiting = true;
            state = if left == Duration::MAX {
                self.filled.wait(state).unwrap_or_else(PoisonError::into_inner)
            } else {
                self.filled.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
            };
            state.waiting = false;
        }
        state.group()
    }

    fn open_state(&self) -> Result<MutexGuard<'_, State>, JournalError> {
        let state = self.state();
        if state.closed { Err(JournalError::Closed) } else { Ok(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the writer if it sleeps: waking costs a system call.
    fn wake(&self, state: MutexGuard<'_, State>) {
        let waiting = state.waiting;
        drop(state);
        if waiting {
            self.filled.notify_one();
        }
    }
}

impl State {
    fn is_empty(&self) -> bool {
        self.records.is_empty() && self.settled.is_empty() && self.rejected.is_empty() && self.chores.is_empty()
    }

    fn group(&mut self) -> Group {
        let mut group = Group::default();
        let mut bytes = 0;
        while group.records.len() < GROUP && bytes < GROUP_BYTES {
            let Some(record) = self.records.pop_front() else { break };
            bytes += record.prepared.bytes;
            group.records.push(record);
        }
        self.record_bytes -= bytes;
        let settled = self.settled.len().min(GROUP_SETTLED);
        group.settled.extend(self.settled.drain(..settled));
        let rejected = self.rejected.len().min(GROUP_REJECTED);
        group.rejected.extend(self.rejected.drain(..rejected));
        self.rejected_bytes -= group.rejected.iter().map(|kept| kept.size).sum::<usize>();
        group.chores = std::mem::take(&mut self.chores);
        group.last = self.closed && self.is_empty();
        group
    }

    fn within(&mut self, per_second: u32) -> bool {
        let now = Instant::now();
        let (since, count) = self.second.get_or_insert((now, 0));
        if now.duration_since(*since) >= Duration::from_secs(1) {
            (*since, *count) = (now, 0);
        }
        *count += 1;
        *count <= per_second
    }
}
