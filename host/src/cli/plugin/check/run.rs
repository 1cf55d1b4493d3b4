//! Every case of a plugin, in order, a few at a time where each has a process of its own.

use std::num::NonZero;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::cases::{self, CaseReport};
use super::kit::{Subject, Told, Verdict, apart};
use crate::gateway::Plugin;

/// What came of the fixtures, and of the kit.
pub(super) fn all(subject: &Subject, plugin: &Plugin, native: bool) -> (Vec<CaseReport>, Vec<Told>) {
    let fixtures = cases::files(&subject.fixtures);
    let kit = subject.cases(native);
    if !native {
        let reports = fixtures.iter().map(|file| CaseReport::of(plugin, file, subject.whole)).collect();
        let run = |case: &str| subject.run(case).unwrap_or_else(|error| Verdict::of(vec![error]));
        return (reports, kit.into_iter().map(|case| Told::of(case, run(case.0))).collect());
    }
    let named = fixtures.iter().map(|file| format!("fixture/{}", cases::name(file)));
    let names: Vec<String> = named.chain(kit.iter().map(|(name, _)| (*name).to_owned())).collect();
    let mut verdicts = side_by_side(subject, &names).into_iter();
    let report = |(file, verdict): (&PathBuf, Verdict)| {
        let differences = match verdict.is_good() {
            true => Vec::new(),
            false => [verdict.result.to_string()].into_iter().chain(verdict.details).collect(),
        };
        CaseReport::told(file, differences)
    };
    let reports = fixtures.iter().zip(verdicts.by_ref()).map(report).collect();
    (reports, kit.into_iter().zip(verdicts).map(|(case, verdict)| Told::of(case, verdict)).collect())
}

/// The verdicts in the order of the names.
fn side_by_side(subject: &Subject, names: &[String]) -> Vec<Verdict> {
    let next = AtomicUsize::new(0);
    let verdicts = Mutex::new(Vec::new());
    let work = || {
        while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)).map(String::as_str) {
            let verdict = (name, apart(subject, name));
            verdicts.lock().unwrap_or_else(PoisonError::into_inner).push(verdict);
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get).min(4) {
            scope.spawn(work);
        }
    });
    let mut verdicts = verdicts.into_inner().unwrap_or_else(PoisonError::into_inner);
    verdicts.sort_by_key(|(name, _)| names.iter().position(|other| other == name));
    verdicts.into_iter().map(|(_, verdict)| verdict).collect()
}
