//! The fields of a form or a query: decoded, in the order received; what has no escape is not copied.

use std::borrow::Cow;
use std::collections::HashSet;

use memchr::memchr;

use super::filter::form_decode;

/// A name and its value.
pub type Field<'a> = (Cow<'a, [u8]>, Cow<'a, [u8]>);

/// So few are compared each with each.
const FEW: usize = 16;

/// The fields of one text.
#[derive(Debug, Default)]
pub struct Fields<'a> {
    all: Vec<Field<'a>>,
    repeat: bool,
}

impl<'a> Fields<'a> {
    /// Reads `a=1&b=2`.
    pub fn read(text: &'a [u8]) -> Self {
        let mut all = Vec::with_capacity(8);
        let mut rest = text;
        while !rest.is_empty() {
            let end = memchr(b'&', rest).unwrap_or(rest.len());
            let (pair, behind) = rest.split_at(end);
            rest = behind.get(1..).unwrap_or_default();
            match memchr(b'=', pair) {
                Some(at) => all.push((form_decode(&pair[..at]), form_decode(&pair[at + 1..]))),
                None if pair.is_empty() => {}
                None => all.push((form_decode(pair), Cow::Borrowed(&b""[..]))),
            }
        }
        let mut names: Vec<&[u8]> = all.iter().map(|(name, _)| name.as_ref()).collect();
        let repeat = twice(&mut names).is_some();
        Self { all, repeat }
    }

    /// All of them.
    pub fn all(&self) -> &[Field<'a>] {
        &self.all
    }

    /// Whether a name comes twice.
    pub fn repeat(&self) -> bool {
        self.repeat
    }

    /// The names that come twice, each once more than it must, in order.
    pub(super) fn repeated(&self) -> Vec<&[u8]> {
        let mut seen = HashSet::new();
        let names = self.all.iter().map(|(name, _)| name.as_ref()).filter(|_| self.repeat);
        names.filter(|name| !seen.insert(*name)).collect()
    }

    /// The value under a name; one that comes twice is nobody's, because two readers could take different ones.
    pub fn named(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        let mut found = self.all.iter().filter(|(key, _)| key.as_ref() == name.as_bytes());
        let (_, value) = found.next()?;
        found.next().is_none().then_some(Cow::Borrowed(value))
    }
}

/// One that comes twice. Their order is not kept.
pub(super) fn twice<T: Ord>(names: &mut [T]) -> Option<&T> {
    if names.len() <= FEW {
        let at = (1..names.len()).find(|&at| names[..at].contains(&names[at]));
        return at.map(|at| &names[at]);
    }
    names.sort_unstable();
    names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| &pair[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<(String, String)>, bool) {
        let fields = Fields::read(text.as_bytes());
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (fields.all().iter().map(|(name, value)| (text(name), text(value))).collect(), fields.repeat())
    }

    #[test]
    fn pairs_are_decoded_and_nothing_between_two_signs_is_no_pair() {
        let pairs =
            |pairs: &[(&str, &str)]| pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        assert_eq!(read("a=1&&b+c=%2b=&d&=e&"), (pairs(&[("a", "1"), ("b c", "+="), ("d", ""), ("", "e")]), false));
        assert_eq!(read(""), (vec![], false));
    }

    #[test]
    fn a_name_that_comes_twice_is_noticed_among_few_and_among_many() {
        let many: Vec<String> = (0..100).map(|number| format!("k{number}=v")).collect();
        assert!(!read(&many.join("&")).1);
        assert!(read(&format!("{}&k%37=w", many.join("&"))).1);
        assert!(read("a=1&b=2&%61=3").1);
        assert_eq!(Fields::read(b"a=1&b=2&a=1").named("a"), None);
    }
}
