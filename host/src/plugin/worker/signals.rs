//! Signals of a worker: its gateway ends it by hanging up, and nobody else asks it to. A call of the system that the filter
//! refuses comes as a signal, too: the gateway is told which, and the call fails with EPERM.

// What a signal does has no safe form, nor have the registers that it comes with.
#![allow(unsafe_code)]

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use libc::{c_int, c_void, siginfo_t, ucontext_t};
use rustix::io::write;
use rustix::stdio::stdin;

use super::frame::{Kind, bare};

/// Whether a refused call can be told: its number and its result are in registers that are known here.
pub(super) const TOLD: bool = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));
/// The signal is the filter's, and nobody's who sent it.
const OF_THE_FILTER: c_int = 1;

/// A bit for each number that was told: once is enough.
static KNOWN: [AtomicU64; 16] = [const { AtomicU64::new(0) }; 16];

/// For the rest of the process.
pub(super) fn arrange() -> io::Result<()> {
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
        set(signal, libc::SIG_IGN, 0)?;
    }
    set(libc::SIGSYS, refused as extern "C" fn(_, _, _) as usize, libc::SA_SIGINFO)
}

fn set(signal: c_int, to: libc::sighandler_t, flags: c_int) -> io::Result<()> {
    // SAFETY: of zeros it is an action without flags that blocks nothing meanwhile.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    (action.sa_sigaction, action.sa_flags) = (to, flags);
    // SAFETY: the action is whole, and what it names lives as long as the process.
    match unsafe { libc::sigaction(signal, &action, std::ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Runs in the middle of anything: it touches registers, one static and the socket.
extern "C" fn refused(_: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel gives both to a handler of this kind, and nobody else has them meanwhile.
    let (info, context) = unsafe { (&*info, &mut *context.cast::<ucontext_t>()) };
    if info.si_code != OF_THE_FILTER {
        return;
    }
    let Some((number, result)) = registers(context) else { return };
    *result = (-i64::from(libc::EPERM)).cast_unsigned();
    let bit = 1 << (number % 64);
    let known = usize::try_from(number / 64).ok().and_then(|word| KNOWN.get(word));
    if known.is_none_or(|known| known.fetch_or(bit, Ordering::Relaxed) & bit != 0) {
        return;
    }
    // A gateway that is gone is told nothing.
    let _ = bare(Kind::Refused, number).map(|frame| write(stdin(), &frame));
}

#[cfg(target_arch = "x86_64")]
fn registers(context: &mut ucontext_t) -> Option<(u64, &mut u64)> {
    let place = usize::try_from(libc::REG_RAX).ok()?;
    let register = context.uc_mcontext.gregs.get_mut(place)?;
    let number = register.cast_unsigned();
    // SAFETY: the same register, without its sign.
    Some((number, unsafe { &mut *std::ptr::from_mut(register).cast() }))
}

#[cfg(target_arch = "aarch64")]
fn registers(context: &mut ucontext_t) -> Option<(u64, &mut u64)> {
    let number = *context.uc_mcontext.regs.get(8)?;
    Some((number, context.uc_mcontext.regs.get_mut(0)?))
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn registers(_: &mut ucontext_t) -> Option<(u64, &mut u64)> {
    None
}
