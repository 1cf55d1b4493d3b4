//! What a description declares, against its fixtures and its answers.

use std::collections::BTreeSet;

use super::Verdict;
use super::stage::Bench;
use crate::provider::ack::{Ack, Outcome};
use crate::provider::json::Document;
use crate::provider::xml::Xml;

pub(super) fn event_types(bench: &Bench) -> Verdict {
    let description = &bench.plugin.provider.description;
    if description.route.is_none() {
        return Verdict::left_out("it has no route: nothing comes");
    }
    if bench.stages.is_empty() {
        return Verdict::left_out("no fixture is accepted");
    }
    let news = bench.stages.iter().flat_map(|stage| stage.news(&bench.plugin));
    let seen: BTreeSet<String> = news.map(|(kind, ..)| kind).collect();
    let sources = description.event.kind.join(", ");
    let nameless = format!("{}.event", description.provider.id);
    match !sources.is_empty() && seen.iter().all(|kind| *kind == nameless) {
        true => Verdict::of(vec![format!("no accepted fixture has {sources}, which names the event")]),
        false => Verdict::noted(seen.into_iter().collect::<Vec<_>>().join(", ")),
    }
}

pub(super) fn acks(bench: &Bench) -> Verdict {
    use Outcome::{Accepted, Duplicate, Malformed, Rejected, Unavailable};
    let Some(stage) = bench.stages.first() else { return Verdict::left_out("no fixture is accepted") };
    let answer = |outcome| stage.source.ack(outcome, &stage.request, stage.now);
    let accepted = answer(Accepted);
    let mut wrong = Vec::new();
    for (name, outcome) in [("accepted", Accepted), ("duplicate", Duplicate)] {
        let ack = answer(outcome);
        if !(200..300).contains(&ack.status) {
            wrong.push(format!("{name}: status {}: the provider would come again and again", ack.status));
        }
        wrong.extend(unlike_its_type(&ack).map(|what| format!("{name}: {what}")));
    }
    for (name, outcome) in [("rejected", Rejected), ("malformed", Malformed), ("unavailable", Unavailable)] {
        let ack = answer(outcome);
        if (ack.status, &ack.body) == (accepted.status, &accepted.body) {
            wrong.push(format!("{name}: is answered as what is accepted"));
        }
        wrong.extend(unlike_its_type(&ack).map(|what| format!("{name}: {what}")));
    }
    let later = answer(Unavailable);
    if (200..300).contains(&later.status) && later.body.is_empty() {
        wrong.push(format!("unavailable: status {} and no body: the provider would not come again", later.status));
    }
    Verdict::of(wrong)
}

fn unlike_its_type(ack: &Ack) -> Option<String> {
    let kind = ack.headers.iter().find(|(name, _)| name == hyper::header::CONTENT_TYPE)?.1.to_str().ok()?;
    let broken = match kind {
        kind if kind.contains("json") => Document::parse(&ack.body).is_err(),
        kind if kind.contains("xml") => Xml::parse(&ack.body).is_err(),
        _ => false,
    };
    broken.then(|| format!("its body is not the {kind} that it says"))
}
