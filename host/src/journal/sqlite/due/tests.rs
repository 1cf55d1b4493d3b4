use super::*;

fn open(event: i64) -> Open {
    Open { event, attempts: 0, base: 0, since: None, order: None, cached: None }
}

fn add(due: &Due, places: impl IntoIterator<Item = Place>) {
    let crm: Arc<str> = "crm".into();
    due.add(places.into_iter().map(|place| (crm.clone(), place, open(place.1))).collect());
}

fn take(due: &Due, limit: usize, now: i64) -> Vec<i64> {
    due.take("crm", limit, now).0.into_iter().map(|taken| taken.delivery).collect()
}

#[test]
fn the_oldest_due_come_first_and_the_future_not_at_all() {
    let due = Due::new(100, 0);
    add(&due, [(5, 1), (3, 2), (9, 3), (3, 4)]);
    assert_eq!(take(&due, 2, 5), [2, 4]);
    assert_eq!(take(&due, 9, 5), [1]);
    assert_eq!(take(&due, 9, 5), [0; 0]);
    assert_eq!(due.next("crm").map(|time| time.as_microsecond()), Some(9));
}

#[test]
fn beyond_the_bound_the_file_is_asked_from_the_horizon() {
    let due = Due::new(4, 0);
    add(&due, (1..=6).map(|n| (1, n)));
    assert_eq!(due.horizon("crm"), Some((1, 5)));
    add(&due, [(2, 7)]);
    let (taken, refill) = due.take("crm", 9, 9);
    assert_eq!((taken.len(), refill), (4, true));
    assert!(!due.take("crm", 9, 9).1, "asked once");
    due.refill(&"crm".into(), (5..=7).map(|n| ((1, n), open(n))).collect(), true);
    assert_eq!((take(&due, 9, 9), due.horizon("crm")), (vec![5, 6, 7], None));
}

#[test]
fn what_is_put_back_is_found_although_the_horizon_came_nearer() {
    let due = Due::new(4, 0);
    add(&due, (1..=8).map(|n| (n, n)));
    assert_eq!(take(&due, 4, 99), [1, 2, 3, 4]);
    assert!(due.put_back([2, 4]).is_empty());
    assert_eq!(take(&due, 9, 99), [2, 4]);
}

#[test]
fn a_landed_delivery_is_due_again_only_at_its_time_and_once() {
    let due = Due::new(4, 0);
    add(&due, [(1, 1)]);
    assert_eq!(take(&due, 1, 1), [1]);
    assert!(due.settling(1).is_some() && due.settling(1).is_none());
    due.landed(vec![(1, Some(50))]);
    assert_eq!(take(&due, 1, 49), [0; 0]);
    let (taken, _) = due.take("crm", 1, 50);
    assert_eq!(taken[0].open.attempts, 1);
}

#[test]
fn one_that_is_cancelled_is_out_of_memory_or_does_not_come_back_to_it() {
    let due = Due::new(100, 0);
    add(&due, [(1, 1), (1, 2)]);
    assert_eq!(take(&due, 1, 1), [1]);
    let crm = "crm".into();
    let mut out = due.withdrawal();
    assert_eq!([(1, 1), (1, 2)].map(|place| out.take_or_recall(&crm, place)), [true, false]);
    assert!(due.put_back([1]).is_empty(), "a lane gives back what is recalled");
    drop(out);
    let mut out = due.withdrawal();
    assert_eq!(take(&due, 9, 1), [1, 2], "what was not committed is undone");
    assert_eq!([(1, 1), (1, 2)].map(|place| out.take_or_recall(&crm, place)), [true, true]);
    out.commit();
    assert!(due.put_back([1, 2]).is_empty());
    assert_eq!(take(&due, 9, 1), [0; 0]);
}

#[test]
fn what_is_in_flight_goes_back_with_the_clock() {
    let (due, hour) = (Due::new(100, 0), 3_600_000_000);
    add(&due, [(AT_ONCE, 1), (5 * hour, 2), (5 * hour + 9, 3)]);
    assert_eq!(take(&due, 2, 5 * hour), [1, 2]);
    let moved = [(5 * hour, 2, hour), (5 * hour + 9, 3, hour + 9)];
    due.moved(moved.map(|(was, n, next)| ("crm".into(), (was, n), next, open(n))).into());
    assert!(due.put_back([1, 2]).is_empty());
    assert_eq!(take(&due, 9, hour), [1, 2]);
    assert_eq!(take(&due, 9, 9 * hour), [3], "each is there once");
}

#[test]
fn what_was_forgotten_is_read_again_although_nobody_says_so() {
    let due = Due::new(100, 0);
    add(&due, [(1, 1)]);
    due.clear();
    add(&due, [(1, 2)]);
    let (taken, refill) = due.take("crm", 9, 1);
    assert!(taken.is_empty() && refill, "the file has both");
    due.refill(&"crm".into(), vec![((1, 1), open(1)), ((1, 2), open(2))], true);
    assert_eq!(take(&due, 9, 1), [1, 2]);
}
