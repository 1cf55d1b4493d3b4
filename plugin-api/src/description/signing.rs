//! `[[sign]]`: how requests that go out are signed, in the words of `[[verify]]`.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use super::many::Many;
use super::proof::{Key, When};

/// `sign = "verify"`, or tables.
#[derive(Debug, Clone)]
pub enum Signing {
    /// As the provider signs: the description's `[[verify]]` and `[timestamp]` run backwards.
    Verify,
    /// The first table that applies.
    Tables(Vec<Sign>),
}

/// One of `[[sign]]` or `[[operations.sign]]`. What it reads it reads from the request that goes out.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Sign {
    /// Applies only where this holds.
    pub when: Option<When>,
    /// Named in the host's registry of algorithms.
    pub alg: String,
    /// The key, `${secret:main}` as text unless said; of an asymmetric algorithm a private key.
    pub key: Option<Key>,
    /// The signed text: a template, or several, the first whose places are there.
    #[serde(default)]
    pub message: Many<String>,
    /// How the signature is written: `hex` unless said, `base64`, `base64url` or `utf8`.
    pub encoding: Option<String>,
    /// How an SM2 signature is laid out: `der` unless said, or `raw`.
    pub form: Option<String>,
    /// SM2's user id.
    pub user_id: Option<String>,
    /// In front of the signature.
    pub prefix: Option<String>,
    /// What is written instead of prefix and signature: a template in which `${mac}` is the signature's bytes.
    pub value: Option<String>,
    /// Where it is written: `header:`, `query:`, `form:`, `json:` or `xml:`.
    pub to: String,
    /// What is written before signing, by place: first fields of the body, then parameters, then headers, each sorted. A
    /// header that comes out empty is left out.
    #[serde(default)]
    pub set: BTreeMap<String, Set>,
    /// What `${now}` is.
    pub now: Option<Now>,
    /// What `${nonce}` is.
    pub nonce: Option<Nonce>,
}

/// What is written at a place.
#[derive(Debug, Clone)]
pub enum Set {
    /// A template of a text.
    Text(String),
    /// `{ json = "${now}" }`: a template of a JSON value, such as a number; only for `json:`.
    Json(String),
}

/// `now = "unix_s"`, or `{ format, offset }`.
#[derive(Debug, Clone, Default)]
pub struct Now {
    /// As under `[timestamp]`.
    pub format: String,
    /// Of local time from UTC, `+08:00`; UTC unless said.
    pub offset: Option<String>,
}

/// `nonce = { length, alphabet }` or `{ range }`: fresh for every try of a request, from the system's randomness.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Nonce {
    /// Characters; 32 unless said.
    pub length: Option<usize>,
    /// What they are taken from; letters and digits of ASCII unless said.
    pub alphabet: Option<String>,
    /// A whole number, both ends included, instead of characters.
    pub range: Option<[u64; 2]>,
}

impl<'de> Deserialize<'de> for Signing {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;
        impl<'de> Visitor<'de> for Written {
            type Value = Signing;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"verify\", a table or a list of tables")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Signing, E> {
                match text {
                    "verify" => Ok(Signing::Verify),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
                }
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Signing, A::Error> {
                Sign::deserialize(MapAccessDeserializer::new(map)).map(|one| Signing::Tables(vec![one]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Signing, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(Signing::Tables)
            }
        }
        deserializer.deserialize_any(Written)
    }
}

impl<'de> Deserialize<'de> for Set {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Json {
            json: String,
        }
        struct Written;
        impl<'de> Visitor<'de> for Written {
            type Value = Set;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a template, or { json = \"...\" }")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Set, E> {
                Ok(Set::Text(text.to_owned()))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Set, A::Error> {
                Json::deserialize(MapAccessDeserializer::new(map)).map(|table| Set::Json(table.json))
            }
        }
        deserializer.deserialize_any(Written)
    }
}

impl<'de> Deserialize<'de> for Now {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Table {
            format: String,
            offset: Option<String>,
        }
        struct Written;
        impl<'de> Visitor<'de> for Written {
            type Value = Now;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time format, or { format = \"...\", offset = \"+08:00\" }")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Now, E> {
                Ok(Now { format: text.to_owned(), offset: None })
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Now, A::Error> {
                let Table { format, offset } = Table::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Now { format, offset })
            }
        }
        deserializer.deserialize_any(Written)
    }
}
