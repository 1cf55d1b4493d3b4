//! Durable acks: how many a second, how late, at what cost; and a bare append-only log in the same run to compare with.
//!
//! `cargo bench -p hookport-tests --bench journal -- [--seconds 5] [--producers 256,64,1] [--stored 0] [--deliver] [--alone]
//! [--retain]`
//! writes below the temporary folder; set `TMPDIR` to choose the disk. `--stored` records so many events first,
//! `--deliver` claims and settles everything beside, `--alone` leaves the log out, `--retain` deletes what is finished all
//! the while. `--large` compares a large journal with a small one instead: `--large [--stored 1000000] [--pending 100000]
//! [--waiting 100000]`, in a few minutes.

#[path = "journal/events.rs"]
mod events;
#[path = "journal/gauge.rs"]
mod gauge;
#[path = "journal/large.rs"]
mod large;
#[path = "journal/log.rs"]
mod log;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hookport::clock::Clock;
use hookport::event::Event;
use hookport::journal::sqlite::{Options, open};
use hookport::journal::{Attempt, EventFilter, Journal, Outcome, Plan, Recorded, Settled};

use self::events::request;
use self::gauge::{measure, runtime};
use self::log::log;

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
    gauge::heading();
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
    let measured =
        measure(&format!("journal, {producers} producers"), producers, arguments.seconds, &runtime, move |number| {
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
