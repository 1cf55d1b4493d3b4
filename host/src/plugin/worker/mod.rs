//! Workers: processes of their own in which a plugin's code runs behind walls, so that whatever it does ends there.
//!
//! What a message says is `wire`'s, how a worker holds itself in `sandbox`'s, what becomes of calls when one ends
//! `supervisor`'s. Callers wait for an answer and for nothing else: no thread of theirs is ever in a plugin.

mod came;
mod descriptors;
mod desk;
mod ending;
mod frame;
mod image;
mod inside;
mod job;
mod lane;
mod pace;
mod process;
mod queue;
#[cfg(target_os = "linux")]
mod sandbox;
#[cfg(not(target_os = "linux"))]
#[path = "nowhere.rs"]
mod sandbox;
#[cfg(target_os = "linux")]
mod signals;
mod supervisor;
#[cfg(target_os = "linux")]
mod syscalls;
mod text;
mod thread;
mod wire;

use std::fmt;
use std::sync::Arc;

use tokio::sync::oneshot;

use self::came::Came;
use self::desk::Desk;
pub use self::image::Image;
pub use self::inside::work;
use self::lane::{Lane, Purpose};
pub use self::process::WORKER;
use self::supervisor::Supervisor;
use self::text::AskText;
pub(crate) use self::thread::settled;
use self::wire::Ask;
use super::counters::Counters;
use super::incident::Ears;
use super::lines::Speaker;
use super::{Answer, DecodeRequest, DecodedEvent, Fault, OpResult, RequestPlan, TextRequest};

/// The workers of one plugin.
pub(super) struct Workers {
    image: Arc<Image>,
    desk: Arc<Desk>,
    lanes: Vec<Lane>,
    texts: Lane,
}

impl Workers {
    /// Of this plugin. None is started before it is needed.
    pub(super) fn new(image: Image, (plugin, version): (&str, &str), counters: Arc<Counters>, ears: Arc<Ears>) -> Self {
        let (speaker, image) = (Arc::new(Speaker::new(plugin, version)), Arc::new(image));
        let desk = Arc::new(Desk::new(plugin, image.sha256.clone(), counters, ears));
        let lane = |purpose| {
            let (lane, taken, load) = Lane::new();
            let common = (image.clone(), speaker.clone(), desk.clone());
            match thread::handle() {
                Ok(handle) => drop(handle.spawn(Supervisor::new(common, (taken, load), purpose).run())),
                // Every call finds that nobody takes it.
                Err(error) => tracing::error!("no thread for workers of plugins: {error}"),
            }
            lane
        };
        let lanes = (0..image.limits.workers.max(1)).map(|_| lane(Purpose::Calls)).collect();
        let texts = lane(Purpose::Texts);
        Self { image, desk, lanes, texts }
    }

    pub(super) fn image(&self) -> &Image {
        &self.image
    }

    /// Starts them all; the answers say what keeps one from it.
    pub(super) fn start(&self) -> Vec<oneshot::Receiver<Result<(), String>>> {
        self.lanes.iter().map(Lane::start).collect()
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
        self.lanes.iter().chain([&self.texts]).for_each(Lane::quiesce);
    }

    /// The calls of the system that they were refused.
    pub(super) fn refused(&self) -> Vec<String> {
        self.desk.refused()
    }

    /// What holds them in, as far as one was started.
    pub(super) fn held(&self) -> Option<String> {
        self.desk.held()
    }

    async fn ask(&self, call: u64, ask: &Ask<'_>) -> Result<Came, Fault> {
        Lane::best(&self.lanes).unwrap_or(&self.texts).ask(call, ask).await
    }
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers").field("image", &self.image).field("lanes", &self.lanes.len()).finish_non_exhaustive()
    }
}
