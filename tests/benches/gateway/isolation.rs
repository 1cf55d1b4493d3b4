//! One destination alone, and beside one that never answers: what the dead one costs the other.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::bare::Bare;
use super::load::Load;
use super::running::Running;
use crate::Arguments;

/// Longer than any backlog of this load takes.
const PATIENCE: Duration = Duration::from_secs(120);
/// In turns, so that a machine that gets slower is not taken for a dead destination.
const ROUNDS: usize = 3;

pub(crate) fn measure(arguments: &Arguments) {
    println!("\n{:<42} {:>11} {:>12}", "deliveries/s of a good destination", "sustained/s", "last after s");
    let dead = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let dead = dead.local_addr().map(|address| (dead, address)).expect("an address");
    let route = |timeout: &str| {
        let address = dead.1;
        format!(
            "[[routes]]\nto = [\"dead\"]\n[destinations.dead]\nkind = \"http\"\nallow_private = true\nurl = \
             \"http://{address}/\"\ntimeout = \"{timeout}\"\nconnect_timeout = \"1s\""
        )
    };
    let rows = [
        ("alone", String::new()),
        ("beside one that never answers", route("10m")),
        ("beside one that fails every second", route("1s")),
    ];
    let mut rates = vec![Vec::new(); rows.len()];
    for _ in 0..ROUNDS {
        for ((_, beside), rates) in rows.iter().zip(&mut rates) {
            rates.push(drained(arguments, beside));
        }
    }
    let median = |mut of: Vec<(f64, f64)>| {
        of.sort_by(|one, other| one.0.total_cmp(&other.0));
        of[of.len() / 2]
    };
    let medians: Vec<_> = rates.into_iter().map(median).collect();
    for ((name, _), (rate, after)) in rows.iter().zip(&medians) {
        let ratio = 100.0 * rate / medians[0].0;
        println!("{name:<42} {rate:>11.0} {after:>12.2}   {ratio:.0} %");
    }
}

/// Events for both come in; how fast the good one gets its own, and how long after the last one it has all.
fn drained(arguments: &Arguments, beside: &str) -> (f64, f64) {
    let load = Load::new(500, 64, arguments.span);
    let receiver = Bare::start();
    let gateway = Running::start(&format!("url = \"http://{}/\"\n{beside}", receiver.address));
    let begun = Instant::now();
    let measured = load.run(gateway.address);
    while receiver.taken.load(Ordering::Relaxed) < measured.count() {
        assert!(begun.elapsed() < PATIENCE, "the good destination is held up");
        std::thread::sleep(Duration::from_millis(2));
    }
    let all = begun.elapsed();
    gateway.stop();
    (measured.count() as f64 / all.as_secs_f64(), (all - measured.took()).as_secs_f64())
}
