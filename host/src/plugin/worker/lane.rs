//! The way to one worker: whom it takes, and what those who choose among several know of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::came::Came;
use super::frame::{Kind, encoded};
use super::job::{Job, Order};
use super::wire::Ask;
use crate::plugin::{Fault, FaultKind};

/// So many calls may wait for one worker.
const CALLS: usize = 1024;
/// So many bytes of them; one call may be larger.
const BYTES: usize = 64 << 20;

/// What a lane is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// What was verified, and operations.
    Calls,
    /// Signed texts: anybody may ask for one, and what that ends or holds up must not be a verified event's.
    Texts,
}

/// One worker's.
pub(super) struct Lane {
    orders: mpsc::UnboundedSender<Order>,
    load: Arc<Load>,
}

/// What a lane holds.
#[derive(Debug, Default)]
pub(super) struct Load {
    calls: AtomicUsize,
    bytes: AtomicUsize,
    /// Its worker ended and is not started yet: whoever has another lane takes that.
    rests: AtomicBool,
}

/// One call's share, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    load: Arc<Load>,
    bytes: usize,
}

impl Lane {
    /// The supervisor's end of it goes with it.
    pub(super) fn new() -> (Self, mpsc::UnboundedReceiver<Order>, Arc<Load>) {
        let (orders, taken) = mpsc::unbounded_channel();
        let load = Arc::<Load>::default();
        (Self { orders, load: load.clone() }, taken, load)
    }

    /// The least busy one of those that do not rest.
    pub(super) fn best(lanes: &[Self]) -> Option<&Self> {
        lanes.iter().min_by_key(|lane| (lane.load.rests(), lane.load.calls.load(Ordering::Relaxed)))
    }

    pub(super) async fn ask(&self, call: u64, ask: &Ask<'_>) -> Result<Came, Fault> {
        let large = || Fault::new(FaultKind::TooMuch, "the request is larger than what a worker is given");
        let gone = || Fault::new(FaultKind::Lost, "its workers have ended with the gateway");
        let frame = encoded(Kind::Call, call, ask).ok_or_else(large)?;
        let place = self.load.enter(frame.len())?;
        let (answer, answered) = oneshot::channel();
        let job = Job { call, frame, answer: Some(answer), arrived: Instant::now(), ended_one: false, _place: place };
        self.orders.send(Order::Call(job)).map_err(|_| gone())?;
        Came::read(&answered.await.map_err(|_| gone())??)
    }

    /// Starts its worker; the answer says what keeps it from it.
    pub(super) fn start(&self) -> oneshot::Receiver<Result<(), String>> {
        let (answer, started) = oneshot::channel();
        // Nobody there: the answer never comes, and that is one.
        let _ = self.orders.send(Order::Start(answer));
        started
    }

    /// No call comes any more.
    pub(super) fn quiesce(&self) {
        // One that is gone needs no word.
        let _ = self.orders.send(Order::Quiesce);
    }
}

impl Load {
    /// A place for so many bytes, if there is one.
    fn enter(self: &Arc<Self>, bytes: usize) -> Result<Place, Fault> {
        let place = Place { load: self.clone(), bytes };
        let calls = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        let all = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let full = |words: String| Err(Fault::new(FaultKind::Busy, words));
        match (calls, all) {
            (..=CALLS, ..=BYTES) | (1, _) => Ok(place),
            (..=CALLS, _) => full(format!("more than {} MiB of calls wait for its worker", BYTES >> 20)),
            _ => full(format!("more than {CALLS} calls wait for its worker")),
        }
    }

    pub(super) fn rests(&self) -> bool {
        self.rests.load(Ordering::Relaxed)
    }

    pub(super) fn set_rests(&self, rests: bool) {
        self.rests.store(rests, Ordering::Relaxed);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.load.calls.fetch_sub(1, Ordering::Relaxed);
        self.load.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_that_rests_is_taken_last_however_little_it_has_to_do() {
        let lanes: Vec<_> = (0..3).map(|_| Lane::new().0).collect();
        let best = || lanes.iter().position(|lane| std::ptr::eq(lane, Lane::best(&lanes).unwrap())).unwrap();
        let _busy: Vec<_> = [1, 2, 2].into_iter().map(|lane| lanes[lane].load.enter(1).unwrap()).collect();
        assert_eq!(best(), 0);
        lanes[0].load.set_rests(true);
        assert_eq!(best(), 1);
        lanes[1].load.set_rests(true);
        assert_eq!(best(), 2);
        lanes[2].load.set_rests(true);
        assert_eq!(best(), 0, "where all rest, the least busy one");
    }

    #[test]
    fn calls_and_bytes_are_bounded_and_both_are_given_back() {
        let load = Arc::<Load>::default();
        let why = |bytes| load.enter(bytes).unwrap_err();
        let places: Vec<_> = (0..CALLS).map(|_| load.enter(1).unwrap()).collect();
        assert_eq!(
            (why(1).kind, why(1).message.as_str()),
            (FaultKind::Busy, "more than 1024 calls wait for its worker")
        );
        drop(places);
        let large = load.enter(2 * BYTES).expect("a single one");
        assert_eq!(
            (why(1).kind, why(1).message.as_str()),
            (FaultKind::Busy, "more than 64 MiB of calls wait for its worker")
        );
        drop(large);
        assert_eq!((load.calls.load(Ordering::Relaxed), load.bytes.load(Ordering::Relaxed)), (0, 0));
    }
}
