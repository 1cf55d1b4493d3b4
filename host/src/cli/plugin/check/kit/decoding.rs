//! The decoder with what its provider really sends: always the same events, whoever asks, whenever, and whatever becomes of
//! the memory that it was lent.

use std::thread;
use std::time::Duration;

use super::Verdict;
use super::stage::{Bench, News, Stage, document};
use crate::plugin::{Code, DecodedEvent, FaultKind};

const THREADS: usize = 8;
/// Of each thread.
const ROUNDS: usize = 25;
/// More than a second, which is what code that writes the time down writes.
const A_WHILE: Duration = Duration::from_millis(1_100);
/// So much is mapped for itself and unmapped when it is dropped.
const MAPPED: usize = 64 << 20;
/// A long text within a document that a gateway takes.
const LARGE: usize = 512 << 10;

/// Runs a check on every fixture of a provider with a decoder.
fn each(bench: &Bench, check: impl Fn(&Stage, &Code) -> Vec<String>) -> Verdict {
    let Some(code) = bench.code().filter(|code| code.decodes()) else { return Verdict::left_out("it has no decoder") };
    if bench.stages.is_empty() {
        return Verdict::left_out("no fixture is accepted");
    }
    let told = |stage: &Stage| {
        let wrong = check(stage, code);
        wrong.into_iter().map(|what| format!("{}: {what}", stage.name)).collect::<Vec<_>>()
    };
    Verdict::of(bench.stages.iter().flat_map(told).collect())
}

fn same(expected: &[News], came: &[News], when: &str) -> Vec<String> {
    if expected == came { Vec::new() } else { vec![format!("{when} it gives other events")] }
}

pub(super) fn deterministic(bench: &Bench) -> Verdict {
    each(bench, |stage, _| {
        let first = stage.news(&bench.plugin);
        (0..3).flat_map(|_| same(&first, &stage.news(&bench.plugin), "asked again")).take(1).collect()
    })
}

pub(super) fn parallel(bench: &Bench) -> Verdict {
    each(bench, |stage, _| {
        let expected = stage.news(&bench.plugin);
        let differs = || (0..ROUNDS).any(|_| stage.news(&bench.plugin) != expected);
        let differs = thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(differs)).collect();
            threads.into_iter().filter_map(|thread| thread.join().ok()).any(|differs| differs)
        });
        if differs { vec![format!("{THREADS} threads at once get other events")] } else { Vec::new() }
    })
}

pub(super) fn wall_clock(bench: &Bench) -> Verdict {
    let before: Vec<_> = bench.stages.iter().map(|stage| stage.news(&bench.plugin)).collect();
    thread::sleep(A_WHILE);
    each(bench, |stage, _| {
        let place = bench.stages.iter().position(|other| other.name == stage.name).unwrap_or_default();
        same(&before[place], &stage.news(&bench.plugin), "a second later, with the same time of receipt,")
    })
}

pub(super) fn borrowed_memory(bench: &Bench) -> Verdict {
    each(bench, |stage, code| {
        let mut wrong = Vec::new();
        for item in stage.items(stage.now) {
            let lend = |capacity: usize, ending: fn(Vec<u8>, Vec<u8>)| {
                let lent = |text: &[u8]| {
                    let mut memory = Vec::with_capacity(capacity);
                    memory.extend_from_slice(text);
                    memory
                };
                let (body, text) = (lent(&stage.request.body), lent(document(&item).as_bytes()));
                let given = std::str::from_utf8(&text).unwrap_or_default();
                let events = stage.decode(code, &item.declared.kind, &body, given);
                ending(body, text);
                events
            };
            let expected = lend(MAPPED, |body, text| drop((body, text)));
            let expected = expected.ok();
            let written_over = lend(0, |mut body, mut text| {
                body.fill(0xa5);
                text.fill(0xa5);
                // The memory lives on with other bytes in it.
                std::mem::forget((body, text));
            });
            let after = lend(MAPPED, |body, text| drop((body, text)));
            if written_over.ok() != expected || after.ok() != expected {
                wrong.push("when the memory of the call before is gone it gives other events".to_owned());
            }
        }
        wrong
    })
}

pub(super) fn unknown_type(bench: &Bench) -> Verdict {
    each(bench, |stage, code| {
        let told = |item: &crate::provider::item::Item| match stage.decode(
            code,
            "a-type.that-nobody.knows",
            &stage.request.body,
            document(item),
        ) {
            Ok(events) if !events.is_empty() => None,
            Ok(_) => Some("an event of an unknown type is swallowed".to_owned()),
            Err(fault) => Some(format!("an event of an unknown type is not passed on: {fault}")),
        };
        stage.items(stage.now).iter().filter_map(told).take(1).collect()
    })
}

pub(super) fn large(bench: &Bench) -> Verdict {
    each(bench, |stage, code| {
        let told = |item: &crate::provider::item::Item| {
            let text = document(item);
            // One more member in front; what is no object stays as it is.
            let text = match text.strip_prefix('{') {
                Some("}") | None => return None,
                Some(rest) => format!("{{\"hookport_padding\":\"{}\",{rest}", "x".repeat(LARGE)),
            };
            match stage.decode(code, &item.declared.kind, text.as_bytes(), &text) {
                Err(fault) if fault.kind != FaultKind::Refused => Some(format!("with {LARGE} more bytes: {fault}")),
                Err(fault) => Some(format!("a large event is refused: {fault}")),
                Ok(events) => much(&events),
            }
        };
        stage.items(stage.now).iter().filter_map(told).take(1).collect()
    })
}

fn much(events: &[DecodedEvent]) -> Option<String> {
    let bytes: usize = events.iter().filter_map(|event| event.data.as_ref()).map(|data| data.len()).sum();
    (bytes > 16 * LARGE).then(|| format!("of {LARGE} bytes it makes {bytes}"))
}
