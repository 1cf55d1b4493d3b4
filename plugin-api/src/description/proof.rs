//! `[[verify]]`, `[[assert]]` and `when`: how a request proves itself.

use std::collections::BTreeMap;

use serde::de::Deserializer;
use serde::{Deserialize, Serialize};

use super::many::Many;

/// One of `[[verify]]`.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Verify {
    /// Applies only where this holds.
    pub when: Option<When>,
    /// Where the signature is; not with `none`.
    #[serde(default)]
    pub from: Many<String>,
    /// How a header is split.
    #[serde(default)]
    pub parse: Parse,
    /// Between parts.
    pub sep: Option<String>,
    /// Between a part's name and value.
    pub kv: Option<String>,
    /// The part that is the signature.
    pub pick: Option<String>,
    /// Required before the signature, and removed.
    pub prefix: Option<String>,
    /// How the signature is written.
    #[serde(default)]
    pub encoding: Many<String>,
    /// Named in the host's registry of algorithms.
    pub alg: String,
    /// The key, `${secret:main}` as text unless said.
    pub key: Option<Key>,
    /// The signed text: a template or several.
    #[serde(default)]
    pub message: Many<String>,
    /// How an SM2 signature is laid out: `der` or `raw`.
    #[serde(default)]
    pub form: Many<String>,
    /// SM2's user id.
    #[serde(default)]
    pub user_id: Many<String>,
    /// What claims of a token must say: templates, by name; only with `jwt-*`. A claim that is a list must hold the text.
    #[serde(default)]
    pub claims: BTreeMap<String, String>,
    /// Why there is no signature; only with `none`, and required there.
    pub reason: Option<String>,
}

/// How a signature header is split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Parse {
    /// Not at all.
    #[default]
    Raw,
    /// `a,b,c`: each may be the signature.
    List,
    /// `t=1,v1=a,v1=b`.
    Kv,
    /// `v1,a v1,b`: tag and value, several.
    Tagged,
    /// `1,a,b`: named by place.
    Positional,
    /// `key|a&key|b`: a public name before each.
    Pairs,
}

/// `key = { form, value }`: a secret's text; or one that comes with the request, by `fetch` or `from`.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Key {
    /// How the text becomes a key.
    #[serde(default = "utf8")]
    pub form: String,
    /// A template.
    #[serde(default = "secret")]
    pub value: String,
    /// A template: of several keys the one with this id (a certificate's serial number in hex, a JWK's `kid`).
    pub select: Option<String>,
    /// Fetched from a URL.
    pub fetch: Option<Fetch>,
    /// A source: a certificate that the request carries; nothing without `chain`.
    pub from: Option<String>,
    /// What a certificate must chain to: `webpki`, or the name under `[secrets]` that holds PEM roots.
    pub chain: Option<String>,
    /// A glob over the common name of a certificate's subject.
    pub subject_cn: Option<String>,
    /// A text that a certificate's subject must contain.
    pub subject: Option<String>,
}

/// `key.fetch`: https alone, from pinned hosts, kept for a while.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Fetch {
    /// A template; of the request or of settings.
    pub url: String,
    /// Host names, whole; `*` stands for one label or a part of it, never for a dot.
    #[serde(default)]
    pub allow_hosts: Vec<String>,
    /// A glob over the whole path.
    pub path: Option<String>,
    /// As `key.chain`, where it stands here.
    pub chain: Option<String>,
    /// As `key.subject_cn`, where it stands here.
    pub subject_cn: Option<String>,
}

fn utf8() -> String {
    "utf8".into()
}

fn secret() -> String {
    "${secret}".into()
}

/// One of `[[assert]]`: two templates whose bytes must be equal with some combination of the listed secrets.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Assert {
    /// A template.
    pub left: String,
    /// A template.
    pub right: String,
}

/// A condition; everything named must hold.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct When {
    /// A source and the texts of which it equals one, without case; or a list of such lists, which must all hold.
    #[serde(default)]
    pub equals: Equals,
    /// Sources that are there.
    #[serde(default)]
    pub present: Many<String>,
    /// Sources that are not there.
    #[serde(default)]
    pub absent: Many<String>,
    /// The request's method.
    pub method: Option<String>,
}

/// `["source", "text", ...]` or a list of it.
#[derive(Debug, Clone, Default)]
pub struct Equals(pub Vec<Equal>);

/// A source and the texts of which it equals one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Equal {
    /// A source.
    pub source: String,
    /// At least one.
    pub texts: Vec<String>,
}

impl<'de> Deserialize<'de> for Equals {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const EXPECTING: &str = "[\"source\", \"text\", ...] or a list of it";
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "[\"source\", \"text\", ...] or a list of it")]
        enum Written {
            One(Vec<String>),
            Several(Vec<Vec<String>>),
        }
        let lists = match Written::deserialize(deserializer)? {
            Written::One(list) => vec![list],
            Written::Several(lists) => lists,
        };
        let equal = |mut list: Vec<String>| {
            if list.len() < 2 {
                return Err(serde::de::Error::invalid_length(list.len(), &EXPECTING));
            }
            let texts = list.split_off(1);
            Ok(Equal { source: list.remove(0), texts })
        };
        lists.into_iter().map(equal).collect::<Result<_, _>>().map(Self)
    }
}
