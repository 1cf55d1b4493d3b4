//! One attempt: deliver a batch, judge each reply, and say how each delivery is to be settled.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::task::JoinError;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::event::OWN_SOURCE;
use crate::journal::{Attempt, Claimed, Outcome, Settled};
use crate::metrics::{self, AttemptMeter};
use crate::notices::{Notice, Notices};
use crate::outbound::breaker::Health;
use crate::outbound::judge::{Reply, Tried, health, judge};
use crate::outbound::{Destination, Open};
use crate::traces::{Context, Kind, Span, Tracer, Traces, Value, nanos};

/// Stands where the text of an answer is not kept.
const WITHHELD: &str = "[withheld: it may repeat fields that this source opens or redacts]";

/// Stands where there is no answer, because nothing was sent.
const NOT_SENT: &str = "[not sent: the transform gave nothing]";

/// What every attempt of a lane needs.
#[derive(Clone)]
pub(super) struct Attempts {
    pub(super) destination: Arc<Destination>,
    pub(super) opener: Arc<dyn Open>,
    pub(super) clock: Clock,
    pub(super) notices: Arc<Notices>,
    pub(super) meter: Arc<AttemptMeter>,
    pub(super) traces: Arc<Traces>,
}

/// An attempt that is under way; what is known of it where it does not come back by itself.
pub(super) struct Flight {
    pub(super) begun: Timestamp,
    pub(super) batch: Arc<[Claimed]>,
    /// Whether the breaker waits for it.
    pub(super) probe: bool,
}

/// What came of an attempt, for its deliveries and of their destination.
pub(super) struct Ended {
    pub(super) settled: Vec<Settled>,
    pub(super) health: Health,
}

/// Delivers and judges.
pub(super) async fn attempt(attempts: Attempts, batch: Arc<[Claimed]>) -> Ended {
    let begun = attempts.clock.now();
    let started = Instant::now();
    let tracer = attempts.traces.tracer();
    let contexts = contexts(tracer.as_deref(), &batch);
    let replies = attempts.destination.deliver(&batch, &contexts, &attempts.opener, begun).await;
    let took = started.elapsed();
    attempts.meter.took.took(took);
    let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let health = of_all(&replies);
    let judged = batch.iter().zip(replies).map(|(claimed, reply)| attempts.judged(claimed, reply, begun, took_ms));
    let settled: Vec<_> = judged.collect();
    if let Some(tracer) = tracer {
        let when = (nanos(begun), nanos(begun).saturating_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)));
        let tried = batch.iter().zip(&settled).zip(contexts);
        tried.for_each(|((claimed, settled), context)| attempts.trace(&tracer, claimed, settled, context, when));
    }
    Ended { settled, health }
}

/// A span of each delivery's own, in its event's trace; none where nothing is traced.
fn contexts(tracer: Option<&Tracer>, batch: &[Claimed]) -> Vec<Context> {
    let span = |tracer: &Tracer, claimed: &Claimed| tracer.of_event(claimed.event.id).child();
    tracer.map(|tracer| batch.iter().map(|claimed| span(tracer, claimed)).collect()).unwrap_or_default()
}

/// A destination that answers one of a batch is there.
fn of_all(replies: &[Reply]) -> Health {
    let any = |wanted| replies.iter().any(|reply| health(reply) == wanted);
    [Health::Up, Health::Down].into_iter().find(|wanted| any(*wanted)).unwrap_or(Health::Unknown)
}

impl Attempts {
    fn trace(&self, tracer: &Tracer, claimed: &Claimed, settled: &Settled, context: Context, when: (u64, u64)) {
        let mut attributes = vec![
            ("hookport.destination", Value::Text(self.destination.name().into())),
            ("hookport.source", Value::Text(claimed.event.source.clone())),
            ("hookport.attempt", Value::Number(claimed.attempt.into())),
        ];
        let status = settled.attempt.status.map(|status| ("http.response.status_code", Value::Number(status.into())));
        attributes.extend(status);
        let (kind, failed) = (Kind::Client, settled.attempt.error.clone());
        let span = Span::internal("deliver", context, tracer.of_event(claimed.event.id).span, when);
        tracer.offer(Span { kind, attributes, failed, ..span });
    }

    fn judged(&self, claimed: &Claimed, reply: Reply, at: Timestamp, took_ms: u64) -> Settled {
        let now = self.clock.now();
        let tried = Tried { attempt: claimed.attempt, since: claimed.since, now, chance: rand::random() };
        let (outcome, error) = judge(&reply, tried, self.destination.retry());
        let outcome = match outcome {
            Outcome::Exhausted(reason) if self.destination.holds() => Outcome::Held(reason),
            outcome => outcome,
        };
        let (status, answer) = match reply {
            Reply::Answered { status, text, .. } => (Some(status), self.kept(claimed, text)),
            Reply::Skipped => (None, Some(NOT_SENT.to_owned())),
            Reply::Written | Reply::Refused(_) | Reply::Failed(_) | Reply::Unsent(_) => (None, None),
        };
        self.count(&outcome);
        self.log(claimed, &outcome, error.as_deref());
        if matches!(outcome, Outcome::Exhausted(_) | Outcome::Held(_)) {
            self.notice(claimed, status, now);
        }
        Settled { delivery: claimed.delivery, attempt: Attempt { at, took_ms, status, error, answer }, outcome }
    }

    /// The text of an answer, which may repeat what was sent: where that is not for everybody, neither is the answer.
    fn kept(&self, claimed: &Claimed, text: String) -> Option<String> {
        let kept = if self.opener.hides(&claimed.event) { WITHHELD.to_owned() } else { text.clone() };
        Some(kept).filter(|_| !text.is_empty())
    }

    /// A panic is a failed attempt; what shutdown broke off was not tried.
    pub(super) fn broken_off(&self, flight: &Flight, how: JoinError) -> Ended {
        let health = Health::Unknown;
        if how.is_cancelled() {
            return Ended { settled: flight.batch.iter().map(|claimed| self.released(claimed)).collect(), health };
        }
        tracing::error!(destination = self.destination.name(), "an attempt panicked: {how}");
        let took = self.clock.now().duration_since(flight.begun).as_millis();
        let took_ms = u64::try_from(took).unwrap_or_default();
        let reply = Reply::Unsent("the attempt panicked; the log of that time says where".into());
        let judged = flight.batch.iter().map(|claimed| self.judged(claimed, reply.clone(), flight.begun, took_ms));
        Ended { settled: judged.collect(), health }
    }

    /// Given back without a try.
    pub(super) fn released(&self, claimed: &Claimed) -> Settled {
        let attempt = Attempt { at: self.clock.now(), took_ms: 0, status: None, error: None, answer: None };
        Settled { delivery: claimed.delivery, attempt, outcome: Outcome::Released }
    }

    /// Of a delivery of the gateway's own events nothing more is told.
    fn notice(&self, claimed: &Claimed, status: Option<u16>, now: Timestamp) {
        let event = &claimed.event;
        if *event.source == *OWN_SOURCE {
            return;
        }
        let reason = match status {
            Some(410) => "gone",
            _ if claimed.attempt >= self.destination.retry().attempts => "attempts",
            _ => "deadline",
        };
        let (delivery, attempts, destination) = (claimed.delivery, claimed.attempt, self.destination.name().into());
        let (event, kind, source) = (event.id, event.kind.clone(), event.source.clone());
        self.notices
            .tell(now, Notice::Exhausted { delivery, event, kind, source, destination, attempts, reason, status });
    }

    fn count(&self, outcome: &Outcome) {
        let ended = match outcome {
            Outcome::Delivered => metrics::Ended::Delivered,
            Outcome::Retry(_) => metrics::Ended::Retry,
            Outcome::Exhausted(_) => metrics::Ended::Exhausted,
            Outcome::Held(_) => metrics::Ended::Held,
            Outcome::Released => return,
        };
        self.meter.ended.count(ended);
    }

    fn log(&self, claimed: &Claimed, outcome: &Outcome, error: Option<&str>) {
        let (destination, event, attempt) = (self.destination.name(), claimed.event.id, claimed.attempt);
        let error = error.unwrap_or_default();
        match outcome {
            Outcome::Delivered => tracing::debug!(destination, %event, attempt, "delivered"),
            Outcome::Retry(at) => tracing::info!(destination, %event, attempt, again = %at, "not delivered: {error}"),
            Outcome::Exhausted(reason) => tracing::warn!(destination, %event, attempt, "given up: {reason}"),
            Outcome::Held(reason) => {
                tracing::warn!(destination, %event, attempt, "given up, and its key is held: {reason}")
            }
            Outcome::Released => {}
        }
    }
}
