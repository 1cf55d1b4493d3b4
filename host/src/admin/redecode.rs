//! Stored requests decoded again: which of their events are the same, which say something new, and which cannot be told.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Shared;
use super::difference::{Difference, compare};
use crate::event::{Data, Event, EventState, NewEvent};
use crate::journal::{Content, NewRequest, Replayed, StoredEvent, StoredRequest};

const BLANK: &str = "the bytes of its request were erased with another event of it: there is nothing to decode again";

/// What became of an event that was decoded again: a closed list. Those that are the same are only counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It says something else now.
    Changed,
    /// It cannot be verified or decoded now, and stays as it is.
    Failed,
    /// Its request holds no such event now; it stays as it is.
    Vanished,
}

/// An event that is not the same.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Change {
    /// The stored event.
    pub id: Uuid,
    /// What became of it.
    pub verdict: Verdict,
    /// Why, where it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Where it differs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
}

/// What some requests say now.
#[derive(Default)]
pub(super) struct Redecoded {
    pub(super) replayed: Vec<Replayed>,
    pub(super) same: u64,
    pub(super) changes: Vec<Change>,
}

impl Redecoded {
    /// Decodes a request again and compares.
    pub(super) async fn add(&mut self, shared: &Shared, stored: StoredRequest) {
        let StoredRequest { request, events, others, erased: blank } = stored;
        let is_erased = |stored: &StoredEvent| stored.event.state == EventState::Erased;
        let (erased, events): (Vec<_>, Vec<_>) = events.into_iter().partition(is_erased);
        self.replayed
            .extend(erased.into_iter().map(|erased| Replayed { event: erased.event, content: Content::Stored }));
        let Some(first) = events.first() else { return };
        if blank {
            return events.iter().for_each(|stored| self.fail(stored.event.id, BLANK.to_owned()));
        }
        let judged = shared.state.again.stored(&first.event.source, request.clone()).await;
        let new = match judged {
            Ok(new) => new,
            Err(why) => return events.iter().for_each(|stored| self.fail(stored.event.id, why.clone())),
        };
        let NewRequest { source, provider, provider_version, events: decoded, .. } = new;
        let (pairs, added) = pair(events, &others, decoded);
        let last = pairs.last().map(|(stored, _)| stored.event.id);
        let into = |new: NewEvent| {
            new.into_event(source.clone(), provider.clone(), provider_version.clone(), request.received)
        };
        for (stored, new) in pairs {
            match new {
                None => self.changes.push(Change {
                    id: stored.event.id,
                    verdict: Verdict::Vanished,
                    why: None,
                    differences: Vec::new(),
                }),
                Some(new) => {
                    let key = new.key;
                    let now = Event { id: stored.event.id, ..into(new) };
                    self.judge(shared, stored.event, now, |event| Replayed {
                        event,
                        content: Content::Replaced(key, request.body.clone()),
                    });
                }
            }
        }
        for new in added {
            let (Some(id), key) = (last, new.key) else { continue };
            let event = Event { id, ..into(new) };
            self.replayed.push(Replayed { event, content: Content::Added(key, request.body.clone()) });
        }
    }

    fn judge(&mut self, shared: &Shared, old: Event, new: Event, replaced: impl FnOnce(Event) -> Replayed) {
        if new.state == EventState::Undecoded {
            let why = new.warnings.first().cloned().unwrap_or_default();
            return self.fail(old.id, format!("it is not decoded now: {why}"));
        }
        let differences = differences(shared, &old, &new);
        if differences.is_empty() {
            self.same += 1;
            return self.replayed.push(Replayed { event: old, content: Content::Stored });
        }
        self.changes.push(Change { id: old.id, verdict: Verdict::Changed, why: None, differences });
        self.replayed.push(replaced(new));
    }

    fn fail(&mut self, id: Uuid, why: String) {
        self.changes.push(Change { id, verdict: Verdict::Failed, why: Some(why), differences: Vec::new() });
    }
}

/// Every stored event with the one that it is now, and those that no stored one is. The same key is the same event. What
/// has another key now goes by its place where as many are left on both sides; what was not decoded becomes the next one.
fn pair(
    stored: Vec<StoredEvent>,
    others: &[[u8; 16]],
    decoded: Vec<NewEvent>,
) -> (Vec<(StoredEvent, Option<NewEvent>)>, Vec<NewEvent>) {
    // With others in it that have other keys now nobody can tell which one is new.
    let strange = others.iter().any(|key| !decoded.iter().any(|new| new.key.hash == *key));
    let mut left: Vec<NewEvent> = decoded.into_iter().filter(|new| !others.contains(&new.key.hash)).collect();
    let mut pairs: Vec<_> = stored
        .into_iter()
        .map(|stored| {
            let found = left.iter().position(|new| new.key.hash == stored.key);
            let found = found.map(|index| left.remove(index));
            (stored, found)
        })
        .collect();
    let alone = pairs.iter().filter(|(_, new)| new.is_none()).count();
    let by_place = alone == left.len();
    let mut left = left.into_iter();
    for (stored, new) in pairs.iter_mut().filter(|(_, new)| new.is_none()) {
        if !strange && (by_place || stored.event.state == EventState::Undecoded) {
            *new = left.next();
        }
    }
    let added = if strange { Vec::new() } else { left.collect() };
    (pairs, added)
}

/// Where the stored event and the one of now differ, with what nobody may see masked.
fn differences(shared: &Shared, old: &Event, new: &Event) -> Vec<Difference> {
    let micros = |event: &Event| event.time.map(|time| time.as_microsecond());
    let time = |event: &Event| event.time.map(|time| time.to_string());
    let state = (old.state == EventState::Undecoded).then(|| "undecoded".to_owned());
    let texts = [
        Difference::of("state", state.clone(), state.is_some().then(|| "decoded".to_owned())),
        Difference::of("type", Some(old.kind.clone()), Some(new.kind.clone())),
        Difference::of("subject", old.subject.clone(), new.subject.clone()),
        Difference::of("id", old.provider_id.clone(), new.provider_id.clone()),
        (micros(old) != micros(new)).then(|| Difference { at: "time".into(), old: time(old), new: time(new) }),
    ];
    let mut found: Vec<Difference> = texts.into_iter().flatten().collect();
    if old.data == new.data {
        return found;
    }
    let before = found.len();
    let shown = |event: &Event| match &event.data {
        Data::Json(data) | Data::Bytes(data, _) => shared.state.redact.redact(&event.source, data),
        Data::None => bytes::Bytes::new(),
    };
    compare("/data", &shown(old), &shown(new), &mut found);
    if found.len() == before {
        let words = |text: &str| Some(text.to_owned());
        found.push(Difference {
            at: "/data".into(),
            old: words("as it is stored"),
            new: words("in masked fields, or in the order of keys, spaces or escapes alone"),
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::DedupKey;

    fn new(name: u8) -> NewEvent {
        NewEvent {
            kind: format!("p.{name}"),
            subject: None,
            time: None,
            provider_id: None,
            key: DedupKey { hash: [name; 16], until: None },
            data: Data::None,
            warnings: Vec::new(),
            undecoded: None,
        }
    }

    fn stored(name: u8, undecoded: bool) -> StoredEvent {
        let undecoded = undecoded.then(|| "broken".to_owned());
        let received = "2026-01-02T03:04:05Z".parse().unwrap();
        let event = NewEvent { undecoded, ..new(name) }.into_event("s".into(), "p".into(), "1".into(), received);
        StoredEvent { event, key: [name; 16] }
    }

    fn paired(stored: Vec<StoredEvent>, others: &[u8], decoded: &[u8]) -> (Vec<String>, Vec<String>) {
        let others: Vec<_> = others.iter().map(|name| [*name; 16]).collect();
        let (pairs, added) = pair(stored, &others, decoded.iter().map(|name| new(*name)).collect());
        let name = |new: NewEvent| new.kind;
        let pairs = pairs.into_iter().map(|(old, new)| format!("{} {}", old.event.kind, new.map_or("-".into(), name)));
        (pairs.collect(), added.into_iter().map(name).collect())
    }

    #[test]
    fn the_same_key_is_the_same_event_and_others_are_left_alone() {
        let both = vec![stored(1, false), stored(2, false)];
        assert_eq!(paired(both, &[3], &[3, 2, 1]), (vec!["p.1 p.1".into(), "p.2 p.2".into()], vec![]));
    }

    #[test]
    fn a_key_that_changed_goes_by_its_place() {
        assert_eq!(paired(vec![stored(1, false)], &[], &[9]), (vec!["p.1 p.9".into()], vec![]));
        let two = vec![stored(1, false), stored(2, false)];
        assert_eq!(paired(two, &[], &[8, 2]), (vec!["p.1 p.8".into(), "p.2 p.2".into()], vec![]));
    }

    #[test]
    fn what_was_not_decoded_becomes_the_first_and_the_rest_are_new() {
        assert_eq!(paired(vec![stored(1, true)], &[], &[7, 8]), (vec!["p.1 p.7".into()], vec!["p.8".into()]));
    }

    #[test]
    fn nothing_is_new_where_the_others_are_not_known_any_more() {
        assert_eq!(paired(vec![stored(1, false)], &[2, 3], &[7, 8, 9]), (vec!["p.1 -".into()], vec![]));
    }

    #[test]
    fn what_vanished_is_nothing_and_what_is_more_is_new() {
        let two = vec![stored(1, false), stored(2, false)];
        assert_eq!(paired(two, &[], &[1]), (vec!["p.1 p.1".into(), "p.2 -".into()], vec![]));
        assert_eq!(paired(vec![stored(1, false)], &[], &[1, 2]), (vec!["p.1 p.1".into()], vec!["p.2".into()]));
    }
}
