//! An admin API with a journal behind it and no listener in front, and a client that sends what it is told.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use hookport::admin::shown::{DestinationShown, PluginShown, SourceShown};
use hookport::admin::{
    self, Again, Confirm, Confirmed, Confirming, Diagnosing, Failure, Judging, Measure, Measuring, Phase, Readiness,
    Redact, Reload, Reloaded, Reloading, Renew, Renewed, Renewing, Switch,
};
use hookport::clock::Clock;
use hookport::event::{Data, DedupKey, Event, NewEvent};
use hookport::journal::sqlite::{self, Options};
use hookport::journal::{Attempt, CaptureFilter, Journal, NewRequest, Outcome, Pausable, Plan, Recorded, Settled};
use hookport::metrics::{JournalSeen, Scrape};
use hookport::plugin::Ask;
use hookport::request::Incoming;
use http_body_util::{BodyExt, Full};
use hyper::header::{HeaderMap, HeaderValue};
use hyper::{Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// Sends what is called `routed.*` to `crm`.
struct ToCrm;

impl Plan for ToCrm {
    fn plan(&self, event: &Event, _: &mut Vec<String>) -> Vec<Arc<str>> {
        event.kind.starts_with("routed.").then(|| "crm".into()).into_iter().collect()
    }
}

/// Masks one value, as the engine would by its pointers.
struct Masked;

impl Redact for Masked {
    fn redact(&self, _: &str, data: &[u8]) -> Bytes {
        String::from_utf8_lossy(data).replace("4111", "***").into()
    }
}

/// Takes no operator's word: these tests have no sources to give a secret to.
struct Nobody;

impl Confirm for Nobody {
    fn confirm(&self, _: CaptureFilter) -> Confirming<Confirmed> {
        Box::pin(async { Err(Failure::new(StatusCode::NOT_FOUND, "nothing is pending")) })
    }

    fn discard(&self, _: CaptureFilter) -> Confirming<u64> {
        Box::pin(async { Ok(0) })
    }
}

impl Again for Nobody {
    fn now(&self) -> Timestamp {
        Clock::default().now()
    }

    fn destinations(&self) -> Vec<String> {
        vec!["crm".into()]
    }

    fn refused(&self, _: Option<&str>, _: Incoming, _: u64) -> Judging {
        Box::pin(async { Err("nobody is asked".into()) })
    }

    fn stored(&self, _: &str, _: Arc<Incoming>) -> Judging {
        Box::pin(async { Err("nobody is asked".into()) })
    }

    fn diagnose(&self, _: Option<&str>, _: Incoming, _: u64) -> Diagnosing {
        Box::pin(async { Vec::new() })
    }
}

impl Switch for Nobody {
    fn pause(&self, _: Pausable, _: String) -> Confirming<Timestamp> {
        Box::pin(async { Err(Failure::new(StatusCode::NOT_FOUND, "nothing can be paused")) })
    }

    fn resume(&self, _: Pausable, _: String) -> Confirming<bool> {
        Box::pin(async { Ok(false) })
    }

    fn destinations(&self) -> Confirming<Vec<DestinationShown>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

impl Renew for Nobody {
    fn renew(&self, _: Ask) -> Renewing {
        Box::pin(async { Ok(Renewed::default()) })
    }
}

impl Measure for Nobody {
    fn measure(&self, writable: bool) -> Measuring {
        let now = Clock::default().now();
        let commits = Arc::default();
        Box::pin(async move {
            Scrape {
                now,
                started: now,
                version: "0.0.0",
                sources: Vec::new(),
                nobody: Arc::default(),
                destinations: Vec::new(),
                backlog: None,
                plugins: Vec::new(),
                journal: JournalSeen { writable, stats: None, disk_free_bytes: None, commits },
                spans: Arc::default(),
                process: None,
            }
        })
    }
}

impl Reload for Nobody {
    fn reload(&self, dry_run: bool) -> Reloading {
        Box::pin(async move { Ok(Reloaded { dry_run, ..Reloaded::default() }) })
    }
}

pub(super) struct Gateway {
    pub(super) address: SocketAddr,
    pub(super) journal: Arc<dyn Journal>,
    pub(super) readiness: Readiness,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<std::io::Result<()>>,
    _folder: TempDir,
}

impl Gateway {
    pub(super) async fn start(token: Option<&str>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let options = Options::new(folder.path().join("data"), Clock::default(), Arc::new(ToCrm));
        let journal: Arc<dyn Journal> = sqlite::open(options).expect("a journal");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let readiness = Readiness::default();
        readiness.set(Phase::Running);
        let state = admin::State {
            journal: journal.clone(),
            operations: Arc::default(),
            redact: Arc::new(Masked),
            captures: Arc::new(Nobody),
            again: Arc::new(Nobody),
            switches: Arc::new(Nobody),
            reload: Arc::new(Nobody),
            renew: Arc::new(Nobody),
            measure: Arc::new(Nobody),
            metrics_token: None,
            token: token.map(|token| SecretString::from(token.to_owned())),
            plugins: [plugin()].into(),
            sources: [source()].into(),
            readiness: readiness.clone(),
        };
        let (stop, stopped) = oneshot::channel();
        let serving =
            tokio::spawn(admin::serve(
                listener,
                Arc::new(ArcSwap::from_pointee(state)),
                async move { drop(stopped.await) },
            ));
        Self { address, journal, readiness, stop, serving, _folder: folder }
    }

    pub(super) async fn stop(self) {
        let _ = self.stop.send(());
        self.serving.await.expect("no panic").expect("served well");
    }

    /// Puts an event into the journal as inbound would.
    pub(super) async fn record(&self, event: NewEvent) -> Uuid {
        let Data::Json(body) = event.data.clone() else { unreachable!("these tests send JSON") };
        let request = NewRequest {
            source: "esim".into(),
            provider: "signed".into(),
            provider_version: "1.0.0".into(),
            request: Arc::new(request(std::str::from_utf8(&body).expect("text"))),
            events: vec![event],
            nonce: None,
            stale: None,
            build: None,
            poll_state: None,
        };
        match self.journal.record(request).await {
            Ok(Recorded::Accepted(ids)) => ids[0],
            other => panic!("not recorded: {other:?}"),
        }
    }

    /// Lets every due delivery of a destination fail for good.
    pub(super) async fn exhaust(&self, destination: &str) {
        let now = Clock::default().now();
        let claimed = self.journal.claim(destination, 10, now).await.expect("claimed");
        assert!(!claimed.is_empty(), "nothing was due");
        let attempt = Attempt { at: now, took_ms: 1, status: Some(410), error: None, answer: None };
        let settled = |claimed: hookport::journal::Claimed| Settled {
            delivery: claimed.delivery,
            attempt: attempt.clone(),
            outcome: Outcome::Exhausted("gone".to_owned()),
        };
        self.journal.settle(claimed.into_iter().map(settled).collect()).await.expect("settled");
    }

    pub(super) async fn get(&self, path: &str) -> (u16, Value) {
        let (status, text) = self.text(path).await;
        (status, serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path} answers no JSON: {error}: {text}")))
    }

    pub(super) async fn text(&self, path: &str) -> (u16, String) {
        get(self.address, path, &[]).await
    }
}

pub(super) async fn get(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    send("GET", address, path, headers, "").await
}

pub(super) async fn post(address: SocketAddr, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
    send("POST", address, path, headers, body).await
}

async fn send(method: &str, address: SocketAddr, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
    let mut request = Request::builder().method(method).uri(format!("http://{address}{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).expect("a request");
    let answer = Client::builder(TokioExecutor::new()).build_http().request(request).await.expect("an answer");
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.expect("a body").to_bytes();
    (status, String::from_utf8(body.to_vec()).expect("text"))
}

pub(super) fn event(kind: &str, data: &str) -> NewEvent {
    NewEvent {
        kind: kind.to_owned(),
        subject: Some("8985".to_owned()),
        time: None,
        provider_id: Some(kind.to_owned()),
        key: DedupKey { hash: Uuid::now_v7().into_bytes(), until: None },
        data: Data::Json(Bytes::copy_from_slice(data.as_bytes())),
        warnings: Vec::new(),
        undecoded: None,
    }
}

pub(super) fn request(body: &str) -> Incoming {
    let mut headers = HeaderMap::new();
    headers.insert("x-signature", HeaderValue::from_static("s1gned"));
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    Incoming {
        method: "POST".to_owned(),
        target: "/esim?sign=s1gned&a=b".to_owned(),
        headers,
        body: Bytes::copy_from_slice(body.as_bytes()),
        peer: None,
        received: Clock::default().now(),
    }
}

fn plugin() -> PluginShown {
    PluginShown {
        provider: "signed".to_owned(),
        name: "Signed".to_owned(),
        version: "1.0.0".to_owned(),
        file: "plugins/signed/provider.toml".to_owned(),
        sha256: "00".repeat(32),
        native: false,
        code: None,
        operations: Vec::new(),
        ..PluginShown::default()
    }
}

fn source() -> SourceShown {
    SourceShown {
        name: "esim".to_owned(),
        provider: "signed".to_owned(),
        path: Some("/esim".to_owned()),
        secrets: vec!["main".to_owned()],
        missing: Vec::new(),
        settings: BTreeMap::new(),
        unsigned: None,
    }
}
