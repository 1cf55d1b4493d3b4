//! What a hostile plugin in a worker costs another source of the same gateway: a running program, requests over HTTP, each
//! acknowledged after its sync. The other source is one without code, and one with code in a worker of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::wire::{Reply, exchange};
use crate::{built, quantile, scaled, shipped, tally};

/// In turns, so that a machine that gets slower is not taken for a plugin that misbehaves.
const ROUNDS: usize = 5;
const CALLERS: usize = 8;
/// Whose requests do it, one after the other.
const MISDOERS: usize = 4;
/// Between two requests of a caller: what is measured is how long an answer takes, and not how many a full processor gives.
const PAUSE: Duration = Duration::from_millis(5);
const BESIDE: [Option<&str>; 5] = [None, Some("sleeps"), Some("hangs"), Some("crashes"), Some("swallows memory")];

pub(crate) fn measure() {
    println!("\n{:<44} {:>9} {:>9} {:>11}", "another source's acks over HTTP", "p50 us", "p99 us", "p99 ratio");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let gateway = Serving::start();
    for source in ["tally", "odd"] {
        let mut rounds = BESIDE.map(|_| Vec::new());
        for _ in 0..ROUNDS {
            for (beside, rounds) in BESIDE.iter().zip(&mut rounds) {
                rounds.push(runtime.block_on(gateway.round(source, *beside)));
            }
        }
        let mut alone = None;
        for (beside, mut rounds) in BESIDE.iter().zip(rounds) {
            rounds.sort_by(|one, another| one.1.total_cmp(&another.1));
            let (p50, p99) = rounds[ROUNDS / 2];
            let ratio = p99 / *alone.get_or_insert(p99);
            let words = beside.map_or("alone".to_owned(), |misdeed| format!("beside one that {misdeed}"));
            println!("{:<44} {p50:>9.0} {p99:>9.0} {ratio:>11.2}", format!("{source}, {words}"));
        }
    }
}

/// A gateway in a process of its own; it ends with its value.
struct Serving {
    child: Child,
    address: SocketAddr,
    sent: Arc<AtomicUsize>,
    _folder: TempDir,
}

impl Serving {
    fn start() -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder below target/");
        tally::install(&folder.path().join("plugins"));
        for name in ["hostile", "odd"] {
            let to = folder.path().join(format!("plugins/lib{name}.so"));
            std::fs::copy(built::plugin(name), to).expect("a copy");
        }
        let secret = tally::SECRET;
        let text = format!(
            "log = {{ format = \"json\", level = \"info\" }}\nserver.listen = \"127.0.0.1:0\"\nadmin.listen = \"127.0.0.1:0\"\n\
             plugins = {{ dirs = [\"plugins\"], isolation = \"worker\", quarantine = {{ faults = 0 }} }}\n\
             sources.hostile = {{ provider = \"hostile\" }}\n\
             sources.tally = {{ provider = \"tally\", secrets.main = {{ value = \"{secret}\" }} }}\n\
             sources.odd = {{ provider = \"odd\", secrets.main = {{ value = \"{secret}\" }} }}\n"
        );
        std::fs::write(folder.path().join("hookport.toml"), text).expect("a configuration");
        let mut command = Command::new(shipped::program());
        command.arg("serve").current_dir(folder.path()).stdin(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let mut lines = BufReader::new(child.stderr.take().expect("its log")).lines().map_while(Result::ok);
        let address = lines.find_map(|line| {
            let said: Value = serde_json::from_str(&line).ok()?;
            let fields = &said["fields"];
            (fields["message"] == "ready").then(|| fields["address"].as_str()?.parse().ok()).flatten()
        });
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address: address.expect("it is ready"), sent: Arc::default(), _folder: folder }
    }

    /// Median and p99 of the source's answers while hostile requests do nothing but this.
    async fn round(&self, source: &'static str, beside: Option<&'static str>) -> (f64, f64) {
        let over = Arc::new(AtomicBool::new(false));
        let misdeeds = beside.map(|misdeed| {
            let misdoer = |_| {
                let (over, sent, address) = (over.clone(), self.sent.clone(), self.address);
                tokio::spawn(async move {
                    while !over.load(Ordering::Relaxed) {
                        let number = sent.fetch_add(1, Ordering::Relaxed);
                        let body = format!(r#"{{"id":"{number}","event":"{misdeed}"}}"#);
                        answered(address, &request("/hostile", "", &body)).await;
                    }
                })
            };
            (0..MISDOERS).map(misdoer).collect::<Vec<_>>()
        });
        let caller = |_| {
            let (sent, address) = (self.sent.clone(), self.address);
            tokio::spawn(async move {
                let mut times = Vec::new();
                for _ in 0..scaled(3_000) / CALLERS {
                    let request = other(source, sent.fetch_add(1, Ordering::Relaxed));
                    let begun = Instant::now();
                    answered(address, &request).await;
                    times.push(begun.elapsed());
                    tokio::time::sleep(PAUSE).await;
                }
                times
            })
        };
        let callers: Vec<_> = (0..CALLERS).map(caller).collect();
        let mut times = Vec::new();
        for caller in callers {
            times.extend(caller.await.expect("all are answered"));
        }
        over.store(true, Ordering::Relaxed);
        for misdoer in misdeeds.into_iter().flatten() {
            misdoer.await.expect("what is hostile is answered, too");
        }
        (quantile(&mut times, 0.5), quantile(&mut times, 0.99))
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn request(path: &str, headers: &str, body: &str) -> Vec<u8> {
    let head =
        format!("POST {path} HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\n{headers}connection: close");
    format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// A new event of the other source.
fn other(source: &str, number: usize) -> Vec<u8> {
    if source == "tally" {
        return tally::request_with("connection: close\r\n", &tally::body(&number.to_string()));
    }
    let body = format!(r#"{{"event":"typed","iccid":"{number}","n":1.5}}"#);
    request("/odd", &format!("x-sign: {}\r\n", tally::signature(body.as_bytes())), &body)
}

/// Sends it, and has it accepted.
async fn answered(to: SocketAddr, request: &[u8]) -> Reply {
    let reply = exchange(to, request).await.expect("an answer");
    assert!((200..300).contains(&reply.status), "{reply:?}");
    reply
}
