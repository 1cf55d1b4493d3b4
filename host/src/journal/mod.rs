//! The durable store: requests, events, deliveries, attempts, rejections. One trait, named by its verbs; engines behind it.
//!
//! What is due and to whom is the journal's; whether an event is wanted is the planner's, how it is delivered is outbound's.

mod again;
mod attempt;
mod capture;
mod filter;
mod kept;
mod lost;
mod observer;
mod paused;
mod pending;
#[cfg(feature = "postgres")]
pub mod postgres;
mod prepare;
mod replay;
mod seal;
mod shown;
mod splice;
pub mod sqlite;
mod steady;
mod sum;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::Notify;
use uuid::Uuid;

pub use self::attempt::{Attempt, Claimed, Outcome, Settled};
pub use self::capture::{Capture, CaptureFilter, NewCapture, PENDING_IN_ALL, PENDING_OF_A_SOURCE};
pub use self::filter::{Counted, DeliveryFilter, EventFilter, RejectionFilter};
pub use self::lost::{Listener, Lost, Why};
pub use self::observer::{Committed, Observer, Unobserved};
pub use self::paused::{Backlog, Pausable, Paused};
pub use self::pending::{Answer, Pending, Undelivered};
pub use self::replay::{Content, Redelivered, Replay, Replayed, StoredEvent, StoredRequest};
pub use self::seal::Vault;
pub use self::shown::{Delivery, DeliveryState, Erased, EventDetail, Rejected, Shrunk, Stats};

use crate::event::{Build, DedupKey, Event, NewEvent};
use crate::reason::Rejection;
use crate::request::Incoming;

/// What an engine does. Futures resolve when the effect is durable, unless said otherwise.
pub trait Journal: Send + Sync + 'static {
    /// Stores a request, its events and their deliveries in one transaction, and decides dedup inside it.
    fn record(&self, request: NewRequest) -> Pending<Recorded>;

    /// As `record`, planned by this: for a request that began before the journal's own plan was exchanged.
    fn record_by(&self, plan: &dyn Plan, request: NewRequest) -> Pending<Recorded>;

    /// What `record` takes from now on is planned by this.
    fn replan(&self, plan: Arc<dyn Plan>);

    /// Keeps a refused request: bounded, without a sync of its own, dropped (and counted) when the writer is busy.
    fn reject(&self, rejected: NewRejected);

    /// Takes up to `limit` due deliveries of one destination, oldest due first; they are in flight until settled.
    /// After a crash or restart what was in flight is due again; so is what was claimed when its answer is dropped unread.
    fn claim(&self, destination: &str, limit: usize, now: Timestamp) -> Pending<Vec<Claimed>>;

    /// Writes down how attempts ended. Not synced on its own: losing it repeats a delivery, which is allowed.
    fn settle(&self, settled: Vec<Settled>) -> Pending<()>;

    /// Whether a delivery that was claimed was cancelled meanwhile; asked just before it is tried, and answered from memory.
    fn recalled(&self, delivery: u64) -> bool;

    /// Notified when the destination may have something due that it had not before.
    fn due(&self, destination: &str) -> Arc<Notify>;

    /// When the destination's next open delivery is due, if it has one that is not in flight.
    fn next_due(&self, destination: &str) -> Option<Timestamp>;

    /// Makes exhausted or cancelled deliveries due again at once, regardless of dedup, and hurries those that are retrying
    /// when the filter asks for these; says how many.
    fn retry(&self, filter: DeliveryFilter) -> Pending<u64>;

    /// Gives up deliveries that have not ended, and those that hold their key; says how many. One that is in flight ends
    /// with this try: delivered, or else cancelled.
    fn cancel(&self, filter: DeliveryFilter) -> Pending<u64>;

    /// Makes new deliveries of stored events, and puts what was decoded again in the place of what was stored: all of it
    /// in one transaction, so a few hundred events at most.
    fn redeliver(&self, replay: Replay) -> Pending<Redelivered>;

    /// The requests of events, with those of their events that are meant; in the order of these, after one of them. Perhaps
    /// fewer than the limit, but none only where none is left.
    fn requests(&self, filter: EventFilter) -> Pending<Vec<StoredRequest>>;

    /// Newest first, after an event oldest first; then perhaps fewer than the limit, but none only where none is left.
    fn events(&self, filter: EventFilter) -> Pending<Vec<Event>>;

    /// One event with its request and its deliveries.
    fn event(&self, id: Uuid) -> Pending<Option<EventDetail>>;

    /// Newest first, after a number oldest first.
    fn deliveries(&self, filter: DeliveryFilter) -> Pending<Vec<Delivery>>;

    /// Newest first, after a number oldest first.
    fn rejections(&self, filter: RejectionFilter) -> Pending<Vec<Rejected>>;

    /// How many there are of these, whatever the limit.
    fn count(&self, of: Counted) -> Pending<u64>;

    /// Forgets rejections that became events; says how many were there.
    fn released(&self, rejections: Vec<u64>) -> Pending<u64>;

    /// Erases rejections, so that nothing of them is left in any file; says how many were there.
    fn erase_rejections(&self, rejections: Vec<u64>) -> Pending<u64>;

    /// One rejection with its request.
    fn rejection(&self, id: u64) -> Pending<Option<(Rejected, Option<Incoming>)>>;

    /// Counts and the oldest open delivery.
    fn stats(&self) -> Pending<Stats>;

    /// Remembers what a poll saw last, by poll and item key; returns what was there before.
    fn poll_state(&self, poll: &str) -> Pending<Option<Bytes>>;

    /// Keeps a secret that a sender told, pending. Bounded: the oldest pending ones go.
    fn capture(&self, new: NewCapture) -> Pending<()>;

    /// The secrets that senders told, pending and confirmed, newest first.
    fn captures(&self) -> Pending<Vec<Capture>>;

    /// Confirms the newest that is pending among these, and forgets the others that are pending for the same secret.
    fn confirm(&self, which: CaptureFilter) -> Pending<Option<Capture>>;

    /// Forgets what is pending among these, and with a fingerprint also what is confirmed; says how many.
    fn discard(&self, which: CaptureFilter) -> Pending<u64>;

    /// Erases the content of finished events: their bytes, data and subjects, not that they were there. Those with open
    /// deliveries keep theirs. `dry` only counts.
    fn erase(&self, filter: EventFilter, dry: bool) -> Pending<Erased>;

    /// Deletes what is older than `before` in small batches and gives the space back; says how many events went.
    fn retain(&self, before: Timestamp) -> Pending<u64>;

    /// Deletes the oldest finished events in small batches until the store is smaller than `max` bytes, and a bit more.
    /// Keys hold as long as they would have: a repeat of what went early is still one.
    fn shrink(&self, max: u64) -> Pending<Shrunk>;

    /// Gives some of the free space back; says how many bytes are free still.
    fn vacuum(&self) -> Pending<u64>;

    /// Whether an event could be kept now; asks the disk where nothing was kept lately.
    fn ready(&self) -> Pending<()>;

    /// Who hears of deliveries that the journal gives up by itself; told once, by whoever opened it.
    fn listen(&self, _listener: Listener) {}

    /// Keeps in mind that an operator stopped it; says since when. Lanes and listeners look for themselves.
    fn pause(&self, kind: Pausable, name: &str) -> Pending<Timestamp>;

    /// It goes on; says whether it was paused.
    fn resume(&self, kind: Pausable, name: &str) -> Pending<bool>;

    /// All that is paused, also what is not configured any more.
    fn paused(&self) -> Pending<Vec<Paused>>;

    /// What waits for each destination, and what failed there for good; those with neither are left out.
    fn backlog(&self) -> Pending<Vec<Backlog>>;

    /// Whether other hosts change it, too: what they pause and resume holds here as well.
    fn is_shared(&self) -> bool {
        false
    }

    /// Asks for a poll's next run, which one of all hosts gets: none, and it is this one's until `polled`; else when to ask
    /// again.
    fn poll(&self, _poll: &str, _every: Duration) -> Pending<Option<Duration>> {
        Pending::ready(Ok(None))
    }

    /// A poll's run is over, whatever came of it.
    fn polled(&self, _poll: &str) -> Pending<()> {
        Pending::ready(Ok(()))
    }

    /// Finishes what is queued (a retention or a retry that is under way ends with its step), syncs and closes; later calls fail with [`JournalError::Closed`].
    fn close(&self) -> Pending<()>;
}

/// Chooses destinations for an event; given to the journal when it opens and whenever it is exchanged, called before the
/// transaction.
pub trait Plan: Send + Sync + 'static {
    /// The destinations' names; a rule that fails is no match, and its message joins the event's warnings.
    fn plan(&self, event: &Event, warnings: &mut Vec<String>) -> Vec<Arc<str>>;

    /// Whether the destination gets a request's bytes and not its events: then only the first new event of a request
    /// that is planned for it has a delivery there, and the others travel with it (they are `routed` all the same).
    fn once_per_request(&self, _destination: &str) -> bool {
        false
    }

    /// Whether what is given up there holds its key: those behind it wait for an operator.
    fn holds(&self, _destination: &str) -> bool {
        false
    }

    /// What a destination's deliveries of this event are in order by: those of one key go one after the other, as they
    /// were recorded. `None` waits for nobody; why a key could not be told joins the event's warnings.
    fn order_key(&self, _event: &Event, _destination: &str, _warnings: &mut Vec<String>) -> Option<OrderKey> {
        None
    }
}

/// 128 bits of a hash over what deliveries are in order by.
pub type OrderKey = [u8; 16];

/// A verified, decoded request on its way into the journal.
#[derive(Debug, Clone)]
pub struct NewRequest {
    /// The source's name.
    pub source: Arc<str>,
    /// The provider's id.
    pub provider: Arc<str>,
    /// The version of its description.
    pub provider_version: Arc<str>,
    /// As received; shared with who waits for the answer.
    pub request: Arc<Incoming>,
    /// At least one.
    pub events: Vec<NewEvent>,
    /// A nonce that may come once; known and the events new: refused as `replayed_nonce`.
    pub nonce: Option<DedupKey>,
    /// Authentic but out of time: acknowledged if all its events are known, else refused with this, and kept.
    pub stale: Option<Rejection>,
    /// What made the events, where a plugin did.
    pub build: Option<Arc<Build>>,
    /// Replaces what the source had remembered for a poll, in the same transaction.
    pub poll_state: Option<(Arc<str>, Bytes)>,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// Stored; the ids of its new events.
    Accepted(Vec<Uuid>),
    /// Every event was known.
    Duplicate,
    /// Out of time or replayed, and not a repeat.
    Refused(Rejection),
}

/// A refused request on its way into the journal.
#[derive(Debug, Clone)]
pub struct NewRejected {
    /// The source, when one was found.
    pub source: Option<Arc<str>>,
    /// Why.
    pub rejection: Rejection,
    /// The request, with declared fields already masked; the body may be cut off.
    pub request: Incoming,
}

/// Why the journal could not.
#[derive(Debug, Clone, thiserror::Error)]
pub enum JournalError {
    /// The writer has more waiting than it may: answer `unavailable`.
    #[error("the journal has more waiting than it may hold; the sender is asked to come again")]
    Busy,
    /// It was closed.
    #[error("the journal is closed")]
    Closed,
    /// The engine failed.
    #[error("the journal at {place} failed: {message}")]
    Failed {
        /// The file or server.
        place: String,
        /// The engine's words, and how to mend it.
        message: String,
    },
}
