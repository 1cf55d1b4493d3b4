use super::*;
use crate::journal::sqlite::schema;

const NOW: i64 = 77;

/// A journal with deliveries of one key in these states, numbered from 1.
fn of_one_key(states: &[i64]) -> Connection {
    let conn = Connection::open_in_memory().unwrap();
    schema::prepare(&conn, "memory".as_ref()).unwrap();
    for (number, state) in (1_i64..).zip(states) {
        let insert = "INSERT INTO deliveries (id, event, destination, state, attempts, base, next, order_key) \
             VALUES (?, 1, 1, ?, ?, 0, 0, x'00')";
        conn.execute(insert, [number, *state, i64::from(*state == RETRYING)]).unwrap();
    }
    conn
}

/// Their states after mending, while these are in flight.
fn mended(states: &[i64], flying: &[i64]) -> Vec<i64> {
    let conn = of_one_key(states);
    mend(&conn, flying, NOW).unwrap();
    let all = "SELECT state FROM deliveries ORDER BY id";
    conn.prepare(all).unwrap().query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[test]
fn at_the_start_the_first_of_a_key_is_the_open_one() {
    assert_eq!(mended(&[WAITING, PENDING, WAITING], &[]), [PENDING, WAITING, WAITING]);
    assert_eq!(mended(&[LEAVING, WAITING], &[]), [CANCELLED, PENDING]);
    assert_eq!(mended(&[HELD, WAITING], &[]), [HELD, WAITING]);
}

#[test]
fn after_a_failed_sync_what_is_in_flight_stays_the_open_one_of_its_key() {
    let by_hand = [WAITING, RETRYING, WAITING];
    assert_eq!(mended(&by_hand, &[2]), by_hand, "the first one waits until the flight is over");
    let cancelled = [LEAVING, WAITING];
    assert_eq!(mended(&cancelled, &[1]), cancelled, "nobody goes beside its last try");
    assert_eq!(
        mended(&[PENDING, WAITING, WAITING], &[2]),
        [WAITING, PENDING, WAITING],
        "the file says what was before"
    );
}

#[test]
fn a_deadline_counts_from_when_the_key_was_free() {
    let since = |states: &[i64]| -> Vec<Option<i64>> {
        let conn = of_one_key(states);
        mend(&conn, &[], NOW).unwrap();
        let all = "SELECT since FROM deliveries ORDER BY id";
        conn.prepare(all).unwrap().query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    assert_eq!(since(&[LEAVING, WAITING, WAITING]), [None, Some(NOW), None]);
    assert_eq!(since(&[RETRYING, WAITING]), [None, None]);
}
