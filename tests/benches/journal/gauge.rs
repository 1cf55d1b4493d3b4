//! How many acks a second, how late, and what they cost this process.

use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// Acks a second, and milliseconds.
pub(crate) struct Measured {
    pub(crate) rate: f64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

/// What the columns are.
pub(crate) fn heading() {
    println!(
        "{:<34} {:>9} {:>8} {:>8} {:>8} {:>8} {:>7} {:>8}",
        "", "acks/s", "p50 ms", "p99", "p99.9", "max", "cpu us", "bytes"
    );
}

/// Producers that each wait for their own ack before the next; prints a line.
pub(crate) fn measure<F>(
    name: &str,
    producers: usize,
    seconds: u64,
    runtime: &Runtime,
    ack: impl Fn(usize) -> F + Clone + Send + 'static,
) -> Measured
where
    F: Future<Output = ()> + Send + 'static,
{
    let (bytes, cpu, begun) = (written(), cpu_us(), Instant::now());
    let end = begun + Duration::from_secs(seconds);
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
