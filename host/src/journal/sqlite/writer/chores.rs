//! The chores that the writer does between groups, each in small steps: what a step changed in the file is told to memory
//! once it is committed, and whoever waits is answered after the last one.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::{AGAIN, PIECE, Writer};
use crate::journal::sqlite::answer::Sender;
use crate::journal::sqlite::cancel::Cancel;
use crate::journal::sqlite::capture::{self, Capturing};
use crate::journal::sqlite::chore::Chore;
use crate::journal::sqlite::erase::Erase;
use crate::journal::sqlite::go_back::GoBack;
use crate::journal::sqlite::insert::{Ingest, Planned};
use crate::journal::sqlite::pause::{self, Pausing};
use crate::journal::sqlite::replay::Redeliver;
use crate::journal::sqlite::retain::{Beside, Retain};
use crate::journal::sqlite::retry::Retry;
use crate::journal::sqlite::settle::Settling;
use crate::journal::sqlite::space::Space;
use crate::journal::sqlite::{order, refill, schema};
use crate::journal::{OrderKey, Pausable};

/// An event that was kept so long ago says nothing about the disk of now.
const LATELY: Duration = Duration::from_secs(5);

impl Writer<'_> {
    /// One small step of one chore; false if there is none.
    pub(super) fn chore(&mut self) -> bool {
        if self.writes_keys() {
            return self.write_keys(PIECE * 4);
        }
        if Instant::now() >= self.later_from {
            self.chores.extend(self.later.drain(..));
        }
        let Some(chore) = self.chores.pop_front() else { return false };
        match chore {
            Chore::Refill(destination) => {
                let limit = self.shared.limits.due;
                if let Err(error) = refill::refill(self.conn, &self.shared.due, &destination, limit) {
                    tracing::error!(%error, destination = &*destination, "due deliveries could not be read from the journal");
                    self.shared.due.refill_failed(&destination);
                }
            }
            Chore::Retry(retry) => self.retry(retry),
            Chore::Cancel(cancel) => self.cancel(cancel),
            Chore::Leave(gone) => self.leave(gone),
            Chore::GoBack(go_back) => self.go_back(go_back),
            Chore::GiveUp(lost) => self.give_up(lost),
            Chore::Redeliver(redeliver) => self.redeliver(redeliver),
            Chore::Released(rejections, answer) => self.released(&rejections, answer),
            Chore::EraseRejections(rejections, answer) => self.erase_rejections(&rejections, answer),
            Chore::Retain(retain) => self.retain(retain),
            Chore::Erase(erase) => self.erase(erase),
            Chore::Capturing(capturing) => self.capture(capturing),
            Chore::Pausing(pausing) => self.pause(pausing),
            Chore::Ready(answer) => self.ready(answer),
        }
        true
    }

    fn retry(&mut self, mut retry: Retry) {
        let now = self.shared.clock.now().as_microsecond();
        let plan = self.shared.plan.load();
        let mut withdrawal = self.shared.due.withdrawal();
        match self.unsynced(|writer| retry.step(writer.conn, &***plan, &mut withdrawal, now)) {
            Ok(step) => {
                withdrawal.commit();
                retry.committed(&step);
                self.shared.due.add(step.rows);
                self.shared.due.hurry(step.hurried);
                if retry.is_done() {
                    let _ = retry.answer.send(Ok(retry.done));
                } else {
                    self.chores.push_back(Chore::Retry(retry));
                }
            }
            Err(error) => {
                let _ = retry.answer.send(Err(self.shared.failed(&error)));
            }
        }
    }

    fn cancel(&mut self, mut cancel: Cancel) {
        let shared = self.shared;
        let now = shared.clock.now().as_microsecond();
        let mut withdrawal = shared.due.withdrawal();
        match self.unsynced(|writer| cancel.step(writer.conn, &shared.due, &mut withdrawal, now)) {
            Ok(step) => {
                withdrawal.commit();
                cancel.committed(&step);
                shared.due.add(step.due);
                if cancel.is_done() {
                    let _ = cancel.answer.send(Ok(cancel.done));
                } else {
                    self.chores.push_back(Chore::Cancel(cancel));
                }
            }
            Err(error) => {
                let _ = cancel.answer.send(Err(shared.failed(&error)));
            }
        }
    }

    /// Nobody would ask for it again, and the disk may take it after a while.
    fn postpone(&mut self, chore: Chore) {
        self.later.push(chore);
        self.later_from = Instant::now() + AGAIN;
    }

    fn go_back(&mut self, go_back: GoBack) {
        let seconds = go_back.seconds();
        match self.unsynced(|writer| go_back.step(writer.conn)) {
            Ok(step) => {
                self.shared.due.moved(step.moved);
                if step.rest.is_done() {
                    let retries = step.rest.moved;
                    tracing::warn!(seconds, retries, "the clock went back, and waiting retries with it");
                } else {
                    // What is asked for later finds every retry in its place.
                    self.chores.push_front(Chore::GoBack(step.rest));
                }
            }
            Err(error) => {
                tracing::error!(%error, seconds, "the clock went back, and waiting retries could not be moved with it yet");
                self.postpone(Chore::GoBack(go_back));
            }
        }
    }

    fn give_up(&mut self, lost: Vec<Settling>) {
        let (now, mut due) = (self.shared.clock.now().as_microsecond(), Planned::new());
        let written = self.unsynced(|writer| {
            let write = |lost: &Settling| Ok((lost.delivery(), lost.write(writer.conn, now, &mut due)?));
            lost.iter().map(write).collect::<rusqlite::Result<Vec<_>>>()
        });
        match written {
            Ok(landed) => {
                self.shared.due.add(due);
                self.shared.due.landed(landed);
            }
            Err(_) => self.postpone(Chore::GiveUp(lost)),
        }
    }

    fn leave(&mut self, gone: (Arc<str>, OrderKey, i64)) {
        let (now, mut due) = (self.shared.clock.now().as_microsecond(), Planned::new());
        match self.unsynced(|writer| order::leave(writer.conn, &gone, now, &mut due)) {
            Ok(()) => self.shared.due.add(due),
            Err(_) => self.postpone(Chore::Leave(gone)),
        }
    }

    fn redeliver(&mut self, mut redeliver: Redeliver) {
        let (ids, now) = (self.ingest.ids, self.shared.clock.now());
        let dry = redeliver.dry;
        let mut step = |writer: &mut Self| redeliver.step(&mut writer.ingest, writer.shared, now);
        let done = if dry { self.tried(&mut step) } else { self.transaction(true, &mut step) };
        match &done {
            Ok(step) if !dry => {
                self.ingest.keys.commit();
                self.shared.due.changed(step.changed.clone());
                self.shared.due.add(step.planned.clone());
            }
            _ => self.ingest.roll_back(ids),
        }
        let _ = redeliver.answer.send(done.map(|step| step.done).map_err(|error| self.shared.failed(&error)));
    }

    fn released(&mut self, rejections: &[u64], answer: Sender<u64>) {
        let mut shelf = self.shelf;
        let done = self.unsynced(|writer| shelf.released(writer.conn, &writer.ingest.ids, rejections));
        if done.is_ok() {
            self.shelf = shelf;
            self.shared.rejections.store(shelf.count(), Ordering::Relaxed);
        }
        let _ = answer.send(done.map_err(|error| self.shared.failed(&error)));
    }

    fn retain(&mut self, mut retain: Retain) {
        let now = self.shared.clock.now().as_microsecond();
        self.ingest.keys.mind_the_clock(now);
        let done = self.unsynced(|writer| {
            let Ingest { ids, keys, .. } = &writer.ingest;
            let beside = Beside { file: &writer.shared.file, ids, keys, shelf: writer.shelf, now };
            retain.step(writer.conn, &beside)
        });
        match done {
            Ok(step) => {
                retain.committed(&step, &mut self.ingest.keys, &mut self.shelf);
                self.shared.rejections.store(self.shelf.count(), Ordering::Relaxed);
                if retain.done() {
                    self.checkpointer.wake();
                    let space = Space::of(self.conn, &self.shared.file);
                    retain.answer(space.map_err(|error| self.shared.failed(&error)));
                } else {
                    self.chores.push_back(Chore::Retain(retain));
                }
            }
            Err(error) => retain.answer(Err(self.shared.failed(&error))),
        }
    }

    fn erase(&mut self, mut erase: Erase) {
        // It waits for the disk: what is said to be gone must not come back.
        let flying = self.shared.due.in_flight();
        let step = self.transaction(true, |writer| erase.step(writer.conn, writer.shared.vault.as_ref(), &flying));
        match step {
            Ok(step) => {
                erase.committed(&step);
                if step.more {
                    return self.chores.push_back(Chore::Erase(erase));
                }
                if !erase.is_dry() && !self.checkpointer.restart(self.conn).unwrap_or(false) {
                    tracing::info!("what was erased is gone from the journal, and from its log when that starts again");
                }
                let _ = erase.answer.send(Ok(erase.done));
            }
            Err(error) => {
                let _ = erase.answer.send(Err(self.shared.failed(&error)));
            }
        }
    }

    /// Whoever asks whether events can be kept is told by the last that was, or by the disk.
    fn ready(&mut self, answer: Sender<()>) {
        if !self.failing && self.kept.elapsed() < LATELY {
            let _ = answer.send(Ok(()));
            return;
        }
        let tried = self.shared.clock.now().as_microsecond();
        let written = self.transaction(true, |writer| schema::set_meta(writer.conn, "tried", tried));
        let written = written.map_err(|error| self.shared.failed(&error));
        match &written {
            Ok(()) => self.healthy(true),
            Err(error) => self.unhealthy(error),
        }
        let _ = answer.send(written);
    }

    /// A handshake's answer waits for it, so it waits for the disk.
    fn capture(&mut self, capturing: Capturing) {
        let (now, vault) = (self.shared.clock.now(), self.shared.vault.as_ref());
        match capturing {
            Capturing::Keep(new, answer) => self.answer(answer, |conn| capture::keep(conn, &new, vault)),
            Capturing::Confirm(which, answer) => self.answer(answer, |conn| capture::confirm(conn, &which, now)),
            Capturing::Discard(which, answer) => self.answer(answer, |conn| capture::discard(conn, &which)),
        }
    }

    /// It must hold after a crash, so it waits for the disk, too.
    fn pause(&mut self, pausing: Pausing) {
        let now = self.shared.clock.now();
        match pausing {
            Pausing::Pause(kind, name, answer) => self.answer(answer, |conn| pause::pause(conn, kind, &name, now)),
            Pausing::Resume(kind, name, answer) => {
                let done = self.transaction(true, |writer| pause::resume(writer.conn, kind, &name, now));
                if matches!((&done, kind), (Ok(true), Pausable::Destination)) {
                    self.shared.due.resumed(&name.into(), now.as_microsecond());
                }
                let _ = answer.send(done.map_err(|error| self.shared.failed(&error)));
            }
        }
    }

    fn answer<T>(&mut self, answer: Sender<T>, step: impl FnOnce(&Connection) -> rusqlite::Result<T>) {
        let done = self.transaction(true, |writer| step(writer.conn));
        let _ = answer.send(done.map_err(|error| self.shared.failed(&error)));
    }
}
