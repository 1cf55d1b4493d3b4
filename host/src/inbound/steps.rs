//! The steps of one request: timed for the meters and, where traces are on, for spans. One begins where the one before ends,
//! because reading the clock costs more than counting.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use uuid::Uuid;

use crate::metrics::RequestMeter;
use crate::provider::source::Source;
use crate::reason::Reason;
use crate::request::Incoming;
use crate::traces::{Context, Kind, Span, Tracer, Value, nanos};

/// A request that is under way.
pub(super) struct Steps<'m> {
    meter: &'m RequestMeter,
    began: Instant,
    /// The end of the last step.
    last: Instant,
    trail: Option<Trail>,
}

/// What becomes spans; most of it is known when all is over.
struct Trail {
    tracer: Arc<Tracer>,
    at: u64,
    /// How long after the beginning each began and ended.
    steps: Vec<(&'static str, Duration, Duration)>,
    events: Vec<Uuid>,
    refused: Option<Reason>,
}

/// A part of the way.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    Verify,
    Decode,
    Record,
}

impl<'m> Steps<'m> {
    pub(super) fn begin(meter: &'m RequestMeter, tracer: Option<Arc<Tracer>>, now: impl FnOnce() -> Timestamp) -> Self {
        let trail = tracer.map(|tracer| {
            let (at, steps, events) = (nanos(now()), Vec::with_capacity(4), Vec::new());
            Trail { tracer, at, steps, events, refused: None }
        });
        let began = Instant::now();
        Self { meter, began, last: began, trail }
    }

    /// This step is over.
    pub(super) fn over(&mut self, step: Step) {
        let (name, counted) = match step {
            Step::Verify => ("verify", &self.meter.verify),
            Step::Decode => ("decode", &self.meter.decode),
            Step::Record => ("record", &self.meter.record),
        };
        counted.took(self.step(name));
    }

    /// How long it took since the last one.
    fn step(&mut self, name: &'static str) -> Duration {
        let (last, now) = (self.last, Instant::now());
        self.last = now;
        let (from, to) = (last - self.began, now - self.began);
        self.trail.iter_mut().for_each(|trail| trail.steps.push((name, from, to)));
        now - last
    }

    /// These events were made of it.
    pub(super) fn kept(&mut self, events: &[Uuid]) {
        self.trail.iter_mut().for_each(|trail| trail.events = events.to_vec());
    }

    pub(super) fn refused(&mut self, reason: Reason) {
        self.trail.iter_mut().for_each(|trail| trail.refused = Some(reason));
    }

    /// It is answered.
    pub(super) fn end(mut self, source: &Source, request: &Incoming, status: u16) {
        self.step("ack");
        let took = self.last - self.began;
        self.meter.ack.took(took);
        if let Some(trail) = self.trail {
            trail.end(source, request, status, took);
        }
    }
}

impl Trail {
    fn end(self, source: &Source, request: &Incoming, status: u16, took: Duration) {
        let Self { tracer, at, steps, events, refused } = self;
        let (own, sender) = tracer.of_request(&request.headers, &events);
        let when = |from: Duration, to: Duration| (after(at, from), after(at, to));
        for (name, from, to) in steps {
            tracer.offer(Span::internal(name, own.child(), own.span, when(from, to)));
        }
        // An event that is in a trace of its own says whose it is.
        let apart = |context: &Context| *context != own;
        for context in events.iter().map(|event| tracer.of_event(*event)).filter(apart) {
            let (began, ended) = when(Duration::ZERO, took);
            let parent = None;
            let span = Span { parent, links: vec![own], ..Span::internal("event", context, own.span, (began, ended)) };
            tracer.offer(span);
        }
        let mut attributes = vec![
            ("hookport.source", Value::Text(source.name.clone())),
            ("http.request.method", Value::Text(request.method.as_str().into())),
            ("http.response.status_code", Value::Number(status.into())),
        ];
        attributes.extend(refused.map(|reason| ("hookport.reason", Value::Word(reason.code()))));
        let (began, ended) = when(Duration::ZERO, took);
        let failed = (refused == Some(Reason::Unavailable)).then(|| Reason::Unavailable.code().to_owned());
        tracer.offer(Span {
            context: own,
            parent: sender.map(|sender| sender.span),
            name: "receive",
            kind: Kind::Server,
            began,
            ended,
            attributes,
            failed,
            links: Vec::new(),
        });
    }
}

fn after(at: u64, time: Duration) -> u64 {
    at.saturating_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
}
