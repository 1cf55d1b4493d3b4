//! Recording: what was told becomes an event in the journal, where a route wants it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::{Notice, Notices, WAITING};
use crate::clock::Clock;
use crate::event::{Data, OWN_SOURCE};
use crate::journal::{Journal, JournalError, NewRequest, Plan};
use crate::request::Incoming;

/// While the journal cannot, it is asked again so often.
const AGAIN: Duration = Duration::from_secs(1);

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
                build: None,
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
