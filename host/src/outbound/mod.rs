//! Outbound: routes choose destinations, and each destination gets its deliveries until it has them.
//!
//! `plan` (in `routes`) happens as an event is recorded; then each destination goes its own way here:
//! `claim -> deliver -> judge -> settle`. What is durable is left to the journal.

mod breaker;
mod broker;
mod condition;
mod destination;
mod dispatch;
mod gates;
mod glob;
mod http;
mod judge;
mod lanes;
mod lines;
mod order;
mod pace;
mod payload;
mod retry;
mod routes;
mod shape;
mod sign;
pub mod transform;

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use condition::{Condition, ConditionError};
pub use destination::{Destination, DestinationError};
pub use gates::{GateShown, Gates};
pub use glob::matches as glob_matches;
pub use lanes::Lanes;
pub use order::Order;
pub use routes::{RouteError, Routes};
pub use sign::SecretError;
pub use transform::FilterError;

use crate::clock::Clock;
use crate::event::Event;
use crate::journal::Journal;
use crate::notices::Notices;
use crate::traces::Traces;

/// Reads what only the source can read, at delivery.
pub trait Open: Send + Sync + 'static {
    /// Whether there is anything to open or to mask in the event's data.
    fn opens(&self, event: &Event) -> bool;

    /// Whether a destination gets something of the event that must not be kept in plain text, or shown to everybody.
    fn hides(&self, event: &Event) -> bool;

    /// The event's JSON data with its encrypted fields opened and its masks applied, and what could not be opened.
    fn open(&self, event: &Event) -> (Bytes, Vec<String>);
}

/// What every lane needs; a lane that is started later is given the same.
#[derive(Clone)]
pub struct Means {
    /// Where deliveries are.
    pub journal: Arc<dyn Journal>,
    /// Reads what only sources can.
    pub opener: Arc<dyn Open>,
    /// The time of day.
    pub clock: Clock,
    /// Which destinations are paused or left alone.
    pub gates: Arc<Gates>,
    /// Hears of what is worth an event of the gateway's own.
    pub notices: Arc<Notices>,
    /// Where spans go.
    pub traces: Arc<Traces>,
}

/// Delivers to every destination until `shutdown` turns true (or its sender is gone); then what is under way gets a few
/// seconds to end, the rest is given back to the journal, and the task ends. The journal must stay open until then.
pub fn run(means: Means, destinations: Vec<Destination>, mut shutdown: watch::Receiver<bool>) -> JoinHandle<()> {
    let mut lanes = Lanes::new(means);
    destinations.into_iter().for_each(|destination| lanes.begin(destination));
    tokio::spawn(async move {
        // Without a sender it is over, too.
        let _ = shutdown.wait_for(|stop| *stop).await;
        lanes.end().await;
    })
}
