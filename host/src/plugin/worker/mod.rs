//! Workers: processes of their own in which a plugin's code runs behind walls, so that whatever it does ends there.
//!
//! What a message says is `wire`'s, how a worker holds itself in `sandbox`'s, what becomes of calls when one ends
//! `supervisor`'s. Callers wait for an answer and for nothing else: no thread of theirs is ever in a plugin.

mod came;
mod descriptors;
mod frame;
mod image;
mod inside;
mod job;
mod process;
#[cfg(target_os = "linux")]
mod sandbox;
#[cfg(not(target_os = "linux"))]
#[path = "nowhere.rs"]
mod sandbox;
mod supervisor;
mod text;
mod thread;
mod wire;

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use self::came::Came;
use self::frame::{Kind, encoded};
pub use self::image::Image;
pub use self::inside::work;
use self::job::{Job, Order};
pub use self::process::WORKER;
use self::supervisor::Supervisor;
use self::text::AskText;
pub(crate) use self::thread::settled;
use self::wire::{Ask, Held};
use super::counters::Counters;
use super::incident::{Ears, Incident};
use super::lines::Speaker;
use super::{Answer, DecodeRequest, DecodedEvent, Fault, FaultKind, OpResult, RequestPlan, TextRequest};

/// So many calls may wait for one worker.
const WAITING: usize = 1024;
/// A worker that is lost is told of no more often.
const TOLD: Duration = Duration::from_secs(60);

/// The workers of one plugin.
pub(super) struct Workers {
    image: Arc<Image>,
    desk: Arc<Desk>,
    lanes: Vec<Lane>,
    /// For signed texts: anybody may ask for one, and what that ends or holds up must not be a verified event's.
    texts: Lane,
}

/// One worker, and how many calls it has.
struct Lane {
    orders: mpsc::Sender<Order>,
    calls: AtomicUsize,
}

/// What the workers of a plugin have in common.
pub(super) struct Desk {
    counters: Arc<Counters>,
    ears: Arc<Ears>,
    held: Mutex<Option<Held>>,
    lost: Mutex<(Option<std::time::Instant>, u64)>,
}

/// A worker that is gone.
struct Loss {
    sha256: Arc<str>,
    how: String,
}

impl Workers {
    /// None is started before it is needed.
    pub(super) fn new(image: Image, speaker: Arc<Speaker>, counters: Arc<Counters>, ears: Arc<Ears>) -> Self {
        let image = Arc::new(image);
        let desk = Arc::new(Desk { counters, ears, held: Mutex::default(), lost: Mutex::default() });
        let lane = |_| {
            let (orders, taken) = mpsc::channel(WAITING);
            let supervisor = || Supervisor::new(image.clone(), speaker.clone(), desk.clone(), taken).run();
            match thread::handle() {
                Ok(handle) => drop(handle.spawn(supervisor())),
                // Every call finds that nobody takes it.
                Err(error) => tracing::error!("no thread for workers of plugins: {error}"),
            }
            Lane { orders, calls: AtomicUsize::new(0) }
        };
        let lanes = (0..image.limits.workers.max(1)).map(lane).collect();
        let texts = lane(0);
        Self { image, desk, lanes, texts }
    }

    pub(super) fn image(&self) -> &Image {
        &self.image
    }

    /// Starts them all; the answer says what keeps one from it.
    pub(super) fn start(&self) -> Vec<oneshot::Receiver<Result<(), String>>> {
        let ask = |lane: &Lane| {
            let (answer, started) = oneshot::channel();
            // Nobody there: the answer never comes, and that is one.
            let _ = lane.orders.try_send(Order::Start(answer));
            started
        };
        self.lanes.iter().map(ask).collect()
    }

    pub(super) async fn decode(&self, call: u64, request: &DecodeRequest<'_>) -> Result<Vec<DecodedEvent>, Fault> {
        self.ask(call, &Ask::decode(request)).await?.events()
    }

    pub(super) async fn canonicalize(&self, call: u64, request: &TextRequest<'_>) -> Result<Vec<u8>, Fault> {
        let ask = Ask::Text(AskText::of(request));
        self.texts.ask(call, &ask).await?.text(request.body.len())
    }

    pub(super) async fn op_build(
        &self,
        call: u64,
        operation: &str,
        input: &str,
        settings: &str,
    ) -> Result<Vec<RequestPlan>, Fault> {
        self.ask(call, &Ask::Build { operation, input, settings }).await?.plans()
    }

    pub(super) async fn op_parse(
        &self,
        call: u64,
        operation: &str,
        input: &str,
        settings: &str,
        answers: &[Answer<'_>],
    ) -> Result<OpResult, Fault> {
        self.ask(call, &Ask::parse(operation, input, settings, answers)).await?.result()
    }

    /// Tells them that no call comes any more; they end by themselves.
    pub(super) fn quiesce(&self) {
        for lane in self.lanes.iter().chain([&self.texts]) {
            let last = encoded(Kind::Quiesce, 0, b"").unwrap_or_default();
            // One that is gone needs no word.
            let _ = lane.orders.try_send(Order::Quiesce(last));
        }
    }

    /// What holds them in, as far as one was started.
    pub(super) fn held(&self) -> Option<String> {
        self.desk.held.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(ToString::to_string)
    }

    /// The least busy one is asked.
    async fn ask(&self, call: u64, ask: &Ask<'_>) -> Result<Came, Fault> {
        let lane = self.lanes.iter().min_by_key(|lane| lane.calls.load(Ordering::Relaxed));
        lane.unwrap_or(&self.texts).ask(call, ask).await
    }
}

impl Lane {
    async fn ask(&self, call: u64, ask: &Ask<'_>) -> Result<Came, Fault> {
        let gone = || Fault::new(FaultKind::Lost, "its workers have ended with the gateway");
        let large = || Fault::new(FaultKind::TooMuch, "the request is larger than what a worker is given");
        let body = postcard::to_stdvec(ask).map_err(|_| large())?;
        let frame = encoded(Kind::Call, call, &body).ok_or_else(large)?;
        let (answer, answered) = oneshot::channel();
        let job = Job { call, frame, answer: Some(answer), arrived: Instant::now(), ended: None };
        let _counted = Busy::with(&self.calls);
        match self.orders.try_send(Order::Call(job)) {
            Ok(()) => Came::read(&answered.await.map_err(|_| gone())??),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(gone()),
            Err(mpsc::error::TrySendError::Full(_)) => {
                Err(Fault::new(FaultKind::Busy, format!("more than {WAITING} calls wait for its worker")))
            }
        }
    }
}

/// One call more, until it is dropped.
struct Busy<'a>(&'a AtomicUsize);

impl<'a> Busy<'a> {
    fn with(calls: &'a AtomicUsize) -> Self {
        calls.fetch_add(1, Ordering::Relaxed);
        Self(calls)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Desk {
    /// A worker says what holds it in.
    fn held(&self, plugin: &str, held: Held) {
        let mut known = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if known.as_ref() == Some(&held) {
            return;
        }
        match &held {
            Held { seccomp: true, landlock: true } => {
                tracing::debug!(plugin, "the plugin runs in a worker, held in by {held}");
            }
            Held { seccomp: true, landlock: false } => {
                tracing::info!(plugin, "the plugin runs in a worker, held in by {held}");
            }
            Held { seccomp: false, .. } => {
                tracing::warn!(plugin, "the plugin runs in a worker that is not filtered, held in by {held}");
            }
        }
        *known = Some(held);
    }

    /// A worker is gone.
    fn lost(&self, plugin: &str, loss: Loss) {
        let Loss { sha256, how } = loss;
        tracing::error!(plugin, sha256 = &*sha256, "a worker of this plugin is lost: {how}");
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.1 += 1;
        if lost.0.is_none_or(|told| told.elapsed() >= TOLD) {
            let losses = std::mem::take(&mut lost.1);
            lost.0 = Some(std::time::Instant::now());
            drop(lost);
            self.ears.hear(Incident::WorkerLost { plugin: plugin.into(), sha256, how, losses });
        }
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.seccomp, self.landlock) {
            (true, true) => "seccomp and Landlock",
            (true, false) => "seccomp alone, because this kernel has no Landlock",
            (false, true) => "Landlock alone, because this kernel has no seccomp",
            (false, false) => "limits alone, because this kernel has neither seccomp nor Landlock",
        })
    }
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers").field("image", &self.image).field("lanes", &self.lanes.len()).finish_non_exhaustive()
    }
}
