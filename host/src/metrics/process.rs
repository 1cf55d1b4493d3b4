//! The process, as `/proc` has it; where there is none, nothing is said of it.

use std::fs;

/// What collectors expect of every process.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Process {
    /// Files, sockets and pipes that are open.
    pub open_fds: u64,
    /// How many may be.
    pub max_fds: Option<u64>,
    /// Memory that is really there.
    pub resident_bytes: u64,
    /// Time on processors.
    pub cpu_seconds: f64,
}

impl Process {
    /// This one, now.
    pub fn now() -> Option<Self> {
        let statm = fs::read_to_string("/proc/self/statm").ok()?;
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        // The folder's own descriptor is one of them.
        let open = fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1);
        let page = u64::try_from(rustix::param::page_size()).ok()?;
        Some(Self {
            open_fds: u64::try_from(open).ok()?,
            max_fds: max_fds(&limits),
            resident_bytes: statm.split(' ').nth(1)?.parse::<u64>().ok()?.saturating_mul(page),
            cpu_seconds: ticks(&stat)? as f64 / rustix::param::clock_ticks_per_second() as f64,
        })
    }
}

/// User and system time; the name before them may hold anything.
fn ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ').skip(11).map(|field| field.parse::<u64>().ok());
    fields.next()??.checked_add(fields.next()??)
}

fn max_fds(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_writes_is_read() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 5 0 8800 1 1";
        assert_eq!(ticks(stat), Some(300));
        assert_eq!(
            max_fds("Limit  Soft\nMax open files            1024                 524288               files"),
            Some(1024)
        );
        assert_eq!(max_fds("Max open files            unlimited            unlimited            files"), None);
        let now = Process::now().expect("tests run where /proc is");
        assert!(now.open_fds >= 3 && now.resident_bytes > 1 << 20, "{now:?}");
    }
}
