//! Delivery to a local receiver while events come in, and how long the rest takes.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::bare::Bare;
use super::load::Load;
use super::running::Running;
use crate::Arguments;

/// Longer than any backlog of this load takes.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn measure(arguments: &Arguments) {
    println!(
        "\n{:<34} {:>9} {:>12} {:>9} {:>9} {:>11}",
        "500 bytes, 64 connections", "acks/s", "delivered/s", "backlog", "drained s", "sustained/s"
    );
    for concurrency in [16, 64] {
        let load = Load::new(500, 64, arguments.span);
        let receiver = Bare::start();
        let gateway = Running::start(&format!("url = \"http://{}/\"\nconcurrency = {concurrency}", receiver.address));
        let begun = Instant::now();
        let measured = load.run(gateway.address);
        let during = receiver.taken.load(Ordering::Relaxed);
        while receiver.taken.load(Ordering::Relaxed) < measured.count() {
            assert!(
                begun.elapsed() < PATIENCE,
                "{} of {} are delivered",
                receiver.taken.load(Ordering::Relaxed),
                measured.count()
            );
            std::thread::sleep(Duration::from_millis(2));
        }
        let all = begun.elapsed();
        // Settled as well, and not only received.
        while gateway.block_on(gateway.journal.stats()).expect("a journal").open > 0 {
            assert!(begun.elapsed() < PATIENCE, "the backlog does not return to zero");
            std::thread::sleep(Duration::from_millis(2));
        }
        println!(
            "{:<34} {:>9.0} {:>12.0} {:>9} {:>9.2} {:>11.0}",
            format!("{concurrency} deliveries at once"),
            measured.rate(),
            during as f64 / measured.took().as_secs_f64(),
            measured.count() - during,
            (all - measured.took()).as_secs_f64(),
            measured.count() as f64 / all.as_secs_f64(),
        );
        gateway.stop();
    }
}
