//! Rejections that are erased: out of the file, and out of its log.

use std::sync::atomic::Ordering;

use super::Writer;
use crate::journal::sqlite::answer::Sender;

impl Writer<'_> {
    /// It waits for the disk: what is said to be gone must not come back.
    pub(super) fn erase_rejections(&mut self, rejections: &[u64], answer: Sender<u64>) {
        let mut shelf = self.shelf;
        let done = self.transaction(true, |writer| shelf.released(writer.conn, &writer.ingest.ids, rejections));
        if done.is_ok() {
            self.shelf = shelf;
            self.shared.rejections.store(shelf.count(), Ordering::Relaxed);
            if !self.checkpointer.restart(self.conn).unwrap_or(false) {
                tracing::info!("what was erased is gone from the journal, and from its log when that starts again");
            }
        }
        let _ = answer.send(done.map_err(|error| self.shared.failed(&error)));
    }
}
