//! Contract: dedup against a model, over any mix of requests, waiting, retention, restarts and crashes.

use std::collections::HashMap;
use std::sync::Arc;

use hookport::event::DedupKey;
use hookport::journal::{NewRequest, Recorded};
use hookport::reason::{Reason, Rejection};
use jiff::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::{Bounds, Desk, Places, event, key, request, seconds};

#[derive(Debug, Clone)]
enum Step {
    /// Keys, each with or without its own time; a nonce; whether it is stale.
    Record(Vec<(u8, bool)>, Option<u8>, bool),
    Wait(u8),
    Restart,
    Crash,
    Retain(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let records = (vec((0..40u8, any::<bool>()), 1..4), proptest::option::weighted(0.3, 0..10u8), any::<u8>());
    prop_oneof![
        12 => records.prop_map(|(keys, nonce, stale)| Step::Record(keys, nonce, stale % 8 == 0)),
        3 => (0..120u8).prop_map(Step::Wait),
        1 => Just(Step::Restart),
        1 => Just(Step::Crash),
        1 => (0..120u8).prop_map(Step::Retain),
    ]
}

/// A key holds until its own time, or until retention passes its request.
#[derive(Default)]
struct Model {
    keys: HashMap<String, (Timestamp, Option<Timestamp>)>,
    forgotten: Option<Timestamp>,
}

impl Model {
    fn known(&self, key: &str, now: Timestamp) -> bool {
        self.keys.get(key).is_some_and(|(received, until)| match until {
            Some(until) => *until > now,
            None => self.forgotten.is_none_or(|forgotten| *received >= forgotten),
        })
    }

    /// What the journal must say, and what it must remember.
    fn record(
        &mut self,
        sent: &NewRequest,
        names: &[String],
        nonce: Option<String>,
        now: Timestamp,
    ) -> Result<usize, Option<Reason>> {
        let mut new: Vec<(&String, DedupKey)> = Vec::new();
        for (name, event) in names.iter().zip(&sent.events) {
            if !self.known(name, now) && !new.iter().any(|(other, _)| *other == name) {
                new.push((name, event.key));
            }
        }
        if new.is_empty() {
            return Err(None);
        }
        if let Some(stale) = &sent.stale {
            return Err(Some(stale.reason));
        }
        if nonce.as_ref().is_some_and(|nonce| self.known(nonce, now)) {
            return Err(Some(Reason::ReplayedNonce));
        }
        let received = sent.request.received;
        let count = new.len();
        let keys: Vec<_> = new.into_iter().map(|(name, key)| (name.clone(), (received, key.until))).collect();
        self.keys.extend(keys);
        self.keys.extend(nonce.map(|nonce| (nonce, (received, None))));
        Ok(count)
    }
}

async fn follow(places: Places<'_>, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut desk = Desk::new(places(), Bounds { memory: 6, ..Bounds::default() });
    let mut model = Model::default();
    for (at, step) in steps.into_iter().enumerate() {
        // The engine reads the clock again: whole seconds would be on the edge.
        let now = desk.clock.now();
        match step {
            Step::Record(keys, nonce, stale) => {
                let names: Vec<String> = keys.iter().map(|(name, _)| format!("event-{name}")).collect();
                let events = names.iter().zip(&keys).map(|(name, (_, own))| {
                    let mut event = event(name, "nobody");
                    event.key.until = own.then(|| now + seconds(90) + jiff::SignedDuration::from_millis(500));
                    event
                });
                let mut sent = request(events);
                Arc::make_mut(&mut sent.request).received = now;
                let nonce = nonce.map(|nonce| format!("nonce-{nonce}"));
                sent.nonce = nonce.as_deref().map(key);
                sent.stale = stale.then(|| Rejection::new(Reason::TimestampExpired, "old"));
                let expected = model.record(&sent, &names, nonce, now);
                let got = match desk.record(sent).await {
                    Recorded::Accepted(ids) => Ok(ids.len()),
                    Recorded::Duplicate => Err(None),
                    Recorded::Refused(refused) => Err(Some(refused.reason)),
                };
                prop_assert_eq!(got, expected, "step {}", at);
            }
            Step::Wait(time) => desk.clock.advance(seconds(i64::from(time))),
            Step::Restart => desk.restart().await,
            Step::Crash => desk.crash(),
            Step::Retain(age) => {
                let before = now - seconds(i64::from(age));
                desk.journal.retain(before).await.unwrap();
                model.forgotten = model.forgotten.max(Some(before));
            }
        }
    }
    Ok(())
}

pub(crate) async fn dedup_is_the_model_s(places: Places<'_>) {
    let runtime = tokio::runtime::Handle::current();
    tokio::task::block_in_place(|| {
        let config = Config { cases: 48, max_shrink_iters: 200, failure_persistence: None, ..Config::default() };
        let mut runner = TestRunner::new(config);
        runner.run(&vec(step(), 1..80), |steps| runtime.block_on(follow(places, steps))).unwrap();
    });
}
