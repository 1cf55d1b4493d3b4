//! Loading: a fresh process, two copies in one, an older gateway and a newer one.

use hookport_plugin_api::identity::ABI_MINOR;

use super::stage::{Bench, Stage};
use super::{Subject, Verdict, operations};
use crate::gateway::Plugin;
use crate::plugin::policy::{Policy, Tables};

/// What each fixture gives that is not as it should be.
fn undecoded(bench: &Bench) -> Vec<String> {
    let told = |stage: &Stage| Some(format!("{}: {}", stage.name, stage.undecoded(&bench.plugin)?));
    bench.stages.iter().filter_map(told).collect()
}

pub(super) fn opens(bench: &Bench) -> Verdict {
    let wrong = undecoded(bench);
    bench.code().iter().for_each(|code| code.quiesce());
    Verdict::of(wrong)
}

pub(super) fn two_copies(bench: &Bench) -> Verdict {
    let before: Vec<_> = bench.stages.iter().map(|stage| stage.news(&bench.plugin)).collect();
    let second = match Bench::set(&Subject { ..bench.subject.clone() }) {
        Ok(second) => second,
        Err(error) => return Verdict::of(vec![format!("the second copy: {error}")]),
    };
    let mut wrong = Vec::new();
    for (stage, expected) in bench.stages.iter().zip(&before) {
        for (which, plugin) in [("second", &second.plugin), ("first", &bench.plugin)] {
            if stage.news(plugin) != *expected {
                wrong.push(format!("{}: the {which} copy gives other events beside the other", stage.name));
            }
        }
    }
    second.code().iter().for_each(|code| code.quiesce());
    for (stage, expected) in bench.stages.iter().zip(&before) {
        if stage.news(&bench.plugin) != *expected {
            wrong.push(format!("{}: the first copy gives other events when the second has ended", stage.name));
        }
    }
    Verdict::of(wrong)
}

pub(super) fn older_host(bench: &Bench) -> Verdict {
    let Some(older) = ABI_MINOR.checked_sub(1) else { return Verdict::left_out("no gateway is older than ABI 1.0") };
    let needs =
        crate::plugin::inspect(&bench.subject.file).ok().and_then(|told| told.code).map(|code| code.abi_at_least);
    let minor = needs.as_deref().and_then(|needs| needs.split_once('.')?.1.parse::<u16>().ok());
    match minor {
        Some(minor) if minor > older => {
            Verdict::noted(format!("it needs a gateway of ABI 1.{minor} or newer, and says so"))
        }
        _ => same_with(bench, Tables::Older),
    }
}

pub(super) fn newer_host(bench: &Bench) -> Verdict {
    same_with(bench, Tables::Newer)
}

/// Whether the fixtures give what they give with the tables of this gateway.
fn same_with(bench: &Bench, tables: Tables) -> Verdict {
    let policy = Policy { tables, ..Policy::inline() };
    let loaded = crate::plugin::load_by(&bench.subject.file, &policy).map_err(|error| error.to_string());
    let other = match loaded.and_then(Plugin::compile) {
        Ok(other) => other,
        Err(error) => return Verdict::of(vec![error]),
    };
    let differs = |stage: &&Stage| stage.news(&other) != stage.news(&bench.plugin);
    let wrong = bench.stages.iter().filter(differs);
    let wrong = wrong.map(|stage| format!("{}: it gives other events with a table of another length", stage.name));
    let wrong = wrong.chain(operations::exchanged(bench, &other)).collect();
    other.code.iter().for_each(|code| code.quiesce());
    Verdict::of(wrong)
}

pub(super) fn functions(bench: &Bench) -> Verdict {
    let Some(code) = bench.code() else { return Verdict::left_out("it has no code") };
    let description = &bench.plugin.provider.description;
    let mut wrong = Vec::new();
    if !code.decodes() && !code.operates() && !bench.plugin.provider.asks_code() {
        let message =
            "it has neither decode nor canonicalize nor op_build and op_parse: its description alone would do";
        wrong.push(message.to_owned());
    }
    let built = description.operations.iter().filter(|operation| operation.request.is_none());
    for operation in built.filter(|_| !code.operates()) {
        wrong.push(format!("the operation {:?} has no [operations.request], and there is no op_build", operation.id));
    }
    if code.decodes() && description.route.is_none() {
        wrong.push("it has decode, and no [route] by which anything to decode could come".to_owned());
    }
    Verdict::of(wrong)
}
