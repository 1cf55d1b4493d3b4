//! A large journal beside a small one: what 10^6 stored events, 10^5 pending and 10^5 waiting ones cost who comes next.
//!
//! Each is filled and gauged by a process of its own, so that memory is what an opened journal needs and not what filling
//! it left behind.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use hookport::clock::Clock;
use hookport::event::Event;
use hookport::journal::sqlite::{Options, open};
use hookport::journal::{Claimed, Journal, NewRequest, OrderKey, Outcome, Plan, Recorded, Settled};
use jiff::SignedDuration;

use crate::events::{hash, request};
use crate::gauge::{Measured, measure, runtime};
use crate::{Arguments, delivered};

/// Recorded at once.
const BATCH: usize = 2_000;
/// Accounts whose first delivery waits for a day, and all others behind it.
const ACCOUNTS: usize = 1_000;
/// Destinations whose deliveries are in order by their events' subject.
const ORDERED: [&str; 2] = ["bank", "turns"];
/// Deliveries claimed and settled for one figure.
const CLAIMED: usize = 6_400;
/// What the large journal has.
pub(crate) const LARGE: Size = Size { stored: 1_000_000, pending: 100_000, waiting: 100_000 };
/// What the small journal has of each.
const SMALL: Size = Size { stored: 0, pending: CLAIMED, waiting: 0 };

/// What a journal holds.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) stored: usize,
    pub(crate) pending: usize,
    pub(crate) waiting: usize,
}

/// An event's type is its destination.
struct ByType;

impl Plan for ByType {
    fn plan(&self, event: &Event, _: &mut Vec<String>) -> Vec<Arc<str>> {
        vec![event.kind.as_str().into()]
    }

    fn order_key(&self, event: &Event, destination: &str, _: &mut Vec<String>) -> Option<OrderKey> {
        let subject = event.subject.as_ref().filter(|_| ORDERED.contains(&destination))?;
        subject.parse().ok().map(hash)
    }
}

/// What is asked of each journal; every figure is better when it is smaller, but for the rates.
const FIGURES: [&str; 10] = [
    "open, ms",
    "memory after opening, MiB",
    "acks/s",
    "ack p50, ms",
    "ack p99, ms",
    "ordered acks/s",
    "ordered ack p99, ms",
    "claim and settle from the file, us each",
    "claim and settle of keys in turn, us each",
    "most memory, MiB",
];

/// Fills and gauges both, and prints what the large one costs more.
pub(crate) fn compare(size: Size) {
    let small = gauged_apart(SMALL);
    let large = gauged_apart(size);
    println!("{:<44} {:>10} {:>10} {:>7}", "", "small", "large", "ratio");
    for (figure, (small, large)) in FIGURES.iter().zip(small.iter().zip(&large)) {
        println!("{figure:<44} {small:>10.2} {large:>10.2} {:>7.2}", large / small);
    }
}

fn gauged_apart(size: Size) -> Vec<f64> {
    let folder = tempfile::tempdir().expect("a folder");
    let begun = Instant::now();
    apart("--fill", folder.path(), size);
    let bytes = std::fs::metadata(folder.path().join("data/journal.db")).map_or(0, |file| file.len());
    println!(
        "{} stored, {} pending, {} waiting: filled in {:.0} s, {} MiB",
        size.stored,
        size.pending,
        size.waiting,
        begun.elapsed().as_secs_f64(),
        bytes >> 20
    );
    let said = apart("--gauge", folder.path(), size);
    print!("{said}");
    let figures = said.lines().last().expect("figures");
    figures.split_whitespace().map(|figure| figure.parse().expect("a figure")).collect()
}

fn apart(what: &str, folder: &Path, size: Size) -> String {
    let own = std::env::current_exe().expect("this program");
    let sizes = [size.stored, size.pending, size.waiting].map(|number| number.to_string());
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    arguments.extend([what.to_owned(), folder.join("data").display().to_string()]);
    arguments.extend(["--stored", "--pending", "--waiting"].iter().zip(sizes).flat_map(|(k, v)| [(*k).into(), v]));
    let done = Command::new(own).args(arguments).stderr(Stdio::inherit()).output().expect("it runs");
    assert!(done.status.success(), "{what} failed");
    String::from_utf8(done.stdout).expect("text")
}

fn journal(folder: &Path) -> Arc<dyn Journal> {
    open(Options::new(folder, Clock::default(), Arc::new(ByType))).expect("a journal")
}

/// An event for a destination; `account` is what the bank's are in order by.
fn event(number: usize, to: &str, account: usize) -> NewRequest {
    let mut request = request(number);
    request.events[0].kind = to.into();
    request.events[0].subject = Some(account.to_string());
    request
}

pub(crate) fn fill(folder: &Path, size: Size) {
    let journal = journal(folder);
    runtime().block_on(async {
        for first in (0..size.stored).step_by(BATCH) {
            record(&journal, (first..size.stored.min(first + BATCH)).map(|n| event(n, "crm", n))).await;
            settle(&journal, &claim(&journal, "crm", BATCH).await, &Outcome::Delivered).await;
        }
        let (pending, waiting) = (1 << 30, 1 << 31);
        for first in (0..size.pending).step_by(BATCH) {
            let numbers = first..size.pending.min(first + BATCH);
            record(&journal, numbers.map(|n| event(pending + n, "slow", n))).await;
        }
        if size.waiting > 0 {
            record(&journal, (0..ACCOUNTS).map(|n| event(waiting + n, "bank", n))).await;
            let tomorrow = Clock::default().now() + SignedDuration::from_hours(24);
            settle(&journal, &claim(&journal, "bank", ACCOUNTS).await, &Outcome::Retry(tomorrow)).await;
        }
        for first in (0..size.waiting).step_by(BATCH) {
            let numbers = first..size.waiting.min(first + BATCH);
            record(&journal, numbers.map(|n| event(waiting + ACCOUNTS + n, "bank", n % ACCOUNTS))).await;
        }
        let stats = journal.stats().await.expect("numbers");
        assert_eq!(stats.waiting as usize, size.waiting);
        journal.close().await.expect("closed");
    });
}

pub(crate) fn gauge(folder: &Path, arguments: &Arguments) {
    let begun = Instant::now();
    let journal = journal(folder);
    let opened = begun.elapsed().as_secs_f64() * 1_000.0;
    let memory = mebibytes("VmRSS:");
    let runtime = runtime();
    let producers = arguments.producers[0];
    let from_file = runtime.block_on(turns(&journal, "slow", CLAIMED));
    let acks = |to: &'static str, from: usize| -> Measured {
        let journal = journal.clone();
        measure(&format!("  to {to}, {producers} producers"), producers, arguments.seconds, &runtime, move |number| {
            let recorded = journal.record(event(from + number, to, from + number));
            async move {
                assert!(matches!(recorded.await.expect("recorded"), Recorded::Accepted(_)));
            }
        })
    };
    let free = acks("crm", 1 << 50);
    let ordered = acks("bank", 1 << 51);
    let in_turn = runtime.block_on(async {
        let keys = CLAIMED / 32;
        record(&journal, (0..CLAIMED).map(|n| event((1 << 52) + n, "turns", n % keys))).await;
        turns(&journal, "turns", CLAIMED).await
    });
    let figures = [
        opened,
        memory,
        free.rate,
        free.p50,
        free.p99,
        ordered.rate,
        ordered.p99,
        from_file,
        in_turn,
        mebibytes("VmHWM:"),
    ];
    println!("{}", figures.map(|figure| format!("{figure:.3}")).join(" "));
}

/// Claims and settles so many, a batch at a time; microseconds for each.
async fn turns(journal: &Arc<dyn Journal>, destination: &str, count: usize) -> f64 {
    let (mut done, begun) = (0, Instant::now());
    while done < count {
        let claimed = claim(journal, destination, 64).await;
        settle(journal, &claimed, &Outcome::Delivered).await;
        done += claimed.len();
    }
    begun.elapsed().as_secs_f64() * 1_000_000.0 / count as f64
}

async fn record(journal: &Arc<dyn Journal>, requests: impl Iterator<Item = NewRequest>) {
    let waiting: Vec<_> = requests.map(|request| journal.record(request)).collect();
    for recorded in waiting {
        assert!(matches!(recorded.await.expect("recorded"), Recorded::Accepted(_)));
    }
}

async fn claim(journal: &Arc<dyn Journal>, destination: &str, limit: usize) -> Vec<Claimed> {
    journal.claim(destination, limit, Clock::default().now()).await.expect("claimed")
}

async fn settle(journal: &Arc<dyn Journal>, claimed: &[Claimed], outcome: &Outcome) {
    let settled = claimed.iter().map(|claimed| Settled { outcome: outcome.clone(), ..delivered(claimed.delivery) });
    journal.settle(settled.collect()).await.expect("settled");
}

/// A line of what the kernel knows of this process's memory.
fn mebibytes(line: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let found = status.lines().find_map(|each| each.strip_prefix(line));
    let kibibytes = found.and_then(|text| text.split_whitespace().next()?.parse::<f64>().ok());
    kibibytes.unwrap_or_default() / 1_024.0
}
