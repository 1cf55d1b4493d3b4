//! One or several hosts on one journal: what they take in together, and how fast they get it out again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use hookport::clock::Clock;
use hookport::event::Event;
use hookport::journal::postgres::{self, Options};
use hookport::journal::{Attempt, Committed, Journal, Observer, Outcome, Plan, Recorded, Settled};
use tokio::runtime::Runtime;

use super::cluster::{Cluster, Place};
use crate::Arguments;
use crate::events::request;
use crate::gauge::{measure, runtime};

/// Deliveries that a lane claims at once.
const AT_ONCE: usize = 256;

/// Everything goes there.
pub(crate) struct ToCrm(pub(crate) Arc<str>);

impl Plan for ToCrm {
    fn plan(&self, _: &Event, _: &mut Vec<String>) -> Vec<Arc<str>> {
        vec![self.0.clone()]
    }
}

/// Counts commits and what was in them.
#[derive(Default)]
struct Commits {
    count: AtomicUsize,
    requests: AtomicUsize,
}

impl Observer for Commits {
    fn committed(&self, group: Committed) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.requests.fetch_add(group.requests, Ordering::Relaxed);
    }

    fn failed(&self) {}
}

pub(crate) struct Hosts {
    name: String,
    journals: Vec<Arc<dyn Journal>>,
    commits: Arc<Commits>,
    runtime: Runtime,
}

impl Hosts {
    /// So many on a place of their own.
    pub(crate) fn open(cluster: &Cluster, count: usize) -> Self {
        Self::at(&cluster.place(), count)
    }

    pub(crate) fn at(place: &Place, count: usize) -> Self {
        let commits = Arc::<Commits>::default();
        let host = || -> Arc<dyn Journal> {
            let plan = Arc::new(ToCrm("crm".into()));
            let options = Options::new(&*place.url, &*place.schema, Clock::default(), plan);
            postgres::open(Options { observer: commits.clone(), ..options }).expect("a journal")
        };
        let journals = (0..count).map(|_| host()).collect();
        Self { commits, ..Self::of(journals, &format!("PostgreSQL, {count} hosts")) }
    }

    pub(crate) fn of(journals: Vec<Arc<dyn Journal>>, name: &str) -> Self {
        Self { name: name.to_owned(), journals, commits: Arc::default(), runtime: runtime() }
    }

    /// Acks a second of all.
    pub(crate) fn ingest(&self, arguments: &Arguments) -> f64 {
        static RUN: AtomicUsize = AtomicUsize::new(1);
        let run = RUN.fetch_add(1, Ordering::Relaxed) << 48;
        let journals = self.journals.clone();
        let ack = move |number: usize| {
            // The producer's number is above the 32nd bit.
            let recorded = journals[(number >> 32) % journals.len()].record(request(run + number));
            async move {
                assert!(matches!(recorded.await.expect("recorded"), Recorded::Accepted(_)));
            }
        };
        measure(&self.name, arguments.producers, arguments.seconds, &self.runtime, ack).rate
    }

    /// Requests in a commit, so far.
    pub(crate) fn batch(&self) -> f64 {
        self.commits.requests.load(Ordering::Relaxed) as f64 / self.commits.count.load(Ordering::Relaxed).max(1) as f64
    }

    /// Claims and settles everything, each host for itself.
    pub(crate) fn drain(&self) -> f64 {
        let begun = Instant::now();
        let count: usize = self.runtime.block_on(async {
            let hosts: Vec<_> = self.journals.iter().map(|journal| tokio::spawn(drain(journal.clone()))).collect();
            let mut count = 0;
            for host in hosts {
                count += host.await.expect("drained");
            }
            count
        });
        let rate = count as f64 / begun.elapsed().as_secs_f64();
        println!("  {rate:.0} deliveries/s claimed and settled");
        rate
    }

    pub(crate) fn close(self) {
        for journal in &self.journals {
            self.runtime.block_on(journal.close()).expect("closed");
        }
    }

    /// Records so many more, and delivers them.
    pub(crate) fn store(&self, first: usize, count: usize) {
        const GROUP: usize = 2_000;
        let journal = &self.journals[0];
        self.runtime.block_on(async {
            for group in (first..first + count).step_by(GROUP) {
                let waiting: Vec<_> = (group..(group + GROUP).min(first + count))
                    .map(|number| journal.record(request((1 << 60) + number)))
                    .collect();
                for recorded in waiting {
                    recorded.await.expect("recorded");
                }
                drain(journal.clone()).await;
            }
        });
    }
}

/// Until nothing is due any more; says how many.
async fn drain(journal: Arc<dyn Journal>) -> usize {
    let mut count = 0;
    loop {
        let claimed = journal.claim("crm", AT_ONCE, Clock::default().now()).await.expect("claimed");
        if claimed.is_empty() {
            return count;
        }
        count += claimed.len();
        journal.settle(claimed.iter().map(|claimed| delivered(claimed.delivery)).collect()).await.expect("settled");
    }
}

fn delivered(delivery: u64) -> Settled {
    let attempt = Attempt { at: Clock::default().now(), took_ms: 3, status: Some(200), error: None, answer: None };
    Settled { delivery, attempt, outcome: Outcome::Delivered }
}
