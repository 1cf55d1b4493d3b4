//! Routes: which destinations want an event. Implements the journal's `Plan`.
//!
//! Whether the names in a route exist is the configuration's check; what a `when` means is the condition's.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::condition::{Condition, ConditionError, View};
use super::glob;
use super::order::Order;
use crate::config::written;
use crate::event::{Event, OWN_SOURCE};
use crate::journal::{OrderKey, Plan};

/// All routes, compiled, in the order of the configuration.
#[derive(Debug, Default)]
pub struct Routes {
    routes: Vec<Route>,
    once_per_request: HashSet<Arc<str>>,
    holding: HashSet<Arc<str>>,
    orders: HashMap<Arc<str>, Order>,
}

#[derive(Debug)]
struct Route {
    label: String,
    sources: Option<Vec<String>>,
    types: Option<Vec<String>>,
    when: Option<Condition>,
    to: Vec<Arc<str>>,
    errors: AtomicU64,
}

/// What is wrong with one route's `when`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("routes.{}.when ({label}): {error}", index + 1)]
pub struct RouteError {
    /// Which of `[[routes]]`, from 0.
    pub index: usize,
    /// The route's name, or its number.
    pub label: String,
    /// What and where.
    pub error: ConditionError,
}

impl Routes {
    /// Compiles all routes, or says what is wrong with each.
    pub fn compile(written: &[written::Route]) -> Result<Self, Vec<RouteError>> {
        let mut errors = Vec::new();
        let mut routes = Vec::new();
        for (index, route) in written.iter().enumerate() {
            let label = route.name.clone().unwrap_or_else(|| format!("route {}", index + 1));
            match route.when.as_deref().map(Condition::compile).transpose() {
                Err(error) => errors.push(RouteError { index, label, error }),
                Ok(when) => routes.push(Route {
                    label,
                    sources: route.sources.clone(),
                    types: route.types.clone(),
                    when,
                    to: route.to.iter().map(|name| name.as_str().into()).collect(),
                    errors: AtomicU64::new(0),
                }),
            }
        }
        if errors.is_empty() { Ok(Self { routes, ..Self::default() }) } else { Err(errors) }
    }

    /// Names the destinations that get a request's bytes and not its events (`format = "raw"`).
    pub fn with_once_per_request<'n>(mut self, names: impl IntoIterator<Item = &'n str>) -> Self {
        self.once_per_request = names.into_iter().map(Arc::from).collect();
        self
    }

    /// Names the destinations where what is given up holds its key (`on_exhausted = "hold"`).
    pub fn with_holding<'n>(mut self, names: impl IntoIterator<Item = &'n str>) -> Self {
        self.holding = names.into_iter().map(Arc::from).collect();
        self
    }

    /// Says by what destinations get their events in order.
    pub fn with_orders<'n>(mut self, orders: impl IntoIterator<Item = (&'n str, Order)>) -> Self {
        self.orders = orders.into_iter().map(|(name, order)| (name.into(), order)).collect();
        self
    }

    /// How often each route's `when` failed, by the route's name, for metrics.
    pub fn errors(&self) -> impl Iterator<Item = (&str, u64)> {
        self.routes.iter().map(|route| (route.label.as_str(), route.errors.load(Ordering::Relaxed)))
    }
}

impl Plan for Routes {
    fn plan(&self, event: &Event, warnings: &mut Vec<String>) -> Vec<Arc<str>> {
        let mut view = None;
        let mut destinations: Vec<Arc<str>> = Vec::new();
        for route in &self.routes {
            if route.is_for(event) && route.when_holds(event, &mut view, warnings) {
                for name in &route.to {
                    if !destinations.contains(name) {
                        destinations.push(name.clone());
                    }
                }
            }
        }
        destinations
    }

    fn once_per_request(&self, destination: &str) -> bool {
        self.once_per_request.contains(destination)
    }

    fn holds(&self, destination: &str) -> bool {
        self.holding.contains(destination)
    }

    fn order_key(&self, event: &Event, destination: &str, warnings: &mut Vec<String>) -> Option<OrderKey> {
        self.orders.get(destination)?.key(event).unwrap_or_else(|error| {
            warnings.push(format!("{destination:?} gets it without order, because its `order_by` failed: {error}"));
            None
        })
    }
}

impl Route {
    fn is_for(&self, event: &Event) -> bool {
        if *event.source == *OWN_SOURCE && !self.asks_for_own() {
            return false;
        }
        self.sources.as_ref().is_none_or(|sources| sources.iter().any(|name| **name == *event.source))
            && self.types.as_ref().is_none_or(|types| types.iter().any(|glob| glob::matches(glob, &event.kind)))
    }

    /// The gateway's own events go only where a route names them: who wants "everything" means that of providers.
    fn asks_for_own(&self) -> bool {
        let is_own = |glob: &String| glob.strip_prefix(OWN_SOURCE).is_some_and(|rest| rest.starts_with('.'));
        self.sources.iter().flatten().any(|name| name == OWN_SOURCE) || self.types.iter().flatten().any(is_own)
    }

    /// The event's data is read when the first route asks, and once for all that do.
    fn when_holds(&self, event: &Event, view: &mut Option<View>, warnings: &mut Vec<String>) -> bool {
        let Some(when) = &self.when else { return true };
        when.matches(view.get_or_insert_with(|| View::new(event))).unwrap_or_else(|error| {
            self.errors.fetch_add(1, Ordering::Relaxed);
            warnings.push(format!("route {:?} does not match, because its `when` failed: {error}", self.label));
            false
        })
    }
}

#[cfg(test)]
mod tests {
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
}
