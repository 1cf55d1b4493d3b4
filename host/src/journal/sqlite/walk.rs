//! Going over deliveries in bounded pieces: a filter may want few of very many, and nobody's ack waits for all of them.
//!
//! A piece is named by its numbers, which the indexes give without looking at a row. What is wanted of it, and what becomes
//! of that, is left to who walks.

use std::collections::VecDeque;

use rusqlite::{Connection, params};

use crate::journal::DeliveryFilter;

/// Deliveries looked at in one step.
const PIECE: usize = 512;

/// What is still to be looked at.
#[derive(Clone)]
pub(super) struct Walk(VecDeque<Part>);

/// A part of the way, and how far it is gone.
#[derive(Clone)]
enum Part {
    /// All that the filter names, which are few.
    Named,
    /// These numbers.
    These(Vec<i64>),
    /// Some of the states that are not open, by number whatever their state, after a number.
    Shut { states: &'static [i64], after: i64 },
    /// Those that are open, after a destination, a time and a number; not those that are due after what was the last
    /// when it began: what is tried meanwhile comes back there.
    Open { after: (i64, i64, i64), until: Option<i64> },
}

/// The next piece, and the way behind it.
pub(super) struct Piece {
    /// A condition that holds for its deliveries.
    pub(super) condition: String,
    pub(super) rest: Walk,
}

impl Walk {
    /// Over one group of states after the other, each from its lowest number to its highest, and then over the open ones.
    pub(super) fn over(filter: &DeliveryFilter, shut: &[&'static [i64]], open: bool) -> Self {
        let by_numbers = || {
            let mut numbers: Vec<i64> = filter.ids.iter().filter_map(|id| i64::try_from(*id).ok()).collect();
            numbers.sort_unstable();
            numbers.dedup();
            numbers.chunks(PIECE).map(|piece| Part::These(piece.to_vec())).collect()
        };
        if filter.id.is_some() || filter.event.is_some() {
            return Self([Part::Named].into());
        }
        if !filter.ids.is_empty() {
            return Self(by_numbers());
        }
        let shut = shut.iter().map(|states| Part::Shut { states, after: 0 });
        Self(shut.chain(open.then_some(Part::Open { after: (0, i64::MIN, 0), until: None })).collect())
    }

    pub(super) fn done() -> Self {
        Self(VecDeque::new())
    }

    pub(super) fn is_done(&self) -> bool {
        self.0.is_empty()
    }

    /// The next piece; none at the end.
    pub(super) fn piece(&self, conn: &Connection) -> rusqlite::Result<Option<Piece>> {
        let mut rest = self.clone();
        let Some(part) = rest.0.pop_front() else { return Ok(None) };
        let (numbers, next) = match part {
            Part::Named => return Ok(Some(Piece { condition: "1".into(), rest })),
            Part::These(numbers) => (numbers, None),
            Part::Shut { states, after } => {
                let numbers = shut(conn, states, after)?;
                let next = numbers.last().map(|last| Part::Shut { states, after: *last });
                (numbers, next)
            }
            Part::Open { after, until } => {
                let until = until.map_or_else(|| last(conn), Ok)?;
                let places = open(conn, after, until)?;
                let next = places.last().map(|after| Part::Open { after: *after, until: Some(until) });
                (places.into_iter().map(|(_, _, number)| number).collect(), next)
            }
        };
        if let Some(next) = next.filter(|_| numbers.len() == PIECE) {
            rest.0.push_front(next);
        }
        let numbers: Vec<String> = numbers.iter().map(i64::to_string).collect();
        Ok(Some(Piece { condition: format!("d.id IN ({})", numbers.join(",")), rest }))
    }
}

fn shut(conn: &Connection, states: &[i64], after: i64) -> rusqlite::Result<Vec<i64>> {
    // One state at a time: over several the index would begin each time with the first of them.
    let find = "SELECT id FROM deliveries INDEXED BY deliveries_failed WHERE state > 2 AND state = ? AND id > ? \
         ORDER BY id LIMIT ?";
    let mut select = conn.prepare_cached(find)?;
    let mut numbers = Vec::new();
    for state in states {
        for number in select.query_map(params![state, after, PIECE as i64], |row| row.get(0))? {
            numbers.push(number?);
        }
    }
    numbers.sort_unstable();
    numbers.truncate(PIECE);
    Ok(numbers)
}

/// Those of the same time first: from a time on, the index would begin with the first of that time.
fn open(
    conn: &Connection,
    (destination, time, number): (i64, i64, i64),
    until: i64,
) -> rusqlite::Result<Vec<(i64, i64, i64)>> {
    let columns = "SELECT destination, next, id FROM deliveries INDEXED BY deliveries_open WHERE state < 2 AND ";
    let same = format!("{columns} destination = ? AND next = ? AND id > ? ORDER BY id LIMIT ?");
    let later = format!("{columns} (destination, next) > (?, ?) AND next <= ? ORDER BY destination, next, id LIMIT ?");
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let mut found: Vec<_> = conn
        .prepare_cached(&same)?
        .query_map(params![destination, time, number, PIECE as i64], read)?
        .collect::<rusqlite::Result<_>>()?;
    let room = PIECE - found.len();
    if room > 0 {
        let mut select = conn.prepare_cached(&later)?;
        let more = select.query_map(params![destination, time, until, room as i64], read)?;
        found.extend(more.collect::<rusqlite::Result<Vec<_>>>()?);
    }
    Ok(found)
}

/// When the last open one is due.
fn last(conn: &Connection) -> rusqlite::Result<i64> {
    let last = "SELECT max((SELECT max(next) FROM deliveries INDEXED BY deliveries_open WHERE state < 2 \
         AND destination = n.id)) FROM destinations n";
    conn.prepare_cached(last)?.query_row([], |row| Ok(row.get::<_, Option<i64>>(0)?.unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::sqlite::schema;

    /// So many deliveries in each state, to three destinations.
    fn filled(each: i64) -> Connection {
        let conn = Connection::open_in_memory().unwrap();
        schema::prepare(&conn, "memory".as_ref()).unwrap();
        let fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) \
             INSERT INTO deliveries (event, destination, state, attempts, base, next) \
             SELECT 1, i % 3, ?2, 0, 0, CASE ?2 WHEN 0 THEN 0 WHEN 1 THEN i / 7 END FROM n";
        for state in 0..8 {
            conn.execute(fill, [each, state]).unwrap();
        }
        conn
    }

    fn walked(conn: &Connection, mut walk: Walk) -> (usize, Vec<i64>) {
        let (mut steps, mut seen) = (0, Vec::new());
        while let Some(piece) = walk.piece(conn).unwrap() {
            let sql = format!("SELECT d.id FROM deliveries d WHERE {} ORDER BY d.id", piece.condition);
            let found: Vec<i64> =
                conn.prepare(&sql).unwrap().query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
            assert!(found.len() <= PIECE);
            seen.extend(found);
            (walk, steps) = (piece.rest, steps + 1);
        }
        (steps, seen)
    }

    #[test]
    fn every_one_is_looked_at_once_and_few_at_a_time() {
        const ENDED: &[i64] = &[3, 4, 6, 7];
        const WAITING: &[i64] = &[5];
        const HELD: &[i64] = &[6];
        let conn = filled(1_500);
        let in_states = |states: &str| -> Vec<i64> {
            let sql = format!("SELECT id FROM deliveries WHERE state IN ({states})");
            conn.prepare(&sql).unwrap().query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        };
        let all = DeliveryFilter::default();
        for (shut, open, states) in
            [(&[ENDED][..], false, "3, 4, 6, 7"), (&[][..], true, "0, 1"), (&[WAITING, HELD][..], true, "0, 1, 5, 6")]
        {
            let (steps, mut seen) = walked(&conn, Walk::over(&all, shut, open));
            seen.sort_unstable();
            assert_eq!(seen, in_states(states));
            assert!(steps >= seen.len() / PIECE && steps <= seen.len() / PIECE + 4, "{steps}");
        }
        let some = DeliveryFilter { ids: (1..1_000).collect(), ..all };
        assert_eq!(walked(&conn, Walk::over(&some, &[&[3]], false)), (2, (1..1_000).collect()));
    }

    #[test]
    fn a_group_of_states_is_walked_by_number_and_so_is_what_is_named() {
        let conn = filled(700);
        let (_, seen) = walked(&conn, Walk::over(&DeliveryFilter::default(), &[&[7, 4, 3]], false));
        assert!(seen.is_sorted() && seen.len() == 2_100, "{} of them", seen.len());
        let named = DeliveryFilter { ids: (1..1_000).rev().chain(5..9).collect(), ..DeliveryFilter::default() };
        let (_, seen) = walked(&conn, Walk::over(&named, &[&[3]], false));
        assert_eq!(seen, (1..1_000).collect::<Vec<_>>());
    }

    #[test]
    fn no_piece_begins_with_what_is_behind_it() {
        let conn = filled(1);
        let plan = |sql: &str| -> String {
            let plan = |row: &rusqlite::Row<'_>| row.get::<_, String>(3);
            conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap().query_row([], plan).unwrap()
        };
        let shut = plan(
            "SELECT id FROM deliveries INDEXED BY deliveries_failed WHERE state > 2 AND state = 3 AND id > 9 ORDER BY id",
        );
        assert!(shut.contains("(state=? AND rowid>?)"), "{shut}");
        let open = "SELECT id FROM deliveries INDEXED BY deliveries_open WHERE state < 2 AND";
        let same = plan(&format!("{open} destination = 1 AND next = 0 AND id > 9 ORDER BY id"));
        assert!(same.contains("(destination=? AND next=? AND rowid>?)"), "{same}");
        let later = plan(&format!("{open} (destination, next) > (1, 0) ORDER BY destination, next, id"));
        assert!(later.contains("((destination,next)>(?,?))"), "{later}");
    }
}
