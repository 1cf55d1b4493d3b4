//! Descriptors for as many connections as are configured: systems start programs with fewer than they allow.

/// Beside connections: the journal, destinations, the admin API and the program itself.
const OTHERS: u64 = 512;

/// Raises the process's limit as far as the system lets it, and says so where that is too little.
#[cfg(unix)]
pub(super) fn raise(connections: usize) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let wanted = u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(OTHERS);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // None is no limit.
    let Some(have) = current.filter(|have| *have < wanted) else { return };
    let most = maximum.map_or(wanted, |maximum| maximum.min(wanted));
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum });
    let have = if raised.is_ok() { most } else { have };
    if have < wanted {
        tracing::warn!(
            "the system allows {have} open files, and server.max_connections = {connections} needs {wanted}: raise it \
             (LimitNOFILE= of systemd, ulimit -n) or lower max_connections"
        );
    }
}

/// Where there is no such limit.
#[cfg(not(unix))]
pub(super) fn raise(_: usize) {}
