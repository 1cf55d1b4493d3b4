//! Names made of an event: subjects, streams, keys, columns. What a broker allows in them is said by each.

use crate::config::template::{Piece, Template, Word};
use crate::event::Event;
use crate::outbound::condition::{Condition, View};
use crate::outbound::destination::DestinationError;

/// A template whose expressions are compiled.
pub(super) struct Name(Vec<Part>);

enum Part {
    Text(String),
    Word(Word),
    Expression(Condition),
}

impl Name {
    /// Compiles the expressions of what stands under `key`.
    pub(super) fn compile(key: &str, template: &Template) -> Result<Self, DestinationError> {
        let part = |piece: &Piece| {
            Ok(match piece {
                Piece::Text(text) => Part::Text(text.clone()),
                Piece::Word(word) => Part::Word(*word),
                Piece::Expression(text) => Part::Expression(
                    Condition::compile(text).map_err(|error| DestinationError::Name { key: key.to_owned(), error })?,
                ),
            })
        };
        template.0.iter().map(part).collect::<Result<_, _>>().map(Self)
    }

    /// The name for an event, each of its values as `fit` lets it in: given whether it is the event's type, which has parts of
    /// its own. Where the event has nothing, `_` stands.
    pub(super) fn of(&self, event: &Event, fit: fn(&str, bool) -> String) -> Result<String, String> {
        let (mut name, mut view) = (String::new(), None);
        for part in &self.0 {
            let value = match part {
                Part::Text(text) => {
                    name.push_str(text);
                    continue;
                }
                part => part.value(event, &mut view)?,
            };
            let is_type = matches!(part, Part::Word(Word::Type));
            name.push_str(&fit(value.as_deref().unwrap_or("_"), is_type));
        }
        Ok(name)
    }

    /// What it is for an event where it may be anything: nothing, if it is made of one value and the event has none.
    pub(super) fn value(&self, event: &Event, payload: &str) -> Result<Option<String>, String> {
        let mut view = None;
        let mut value = |part: &Part| match part {
            Part::Word(Word::Payload) => Ok(Some(payload.to_owned())),
            part => part.value(event, &mut view),
        };
        match self.0.as_slice() {
            [one] => value(one),
            parts => {
                let values = parts.iter().map(|part| value(part).map(Option::unwrap_or_default));
                values.collect::<Result<String, _>>().map(Some)
            }
        }
    }
}

impl Part {
    fn value(&self, event: &Event, view: &mut Option<View>) -> Result<Option<String>, String> {
        Ok(match self {
            Self::Text(text) => Some(text.clone()),
            Self::Word(word) => word_of(*word, event),
            Self::Expression(condition) => condition.text_if_any(view.get_or_insert_with(|| View::new(event)))?,
        })
    }
}

fn word_of(word: Word, event: &Event) -> Option<String> {
    match word {
        Word::Id => Some(event.id.to_string()),
        Word::Source => Some(event.source.to_string()),
        Word::Type => Some(event.kind.clone()),
        Word::Subject => event.subject.clone(),
        Word::Time => Some(event.time.unwrap_or(event.received).to_string()),
        Word::ReceivedTime => Some(event.received.to_string()),
        Word::Provider => Some(event.provider.to_string()),
        Word::ProviderEventId => event.provider_id.clone(),
        Word::Payload => None,
    }
}

/// A value as parts between dots: only the event's type has several. What a subject or a routing key gives a meaning to, or
/// cannot hold, becomes `_`.
pub(super) fn dotted(value: &str, has_parts: bool) -> String {
    let unfit = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '*' | '>' | '#' | '$');
    let part = |part: &str| -> String {
        let part: String = part.chars().map(|c| if unfit(c) { '_' } else { c }).collect();
        if part.is_empty() { "_".into() } else { part }
    };
    if has_parts { value.split('.').map(part).collect::<Vec<_>>().join(".") } else { part(&value.replace('.', "_")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbound::condition::tests::event;

    fn name(template: &str) -> Name {
        Name::compile("subject", &Template::parse(template).unwrap()).unwrap()
    }

    #[test]
    fn a_value_is_one_part_of_a_name_and_nothing_that_a_server_would_read() {
        let subject = |template: &str| name(template).of(&event(), dotted).unwrap();
        assert_eq!(subject("events.{type}"), format!("events.{}", event().kind));
        assert_eq!(subject("x.{event.data.missing}.y"), "x._.y");
        assert_eq!(subject("x.{'$JS.API.> *'}"), "x._JS_API____");
        for (value, has_parts, expected) in [
            ("a..b", true, "a._.b"),
            ("a.b", false, "a_b"),
            ("", false, "_"),
            ("a\r\nb", true, "a__b"),
            ("", true, "_"),
        ] {
            assert_eq!(dotted(value, has_parts), expected, "{value:?}");
        }
    }

    #[test]
    fn a_value_alone_is_as_it_is_or_nothing() {
        let value = |template: &str| name(template).value(&event(), "the payload").unwrap();
        assert_eq!(value("{payload}").as_deref(), Some("the payload"));
        assert_eq!(value("{event.data.missing}"), None);
        assert_eq!(value("a {event.data.missing} {'b\u{0}.c'}").as_deref(), Some("a  b\u{0}.c"));
    }
}
