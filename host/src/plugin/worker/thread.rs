//! The one thread that starts workers and talks to them. It lives as long as the process: the kernel ends a worker when the
//! thread that started it ends, and not when the process does.

use std::io;
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Handle};

static THREAD: OnceLock<Handle> = OnceLock::new();
static STARTING: Mutex<()> = Mutex::new(());

/// How many supervisors have not ended.
static AT_WORK: Mutex<usize> = Mutex::new(0);
static ENDED: Condvar = Condvar::new();

/// One supervisor at work; it ends with its value.
pub(super) struct AtWork(());

impl AtWork {
    pub(super) fn begin() -> Self {
        *AT_WORK.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Self(())
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        *AT_WORK.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        ENDED.notify_all();
    }
}

/// Waits until all that were told to end have ended, but no longer than this.
pub(crate) fn settled(limit: Duration) -> bool {
    let at_work = AT_WORK.lock().unwrap_or_else(PoisonError::into_inner);
    let waited = ENDED.wait_timeout_while(at_work, limit, |at_work| *at_work > 0);
    waited.is_ok_and(|(at_work, _)| *at_work == 0)
}

/// The thread's runtime, started when it is first needed.
pub(super) fn handle() -> io::Result<Handle> {
    let _one_starts_it = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = THREAD.get() {
        return Ok(handle.clone());
    }
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let run = move || runtime.block_on(std::future::pending::<()>());
    std::thread::Builder::new().name("plugin-workers".into()).spawn(run)?;
    Ok(THREAD.get_or_init(|| handle).clone())
}
