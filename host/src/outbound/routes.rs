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
mod tests;
