//! The gateway against a bare HTTP server, in one run: durable acks, delivery beside them, decoding, memory, starting,
//! and 10,000 senders that are idle or slow.
//!
//! `cargo bench -p hookport-tests --bench gateway -- [--only sync,ingest,delivery,isolation,decode,idle,slow] [--connections 1,16,64,256]
//! [--seconds 3] [--bytes 500,3072]`; `HOOKPORT_BENCH_QUICK=1` takes a fraction of the time. Journals lie below `target/`.

mod gateway {
    pub(crate) mod bare;
    pub(crate) mod cpu;
    pub(crate) mod decode;
    pub(crate) mod delivery;
    pub(crate) mod idle;
    pub(crate) mod isolation;
    pub(crate) mod load;
    pub(crate) mod running;
    pub(crate) mod slow;
    pub(crate) mod sync;
}
#[path = "../it/shipped.rs"]
mod shipped;
#[path = "../it/tally.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod tally;

use std::time::Duration;

use self::gateway::bare::Bare;
use self::gateway::load::{Load, Measured};
use self::gateway::running::Running;
use self::gateway::{decode, delivery, idle, isolation, slow, sync};

/// What is measured, and for how long.
pub(crate) struct Arguments {
    only: Vec<String>,
    connections: Vec<usize>,
    bytes: Vec<usize>,
    pub(crate) span: Duration,
}

fn main() {
    let arguments = arguments();
    let wanted = |name: &str| arguments.only.is_empty() || arguments.only.iter().any(|only| only == name);
    if wanted("sync") {
        sync::measure();
    }
    if wanted("ingest") {
        ingest(&arguments);
    }
    if wanted("delivery") {
        delivery::measure(&arguments);
    }
    if wanted("isolation") {
        isolation::measure(&arguments);
    }
    if wanted("decode") {
        decode::measure();
    }
    if wanted("idle") {
        idle::measure();
    }
    if wanted("slow") {
        slow::measure();
    }
    if wanted("sync") {
        sync::measure();
    }
}

fn arguments() -> Arguments {
    let quick = std::env::var_os("HOOKPORT_BENCH_QUICK").is_some();
    let mut arguments = Arguments {
        only: Vec::new(),
        connections: if quick { vec![64] } else { vec![1, 16, 64, 256] },
        bytes: if quick { vec![500] } else { vec![500, 3_072] },
        span: Duration::from_millis(if quick { 700 } else { 3_000 }),
    };
    let numbers = |text: String| text.split(',').map(|number| number.parse().expect("a number")).collect();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().expect("a value");
        match word.as_str() {
            "--only" => arguments.only = value().split(',').map(str::to_owned).collect(),
            "--connections" => arguments.connections = numbers(value()),
            "--bytes" => arguments.bytes = numbers(value()),
            "--seconds" => arguments.span = Duration::from_secs(value().parse().expect("a number")),
            _ => {}
        }
    }
    arguments
}

/// The same requests to both, a fresh journal for each row.
fn ingest(arguments: &Arguments) {
    println!(
        "\n{:<42} {:>8} {:>8} {:>8} {:>8} {:>8} {:>7}",
        "durable, verified acks", "req/s", "p50 ms", "p99", "p99.9", "cpu us", "of bare"
    );
    for bytes in &arguments.bytes {
        for connections in &arguments.connections {
            let load = Load::new(*bytes, *connections, arguments.span);
            let name = |what: &str| format!("{what}, {bytes} bytes, {connections} connections");
            let bare = Bare::start();
            let against = load.run(bare.address);
            drop(bare);
            row(&name("bare hyper"), &against, None);
            let gateway = Running::start("");
            let measured = load.run(gateway.address);
            gateway.stop();
            row(&name("gateway"), &measured, Some(&against));
        }
    }
}

fn row(name: &str, measured: &Measured, against: Option<&Measured>) {
    let milliseconds = |part: f64| measured.quantile(part) as f64 / 1e3;
    let ratio = against.map_or(String::new(), |against| format!("{:.0} %", 100.0 * measured.rate() / against.rate()));
    println!(
        "{name:<42} {:>8.0} {:>8.3} {:>8.3} {:>8.3} {:>8.1} {ratio:>7}",
        measured.rate(),
        milliseconds(0.5),
        milliseconds(0.99),
        milliseconds(0.999),
        measured.cpu_us(),
    );
}
