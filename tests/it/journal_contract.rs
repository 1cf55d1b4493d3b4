//! What every journal engine must do, written against the trait. An engine is plugged in with [`contract!`].
//!
//! What only one engine has (files, locks, disks) is tested beside it.

#[path = "journal_contract_again.rs"]
pub(crate) mod again;
#[path = "journal_contract_cancel.rs"]
pub(crate) mod cancel;
#[path = "journal_contract_capture.rs"]
pub(crate) mod capture;
#[path = "journal_contract_clock.rs"]
pub(crate) mod clock;
#[path = "journal_contract_dedup.rs"]
pub(crate) mod dedup;
#[path = "journal_contract_delivery.rs"]
pub(crate) mod delivery;
#[path = "journal_contract_erase.rs"]
pub(crate) mod erase;
#[path = "journal_contract_keeping.rs"]
pub(crate) mod keeping;
#[path = "journal_contract_model.rs"]
pub(crate) mod model;
#[path = "journal_contract_order.rs"]
pub(crate) mod order;
#[path = "journal_contract_order_model.rs"]
pub(crate) mod order_model;
#[path = "journal_contract_pause.rs"]
pub(crate) mod pause;
#[path = "journal_contract_rejections.rs"]
pub(crate) mod rejections;
#[path = "journal_contract_replay.rs"]
pub(crate) mod replay;

use std::ops::RangeInclusive;
use std::sync::Arc;

use bytes::Bytes;
use hookport::clock::Clock;
use hookport::event::{Data, DedupKey, Event, NewEvent};
use hookport::journal::{Attempt, Claimed, Journal, NewRequest, OrderKey, Outcome, Plan, Recorded, Settled};
use hookport::request::Incoming;
use hyper::header::{HeaderMap, HeaderValue};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

/// One place of an engine. Opening it again is a restart.
pub(crate) trait Engine: Send + Sync {
    /// Opens the place with these bounds.
    fn open(&self, clock: &Clock, bounds: Bounds) -> Arc<dyn Journal>;

    /// Another place with what this one holds now on disk, as a crash leaves it: the open journal is not told.
    fn crash(&self) -> Box<dyn Engine>;
}

/// The bounds that the contract moves; small ones, so that tests reach them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) rejections: u64,
    pub(crate) rejection_bytes: u64,
    /// Keys and due deliveries that are held in memory.
    pub(crate) memory: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { rejections: 1_000, rejection_bytes: 1 << 20, memory: 10_000 }
    }
}

/// A planner by the event's type: `to.crm` goes to crm, `to.crm+log` to both, anything else nowhere. `raw` gets requests,
/// and what goes to `bank` is in order by its subject and holds its key when it is given up.
pub(crate) struct ByType;

impl Plan for ByType {
    fn plan(&self, event: &Event, warnings: &mut Vec<String>) -> Vec<Arc<str>> {
        if event.kind.ends_with(".warn") {
            warnings.push("a rule failed".into());
        }
        event.kind.strip_prefix("to.").map(|to| to.split('+').map(Arc::from).collect()).unwrap_or_default()
    }

    fn order_key(&self, event: &Event, destination: &str, _: &mut Vec<String>) -> Option<OrderKey> {
        event.subject.as_deref().filter(|_| destination == "bank").map(|subject| key(subject).hash)
    }

    fn holds(&self, destination: &str) -> bool {
        destination == "bank"
    }

    fn once_per_request(&self, destination: &str) -> bool {
        destination == "raw"
    }
}

/// A journal of an engine's place, with the clock it reads.
pub(crate) struct Desk {
    pub(crate) engine: Box<dyn Engine>,
    pub(crate) clock: Clock,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) bounds: Bounds,
}

impl Desk {
    pub(crate) fn new(engine: Box<dyn Engine>, bounds: Bounds) -> Self {
        let clock = Clock::starting_at(noon());
        let journal = engine.open(&clock, bounds);
        Self { engine, clock, journal, bounds }
    }

    /// Closes and opens again.
    pub(crate) async fn restart(&mut self) {
        self.journal.close().await.unwrap();
        self.journal = self.engine.open(&self.clock, self.bounds);
    }

    /// Goes on with what is on disk, without closing.
    pub(crate) fn crash(&mut self) {
        self.engine = self.engine.crash();
        self.journal = self.engine.open(&self.clock, self.bounds);
    }

    pub(crate) async fn record(&self, request: NewRequest) -> Recorded {
        self.journal.record(request).await.unwrap()
    }

    /// Records one event that goes to these destinations.
    pub(crate) async fn event(&self, key: &str, to: &str) -> Uuid {
        match self.record(request([event(key, &format!("to.{to}"))])).await {
            Recorded::Accepted(ids) => ids[0],
            other => panic!("{key}: {other:?}"),
        }
    }

    pub(crate) async fn claim(&self, destination: &str) -> Vec<Claimed> {
        self.journal.claim(destination, 100, self.clock.now()).await.unwrap()
    }

    /// What comes of it, and from when to when it was done: the clock goes on.
    pub(crate) async fn during<F: Future>(&self, what: impl FnOnce() -> F) -> (F::Output, RangeInclusive<Timestamp>) {
        // The file has microseconds.
        let begun = self.clock.now() - SignedDuration::from_micros(1);
        (what().await, begun..=self.clock.now())
    }

    pub(crate) async fn settle(&self, claimed: &Claimed, outcome: Outcome) {
        let settled = Settled { delivery: claimed.delivery, attempt: attempt(&self.clock), outcome };
        self.journal.settle(vec![settled]).await.unwrap();
    }
}

pub(crate) fn noon() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

pub(crate) fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

/// A key that is spread like a hash.
pub(crate) fn key(text: &str) -> DedupKey {
    let mut state = 0xcbf2_9ce4_8422_2325_u128;
    for byte in text.bytes().chain(0..16) {
        state = (state ^ u128::from(byte)).wrapping_mul(0x0000_0100_0000_01b3_0000_0000_0000_013b);
    }
    DedupKey { hash: state.to_be_bytes(), until: None }
}

/// An event of a type, known by its key.
pub(crate) fn event(name: &str, kind: &str) -> NewEvent {
    NewEvent {
        kind: kind.into(),
        subject: Some(format!("subject-{name}")),
        time: Some("2026-11-20T11:59:58.5Z".parse().unwrap()),
        provider_id: Some(name.into()),
        key: key(name),
        data: Data::Json(format!(r#"{{"id":"{name}"}}"#).into()),
        warnings: Vec::new(),
        undecoded: None,
    }
}

/// A request of the source `esim` that carries events.
pub(crate) fn request(events: impl IntoIterator<Item = NewEvent>) -> NewRequest {
    let events: Vec<NewEvent> = events.into_iter().collect();
    let name = events.first().and_then(|event| event.provider_id.clone()).unwrap_or_default();
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    headers.append("x-odd", HeaderValue::from_bytes(b"\xff: ;").unwrap());
    NewRequest {
        source: "esim".into(),
        provider: "eiotclub".into(),
        provider_version: "1.0.0".into(),
        request: Arc::new(Incoming {
            method: "POST".into(),
            target: "/eiotclub?a=1".into(),
            headers,
            body: Bytes::from(format!(r#"{{"id":"{name}","sign":"00ff00ff"}}"#)),
            peer: Some("192.0.2.7".parse().unwrap()),
            received: noon(),
        }),
        events,
        nonce: None,
        stale: None,
        build: None,
        poll_state: None,
    }
}

/// A failed attempt.
pub(crate) fn attempt(clock: &Clock) -> Attempt {
    let (error, answer) = (Some("503".into()), Some("come again".into()));
    Attempt { at: clock.now(), took_ms: 12, status: Some(503), error, answer }
}

pub(crate) fn accepted(recorded: Recorded) -> Vec<Uuid> {
    match recorded {
        Recorded::Accepted(ids) => ids,
        other => panic!("not accepted: {other:?}"),
    }
}

/// Runs every case of the contract against new places of an engine.
macro_rules! contract {
    ($place:path) => {
        $crate::journal_contract::contract!(@cases $place,
            dedup {
                a_repeat_is_a_duplicate, one_batch_decides_each_of_its_events, a_stale_request_is_refused_unless_it_is_a_repeat,
                a_nonce_serves_once, a_nonce_may_be_the_same_text_as_a_key, keys_outlive_restart_and_crash,
                a_key_holds_until_its_time, one_of_many_at_once_is_accepted, keys_beyond_memory_are_known,
                a_clock_that_was_ahead_does_not_forget_what_comes,
            }
            delivery {
                events_go_where_the_plan_says, what_is_claimed_is_as_recorded, claims_are_exclusive_and_oldest_first,
                in_flight_is_due_again_after_a_crash, a_retry_waits_for_its_time, what_was_settled_stays_settled,
                exhausted_is_due_again_only_by_hand, released_is_not_an_attempt, a_destination_that_is_gone_keeps_its_deliveries,
                due_is_notified, more_than_memory_holds_is_delivered_once, settling_twice_counts_once, a_claim_that_nobody_reads_is_due_again,
            }
            clock {
                a_clock_that_goes_back_holds_nothing_up, a_clock_that_jumps_hours_loses_and_holds_up_nothing,
                what_is_given_back_after_a_jump_is_due_by_the_clock_of_now, a_deadline_of_what_was_released_counts_from_then,
            }
            keeping {
                events_are_found_by_every_filter, deliveries_are_found_by_every_filter, tail_goes_on_after_an_event,
                retention_keeps_what_is_open, retention_forgets_keys_but_not_those_with_their_own_time,
                a_size_is_kept_by_what_is_oldest_and_finished, what_is_open_is_more_than_a_size,
                poll_state_changes_with_its_events, numbers_are_right, closed_is_closed,
            }
            rejections {
                rejections_are_bounded_in_number, rejections_are_bounded_in_bytes, rejections_go_with_age,
                rejections_are_found_and_shown,
            }
            capture {
                what_is_told_is_pending_until_it_is_confirmed, what_is_told_is_there_after_a_crash,
                what_is_told_again_is_one_and_the_newest, what_is_pending_is_bounded_of_a_source_and_in_all,
                what_is_discarded_is_gone, a_value_is_never_shown, captures_are_closed_with_the_journal,
            }
            erase {
                erased_content_is_gone_and_the_event_is_known, what_is_open_keeps_its_content,
                of_a_batch_one_goes_and_the_others_keep_their_data, a_dry_run_and_a_limit_only_go_so_far,
                the_copy_that_a_replay_made_of_a_request_goes_with_it,
                a_request_that_was_erased_with_another_event_is_not_sent_empty,
            }
            order {
                one_of_a_key_goes_after_the_other, those_of_one_request_are_in_order_too, a_key_waits_for_nobody_else,
                exhausted_releases_its_key, held_keeps_its_key_until_an_operator_decides, order_outlives_restart_and_crash,
                what_is_tried_again_by_hand_goes_first, one_retry_keeps_the_order_whatever_the_states, what_is_in_flight_ends_its_try_before_one_by_hand, what_waits_is_shown_and_kept,
                a_deadline_counts_from_when_its_key_is_free, without_a_key_nothing_waits_or_holds,
            }
            cancel {
                cancelled_is_given_up_and_releases_its_key, cancelled_in_flight_ends_with_its_try,
                what_is_cancelled_in_flight_and_given_back_is_gone, a_destination_that_is_gone_can_be_cleared,
                cancelling_in_bulk_leaves_others_alone,
            }
            replay {
                a_replay_goes_where_it_is_told_or_where_the_plan_says, a_replay_makes_no_delivery_beside_an_open_one,
                what_was_unrouted_is_routed_by_a_replay, a_dry_replay_says_the_same_and_leaves_nothing,
                who_gets_requests_gets_each_once_in_a_replay, a_new_content_takes_the_old_ones_place,
                retention_waits_for_what_is_replayed_and_takes_it_along, a_flood_of_forgeries_pushes_nothing_authentic_out,
                pages_go_on_where_the_last_one_ended,
                what_failed_is_found_by_why_and_tried_again_whatever_is_known,
            }
            again {
                who_gets_requests_gets_one_and_its_copies_once, the_last_events_of_a_long_replay_have_as_long_as_the_first,
                what_was_erased_since_it_was_read_is_not_written_again,
            }
            pause { a_pause_holds_over_a_crash_until_it_is_ended, what_waits_is_counted_for_each_destination, what_waits_behind_a_held_key_is_the_oldest,
                a_deadline_counts_from_the_end_of_a_pause, }
            model { dedup_is_the_model_s, }
            order_model { order_is_the_model_s, }
        );
    };
    (@cases $place:path, $($area:ident { $($case:ident,)* })*) => {
        $(mod $area {
            $(#[test]
            fn $case() {
                let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
                runtime.block_on($crate::journal_contract::$area::$case(&|| $place()));
            })*
        })*
    };
}
pub(crate) use contract;

/// Makes new empty places.
pub(crate) type Places<'a> = &'a (dyn Fn() -> Box<dyn Engine> + Send + Sync);
