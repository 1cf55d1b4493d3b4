//! What must reach the receiver, and what is wrong with what did. Nothing here waits or prints.

use super::board::Standing;
use super::receiver::Arrived;

/// An event that must reach the receiver.
pub(super) struct Expected {
    /// The source's name.
    pub(super) source: String,
    /// The event's type.
    pub(super) kind: String,
    /// Where the CloudEvent says which it is, and what.
    pub(super) known_by: (&'static str, String),
    /// Fields that were sent encrypted, and what they must say.
    pub(super) opened: Vec<(String, String)>,
    /// Its row.
    pub(super) row: usize,
    /// The gateway's ids under which it arrived.
    pub(super) arrived: Vec<String>,
}

/// How a row ended.
pub(super) type Settled = (usize, Standing, String);

/// All of them.
#[derive(Default)]
pub(super) struct Expectations {
    pub(super) all: Vec<Expected>,
    /// Everything that is not as it must be.
    pub(super) wrong: Vec<String>,
}

impl Expectations {
    /// Whether something is still to come.
    pub(super) fn open(&self) -> bool {
        self.all.iter().any(|expected| expected.arrived.is_empty())
    }

    /// Finds what a delivery is of, and judges it.
    pub(super) fn arrive(&mut self, arrived: &Arrived) -> Option<Settled> {
        let event = &arrived.event;
        let Some(expected) = self.all.iter_mut().find(|expected| expected.is(arrived)) else {
            self.wrong.push(format!("{} arrived, and nobody sent it", event["type"]));
            return None;
        };
        // At least once is the promise: a second delivery under the same id is none of a second event.
        if !expected.arrived.contains(&arrived.id) {
            expected.arrived.push(arrived.id.clone());
        }
        let closed =
            expected.opened.iter().find(|(field, plain)| event.pointer(field).is_none_or(|text| text != plain));
        let wrong = match (arrived.wrong, closed) {
            (Some(wrong), _) => Some(format!("with {wrong}")),
            (None, Some((field, _))) => Some(format!("with {field} still encrypted")),
            (None, None) => None,
        };
        if let Some(wrong) = wrong {
            self.wrong.push(format!("{} arrived {wrong}", expected.kind));
            return Some((expected.row, Standing::Bad, wrong));
        }
        let fields = expected.opened.len();
        let yes = if fields > 0 { format!("yes, {fields} fields opened") } else { "yes".into() };
        Some((expected.row, Standing::Good, yes))
    }

    /// What did not arrive, and what arrived as two events.
    pub(super) fn close(&mut self) -> Vec<Settled> {
        let mut settled = Vec::new();
        for expected in &self.all {
            let wrong = match expected.arrived.len() {
                0 => "did not arrive",
                1 => continue,
                _ => "arrived as two events",
            };
            self.wrong.push(format!("{} of {:?} {wrong}", expected.kind, expected.source));
            settled.push((expected.row, Standing::Bad, wrong.to_owned()));
        }
        settled
    }
}

impl Expected {
    fn is(&self, arrived: &Arrived) -> bool {
        let (place, value) = &self.known_by;
        let known = arrived.event.pointer(place).and_then(|text| text.as_str());
        known == Some(value) && arrived.event["source"] == format!("/sources/{}", self.source)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn one() -> Expectations {
        let expected = Expected {
            source: "bank".into(),
            kind: "sgate.X".into(),
            known_by: ("/providereventid", "7".into()),
            opened: vec![("/data/card".into(), "4111".into())],
            row: 0,
            arrived: Vec::new(),
        };
        Expectations { all: vec![expected], wrong: Vec::new() }
    }

    fn arrived(id: &str, provider_id: &str, card: &str) -> Arrived {
        let event = json!({ "source": "/sources/bank", "providereventid": provider_id, "data": { "card": card } });
        Arrived { id: id.into(), event, wrong: None }
    }

    #[test]
    fn an_event_that_arrives_again_under_its_id_is_one_event() {
        let mut events = one();
        for _ in 0..2 {
            let settled = events.arrive(&arrived("e1", "7", "4111")).unwrap();
            assert_eq!(settled, (0, Standing::Good, "yes, 1 fields opened".into()));
        }
        assert!(!events.open() && events.close().is_empty() && events.wrong.is_empty());
    }

    #[test]
    fn whatever_is_not_as_it_must_be_is_said() {
        let forged = Arrived { wrong: Some("a webhook-signature that does not hold"), ..arrived("e1", "7", "4111") };
        for (deliveries, words) in [
            (vec![], "did not arrive"),
            (vec![arrived("e1", "7", "4111"), arrived("e2", "7", "4111")], "two events"),
            (vec![arrived("e1", "7", "x+/=")], "/data/card still encrypted"),
            (vec![arrived("e1", "7", "4111"), arrived("e2", "8", "4111")], "nobody sent it"),
            (vec![forged], "does not hold"),
        ] {
            let mut events = one();
            deliveries.iter().for_each(|arrived| drop(events.arrive(arrived)));
            events.close();
            assert!(events.wrong.iter().any(|wrong| wrong.contains(words)), "{words}: {:?}", events.wrong);
        }
    }
}
