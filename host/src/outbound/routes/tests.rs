use bytes::Bytes;
use uuid::Uuid;

use super::*;
use crate::event::{Data, EventState};

fn event(source: &str, kind: &str, data: &'static str) -> Event {
    Event {
        id: Uuid::nil(),
        source: source.into(),
        provider: "p".into(),
        provider_version: "1".into(),
        kind: kind.into(),
        subject: None,
        time: None,
        received: "2026-01-02T03:04:05Z".parse().unwrap(),
        provider_id: None,
        data: Data::Json(Bytes::from_static(data.as_bytes())),
        state: EventState::Routed,
        warnings: Vec::new(),
    }
}

fn routes(text: &str) -> Result<Routes, Vec<RouteError>> {
    #[derive(serde::Deserialize)]
    struct File {
        routes: Vec<written::Route>,
    }
    Routes::compile(&toml::from_str::<File>(text).unwrap().routes)
}

fn planned(routes: &Routes, event: &Event) -> (Vec<String>, Vec<String>) {
    let mut warnings = Vec::new();
    let planned = routes.plan(event, &mut warnings).iter().map(ToString::to_string).collect();
    (planned, warnings)
}

#[test]
fn a_route_asks_for_source_type_and_condition() {
    let routes = routes(
        r#"
        [[routes]]
        sources = ["a", "b"]
        types = ["p.Card*", "p.Other"]
        when = "event.data.n > 1"
        to = ["x"]
        "#,
    )
    .unwrap();
    let is_wanted = |event| !planned(&routes, &event).0.is_empty();
    assert!(is_wanted(event("a", "p.CardStopped", r#"{"n":2}"#)));
    assert!(is_wanted(event("b", "p.Other", r#"{"n":1.5}"#)));
    assert!(!is_wanted(event("c", "p.CardStopped", r#"{"n":2}"#)));
    assert!(!is_wanted(event("a", "p.card", r#"{"n":2}"#)));
    assert!(!is_wanted(event("a", "p.CardStopped", r#"{"n":1}"#)));
}

#[test]
fn the_gateways_own_events_go_only_where_they_are_named() {
    let routes = routes(
        r#"
        [[routes]]
        to = ["all"]
        [[routes]]
        types = ["*"]
        to = ["all"]
        [[routes]]
        sources = ["hookport"]
        to = ["source"]
        [[routes]]
        types = ["hookport.*"]
        to = ["type"]
        [[routes]]
        sources = ["hookport", "a"]
        types = ["hookport.breaker.*"]
        to = ["one"]
        [[routes]]
        sources = ["a"]
        types = ["hookport.*"]
        to = ["never"]
        "#,
    )
    .unwrap();
    let own = |kind| planned(&routes, &event("hookport", kind, "{}")).0;
    assert_eq!(own("hookport.breaker.opened"), ["source", "type", "one"]);
    assert_eq!(own("hookport.delivery.exhausted"), ["source", "type"]);
    assert_eq!(planned(&routes, &event("a", "p.x", "{}")).0, ["all"]);
}

#[test]
fn every_destination_comes_once_and_in_order() {
    let routes = routes(
        r#"
        [[routes]]
        to = ["b", "a", "b"]
        [[routes]]
        to = ["c", "a"]
        [[routes]]
        types = []
        to = ["never"]
        "#,
    )
    .unwrap();
    assert_eq!(planned(&routes, &event("s", "p.x", "{}")).0, ["b", "a", "c"]);
}

#[test]
fn a_condition_that_fails_is_no_match_and_is_counted_and_shown() {
    let routes = routes(
        r#"
        [[routes]]
        name = "rich"
        when = "event.data.missing > 1"
        to = ["x"]
        [[routes]]
        to = ["y"]
        "#,
    )
    .unwrap();
    let (destinations, warnings) = planned(&routes, &event("s", "p.x", "{}"));
    assert_eq!(destinations, ["y"]);
    assert_eq!(warnings, [r#"route "rich" does not match, because its `when` failed: there is no "missing""#]);
    assert_eq!(routes.errors().collect::<Vec<_>>(), [("rich", 1), ("route 2", 0)]);
}

#[test]
fn every_wrong_condition_is_named_with_its_place() {
    let errors = routes(
        r#"
        [[routes]]
        name = "first"
        when = "evnt.type == 'a'"
        to = ["x"]
        [[routes]]
        when = "event.type == 'a'"
        to = ["x"]
        [[routes]]
        when = "true &&"
        to = ["x"]
        "#,
    )
    .unwrap_err();
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(texts[0], r#"routes.1.when (first): line 1, column 1: there is no "evnt" here, only "event""#);
    assert!(texts[1].starts_with("routes.3.when (route 3): line 1, column 8: "), "{}", texts[1]);
    assert_eq!(texts.len(), 2);
}

#[test]
fn an_order_that_cannot_be_told_is_none_with_a_warning() {
    let order = |by| Order::compile(by).unwrap();
    let orders = [("bank", order("event.data.account")), ("log", order("event.data.missing"))];
    let routes = Routes::default().with_orders(orders);
    let event = event("s", "p.x", r#"{"account":7}"#);
    let mut warnings = Vec::new();
    assert!(routes.order_key(&event, "bank", &mut warnings).is_some());
    assert!(routes.order_key(&event, "crm", &mut warnings).is_none() && warnings.is_empty());
    assert!(routes.order_key(&event, "log", &mut warnings).is_none());
    assert_eq!(warnings, [r#""log" gets it without order, because its `order_by` failed: there is no "missing""#]);
}

#[test]
fn destinations_are_named_that_get_requests_and_that_hold_keys() {
    let routes = Routes::default().with_once_per_request(["raw"]).with_holding(["bank"]);
    assert!(routes.once_per_request("raw") && !routes.once_per_request("bank"));
    assert!(routes.holds("bank") && !routes.holds("raw"));
}
