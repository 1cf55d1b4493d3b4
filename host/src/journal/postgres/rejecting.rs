//! Rejections on their way: bounded in number, bytes and rate, written by a task of their own, dropped and counted where that is
//! too slow. Who looks at them waits for those that came before.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};

use super::fault::Fault;
use super::{Shared, reject};
use crate::journal::kept::Kept;

/// Rejections that may wait.
const REJECTIONS: usize = 512;
const BYTES: usize = 8 << 20;
/// Written together.
const GROUP: usize = 64;

pub(super) struct Rejecting {
    state: Mutex<State>,
    filled: Notify,
    /// How many were written or dropped.
    done: watch::Sender<u64>,
    per_second: u32,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Kept>,
    bytes: usize,
    taken: u64,
    second: Option<(Instant, u32)>,
}

impl Rejecting {
    pub(super) fn new(per_second: u32) -> Self {
        Self { state: Mutex::default(), filled: Notify::new(), done: watch::Sender::new(0), per_second }
    }

    /// False: dropped, because there are too many.
    pub(super) fn push(&self, kept: Kept) -> bool {
        let mut state = self.state();
        let bytes = state.bytes + kept.size;
        if state.waiting.len() >= REJECTIONS || bytes > BYTES || !state.within(self.per_second) {
            return false;
        }
        state.bytes = bytes;
        state.taken += 1;
        state.waiting.push_back(kept);
        drop(state);
        self.filled.notify_one();
        true
    }

    /// Until those that came before are written.
    pub(super) async fn written(&self) {
        let taken = self.state().taken;
        // Its other half is this one's own.
        let _ = self.done.subscribe().wait_for(|done| *done >= taken).await;
    }

    async fn take(&self) -> Vec<Kept> {
        loop {
            let filled = self.filled.notified();
            {
                let mut state = self.state();
                if !state.waiting.is_empty() {
                    let count = state.waiting.len().min(GROUP);
                    let group: Vec<Kept> = state.waiting.drain(..count).collect();
                    state.bytes -= group.iter().map(|kept| kept.size).sum::<usize>();
                    return group;
                }
            }
            filled.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
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

/// Writes what comes.
pub(super) async fn run(shared: Arc<Shared>) {
    loop {
        let group = shared.rejecting.take().await;
        let count = u64::try_from(group.len()).unwrap_or(u64::MAX);
        if let Err(fault) = shared.keep(group).await {
            shared.dropped.fetch_add(count, Ordering::Relaxed);
            tracing::debug!(count, "rejections could not be kept: {}", fault.words());
        }
        shared.rejecting.done.send_modify(|done| *done += count);
    }
}

impl Shared {
    /// Keeps rejections, all or none.
    pub(super) async fn keep(&self, group: Vec<Kept>) -> Result<(), Fault> {
        let bounds = reject::Bounds { rejections: self.limits.rejections, bytes: self.limits.rejection_bytes };
        let mut client = self.server.client().await?;
        reject::keep(&mut client, &group, bounds).await
    }
}
