//! Traces, as a collector gets them from a whole gateway, read by somebody else's types.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::HeaderMap;
use hyper::{Request, Response};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::Value as Json;

use crate::metrics;
use crate::process::{Folder, PATIENCE, Process};
use crate::server::Server;
use crate::tally::{body, request_with};

/// What came, with its headers.
type Came = Arc<Mutex<Vec<Request<Bytes>>>>;

/// A server that keeps what comes and answers with this status.
async fn server(status: u16) -> (Server, Came) {
    let came = Came::default();
    let keep = came.clone();
    let server = Server::start(move |request| {
        keep.lock().expect("no test panics while it holds this").push(request);
        async move { Response::builder().status(status).body(Full::default()).expect("an answer") }
    });
    (server.await, came)
}

/// A gateway that delivers to the one and sends its spans to the other.
fn folder(receiver: &Server, collector: &Server, more: &str, crm: &str) -> Folder {
    Folder::new(&format!(
        "[traces]\nendpoint = \"http://{}/v1/traces\"\nheaders = {{ x-key = {{ value = \"k\" }} }}\n{more}\n\
         [destinations.crm]\nkind = \"http\"\nallow_private = true\nurl = \"http://{}/\"\n{crm}\n[[routes]]\nto = [\"crm\"]\n",
        collector.address, receiver.address
    ))
}

fn spans(came: &Came) -> Vec<Span> {
    let came = came.lock().expect("no test panics while it holds this");
    let decoded = came.iter().map(|request| {
        assert_eq!((request.uri().path(), request.headers()["x-key"].as_bytes()), ("/v1/traces", &b"k"[..]));
        assert_eq!(request.headers()["content-type"], "application/x-protobuf");
        ExportTraceServiceRequest::decode(request.body().clone()).expect("OTLP")
    });
    decoded.flat_map(|batch| batch.resource_spans).flat_map(|of| of.scope_spans).flat_map(|of| of.spans).collect()
}

async fn until(came: &Came, what: &str, enough: impl Fn(&[Span]) -> bool) -> Vec<Span> {
    let end = Instant::now() + PATIENCE;
    loop {
        let spans = spans(came);
        if enough(&spans) {
            return spans;
        }
        assert!(Instant::now() < end, "{what} did not come: {spans:#?}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

fn named<'s>(spans: &'s [Span], name: &str) -> Vec<&'s Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

fn attributes(span: &Span) -> BTreeMap<&str, String> {
    let text = |value: &Value| match value {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        other => panic!("{other:?}"),
    };
    span.attributes
        .iter()
        .map(|attribute| {
            let value = attribute.value.as_ref().and_then(|value| value.value.as_ref());
            (attribute.key.as_str(), value.map(text).unwrap_or_default())
        })
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn once(headers: &str, id: &str) -> Vec<u8> {
    request_with(&format!("connection: close\r\n{headers}"), &body(id))
}

async fn id_of(gateway: &Process, id: &str) -> String {
    let reply = gateway.get(&format!("/v1/events?provider_id={id}&limit=1")).await;
    let said: Json = serde_json::from_slice(&reply.body).expect("JSON");
    said["events"][0]["event"]["id"].as_str().expect("an id").replace('-', "")
}

fn header(came: &Came, name: &str) -> Vec<Option<String>> {
    let value = |headers: &HeaderMap| headers.get(name).map(|value| value.to_str().expect("text").to_owned());
    came.lock().expect("no test panics while it holds this").iter().map(|request| value(request.headers())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_and_all_attempts_of_its_event_are_one_trace_that_is_passed_on() {
    let ((receiver, got), (collector, came)) = (server(200).await, server(200).await);
    let folder = folder(&receiver, &collector, "", "");
    let gateway = folder.serve();
    // Who sends is not asked which trace that is.
    let foreign = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n";
    assert_eq!(gateway.ask(once(foreign, "a")).await.status, 202);
    let spans = until(&came, "all of it", |spans| spans.len() >= 6).await;
    let (receive, deliver) = (named(&spans, "receive")[0], named(&spans, "deliver")[0]);
    let event = id_of(&gateway, "a").await;
    assert!(spans.iter().all(|span| hex(&span.trace_id) == event), "the event's id is that of its trace");
    assert!(receive.parent_span_id.is_empty() && receive.kind == 2 && deliver.kind == 3);
    for name in ["verify", "decode", "record", "ack", "deliver"] {
        let [span] = named(&spans, name)[..] else { panic!("{name}: {spans:#?}") };
        assert_eq!(span.parent_span_id, receive.span_id, "{name}");
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano && span.span_id.len() == 8, "{span:?}");
    }
    let told = attributes(receive);
    let expected =
        [("hookport.source", "tally"), ("http.request.method", "POST"), ("http.response.status_code", "202")];
    assert!(expected.iter().all(|(key, value)| told.get(key).is_some_and(|told| told == value)), "{told:?}");
    let told = attributes(deliver);
    let expected = [("hookport.destination", "crm"), ("hookport.attempt", "1"), ("http.response.status_code", "200")];
    assert!(expected.iter().all(|(key, value)| told.get(key).is_some_and(|told| told == value)), "{told:?}");
    let passed = format!("00-{event}-{}-01", hex(&deliver.span_id));
    assert_eq!(header(&got, "traceparent"), [Some(passed)], "whoever gets it goes on with the attempt's span");
    let page = metrics::until(&gateway, "hookport_spans_total", &[("outcome", "sent")], 6.0).await;
    assert_eq!(page.value("hookport_spans_total", &[("outcome", "dropped")]), 0.0);
    assert_eq!(gateway.stop().code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_who_may_is_gone_on_with_and_the_event_says_whose_it_is() {
    let ((receiver, _), (collector, came)) = (server(200).await, server(200).await);
    let folder = folder(&receiver, &collector, "accept = true", "");
    let gateway = folder.serve();
    let (trace, span) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
    assert_eq!(gateway.ask(once(&format!("traceparent: 00-{trace}-{span}-01\r\n"), "a")).await.status, 202);
    let spans = until(&came, "all of it", |spans| spans.len() >= 7).await;
    let (receive, event) = (named(&spans, "receive")[0], named(&spans, "event")[0]);
    let (within, parent) = (hex(&receive.trace_id), hex(&receive.parent_span_id));
    assert_eq!((within.as_str(), parent.as_str()), (trace, span));
    assert_eq!((&event.links[0].trace_id, &event.links[0].span_id), (&receive.trace_id, &receive.span_id));
    assert_eq!(named(&spans, "deliver")[0].parent_span_id, event.span_id);
    let quiet = format!("traceparent: 00-{trace}-{span}-00\r\n");
    assert_eq!(gateway.ask(once(&quiet, "b")).await.status, 202, "who does not sample is not sampled");
    let spans = until(&came, "the second event", |spans| named(spans, "deliver").len() == 2).await;
    assert_eq!(named(&spans, "receive").len(), 1);
    assert_eq!(gateway.stop().code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_request_is_a_trace_of_its_own_with_the_reason() {
    let ((receiver, _), (collector, came)) = (server(200).await, server(200).await);
    let folder = folder(&receiver, &collector, "", "");
    let gateway = folder.serve();
    let request = String::from_utf8(once("", "a")).expect("text").replacen("x-signature: ", "x-signature: 00", 1);
    assert_eq!(gateway.ask(request.into_bytes()).await.status, 403);
    let spans = until(&came, "it", |spans| !named(spans, "receive").is_empty()).await;
    let told = attributes(named(&spans, "receive")[0]);
    assert_eq!(told.get("hookport.reason").map(String::as_str), Some("signature_mismatch"), "{told:?}");
    assert_eq!(gateway.stop().code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_operator_or_a_provider_says_of_the_header_stands() {
    let ((receiver, got), (collector, _)) = (server(200).await, server(200).await);
    let operators = folder(&receiver, &collector, "", "headers = { traceparent = \"ours\" }");
    let gateway = operators.serve();
    assert_eq!(gateway.ask(once("", "a")).await.status, 202);
    let end = Instant::now() + PATIENCE;
    while got.lock().expect("no test panics while it holds this").is_empty() {
        assert!(Instant::now() < end, "nothing was delivered");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(header(&got, "traceparent"), [Some("ours".to_owned())]);
    assert_eq!(gateway.stop().code, Some(0));

    let ((receiver, got), (collector, _)) = (server(200).await, server(200).await);
    let raw = folder(&receiver, &collector, "", "format = \"raw\"");
    let gateway = raw.serve();
    let theirs = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    assert_eq!(gateway.ask(once(&format!("traceparent: {theirs}\r\n"), "a")).await.status, 202);
    while got.lock().expect("no test panics while it holds this").is_empty() {
        assert!(Instant::now() < end, "nothing was delivered");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(header(&got, "traceparent"), [Some(theirs.to_owned())], "raw is as the provider sent it");
    assert_eq!(gateway.stop().code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_costs_spans_that_are_counted_and_nothing_else() {
    let ((receiver, got), (collector, came)) = (server(200).await, server(503).await);
    let folder = folder(&receiver, &collector, "", "");
    let gateway = folder.serve();
    for n in 0..8 {
        assert_eq!(gateway.ask(once("", &n.to_string())).await.status, 202);
    }
    let page = metrics::until(&gateway, "hookport_spans_total", &[("outcome", "failed")], 1.0).await;
    assert_eq!(page.value("hookport_spans_total", &[("outcome", "sent")]), 0.0);
    let delivered = [("destination", "crm"), ("outcome", "delivered")];
    metrics::until(&gateway, "hookport_attempts_total", &delivered, 8.0).await;
    assert_eq!(got.lock().expect("no test panics while it holds this").len(), 8);
    assert!(!spans(&came).is_empty());
    let ended = gateway.stop();
    assert!(ended.code == Some(0) && ended.said.contains("collector of traces does not take them"), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tracing_is_off_unless_configured_and_a_reload_turns_it_on_and_off() {
    let ((receiver, got), (collector, came)) = (server(200).await, server(200).await);
    let folder = folder(&receiver, &collector, "", "");
    folder.reconfigure("endpoint = ", "#endpoint = ");
    let gateway = folder.serve();
    let reload = |from, to| {
        folder.reconfigure(from, to);
        let said = folder.run(&["reload", "--admin", &format!("http://{}", gateway.admin)]);
        assert!(said.code == Some(0) && said.said.contains("traces.endpoint"), "{said:?}");
    };
    assert_eq!(gateway.ask(once("", "a")).await.status, 202);
    metrics::until(&gateway, "hookport_attempts_total", &[("destination", "crm"), ("outcome", "delivered")], 1.0).await;
    assert_eq!(header(&got, "traceparent"), vec![None::<String>]);
    reload("#endpoint = ", "endpoint = ");
    assert_eq!(gateway.ask(once("", "b")).await.status, 202);
    let spans = until(&came, "its spans", |spans| spans.len() >= 6).await;
    assert_eq!(named(&spans, "receive").len(), 1, "of the second alone");
    reload("endpoint = ", "#endpoint = ");
    assert_eq!(gateway.ask(once("", "c")).await.status, 202);
    metrics::until(&gateway, "hookport_attempts_total", &[("destination", "crm"), ("outcome", "delivered")], 3.0).await;
    assert_eq!(header(&got, "traceparent")[2], None);
    assert_eq!(gateway.stop().code, Some(0));
}

#[test]
fn what_cannot_be_traced_says_what_is_wrong() {
    for (written, words) in [
        ("endpoint = \"collector:4318\"", "traces.endpoint: is not a URL"),
        ("endpoint = \"http://127.0.0.1:4318\"", "traces.endpoint: has no path"),
        ("endpoint = \"http://u:geheim@127.0.0.1/v1/traces\"", "traces.endpoint: has a name or a password in it"),
        ("ratio = 1.5", "traces.ratio: must lie between"),
        ("timeout = \"0s\"", "traces.timeout: must be longer"),
        ("protocol = \"grpc\"", "traces.protocol"),
        ("headers = { Host = \"x\" }", "traces.headers.Host: cannot be set here"),
        ("headers = { Authorization = { env = \"NOT_THERE_AT_ALL\" } }", "NOT_THERE_AT_ALL"),
    ] {
        let checked = Folder::new(&format!("[traces]\n{written}")).run(&["check"]);
        assert!(checked.code == Some(1) && checked.said.contains(words), "{written}: {checked:?}");
        assert!(!checked.said.contains("geheim"), "{checked:?}");
    }
}
