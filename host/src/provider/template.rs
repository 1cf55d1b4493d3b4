//! Templates: `v0:${header:x-ts}:${body}`, compiled once, rendered to bytes.
//!
//! `${place|filter|filter}`; `${place?}` and `${place?text}` where it may be missing; `$( ... )` is dropped whole when a
//! place in it is missing or empty. Everything else is literal, a `$` too.

mod outgoing;

use std::borrow::Cow;
use std::fmt;

use super::filter::{FILTERS, Filter};
use super::place::Place;

/// Groups inside groups.
const MAX_GROUPS: usize = 16;

/// A compiled template.
#[derive(Debug, Clone)]
pub struct Template {
    pub(super) parts: Vec<Part>,
}

/// A piece of a template.
#[derive(Debug, Clone)]
pub(super) enum Part {
    Literal(String),
    Value { place: Place, filters: Vec<Filter>, fallback: Option<String> },
    Group(Template),
}

/// What a template reads from.
pub trait Lookup {
    /// The bytes of a place; `None` when it is missing.
    fn bytes(&self, place: &Place) -> Option<Cow<'_, [u8]>>;
}

/// Why a template could not be rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfit {
    /// A place is missing.
    Missing(Place),
    /// A place is there, and should not be.
    Present(Place),
    /// A list of headers names what is no header, or too many.
    Listed,
    /// A filter could not take the bytes.
    Filter(Place, &'static str),
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(place) => write!(f, "{place} is missing"),
            Self::Present(place) => write!(f, "{place} is there, and should not be"),
            Self::Listed => f.write_str("the list of headers names more than 64, or what is no header"),
            Self::Filter(place, filter) => write!(f, "{place} is nothing that the filter {filter} can take"),
        }
    }
}

impl Template {
    /// Compiles a template.
    pub fn compile(text: &str) -> Result<Self, String> {
        let (template, rest) = Self::parts(text, 0)?;
        debug_assert!(rest.is_empty(), "an outermost template ends with its text");
        Ok(template)
    }

    /// A template of one place, or of a text that has `${`.
    pub fn place_or_template(text: &str) -> Result<Self, String> {
        if text.contains("${") {
            return Self::compile(text);
        }
        Self::compile(&format!("${{{text}}}"))
    }

    fn parts(text: &str, depth: usize) -> Result<(Self, &str), String> {
        if depth > MAX_GROUPS {
            return Err(format!("`$(` inside `$(` more than {MAX_GROUPS} times"));
        }
        let inside = depth > 0;
        let (mut parts, mut literal, mut rest) = (Vec::new(), String::new(), text);
        while let Some(character) = rest.chars().next() {
            if let Some(body) = rest.strip_prefix("${") {
                let end = body.find('}').ok_or_else(|| format!("`${{` without `}}` in {text:?}"))?;
                flush(&mut literal, &mut parts);
                parts.push(Self::value(&body[..end])?);
                rest = &body[end + 1..];
            } else if let Some(body) = rest.strip_prefix("$(") {
                flush(&mut literal, &mut parts);
                let (group, after) = Self::parts(body, depth + 1)?;
                parts.push(Part::Group(group));
                rest = after;
            } else if inside && character == ')' {
                flush(&mut literal, &mut parts);
                return Ok((Self { parts }, &rest[1..]));
            } else {
                literal.push(character);
                rest = &rest[character.len_utf8()..];
            }
        }
        if inside {
            return Err(format!("`$(` without `)` in {text:?}"));
        }
        flush(&mut literal, &mut parts);
        Ok((Self { parts }, rest))
    }

    fn value(text: &str) -> Result<Part, String> {
        let (text, fallback) = text.split_once('?').map_or((text, None), |(text, rest)| (text, Some(rest)));
        let (fallback, behind) = match fallback.map(|rest| rest.split_once('|').unwrap_or((rest, ""))) {
            Some((fallback, behind)) => (Some(fallback.to_owned()), behind),
            None => (None, ""),
        };
        let mut pieces = text.split('|').chain(behind.split('|').filter(|name| !name.is_empty()));
        let place = pieces.next().unwrap_or_default().parse()?;
        if let Place::HeaderSeq(_) = place {
            return Err(format!("{place} stands for several headers: only `from` of [[verify]] takes it"));
        }
        let filters = pieces.map(|name| {
            Filter::named(name).ok_or_else(|| {
                let names: Vec<_> = FILTERS.iter().map(|filter| filter.name).collect();
                format!("{name:?} is not a filter; filters are {}", names.join(", "))
            })
        });
        Ok(Part::Value { place, filters: filters.collect::<Result<_, _>>()?, fallback })
    }

    /// Renders it.
    pub fn render(&self, lookup: &dyn Lookup) -> Result<Vec<u8>, Unfit> {
        let mut out = Vec::new();
        self.render_into(lookup, &mut out)?;
        Ok(out)
    }

    /// Renders it behind what is there.
    pub fn render_into<L: Lookup + ?Sized>(&self, lookup: &L, out: &mut Vec<u8>) -> Result<(), Unfit> {
        for part in &self.parts {
            match part {
                Part::Literal(text) => out.extend_from_slice(text.as_bytes()),
                Part::Value { place, filters, fallback } => match (lookup.bytes(place), fallback) {
                    (Some(Cow::Owned(bytes)), _) if filters.is_empty() && out.capacity() == 0 => *out = bytes,
                    (Some(bytes), _) if filters.is_empty() => out.extend_from_slice(&bytes),
                    (Some(bytes), _) => out.extend_from_slice(&filtered(place, filters, bytes)?),
                    (None, Some(text)) => out.extend_from_slice(text.as_bytes()),
                    (None, None) => return Err(Unfit::Missing(place.clone())),
                },
                Part::Group(group) => {
                    if group.required().all(|place| lookup.bytes(place).is_some_and(|bytes| !bytes.is_empty())) {
                        group.render_into(lookup, out)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The bytes of a template that is one place without filters, without a copy.
    pub fn borrow<'l>(&self, lookup: &'l dyn Lookup) -> Result<Cow<'l, [u8]>, Unfit> {
        match self.alone() {
            Some(place) => lookup.bytes(place).ok_or_else(|| Unfit::Missing(place.clone())),
            None => self.render(lookup).map(Cow::Owned),
        }
    }

    /// The place, where it is one and nothing else.
    pub(super) fn alone(&self) -> Option<&Place> {
        match self.parts.as_slice() {
            [Part::Value { place, filters, fallback: None }] if filters.is_empty() => Some(place),
            _ => None,
        }
    }

    /// The places without which it is nothing: not those with a `?` or in a group.
    pub fn required(&self) -> impl Iterator<Item = &Place> {
        self.parts.iter().filter_map(|part| match part {
            Part::Value { place, fallback: None, .. } => Some(place),
            _ => None,
        })
    }

    /// Every place that it reads, those of groups too.
    pub fn places(&self) -> Vec<&Place> {
        let mut places = Vec::new();
        for part in &self.parts {
            match part {
                Part::Literal(_) => {}
                Part::Value { place, .. } => places.push(place),
                Part::Group(group) => places.extend(group.places()),
            }
        }
        places
    }
}

fn flush(literal: &mut String, parts: &mut Vec<Part>) {
    if !literal.is_empty() {
        parts.push(Part::Literal(std::mem::take(literal)));
    }
}

fn filtered<'b>(place: &Place, filters: &[Filter], bytes: Cow<'b, [u8]>) -> Result<Cow<'b, [u8]>, Unfit> {
    filters.iter().try_fold(bytes, |bytes, filter| {
        filter.run(&bytes).map(Cow::Owned).ok_or_else(|| Unfit::Filter(place.clone(), filter.name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    struct Fixed(HashMap<String, Vec<u8>>);

    impl Lookup for Fixed {
        fn bytes(&self, place: &Place) -> Option<Cow<'_, [u8]>> {
            self.0.get(&place.to_string()).map(|bytes| Cow::Borrowed(bytes.as_slice()))
        }
    }

    fn render(template: &str, values: &[(&str, &str)]) -> Result<String, Unfit> {
        let values = values.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect();
        let bytes = Template::compile(template).unwrap().render(&Fixed(values))?;
        Ok(String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn places_filters_and_literals_are_joined() {
        let values = [("body", "abc"), ("header:x-ts", "7")];
        assert_eq!(render("v0:${header:X-Ts}:${body|upper|hex} $5 {}", &values).unwrap(), "v0:7:414243 $5 {}");
    }

    #[test]
    fn a_missing_place_is_an_error_unless_it_may_be_missing() {
        assert_eq!(render("${query:a}", &[]), Err(Unfit::Missing(Place::Query("a".into()))));
        assert_eq!(render("<${query:a?}${query:b?none}>", &[]).unwrap(), "<none>");
        assert_eq!(render("<${query:a?x|upper}>", &[("query:a", "y")]).unwrap(), "<Y>");
    }

    #[test]
    fn a_group_goes_when_a_place_in_it_is_missing_or_empty() {
        let template = "a$(id:${query:id};)$(n:${query:n}\n)z";
        assert_eq!(render(template, &[("query:id", "1"), ("query:n", "")]).unwrap(), "aid:1;z");
        assert_eq!(render(template, &[("query:n", "2")]).unwrap(), "an:2\nz");
    }

    #[test]
    fn what_cannot_be_compiled_says_why() {
        for (text, why) in [
            ("${", "without `}`"),
            ("$(x", "without `)`"),
            ("${nope:x}", "is not a source"),
            ("${body|rot}", "is not a filter"),
        ] {
            assert!(Template::compile(text).unwrap_err().contains(why), "{text}");
        }
    }

    proptest! {
        #[test]
        fn compiling_anything_ends_without_a_panic(text in r"[$\{\}\(\)\?\|a-z:/ ]{0,40}") {
            let _ = Template::compile(&text);
        }

        #[test]
        fn text_without_a_dollar_is_itself(text in "[^$]{0,40}") {
            prop_assert_eq!(render(&text, &[]).unwrap(), text);
        }
    }
}
