//! One group: a transaction, its sync, and then the answers. Nothing is answered and nothing is due before the commit.

use std::sync::atomic::Ordering;
use std::time::Instant;

use rusqlite::Connection;

use super::Shared;
use super::answer::Sender;
use super::insert::{Ingest, Planned};
use super::mark::Mark;
use super::queue::{Group, Record};
use super::reject::Shelf;
use super::settle::Settling;
use crate::journal::{Committed, JournalError, Recorded, Undelivered};

/// What a group left to do.
pub(super) enum Outcome {
    Committed(Undelivered<Recorded>),
    /// Rolled back, and everybody heard it.
    Failed(JournalError),
}

/// Commits a group and answers it; not without `ready`, which says that the commit waits for the disk as it must.
pub(super) fn commit(
    shared: &Shared,
    conn: &Connection,
    (ingest, shelf, mark): (&mut Ingest<'_>, &mut Shelf, &mut Mark),
    ready: rusqlite::Result<()>,
    earlier: Undelivered<Recorded>,
    group: Group,
) -> Outcome {
    let Group { records, settled, rejected, .. } = group;
    let (requests, begun) = (records.len(), Instant::now());
    let durable = requests > 0;
    let mut records = records.into_iter();
    let (ids, shelved, dropped) = (ingest.ids, *shelf, rejected.len() as u64);
    let now = shared.clock.now();
    let mut answers: Vec<(Sender<Recorded>, Result<Recorded, JournalError>)> = Vec::with_capacity(records.len());
    let mut waiting: Vec<Sender<Recorded>> = Vec::new();
    let mut planned = Planned::new();
    let mut landed = Vec::with_capacity(settled.len());

    let write = || -> rusqlite::Result<()> {
        ready?;
        conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        for Record { prepared, answer } in records.by_ref() {
            match ingest.record(prepared, now, shelf, &shared.due, &mut planned) {
                Ok(recorded) => answers.push((answer, Ok(recorded))),
                Err(error) => {
                    waiting.push(answer);
                    return Err(error);
                }
            }
        }
        for settling in &settled {
            landed.push((settling.delivery(), settling.write(conn, now.as_microsecond(), &mut planned)?));
        }
        rejected.into_iter().try_for_each(|kept| shelf.put(conn, &mut ingest.ids, kept))?;
        conn.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    };
    let written = write();
    match &written {
        Ok(()) if durable => {
            mark.reach(&ingest.ids);
            shared.observer.committed(Committed { requests, took: begun.elapsed() });
        }
        Err(_) if durable => shared.observer.failed(),
        _ => {}
    }
    earlier.deliver();
    match written {
        Ok(()) => {
            ingest.keys.commit();
            shared.due.add(planned);
            shared.due.landed(landed);
            shared.rejections.store(shelf.count(), Ordering::Relaxed);
            Outcome::Committed(Sender::send_all(answers))
        }
        Err(error) => {
            roll_back(conn);
            ingest.roll_back(ids);
            *shelf = shelved;
            shared.dropped.fetch_add(dropped, Ordering::Relaxed);
            let error = shared.failed(&error);
            let unanswered = answers.into_iter().map(|(answer, _)| answer).chain(waiting);
            let unanswered = unanswered.chain(records.map(|record| record.answer));
            unanswered.for_each(|answer| {
                let _ = answer.send(Err(error.clone()));
            });
            // First, so that a caller that settles again at once is heard.
            shared.due.unsettled(settled.iter().map(Settling::delivery));
            settled.iter().for_each(|settling| settling.fail(&error));
            Outcome::Failed(error)
        }
    }
}

/// Ends a transaction that failed; SQLite may have ended it already.
pub(super) fn roll_back(conn: &Connection) {
    if !conn.is_autocommit() {
        let _ = conn.execute_batch("ROLLBACK");
    }
}
