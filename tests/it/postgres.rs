//! The journal in PostgreSQL, against real servers that the tests start for themselves.

mod cluster;

use self::cluster::Cluster;

#[test]
fn the_server_of_the_tests_answers_and_is_durable() {
    let cluster = Cluster::shared();
    let durable = "SELECT current_setting('fsync') || current_setting('synchronous_commit')";
    assert_eq!(cluster.sql(durable), "onon");
    let place = cluster.place();
    assert!(place.url.starts_with("postgres://postgres:"), "{}", place.url);
    assert_eq!(cluster.sql(&format!("SELECT count(*) FROM pg_namespace WHERE nspname = '{}'", place.schema)), "0");
}
