//! Spans as OTLP has them: of `opentelemetry/proto/trace/v1` the messages and fields that are sent. Numbers of fields are the
//! protocol's; a test reads them by somebody else's types.

use prost::Message;
use prost::bytes::Bytes;

use super::span::{Kind, Span, Value};

#[derive(Clone, PartialEq, Message)]
struct Request {
    #[prost(message, repeated, tag = "1")]
    resources: Vec<ResourceSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceSpans {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scopes: Vec<ScopeSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct Resource {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeSpans {
    #[prost(message, optional, tag = "1")]
    scope: Option<Scope>,
    #[prost(message, repeated, tag = "2")]
    spans: Vec<SpanSent>,
}

#[derive(Clone, PartialEq, Message)]
struct Scope {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    version: String,
}

#[derive(Clone, PartialEq, Message)]
struct SpanSent {
    #[prost(bytes = "vec", tag = "1")]
    trace: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    span: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    parent: Vec<u8>,
    #[prost(string, tag = "5")]
    name: String,
    #[prost(int32, tag = "6")]
    kind: i32,
    #[prost(fixed64, tag = "7")]
    began: u64,
    #[prost(fixed64, tag = "8")]
    ended: u64,
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<KeyValue>,
    #[prost(message, repeated, tag = "13")]
    links: Vec<Link>,
    #[prost(message, optional, tag = "15")]
    status: Option<Status>,
    #[prost(fixed32, tag = "16")]
    flags: u32,
}

#[derive(Clone, PartialEq, Message)]
struct Link {
    #[prost(bytes = "vec", tag = "1")]
    trace: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    span: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(string, tag = "2")]
    message: String,
    #[prost(int32, tag = "3")]
    code: i32,
}

#[derive(Clone, PartialEq, Message)]
struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct AnyValue {
    #[prost(oneof = "Is", tags = "1, 3")]
    is: Option<Is>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Is {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(int64, tag = "3")]
    Number(i64),
}

/// `SPAN_FLAGS` of a span that is kept.
const SAMPLED: u32 = 1;
/// `STATUS_CODE_ERROR`.
const ERROR: i32 = 2;

/// The body of one export.
pub(super) fn body(spans: Vec<Span>) -> Bytes {
    let service = [("service.name", "hookport"), ("service.version", env!("CARGO_PKG_VERSION"))];
    let attributes = service.map(|(key, text)| attribute(key, Value::Word(text))).into();
    let scope = Scope { name: "hookport".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() };
    let spans = spans.into_iter().map(sent).collect();
    let scopes = vec![ScopeSpans { scope: Some(scope), spans }];
    let resources = vec![ResourceSpans { resource: Some(Resource { attributes }), scopes }];
    Request { resources }.encode_to_vec().into()
}

fn sent(span: Span) -> SpanSent {
    let Span { context, parent, name, kind, began, ended, attributes, failed, links } = span;
    let link = |context: super::Context| Link { trace: context.trace.into(), span: context.span.into() };
    SpanSent {
        trace: context.trace.into(),
        span: context.span.into(),
        parent: parent.map(Vec::from).unwrap_or_default(),
        name: name.to_owned(),
        kind: match kind {
            Kind::Internal => 1,
            Kind::Server => 2,
            Kind::Client => 3,
        },
        began,
        ended,
        attributes: attributes.into_iter().map(|(key, value)| attribute(key, value)).collect(),
        links: links.into_iter().map(link).collect(),
        status: failed.map(|message| Status { message, code: ERROR }),
        flags: SAMPLED,
    }
}

fn attribute(key: &str, value: Value) -> KeyValue {
    let is = match value {
        Value::Text(text) => Is::Text(text.as_ref().to_owned()),
        Value::Word(word) => Is::Text(word.to_owned()),
        Value::Number(number) => Is::Number(number),
    };
    KeyValue { key: key.to_owned(), value: Some(AnyValue { is: Some(is) }) }
}
