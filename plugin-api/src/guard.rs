//! The panic guard: the author's code runs in it, and a panic comes out as a number, a message and a place.
//!
//! It is on the plugin's side of the border, because the host has another standard library, which cannot catch our panics; for
//! the same reason the hook set here is this plugin's alone.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::abi::{Outlet, code, log_line};
use crate::log::Level;

thread_local! {
    static GUARDED: Cell<u32> = const { Cell::new(0) };
    static LAST_PANIC: RefCell<Option<(String, String)>> = const { RefCell::new(None) };
}

/// Runs the author's code; a panic becomes a number, and its message and place go to the sink.
pub(crate) fn guard(outlet: &Outlet<'_>, run: impl FnOnce() -> Result<(), String>) -> u32 {
    // A panic that the author caught himself is no longer news.
    LAST_PANIC.set(None);
    GUARDED.set(GUARDED.get() + 1);
    let result = catch_unwind(AssertUnwindSafe(run));
    GUARDED.set(GUARDED.get() - 1);
    match result {
        Ok(Ok(())) => code::OK,
        Ok(Err(message)) => {
            outlet.error(&message, "");
            code::REFUSED
        }
        Err(payload) => {
            let recorded = LAST_PANIC.with_borrow_mut(Option::take);
            let (message, place) = recorded.unwrap_or_else(|| (text_of(&*payload), String::new()));
            outlet.error(&message, &place);
            // The payload is the author's too, and its drop may panic; that second payload is leaked.
            if let Err(second) = catch_unwind(AssertUnwindSafe(move || drop(payload))) {
                std::mem::forget(second);
            }
            LAST_PANIC.set(None);
            code::PANIC
        }
    }
}

/// Takes over the panic hook of this plugin's own standard library.
pub(crate) fn install_panic_hook() {
    std::panic::set_hook(Box::new(|panic| {
        let message = text_of(panic.payload());
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        if GUARDED.get() == 0 {
            log_line(Level::Error, "panic", &format!("{message} ({place})"));
        } else {
            // A panic while the first is recorded must not panic again.
            LAST_PANIC.with(|last| last.try_borrow_mut().map(|mut last| *last = Some((message, place))).ok());
        }
    }));
}

fn text_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".into())
}
