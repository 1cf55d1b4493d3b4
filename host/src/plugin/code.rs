//! A provider's code, wherever it runs. Everybody calls it through this; that it may be slow, broken or in another process
//! is known here and below, and to callers it is a [`Fault`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::counters::{Counted, Counters};
use super::incident::{Ears, Incident};
use super::lines::during;
use super::policy::QuarantineTerms;
use super::quarantine::{Quarantine, Turn};
use super::worker::{Image, Workers};
use super::{Answer, DecodeRequest, DecodedEvent, Fault, FaultKind, Native, OpResult, RequestPlan, TextRequest};

/// The code of one loaded plugin.
#[derive(Debug)]
pub struct Code {
    plugin: Arc<str>,
    place: Place,
    counters: Arc<Counters>,
    quarantine: Quarantine,
    ears: Arc<Ears>,
}

/// Where code runs.
#[derive(Debug)]
enum Place {
    /// In this process.
    Inline(Native),
    /// In processes of their own.
    Worker(Workers),
}

/// How code is, for people.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CodeState {
    /// `inline` or `worker`.
    pub isolation: &'static str,
    /// What holds a worker in, as far as one was started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_by: Option<String>,
    /// Calls of the system that a worker was refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<String>,
    /// Why it is left alone, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quarantined: Option<String>,
    /// Its calls.
    #[serde(flatten)]
    pub counted: Counted,
}

impl Code {
    /// In this process: nothing contains a crash of it.
    pub fn inline(native: Native, terms: QuarantineTerms) -> Self {
        Self {
            plugin: native.id().into(),
            place: Place::Inline(native),
            counters: Arc::default(),
            quarantine: Quarantine::new(terms),
            ears: Arc::default(),
        }
    }

    /// In workers, which are started when they are needed.
    pub fn worker(image: Image, plugin: &str, version: &str, terms: QuarantineTerms) -> Self {
        let (counters, ears) = (Arc::<Counters>::default(), Arc::<Ears>::default());
        let place = Place::Worker(Workers::new(image, (plugin, version), counters.clone(), ears.clone()));
        Self { plugin: plugin.into(), place, counters, quarantine: Quarantine::new(terms), ears }
    }

    /// Whether there is a decoder.
    pub fn decodes(&self) -> bool {
        match &self.place {
            Place::Inline(native) => native.decodes(),
            Place::Worker(workers) => workers.image().decodes(),
        }
    }

    /// Whether there are both functions of operations.
    pub fn operates(&self) -> bool {
        match &self.place {
            Place::Inline(native) => native.operates(),
            Place::Worker(workers) => workers.image().operates(),
        }
    }

    /// The events of a request; at least one.
    pub async fn decode(&self, request: &DecodeRequest<'_>) -> Result<Vec<DecodedEvent>, Fault> {
        self.called(async |call| match &self.place {
            Place::Inline(native) => during(call, || native.decode(request)),
            Place::Worker(workers) => workers.decode(call, request).await,
        })
        .await
    }

    /// The text that the signature of a request is over. Anybody may send the request, so what goes wrong here counts against
    /// the request and not against the code.
    pub async fn canonicalize(&self, request: &TextRequest<'_>) -> Result<Vec<u8>, Fault> {
        self.counted(async |call| match &self.place {
            Place::Inline(native) => during(call, || native.canonicalize(request)),
            Place::Worker(workers) => workers.canonicalize(call, request).await,
        })
        .await
    }

    /// The requests of an operation. Input and settings are JSON.
    pub async fn op_build(&self, operation: &str, input: &str, settings: &str) -> Result<Vec<RequestPlan>, Fault> {
        self.called(async |call| match &self.place {
            Place::Inline(native) => during(call, || native.op_build(operation, input, settings)),
            Place::Worker(workers) => workers.op_build(call, operation, input, settings).await,
        })
        .await
    }

    /// What the answers so far mean, in the order of the plans.
    pub async fn op_parse(
        &self,
        operation: &str,
        input: &str,
        settings: &str,
        answers: &[Answer<'_>],
    ) -> Result<OpResult, Fault> {
        self.called(async |call| match &self.place {
            Place::Inline(native) => during(call, || native.op_parse(operation, input, settings, answers)),
            Place::Worker(workers) => workers.op_parse(call, operation, input, settings, answers).await,
        })
        .await
    }

    /// Starts what has to be started before a call; what keeps it from it is in the log.
    pub fn start(&self) {
        if let Place::Worker(workers) = &self.place {
            drop(workers.start());
        }
    }

    /// As [`start`](Self::start), and waits; the error says what keeps it from it. Not for a thread that others wait for.
    pub fn try_start(&self) -> Result<(), String> {
        let Place::Worker(workers) = &self.place else { return Ok(()) };
        for started in workers.start() {
            started.blocking_recv().unwrap_or_else(|_| Err("no worker can be started".into()))?;
        }
        Ok(())
    }

    /// Tells it that no call comes any more; once. Whoever lets go of it last tells it, too.
    pub fn quiesce(&self) {
        match &self.place {
            Place::Inline(native) => native.quiesce(),
            Place::Worker(workers) => workers.quiesce(),
        }
    }

    /// It is no longer left alone, if it was: somebody may have mended what broke it.
    pub fn release(&self) {
        self.tell(self.quarantine.went_well());
    }

    /// From now on it is left alone by these terms.
    pub fn retune(&self, terms: QuarantineTerms) {
        self.quarantine.retune(terms);
    }

    /// From now on they hear of its incidents; the first who asks.
    pub fn listen(&self, listener: impl Fn(Incident) + Send + Sync + 'static) {
        self.ears.set(Box::new(listener));
    }

    /// Its plugin, and what counts its calls.
    pub(super) fn counted_as(&self) -> (&Arc<str>, &Arc<Counters>) {
        (&self.plugin, &self.counters)
    }

    /// How it is now.
    pub fn state(&self) -> CodeState {
        let (isolation, held_by, refused) = match &self.place {
            Place::Inline(_) => ("inline", None, Vec::new()),
            Place::Worker(workers) => ("worker", workers.held(), workers.refused()),
        };
        let (quarantined, counted) = (self.quarantine.reason(), self.counters.counted());
        CodeState { isolation, held_by, refused, quarantined, counted }
    }

    /// One call: admitted, counted, judged.
    async fn called<T>(&self, call: impl AsyncFnOnce(u64) -> Result<T, Fault>) -> Result<T, Fault> {
        if let Err(why) = self.quarantine.admit(Instant::now()) {
            return Err(Fault::new(FaultKind::Quarantined, why));
        }
        let came = self.counted(call).await;
        self.judge(came.as_ref().err(), Instant::now());
        came
    }

    async fn counted<T>(&self, call: impl AsyncFnOnce(u64) -> Result<T, Fault>) -> Result<T, Fault> {
        let begun = self.counters.begin();
        let came = call(begun.number).await.map_err(|fault| Fault { call: begun.number, ..fault });
        begun.end(came.as_ref().err());
        came
    }

    fn judge(&self, fault: Option<&Fault>, now: Instant) {
        let turn = match fault {
            Some(fault) if fault.is_break() => self.quarantine.broke(&fault.to_string(), now),
            // Whoever had to wait says nothing about the plugin.
            Some(fault) if fault.kind == FaultKind::Busy => None,
            _ => self.quarantine.went_well(),
        };
        self.tell(turn);
    }

    fn tell(&self, turn: Option<Turn>) {
        let plugin = self.plugin.clone();
        match turn {
            None => {}
            Some(Turn::Begun { faults, last }) => {
                tracing::error!(
                    plugin = &*plugin,
                    faults,
                    "the plugin is quarantined: its requests are kept undecoded"
                );
                self.ears.hear(Incident::Quarantined { plugin, faults, last });
            }
            Some(Turn::Ended) => {
                tracing::info!(plugin = &*plugin, "the plugin is no longer quarantined");
                self.ears.hear(Incident::Released { plugin });
            }
        }
    }
}

/// Waits until workers that were told to end have ended.
pub fn settle(limit: Duration) {
    if !super::worker::settled(limit) {
        tracing::warn!("workers of plugins did not end in time; they are ended with the gateway");
    }
}

/// Requests end with the code that they began with; with the last of them its generation ends.
impl Drop for Code {
    fn drop(&mut self) {
        self.quiesce();
    }
}
