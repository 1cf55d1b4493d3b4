//! Any bytes to the listener of a whole gateway, over a loopback socket. Nobody who writes them knows a secret: whatever
//! comes, the answer or the end comes in time, no answer is a 2xx, nothing becomes an event, and now and then a request
//! that is signed shows that the gateway still works.
#![no_main]

mod shipped;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use hookport::clock::Clock;
use hookport::config::{self, Environment, Rules};
use hookport::gateway::{Gateway, Plugin, Plugins};
use hookport::provider::ack::Outcome;
use hookport::provider::sign::{PrivateKeys, sign};
use hookport::request::Incoming;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use toml::{Table, Value};

/// Longer than any time limit of the gateway, on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two requests that are signed.
const EVERY: u64 = 2_000;

/// What is sent to: one source of each kind of body and signature, with secrets that are in no case.
const PROVIDERS: &[&str] = &[
    "adyen",
    "docusign",
    "generic-hmac-sha256",
    "github",
    "gocardless",
    "mailgun",
    "midtrans",
    "mollie",
    "paddle",
    "plivo",
    "rapyd",
    "stripe",
    "twilio",
    "unionpay-qra",
    "wechatpay-v2",
];

struct Stand {
    runtime: Runtime,
    gateway: Gateway,
    folder: PathBuf,
}

static STAND: LazyLock<Stand> = LazyLock::new(|| {
    // One thread for both sides, so that a round waits for no other.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let folder = std::env::temp_dir().join(format!("hookport-fuzz-{}", std::process::id()));
    let gateway = runtime.block_on(start(&folder));
    Stand { runtime, gateway, folder }
});

fn stages() -> impl Iterator<Item = shipped::Stage> {
    // A handshake may be answered to anybody.
    let chosen = |stage: &shipped::Stage| {
        let provider = &stage.source.provider;
        PROVIDERS.contains(&&*provider.id) && provider.description.handshake.is_empty()
    };
    let refuses = |stage: &shipped::Stage| {
        !(200..300).contains(&stage.source.ack(Outcome::Rejected, &Incoming::nothing(), stage.at).status)
    };
    shipped::stages().into_iter().filter(chosen).filter(refuses)
}

async fn start(folder: &std::path::Path) -> Gateway {
    let (mut sources, mut plugins) = (Table::new(), Plugins::default());
    for shipped::Stage { mut table, source, folder, .. } in stages() {
        if let Some(Value::Table(secrets)) = table.get_mut("secrets") {
            let unknown = uuid::Uuid::new_v4().simple().to_string();
            let value = |_: &Value| Value::Table(Table::from_iter([("value".to_owned(), unknown.clone().into())]));
            secrets.iter_mut().for_each(|(_, secret)| *secret = value(secret));
        }
        let id = source.provider.id.to_string();
        plugins.by_id.insert(id.clone(), Plugin::described(source.provider.clone(), folder));
        sources.insert(id, table.into());
    }
    let mut good = sources["generic-hmac-sha256"].as_table().cloned().expect("a source is a table");
    good.insert("path".into(), format!("/{}", uuid::Uuid::new_v4()).into());
    sources.insert("good".into(), good.into());
    let journal = folder.display();
    let configuration = format!(
        "server = {{ listen = \"127.0.0.1:0\", request_timeout = \"2s\", max_body = \"64KiB\" }}\nadmin = {{ listen = \"127.0.0.1:0\" }}\njournal = {{ path = \"{journal}\" }}\n{}",
        Table::from_iter([("sources".to_owned(), Value::Table(sources))])
    );
    let draft = config::load_text(&folder.join("hookport.toml"), configuration, &Environment::from_iter([]));
    let rules = Rules { providers: &plugins.descriptions(), compile: |_| Ok(()) };
    let config = draft.and_then(|draft| config::resolve(&draft, rules)).unwrap_or_else(|wrong| panic!("{wrong:?}"));
    Gateway::start(config, &plugins, Clock::default()).await.unwrap_or_else(|error| panic!("{error}"))
}

impl Stand {
    /// What comes back; the connection's own errors are how a gateway may end it.
    async fn exchange(to: SocketAddr, bytes: &[u8]) -> Vec<u8> {
        let talk = async {
            let mut stream = TcpStream::connect(to).await.expect("the gateway listens");
            let (mut from, mut into) = stream.split();
            let mut answer = Vec::new();
            let write = async {
                let _ = into.write_all(bytes).await;
                let _ = into.shutdown().await;
            };
            let _ = tokio::join!(write, from.read_to_end(&mut answer));
            answer
        };
        tokio::time::timeout(PATIENCE, talk).await.expect("an answer or the end comes in time")
    }

    /// A request that is signed is taken, and is the only kind that becomes an event.
    async fn still_works(&self, nth: u64) {
        let sources = self.gateway.sources();
        let source: &Arc<_> = sources.named("good").expect("it is configured");
        let mut sample = Incoming { method: "POST".into(), body: nth.to_string().into(), ..Incoming::nothing() };
        sample.target = source.path.clone().expect("it has a path");
        let signed = sign(source, &sample, &PrivateKeys::new(), Timestamp::UNIX_EPOCH).expect("it can be signed");
        let mut head = format!("POST {} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n", sample.target);
        for (name, value) in &signed.request.headers {
            head += &format!("{name}: {}\r\n", value.to_str().expect("a signature is text"));
        }
        head += &format!("Content-Length: {}\r\n\r\n{nth}", sample.body.len());
        let answer = Self::exchange(self.gateway.address, head.as_bytes()).await;
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
        let stats = self.gateway.journal.stats().await.expect("the journal answers");
        assert_eq!(stats.events, nth + 1, "only what is signed is an event ({})", self.folder.display());
    }
}

fn seeds() -> impl Iterator<Item = Vec<u8>> {
    let wire = |request: Vec<u8>| {
        let blank = request.windows(2).position(|pair| pair == b"\n\n")?;
        let head = String::from_utf8(request[..blank].to_vec()).ok()?.replace('\n', "\r\n");
        let body = &request[blank + 2..];
        Some([format!("{head}\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat())
    };
    let chunked = b"POST /stripe HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\nGET /zoom HTTP/1.1\r\n\r\n";
    // Preface, SETTINGS, and the headers of a POST without an end of the stream.
    let second = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\x0c\x01\x04\0\0\0\x01\x83\x86\x44\x07/stripe\x41\0\0\0\x02\0\x01\0\0\0\x01{}";
    let shipped = stages().flat_map(|stage| shipped::requests(&stage.folder)).filter_map(wire);
    shipped.chain([chunked.to_vec(), second.to_vec()])
}

static DONE: AtomicU64 = AtomicU64::new(0);

fuzz_target!(init: shipped::seed("http", seeds()), |bytes: &[u8]| {
    let stand = &*STAND;
    stand.runtime.block_on(async {
        let answer = Stand::exchange(stand.gateway.address, bytes).await;
        let success = |line: &[u8]| answer.windows(line.len()).any(|window| window == line);
        assert!(!success(b"HTTP/1.1 2") && !success(b"HTTP/1.0 2"), "{}", String::from_utf8_lossy(&answer));
        let done = DONE.fetch_add(1, Ordering::Relaxed);
        if done % EVERY == 0 {
            stand.still_works(done / EVERY).await;
        }
    });
});
