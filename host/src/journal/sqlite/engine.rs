//! The journal's trait as this engine does it: what is asked goes to the writer's queue, to the readers, or to memory.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::Notify;
use uuid::Uuid;

use super::capture::{self, Capturing};
use super::pause::{self, Pausing};
use super::retain::{self, Aim};
use super::{Sqlite, answer, cancel, chore, claim, erase, query, queue, reject, replay, retry, settle, stored};
use crate::event::Event;
use crate::journal::{
    Backlog, Capture, CaptureFilter, Claimed, Counted, Delivery, DeliveryFilter, Erased, EventDetail, EventFilter,
    Journal, Listener, NewCapture, NewRejected, NewRequest, Pausable, Paused, Pending, Plan, Recorded, Redelivered,
    Rejected, RejectionFilter, Replay, Settled, Shrunk, Stats, StoredRequest,
};
use crate::request::Incoming;

impl Journal for Sqlite {
    fn record(&self, request: NewRequest) -> Pending<Recorded> {
        self.record_by(&***self.shared.plan.load(), request)
    }

    fn replan(&self, plan: Arc<dyn Plan>) {
        self.shared.plan.store(Arc::new(plan));
    }

    fn record_by(&self, plan: &dyn Plan, request: NewRequest) -> Pending<Recorded> {
        let (answer, pending) = Pending::new();
        let prepared = crate::journal::prepare::prepare(request, plan, self.shared.vault.as_ref());
        match self.shared.queue.push_record(queue::Record { prepared, answer }) {
            Ok(()) => pending,
            Err(error) => Pending::ready(Err(error)),
        }
    }

    fn reject(&self, rejected: NewRejected) {
        let kept =
            crate::journal::kept::Kept::new(rejected, self.shared.limits.rejection_body, self.shared.vault.as_ref());
        if !self.shared.queue.push_rejection(kept) {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn claim(&self, destination: &str, limit: usize, now: Timestamp) -> Pending<Vec<Claimed>> {
        claim::claim(&self.shared, destination, limit, now)
    }

    fn settle(&self, settled: Vec<Settled>) -> Pending<()> {
        settle::submit(&self.shared, settled)
    }

    fn recalled(&self, delivery: u64) -> bool {
        self.shared.due.is_recalled(delivery as i64)
    }

    fn due(&self, destination: &str) -> Arc<Notify> {
        self.shared.due.notify(destination)
    }

    fn next_due(&self, destination: &str) -> Option<Timestamp> {
        self.shared.due.next(destination)
    }

    fn listen(&self, listener: Listener) {
        // Who opened it asks once.
        let _ = self.shared.listener.set(listener);
    }

    fn retry(&self, filter: DeliveryFilter) -> Pending<u64> {
        self.chore(|answer| chore::Chore::Retry(retry::Retry::new(filter, answer)))
    }

    fn cancel(&self, filter: DeliveryFilter) -> Pending<u64> {
        self.chore(|answer| chore::Chore::Cancel(cancel::Cancel::new(filter, answer)))
    }

    fn redeliver(&self, replay: Replay) -> Pending<Redelivered> {
        let shared = &self.shared;
        self.chore(|answer| {
            chore::Chore::Redeliver(replay::Redeliver::new(
                replay,
                &***shared.plan.load(),
                shared.vault.as_ref(),
                answer,
            ))
        })
    }

    fn requests(&self, filter: EventFilter) -> Pending<Vec<StoredRequest>> {
        self.shared.read(move |conn| stored::requests(conn, &filter))
    }

    fn events(&self, filter: EventFilter) -> Pending<Vec<Event>> {
        self.shared.read(move |conn| query::events(conn, &filter))
    }

    fn event(&self, id: Uuid) -> Pending<Option<EventDetail>> {
        let shared = self.shared.clone();
        self.shared.read(move |conn| query::event(conn, id, &shared.due))
    }

    fn deliveries(&self, filter: DeliveryFilter) -> Pending<Vec<Delivery>> {
        let shared = self.shared.clone();
        self.shared.read(move |conn| query::deliveries(conn, &filter, &shared.due))
    }

    fn rejections(&self, filter: RejectionFilter) -> Pending<Vec<Rejected>> {
        self.shared.read(move |conn| reject::list(conn, &filter))
    }

    fn count(&self, of: Counted) -> Pending<u64> {
        let shared = self.shared.clone();
        self.shared.read(move |conn| query::count(conn, &of, &shared.due))
    }

    fn released(&self, rejections: Vec<u64>) -> Pending<u64> {
        self.chore(|answer| chore::Chore::Released(rejections, answer))
    }

    fn erase_rejections(&self, rejections: Vec<u64>) -> Pending<u64> {
        self.chore(|answer| chore::Chore::EraseRejections(rejections, answer))
    }

    fn rejection(&self, id: u64) -> Pending<Option<(Rejected, Option<Incoming>)>> {
        self.shared.read(move |conn| reject::show(conn, id))
    }

    fn stats(&self) -> Pending<Stats> {
        let shared = self.shared.clone();
        self.shared.read(move |conn| {
            let rejections = shared.rejections.load(Ordering::Relaxed);
            let rejections_dropped = shared.dropped.load(Ordering::Relaxed);
            Ok(Stats { rejections, rejections_dropped, ..query::stats(conn, &shared.file)? })
        })
    }

    fn poll_state(&self, poll: &str) -> Pending<Option<Bytes>> {
        let poll = poll.to_owned();
        self.shared.read(move |conn| query::poll_state(conn, &poll))
    }

    fn capture(&self, new: NewCapture) -> Pending<()> {
        self.chore(|answer| chore::Chore::Capturing(Capturing::Keep(new, answer)))
    }

    fn captures(&self) -> Pending<Vec<Capture>> {
        self.shared.read(capture::list)
    }

    fn confirm(&self, which: CaptureFilter) -> Pending<Option<Capture>> {
        self.chore(|answer| chore::Chore::Capturing(Capturing::Confirm(which, answer)))
    }

    fn discard(&self, which: CaptureFilter) -> Pending<u64> {
        self.chore(|answer| chore::Chore::Capturing(Capturing::Discard(which, answer)))
    }

    fn erase(&self, filter: EventFilter, dry: bool) -> Pending<Erased> {
        self.chore(|answer| chore::Chore::Erase(erase::Erase::new(filter, dry, answer)))
    }

    fn retain(&self, before: Timestamp) -> Pending<u64> {
        self.chore(|answer| chore::Chore::Retain(retain::Retain::new(Aim::Age(before.as_microsecond(), answer))))
    }

    fn shrink(&self, max: u64) -> Pending<Shrunk> {
        self.chore(|answer| chore::Chore::Retain(retain::Retain::new(Aim::Size(max, answer))))
    }

    fn vacuum(&self) -> Pending<u64> {
        self.chore(|answer| chore::Chore::Retain(retain::Retain::new(Aim::Space(answer))))
    }

    fn ready(&self) -> Pending<()> {
        self.chore(chore::Chore::Ready)
    }

    fn pause(&self, kind: Pausable, name: &str) -> Pending<Timestamp> {
        let name = name.to_owned();
        self.chore(|answer| chore::Chore::Pausing(Pausing::Pause(kind, name, answer)))
    }

    fn resume(&self, kind: Pausable, name: &str) -> Pending<bool> {
        let name = name.to_owned();
        self.chore(|answer| chore::Chore::Pausing(Pausing::Resume(kind, name, answer)))
    }

    fn paused(&self) -> Pending<Vec<Paused>> {
        self.shared.read(pause::list)
    }

    fn backlog(&self) -> Pending<Vec<Backlog>> {
        self.shared.read(pause::backlog)
    }

    fn close(&self) -> Pending<()> {
        let (answer, pending) = Pending::new();
        self.shared.queue.close(Some(answer));
        pending
    }
}

impl Sqlite {
    fn chore<T>(&self, chore: impl FnOnce(answer::Sender<T>) -> chore::Chore) -> Pending<T> {
        let (answer, pending) = Pending::new();
        match self.shared.queue.push_chore(chore(answer)) {
            Ok(()) => pending,
            Err(error) => Pending::ready(Err(error)),
        }
    }
}
