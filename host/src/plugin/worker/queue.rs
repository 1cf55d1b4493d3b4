//! The calls of one worker, in their order. A worker does one after the other, so that the oldest that was handed on and is
//! not answered is the one that it is in.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::job::Job;
use crate::plugin::{Fault, FaultKind};

/// A call waits for those before it no longer than this, or four deadlines.
const PATIENCE: Duration = Duration::from_secs(5);
/// Whether one has waited for too long is looked at so often.
const LOOK: Duration = Duration::from_millis(250);

/// Calls that are not answered.
pub(super) struct Queue {
    /// Not handed on yet.
    waiting: VecDeque<Job>,
    /// Handed on.
    under_way: VecDeque<Job>,
    /// Since when the worker is in its oldest call.
    since: Instant,
    deadline: Duration,
    patience: Duration,
    looked: Instant,
}

impl Queue {
    pub(super) fn new(deadline: Duration, now: Instant) -> Self {
        let (waiting, under_way, patience) = (VecDeque::new(), VecDeque::new(), PATIENCE.max(deadline * 4));
        Self { waiting, under_way, since: now, deadline, patience, looked: now }
    }

    pub(super) fn push(&mut self, job: Job) {
        self.waiting.push_back(job);
    }

    /// As [`push`](Self::push), where no worker is started before that.
    pub(super) fn push_at_rest(&mut self, mut job: Job, until: Instant, why: &str) {
        if job.can_wait(self.patience, until, why) {
            self.waiting.push_back(job);
        }
    }

    /// Whether any is to be handed on.
    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether the worker is in one.
    pub(super) fn is_under_way(&self) -> bool {
        !self.under_way.is_empty()
    }

    /// The number of the one that the worker is in.
    pub(super) fn current(&self) -> u64 {
        self.under_way.front().map_or(0, |job| job.call)
    }

    /// Hands on all that wait and that anybody wants.
    pub(super) fn hand_on(&mut self, now: Instant, mut to: impl FnMut(Bytes)) {
        if self.under_way.is_empty() {
            self.since = now;
        }
        for job in self.waiting.drain(..).filter(Job::is_wanted) {
            to(job.frame.clone());
            self.under_way.push_back(job);
        }
    }

    /// The worker answered; not so if it was not asked this.
    pub(super) fn answered(&mut self, call: u64, said: &Bytes, now: Instant) -> bool {
        let was_asked = self.under_way.front().is_some_and(|job| job.call == call);
        let Some(mut job) = was_asked.then(|| self.under_way.pop_front()).flatten() else { return false };
        self.since = now;
        job.settle(Ok(said.clone()));
        true
    }

    /// Whether the worker is in its call for too long.
    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        self.is_under_way() && self.since + self.deadline <= now
    }

    /// The next time at which something may be too late.
    pub(super) fn next_moment(&self) -> Option<Instant> {
        let overdue = self.is_under_way().then(|| self.since + self.deadline);
        let look = (self.is_under_way() || self.is_waiting()).then(|| self.looked + LOOK);
        overdue.into_iter().chain(look).min()
    }

    /// Those that have waited for too long are answered, but stay where they are: the worker may have them.
    pub(super) fn look(&mut self, now: Instant) {
        if now < self.looked + LOOK {
            return;
        }
        self.looked = now;
        let patience = humantime::format_duration(self.patience);
        for job in self.under_way.iter_mut().chain(&mut self.waiting).filter(|job| job.arrived + self.patience <= now) {
            let words = format!("its worker was busy with other calls for {patience}");
            job.settle(Err(Fault::new(FaultKind::Busy, words)));
        }
    }

    /// The worker is gone: all but the one that it was in are handed on again.
    pub(super) fn broken(&mut self) -> Option<Job> {
        let over = self.under_way.pop_front();
        for job in self.under_way.drain(..).rev().filter(Job::is_wanted) {
            self.waiting.push_front(job);
        }
        over
    }

    /// None is started before that: who would wait longer than a call waits is answered.
    pub(super) fn rest(&mut self, until: Instant, why: &str) {
        self.waiting.retain_mut(|job| job.can_wait(self.patience, until, why));
    }

    /// No worker comes: all are answered.
    pub(super) fn refuse(&mut self, words: &str) {
        for mut job in self.under_way.drain(..).chain(self.waiting.drain(..)) {
            job.settle(Err(Fault::new(FaultKind::Lost, words)));
        }
    }
}
