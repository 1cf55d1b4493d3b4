//! What one plugin that hangs costs the calls of another, inline and in a worker of its own. The hanging worker burns a
//! processor, as an endless loop does: on two of them that alone is felt, hence a plugin that sleeps stands beside it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hookport::plugin::Code;
use hookport::plugin::policy::Isolation;
use tokio::runtime::Runtime;

use crate::{code, decode, document, quantile, scaled};

/// In turns, so that a machine that gets slower is not taken for a plugin that hangs.
const ROUNDS: usize = 5;
const CALLERS: usize = 8;
const PATIENT: Duration = Duration::from_secs(10);
/// As a call has unless the configuration says otherwise.
const DEADLINE: Duration = Duration::from_secs(1);

pub(crate) fn measure() {
    println!(
        "\n{:<44} {:>9} {:>9} {:>11}",
        "another plugin's calls, 8 at once, 1 KiB", "p50 us", "p99 us", "p99 ratio"
    );
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let hostile = code("hostile", Isolation::Worker, DEADLINE);
    for (name, isolation) in [("inline", Isolation::Inline), ("in a worker", Isolation::Worker)] {
        let other = code("odd", isolation, PATIENT);
        let mut quiet = Vec::new();
        for beside in [None, Some("sleeps"), Some("hangs")] {
            let mut rounds: Vec<(f64, f64)> = (0..ROUNDS).map(|_| round(&runtime, &other, &hostile, beside)).collect();
            rounds.sort_by(|one, another| one.1.total_cmp(&another.1));
            let (p50, p99) = rounds[ROUNDS / 2];
            quiet.push(p99);
            let words = beside.map_or("alone".to_owned(), |misdeed| format!("beside one that {misdeed}"));
            println!("{:<44} {p50:>9.2} {p99:>9.2} {:>11.2}", format!("{name}, {words}"), p99 / quiet[0]);
        }
    }
}

/// Median and p99 of the other's calls while the hostile plugin does nothing but this.
fn round(runtime: &Runtime, other: &Arc<Code>, hostile: &Arc<Code>, beside: Option<&'static str>) -> (f64, f64) {
    let over = Arc::new(AtomicBool::new(false));
    let misdeeds = beside.map(|misdeed| {
        let (hostile, over) = (hostile.clone(), over.clone());
        runtime.spawn(async move {
            while !over.load(Ordering::Relaxed) {
                let _it_never_answers = decode(&hostile, "{}", misdeed).await;
            }
        })
    });
    let caller = |_| {
        let (other, document) = (other.clone(), document(1 << 10));
        runtime.spawn(async move {
            let mut times = Vec::new();
            for _ in 0..scaled(20_000) / CALLERS {
                let begun = Instant::now();
                decode(&other, &document, "typed").await.expect("decoded");
                times.push(begun.elapsed());
                tokio::time::sleep(Duration::from_micros(100)).await;
            }
            times
        })
    };
    let callers: Vec<_> = (0..CALLERS).map(caller).collect();
    let mut times: Vec<_> = callers.into_iter().flat_map(|caller| runtime.block_on(caller).expect("it ends")).collect();
    over.store(true, Ordering::Relaxed);
    misdeeds.map(|misdeeds| runtime.block_on(misdeeds));
    (quantile(&mut times, 0.5), quantile(&mut times, 0.99))
}
