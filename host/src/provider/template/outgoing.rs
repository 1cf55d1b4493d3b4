//! Templates of what goes out: what may stand where, so that no value can become something else than a value.

use super::{Part, Template};
use crate::provider::place::Place;

impl Template {
    /// A template of a JSON document: an input without filters is the whole value, any other text ends with the filter
    /// `json`. `plain` says what else may stand there as it is, because it is a number or `true` and `false`.
    pub fn of_json(mut self, plain: &dyn Fn(&Place) -> bool) -> Result<Self, String> {
        Quotes::default().json(&mut self.parts, plain)?;
        Ok(self)
    }

    /// A template of a URL: the input ends with the filter `urlencode` and stands behind the host.
    pub fn of_url(self) -> Result<Self, String> {
        match self.parts.first() {
            Some(Part::Literal(text)) if text.starts_with("https://") || text.starts_with("http://") => {}
            Some(Part::Value { place: Place::Config(_), filters, fallback: None }) if filters.is_empty() => {}
            _ => return Err("it begins with https://, http:// or a setting such as ${config:base_url}".into()),
        }
        let mut behind = String::new();
        path(&self.parts, &mut behind)?;
        Ok(self)
    }
}

/// Whether the literal text so far is inside a JSON string.
#[derive(Default)]
struct Quotes {
    inside: bool,
    escaped: bool,
}

impl Quotes {
    fn literal(&mut self, text: &str) {
        for byte in text.bytes() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.inside => self.escaped = true,
                b'"' => self.inside = !self.inside,
                _ => {}
            }
        }
    }

    fn json(&mut self, parts: &mut [Part], plain: &dyn Fn(&Place) -> bool) -> Result<(), String> {
        for part in parts {
            match part {
                Part::Literal(text) => self.literal(text),
                Part::Group(group) => {
                    let before = self.inside;
                    self.json(&mut group.parts, plain)?;
                    if self.inside != before {
                        return Err("a group `$( ... )` opens quotes that it does not close".into());
                    }
                }
                Part::Value { place, filters, .. } => match (&mut *place, filters.last().map(|filter| filter.name)) {
                    (Place::Own("now" | "nonce"), None) if self.inside => {}
                    (place, _) if self.inside => {
                        return Err(format!(
                            "${{{place}}} stands between quotes; write ${{{place}|json}} without them, which is a text with them"
                        ));
                    }
                    (Place::Input { json, .. }, None) => *json = true,
                    (_, Some("json")) => {}
                    (place, None) if plain(place) => {}
                    (place, _) => {
                        return Err(format!("${{{place}}} could be any text: its last filter must be json"));
                    }
                },
            }
        }
        Ok(())
    }
}

/// `behind` is the literal text so far, without the scheme.
fn path(parts: &[Part], behind: &mut String) -> Result<(), String> {
    for part in parts {
        match part {
            Part::Literal(text) if behind.is_empty() => {
                let bare = text.strip_prefix("https://").or(text.strip_prefix("http://"));
                behind.push_str(bare.unwrap_or(text));
            }
            Part::Literal(text) => behind.push_str(text),
            Part::Group(group) => path(&group.parts, behind)?,
            Part::Value { place: place @ Place::Input { .. }, filters, .. } => {
                if !behind.contains('/') {
                    return Err(format!("${{{place}}} stands before the path: who is called is no input's to say"));
                }
                if filters.last().is_none_or(|filter| filter.name != "urlencode") {
                    return Err(format!("${{{place}}} could be any part of a URL: its last filter must be urlencode"));
                }
            }
            Part::Value { .. } => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Result<Template, String> {
        Template::compile(text).unwrap().of_json(&|place| match place {
            Place::Config(name) => name == "count",
            place => matches!(place, Place::Own(_)),
        })
    }

    fn url(text: &str) -> Result<Template, String> {
        Template::compile(text).unwrap().of_url()
    }

    #[test]
    fn in_json_a_text_is_a_value_or_refused() {
        for text in [
            r#"{"a":${input:/a},"b":${config:b|json},"c":${config:count},"d":${now},"e":"n-${nonce}"}"#,
            r#"{"a":"\"\\"$(,"b":${input:/b|upper|json})}"#,
            "${input}",
        ] {
            assert!(json(text).is_ok(), "{text}");
        }
        for (text, words) in [
            (r#"{"a":"${input:/a}"}"#, "between quotes; write ${input:/a|json}"),
            (r#"{"a":"x\"${input:/a|json}"}"#, "between quotes"),
            (r#"{"a":${config:b}}"#, "last filter must be json"),
            (r#"{"a":${input:/a|json|upper}}"#, "last filter must be json"),
            (r#"{"a":${secret:main}}"#, "${secret:main} could be any text"),
            (r#"{"a":$("${input:/a})}"#, "between quotes"),
            (r#"{"a":$(${input:/a}")}"#, "does not close"),
        ] {
            let said = json(text).unwrap_err();
            assert!(said.contains(words), "{text}: {said}");
        }
    }

    #[test]
    fn in_a_url_an_input_is_a_part_of_the_path_or_refused() {
        for text in ["https://api.example.com/a/${input:/a|urlencode}", "${config:base_url}/a?b=${input:/b|urlencode}"]
        {
            assert!(url(text).is_ok(), "{text}");
        }
        for (text, words) in [
            ("https://${input:/host|urlencode}/", "before the path"),
            ("${config:base_url}${input:/a|urlencode}", "before the path"),
            ("https://api.example.com/${input:/a}", "last filter must be urlencode"),
            ("${input:/url|urlencode}", "begins with https://"),
            ("ftp://x/", "begins with https://"),
        ] {
            let said = url(text).unwrap_err();
            assert!(said.contains(words), "{text}: {said}");
        }
    }
}
