//! `[[routes]]` and `[[polls]]`: what they name must be there.

use std::collections::BTreeMap;

use hookport_plugin_api::description::SettingValue;

use super::{Check, quoted};
use crate::config::resolved::{Destination, Format, Input, Poll, Source};
use crate::config::written::{self, Route};
use crate::event::OWN_SOURCE;
use crate::provider::complaint::did_you_mean;

impl Check<'_> {
    pub(super) fn routes(
        &mut self,
        sources: &BTreeMap<String, Source>,
        destinations: &BTreeMap<String, Destination>,
    ) -> Vec<Route> {
        let draft = self.draft;
        let written = &draft.written.routes;
        for (route, at) in written.iter().zip(&draft.route_places) {
            self.route(at, route);
            self.raw_of_masked(at, route, sources, destinations);
        }
        written.clone()
    }

    fn route(&mut self, at: &str, route: &Route) {
        let draft = self.draft;
        for name in route.sources.iter().flatten().filter(|name| *name != OWN_SOURCE) {
            self.named(&["routes", at, "sources"], "sources", name, draft.written.sources.keys());
        }
        for name in &route.to {
            self.named(&["routes", at, "to"], "destinations", name, draft.written.destinations.keys());
        }
        if route.to.is_empty() {
            self.complain(&["routes", at, "to"], "is empty: name at least one destination");
        }
        for (key, list) in [("sources", &route.sources), ("types", &route.types)] {
            if list.as_ref().is_some_and(Vec::is_empty) {
                self.complain(
                    &["routes", at, key],
                    "is empty, so that nothing would match: name some, or leave it out",
                );
            }
        }
        if let Some(Err(message)) = route.when.as_deref().map(self.rules.compile) {
            self.complain(&["routes", at, "when"], format!("is not a CEL expression: {message}"));
        }
    }

    /// A `raw` delivery is the provider's own bytes, which nobody masks.
    fn raw_of_masked(
        &mut self,
        at: &str,
        route: &Route,
        sources: &BTreeMap<String, Source>,
        destinations: &BTreeMap<String, Destination>,
    ) {
        let raw = |name: &&String| destinations.get(*name).is_some_and(|to| to.format() == Format::Raw);
        let Some(destination) = route.to.iter().find(raw) else { return };
        let masked = sources.iter().find(|(name, source)| {
            let listed = route.sources.as_ref().is_none_or(|names| names.contains(name));
            listed && self.masks_events(source) && may_match(route.types.as_deref(), &source.provider)
        });
        if let Some((source, _)) = masked {
            let message = format!(
                "\"{destination}\" gets the provider's own bytes (format = \"raw\"), and sources.{source} says mask_event \
                 = true: use format = \"cloudevent\" or leave {source} out of this route"
            );
            self.complain(&["routes", at, "to"], message);
        }
    }

    fn masks_events(&self, source: &Source) -> bool {
        let rule = || self.description(&source.provider)?.settings.get("mask_event")?.default.as_ref();
        source.parts.settings.get("mask_event").or_else(rule) == Some(&SettingValue::Bool(true))
    }

    pub(super) fn polls(&mut self) -> Vec<Poll> {
        let draft = self.draft;
        let polls = draft.written.polls.iter().zip(&draft.poll_places);
        polls.filter_map(|(poll, at)| self.poll(at, poll)).collect()
    }

    fn poll(&mut self, at: &str, poll: &written::Poll) -> Option<Poll> {
        let draft = self.draft;
        if self.named(&["polls", at, "source"], "sources", &poll.source, draft.written.sources.keys())
            && let Some(source) = draft.written.sources.get(&poll.source)
            && let Some(description) = self.description(&source.provider)
        {
            let known = || description.operations.iter().map(|operation| operation.id.as_str());
            let found = description.operations.iter().find(|operation| operation.id == poll.operation);
            if found.is_some_and(|operation| operation.items.is_none() || operation.changed_event.is_none()) {
                let message = format!(
                    "\"{}\" cannot be polled: its description names no `items` and `changed_event`",
                    poll.operation
                );
                self.complain(&["polls", at, "operation"], message);
            }
            if found.is_none() {
                let (provider, operation) = (&source.provider, &poll.operation);
                let message = match known().next() {
                    None => format!("\"{provider}\" has no operations"),
                    Some(_) => format!(
                        "\"{provider}\" has no operation \"{operation}\"; it has {}{}",
                        quoted(known()),
                        did_you_mean(operation, known())
                    ),
                };
                self.complain(&["polls", at, "operation"], message);
            }
        }
        if poll.key.is_empty() {
            self.complain(&["polls", at, "key"], "is empty: name the field that tells items apart");
        }
        if poll.every.0.is_zero() {
            self.complain(&["polls", at, "every"], "must be more than nothing, such as \"1h\"");
        }
        let input = self.input(at, poll)?;
        Some(Poll {
            source: poll.source.clone(),
            operation: poll.operation.clone(),
            every: poll.every.0,
            input,
            key: poll.key.clone(),
        })
    }

    fn input(&mut self, at: &str, poll: &written::Poll) -> Option<Input> {
        match (&poll.input, &poll.input_file) {
            (Some(value), None) => match serde_json::to_value(value) {
                Ok(value) => return Some(Input::Here(value)),
                Err(error) => self.complain(&["polls", at, "input"], format!("cannot be written as JSON: {error}")),
            },
            (None, Some(path)) => match std::fs::read(path)
                .map(|text| serde_json::from_slice::<serde_json::Value>(&text))
            {
                Ok(Ok(_)) => return Some(Input::File(path.clone())),
                Ok(Err(error)) => {
                    self.complain(&["polls", at, "input_file"], format!("{} is not JSON: {error}", path.display()));
                }
                Err(error) => {
                    self.complain(&["polls", at, "input_file"], format!("{} cannot be read: {error}", path.display()));
                }
            },
            (Some(_), Some(_)) => {
                self.complain(&["polls", at, "input_file"], "is there beside `input`: keep one of them")
            }
            (None, None) => self.missing(&["polls", at, "input"], "is missing: write `input` or `input_file`"),
        }
        None
    }
}

/// Whether one of the globs could match a type of the provider, judged by what stands before its first wildcard.
fn may_match(types: Option<&[String]>, provider: &str) -> bool {
    let prefix = format!("{provider}.");
    types.is_none_or(|globs| {
        globs.iter().any(|glob| {
            let literal = glob.split(['*', '?']).next().unwrap_or_default();
            literal.starts_with(&prefix) || (literal.len() < glob.len() && prefix.starts_with(literal))
        })
    })
}
