//! Outbound with real sockets and files: formats, signatures, judgement, isolation, the guard, shutdown.

mod brokers;
mod dispatch;
mod formats;
mod guard;
mod headers;
mod held_back;
mod identity;
mod judgement;
mod ledger;
mod noticed;
mod order;
pub(crate) mod receiver;
mod restart;
mod silent;
mod timeouts;
mod tls;
mod transform;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hookport::clock::Clock;
use hookport::event::{Data, Event, EventState};
use hookport::outbound::{self, Destination, Gates, Means, Open};
use hookport::request::Incoming;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::SecretString;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

use self::ledger::Ledger;

/// Waits for something that must come true; the machine may be slow.
async fn until(what: &str, mut is_true: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_true() {
        assert!(start.elapsed() < Duration::from_secs(60), "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Opens nothing.
struct AsItIs;

impl Open for AsItIs {
    fn opens(&self, _: &Event) -> bool {
        false
    }

    fn hides(&self, _: &Event) -> bool {
        false
    }

    fn open(&self, event: &Event) -> (Bytes, Vec<String>) {
        match &event.data {
            Data::Json(json) => (json.clone(), Vec::new()),
            Data::Bytes(..) | Data::None => (Bytes::new(), Vec::new()),
        }
    }
}

/// A running outbound.
struct Running {
    ledger: Arc<Ledger>,
    gates: Arc<Gates>,
    stop: watch::Sender<bool>,
    ended: JoinHandle<()>,
}

impl Running {
    async fn stop(self) {
        self.stop.send(true).unwrap();
        self.ended.await.unwrap();
    }
}

fn run(ledger: Arc<Ledger>, destinations: Vec<Destination>) -> Running {
    run_with(ledger, destinations, AsItIs, Clock::default())
}

fn run_with(ledger: Arc<Ledger>, destinations: Vec<Destination>, opener: impl Open, clock: Clock) -> Running {
    let (stop, stopped) = watch::channel(false);
    let gates = Arc::new(Gates::default());
    let means = Means {
        journal: ledger.clone(),
        opener: Arc::new(opener),
        clock,
        gates: gates.clone(),
        notices: Arc::default(),
        traces: Arc::default(),
    };
    let ended = outbound::run(means, destinations, stopped);
    Running { ledger, gates, stop, ended }
}

/// A destination as it is written in the configuration.
fn destination(name: &str, written: &str, secrets: &[&str]) -> Destination {
    let secrets: Vec<SecretString> = secrets.iter().map(|secret| SecretString::from(*secret)).collect();
    let resolved = hookport::config::resolved::Destination::of(&toml::from_str(written).unwrap(), secrets).unwrap();
    Destination::build(name, &resolved).unwrap()
}

/// An HTTP destination on this machine that retries at once.
fn local(name: &str, url: &str, more: &str) -> Destination {
    let retry = if more.contains("retry") { "" } else { "retry = { first = '10ms', jitter = 0.0, factor = 1.0 }" };
    destination(name, &format!("kind = 'http'\nurl = '{url}'\nallow_private = true\n{more}\n{retry}"), &[])
}

fn event(number: u64) -> Event {
    Event {
        id: Uuid::from_u128(u128::from(number)),
        source: "esim".into(),
        provider: "eiotclub".into(),
        provider_version: "1.0.0".into(),
        kind: "eiotclub.CardStopped".into(),
        subject: Some("8985".into()),
        time: Some("2026-01-02T03:04:05Z".parse().unwrap()),
        received: "2026-01-02T03:04:06Z".parse().unwrap(),
        provider_id: Some(format!("n-{number}")),
        data: Data::Json(Bytes::from(format!(r#"{{"number":{number},"amount":10.00}}"#))),
        state: EventState::Routed,
        warnings: Vec::new(),
    }
}

fn request(headers: &[(&'static str, &'static str)], body: &'static [u8]) -> Incoming {
    let pair =
        |(name, value): &(&'static str, &'static str)| (HeaderName::from_static(name), HeaderValue::from_static(value));
    Incoming {
        method: "POST".into(),
        target: "/eiotclub".into(),
        headers: HeaderMap::from_iter(headers.iter().map(pair)),
        body: Bytes::from_static(body),
        peer: None,
        received: "2026-01-02T03:04:06Z".parse().unwrap(),
    }
}

fn plain_request() -> Incoming {
    request(&[("content-type", "application/json")], b"{}")
}
