//! The admin API over real sockets, with a real journal behind it.

mod gateway;

use std::time::Duration;

use hookport::journal::NewRejected;
use hookport::reason::{Reason, Rejection};
use serde_json::{Value, json};

use self::gateway::{Gateway, event, request};

#[tokio::test]
async fn an_event_is_listed_and_shown_with_its_masked_request() {
    let gateway = Gateway::start(None).await;
    let id = gateway.record(event("esim.CardStopped", r#"{"iccid":"8985","amount":10.00,"card_no":"4111"}"#)).await;
    gateway.record(event("esim.CardStarted", "{}")).await;

    let (status, list) = gateway.get("/v1/events?type=esim.CardSt*pped").await;
    assert_eq!(status, 200);
    let events = list["events"].as_array().expect("a list");
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["event"]["id"], id.to_string());
    assert_eq!(events[0]["event"]["data"]["card_no"], "***", "redacted fields are never shown");
    assert_eq!(events[0]["state"], "unrouted");

    let (status, text) = gateway.text(&format!("/v1/events/{id}")).await;
    assert_eq!(status, 200);
    assert!(text.contains("10.00"), "numbers stay as received: {text}");
    assert!(!text.contains("4111") && !text.contains("s1gned"), "{text}");
    let shown: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(shown["request"]["headers"][0], json!(["x-signature", "***"]));
    assert_eq!(shown["request"]["target"], "/esim?sign=***&a=b");
}

#[tokio::test]
async fn filters_are_checked_and_what_is_not_there_is_said() {
    let gateway = Gateway::start(None).await;
    for (path, status, words) in [
        ("/v1/events?colour=red", 400, "colour"),
        ("/v1/events?state=lost", 400, "routed"),
        ("/v1/events?since=yesterday", 400, ""),
        ("/v1/events/17", 400, "id"),
        ("/v1/events/0198c5a0-5a7e-7cc3-98c4-dc0c0c07398f", 404, "no event"),
        ("/v1/rejections/17", 404, "no rejection"),
        ("/v1/nothing", 404, "nothing"),
        ("/v1/deliveries/retry", 405, "method"),
    ] {
        let (found, body) = gateway.get(path).await;
        let error = body["error"].as_str().unwrap_or_else(|| panic!("{path} answers no error: {body}"));
        assert_eq!(found, status, "{path}: {error}");
        assert!(error.contains(words), "{path}: {error}");
    }
}

#[tokio::test]
async fn tail_shows_what_comes_and_misses_nothing() {
    let gateway = Gateway::start(None).await;
    let (_, start) = gateway.get("/v1/events/tail").await;
    assert_eq!(start["events"], json!([]));
    let after = start["after"].as_str().expect("a place").to_owned();

    let first = gateway.record(event("esim.One", "{}")).await;
    let (_, one) = gateway.get(&format!("/v1/events/tail?after={after}")).await;
    assert_eq!(one["events"][0]["event"]["id"], first.to_string());
    assert_eq!(one["after"], first.to_string());

    // This one waits until something comes.
    let path = format!("/v1/events/tail?after={first}");
    let waiting = gateway.get(&path);
    let later = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        gateway.record(event("esim.Two", "{}")).await
    };
    let ((status, two), second) = tokio::join!(waiting, later);
    assert_eq!((status, two["events"].as_array().map(Vec::len)), (200, Some(1)));
    assert_eq!(two["events"][0]["event"]["id"], second.to_string());
}

#[tokio::test]
async fn a_waiting_tail_does_not_hold_up_the_end() {
    let gateway = Gateway::start(None).await;
    let id = gateway.record(event("esim.One", "{}")).await;
    let address = gateway.address;
    let waiting = tokio::spawn(async move { gateway::get(address, &format!("/v1/events/tail?after={id}"), &[]).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    tokio::time::timeout(Duration::from_secs(15), gateway.stop()).await.expect("the server ends before the tail would");
    let (status, body) = waiting.await.expect("it is answered");
    assert_eq!(status, 200);
    let body: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(body, json!({ "events": [], "after": id.to_string() }));
}

#[tokio::test]
async fn failed_deliveries_are_tried_again_only_by_post_and_json() {
    let gateway = Gateway::start(None).await;
    let id = gateway.record(event("routed.One", "{}")).await;
    gateway.exhaust("crm").await;
    let (_, list) = gateway.get("/v1/deliveries?state=exhausted").await;
    assert_eq!(list["deliveries"][0]["event"], id.to_string());

    let form = [("content-type", "text/plain")];
    let (status, _) = gateway::post(gateway.address, "/v1/deliveries/retry", &form, "{}").await;
    assert_eq!(status, 415, "a web form cannot ask for it");
    let json = [("content-type", "application/json")];
    let (status, body) =
        gateway::post(gateway.address, "/v1/deliveries/retry", &json, r#"{"destination":"crm"}"#).await;
    assert_eq!((status, body.as_str()), (200, r#"{"retried":1}"#));
    let (_, list) = gateway.get("/v1/deliveries?state=exhausted").await;
    assert_eq!(list["deliveries"], json!([]));
}

#[tokio::test]
async fn what_need_not_arrive_is_given_up_and_can_be_found() {
    let gateway = Gateway::start(None).await;
    let id = gateway.record(event("routed.One", "{}")).await;
    let json = [("content-type", "application/json")];
    for cancelled in [r#"{"cancelled":1}"#, r#"{"cancelled":0}"#] {
        let (status, body) =
            gateway::post(gateway.address, "/v1/deliveries/cancel", &json, r#"{"destination":"crm"}"#).await;
        assert_eq!((status, body.as_str()), (200, cancelled));
    }
    let (_, list) = gateway.get("/v1/deliveries?state=cancelled").await;
    assert_eq!(list["deliveries"][0]["event"], id.to_string());
    assert_eq!(list["deliveries"][0]["reason"], "cancelled by an operator");
}

#[tokio::test]
async fn a_rejection_is_shown_without_its_signature() {
    let gateway = Gateway::start(None).await;
    gateway.journal.reject(NewRejected {
        source: Some("esim".into()),
        rejection: Rejection::new(Reason::SignatureMismatch, "no signature matches"),
        request: request(r#"{"card_no":"4111"}"#),
    });
    let mut list = gateway.get("/v1/rejections?reason=signature_mismatch").await.1;
    for _ in 0..200 {
        if list["rejections"][0]["id"].is_u64() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        list = gateway.get("/v1/rejections?reason=signature_mismatch").await.1;
    }
    let number = list["rejections"][0]["id"].as_u64().expect("it was kept");
    let (_, text) = gateway.text(&format!("/v1/rejections/{number}")).await;
    assert!(text.contains("no signature matches") && text.contains("sign=***"), "{text}");
    assert!(!text.contains("s1gned") && !text.contains("4111"), "{text}");
}

#[tokio::test]
async fn with_a_token_nothing_but_health_is_told_without_it() {
    let gateway = Gateway::start(Some("open sesame")).await;
    for path in ["/v1/events", "/v1/stats", "/v1/sources", "/v1/nothing"] {
        let (status, body) = gateway.get(path).await;
        assert_eq!(status, 401, "{path}");
        assert!(body["error"].as_str().is_some_and(|error| error.contains("token")), "{body}");
    }
    let bearer = [("authorization", "Bearer open sesame")];
    assert_eq!(gateway::get(gateway.address, "/v1/events", &bearer).await.0, 200);
    let wrong = [("authorization", "Bearer open sesam")];
    assert_eq!(gateway::get(gateway.address, "/v1/events", &wrong).await.0, 401);
    assert_eq!(gateway.get("/healthz").await.0, 200);
    assert_eq!(gateway.get("/readyz").await.0, 200);
}

#[tokio::test]
async fn a_web_page_cannot_reach_the_api_on_loopback() {
    let gateway = Gateway::start(None).await;
    let page = [("origin", "https://evil.example"), ("content-type", "application/json")];
    let (status, _) = gateway::post(gateway.address, "/v1/deliveries/retry", &page, "{}").await;
    assert_eq!(status, 403);
    let rebound = [("host", "evil.example")];
    assert_eq!(gateway::get(gateway.address, "/v1/events", &rebound).await.0, 403);
}

#[tokio::test]
async fn readiness_follows_the_gateways_life() {
    let gateway = Gateway::start(None).await;
    assert_eq!(gateway.get("/readyz").await, (200, json!({ "ready": true })));
    gateway.readiness.set(hookport::admin::Phase::Draining);
    assert_eq!(gateway.get("/readyz").await, (503, json!({ "ready": false, "reason": "draining" })));
    gateway.readiness.set(hookport::admin::Phase::Running);
    gateway.journal.close().await.expect("it closes");
    let (status, body) = gateway.get("/readyz").await;
    assert_eq!(status, 503);
    assert_eq!(body["reason"], "the journal takes nothing", "fixed words, whatever the error says");
    assert_eq!(gateway.get("/healthz").await.0, 200, "alive is not ready");
}

#[tokio::test]
async fn sources_and_numbers_are_shown_and_secrets_are_not() {
    let gateway = Gateway::start(None).await;
    gateway.record(event("esim.One", "{}")).await;
    let (_, sources) = gateway.get("/v1/sources").await;
    assert_eq!(sources["sources"][0]["secrets"], json!(["main"]));
    assert_eq!(gateway.get("/v1/plugins").await.1["plugins"][0]["provider"], "signed");
    let (status, stats) = gateway.get("/v1/stats").await;
    assert_eq!((status, &stats["events"]), (200, &json!(1)), "{stats}");
}
