//! The gateway's own events: what it has to say about itself, recorded as events of the source `hookport`, so that routes can
//! bring them to where people look.
//!
//! Whoever notices something tells it here and goes on at once; a few hundred may wait to be recorded. They hold names, ids and
//! counts, never a secret, an answer or a payload. One that no route wants is not kept. Not a word is said of deliveries of
//! these events, so that they never make more of themselves.

mod notice;
mod recording;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tokio::sync::mpsc;

pub use self::notice::Notice;
pub use self::recording::Recording;
use crate::journal::JournalError;

/// So many may wait; what comes on top is dropped, and the log has it.
const WAITING: usize = 256;
/// So many refused requests of one source in a minute are a spike.
const SPIKE: u64 = 100;

/// Where notices are told. The default listens to nobody.
#[derive(Debug, Default)]
pub struct Notices {
    waiting: Option<mpsc::Sender<(Timestamp, Notice)>>,
    refused: Mutex<HashMap<Arc<str>, Minute>>,
    /// That the journal cannot was told, and not yet that it can.
    failing: AtomicBool,
}

/// What a source refused in a minute.
#[derive(Debug, Default)]
struct Minute {
    minute: i64,
    count: u64,
    /// The last minute that was a spike.
    spike: Option<i64>,
}

impl Notices {
    /// Tells it; never waits.
    pub fn tell(&self, now: Timestamp, notice: Notice) {
        let Some(waiting) = &self.waiting else { return };
        if let Err(mpsc::error::TrySendError::Full((_, notice))) = waiting.try_send((now, notice)) {
            tracing::warn!("an event of the gateway's own is dropped, because too many wait: {notice:?}");
            self.failing.fetch_and(!matches!(notice, Notice::NotDurable { .. }), Ordering::Relaxed);
        }
    }

    /// A source refused a request.
    pub fn refused(&self, source: &Arc<str>, now: Timestamp) {
        if self.waiting.is_none() {
            return;
        }
        let minute = now.as_second() / 60;
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = refused.entry(source.clone()).or_default();
        if counted.minute != minute {
            *counted = Minute { minute, count: 0, spike: counted.spike };
        }
        counted.count += 1;
        if counted.count != SPIKE {
            return;
        }
        let goes_on = counted.spike.replace(minute) == Some(minute - 1);
        drop(refused);
        if !goes_on {
            self.tell(now, Notice::RejectionsSpike { source: source.clone(), refused: SPIKE });
        }
    }

    /// The journal could not; told once until it can again.
    pub fn journal_failed(&self, now: Timestamp, error: &JournalError) {
        if matches!(error, JournalError::Failed { .. }) && !self.failing.swap(true, Ordering::Relaxed) {
            self.tell(now, Notice::NotDurable { since: now });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listened_to() -> (Notices, mpsc::Receiver<(Timestamp, Notice)>) {
        let (waiting, told) = mpsc::channel(WAITING);
        (Notices { waiting: Some(waiting), ..Notices::default() }, told)
    }

    #[test]
    fn a_spike_is_told_once_and_again_after_a_quiet_minute() {
        let (notices, mut told) = listened_to();
        let esim: Arc<str> = "esim".into();
        let at = |minute: i64| Timestamp::from_second(minute * 60 + 7).unwrap();
        let mut spikes = |minute, count: u64| {
            (0..count).for_each(|_| notices.refused(&esim, at(minute)));
            std::iter::from_fn(|| told.try_recv().ok()).count()
        };
        assert_eq!([spikes(1, SPIKE - 1), spikes(2, SPIKE * 3), spikes(3, SPIKE), spikes(4, SPIKE)], [0, 1, 0, 0]);
        assert_eq!([spikes(5, SPIKE - 1), spikes(6, SPIKE)], [0, 1]);
    }

    #[test]
    fn a_journal_that_fails_is_told_once() {
        let (notices, mut told) = listened_to();
        let now = Timestamp::UNIX_EPOCH;
        let failed = JournalError::Failed { place: "p".into(), message: "m".into() };
        notices.journal_failed(now, &JournalError::Busy);
        assert!(told.try_recv().is_err());
        (0..9).for_each(|_| notices.journal_failed(now, &failed));
        assert_eq!(told.try_recv().unwrap().1, Notice::NotDurable { since: now });
        assert!(told.try_recv().is_err());
    }

    #[test]
    fn too_many_are_dropped_and_nobody_waits() {
        let (notices, mut told) = listened_to();
        let crm: Arc<str> = "crm".into();
        for _ in 0..WAITING + 50 {
            notices.tell(Timestamp::UNIX_EPOCH, Notice::BreakerClosed { destination: crm.clone() });
        }
        assert_eq!(std::iter::from_fn(|| told.try_recv().ok()).count(), WAITING);
        Notices::default().tell(Timestamp::UNIX_EPOCH, Notice::BreakerClosed { destination: crm });
    }
}
