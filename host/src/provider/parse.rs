//! From the text of a `provider.toml` to a [`Description`], with file, line and key in every complaint.

use hookport_plugin_api::description::{Description, KEYS};
use toml::de::{DeTable, DeValue};

use super::complaint::{Complaint, did_you_mean};

/// How strictly unknown keys are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grammar {
    /// A code-free file: an unknown key is an error.
    Strict,
    /// A plugin that may be newer than this host: unknown keys are ignored unless named in `must_understand`.
    Newer,
}

/// Reads a description.
pub fn parse(text: &str, file: &str, grammar: Grammar) -> Result<Description, Vec<Complaint>> {
    let places = Places::new(text, file);
    let mut unknown = Vec::new();
    let read = toml::Deserializer::parse(text)
        .and_then(|toml| serde_ignored::deserialize(toml, |path| unknown.push(path.to_string().replace(".?", ""))));
    let description: Description = match read {
        Ok(description) => description,
        // A key that is missing is often one that is misspelt.
        Err(error) => return Err([vec![places.toml(&error)], places.all_unknown(&unknown, grammar)].concat()),
    };
    let refused = unknown.iter().filter(|key| grammar == Grammar::Strict || description.must_understand.contains(key));
    let complaints: Vec<_> = refused.map(|key| places.unknown(key, grammar)).collect();
    if complaints.is_empty() { Ok(description) } else { Err(complaints) }
}

/// Finds the line of a key in the file that it was written in.
pub struct Places<'t> {
    text: &'t str,
    file: &'t str,
    table: Option<DeTable<'t>>,
}

impl<'t> Places<'t> {
    /// Reads the text once for its places.
    pub fn new(text: &'t str, file: &'t str) -> Self {
        Self { text, file, table: DeTable::parse(text).ok().map(toml::Spanned::into_inner) }
    }

    /// A complaint about a key.
    pub fn complain(&self, key: impl Into<String>, message: impl Into<String>) -> Complaint {
        let key = key.into();
        Complaint { file: self.file.to_owned(), line: self.line(&key), key, message: message.into() }
    }

    fn toml(&self, error: &toml::de::Error) -> Complaint {
        let line = error.span().map(|span| self.line_at(span.start));
        Complaint { file: self.file.to_owned(), line, key: String::new(), message: error.message().to_owned() }
    }

    fn all_unknown(&self, keys: &[String], grammar: Grammar) -> Vec<Complaint> {
        let strict = keys.iter().filter(|_| grammar == Grammar::Strict);
        strict.map(|key| self.unknown(key, grammar)).collect()
    }

    fn unknown(&self, key: &str, grammar: Grammar) -> Complaint {
        let name = key.rsplit('.').next().unwrap_or(key);
        match grammar {
            Grammar::Strict => self.complain(key, format!("unknown key{}", did_you_mean(name, KEYS.iter().copied()))),
            Grammar::Newer => self
                .complain(key, "this host does not know the key, and the plugin says that it must: upgrade Hookport"),
        }
    }

    fn line_at(&self, offset: usize) -> usize {
        1 + self.text.as_bytes()[..offset.min(self.text.len())].iter().filter(|&&byte| byte == b'\n').count()
    }

    /// Goes down the key's path as far as it exists; an index may be left out where one table stands for a list.
    fn line(&self, key: &str) -> Option<usize> {
        let mut at = None;
        let mut table = self.table.as_ref()?;
        let mut steps = key.split('.').peekable();
        while let Some(step) = steps.next() {
            let Some((name, value)) = table.get_key_value(step) else { break };
            at = Some(name.span().start);
            let mut value = value;
            while let (DeValue::Array(list), Some(index)) =
                (value.get_ref(), steps.peek().and_then(|step| step.parse::<usize>().ok()))
            {
                let Some(element) = list.get(index) else { break };
                at = Some(element.span().start);
                value = element;
                steps.next();
            }
            if steps.peek().is_some_and(|step| step.parse::<usize>().is_ok()) {
                steps.next();
            }
            match value.get_ref() {
                DeValue::Table(next) => table = next,
                _ => break,
            }
        }
        at.map(|offset| self.line_at(offset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(text: &str, grammar: Grammar) -> Vec<String> {
        parse(text, "p.toml", grammar).err().unwrap_or_default().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_the_key_that_was_meant() {
        let text =
            "[provider]\nid = \"x\"\n\n[[verify]]\nalg = \"none\"\n[[verify]]\nmesage = \"${body}\"\nalg = \"md5\"\n";
        assert_eq!(
            complaints(text, Grammar::Strict),
            ["p.toml:7: verify.1.mesage: unknown key; did you mean \"message\"?"]
        );
    }

    #[test]
    fn a_newer_plugins_key_is_ignored_unless_it_must_be_understood() {
        let text =
            "must_understand = [\"event.shape\"]\n[provider]\nid = \"x\"\ncolour = 1\n[event]\nshape = \"round\"\n";
        let complaints = complaints(text, Grammar::Newer);
        assert_eq!(complaints.len(), 1, "{complaints:?}");
        assert!(complaints[0].starts_with("p.toml:6: event.shape: this host does not know"), "{complaints:?}");
    }

    #[test]
    fn a_value_of_the_wrong_type_names_its_line() {
        let complaints =
            complaints("[provider]\nid = \"x\"\n[timestamp]\nfrom = \"sig:t\"\ntolerance_s = \"5\"\n", Grammar::Strict);
        assert!(complaints[0].starts_with("p.toml:5: invalid type"), "{complaints:?}");
    }

    #[test]
    fn one_table_may_stand_for_a_list() {
        let description =
            parse("verify = { alg = \"md5\", message = [\"a\", \"b\"] }\nprovider.id = \"x\"", "p", Grammar::Strict)
                .unwrap();
        assert_eq!((description.verify.len(), description.verify[0].message.len()), (1, 2));
    }
}
