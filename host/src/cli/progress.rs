//! How far something is, on a terminal and nowhere else.

use std::io::{self, IsTerminal, Write};

/// A line of standard error that is written over; gone with its value.
pub(super) struct Progress {
    what: &'static str,
    total: u64,
    shown: bool,
}

impl Progress {
    /// Of so many of these.
    pub(super) fn of(total: u64, what: &'static str) -> Self {
        Self { what, total, shown: false }
    }

    /// So many are done.
    pub(super) fn at(&mut self, done: u64) {
        let mut stderr = io::stderr().lock();
        if stderr.is_terminal() {
            self.shown = true;
            // Nobody is left to tell when standard error is gone.
            let _ = write!(stderr, "\r{done} of {} {}\x1b[K", self.total.max(done), self.what);
            let _ = stderr.flush();
        }
    }
}

impl Progress {
    /// Makes room for other output.
    pub(super) fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            let _ = write!(io::stderr().lock(), "\r\x1b[K");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}
