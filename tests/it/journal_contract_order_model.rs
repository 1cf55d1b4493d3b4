//! Contract: order per key against a model, over any mix of outcomes, tries by hand, cancellations, restarts and crashes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hookport::journal::{Claimed, DeliveryFilter, Outcome};
use jiff::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::{Bounds, Desk, Places, accepted, event, request, seconds};

#[derive(Debug, Clone)]
enum Step {
    /// One request with events of these keys; 0 is none.
    Record(Vec<u8>),
    /// At most so many.
    Claim(usize),
    End(usize, End),
    Retry(usize),
    Cancel(usize),
    Wait(u8),
    Restart,
    Crash,
}

#[derive(Debug, Clone, Copy)]
enum End {
    Delivered,
    Retry(u8),
    Exhausted,
    Held,
    Released,
}

fn step() -> impl Strategy<Value = Step> {
    let end = prop_oneof![
        4 => Just(End::Delivered),
        3 => (0..60u8).prop_map(End::Retry),
        2 => Just(End::Exhausted),
        2 => Just(End::Held),
        1 => Just(End::Released),
    ];
    prop_oneof![
        6 => vec(0..4u8, 1..5).prop_map(Step::Record),
        6 => (1..20usize).prop_map(Step::Claim),
        12 => (any::<prop::sample::Index>(), end).prop_map(|(at, end)| Step::End(at.index(64), end)),
        3 => any::<prop::sample::Index>().prop_map(|at| Step::Retry(at.index(64))),
        3 => any::<prop::sample::Index>().prop_map(|at| Step::Cancel(at.index(64))),
        3 => (0..90u8).prop_map(Step::Wait),
        1 => Just(Step::Restart),
        1 => Just(Step::Crash),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not ended; due at this time.
    Open(Timestamp),
    Delivered,
    /// Exhausted or cancelled.
    Failed,
    Held,
}

#[derive(Debug, Clone)]
struct Row {
    key: u8,
    state: State,
    in_flight: bool,
    /// Cancelled in flight.
    recalled: bool,
}

/// All deliveries by number, and the one of each key that is open.
#[derive(Debug, Default)]
struct Model {
    rows: BTreeMap<u64, Row>,
    first: BTreeMap<u8, u64>,
}

impl Model {
    /// Nobody of the key is open: the lowest is, unless it holds the key.
    fn hand_over(&mut self, key: u8) {
        self.first.remove(&key);
        let counts = |row: &Row| row.key == key && matches!(row.state, State::Open(_) | State::Held);
        if let Some((number, Row { state: State::Open(_), .. })) = self.rows.iter().find(|(_, row)| counts(row))
            && key > 0
        {
            self.first.insert(key, *number);
        }
    }

    fn add(&mut self, number: u64, key: u8) {
        let state = State::Open(Timestamp::UNIX_EPOCH);
        self.rows.insert(number, Row { key, state, in_flight: false, recalled: false });
        if !self.first.contains_key(&key) {
            self.hand_over(key);
        }
    }

    fn due(&self, now: Timestamp) -> BTreeSet<u64> {
        let is_due = |(number, row): &(&u64, &Row)| {
            let open = matches!(row.state, State::Open(at) if at <= now);
            open && !row.in_flight && (row.key == 0 || self.first.get(&row.key) == Some(number))
        };
        self.rows.iter().filter(is_due).map(|(number, _)| *number).collect()
    }

    fn land(&mut self, number: u64, outcome: &Outcome) {
        let row = self.rows.get_mut(&number).unwrap();
        let (key, recalled) = (row.key, std::mem::take(&mut row.recalled));
        row.in_flight = false;
        row.state = match outcome {
            Outcome::Delivered => State::Delivered,
            _ if recalled => State::Failed,
            Outcome::Released => return,
            Outcome::Retry(at) => State::Open(*at),
            Outcome::Held(_) if key > 0 => State::Held,
            Outcome::Exhausted(_) | Outcome::Held(_) => State::Failed,
        };
        self.hand_over(key);
    }

    /// Whether there is something to try again.
    fn retry(&mut self, number: u64) -> bool {
        let Some(row) = self.rows.get_mut(&number) else { return false };
        let key = row.key;
        if row.in_flight {
            return std::mem::take(&mut row.recalled);
        }
        if !matches!(row.state, State::Failed | State::Held) {
            return false;
        }
        row.state = State::Open(Timestamp::UNIX_EPOCH);
        match self.first.get(&key) {
            Some(first) if *first < number || self.rows[first].in_flight => {}
            _ => self.hand_over(key),
        }
        true
    }

    /// Whether there is something to give up.
    fn cancel(&mut self, number: u64) -> bool {
        let Some(row) = self.rows.get_mut(&number) else { return false };
        let key = row.key;
        if row.in_flight {
            return !std::mem::replace(&mut row.recalled, true);
        }
        if !matches!(row.state, State::Open(_) | State::Held) {
            return false;
        }
        row.state = State::Failed;
        if self.first.get(&key).is_none_or(|first| *first == number) {
            self.hand_over(key);
        }
        true
    }

    fn restart(&mut self) {
        for row in self.rows.values_mut() {
            row.in_flight = false;
            if std::mem::take(&mut row.recalled) {
                row.state = State::Failed;
            }
        }
        (1..4).for_each(|key| self.hand_over(key));
    }
}

/// A journal beside its model.
struct Pair {
    desk: Desk,
    model: Model,
    flying: Vec<Claimed>,
    /// Whether memory holds all that is due, so that a claim gets all of it.
    exact: bool,
}

impl Pair {
    async fn follow(&mut self, at: usize, step: Step) -> Result<(), TestCaseError> {
        let one = |number: usize| DeliveryFilter { id: Some(number as u64), ..DeliveryFilter::default() };
        match step {
            Step::Record(keys) => {
                let events = keys.iter().enumerate().map(|(n, key)| {
                    let mut event = event(&format!("{at}-{n}"), "to.bank");
                    event.subject = (*key > 0).then(|| format!("key {key}"));
                    event
                });
                accepted(self.desk.record(request(events)).await);
                let last = self.model.rows.len() as u64;
                keys.iter().zip(last + 1..).for_each(|(key, number)| self.model.add(number, *key));
            }
            Step::Claim(limit) => self.claim(limit).await?,
            Step::End(..) if self.flying.is_empty() => {}
            Step::End(which, end) => {
                let claimed = self.flying.swap_remove(which % self.flying.len());
                self.end(&claimed, end).await;
            }
            Step::Retry(number) => {
                let done = self.desk.journal.retry(one(number)).await.unwrap();
                prop_assert_eq!(done == 1, self.model.retry(number as u64), "retry {}", number);
            }
            Step::Cancel(number) => {
                let done = self.desk.journal.cancel(one(number)).await.unwrap();
                prop_assert_eq!(done == 1, self.model.cancel(number as u64), "cancel {}", number);
            }
            Step::Wait(time) => self.desk.clock.advance(seconds(i64::from(time))),
            Step::Restart => {
                self.desk.restart().await;
                self.restarted();
            }
            Step::Crash => {
                self.desk.crash();
                self.restarted();
            }
        }
        Ok(())
    }

    fn restarted(&mut self) {
        self.flying.clear();
        self.model.restart();
    }

    async fn claim(&mut self, limit: usize) -> Result<(), TestCaseError> {
        let now = self.desk.clock.now();
        let expected = self.model.due(now);
        let claimed = self.desk.journal.claim("bank", limit, now).await.unwrap();
        let numbers: BTreeSet<u64> = claimed.iter().map(|claimed| claimed.delivery).collect();
        prop_assert!(numbers.is_subset(&expected), "{:?} of {:?}", numbers, expected);
        if self.exact {
            prop_assert_eq!(numbers.len(), limit.min(expected.len()), "{:?} of {:?}", numbers, expected);
        }
        for number in numbers {
            self.model.rows.get_mut(&number).unwrap().in_flight = true;
        }
        self.flying.extend(claimed);
        Ok(())
    }

    async fn end(&mut self, claimed: &Claimed, end: End) {
        let outcome = match end {
            End::Delivered => Outcome::Delivered,
            End::Retry(wait) => {
                let at = self.desk.clock.now() + seconds(i64::from(wait));
                Outcome::Retry(Timestamp::from_microsecond(at.as_microsecond()).unwrap())
            }
            End::Exhausted => Outcome::Exhausted("gone".into()),
            End::Held => Outcome::Held("gone".into()),
            End::Released => Outcome::Released,
        };
        self.model.land(claimed.delivery, &outcome);
        self.desk.settle(claimed, outcome).await;
        // What is given back untried is dealt with behind: whoever asks next waits for it.
        let nothing = DeliveryFilter { id: Some(u64::MAX), ..DeliveryFilter::default() };
        self.desk.journal.retry(nothing).await.unwrap();
    }

    /// In the end all that failed is tried again, and arrives.
    async fn finish(&mut self) -> Result<(), TestCaseError> {
        for claimed in std::mem::take(&mut self.flying) {
            self.end(&claimed, End::Delivered).await;
        }
        self.desk.journal.retry(DeliveryFilter::default()).await.unwrap();
        for number in 1..=self.model.rows.len() as u64 {
            self.model.retry(number);
        }
        self.desk.clock.advance(seconds(1_000));
        let mut rounds = 0;
        while self.desk.journal.stats().await.unwrap().open > 0 {
            self.claim(100).await?;
            if self.flying.is_empty() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            for claimed in std::mem::take(&mut self.flying) {
                self.end(&claimed, End::Delivered).await;
            }
            rounds += 1;
            prop_assert!(rounds < 5_000, "some never arrive: {:?}", self.model);
        }
        prop_assert!(self.model.rows.values().all(|row| row.state == State::Delivered));
        Ok(())
    }
}

async fn follow(places: Places<'_>, exact: bool, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let memory = if exact { 10_000 } else { 4 };
    let desk = Desk::new(places(), Bounds { memory, ..Bounds::default() });
    let mut pair = Pair { desk, model: Model::default(), flying: Vec::new(), exact };
    for (at, step) in steps.into_iter().enumerate() {
        pair.follow(at, step).await?;
    }
    pair.finish().await
}

pub(crate) async fn order_is_the_model_s(places: Places<'_>) {
    let runtime = tokio::runtime::Handle::current();
    tokio::task::block_in_place(|| {
        let config = Config { cases: 48, max_shrink_iters: 200, failure_persistence: None, ..Config::default() };
        let mut runner = TestRunner::new(config);
        let steps = (any::<bool>(), vec(step(), 1..80));
        runner.run(&steps, |(exact, steps)| runtime.block_on(follow(places, exact, steps))).unwrap();
    });
}
