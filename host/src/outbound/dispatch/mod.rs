//! Dispatch: one lane for each destination, `claim -> deliver -> judge -> settle`, so that one that hangs holds up
//! nobody else.
//!
//! A lane sleeps until something happens: the journal has more, an attempt ended, a settlement was written, a delivery
//! is due, an operator or the breaker changed its gate, its rate has room. How a destination sends is left to `destination`,
//! what a reply means to `judge`, when to leave a destination alone to `breaker`.

mod attempt;
mod drain;
mod rest;

use std::collections::{HashMap, VecDeque};
use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::futures::OwnedNotified;
use tokio::sync::{Notify, watch};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};

use self::attempt::{Attempts, Ended, Flight, attempt};
use self::rest::Rest;
use super::breaker::Turn;
use super::gates::{Gate, Passage};
use super::pace::Pace;
use super::{Destination, Means};
use crate::journal::{Claimed, Journal, JournalError, Outcome, Pending, Settled};
use crate::notices::Notice;

/// The time of day may jump, so no sleep until a time of day is longer.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// A delivery that the journal calls due and does not give out is asked for again after so long.
const SHORTEST_SLEEP: Duration = Duration::from_millis(5);

/// With so many unwritten endings nothing more is begun.
const UNSETTLED: usize = 1024;

/// One destination's way.
pub(super) struct Lane {
    attempts: Attempts,
    journal: Arc<dyn Journal>,
    gate: Arc<Gate>,
    pace: Pace,
    more: Arc<Notify>,
    /// Kept between rounds, so that no notice falls between two of them.
    notice: Pin<Box<OwnedNotified>>,
    may_be_due: bool,
    /// When there is room for another, where gate or pace had none.
    room_from: Option<Instant>,
    claiming: Option<Pending<Vec<Claimed>>>,
    claimed: VecDeque<Claimed>,
    under_way: JoinSet<Ended>,
    flights: HashMap<Id, Flight>,
    ended: Vec<Settled>,
    settling: Option<(Pending<()>, Vec<Settled>)>,
    rest: Rest,
}

/// What a lane waits for.
enum Happened {
    Claimed(Result<Vec<Claimed>, JournalError>),
    Ended(Result<(Id, Ended), JoinError>),
    Settled(Result<(), JournalError>),
    MayBeDue,
    /// There may be room where there was none.
    Room,
    Rested,
    Shutdown,
}

/// The journal was closed under the lane.
struct Closed;

impl Lane {
    pub(super) fn new(destination: Destination, means: &Means) -> Self {
        let more = means.journal.due(destination.name());
        let gate = means.gates.gate(destination.name());
        gate.follow(destination.breaker());
        Self {
            pace: Pace::new(destination.rate()),
            attempts: Attempts {
                meter: gate.meter().clone(),
                destination: Arc::new(destination),
                opener: means.opener.clone(),
                clock: means.clock.clone(),
                notices: means.notices.clone(),
                traces: means.traces.clone(),
            },
            gate,
            notice: Box::pin(more.clone().notified_owned()),
            more,
            journal: means.journal.clone(),
            may_be_due: true,
            room_from: None,
            claiming: None,
            claimed: VecDeque::new(),
            under_way: JoinSet::new(),
            flights: HashMap::new(),
            ended: Vec::new(),
            settling: None,
            rest: Rest::default(),
        }
    }

    /// The whole way, until shutdown.
    pub(super) async fn run(mut self, mut shutdown: watch::Receiver<bool>) {
        loop {
            self.claim();
            self.deliver_and_judge();
            self.settle();
            let happened = self.next(&mut shutdown).await;
            if matches!(happened, Happened::Shutdown) {
                return self.drain().await;
            }
            if let Err(Closed) = self.note(happened) {
                return tracing::error!(
                    destination = self.name(),
                    "the journal was closed; deliveries go on after a restart"
                );
            }
        }
    }

    fn name(&self) -> &str {
        self.attempts.destination.name()
    }

    /// Asks for deliveries as soon as half of those that were claimed ahead are under way, and for no more than may be sent.
    fn claim(&mut self) {
        self.room_from = None;
        let idle = self.claiming.is_none() && !self.rest.is_on() && self.ended.len() < UNSETTLED;
        if !(self.may_be_due && idle) {
            return;
        }
        let room = match self.gate.passage(Instant::now()) {
            Passage::Any => self.attempts.destination.concurrency() * self.attempts.destination.batch(),
            Passage::Probe => usize::from(self.under_way.len() < self.attempts.destination.concurrency()),
            Passage::Shut(until) => {
                self.room_from = until;
                return;
            }
        };
        let limit = room.saturating_sub(self.claimed.len());
        if limit == 0 || self.claimed.len() > room / 2 {
            return;
        }
        match self.pace.room(limit) {
            Ok(limit) => {
                self.may_be_due = false;
                self.claiming = Some(self.journal.claim(self.name(), limit, self.attempts.clock.now()));
            }
            Err(wait) => self.room_from = Instant::now().checked_add(wait),
        }
    }

    /// Begins attempts, as many as the destination takes at once; each judges its own replies.
    fn deliver_and_judge(&mut self) {
        let destination = self.attempts.destination.clone();
        while self.under_way.len() < destination.concurrency() && !self.claimed.is_empty() {
            let passage = self.gate.passage(Instant::now());
            let (probe, count) = match passage {
                Passage::Any => (false, destination.batch().min(self.claimed.len())),
                Passage::Probe => (true, 1),
                Passage::Shut(_) => break,
            };
            let batch = self.wanted(count);
            if batch.is_empty() {
                continue;
            }
            if probe {
                self.gate.probe();
            }
            let flight = Flight { begun: self.attempts.clock.now(), batch: batch.clone(), probe };
            let id = self.under_way.spawn(attempt(self.attempts.clone(), batch)).id();
            self.flights.insert(id, flight);
        }
        self.gate.set_in_flight(self.under_way.len());
        if matches!(self.gate.passage(Instant::now()), Passage::Shut(_)) {
            self.give_back();
        }
    }

    /// The next so many, but for those that were cancelled since they were claimed: these are not begun.
    fn wanted(&mut self, count: usize) -> Arc<[Claimed]> {
        let next = self.claimed.drain(..count);
        let (recalled, wanted): (Vec<_>, Vec<_>) = next.partition(|claimed| self.journal.recalled(claimed.delivery));
        self.ended.extend(recalled.iter().map(|claimed| self.attempts.released(claimed)));
        wanted.into()
    }

    /// What was claimed and not begun is the journal's again, and was no attempt.
    fn give_back(&mut self) {
        let released = self.claimed.drain(..).map(|claimed| self.attempts.released(&claimed));
        self.ended.extend(released.collect::<Vec<_>>());
    }

    /// Writes down all that ended since the last time, together.
    fn settle(&mut self) {
        if self.settling.is_none() && !self.ended.is_empty() && !self.rest.is_on() {
            let settled = std::mem::take(&mut self.ended);
            self.settling = Some((self.journal.settle(settled.clone()), settled));
        }
    }

    async fn next(&mut self, shutdown: &mut watch::Receiver<bool>) -> Happened {
        let idle = !self.may_be_due && self.claiming.is_none() && self.claimed.is_empty();
        let sleep_until_due = idle.then(|| self.until_due()).flatten().map(|wait| wait.max(SHORTEST_SLEEP));
        tokio::select! {
            claimed = answer(self.claiming.as_mut()) => Happened::Claimed(claimed),
            Some(ended) = self.under_way.join_next_with_id() => Happened::Ended(ended),
            settled = answer(self.settling.as_mut().map(|(pending, _)| pending)) => Happened::Settled(settled),
            () = &mut self.notice => {
                self.notice = Box::pin(self.more.clone().notified_owned());
                Happened::MayBeDue
            }
            () = after(sleep_until_due) => Happened::MayBeDue,
            () = at(self.room_from) => Happened::Room,
            () = self.gate.changed() => Happened::Room,
            () = self.rest.over() => Happened::Rested,
            _ = shutdown.wait_for(|stop| *stop) => Happened::Shutdown,
        }
    }

    /// How long until the journal's next delivery is due.
    fn until_due(&self) -> Option<Duration> {
        let due = self.journal.next_due(self.name())?;
        let wait = Duration::try_from(due.duration_since(self.attempts.clock.now())).unwrap_or_default();
        Some(wait.min(LONGEST_SLEEP))
    }

    fn note(&mut self, happened: Happened) -> Result<(), Closed> {
        match happened {
            Happened::Claimed(claimed) => {
                self.claiming = None;
                let claimed = self.unless_failed(claimed)?.unwrap_or_default();
                self.pace.used(claimed.len());
                // After an empty answer the lane sleeps, whatever the journal calls due, so that it never spins.
                self.may_be_due |= !claimed.is_empty() && self.until_due().is_some_and(|wait| wait.is_zero());
                self.claimed.extend(claimed);
            }
            Happened::Ended(ended) => self.note_ended(ended),
            Happened::Settled(written) => {
                let settled = self.settling.take().map(|(_, settled)| settled).unwrap_or_default();
                if self.unless_failed(written)?.is_none() {
                    // Not written is not settled: it would stay in flight until a restart.
                    self.ended.extend(settled.into_iter().filter(is_unwritten));
                }
            }
            Happened::MayBeDue => self.may_be_due = true,
            Happened::Rested => self.rest.end(),
            Happened::Room | Happened::Shutdown => {}
        }
        Ok(())
    }

    /// The answer, or nothing and a rest when the journal could not.
    fn unless_failed<T>(&mut self, answer: Result<T, JournalError>) -> Result<Option<T>, Closed> {
        match answer {
            Ok(answer) => {
                self.rest.forget();
                Ok(Some(answer))
            }
            Err(JournalError::Closed) => Err(Closed),
            Err(error) => {
                self.attempts.notices.journal_failed(self.attempts.clock.now(), &error);
                let wait = self.rest.begin();
                tracing::warn!(destination = self.name(), ?wait, "{error}");
                self.may_be_due = true;
                Ok(None)
            }
        }
    }

    fn note_ended(&mut self, ended: Result<(Id, Ended), JoinError>) {
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let Some(flight) = self.flights.remove(&id) else { return };
        let Ended { settled, health } = match ended {
            Ok((_, ended)) => ended,
            Err(broken) => self.attempts.broken_off(&flight, broken),
        };
        self.ended.extend(settled);
        if let Some(turn) = self.gate.ended(health, flight.probe, self.attempts.clock.now()) {
            self.turned(turn);
        }
    }

    fn turned(&mut self, turn: Turn) {
        let destination = self.attempts.destination.name();
        let tell = |notice| self.attempts.notices.tell(self.attempts.clock.now(), notice);
        match turn {
            Turn::Opened { failures, pause } => {
                tell(Notice::BreakerOpened { destination: destination.into(), failures });
                tracing::warn!(destination, ?pause, "left alone: {failures} attempts in a row have failed");
            }
            Turn::Reopened { pause } => tracing::info!(destination, ?pause, "left alone again: it is not well yet"),
            Turn::Closed => {
                tell(Notice::BreakerClosed { destination: destination.into() });
                tracing::info!(destination, "well again: its deliveries go on");
                // A probe that is under way says nothing of the next time.
                self.flights.values_mut().for_each(|flight| flight.probe = false);
            }
        }
    }
}

/// Of what the journal could not write: what was given back is back all the same, and may be in another lane's hands.
fn is_unwritten(settled: &Settled) -> bool {
    settled.outcome != Outcome::Released
}

async fn answer<T>(waited_for: Option<&mut Pending<T>>) -> Result<T, JournalError> {
    match waited_for {
        Some(answer) => answer.await,
        None => pending().await,
    }
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => pending().await,
    }
}

async fn after(wait: Option<Duration>) {
    match wait {
        Some(wait) => sleep(wait).await,
        None => pending().await,
    }
}
