//! Sorted runs of dedup keys: each is written once, at the end of the key table, in small pieces between groups.
//!
//! A key table sorted as a whole would dirty a page per key once it is large; runs cost their own bytes only. The price is
//! a look-up per run, which a blocked Bloom filter (16 bits a key, one cache line a look-up) answers from memory.

use std::sync::Arc;
use std::thread::JoinHandle;

use rusqlite::{Connection, params};

use super::dedup::{self, Hash, Hold, Keys, Young};

/// A written run.
pub(super) struct Run {
    pub(super) id: i64,
    /// The last event and request whose keys are in this run or an earlier one.
    pub(super) last_event: i64,
    pub(super) last_request: i64,
    /// The newest of its keys that hold as long as retention, and the end of the last of the others.
    pub(super) received: i64,
    pub(super) until: i64,
    /// `None`: more than the bound; always looked up.
    pub(super) filter: Option<Filter>,
}

/// A run that is being written. Its keys stay in memory until it is whole; a crash before that starts it again.
pub(super) struct Frozen {
    pub(super) keys: Arc<Young>,
    last_event: i64,
    last_request: i64,
    sorting: Option<JoinHandle<Sorted>>,
    sorted: Option<Sorted>,
    written: usize,
}

struct Sorted {
    keys: Vec<(Hash, Hold)>,
    filter: Filter,
    received: i64,
    until: i64,
}

impl Keys {
    /// Starts a run when enough keys are young and committed.
    pub(super) fn freeze(&mut self, at_least: usize, last_event: i64, last_request: i64) {
        if self.frozen.is_some() || self.young.len() < at_least {
            return;
        }
        let keys = Arc::new(std::mem::take(&mut self.young));
        let shared = keys.clone();
        // Sorting takes milliseconds that the writer does not have. Where no thread can be had, the writer sorts.
        let sorting = std::thread::Builder::new().name("journal-keys".into()).spawn(move || sort(&shared)).ok();
        let sorted = sorting.is_none().then(|| sort(&keys));
        self.frozen = Some(Frozen { keys, last_event, last_request, sorting, sorted, written: 0 });
    }

    /// Writes the next piece; called inside a transaction, true if there was something to write.
    pub(super) fn write_piece(&mut self, conn: &Connection, rows: usize) -> rusqlite::Result<bool> {
        let id = self.runs.last().map_or(0, |run| run.id) + 1;
        let Some(frozen) = &mut self.frozen else { return Ok(false) };
        let written = frozen.written;
        let (last_event, last_request) = (frozen.last_event, frozen.last_request);
        let Some(sorted) = frozen.sorted() else { return Ok(false) };
        let mut insert =
            conn.prepare_cached("INSERT OR REPLACE INTO keys (run, hash, received, until) VALUES (?, ?, ?, ?)")?;
        let piece = &sorted.keys[written..sorted.keys.len().min(written + rows)];
        for (hash, hold) in piece {
            insert.execute(params![id, hash, hold.received, hold.until])?;
        }
        if written + piece.len() == sorted.keys.len() {
            conn.prepare_cached(
                "INSERT INTO runs (id, last_event, last_request, received, until, filter) VALUES (?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![
                id,
                last_event,
                last_request,
                sorted.received,
                sorted.until,
                sorted.filter.bytes()
            ])?;
        }
        Ok(true)
    }

    /// The piece is committed; when it was the last, the run takes the place of its keys in memory.
    pub(super) fn piece_committed(&mut self, rows: usize, filter_bytes: usize) {
        let id = self.runs.last().map_or(0, |run| run.id) + 1;
        let Some(frozen) = &mut self.frozen else { return };
        let Some(sorted) = &frozen.sorted else { return };
        frozen.written = sorted.keys.len().min(frozen.written + rows);
        if frozen.written < sorted.keys.len() {
            return;
        }
        let held: usize = self.runs.iter().filter_map(|run| run.filter.as_ref()).map(Filter::len).sum();
        let Some(Frozen { last_event, last_request, sorted: Some(sorted), .. }) = self.frozen.take() else { return };
        let Sorted { filter, received, until, .. } = sorted;
        let filter = (held + filter.len() <= filter_bytes).then_some(filter);
        self.runs.push(Run { id, last_event, last_request, received, until, filter });
    }

    /// Whether a run waits to be written.
    pub(super) fn has_piece(&mut self) -> bool {
        self.frozen.as_mut().is_some_and(|frozen| frozen.sorted().is_some())
    }
}

impl Frozen {
    fn sorted(&mut self) -> Option<&Sorted> {
        if let Some(sorting) = self.sorting.take_if(|sorting| sorting.is_finished()) {
            // A thread that died leaves the work to the writer.
            self.sorted = Some(sorting.join().unwrap_or_else(|_| sort(&self.keys)));
        }
        self.sorted.as_ref()
    }
}

fn sort(young: &Young) -> Sorted {
    let mut keys: Vec<(Hash, Hold)> = young.iter().map(|(hash, hold)| (*hash, *hold)).collect();
    keys.sort_unstable_by_key(|(hash, _)| *hash);
    let (received, until) = dedup::span(young);
    Sorted { keys, filter: dedup::filter(young), received, until }
}

impl Run {
    pub(super) fn load(conn: &Connection, filter_bytes: usize) -> rusqlite::Result<Vec<Self>> {
        let mut held = 0;
        let mut select =
            conn.prepare("SELECT id, last_event, last_request, received, until, filter FROM runs ORDER BY id")?;
        let runs = select.query_map([], |row| {
            let filter = Filter::from_bytes(row.get_ref(5)?.as_blob()?);
            held += filter.len();
            Ok(Self {
                id: row.get(0)?,
                last_event: row.get(1)?,
                last_request: row.get(2)?,
                received: row.get(3)?,
                until: row.get(4)?,
                filter: (held <= filter_bytes && filter.len() > 0).then_some(filter),
            })
        })?;
        runs.collect()
    }
}

/// A Bloom filter in blocks of a cache line; keys are hashes already, so their own bytes are the hash functions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Filter(Vec<[u64; 8]>);

impl Filter {
    pub(super) fn for_keys(keys: usize) -> Self {
        Self(vec![[0; 8]; keys.div_ceil(32).max(1)])
    }

    pub(super) fn add(&mut self, hash: &Hash) {
        let (block, bits) = self.place(hash);
        for (word, bit) in bits {
            self.0[block][word] |= bit;
        }
    }

    pub(super) fn may_hold(&self, hash: &Hash) -> bool {
        let (block, bits) = self.place(hash);
        let block = &self.0[block];
        bits.iter().all(|(word, bit)| block[*word] & bit != 0)
    }

    /// Bytes of memory.
    pub(super) fn len(&self) -> usize {
        self.0.len() * 64
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.0.iter().flatten().flat_map(|word| word.to_le_bytes()).collect()
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        let word = |chunk: &[u8]| chunk.try_into().map_or(0, u64::from_le_bytes);
        Self(bytes.chunks_exact(64).map(|block| std::array::from_fn(|n| word(&block[n * 8..n * 8 + 8]))).collect())
    }

    /// The block from the first half of the key, six bits in it from the second.
    fn place(&self, hash: &Hash) -> (usize, [(usize, u64); 6]) {
        let halves = u128::from_be_bytes(*hash);
        let (first, second) = ((halves >> 64) as u64, halves as u64);
        let block = ((u128::from(first) * self.0.len() as u128) >> 64) as usize;
        (block, std::array::from_fn(|n| ((second >> (n * 9)) as usize & 7, 1 << (second >> (n * 9 + 3) & 63))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u64) -> Hash {
        // Any good mixer: keys are SHA-256 outside.
        let mix = |mut x: u64| {
            x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            x ^ x >> 31
        };
        let mut hash = [0; 16];
        hash[..8].copy_from_slice(&mix(n * 2 + 1).to_be_bytes());
        hash[8..].copy_from_slice(&mix(n * 2 + 2_000_000_001).to_be_bytes());
        hash
    }

    #[test]
    fn a_filter_holds_all_its_keys_and_few_others() {
        let mut filter = Filter::for_keys(10_000);
        (0..10_000).for_each(|n| filter.add(&key(n)));
        assert!((0..10_000).all(|n| filter.may_hold(&key(n))));
        let wrong = (10_000..110_000).filter(|n| filter.may_hold(&key(*n))).count();
        assert!(wrong < 500, "{wrong} of 100000");
        assert_eq!(Filter::from_bytes(&filter.bytes()), filter);
    }
}
