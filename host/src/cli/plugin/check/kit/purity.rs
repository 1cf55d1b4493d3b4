//! Behind the walls of a worker, where a plugin can compute and nothing else: it must give there what it gives without them.

use std::time::Duration;

use super::Verdict;
use super::stage::Bench;
use crate::gateway::Plugin;
use crate::plugin::policy::{Isolation, Limits, Policy, Terms};
use crate::plugin::{CodeState, load_by};

/// A busy machine is not the plugin's fault.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn walls(bench: &Bench) -> Verdict {
    let Some(code) = bench.code().filter(|code| code.decodes()) else { return Verdict::left_out("it has no decoder") };
    if bench.stages.is_empty() {
        return Verdict::left_out("no fixture is accepted");
    }
    let limits = Limits { deadline: PATIENCE, ..Limits::default() };
    let general = Terms { isolation: Isolation::Worker, limits };
    let policy = Policy { general, ..Policy::default() };
    let loaded = load_by(&bench.subject.file, &policy).map_err(|error| error.to_string());
    let walled = match loaded.and_then(Plugin::compile) {
        Ok(walled) => walled,
        Err(error) => return Verdict::of(vec![error]),
    };
    let Some(Err(why)) = walled.code.as_ref().map(|code| code.try_start()) else {
        let mut wrong = Vec::new();
        for stage in &bench.stages {
            match stage.undecoded(&walled) {
                Some(why) => wrong.push(format!("{}: in a worker: {why}", stage.name)),
                None if stage.news(&walled) != stage.news(&bench.plugin) => {
                    wrong.push(format!("{}: in a worker it gives other events", stage.name));
                }
                None => {}
            }
        }
        let state = walled.code.as_ref().map(|code| code.state());
        code.quiesce();
        let Some(CodeState { held_by: Some(held), refused, .. }) = state else { return Verdict::of(wrong) };
        let refused = (!refused.is_empty()).then(|| format!("it was refused the system calls {}", refused.join(", ")));
        return match wrong.is_empty() {
            true => {
                Verdict::noted([format!("held in by {held}")].into_iter().chain(refused).collect::<Vec<_>>().join("; "))
            }
            false => Verdict::of(refused.into_iter().chain(wrong).collect()),
        };
    };
    Verdict::of(vec![format!("its worker {why}")])
}
