//! What the server takes without a journal: rows of the same size, one to a transaction, by the server's own yardstick.

use std::process::Command;

use super::cluster::Cluster;
use crate::Arguments;

/// pgbench's clients; more do not help on few cores.
const CLIENTS: &str = "32";

/// Rows a second.
pub(crate) fn inserts(cluster: &Cluster, arguments: &Arguments) -> f64 {
    cluster.sql("CREATE TABLE raw (id uuid PRIMARY KEY, body text)");
    let script = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(script.path(), "INSERT INTO raw VALUES (gen_random_uuid(), repeat('0123456789abcdef', 44));\n")
        .expect("it can be written");
    let output = Command::new(cluster.program("pgbench"))
        .args(["-n", "-M", "prepared", "-c", CLIENTS, "-j", "2", "-T", &arguments.seconds.to_string(), "-f"])
        .arg(script.path())
        .arg(cluster.url("postgres"))
        .output()
        .expect("pgbench runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let rate = said.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
    rate.unwrap_or_else(|| panic!("no rate: {said}"))
}
