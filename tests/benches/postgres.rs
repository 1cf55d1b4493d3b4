//! The journal in PostgreSQL with one, two and four hosts, against the embedded one and against raw inserts, in one run.
//!
//! `cargo bench -p hookport-tests --bench postgres -- [--seconds 5] [--producers 256] [--hosts 1,2,4]
//! [--grow 10000,100000,1000000]`; needs PostgreSQL's server programs. The server lies below the temporary folder; set
//! `TMPDIR` to choose the disk. `--grow` fills one journal to so many events, one after the other, and measures at each.

#[path = "journal/events.rs"]
mod events;
#[path = "journal/gauge.rs"]
#[expect(dead_code, reason = "the journal's benchmark reads the rest of what is measured")]
mod gauge;
mod postgres {
    #[path = "../../it/postgres/cluster.rs"]
    #[expect(dead_code, reason = "the tests use the rest")]
    pub(crate) mod cluster;
    pub(crate) mod grow;
    pub(crate) mod hosts;
    pub(crate) mod raw;
}
/// What the tests' server asks for.
mod process {
    pub(crate) const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);
}

use std::sync::Arc;

use hookport::clock::Clock;
use hookport::journal::{Journal, sqlite};

use self::postgres::cluster::Cluster;
use self::postgres::hosts::{Hosts, ToCrm};
use self::postgres::{grow, raw};

struct Arguments {
    seconds: u64,
    producers: usize,
    hosts: Vec<usize>,
    grow: Vec<usize>,
}

fn main() {
    let arguments = arguments();
    let cluster = Cluster::new();
    if !arguments.grow.is_empty() {
        return grow::measure(&cluster, &arguments);
    }
    let raw = raw::inserts(&cluster, &arguments);
    println!("{:<34} {raw:>9.0} rows/s", "raw inserts (pgbench)");
    gauge::heading();
    let embedded = embedded(&arguments);
    for count in &arguments.hosts {
        let hosts = Hosts::open(&cluster, *count);
        let rate = hosts.ingest(&arguments);
        println!(
            "  {:.0} % of raw inserts, {:.0} % of the embedded journal; {:.1} requests in a commit",
            100.0 * rate / raw,
            100.0 * rate / embedded,
            hosts.batch()
        );
        hosts.drain();
        hosts.close();
    }
}

fn arguments() -> Arguments {
    let mut arguments = Arguments { seconds: 5, producers: 256, hosts: vec![1, 2, 4], grow: Vec::new() };
    let numbers = |text: String| text.split(',').map(|number| number.parse().expect("a number")).collect();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().expect("a value");
        match word.as_str() {
            "--seconds" => arguments.seconds = value().parse().expect("a number"),
            "--producers" => arguments.producers = value().parse().expect("a number"),
            "--hosts" => arguments.hosts = numbers(value()),
            "--grow" => arguments.grow = numbers(value()),
            _ => {}
        }
    }
    arguments
}

fn embedded(arguments: &Arguments) -> f64 {
    let folder = tempfile::tempdir().expect("a folder");
    let plan = Arc::new(ToCrm("crm".into()));
    let journal: Arc<dyn Journal> =
        sqlite::open(sqlite::Options::new(folder.path().join("data"), Clock::default(), plan)).expect("a journal");
    let hosts = Hosts::of(vec![journal], "embedded journal");
    let rate = hosts.ingest(arguments);
    hosts.drain();
    hosts.close();
    rate
}
