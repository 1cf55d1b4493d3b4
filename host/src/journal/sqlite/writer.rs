//! The writer thread: groups first, small chores between them, the log's copying beside. It ends when the queue is closed.
//! What the chores are is theirs (`chores`).

mod chores;
mod rejections;
mod transaction;

use std::collections::VecDeque;
use std::fs::File;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::Shared;
use super::checkpoint::Checkpointer;
use super::chore::Chore;
use super::dedup::Keys;
use super::group::{self, Outcome};
use super::ids::Ids;
use super::insert::Ingest;
use super::mark::Mark;
use super::mend;
use super::queue::{Group, Patience};
use super::reject::Shelf;
use crate::journal::{JournalError, Recorded, Undelivered};

/// Chores take at most a fifth of the writer's time while requests wait.
const REST: u32 = 4;
/// Keys of a run that are written between two groups.
const PIECE: usize = 1_024;
/// How long what could not be written waits for the disk.
const AGAIN: Duration = Duration::from_millis(500);
/// Why what was begun is not finished.
const BROKEN: &str = "a sync failed; look at the disk and at the system's log; the journal tries again by itself";
/// How often the writer looks whether keys are sorted where nothing else wakes it.
const SORTED: Duration = Duration::from_millis(20);
/// How long readers have to pass on each other's answers where no next group comes.
const PASS_ON: Duration = Duration::from_millis(1);

/// What was read from the file when it was opened.
pub(super) struct Loaded {
    pub(super) ids: Ids,
    pub(super) keys: Keys,
    pub(super) shelf: Shelf,
    pub(super) mark: Mark,
}

struct Writer<'c> {
    shared: &'c Shared,
    conn: &'c Connection,
    ingest: Ingest<'c>,
    shelf: Shelf,
    mark: Mark,
    /// When an event was kept last.
    kept: Instant,
    checkpointer: &'c mut Checkpointer,
    chores: VecDeque<Chore>,
    /// What could not be written, and is tried again after a while: nobody would ask again.
    later: Vec<Chore>,
    later_from: Instant,
    undelivered: Undelivered<Recorded>,
    /// Whether commits wait for the disk now.
    synced: bool,
    failing: bool,
    /// Keys are not written before this, because the disk refused them.
    keys_from: Instant,
}

/// The file as the writer has it.
pub(super) struct Opened {
    pub(super) conn: Connection,
    pub(super) loaded: Loaded,
    pub(super) checkpointer: Checkpointer,
}

/// Runs until the queue is closed and empty; then closes the file and lets the lock go.
pub(super) fn run(shared: &Shared, mut opened: Opened, lock: File) {
    let _guard = Ended(shared);
    let mut first = Group::default();
    let conn = loop {
        let (conn, broken) = write(shared, opened, first);
        if !broken {
            break Some(conn);
        }
        match mend::mend(shared, conn) {
            Some(again) => (opened, first) = again,
            None => break None,
        }
    };
    shared.readers.stop();
    // The last connection copies the whole log back and removes it.
    let closed = match conn.map(Connection::close) {
        Some(closed) => closed.map_err(|(_, error)| shared.failed(&error)),
        None => Err(JournalError::Closed),
    };
    drop(lock);
    for closer in shared.queue.finish() {
        let _ = closer.send(closed.clone());
    }
}

/// Works until the queue is closed, or until a sync fails, which it says.
fn write(shared: &Shared, opened: Opened, first: Group) -> (Connection, bool) {
    let Opened { conn, loaded, mut checkpointer } = opened;
    let mut broken = false;
    let Loaded { ids, keys, shelf, mark } = loaded;
    match Ingest::new(&conn, ids, keys) {
        Ok(ingest) => {
            broken = Writer {
                shared,
                conn: &conn,
                ingest,
                shelf,
                mark,
                kept: Instant::now(),
                checkpointer: &mut checkpointer,
                chores: VecDeque::new(),
                later: Vec::new(),
                later_from: Instant::now(),
                undelivered: Undelivered::none(),
                synced: true,
                failing: false,
                keys_from: Instant::now(),
            }
            .work(first);
        }
        Err(error) => tracing::error!(%error, "the journal {} is not as it should be", shared.place),
    }
    checkpointer.stop();
    (conn, broken)
}

/// Notices a writer that ends without having been asked to: whoever waits hears it, and nobody is let in any more.
struct Ended<'a>(&'a Shared);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        tracing::error!("the writer of the journal {} broke down: hookport must be started again", self.0.place);
        self.0.queue.close(None);
        for closer in self.0.queue.finish() {
            let _ = closer.send(Err(JournalError::Closed));
        }
    }
}

impl Writer<'_> {
    /// True: a sync failed.
    fn work(&mut self, first: Group) -> bool {
        let mut rest_until = Instant::now();
        let mut first = Some(first);
        loop {
            let next = || self.shared.queue.take(&self.patience(rest_until));
            let mut group = first.take().unwrap_or_else(next);
            self.chores.extend(group.chores.drain(..));
            let last = group.last;
            let busy = !group.records.is_empty();
            self.commit(group);
            let begun = Instant::now();
            if (!busy || begun >= rest_until) && self.chore() {
                let now = Instant::now();
                rest_until = now + now.duration_since(begun) * REST;
            }
            if self.shared.broken.load(Ordering::Relaxed) {
                return self.break_off();
            }
            if last {
                // Who waits for a chore gets `Closed`: a retention over millions of rows would hold up the shutdown.
                self.chores.clear();
                // Gives out what readers did not pass on.
                self.commit(Group::default());
                self.mark.close();
                return false;
            }
        }
    }

    /// What was committed is told; what was begun is not finished.
    fn break_off(&mut self) -> bool {
        std::mem::replace(&mut self.undelivered, Undelivered::none()).deliver();
        let error = JournalError::Failed { place: self.shared.place.clone(), message: BROKEN.into() };
        let chores = self.chores.drain(..).chain(self.later.drain(..)).collect();
        Group { chores, ..Group::default() }.refuse(self.shared, &error);
        true
    }

    /// Work that is waiting makes the writer impatient.
    fn patience(&mut self, rest_until: Instant) -> Patience {
        let now = Instant::now();
        let piece = self.ingest.keys.has_piece();
        let ends = [
            (!self.chores.is_empty()).then_some(rest_until),
            (!self.later.is_empty()).then(|| rest_until.max(self.later_from)),
            piece.then(|| rest_until.max(self.keys_from)),
            // Nobody wakes the writer when they are.
            (!piece && self.ingest.keys.frozen.is_some()).then(|| now + SORTED),
            (!self.undelivered.is_empty()).then(|| now + PASS_ON),
        ];
        match ends.into_iter().flatten().min() {
            Some(end) if end <= now => Patience::None,
            Some(end) => Patience::Until(end),
            None => Patience::Forever,
        }
    }

    fn commit(&mut self, group: Group) {
        let earlier = std::mem::replace(&mut self.undelivered, Undelivered::none());
        if group.records.is_empty() && group.settled.is_empty() && group.rejected.is_empty() {
            earlier.deliver();
            return;
        }
        // Outcomes and rejections alone are not worth a sync.
        let ready = self.sync(!group.records.is_empty());
        let (keys, durable) = (group.records.len() * 4, !group.records.is_empty());
        let Self { shared, conn, ingest, shelf, mark, .. } = self;
        let outcome = group::commit(shared, conn, (ingest, shelf, mark), ready, earlier, group);
        match outcome {
            Outcome::Committed(undelivered) => {
                self.undelivered = undelivered;
                self.healthy(durable);
                let ids = self.ingest.ids;
                self.ingest.keys.freeze(self.shared.limits.run, ids.event, ids.request);
                if self.writes_keys() {
                    self.write_keys(PIECE.max(keys));
                }
            }
            Outcome::Failed(error) => self.unhealthy(&error),
        }
        if let Err(error) = self.checkpointer.tend(self.conn) {
            self.unhealthy(&self.shared.failed(&error));
        }
    }

    fn writes_keys(&mut self) -> bool {
        self.ingest.keys.has_piece() && Instant::now() >= self.keys_from
    }

    fn write_keys(&mut self, rows: usize) -> bool {
        let written = self.unsynced(|writer| writer.ingest.keys.write_piece(writer.conn, rows));
        match written {
            Ok(true) => self.ingest.keys.piece_committed(rows, self.shared.limits.filter_bytes),
            Ok(false) => return false,
            // The keys stay in memory and in their events; the next piece tries again.
            Err(error) => {
                self.keys_from = Instant::now() + AGAIN;
                self.unhealthy(&self.shared.failed(&error));
                return false;
            }
        }
        true
    }

    /// `durable`: it was synced, too.
    fn healthy(&mut self, durable: bool) {
        if durable {
            self.kept = Instant::now();
        }
        if std::mem::take(&mut self.failing) {
            tracing::info!("the journal {} can be written again", self.shared.place);
        }
    }

    /// Said once, not for every group.
    fn unhealthy(&mut self, error: &JournalError) {
        if !std::mem::replace(&mut self.failing, true) {
            tracing::error!(%error, "events cannot be kept now: senders are asked to come again");
        }
    }
}
