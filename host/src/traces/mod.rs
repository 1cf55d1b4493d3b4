//! Traces: spans of requests and of attempts, sent to a collector as OTLP over HTTP. Off unless configured.
//!
//! An event's trace has the event's id, so all its attempts are in one trace, whenever and by whichever host they are made,
//! and nothing is stored for it. Who works only notes times and offers finished spans to a bounded queue: a collector that is
//! away costs spans, which are counted, and nothing else. How they look on the wire is `wire`'s, how they get there `export`'s.

mod context;
mod export;
mod span;
mod wire;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use hyper::Uri;
use hyper::header::HeaderMap;
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use uuid::Uuid;

pub use self::context::Context;
pub(crate) use self::context::TRACEPARENT;
pub use self::span::{Kind, Span, Value};
use crate::metrics::{Counts, Spanned};

/// Spans that wait for the collector; more are dropped.
const WAITING: usize = 4_096;
/// So long a gateway that ends waits for the collector.
const LAST: Duration = Duration::from_secs(1);

/// Where spans go and which are made.
#[derive(Debug, Clone, PartialEq)]
pub struct Terms {
    /// The collector.
    pub endpoint: Uri,
    /// Sent with every batch.
    pub headers: HeaderMap,
    /// For one batch.
    pub timeout: Duration,
    /// Which part of requests is traced, 0.0 to 1.0.
    pub ratio: f64,
    /// Whether a sender's own trace is gone on with.
    pub accept: bool,
}

/// Everybody's way to the tracer of now, if there is one.
#[derive(Debug, Default)]
pub struct Traces {
    now: ArcSwapOption<Tracer>,
    counted: Arc<Counts<Spanned>>,
    sending: Mutex<Option<JoinHandle<()>>>,
}

/// Makes spans while tracing is on.
#[derive(Debug)]
pub struct Tracer {
    terms: Terms,
    waiting: mpsc::Sender<Span>,
    counted: Arc<Counts<Spanned>>,
}

impl Traces {
    /// From now on by these terms, or not at all; what waits is sent by the old ones.
    pub fn follow(&self, terms: Option<Terms>) {
        if self.now.load().as_ref().map(|tracer| &tracer.terms) == terms.as_ref() {
            return;
        }
        let begun = terms.map(|terms| {
            let (waiting, spans) = mpsc::channel(WAITING);
            let counted = self.counted.clone();
            let sending = tokio::spawn(export::export(terms.clone(), spans, counted.clone()));
            (Tracer { terms, waiting, counted }, sending)
        });
        let (tracer, sending) = begun.unzip();
        self.now.store(tracer.map(Arc::new));
        *self.sending.lock().unwrap_or_else(PoisonError::into_inner) = sending;
    }

    /// The tracer, where tracing is on.
    pub fn tracer(&self) -> Option<Arc<Tracer>> {
        self.now.load_full()
    }

    /// What became of spans.
    pub fn counted(&self) -> &Arc<Counts<Spanned>> {
        &self.counted
    }

    /// No more spans; those that wait are sent, if the collector takes them soon.
    pub async fn end(&self) {
        self.now.store(None);
        let sending = self.sending.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut sending) = sending
            && tokio::time::timeout(LAST, &mut sending).await.is_err()
        {
            sending.abort();
        }
    }
}

impl Tracer {
    /// Where in which trace a request is, by what became of it: of its first event, or of its sender where that is gone on with.
    pub fn of_request(&self, headers: &HeaderMap, events: &[Uuid]) -> (Context, Option<Context>) {
        let parent = self.terms.accept.then(|| Context::of_sender(headers)).flatten();
        let own = match (parent, events) {
            (Some(parent), _) => parent.child(),
            (None, [event, ..]) => self.of_event(*event),
            (None, []) => Context::fresh(self.terms.ratio),
        };
        (own, parent)
    }

    /// The root of an event's trace: everybody finds the same.
    pub fn of_event(&self, event: Uuid) -> Context {
        Context::of_event(event, self.terms.ratio)
    }

    /// Takes a finished span, unless too many wait.
    pub fn offer(&self, span: Span) {
        if span.context.sampled && self.waiting.try_send(span).is_err() {
            self.counted.count(Spanned::Dropped);
        }
    }
}

/// Nanoseconds since 1970.
pub(crate) fn nanos(time: Timestamp) -> u64 {
    u64::try_from(time.as_nanosecond()).unwrap_or(0)
}
