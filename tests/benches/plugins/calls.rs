//! One call: without a plugin, through the library, in a worker.

use std::borrow::Cow;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hookport::plugin::policy::Isolation;
use hookport::plugin::{Code, DecodedEvent};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::runtime::Runtime;

use crate::{code, decode, document, quantile, scaled};

const DEADLINE: Duration = Duration::from_secs(10);
/// So many calls under way where several are.
const WINDOW: usize = 32;

pub(crate) fn measure() {
    println!("{:<44} {:>9} {:>9} {:>11}", "decoding one request", "p50 us", "p99 us", "calls/s");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let (inline, worker) = (code("odd", Isolation::Inline, DEADLINE), code("odd", Isolation::Worker, DEADLINE));
    for kib in [1, 16, 64] {
        let document: Arc<str> = document(kib << 10).into();
        let count = scaled(20_000);
        row(kib, "static", alone(count, || drop(black_box(directly(&document)))));
        let call = |code: &Code| runtime.block_on(decode(code, &document, "typed")).expect("decoded");
        row(kib, "inline", alone(count, || drop(black_box(call(&inline)))));
        row(kib, "worker, one after the other", single(&runtime, &worker, &document, count));
        row(kib, &format!("worker, {WINDOW} at once"), several(&runtime, &worker, &document, count));
    }
}

fn row(kib: usize, name: &str, (mut times, took): (Vec<Duration>, Duration)) {
    let rate = times.len() as f64 / took.as_secs_f64();
    let (p50, p99) = (quantile(&mut times, 0.5), quantile(&mut times, 0.99));
    println!("{:<44} {p50:>9.2} {p99:>9.2} {rate:>11.0}", format!("{kib} KiB, {name}"));
}

/// What the plugin does for this event, compiled into this program.
fn directly(document: &str) -> DecodedEvent {
    #[derive(Deserialize)]
    struct Stopped<'a> {
        #[serde(borrow)]
        iccid: Cow<'a, str>,
        n: Option<f64>,
    }
    let raw: &RawValue = serde_json::from_str(document).expect("JSON");
    let stopped: Stopped<'_> = serde_json::from_str(raw.get()).expect("as documented");
    black_box((stopped.iccid, stopped.n));
    DecodedEvent::default()
}

fn alone(count: usize, mut call: impl FnMut()) -> (Vec<Duration>, Duration) {
    (0..count / 10).for_each(|_| call());
    let begun = Instant::now();
    let time = |_| {
        let begun = Instant::now();
        call();
        begun.elapsed()
    };
    ((0..count).map(time).collect(), begun.elapsed())
}

fn single(runtime: &Runtime, code: &Arc<Code>, document: &Arc<str>, count: usize) -> (Vec<Duration>, Duration) {
    let (code, document) = (code.clone(), document.clone());
    let calls = runtime.spawn(async move { timed(&code, &document, count).await });
    let begun = Instant::now();
    (runtime.block_on(calls).expect("they end"), begun.elapsed())
}

fn several(runtime: &Runtime, code: &Arc<Code>, document: &Arc<str>, count: usize) -> (Vec<Duration>, Duration) {
    let begun = Instant::now();
    let spawn = |_| {
        let (code, document) = (code.clone(), document.clone());
        runtime.spawn(async move { timed(&code, &document, count / WINDOW).await })
    };
    let calls: Vec<_> = (0..WINDOW).map(spawn).collect();
    let times = calls.into_iter().flat_map(|call| runtime.block_on(call).expect("they end")).collect();
    (times, begun.elapsed())
}

async fn timed(code: &Code, document: &str, count: usize) -> Vec<Duration> {
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let begun = Instant::now();
        decode(code, document, "typed").await.expect("decoded");
        times.push(begun.elapsed());
    }
    times
}
