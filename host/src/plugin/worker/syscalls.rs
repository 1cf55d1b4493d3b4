//! The names of calls of the system that code tries most; of another one the number says what it was.

/// Pairs of number and name.
macro_rules! known {
    ($($name:ident)*) => { &[$((libc::$name, stringify!($name))),*] };
}

const EVERYWHERE: &[(i64, &str)] = known! {
    SYS_accept4 SYS_bind SYS_bpf SYS_chdir SYS_connect SYS_dup SYS_dup3 SYS_epoll_create1 SYS_eventfd2 SYS_execve
    SYS_execveat SYS_fcntl SYS_flock SYS_fstat SYS_ftruncate SYS_getcwd SYS_getdents64 SYS_getrusage SYS_getsockopt
    SYS_getuid SYS_inotify_init1 SYS_io_uring_setup SYS_ioctl SYS_kill SYS_linkat SYS_listen SYS_lseek SYS_memfd_create
    SYS_mkdirat SYS_mmap SYS_mount SYS_mprotect SYS_newfstatat SYS_openat SYS_openat2 SYS_perf_event_open
    SYS_pidfd_open SYS_pipe2 SYS_ppoll SYS_prctl SYS_pread64 SYS_prlimit64 SYS_process_vm_readv SYS_ptrace SYS_pwrite64
    SYS_readlinkat SYS_recvfrom SYS_recvmsg SYS_renameat2 SYS_sched_setaffinity SYS_sendmsg SYS_sendto SYS_setns
    SYS_setrlimit SYS_setsockopt SYS_setuid SYS_shmget SYS_socket SYS_socketpair SYS_statx SYS_symlinkat SYS_sysinfo
    SYS_tgkill SYS_timer_create SYS_tkill SYS_uname SYS_unlinkat SYS_unshare SYS_wait4
};

#[cfg(target_arch = "x86_64")]
const BESIDE: &[(i64, &str)] = known! {
    SYS_access SYS_dup2 SYS_getrlimit SYS_mkdir SYS_open SYS_pipe SYS_poll SYS_readlink SYS_rename SYS_select SYS_stat
    SYS_unlink
};
#[cfg(not(target_arch = "x86_64"))]
const BESIDE: &[(i64, &str)] = &[];

/// As manuals have it.
pub(super) fn named(number: u64) -> String {
    let mut known = EVERYWHERE.iter().chain(BESIDE);
    let found = known.find(|(known, _)| u64::try_from(*known).is_ok_and(|known| known == number));
    found.and_then(|(_, name)| name.strip_prefix("SYS_")).map_or_else(|| format!("number {number}"), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_has_its_name_in_manuals_or_a_number() {
        assert_eq!(named(libc::SYS_socket.unsigned_abs()), "socket");
        assert_eq!(named(9999), "number 9999");
    }
}
