//! How the text that holds a signature is split: alone, or among others with names.

use std::borrow::Cow;

use hookport_plugin_api::description::{Parse, Verify};

use crate::provider::Few;

/// Parts of one text, named or not.
const MAX_PARTS: usize = 256;

/// How a signature's text is split into parts.
pub struct Split {
    /// The way.
    pub parse: Parse,
    /// Between parts.
    pub sep: String,
    /// Between a part's name and value.
    pub kv: String,
    /// The part that is the signature.
    pub pick: Option<String>,
}

/// A part's name and its text, for `${sig:name}`; or a claim of a token.
pub type Part<'t> = (Cow<'t, str>, Cow<'t, str>);

/// A header's named parts and the texts that may be the signature.
#[derive(Debug, Default)]
pub struct Parts<'t> {
    /// For `${sig:name}`.
    pub named: Vec<Part<'t>>,
    /// In the order received.
    pub candidates: Few<&'t str>,
}

impl Split {
    pub(super) fn new(written: &Verify) -> Self {
        let (sep, kv) = match written.parse {
            Parse::Tagged => (" ", ","),
            Parse::Pairs => ("&", "|"),
            _ => (",", "="),
        };
        Self {
            parse: written.parse,
            sep: written.sep.clone().unwrap_or_else(|| sep.into()),
            kv: written.kv.clone().unwrap_or_else(|| kv.into()),
            pick: written.pick.clone(),
        }
    }

    pub(super) fn apply<'t>(&self, text: &'t str) -> Parts<'t> {
        let pieces = || text.split(self.sep.as_str()).map(str::trim).filter(|piece| !piece.is_empty()).take(MAX_PARTS);
        let mut parts = Parts::default();
        match self.parse {
            Parse::Raw => parts.candidates.push(text.trim()),
            Parse::List => parts.candidates.extend(pieces()),
            Parse::Positional => {
                let first = self.pick.as_ref().and_then(|pick| pick.parse().ok()).unwrap_or(0);
                parts.named.extend(
                    pieces().enumerate().map(|(index, piece)| (Cow::Owned(index.to_string()), Cow::Borrowed(piece))),
                );
                parts.candidates.extend(pieces().skip(first));
            }
            Parse::Kv | Parse::Tagged | Parse::Pairs => {
                for (name, value) in pieces().filter_map(|piece| piece.split_once(self.kv.as_str())) {
                    parts.named.push((Cow::Borrowed(name), Cow::Borrowed(value)));
                    if self.pick.as_ref().is_none_or(|pick| pick == name) {
                        parts.candidates.push(value);
                    }
                }
            }
        }
        parts
    }
}
