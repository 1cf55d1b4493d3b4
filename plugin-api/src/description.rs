//! The provider description: what a provider is, as data. One grammar for plugins and for code-free providers.
//!
//! These types say what may be written; whether it makes sense is the host's to check, and the host alone executes it.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer, StrDeserializer};
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

/// A whole `provider.toml`.
#[derive(Debug, Clone, Deserialize)]
pub struct Description {
    /// Who it is.
    pub provider: Identity,
    /// Where it calls; absent for a provider that is only called.
    pub route: Option<Route>,
    /// What its headers must look like.
    #[serde(default)]
    pub headers: Vec<HeaderRule>,
    /// The keys it needs, by name.
    #[serde(default)]
    pub secrets: BTreeMap<String, SecretSlot>,
    /// What an operator may choose, by name.
    #[serde(default)]
    pub settings: BTreeMap<String, Setting>,
    /// Named byte strings for templates.
    #[serde(default, rename = "let")]
    pub lets: BTreeMap<String, Let>,
    /// How a request proves itself: alternatives, the first match accepts.
    #[serde(default)]
    pub verify: Many<Verify>,
    /// Equalities that must hold besides the signature.
    #[serde(default)]
    pub assert: Vec<Assert>,
    /// Where the signed time is.
    pub timestamp: Option<Time>,
    /// Which nonce may come only once.
    pub replay: Option<Replay>,
    /// What an event is called, and by which key a repeat is known.
    #[serde(default)]
    pub event: EventRule,
    /// Answers, by outcome.
    #[serde(default)]
    pub ack: Acks,
    /// Encrypted fields, decrypted when an event is delivered.
    #[serde(default)]
    pub open: Vec<Open>,
    /// JSON pointers into `data` that no log, rejection or screen may show.
    #[serde(default)]
    pub redact: Vec<String>,
    /// Calls that the gateway makes to the provider.
    #[serde(default)]
    pub operations: Vec<Operation>,
    /// Keys of a newer grammar that a host may not ignore.
    #[serde(default)]
    pub must_understand: Vec<String>,
}

/// `[provider]`.
#[derive(Debug, Clone, Deserialize)]
pub struct Identity {
    /// Lower-case letters, digits and `-`; also the prefix of every event type.
    pub id: String,
    /// As people write it.
    #[serde(default)]
    pub name: String,
    /// The description's own version.
    #[serde(default)]
    pub version: String,
    /// The vendor's documentation.
    pub docs: Option<String>,
    /// What a body is.
    #[serde(default)]
    pub content: Content,
}

/// What a body is, and so what "does not parse" means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Content {
    /// A JSON document.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// Anything.
    #[default]
    Raw,
}

/// `[route]`.
#[derive(Debug, Clone, Deserialize)]
pub struct Route {
    /// Upper case.
    #[serde(default = "post")]
    pub methods: Vec<String>,
    /// The default path of a source.
    pub path: String,
}

fn post() -> Vec<String> {
    vec!["POST".into()]
}

/// One of `[[headers]]`.
#[derive(Debug, Clone, Deserialize)]
pub struct HeaderRule {
    /// Case does not matter.
    pub name: String,
    /// Whether a request without it is refused.
    #[serde(default = "yes")]
    pub required: bool,
    /// A regular expression that must match the whole value.
    pub pattern: Option<String>,
    /// Characters at most.
    pub max_len: Option<usize>,
    /// The only values, compared without case.
    pub one_of: Option<Vec<String>>,
    /// A media type; parameters and case are ignored.
    pub media_type: Option<String>,
}

fn yes() -> bool {
    true
}

/// `[secrets.NAME]`.
#[derive(Debug, Clone, Deserialize)]
pub struct SecretSlot {
    /// What it is and where an operator finds it.
    pub about: String,
    /// What its text is.
    #[serde(default)]
    pub kind: SecretKind,
    /// Whether a source without it is refused by `check`.
    #[serde(default = "yes")]
    pub required: bool,
}

/// What a secret's text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretKind {
    /// Shared text.
    #[default]
    Text,
    /// The provider's public key.
    PublicKey,
    /// Our own private key.
    PrivateKey,
}

/// `[settings.NAME]`.
#[derive(Debug, Clone, Deserialize)]
pub struct Setting {
    /// What it changes.
    pub about: String,
    /// What it holds.
    #[serde(default, rename = "type")]
    pub kind: SettingKind,
    /// The only values.
    #[serde(default)]
    pub choices: Vec<String>,
    /// The value when the operator names none; without it the operator must.
    pub default: Option<SettingValue>,
}

/// What a setting holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SettingKind {
    /// Text.
    #[default]
    String,
    /// True or false.
    Bool,
    /// A whole number.
    Int,
}

/// A setting's value, as written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged)]
pub enum SettingValue {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Text.
    String(String),
}

impl fmt::Display for SettingValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Int(value) => value.fmt(f),
            Self::String(value) => value.fmt(f),
        }
    }
}

/// `[let.NAME]`: a template, sorted parts, or fields collected from the request.
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
}

/// `[let.NAME] template = "...", when = {...}`.
#[derive(Debug, Clone)]
pub struct Conditional {
    /// When it is there.
    pub when: When,
    /// A template.
    pub template: String,
}

/// `[let.NAME] sort = [...]`.
#[derive(Debug, Clone)]
pub struct Sort {
    /// Templates.
    pub sort: Vec<String>,
    /// Between them; nothing unless said.
    pub join: String,
}

/// `[let.NAME] collect = "..."`.
#[derive(Debug, Clone)]
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
#[serde(rename_all = "lowercase")]
pub enum CollectFrom {
    /// The top level of a JSON body.
    Json,
    /// A form body.
    Form,
    /// The query.
    Query,
}

/// The order of collected fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
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

/// One of `[[verify]]`.
#[derive(Debug, Clone, Deserialize)]
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
    /// Why there is no signature; only with `none`, and required there.
    pub reason: Option<String>,
}

/// How a signature header is split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
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

/// `key = { form, value }`.
#[derive(Debug, Clone, Deserialize)]
pub struct Key {
    /// How the text becomes a key.
    #[serde(default = "utf8")]
    pub form: String,
    /// A template.
    #[serde(default = "secret")]
    pub value: String,
}

fn utf8() -> String {
    "utf8".into()
}

fn secret() -> String {
    "${secret}".into()
}

/// One of `[[assert]]`: two templates whose bytes must be equal with some combination of the listed secrets.
#[derive(Debug, Clone, Deserialize)]
pub struct Assert {
    /// A template.
    pub left: String,
    /// A template.
    pub right: String,
}

/// A condition; everything named must hold.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct When {
    /// A source and the texts of which it equals one, without case; or a list of such lists, which must all hold.
    #[serde(default)]
    pub equals: Equals,
    /// A source that is there.
    pub present: Option<String>,
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

/// `[timestamp]`.
#[derive(Debug, Clone, Deserialize)]
pub struct Time {
    /// A source.
    pub from: String,
    /// `unix_s`, `unix_ms`, `rfc3339`, `http_date` or a strptime pattern.
    #[serde(default)]
    pub format: Many<String>,
    /// Seconds that it may be off; 0 is not enforced.
    #[serde(default = "one_day")]
    pub tolerance_s: u64,
}

fn one_day() -> u64 {
    86_400
}

/// `[replay]`.
#[derive(Debug, Clone, Deserialize)]
pub struct Replay {
    /// A source, remembered as long as the timestamp may be off.
    pub nonce: String,
}

/// `[event]`: each a source, a template, or a list of which the first present counts.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct EventRule {
    /// The provider's name of the event.
    #[serde(default, rename = "type")]
    pub kind: Many<String>,
    /// The dedup key.
    #[serde(default)]
    pub id: Many<String>,
    /// What it is about.
    #[serde(default)]
    pub subject: Many<String>,
    /// When it happened.
    #[serde(default)]
    pub time: Many<String>,
    /// How `time` is written.
    #[serde(default)]
    pub format: Many<String>,
    /// What the signature binds; `body` unless said.
    pub covers: Option<String>,
    /// Seconds that the hash of a body without id is remembered.
    #[serde(default = "one_day")]
    pub hash_hold_s: u64,
}

/// `[ack.<outcome>]`.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Acks {
    /// Stored.
    pub accepted: Option<Ack>,
    /// Stored before; as `accepted` unless said.
    pub duplicate: Option<Ack>,
    /// Not proven.
    pub rejected: Option<Ack>,
    /// Not parseable.
    pub malformed: Option<Ack>,
    /// Not now.
    pub unavailable: Option<Ack>,
}

/// One answer.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Ack {
    /// The outcome's own status unless said.
    pub status: Option<u16>,
    /// Templates, by name.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// A template, sent as `application/json`.
    pub json: Option<String>,
    /// A template, sent as `text/plain`.
    pub text: Option<String>,
    /// A template, sent as `application/xml`.
    pub xml: Option<String>,
    /// No body, which is also the default.
    #[serde(default)]
    pub empty: bool,
    /// Headers that sign the answer; the first that applies.
    #[serde(default)]
    pub sign: Vec<AckSign>,
}

/// One of `[[ack.<outcome>.sign]]`.
#[derive(Debug, Clone, Deserialize)]
pub struct AckSign {
    /// Applies only where this holds.
    pub when: Option<When>,
    /// How `${now}` is written: a strftime pattern.
    pub now: String,
    /// Named in the host's registry of algorithms.
    pub alg: String,
    /// The key, `${secret:main}` as text unless said.
    pub key: Option<Key>,
    /// The signed text; `${now}` and `${ack}` are the answer's time and body.
    pub message: String,
    /// Templates, by name; `${mac}` is the signature's bytes.
    pub headers: BTreeMap<String, String>,
}

/// One of `[[open]]`.
#[derive(Debug, Clone, Deserialize)]
pub struct Open {
    /// A JSON pointer into `data`, or several.
    pub field: Many<String>,
    /// `rsa-pkcs1-v1_5`.
    pub alg: String,
    /// Bytes of a ciphertext block.
    pub block: usize,
    /// The name of a private key under `[secrets]`.
    pub key: String,
}

/// One of `[[operations]]`.
#[derive(Debug, Clone, Deserialize)]
pub struct Operation {
    /// As `hookport call` and `[[polls]]` name it.
    pub id: String,
    /// What it does.
    #[serde(default)]
    pub about: String,
    /// JSON Schema of the input, as JSON text.
    pub input: Option<String>,
    /// JSON Schema of the output, as JSON text.
    pub output: Option<String>,
    /// Seconds for one call, unless the plan says otherwise.
    #[serde(default = "ten")]
    pub timeout_s: u64,
    /// Tries of one request; unless said 3, and 1 for a method that may do something twice (POST, PATCH).
    pub attempts: Option<u32>,
    /// Where the items of the output are, for polls: a JSON pointer.
    pub items: Option<String>,
    /// The event that a poll makes of a changed item.
    pub changed_event: Option<String>,
}

fn ten() -> u64 {
    10
}

/// One or a list of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Many<T>(pub Vec<T>);

impl<T> Default for Many<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> std::ops::Deref for Many<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.0
    }
}

/// Unlike an untagged enum this keeps the inner type's own complaint and its place in the file.
impl<'de, T: Deserialize<'de>> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrList<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrList<T> {
            type Value = Many<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("one or a list")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
                T::deserialize(StrDeserializer::new(text)).map(|one| Many(vec![one]))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(|one| Many(vec![one]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(Many)
            }
        }
        deserializer.deserialize_any(OneOrList(PhantomData))
    }
}

/// Text is a template; of a table, `sort` or `collect` says which kind it is.
impl<'de> Deserialize<'de> for Let {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;
        impl<'de> Visitor<'de> for Written {
            type Value = Let;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a template, { template = \"...\", when = {...} }, { sort = [...] } or { collect = \"json\" | \"form\" | \"query\" }")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Let, E> {
                Ok(Let::Template(text.to_owned()))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Let, A::Error> {
                let table = LetTable::deserialize(MapAccessDeserializer::new(map))?;
                match (table.sort, table.collect, table.template) {
                    (None, None, Some(template)) => {
                        Ok(Let::Conditional(Conditional { when: table.when.unwrap_or_default(), template }))
                    }
                    (Some(sort), None, None) => Ok(Let::Sort(Sort { sort, join: table.join.unwrap_or_default() })),
                    (None, Some(collect), None) => Ok(Let::Collect(Collect {
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
                    _ => Err(serde::de::Error::custom("a let table has one of `template`, `sort` and `collect`")),
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
}

/// Every key of the grammar, for a reader that suggests the one that was meant.
pub const KEYS: &[&str] = &[
    "about",
    "accepted",
    "ack",
    "alg",
    "assert",
    "attempts",
    "block",
    "bool",
    "changed_event",
    "choices",
    "collect",
    "content",
    "covers",
    "default",
    "docs",
    "duplicate",
    "empty",
    "encode",
    "encoding",
    "equals",
    "event",
    "exclude",
    "field",
    "form",
    "format",
    "from",
    "hash_hold_s",
    "headers",
    "id",
    "include_prefix",
    "input",
    "items",
    "join",
    "json",
    "key",
    "kind",
    "kv",
    "left",
    "let",
    "malformed",
    "max_len",
    "media_type",
    "message",
    "method",
    "methods",
    "must_understand",
    "name",
    "nonce",
    "now",
    "one_of",
    "open",
    "operations",
    "order",
    "output",
    "pair",
    "parse",
    "path",
    "pattern",
    "pick",
    "prefix",
    "present",
    "provider",
    "reason",
    "redact",
    "rejected",
    "replay",
    "required",
    "right",
    "route",
    "secrets",
    "sep",
    "settings",
    "sign",
    "skip_empty",
    "sort",
    "status",
    "subject",
    "template",
    "text",
    "time",
    "timeout_s",
    "timestamp",
    "tolerance_s",
    "type",
    "unavailable",
    "unique",
    "user_id",
    "value",
    "verify",
    "version",
    "when",
    "xml",
];
