//! Dedup keys and nonces of a piece, each once.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::cell::Cell;

/// Those that hold.
#[derive(Debug)]
pub(super) struct Keys {
    now: i64,
    /// Retention forgot everything received before this.
    forgotten: i64,
    held: BTreeMap<Uuid, (Option<i64>, i64)>,
}

impl Keys {
    pub(super) fn new(now: i64, forgotten: i64) -> Self {
        // A pass under a clock that was ahead forgot the future too, and that says nothing.
        let forgotten = if forgotten > now { i64::MIN } else { forgotten };
        Self { now, forgotten, held: BTreeMap::new() }
    }

    /// One that holds longer than its age would say (`late`) does so from now.
    pub(super) fn add(&mut self, key: Uuid, until: Option<i64>, received: i64, late: bool) {
        let received = if late { self.now } else { received };
        if !until.map_or(received >= self.forgotten, |until| until > self.now) {
            return;
        }
        let held = self.held.entry(key).or_insert((until, received));
        held.0 = held.0.zip(until).map(|(one, other)| one.max(other));
        held.1 = held.1.max(received);
    }

    /// What a row says of a key, in these columns.
    pub(super) fn add_of(&mut self, row: &[Cell], [key, until, received]: [usize; 3]) {
        let number = |index: usize| row.get(index).and_then(Cell::number);
        if let (Some(key), Some(received)) = (row.get(key).and_then(Cell::id), number(received)) {
            self.add(key, number(until), received, false);
        }
    }

    /// As the server takes them.
    pub(super) fn columns(&self) -> (Vec<Uuid>, Vec<Option<i64>>, Vec<i64>) {
        let (mut hashes, mut untils, mut receiveds) = (Vec::new(), Vec::new(), Vec::new());
        for (hash, (until, received)) in &self.held {
            hashes.push(*hash);
            untils.push(*until);
            receiveds.push(*received);
        }
        (hashes, untils, receiveds)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }
}
