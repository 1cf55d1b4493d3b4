//! Inbound: from a provider's request to its ack, in one direction. The journal keeps, outbound delivers; neither is known
//! here beyond the journal's trait.

mod addresses;
mod again;
mod answer;
mod checks;
mod connection;
mod decode;
mod held;
mod lent;
mod listen;
mod meters;
mod own;
mod paused;
mod peer;
mod proxy;
mod read;
mod refused;
mod shake;
mod socket;
mod steps;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use ipnet::IpNet;
use tokio::sync::Semaphore;

use self::addresses::Addresses;
pub use self::again::is_whole;
pub use self::answer::{not_allowed, outcome};
pub use self::decode::{Decoder, Parts, events};
pub use self::listen::Listener;
use self::meters::Meters;
pub use self::paused::PausedSources;
use self::steps::{Step, Steps};
use crate::clock::Clock;
use crate::journal::{Journal, JournalError, NewRequest, Plan, Recorded};
use crate::keys::RemoteKeys;
use crate::metrics::{Answered, RequestMeters};
use crate::net::certificate::Certificate;
use crate::notices::Notices;
use crate::provider::ack::{Ack, Outcome};
use crate::provider::handshake::{Greeting, greet};
use crate::provider::source::Source;
use crate::provider::sources::Sources;
use crate::provider::verify::Verified;
use crate::reason::{Reason, Rejection};
use crate::request::Incoming;
use crate::throttle::Throttle;
use crate::traces::Traces;

/// What a listener serves. A change makes a new one ([`Inbound::renewed`]) and swaps it whole: a request ends with the one
/// that it began with.
pub struct Inbound {
    /// Found by path.
    pub sources: Arc<Sources>,
    /// Native code, by provider.
    pub decoders: HashMap<Arc<str>, Decoder>,
    /// Where events are kept.
    pub journal: Arc<dyn Journal>,
    /// Chooses the destinations of their events.
    pub plan: Arc<dyn Plan>,
    /// Keys that requests name by URL.
    pub keys: Arc<RemoteKeys>,
    /// The time of day.
    pub clock: Clock,
    /// What a sender may ask for.
    pub limits: Limits,
    /// Bytes of bodies that are in memory; a request that finds none left is told to come again.
    pub budget: Arc<Semaphore>,
    /// Costly checks under way at once: each holds several times its body.
    checks: Arc<Semaphore>,
    /// Handshakes answered since the start.
    pub handshakes: Arc<AtomicU64>,
    /// What an operator has paused.
    pub paused: Arc<PausedSources>,
    /// Hears of what is worth an event of the gateway's own.
    pub notices: Arc<Notices>,
    /// Where spans go.
    pub traces: Arc<Traces>,
    /// What is counted, by source; and the meters of the sources that are served.
    counted: Arc<RequestMeters>,
    meters: Meters,
    addresses: Arc<Addresses>,
    log: Arc<Throttle>,
}

/// What a sender may ask for.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of a body.
    pub max_body: usize,
    /// For the head, and again for the whole request.
    pub request_timeout: Duration,
    /// Connections at once; more wait.
    pub max_connections: usize,
    /// Connections of one address at once, trusted proxies excepted; more are closed.
    pub max_connections_per_address: Option<usize>,
    /// X-Forwarded-For counts only from these, and so does a PROXY header.
    pub trusted_proxies: Vec<IpNet>,
    /// Every connection begins with a PROXY header.
    pub proxy_protocol: bool,
    /// What is shown to those who connect; without it nothing is encrypted.
    pub tls: Option<Arc<Certificate>>,
}

/// Bytes of bodies that may be in memory at once.
const BUDGET: usize = 256 << 20;
/// Lines about refusals in one second, so that a flood of bad requests is not a flood of log.
const LINES: u32 = 50;

impl Inbound {
    /// Ready to listen.
    pub fn new(
        sources: Arc<Sources>,
        decoders: HashMap<Arc<str>, Decoder>,
        journal: Arc<dyn Journal>,
        plan: Arc<dyn Plan>,
        keys: Arc<RemoteKeys>,
        clock: Clock,
        limits: Limits,
    ) -> Self {
        let budget = Arc::new(Semaphore::new(budget(&limits)));
        let counted = Arc::<RequestMeters>::default();
        Self {
            meters: Meters::of(&sources, &counted),
            counted,
            sources,
            decoders,
            journal,
            plan,
            keys,
            clock,
            limits,
            budget,
            checks: Arc::new(Semaphore::new(checks::PLACES)),
            handshakes: Arc::default(),
            paused: Arc::default(),
            notices: Arc::default(),
            traces: Arc::default(),
            addresses: Arc::default(),
            log: Arc::new(Throttle::new(LINES, Duration::from_secs(1))),
        }
    }

    /// The same with other sources, code, routes and limits; what is counted is counted on.
    pub fn renewed(
        &self,
        sources: Arc<Sources>,
        decoders: HashMap<Arc<str>, Decoder>,
        plan: Arc<dyn Plan>,
        limits: Limits,
    ) -> Self {
        let same = budget(&limits) == budget(&self.limits);
        Self {
            meters: Meters::of(&sources, &self.counted),
            counted: self.counted.clone(),
            sources,
            decoders,
            journal: self.journal.clone(),
            plan,
            keys: self.keys.clone(),
            clock: self.clock.clone(),
            budget: if same { self.budget.clone() } else { Arc::new(Semaphore::new(budget(&limits))) },
            limits,
            checks: self.checks.clone(),
            handshakes: self.handshakes.clone(),
            paused: self.paused.clone(),
            notices: self.notices.clone(),
            traces: self.traces.clone(),
            addresses: self.addresses.clone(),
            log: self.log.clone(),
        }
    }

    /// The same with other sources.
    pub fn with_sources(&self, sources: Arc<Sources>) -> Self {
        self.renewed(sources, self.decoders.clone(), self.plan.clone(), self.limits.clone())
    }

    /// What is counted of requests.
    pub fn counted(&self) -> &Arc<RequestMeters> {
        &self.counted
    }

    /// A request's whole way, once its body is there: greet, or verify, decode, record, ack.
    async fn receive(&self, source: &Arc<Source>, request: Arc<Incoming>) -> Ack {
        let mut steps = Steps::begin(self.meters.source(source), self.traces.tracer(), || self.clock.now());
        let answered = match greet(source, &request) {
            Greeting::Answered(answer) => self.shake(source, answer, &request).await,
            Greeting::None if !source.methods().contains(&request.method) => self.no_handshake(source, &request),
            Greeting::None | Greeting::Signed => self.process(source, &request, &mut steps).await,
        };
        let ack = answered.unwrap_or_else(|rejection| {
            steps.refused(rejection.reason);
            self.refused(Some(source), &rejection, &request);
            match rejection.reason {
                Reason::Method => answer::not_allowed(source),
                reason => source.ack(answer::outcome(reason), &request, self.clock.now()),
            }
        });
        steps.end(source, &request, ack.status);
        ack
    }

    async fn process(
        &self,
        source: &Arc<Source>,
        request: &Arc<Incoming>,
        steps: &mut Steps<'_>,
    ) -> Result<Ack, Rejection> {
        let verified = self.verify(source, request, self.clock.now()).await;
        steps.over(Step::Verify);
        let verified = verified.inspect_err(|rejection| self.keep(Some(source), rejection, request))?;
        if let Some(answer) = verified.handshake {
            return self.shake(source, answer, request).await;
        }
        let outcome = self.record(source, verified, steps).await?;
        self.meters.source(source).answered.count(Answered::from(outcome));
        Ok(source.ack(outcome, request, self.clock.now()))
    }

    async fn record(&self, source: &Source, verified: Verified, steps: &mut Steps<'_>) -> Result<Outcome, Rejection> {
        let malformed = verified.malformed.is_some();
        let decoded = self.decode(source, verified).await;
        steps.over(Step::Decode);
        let recorded = self.journal.record_by(&*self.plan, decoded).await;
        steps.over(Step::Record);
        if let Ok(Recorded::Accepted(events)) = &recorded {
            steps.kept(events);
        }
        match recorded {
            Ok(Recorded::Refused(rejection)) => Err(rejection),
            Ok(_) if malformed => Ok(Outcome::Malformed),
            Ok(Recorded::Accepted(_)) => Ok(Outcome::Accepted),
            Ok(Recorded::Duplicate) => Ok(Outcome::Duplicate),
            Err(JournalError::Busy) => Err(Rejection::new(Reason::Unavailable, "the journal has too much waiting")),
            Err(error) => {
                self.notices.journal_failed(self.clock.now(), &error);
                Err(Rejection::new(Reason::Unavailable, error.to_string()))
            }
        }
    }

    /// Verified bytes become events; a decoder's failure becomes an `undecoded` one.
    async fn decode(&self, source: &Source, verified: Verified) -> NewRequest {
        let decoder = self.decoders.get(&source.provider.id);
        let (events, nonce, stale, request) = decode::events(source, decoder, verified).await;
        NewRequest {
            source: source.name.clone(),
            provider: source.provider.id.clone(),
            provider_version: source.provider.version.clone(),
            request,
            events,
            nonce,
            stale,
            build: source.provider.build.clone(),
            poll_state: None,
        }
    }
}

fn budget(limits: &Limits) -> usize {
    BUDGET.max(limits.max_body)
}
