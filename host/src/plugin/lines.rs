//! Lines that a plugin says, on their way into the log: under its name, with the call that they belong to, and never more
//! than a disk can take.

use std::cell::Cell;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hookport_plugin_api::log::Level;
use tracing::field::display;

use crate::throttle::Throttle;

/// So many lines at once, and as many again in [`WINDOW`].
const BURST: u32 = 100;
const WINDOW: Duration = Duration::from_secs(10);

/// A plugin that may say something.
#[derive(Debug)]
pub(super) struct Speaker {
    plugin: Arc<str>,
    version: Arc<str>,
    pace: Throttle,
}

/// Where lines go instead of the log.
type Elsewhere = Box<dyn Fn(Level, &str, &str) + Send + Sync>;

/// In a worker: the least level that the gateway wants, and the way to it.
static ELSEWHERE: OnceLock<(Level, Elsewhere)> = OnceLock::new();

thread_local! {
    static CALL: Cell<u64> = const { Cell::new(0) };
}

/// Lines of this process go there from now on, if they are not finer than `finest`.
pub(super) fn divert(finest: Level, elsewhere: Elsewhere) {
    // The first one stays.
    let _ = ELSEWHERE.set((finest, elsewhere));
}

/// What is said meanwhile on this thread belongs to the call.
pub(super) fn during<T>(call: u64, run: impl FnOnce() -> T) -> T {
    let before = CALL.replace(call);
    let done = run();
    CALL.set(before);
    done
}

/// The call that this thread is in; 0 for none.
pub(super) fn current() -> u64 {
    CALL.get()
}

/// Whether anybody wants lines of this level.
pub(super) fn enabled(level: Level) -> bool {
    if let Some((finest, _)) = ELSEWHERE.get() {
        return level <= *finest;
    }
    match level {
        Level::Error => tracing::enabled!(tracing::Level::ERROR),
        Level::Warn => tracing::enabled!(tracing::Level::WARN),
        Level::Info => tracing::enabled!(tracing::Level::INFO),
        Level::Debug => tracing::enabled!(tracing::Level::DEBUG),
        Level::Trace => tracing::enabled!(tracing::Level::TRACE),
    }
}

/// The finest level that anybody wants.
pub(super) fn finest() -> Level {
    let finer = [Level::Trace, Level::Debug, Level::Info, Level::Warn];
    finer.into_iter().find(|level| enabled(*level)).unwrap_or(Level::Error)
}

impl Speaker {
    /// One that has said nothing yet.
    pub(super) fn new(plugin: impl Into<Arc<str>>, version: impl Into<Arc<str>>) -> Self {
        Self { plugin: plugin.into(), version: version.into(), pace: Throttle::new(BURST, WINDOW) }
    }

    /// The provider's id.
    pub(super) fn plugin(&self) -> &str {
        &self.plugin
    }

    /// Says a line of a call. What exceeds the pace is counted, and the count is said with the next line that does not.
    pub(super) fn say(&self, request: u64, level: Level, module: &str, line: &str) {
        let Some(left_out) = self.pace.pass() else { return };
        if left_out > 0 {
            let words = format!("{left_out} lines of the plugin were left out: it says too much");
            self.put(request, Level::Warn, "hookport", &words);
        }
        self.put(request, level, module, line);
    }

    fn put(&self, request: u64, level: Level, module: &str, line: &str) {
        if let Some((_, elsewhere)) = ELSEWHERE.get() {
            return elsewhere(level, module, line);
        }
        let (plugin, version) = (display(&*self.plugin), display(&*self.version));
        match level {
            Level::Error => tracing::error!(plugin, version, request, %module, "{line}"),
            Level::Warn => tracing::warn!(plugin, version, request, %module, "{line}"),
            Level::Info => tracing::info!(plugin, version, request, %module, "{line}"),
            Level::Debug => tracing::debug!(plugin, version, request, %module, "{line}"),
            Level::Trace => tracing::trace!(plugin, version, request, %module, "{line}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_belongs_to_the_call_that_it_is_said_in() {
        assert_eq!((current(), during(7, || (current(), during(8, current), current())), current()), (0, (7, 8, 7), 0));
    }
}
