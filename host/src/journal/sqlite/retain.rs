//! Retention: from the oldest end, in steps so small that acks do not wait for them; then the space goes back.
//!
//! What may be deleted and what must outlive it is `delete`'s, how much room there is `space`'s.

use std::path::Path;

use rusqlite::{Connection, params};

use super::answer::Sender;
use super::dedup::Keys;
use super::delete::{self, Covered};
use super::ids::Ids;
use super::reject::Shelf;
use super::schema;
use super::space::{self, Space};
use crate::journal::{JournalError, Shrunk};

/// Events looked at, keys deleted in one step.
const EVENTS: usize = 128;
/// Events looked at in one step for the size: it is measured before each.
const FEW: usize = 32;
/// So many younger events in a row are the end of the old ones: they lie in the order of their arrival, but for a clock
/// that was once ahead.
const YOUNGER: usize = 10_000;
const KEYS: i64 = 2_000;
/// Pages that one vacuum gives back before it answers.
const VACUUM: u64 = 4_096;

/// What a run is for, and who waits for it.
pub(super) enum Aim {
    /// What was received before goes.
    Age(i64, Sender<u64>),
    /// The oldest go until the journal is smaller.
    Size(u64, Sender<Shrunk>),
    /// Some free pages go back.
    Space(Sender<u64>),
}

/// A retention run.
pub(super) struct Retain {
    aim: Aim,
    at: At,
}

/// How far it is.
#[derive(Clone, Copy)]
struct At {
    phase: Phase,
    /// The last event looked at: those that must stay are not looked at again.
    after: i64,
    younger: usize,
    deleted: u64,
    pages: u64,
    /// What is left is more than the bound.
    over: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Begin,
    Events,
    Keys,
    Rejections,
    Pages,
    Done,
}

/// What a step did, for memory once it is committed.
pub(super) struct Step {
    at: At,
    gone_run: Option<i64>,
    outliving: bool,
    forgotten: i64,
    shelf: Shelf,
}

/// What a step looks at beside the file.
pub(super) struct Beside<'a> {
    pub(super) file: &'a Path,
    pub(super) ids: &'a Ids,
    pub(super) keys: &'a Keys,
    pub(super) shelf: Shelf,
    pub(super) now: i64,
}

impl Retain {
    pub(super) fn new(aim: Aim) -> Self {
        let phase = match aim {
            Aim::Age(..) => Phase::Events,
            Aim::Size(..) => Phase::Begin,
            Aim::Space(_) => Phase::Pages,
        };
        Self { aim, at: At { phase, after: 0, younger: 0, deleted: 0, pages: 0, over: false } }
    }

    pub(super) fn done(&self) -> bool {
        self.at.phase == Phase::Done
    }

    /// The next step, inside a transaction.
    pub(super) fn step(&self, conn: &Connection, beside: &Beside<'_>) -> rusqlite::Result<Step> {
        let Beside { keys, shelf, .. } = *beside;
        let mut step =
            Step { at: self.at, gone_run: None, outliving: keys.outliving, forgotten: keys.forgotten, shelf };
        match self.at.phase {
            Phase::Begin => self.begin(conn, beside, &mut step)?,
            Phase::Events => self.events(conn, beside, &mut step)?,
            Phase::Keys => self.keys(conn, beside, &mut step)?,
            Phase::Rejections => {
                if !step.shelf.forget(conn, self.before())? {
                    step.at.phase = Phase::Pages;
                }
            }
            Phase::Pages => self.pages(conn, &mut step)?,
            Phase::Done => {}
        }
        Ok(step)
    }

    pub(super) fn committed(&mut self, step: &Step, keys: &mut Keys, shelf: &mut Shelf) {
        self.at = step.at;
        *shelf = step.shelf;
        keys.outliving = step.outliving;
        keys.forgotten = step.forgotten;
        if let Some(gone) = step.gone_run {
            keys.runs.retain(|run| run.id != gone);
        }
    }

    /// Tells who waits.
    pub(super) fn answer(self, space: Result<Space, JournalError>) {
        let At { deleted, over, .. } = self.at;
        // Nobody may wait any more.
        let _ = match self.aim {
            Aim::Age(_, answer) => answer.send(space.map(|_| deleted)).map_err(drop),
            Aim::Size(_, answer) => {
                answer.send(space.map(|space| Shrunk { events: deleted, bytes: space.used, over })).map_err(drop)
            }
            Aim::Space(answer) => answer.send(space.map(|space| space.free)).map_err(drop),
        };
    }

    /// What was received before this goes for its age.
    fn before(&self) -> i64 {
        match self.aim {
            Aim::Age(before, _) => before,
            Aim::Size(..) | Aim::Space(_) => i64::MIN,
        }
    }

    fn begin(&self, conn: &Connection, beside: &Beside<'_>, step: &mut Step) -> rusqlite::Result<()> {
        let Aim::Size(max, _) = self.aim else { return Ok(()) };
        let space = Space::of(conn, beside.file)?;
        step.at.phase = match space.all() > max {
            true => Phase::Events,
            false => Phase::Done,
        };
        Ok(())
    }

    fn events(&self, conn: &Connection, beside: &Beside<'_>, step: &mut Step) -> rusqlite::Result<()> {
        if let Aim::Size(max, _) = self.aim {
            let space = Space::of(conn, beside.file)?;
            step.at.over = space.used > space.room(max);
            if !step.at.over {
                step.at.phase = Phase::Pages;
                return Ok(());
            }
        }
        schema::remember_ids(conn, beside.ids)?;
        let (early, mut deleted) = (matches!(self.aim, Aim::Size(..)), 0);
        let limit = if early { FEW } else { EVENTS };
        let found = delete::after(conn, self.at.after, limit)?;
        let newest = beside.keys.runs.last();
        let covered = newest.map_or(Covered { event: 0, request: 0 }, |run| Covered {
            event: run.last_event,
            request: run.last_request,
        });
        for old in &found {
            step.at.after = old.event;
            if !early && old.received >= self.before() {
                step.at.younger += 1;
                continue;
            }
            step.at.younger = 0;
            if old.is_open(conn)? {
                // An event that is too old for its key holds it on its own.
                step.outliving |= !early && old.hold_keys(conn)?;
                continue;
            }
            if step.outliving {
                old.release_keys(conn)?;
            }
            step.outliving |= old.keep_keys(conn, covered, beside.now, early)?;
            old.delete(conn)?;
            deleted += 1;
        }
        step.at.deleted += deleted;
        schema::set_meta(conn, "deleted_events", schema::meta(conn, "deleted_events")? + deleted as i64)?;
        let all = found.len() < limit;
        if all || step.at.younger >= YOUNGER {
            step.at.phase = if early { Phase::Pages } else { Phase::Keys };
        }
        // Only when every event was looked at: one that was not may be old, and is still there. Then a key holds until
        // its run goes, which is later than it need.
        if all && !early {
            step.forgotten = step.forgotten.max(self.before());
        }
        schema::set_meta(conn, "forgotten", step.forgotten)
    }

    /// Deletes the oldest run whose keys have all expired, and keys that outlived their events and expired since.
    fn keys(&self, conn: &Connection, beside: &Beside<'_>, step: &mut Step) -> rusqlite::Result<()> {
        let keys = beside.keys;
        // The last run stays: it says up to where the keys of the events are written.
        let newest = keys.runs.last().map(|run| run.id);
        let expired = |run: &&super::runs::Run| {
            let looked_at = run.last_event <= self.at.after;
            looked_at && run.received < self.before() && run.until <= beside.now && Some(run.id) != newest
        };
        let run = keys.runs.iter().find(expired).map_or(0, |run| run.id);
        let delete = "DELETE FROM keys WHERE (run, hash) IN (SELECT run, hash FROM keys WHERE run = ?1 \
             AND (?1 > 0 OR until <= ?2 OR (until IS NULL AND received < ?4)) LIMIT ?3)";
        let expired = params![run, beside.now, KEYS, step.forgotten];
        if conn.prepare_cached(delete)?.execute(expired)? as i64 == KEYS {
            return Ok(());
        }
        if run > 0 {
            conn.execute("DELETE FROM runs WHERE id = ?", [run])?;
            step.gone_run = Some(run);
            return Ok(());
        }
        step.outliving = conn.query_row("SELECT EXISTS (SELECT 1 FROM keys WHERE run = 0)", [], |row| row.get(0))?;
        step.at.phase = Phase::Rejections;
        Ok(())
    }

    fn pages(&self, conn: &Connection, step: &mut Step) -> rusqlite::Result<()> {
        let (pages, all) = space::give_back(conn)?;
        step.at.pages += pages;
        if all || (matches!(self.aim, Aim::Space(_)) && step.at.pages >= VACUUM) {
            step.at.phase = Phase::Done;
        }
        Ok(())
    }
}
