//! What a journal costs that is already large: the same measure at each size, and what an event takes on the disk.

use std::time::Instant;

use super::cluster::Cluster;
use super::hosts::Hosts;
use crate::{Arguments, gauge};

pub(crate) fn measure(cluster: &Cluster, arguments: &Arguments) {
    let place = cluster.place();
    let mut stored = 0;
    for size in &arguments.grow {
        let hosts = Hosts::at(&place, 1);
        let begun = Instant::now();
        hosts.store(stored, size.saturating_sub(stored));
        println!("{size} events, the last {} of them in {:.0} s", size - stored, begun.elapsed().as_secs_f64());
        cluster.sql("VACUUM ANALYZE");
        let bytes: f64 = cluster
            .sql(&format!(
                "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                 WHERE n.nspname = '{}' AND c.relkind = 'r'",
                place.schema
            ))
            .parse()
            .expect("a number");
        println!("  {:.0} bytes on the disk for each", bytes / *size as f64);
        gauge::heading();
        hosts.ingest(arguments);
        hosts.drain();
        stored = *size;
        hosts.close();
    }
}
