//! `[let.NAME]`: named byte strings.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::proof::When;

/// `[let.NAME]`: a template, sorted parts, fields collected from the request, or what code writes.
#[derive(Debug, Clone)]
pub enum Let {
    /// A template.
    Template(String),
    /// A template that is missing, as a header may be, unless its condition holds.
    Conditional(Conditional),
    /// Templates whose values are sorted by bytes and joined.
    Sort(Sort),
    /// Fields of the request as `key=value` pairs.
    Collect(Collect),
    /// The headers that a text of the request lists.
    ListedHeaders(ListedHeaders),
    /// What the plugin's own code writes.
    Code(Code),
}

/// `[let.NAME] code = ["body", "header:x-time"]`.
#[derive(Debug, Clone)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Code {
    /// A signed text that the plugin's function `canonicalize` writes, and the sources whose bytes are all in it. Only
    /// `message` under `[[verify]]` may read it.
    pub code: Vec<String>,
}

/// `[let.NAME] listed_headers = "${sig:h}"`.
#[derive(Debug, Clone)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct ListedHeaders {
    /// A template of the list.
    pub listed_headers: String,
    /// Between the names in the list; a space unless said.
    pub split: String,
    /// A template of `${k}` and `${v}`; `${v}` unless said.
    pub pair: String,
    /// Between pairs; nothing unless said.
    pub join: String,
}

/// `[let.NAME] template = "...", when = {...}`.
#[derive(Debug, Clone)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Conditional {
    /// When it is there.
    pub when: When,
    /// A template.
    pub template: String,
}

/// `[let.NAME] sort = [...]`.
#[derive(Debug, Clone)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Sort {
    /// Templates.
    pub sort: Vec<String>,
    /// Between them; nothing unless said.
    pub join: String,
}

/// `[let.NAME] collect = "..."`.
#[derive(Debug, Clone)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Collect {
    /// Where the fields come from.
    pub collect: CollectFrom,
    /// Fields left out, by name.
    pub exclude: Vec<String>,
    /// Only fields whose name begins so.
    pub include_prefix: Option<String>,
    /// Drops null, `""`, `[]` and `{}`.
    pub skip_empty: bool,
    /// Drops exact repeats.
    pub unique: bool,
    /// In which order; by name unless said.
    pub order: Order,
    /// How names and values are written.
    pub encode: Encode,
    /// A template of `${k}` and `${v}`; `${k}=${v}` unless said.
    pub pair: String,
    /// Between pairs; `&` unless said.
    pub join: String,
    /// The texts of false and true, unless said `false` and `true`.
    pub bool: [String; 2],
}

/// Where collected fields come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum CollectFrom {
    /// The top level of a JSON body.
    Json,
    /// A form body.
    Form,
    /// The query.
    Query,
    /// The children of an XML body's root.
    Xml,
}

/// The order of collected fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// By the name's bytes; equal names stay as received.
    #[default]
    Key,
    /// By name, then by value.
    KeyValue,
    /// As received.
    None,
}

/// How collected names and values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Encode {
    /// As decoded.
    #[default]
    None,
    /// As a form writes them: space is `+`.
    Form,
    /// Percent-encoded, RFC 3986.
    Rfc3986,
}

/// Text is a template; of a table, `sort` or `collect` says which kind it is.
impl<'de> Deserialize<'de> for Let {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;
        impl<'de> Visitor<'de> for Written {
            type Value = Let;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a template, { template = \"...\", when = {...} }, { sort = [...] }, { collect = \"json\" | \"form\" | \"query\" | \"xml\" }, { listed_headers = \"...\" } or { code = [...] }")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Let, E> {
                Ok(Let::Template(text.to_owned()))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Let, A::Error> {
                let table = LetTable::deserialize(MapAccessDeserializer::new(map))?;
                match (table.sort, table.collect, table.template, table.listed_headers, table.code) {
                    (None, None, Some(template), None, None) => {
                        Ok(Let::Conditional(Conditional { when: table.when.unwrap_or_default(), template }))
                    }
                    (Some(sort), None, None, None, None) => {
                        Ok(Let::Sort(Sort { sort, join: table.join.unwrap_or_default() }))
                    }
                    (None, Some(collect), None, None, None) => Ok(Let::Collect(Collect {
                        collect,
                        exclude: table.exclude,
                        include_prefix: table.include_prefix,
                        skip_empty: table.skip_empty,
                        unique: table.unique,
                        order: table.order,
                        encode: table.encode,
                        pair: table.pair.unwrap_or_else(|| "${k}=${v}".into()),
                        join: table.join.unwrap_or_else(|| "&".into()),
                        bool: table.bool.unwrap_or_else(|| ["false".into(), "true".into()]),
                    })),
                    (None, None, None, Some(listed_headers), None) => Ok(Let::ListedHeaders(ListedHeaders {
                        listed_headers,
                        split: table.split.unwrap_or_else(|| " ".into()),
                        pair: table.pair.unwrap_or_else(|| "${v}".into()),
                        join: table.join.unwrap_or_default(),
                    })),
                    (None, None, None, None, Some(code)) => Ok(Let::Code(Code { code })),
                    _ => Err(serde::de::Error::custom(
                        "a let table has one of `template`, `sort`, `collect`, `listed_headers` and `code`",
                    )),
                }
            }
        }
        deserializer.deserialize_any(Written)
    }
}

#[derive(Deserialize)]
struct LetTable {
    when: Option<When>,
    template: Option<String>,
    sort: Option<Vec<String>>,
    collect: Option<CollectFrom>,
    join: Option<String>,
    #[serde(default)]
    exclude: Vec<String>,
    include_prefix: Option<String>,
    #[serde(default)]
    skip_empty: bool,
    #[serde(default)]
    unique: bool,
    #[serde(default)]
    order: Order,
    #[serde(default)]
    encode: Encode,
    pair: Option<String>,
    bool: Option<[String; 2]>,
    listed_headers: Option<String>,
    split: Option<String>,
    code: Option<Vec<String>>,
}
