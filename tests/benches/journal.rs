//! Durable acks: how many a second, how late, at what cost; and a bare append-only log in the same run to compare with.
//!
//! `cargo bench -p hookport-tests --bench journal -- [--seconds 5] [--producers 256,64,1] [--stored 0] [--deliver] [--alone]
//! [--retain]`
//! writes below the temporary folder; set `TMPDIR` to choose the disk. `--stored` records so many events first,
//! `--deliver` claims and settles everything beside, `--alone` leaves the log out, `--retain` deletes what is finished all
//! the while. `--large` compares a large journal with a small one instead: `--large [--stored 1000000] [--pending 100000]
//! [--waiting 100000]`, in a few minutes.

#[path = "journal/large.rs"]
mod large;

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hookport::clock::Clock;
use hookport::event::{Data, DedupKey, Event, NewEvent};
use hookport::journal::sqlite::{Options, open};
use hookport::journal::{Attempt, EventFilter, Journal, NewRequest, Outcome, Plan, Recorded, Settled};
use hookport::request::Incoming;
use hyper::header::{HeaderMap, HeaderValue};
use tokio::runtime::Runtime;

struct ToCrm(Arc<str>);

impl Plan for ToCrm {
    fn plan(&self, _: &Event, _: &mut Vec<String>) -> Vec<Arc<str>> {
        vec![self.0.clone()]
    }
}

struct Arguments {
    seconds: u64,
    producers: Vec<usize>,
    stored: usize,
    deliver: bool,
    alone: bool,
    retain: bool,
    large: Option<large::Size>,
    /// A process of the comparison, and the folder that it works on.
    part: Option<(String, PathBuf)>,
}

fn main() {
    let arguments = arguments();
    match (arguments.large, &arguments.part) {
        (Some(size), None) => return large::compare(size),
        (Some(size), Some((part, folder))) if part == "--fill" => return large::fill(folder, size),
        (Some(_), Some((_, folder))) => return large::gauge(folder, &arguments),
        (None, _) => {}
    }
    println!(
        "{:<34} {:>9} {:>8} {:>8} {:>8} {:>8} {:>7} {:>8}",
        "", "acks/s", "p50 ms", "p99", "p99.9", "max", "cpu us", "bytes"
    );
    for producers in &arguments.producers {
        let log = (!arguments.alone).then(|| log(*producers, &arguments));
        let journal = journal(*producers, &arguments);
        if let Some(log) = log {
            println!("{:<34} {:>8.0}%", "  of the log", 100.0 * journal / log);
        }
    }
}

fn arguments() -> Arguments {
    let mut arguments = Arguments {
        seconds: 5,
        producers: vec![256, 64, 1],
        stored: 0,
        deliver: false,
        alone: false,
        retain: false,
        large: None,
        part: None,
    };
    let mut size = large::LARGE;
    let mut is_large = false;
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().expect("a value");
        match word.as_str() {
            "--seconds" => arguments.seconds = value().parse().expect("a number"),
            "--producers" => {
                arguments.producers = value().split(',').map(|number| number.parse().expect("a number")).collect();
            }
            "--stored" => {
                arguments.stored = value().parse().expect("a number");
                size.stored = arguments.stored;
            }
            "--pending" => size.pending = value().parse().expect("a number"),
            "--waiting" => size.waiting = value().parse().expect("a number"),
            "--large" => is_large = true,
            "--fill" | "--gauge" => arguments.part = Some((word.clone(), value().into())),
            "--deliver" => arguments.deliver = true,
            "--alone" => arguments.alone = true,
            "--retain" => arguments.retain = true,
            _ => {}
        }
    }
    arguments.large = is_large.then_some(size);
    arguments
}

/// The journal with everything it does for an event: dedup, request, event, delivery.
fn journal(producers: usize, arguments: &Arguments) -> f64 {
    let folder = tempfile::tempdir().expect("a folder");
    let options = Options::new(folder.path().join("data"), Clock::default(), Arc::new(ToCrm("crm".into())));
    let journal: Arc<dyn Journal> = open(options.clone()).expect("a journal");
    let runtime = runtime();
    if arguments.stored > 0 {
        let begun = Instant::now();
        runtime.block_on(store(&journal, arguments.stored));
        println!("  stored {} in {:.1} s", arguments.stored, begun.elapsed().as_secs_f64());
    }
    let stop = Arc::new(AtomicBool::new(false));
    let delivering = arguments.deliver.then(|| runtime.spawn(deliver(journal.clone(), stop.clone())));
    let retaining = arguments.retain.then(|| runtime.spawn(retain(journal.clone(), stop.clone())));
    let recorder = journal.clone();
    let measured = measure(&format!("journal, {producers} producers"), producers, arguments, &runtime, move |number| {
        let recorded = recorder.record(request(number));
        async move {
            assert!(matches!(recorded.await.expect("recorded"), Recorded::Accepted(_)));
        }
    });
    if let Some(delivering) = delivering {
        let begun = Instant::now();
        stop.store(true, Ordering::Relaxed);
        let delivered = runtime.block_on(delivering).expect("delivered");
        println!("  {delivered} delivered, the last {:.2} s after the last ack", begun.elapsed().as_secs_f64());
    }
    stop.store(true, Ordering::Relaxed);
    if let Some(retaining) = retaining {
        println!("  {} deleted meanwhile", runtime.block_on(retaining).expect("retained"));
    }
    let log = std::fs::metadata(folder.path().join("data/journal.db-wal")).map_or(0, |file| file.len());
    println!("  the write-ahead log is {} KiB", log / 1024);
    runtime.block_on(journal.close()).expect("closed");
    let begun = Instant::now();
    let _again = open(options).expect("a journal");
    println!("  opened again in {:.0} ms", begun.elapsed().as_secs_f64() * 1_000.0);
    measured.rate
}

async fn store(journal: &Arc<dyn Journal>, events: usize) {
    for first in (0..events).step_by(2_000) {
        let waiting: Vec<_> = (0..2_000).map(|n| journal.record(request((1 << 40) + first + n))).collect();
        for recorded in waiting {
            recorded.await.expect("recorded");
        }
        let claimed = journal.claim("crm", 2_000, Clock::default().now()).await.expect("claimed");
        let settled = claimed.iter().map(|claimed| delivered(claimed.delivery)).collect();
        journal.settle(settled).await.expect("settled");
    }
}

/// Deletes what is finished until it is told to stop; says how many events went from the oldest end.
async fn retain(journal: Arc<dyn Journal>, stop: Arc<AtomicBool>) -> u128 {
    let first = oldest(&*journal).await;
    while !stop.load(Ordering::Relaxed) {
        let pass = journal.retain(Clock::default().now());
        tokio::pin!(pass);
        while !stop.load(Ordering::Relaxed) {
            if tokio::time::timeout(Duration::from_millis(20), &mut pass).await.is_ok() {
                break;
            }
        }
    }
    oldest(&*journal).await.saturating_sub(first)
}

/// The number of the oldest event, which its id carries.
async fn oldest(journal: &dyn Journal) -> u128 {
    let first = EventFilter { after: Some(uuid::Uuid::nil()), limit: 1, ..Default::default() };
    let found = journal.events(first).await.expect("events");
    found.first().map_or(0, |event| event.id.as_u128() >> 16 & ((1 << 46) - 1))
}

async fn deliver(journal: Arc<dyn Journal>, stop: Arc<AtomicBool>) -> u64 {
    let mut count = 0;
    loop {
        let claimed = journal.claim("crm", 64, Clock::default().now()).await.expect("claimed");
        if claimed.is_empty() {
            if stop.load(Ordering::Relaxed) && journal.next_due("crm").is_none() {
                return count;
            }
            let _ = tokio::time::timeout(Duration::from_millis(20), journal.due("crm").notified()).await;
            continue;
        }
        count += claimed.len() as u64;
        let settled = claimed.iter().map(|claimed| delivered(claimed.delivery)).collect();
        journal.settle(settled).await.expect("settled");
    }
}

fn delivered(delivery: u64) -> Settled {
    let attempt = Attempt { at: Clock::default().now(), took_ms: 3, status: Some(200), error: None, answer: None };
    Settled { delivery, attempt, outcome: Outcome::Delivered }
}

/// The least that durability costs: one file, one write and one fdatasync for whoever waits.
fn log(producers: usize, arguments: &Arguments) -> f64 {
    let folder = tempfile::tempdir().expect("a folder");
    let (sender, receiver) = channel();
    let file = folder.path().join("log");
    let appender = std::thread::spawn(move || append(&file, &receiver));
    let runtime = runtime();
    let measured =
        measure(&format!("append-only log, {producers} producers"), producers, arguments, &runtime, move |number| {
            let (done, synced) = tokio::sync::oneshot::channel();
            sender.send((body(number), done)).expect("a log");
            async move { synced.await.expect("synced") }
        });
    appender.join().expect("appended");
    measured.rate
}

type Waiting = (Bytes, tokio::sync::oneshot::Sender<()>);

fn append(path: &Path, waiting: &Receiver<Waiting>) {
    let mut file: File = OpenOptions::new().create(true).append(true).open(path).expect("a log");
    while let Ok(first) = waiting.recv() {
        let mut group = vec![first];
        group.extend(waiting.try_iter().take(4_095));
        let bytes: Vec<u8> = group.iter().flat_map(|(body, _)| body.iter().copied()).collect();
        file.write_all(&bytes).expect("written");
        file.sync_data().expect("synced");
        for (_, done) in group {
            let _ = done.send(());
        }
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// Acks a second, and milliseconds.
struct Measured {
    rate: f64,
    p50: f64,
    p99: f64,
}

/// Producers that each wait for their own ack before the next; prints a line.
fn measure<F>(
    name: &str,
    producers: usize,
    arguments: &Arguments,
    runtime: &Runtime,
    ack: impl Fn(usize) -> F + Clone + Send + 'static,
) -> Measured
where
    F: Future<Output = ()> + Send + 'static,
{
    let (bytes, cpu, begun) = (written(), cpu_us(), Instant::now());
    let end = begun + Duration::from_secs(arguments.seconds);
    let (report, reports): (Sender<Vec<u32>>, _) = channel();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..producers)
            .map(|producer| {
                let (ack, report) = (ack.clone(), report.clone());
                tokio::spawn(async move {
                    let (mut times, mut now, mut number) =
                        (Vec::with_capacity(1 << 16), Instant::now(), producer << 32);
                    while now < end {
                        ack(number).await;
                        number += 1;
                        let then = Instant::now();
                        times.push(then.duration_since(now).as_micros() as u32);
                        now = then;
                    }
                    report.send(times).expect("reported");
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("produced");
        }
    });
    drop(report);
    let took = begun.elapsed().as_secs_f64();
    let mut times: Vec<u32> = reports.iter().flatten().collect();
    times.sort_unstable();
    let at = |share: f64| f64::from(times[((times.len() - 1) as f64 * share) as usize]) / 1_000.0;
    let count = times.len() as f64;
    println!(
        "{name:<34} {:>9.0} {:>8.2} {:>8.2} {:>8.2} {:>8.2} {:>7.1} {:>8.0}",
        count / took,
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0),
        (cpu_us() - cpu) / count,
        (written() - bytes) as f64 / count
    );
    Measured { rate: count / took, p50: at(0.5), p99: at(0.99) }
}

/// 700 bytes with a signature in them, as a provider with its signature in the body sends them.
fn body(number: usize) -> Bytes {
    let filler = "0123456789abcdef".repeat(37);
    format!(r#"{{"id":"{number:020}","event":"CardStopped","sign":"{:040x}","note":"{filler}"}}"#, number).into()
}

fn request(number: usize) -> NewRequest {
    let body = body(number);
    let sign = body.windows(8).position(|window| window == b",\"sign\":").expect("a signature");
    let data = [&body[..sign], &body[sign + 50..]].concat();
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    headers.insert("user-agent", HeaderValue::from_static("provider/1.0"));
    NewRequest {
        source: "esim".into(),
        provider: "eiotclub".into(),
        provider_version: "1.0.0".into(),
        request: Arc::new(Incoming {
            method: "POST".into(),
            target: "/eiotclub".into(),
            headers,
            body,
            peer: Some([192, 0, 2, 7].into()),
            received: Clock::default().now(),
        }),
        events: vec![NewEvent {
            kind: "eiotclub.CardStopped".into(),
            subject: Some("8985200012345678901".into()),
            time: None,
            provider_id: Some(number.to_string()),
            key: DedupKey { hash: hash(number), until: None },
            data: Data::Json(data.into()),
            warnings: Vec::new(),
            undecoded: None,
        }],
        nonce: None,
        stale: None,
        poll_state: None,
    }
}

/// Spread like the SHA-256 that it stands for.
fn hash(number: usize) -> [u8; 16] {
    let mix = |mut x: u64| {
        x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ x >> 31
    };
    let (first, second) = (mix(number as u64 + 1), mix(!(number as u64)));
    (u128::from(first) << 64 | u128::from(second)).to_be_bytes()
}

/// Bytes that this process had written to the disk.
fn written() -> u64 {
    let text = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// User and system time of this process.
fn cpu_us() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = text.rsplit(')').next().unwrap_or_default();
    let ticks: f64 =
        after_name.split_whitespace().skip(11).take(2).filter_map(|number| number.parse::<f64>().ok()).sum();
    ticks * 10_000.0
}
