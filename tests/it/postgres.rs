//! The journal in PostgreSQL, against real servers that the tests start for themselves: the contract of every engine, and
//! what only many hosts and a server have.

pub(crate) mod cluster;
mod copy;
mod hosts;
mod served;
mod server;
mod together;

use std::sync::Arc;
use std::time::Duration;

use hookport::clock::Clock;
use hookport::journal::Journal;
use hookport::journal::postgres::{Limits, Options, open};

use self::cluster::{Cluster, Place};
use crate::journal_contract::{Bounds, ByType, Engine};

crate::journal_contract::contract!(crate::postgres::place);

/// A schema of its own.
fn place() -> Box<dyn Engine> {
    Box::new(Cluster::shared().place())
}

fn options(place: &Place, clock: &Clock) -> Options {
    // Long: a machine that is slow must not look like one that is dead.
    let lease = Duration::from_secs(300);
    Options {
        connections: 4,
        lease,
        ..Options::new(place.url.clone(), place.schema.clone(), clock.clone(), Arc::new(ByType))
    }
}

impl Engine for Place {
    fn open(&self, clock: &Clock, bounds: Bounds) -> Arc<dyn Journal> {
        let limits =
            Limits { rejections: bounds.rejections, rejection_bytes: bounds.rejection_bytes, ..Limits::default() };
        open(Options { limits, ..options(self, clock) }).unwrap()
    }

    /// The host does not say any more that it lives, and nobody told it.
    fn crash(&self) -> Box<dyn Engine> {
        Cluster::shared().sql(&format!("UPDATE {}.hosts SET beat = '-infinity'", self.schema));
        Box::new(self.clone())
    }
}

#[test]
fn the_server_of_the_tests_answers_and_is_durable() {
    let cluster = Cluster::shared();
    let durable = "SELECT current_setting('fsync') || current_setting('synchronous_commit')";
    assert_eq!(cluster.sql(durable), "onon");
}
