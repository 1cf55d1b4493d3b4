//! The host as the plugin's code reaches it; before it has introduced itself, nothing is reached.

use std::sync::OnceLock;

use super::table::HostRef;
use crate::log::Level;

struct HostHandle {
    host: HostRef,
    number: usize,
}

static HOST: OnceLock<HostHandle> = OnceLock::new();

/// Keeps the host; false where there is one already.
pub(super) fn remember(host: HostRef, number: usize) -> bool {
    HOST.set(HostHandle { host, number }).is_ok()
}

/// Whether the host would write a line of that level.
pub(crate) fn log_enabled(level: Level) -> bool {
    HOST.get().is_some_and(|host| host.host.log_enabled()(host.number, level.number()) != 0)
}

/// Writes a line to the host's log.
pub(crate) fn log_line(level: Level, target: &str, message: &str) {
    if let Some(host) = HOST.get() {
        host.host.log()(host.number, level.number(), target.as_bytes().into(), message.as_bytes().into());
    }
}
