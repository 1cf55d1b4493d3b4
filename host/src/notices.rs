//! The gateway's own events: what it has to say about itself, recorded as events of the source `hookport`, so that routes can
//! bring them to where people look.
//!
//! Whoever notices something tells it here and goes on at once; a few hundred may wait to be recorded. They hold names, ids and
//! counts, never a secret, an answer or a payload. One that no route wants is not kept. Not a word is said of deliveries of
//! these events, so that they never make more of themselves.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::clock::Clock;
use crate::event::{Data, DedupKey, NewEvent, OWN_SOURCE};
use crate::journal::{Journal, JournalError, NewRequest, Plan};
use crate::request::Incoming;

/// So many may wait; what comes on top is dropped, and the log has it.
const WAITING: usize = 256;
/// So many refused requests of one source in a minute are a spike.
const SPIKE: u64 = 100;
/// While the journal cannot, it is asked again so often.
const AGAIN: Duration = Duration::from_secs(1);

/// Something that the gateway noticed about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A delivery failed for good.
    Exhausted {
        /// Its number.
        delivery: u64,
        /// Its event.
        event: Uuid,
        /// The event's type.
        kind: String,
        /// The event's source.
        source: Arc<str>,
        /// Where it should have gone.
        destination: Arc<str>,
        /// Tries, the last one included.
        attempts: u32,
        /// `gone`, `attempts` or `deadline`.
        reason: &'static str,
        /// The last answer's status, where there was one.
        status: Option<u16>,
    },
    /// A destination is left alone.
    BreakerOpened {
        /// Its name.
        destination: Arc<str>,
        /// So many attempts in a row have failed.
        failures: u32,
    },
    /// A destination is well again.
    BreakerClosed {
        /// Its name.
        destination: Arc<str>,
    },
    /// A source refuses many requests, and did not in the minute before.
    RejectionsSpike {
        /// Its name.
        source: Arc<str>,
        /// So many in this minute, so far.
        refused: u64,
    },
    /// The journal could keep nothing.
    NotDurable {
        /// From when on.
        since: Timestamp,
    },
    /// It can again.
    Durable {
        /// From when on it could not.
        since: Timestamp,
    },
    /// An operator stopped something.
    Paused {
        /// `source` or `destination`.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// It goes on.
    Resumed {
        /// `source` or `destination`.
        what: &'static str,
        /// Its name.
        name: String,
    },
}

impl Notice {
    /// Type, subject and data of its event.
    fn said(&self) -> (&'static str, Option<String>, Value) {
        match self {
            Self::Exhausted { delivery, event, kind, source, destination, attempts, reason, status } => (
                "hookport.delivery.exhausted",
                Some(destination.to_string()),
                json!({
                    "delivery": delivery, "event": event, "type": kind, "source": source, "destination": destination,
                    "attempts": attempts, "reason": reason, "status": status,
                }),
            ),
            Self::BreakerOpened { destination, failures } => (
                "hookport.breaker.opened",
                Some(destination.to_string()),
                json!({ "destination": destination, "failures": failures }),
            ),
            Self::BreakerClosed { destination } => {
                ("hookport.breaker.closed", Some(destination.to_string()), json!({ "destination": destination }))
            }
            Self::RejectionsSpike { source, refused } => (
                "hookport.rejections.spike",
                Some(source.to_string()),
                json!({ "source": source, "refused": refused, "within": "1m" }),
            ),
            Self::NotDurable { since } => ("hookport.journal.not_durable", None, json!({ "since": since })),
            Self::Durable { since } => ("hookport.journal.durable", None, json!({ "since": since })),
            Self::Paused { what, name } => {
                ("hookport.paused", Some(name.clone()), json!({ "kind": what, "name": name }))
            }
            Self::Resumed { what, name } => {
                ("hookport.resumed", Some(name.clone()), json!({ "kind": what, "name": name }))
            }
        }
    }

    fn event(&self, now: Timestamp) -> NewEvent {
        let (kind, subject, data) = self.said();
        // Nothing repeats it: its key is new, and is forgotten soon.
        let key = DedupKey { hash: rand::random(), until: Some(now) };
        NewEvent {
            kind: kind.to_owned(),
            subject,
            time: Some(now),
            provider_id: None,
            key,
            data: Data::Json(data.to_string().into()),
            warnings: Vec::new(),
            undecoded: None,
        }
    }
}

/// Where notices are told. The default listens to nobody.
#[derive(Debug, Default)]
pub struct Notices {
    waiting: Option<mpsc::Sender<(Timestamp, Notice)>>,
    refused: Mutex<HashMap<Arc<str>, Minute>>,
    /// That the journal cannot was told, and not yet that it can.
    failing: AtomicBool,
}

/// What a source refused in a minute.
#[derive(Debug, Default)]
struct Minute {
    minute: i64,
    count: u64,
    /// The last minute that was a spike.
    spike: Option<i64>,
}

impl Notices {
    /// Tells it; never waits.
    pub fn tell(&self, now: Timestamp, notice: Notice) {
        let Some(waiting) = &self.waiting else { return };
        if let Err(mpsc::error::TrySendError::Full((_, notice))) = waiting.try_send((now, notice)) {
            tracing::warn!("an event of the gateway's own is dropped, because too many wait: {notice:?}");
            self.failing.fetch_and(!matches!(notice, Notice::NotDurable { .. }), Ordering::Relaxed);
        }
    }

    /// A source refused a request.
    pub fn refused(&self, source: &Arc<str>, now: Timestamp) {
        if self.waiting.is_none() {
            return;
        }
        let minute = now.as_second() / 60;
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = refused.entry(source.clone()).or_default();
        if counted.minute != minute {
            *counted = Minute { minute, count: 0, spike: counted.spike };
        }
        counted.count += 1;
        if counted.count != SPIKE {
            return;
        }
        let goes_on = counted.spike.replace(minute) == Some(minute - 1);
        drop(refused);
        if !goes_on {
            self.tell(now, Notice::RejectionsSpike { source: source.clone(), refused: SPIKE });
        }
    }

    /// The journal could not; told once until it can again.
    pub fn journal_failed(&self, now: Timestamp, error: &JournalError) {
        if matches!(error, JournalError::Failed { .. }) && !self.failing.swap(true, Ordering::Relaxed) {
            self.tell(now, Notice::NotDurable { since: now });
        }
    }
}

/// Records what is told, until it is ended.
pub struct Recording {
    plan: watch::Sender<Arc<dyn Plan>>,
    stop: watch::Sender<bool>,
    ended: JoinHandle<()>,
}

/// What it is recorded with.
struct Recorder {
    journal: Arc<dyn Journal>,
    plan: watch::Receiver<Arc<dyn Plan>>,
    notices: Arc<Notices>,
}

impl Recording {
    /// Begins; what is told from now on is recorded where a route wants it.
    pub fn begin(journal: Arc<dyn Journal>, plan: Arc<dyn Plan>, clock: Clock) -> (Arc<Notices>, Self) {
        let (waiting, mut told) = mpsc::channel(WAITING);
        let notices = Arc::new(Notices { waiting: Some(waiting), ..Notices::default() });
        let (stop, mut stopped) = watch::channel(false);
        let (plan, planned) = watch::channel(plan);
        let recorder = Recorder { journal, plan: planned, notices: notices.clone() };
        let ended = tokio::spawn(async move {
            loop {
                let next = tokio::select! {
                    biased;
                    next = told.recv() => next,
                    _ = stopped.wait_for(|stop| *stop) => None,
                };
                let Some((at, notice)) = next else { return };
                recorder.record(at, notice, &clock).await;
            }
        });
        (notices, Self { plan, stop, ended })
    }

    /// From now on a route of these must want it.
    pub fn replan(&self, plan: Arc<dyn Plan>) {
        self.plan.send_replace(plan);
    }

    /// Records what waits already, if the journal can, and ends.
    pub async fn end(mut self) {
        self.stop.send_replace(true);
        if tokio::time::timeout(AGAIN, &mut self.ended).await.is_err() {
            self.ended.abort();
            tracing::warn!("events of the gateway's own were not recorded, because the journal cannot");
        }
    }
}

impl Recorder {
    async fn record(&self, at: Timestamp, notice: Notice, clock: &Clock) {
        let Notice::NotDurable { since } = notice else { return self.keep(at, &notice).await };
        while let Err(JournalError::Failed { .. } | JournalError::Busy) = self.journal.ready().await {
            tokio::time::sleep(AGAIN).await;
        }
        self.notices.failing.store(false, Ordering::Relaxed);
        self.keep(at, &notice).await;
        self.keep(clock.now(), &Notice::Durable { since }).await;
    }

    /// Keeps it where a route wants it.
    async fn keep(&self, at: Timestamp, notice: &Notice) {
        let new = notice.event(at);
        let [source, version]: [Arc<str>; 2] = [OWN_SOURCE.into(), env!("CARGO_PKG_VERSION").into()];
        let event = new.clone().into_event(source.clone(), source.clone(), version.clone(), at);
        let plan = self.plan.borrow().clone();
        if plan.plan(&event, &mut Vec::new()).is_empty() {
            return;
        }
        let body = match &new.data {
            Data::Json(body) => body.clone(),
            Data::Bytes(..) | Data::None => Bytes::new(),
        };
        loop {
            let recorded = self.journal.record(NewRequest {
                source: source.clone(),
                provider: source.clone(),
                provider_version: version.clone(),
                request: Arc::new(request(body.clone(), at)),
                events: vec![new.clone()],
                nonce: None,
                stale: None,
                poll_state: None,
            });
            match recorded.await {
                Ok(_) => return,
                Err(JournalError::Closed) => {
                    return tracing::warn!("not recorded, because the journal is closed: {notice:?}");
                }
                Err(_) => tokio::time::sleep(AGAIN).await,
            }
        }
    }
}

/// What `raw` destinations get.
fn request(body: Bytes, received: Timestamp) -> Incoming {
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    Incoming { method: "POST".to_owned(), target: "/".to_owned(), headers, body, peer: None, received }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listened_to() -> (Notices, mpsc::Receiver<(Timestamp, Notice)>) {
        let (waiting, told) = mpsc::channel(WAITING);
        (Notices { waiting: Some(waiting), ..Notices::default() }, told)
    }

    #[test]
    fn a_spike_is_told_once_and_again_after_a_quiet_minute() {
        let (notices, mut told) = listened_to();
        let esim: Arc<str> = "esim".into();
        let at = |minute: i64| Timestamp::from_second(minute * 60 + 7).unwrap();
        let mut spikes = |minute, count: u64| {
            (0..count).for_each(|_| notices.refused(&esim, at(minute)));
            std::iter::from_fn(|| told.try_recv().ok()).count()
        };
        assert_eq!([spikes(1, SPIKE - 1), spikes(2, SPIKE * 3), spikes(3, SPIKE), spikes(4, SPIKE)], [0, 1, 0, 0]);
        assert_eq!([spikes(5, SPIKE - 1), spikes(6, SPIKE)], [0, 1]);
    }

    #[test]
    fn a_journal_that_fails_is_told_once() {
        let (notices, mut told) = listened_to();
        let now = Timestamp::UNIX_EPOCH;
        let failed = JournalError::Failed { place: "p".into(), message: "m".into() };
        notices.journal_failed(now, &JournalError::Busy);
        assert!(told.try_recv().is_err());
        (0..9).for_each(|_| notices.journal_failed(now, &failed));
        assert_eq!(told.try_recv().unwrap().1, Notice::NotDurable { since: now });
        assert!(told.try_recv().is_err());
    }

    #[test]
    fn too_many_are_dropped_and_nobody_waits() {
        let (notices, mut told) = listened_to();
        let crm: Arc<str> = "crm".into();
        for _ in 0..WAITING + 50 {
            notices.tell(Timestamp::UNIX_EPOCH, Notice::BreakerClosed { destination: crm.clone() });
        }
        assert_eq!(std::iter::from_fn(|| told.try_recv().ok()).count(), WAITING);
        Notices::default().tell(Timestamp::UNIX_EPOCH, Notice::BreakerClosed { destination: crm });
    }
}
