//! Names made of an event: `"events.{source}.{type}"`. What stands in braces is a word of the event or a CEL expression
//! over it; `{{` and `}}` are braces.
//!
//! Whether an expression compiles is looked at by `resolve`; what a destination makes of the values is outbound's.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error};

use super::units::text;

/// A template, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(pub Vec<Piece>);

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// As it stands.
    Text(String),
    /// What the event has by this name.
    Word(Word),
    /// CEL over `event`.
    Expression(String),
}

/// What can be named without CEL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// The event's id.
    Id,
    /// The source's name.
    Source,
    /// The event's type.
    Type,
    /// What it is about.
    Subject,
    /// When it happened.
    Time,
    /// When its request arrived.
    ReceivedTime,
    /// The provider's id.
    Provider,
    /// The provider's own id of the event.
    ProviderEventId,
    /// What the destination would get by its `format` and `transform`.
    Payload,
}

const WORDS: [(&str, Word); 9] = [
    ("id", Word::Id),
    ("source", Word::Source),
    ("type", Word::Type),
    ("subject", Word::Subject),
    ("time", Word::Time),
    ("receivedtime", Word::ReceivedTime),
    ("provider", Word::Provider),
    ("providereventid", Word::ProviderEventId),
    ("payload", Word::Payload),
];

impl Template {
    /// Takes a text apart; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (mut pieces, mut plain, mut rest) = (Vec::new(), String::new(), text);
        while let Some(at) = rest.find(['{', '}']) {
            plain.push_str(&rest[..at]);
            let (brace, behind) = rest[at..].split_at(1);
            if let Some(behind) = behind.strip_prefix(brace) {
                plain.push_str(brace);
                rest = behind;
                continue;
            }
            if brace == "}" {
                return Err("has a } that closes nothing: }} is a brace of the name itself".into());
            }
            let end = end_of(behind).ok_or("has a { that is not closed: {{ is a brace of the name itself")?;
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(placeholder(behind[..end].trim())?);
            rest = &behind[end + 1..];
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Self(pieces))
    }

    /// A template of one word.
    pub fn word(word: Word) -> Self {
        Self(vec![Piece::Word(word)])
    }

    /// Whether it names this word.
    pub fn names(&self, word: Word) -> bool {
        self.0.contains(&Piece::Word(word))
    }

    /// The CEL expressions in it.
    pub fn expressions(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Expression(text) => Some(text.as_str()),
            Piece::Text(_) | Piece::Word(_) => None,
        })
    }

    /// It with `x` for all that an event gives.
    pub fn example(&self) -> String {
        self.0.iter().map(|piece| if let Piece::Text(text) = piece { text } else { "x" }).collect()
    }
}

/// Where the placeholder ends: at a brace that is not within a text of the expression.
fn end_of(text: &str) -> Option<usize> {
    let mut quote = None;
    text.char_indices().find_map(|(at, c)| {
        match (quote, c) {
            (None, '}') => return Some(at),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            _ => {}
        }
        None
    })
}

fn placeholder(text: &str) -> Result<Piece, String> {
    if let Some((_, word)) = WORDS.iter().find(|(name, _)| *name == text) {
        return Ok(Piece::Word(*word));
    }
    let is_bare = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_bare && text != "event" {
        let known = WORDS.map(|(name, _)| format!("{{{name}}}")).join(", ");
        return Err(format!("has {{{text}}}, and there are {known} and CEL such as {{event.data.city}}"));
    }
    Ok(Piece::Expression(text.to_owned()))
}

/// As it is written.
impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |word: &Word| WORDS.iter().find(|(_, known)| known == word).map_or("", |(name, _)| *name);
        self.0.iter().try_for_each(|piece| match piece {
            Piece::Text(text) => f.write_str(&text.replace('{', "{{").replace('}', "}}")),
            Piece::Word(word) => write!(f, "{{{}}}", name(word)),
            Piece::Expression(text) => write!(f, "{{{text}}}"),
        })
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = text(deserializer, "a text in quotes, such as \"events.{source}.{type}\"")?;
        Self::parse(&text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_words_and_expressions_are_told_apart() {
        let pieces = Template::parse("a{{b}}.{source}.{ event.data['}'] }").unwrap().0;
        let text = |text: &str| Piece::Text(text.into());
        let expression = Piece::Expression("event.data['}']".into());
        assert_eq!(pieces, [text("a{b}."), Piece::Word(Word::Source), text("."), expression]);
        assert_eq!(Template::parse("plain").unwrap().0, [text("plain")]);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (wrong, words) in
            [("{", "not closed"), ("a}", "closes nothing"), ("{sauce}", "there are {id}"), ("{}", "{}")]
        {
            let error = Template::parse(wrong).unwrap_err();
            assert!(error.contains(words), "{wrong}: {error}");
        }
    }
}
