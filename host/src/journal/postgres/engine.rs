//! The journal's trait as this engine does it: what is asked goes to the queue of the way in, to the server, or to memory.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use deadpool_postgres::Object;
use jiff::Timestamp;
use tokio::sync::Notify;
use uuid::Uuid;

use super::fault::Fault;
use super::{
    Postgres, Shared, capture, change, claim, count, deliveries, erase, events, pause, polls, reject, replay, retain,
    settle, text, wake,
};
use crate::event::Event;
use crate::journal::kept::Kept;
use crate::journal::{
    Backlog, Capture, CaptureFilter, Claimed, Counted, Delivery, DeliveryFilter, Erased, EventDetail, EventFilter,
    Journal, JournalError, Listener, NewCapture, NewRejected, NewRequest, Pausable, Paused, Pending, Plan, Recorded,
    Redelivered, Rejected, RejectionFilter, Replay, Settled, Shrunk, Stats, StoredRequest, prepare,
};
use crate::request::Incoming;

impl Journal for Postgres {
    fn record(&self, request: NewRequest) -> Pending<Recorded> {
        self.record_by(&***self.shared.plan.load(), request)
    }

    fn record_by(&self, plan: &dyn Plan, mut request: NewRequest) -> Pending<Recorded> {
        let (answer, pending) = Pending::new();
        request.events.iter_mut().for_each(text::clean_new);
        let prepared = prepare::prepare(request, plan, self.shared.vault.as_ref());
        match self.shared.queue.push(prepared, answer) {
            Ok(()) => pending,
            Err(error) => Pending::ready(Err(error)),
        }
    }

    fn replan(&self, plan: Arc<dyn Plan>) {
        self.shared.plan.store(Arc::new(plan));
    }

    fn reject(&self, rejected: NewRejected) {
        let kept = Kept::new(rejected, self.shared.limits.rejection_body, self.shared.vault.as_ref());
        if self.shared.is_closing() || !self.shared.rejecting.push(kept) {
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
        // Whoever cannot say that it lives tries nothing: somebody else may.
        self.shared.host.me().is_none() || self.shared.due.is_recalled(i64::try_from(delivery).unwrap_or(i64::MAX))
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
        self.change(move |shared, mut client| async move {
            let plan = shared.plan.load_full();
            change::retry(&mut client, &filter, &**plan, shared.now()).await
        })
    }

    fn cancel(&self, filter: DeliveryFilter) -> Pending<u64> {
        self.change(move |shared, mut client| async move { change::cancel(&mut client, &filter, shared.now()).await })
    }

    fn redeliver(&self, replay: Replay) -> Pending<Redelivered> {
        self.change(move |shared, mut client| async move {
            let (plan, ids) = (shared.plan.load_full(), || shared.queue.id(shared.clock.now()));
            replay::redeliver(&mut client, replay, &**plan, shared.vault.as_ref(), shared.clock.now(), &ids).await
        })
    }

    fn requests(&self, filter: EventFilter) -> Pending<Vec<StoredRequest>> {
        self.read(
            move |shared, client| async move { events::requests(&**client, &filter, shared.vault.as_ref()).await },
        )
    }

    fn events(&self, filter: EventFilter) -> Pending<Vec<Event>> {
        self.read(move |shared, client| async move { events::events(&**client, &filter, shared.vault.as_ref()).await })
    }

    fn event(&self, id: Uuid) -> Pending<Option<EventDetail>> {
        self.read(move |shared, client| async move { events::event(&**client, id, shared.vault.as_ref()).await })
    }

    fn deliveries(&self, filter: DeliveryFilter) -> Pending<Vec<Delivery>> {
        self.read(move |shared, client| async move {
            deliveries::deliveries(&**client, &filter, shared.vault.as_ref()).await
        })
    }

    fn rejections(&self, filter: RejectionFilter) -> Pending<Vec<Rejected>> {
        self.after_rejections(move |shared, client| async move {
            reject::list(&**client, &filter, shared.vault.as_ref()).await
        })
    }

    fn count(&self, of: Counted) -> Pending<u64> {
        self.after_rejections(move |_, client| async move { count::count(&**client, &of).await })
    }

    fn released(&self, rejections: Vec<u64>) -> Pending<u64> {
        self.after_rejections(move |_, mut client| async move { reject::released(&mut client, &rejections).await })
    }

    fn erase_rejections(&self, rejections: Vec<u64>) -> Pending<u64> {
        self.after_rejections(move |_, mut client| async move { reject::erase(&mut client, &rejections).await })
    }

    fn rejection(&self, id: u64) -> Pending<Option<(Rejected, Option<Incoming>)>> {
        self.after_rejections(
            move |shared, client| async move { reject::show(&**client, id, shared.vault.as_ref()).await },
        )
    }

    fn stats(&self) -> Pending<Stats> {
        self.after_rejections(move |shared, mut client| async move {
            let rejections_dropped = shared.dropped.load(Ordering::Relaxed);
            Ok(Stats { rejections_dropped, ..count::stats(&mut client).await? })
        })
    }

    fn poll_state(&self, poll: &str) -> Pending<Option<Bytes>> {
        let poll = poll.to_owned();
        self.read(move |_, client| async move { polls::state(&**client, &poll).await })
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn poll(&self, poll: &str, every: Duration) -> Pending<Option<Duration>> {
        let poll = poll.to_owned();
        self.read(move |shared, client| async move {
            let me = shared.host.me().ok_or(Fault::Lease)?;
            polls::take(&**client, &poll, every, me, shared.now()).await
        })
    }

    fn polled(&self, poll: &str) -> Pending<()> {
        let poll = poll.to_owned();
        self.read(move |shared, client| async move {
            let me = shared.host.me().ok_or(Fault::Lease)?;
            polls::over(&**client, &poll, me).await
        })
    }

    fn capture(&self, new: NewCapture) -> Pending<()> {
        self.read(
            move |shared, mut client| async move { capture::keep(&mut client, &new, shared.vault.as_ref()).await },
        )
    }

    fn captures(&self) -> Pending<Vec<Capture>> {
        self.read(move |shared, client| async move { capture::list(&**client, shared.vault.as_ref()).await })
    }

    fn confirm(&self, which: CaptureFilter) -> Pending<Option<Capture>> {
        self.read(move |shared, mut client| async move {
            capture::confirm(&mut client, &which, shared.now(), shared.vault.as_ref()).await
        })
    }

    fn discard(&self, which: CaptureFilter) -> Pending<u64> {
        self.read(move |_, client| async move { capture::discard(&**client, &which).await })
    }

    fn erase(&self, filter: EventFilter, dry: bool) -> Pending<Erased> {
        self.read(move |shared, mut client| async move {
            erase::erase(&mut client, &filter, dry, shared.vault.as_ref()).await
        })
    }

    fn retain(&self, before: Timestamp) -> Pending<u64> {
        self.after_rejections(move |shared, mut client| async move {
            retain::retain(&mut client, before, shared.clock.now()).await
        })
    }

    fn shrink(&self, max: u64) -> Pending<Shrunk> {
        self.read(move |shared, mut client| async move { retain::shrink(&mut client, max, shared.clock.now()).await })
    }

    fn vacuum(&self) -> Pending<u64> {
        self.read(move |_, client| async move { retain::vacuum(&client).await })
    }

    fn ready(&self) -> Pending<()> {
        self.read(move |shared, client| async move {
            // A transaction that has to be on the disk, and changes nothing.
            client.batch_execute("SELECT pg_current_xact_id()").await?;
            shared.host.me().map(|_| ()).ok_or(Fault::Lease)
        })
    }

    fn pause(&self, kind: Pausable, name: &str) -> Pending<Timestamp> {
        let name = name.to_owned();
        self.change(move |shared, client| async move { pause::pause(&**client, kind, &name, shared.now()).await })
    }

    fn resume(&self, kind: Pausable, name: &str) -> Pending<bool> {
        let name = name.to_owned();
        self.change(
            move |shared, mut client| async move { pause::resume(&mut client, kind, &name, shared.now()).await },
        )
    }

    fn paused(&self) -> Pending<Vec<Paused>> {
        self.read(move |_, client| async move { pause::list(&**client).await })
    }

    fn backlog(&self) -> Pending<Vec<Backlog>> {
        self.read(move |_, mut client| async move { count::backlog(&mut client).await })
    }

    fn close(&self) -> Pending<()> {
        let (answer, pending) = Pending::new();
        match &mut *self.shared.closers.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(closers) => closers.push(answer),
            None => return Pending::ready(Err(JournalError::Closed)),
        }
        self.shared.closing.send_replace(true);
        pending
    }
}

impl Postgres {
    /// Something that leaves deliveries as they are. Few at a time, so that claims and the way in have connections.
    fn read<T, F>(&self, what: impl FnOnce(Arc<Shared>, Object) -> F + Send + 'static) -> Pending<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Fault>> + Send + 'static,
    {
        self.shared.ask(|shared| async move {
            let _room = shared.reading.acquire().await;
            let client = shared.server.client().await?;
            what(shared.clone(), client).await
        })
    }

    /// Something that looks at rejections: those that came before are there.
    fn after_rejections<T, F>(&self, what: impl FnOnce(Arc<Shared>, Object) -> F + Send + 'static) -> Pending<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Fault>> + Send + 'static,
    {
        self.shared.ask(|shared| async move {
            shared.rejecting.written().await;
            let _room = shared.reading.acquire().await;
            let client = shared.server.client().await?;
            what(shared.clone(), client).await
        })
    }

    /// Something after which other deliveries may be due, or in flight for nothing: here and elsewhere.
    fn change<T, F>(&self, what: impl FnOnce(Arc<Shared>, Object) -> F + Send + 'static) -> Pending<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Fault>> + Send + 'static,
    {
        self.read(move |shared, client| async move {
            let changed = what(shared.clone(), client).await?;
            // It is done; who does not hear of it looks in a moment.
            let told = async {
                wake::look(&shared).await?;
                wake::tell_all(&shared, &*shared.server.client().await?).await
            };
            if let Err(fault) = told.await {
                tracing::debug!("lanes were not told of a change: {}", fault.words());
            }
            Ok(changed)
        })
    }
}
