//! The walls around a worker, in two stages: the first before the plugin is loaded, because start-up code runs then, the
//! second when it is ready. What a plugin may do after that is compute: it can neither open nor connect nor start anything.
//!
//! A call of the system that is not on the list fails with EPERM, so that a library that only tries something goes on; the
//! gateway is told which it was, where that can be known.

use std::collections::BTreeMap;
use std::env::consts::ARCH;
use std::io;

use landlock::{
    ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope,
    path_beneath_rules,
};
use rustix::process::{Resource, Rlimit, Signal, getpid, getrlimit, set_parent_process_death_signal, setrlimit};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Op, SeccompCondition, SeccompFilter,
    SeccompRule, apply_filter,
};

use super::signals;
pub(super) use super::syscalls::named;
use super::wire::Held;

/// Where the loader finds the libraries that a plugin needs.
const LIBRARIES: [&str; 10] = [
    "/lib",
    "/lib32",
    "/lib64",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/local/lib",
    "/nix/store",
    "/gnu/store",
    "/etc/ld.so.cache",
];
/// The loader, three files, a few libraries.
const DESCRIPTORS: u64 = 64;

/// Bounds that hold for good, and an end with the gateway's.
pub(super) fn bound(memory: u64) -> io::Result<()> {
    let most = |resource, most: u64| {
        // Whoever started the gateway may have been stricter.
        let most = Some(getrlimit(resource).maximum.map_or(most, |hard| hard.min(most)));
        setrlimit(resource, Rlimit { current: most, maximum: most })
    };
    most(Resource::As, memory)?;
    most(Resource::Nofile, DESCRIPTORS)?;
    most(Resource::Fsize, 0)?;
    // What a plugin had in its hands is nobody's to read. (A limit of processor time would count the worker's whole life.)
    most(Resource::Core, 0)?;
    // It comes when the thread that started this process ends; that thread lives as long as the gateway.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    signals::arrange()
}

/// Before anything of the plugin runs: libraries can be read and run, and nothing else of the system is to be had.
pub(super) fn before_loading() -> Held {
    let landlock = close_files().unwrap_or(false);
    let loading = [ordinary(), loading()].concat();
    Held { landlock, seccomp: refuse_in_silence().and_then(|()| filter(loading)).is_ok() }
}

/// When it is ready: memory, its socket, clocks, and an end.
pub(super) fn when_ready(held: &mut Held) {
    held.seccomp &= filter(ordinary()).is_ok();
}

/// Where the kernel has Landlock: nothing is written, no port opened, nobody else signalled, and only libraries are read.
fn close_files() -> Result<bool, landlock::RulesetError> {
    let abi = ABI::V6;
    let libraries = LIBRARIES.iter().filter(|path| std::path::Path::new(path).exists());
    let ruleset = Ruleset::default()
        .handle_access(AccessFs::from_all(abi))?
        .handle_access(AccessNet::from_all(abi))?
        .scope(Scope::from_all(abi))?
        .create()?
        .add_rules(path_beneath_rules(libraries, AccessFs::from_read(abi)))?;
    Ok(ruleset.restrict_self()?.ruleset != RulesetStatus::NotEnforced)
}

/// A call of the system, and what its arguments must be.
type Allowed = (i64, Vec<SeccompRule>);

/// What memory, clocks, locks, signals within the process, the socket and an end need.
fn ordinary() -> Vec<Allowed> {
    const ANY: [i64; 27] = [
        libc::SYS_read,
        libc::SYS_close,
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_madvise,
        libc::SYS_brk,
        libc::SYS_futex,
        libc::SYS_sigaltstack,
        libc::SYS_rt_sigaction,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigreturn,
        libc::SYS_restart_syscall,
        libc::SYS_clock_gettime,
        libc::SYS_clock_getres,
        libc::SYS_clock_nanosleep,
        libc::SYS_nanosleep,
        libc::SYS_gettimeofday,
        libc::SYS_sched_yield,
        libc::SYS_getrandom,
        libc::SYS_getpid,
        libc::SYS_gettid,
        libc::SYS_exit,
        libc::SYS_exit_group,
        libc::SYS_write,
        libc::SYS_writev,
        libc::SYS_seccomp,
        libc::SYS_sched_getaffinity,
    ];
    let not_executable = || when(2, Op::MaskedEq(libc::PROT_EXEC.unsigned_abs().into()), 0);
    let own_process = u64::try_from(getpid().as_raw_nonzero().get()).unwrap_or(0);
    let mut allowed: Vec<Allowed> = ANY.iter().map(|call| (*call, Vec::new())).collect();
    allowed.extend([
        (libc::SYS_mmap, not_executable()),
        (libc::SYS_mprotect, not_executable()),
        // A build with assertions asks whether what it closes is open.
        (libc::SYS_fcntl, when(1, Op::Eq, libc::F_GETFD.unsigned_abs().into())),
        // `abort` signals its own thread.
        (libc::SYS_tgkill, when(0, Op::Eq, own_process)),
        (libc::SYS_prctl, when(0, Op::Eq, libc::PR_SET_NO_NEW_PRIVS.unsigned_abs().into())),
    ]);
    allowed
}

/// What the loader needs beside that: files to read, and to map as code.
fn loading() -> Vec<Allowed> {
    const ANY: [i64; 9] = [
        libc::SYS_mmap,
        libc::SYS_mprotect,
        libc::SYS_fstat,
        libc::SYS_newfstatat,
        libc::SYS_statx,
        libc::SYS_pread64,
        libc::SYS_lseek,
        libc::SYS_readlinkat,
        libc::SYS_getcwd,
    ];
    let writes = libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC | libc::O_APPEND;
    let mut allowed: Vec<Allowed> = ANY.iter().map(|call| (*call, Vec::new())).collect();
    allowed.push((libc::SYS_openat, when(2, Op::MaskedEq(writes.unsigned_abs().into()), 0)));
    #[cfg(target_arch = "x86_64")]
    allowed.extend([(libc::SYS_access, Vec::new()), (libc::SYS_readlink, Vec::new())]);
    allowed
}

/// Calls that start something. The C library makes them with all signals blocked, so that telling of one would be an end.
const STARTING: &[i64] = &[
    libc::SYS_clone,
    libc::SYS_clone3,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_fork,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_vfork,
];

/// A rule that an argument must meet; one that cannot be made is met by nothing.
fn when(argument: u8, op: Op, value: u64) -> Vec<SeccompRule> {
    let condition = SeccompCondition::new(argument, Len::Dword, op, value);
    condition.and_then(|condition| SeccompRule::new(vec![condition])).into_iter().collect()
}

/// Those fail, and nobody is told.
fn refuse_in_silence() -> Result<(), seccompiler::Error> {
    let rules = STARTING.iter().map(|call| (*call, Vec::new())).collect();
    enforce(SeccompFilter::new(rules, SeccompAction::Allow, failing(), ARCH.try_into()?)?)
}

/// Lets these calls pass from now on, and those of earlier filters only. Of a call that is named twice the freer rule counts.
fn filter(allowed: Vec<Allowed>) -> Result<(), seccompiler::Error> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for (call, conditions) in allowed {
        rules
            .entry(call)
            .and_modify(|known| {
                if conditions.is_empty() {
                    known.clear()
                }
            })
            .or_insert(conditions);
    }
    let refused = if signals::TOLD { SeccompAction::Trap } else { failing() };
    // They pass here, so that the earlier filter's word on them is the last.
    rules.extend(STARTING.iter().map(|call| (*call, Vec::new())));
    enforce(SeccompFilter::new(rules, refused, SeccompAction::Allow, ARCH.try_into()?)?)
}

fn failing() -> SeccompAction {
    SeccompAction::Errno(libc::EPERM.unsigned_abs())
}

fn enforce(filter: SeccompFilter) -> Result<(), seccompiler::Error> {
    let program: BpfProgram = filter.try_into()?;
    apply_filter(&program)
}
