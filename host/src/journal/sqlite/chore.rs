//! What the writer does between its groups, each with whoever waits for it.

use std::sync::Arc;

use super::Shared;
use super::answer::Sender;
use super::cancel::Cancel;
use super::capture::Capturing;
use super::erase::Erase;
use super::go_back::GoBack;
use super::pause::Pausing;
use super::replay::Redeliver;
use super::retain::Retain;
use super::retry::Retry;
use super::settle::Settling;
use crate::journal::{JournalError, OrderKey};

/// Work that is done in small steps between groups.
pub(super) enum Chore {
    Retry(Retry),
    Cancel(Cancel),
    Redeliver(Redeliver),
    /// Rejections that became events.
    Released(Vec<u64>, Sender<u64>),
    /// Rejections that nobody may read any more.
    EraseRejections(Vec<u64>, Sender<u64>),
    Retain(Retain),
    Erase(Erase),
    Capturing(Capturing),
    Pausing(Pausing),
    /// Says whether an event could be kept now.
    Ready(Sender<()>),
    /// More due deliveries of a destination, from the file.
    Refill(Arc<str>),
    /// The clock went back, and the retries go with it.
    GoBack(GoBack),
    /// The first of a key was cancelled in flight, and was given back untried.
    Leave((Arc<str>, OrderKey, i64)),
    /// Deliveries that have nothing to send.
    GiveUp(Vec<Settling>),
}

impl Chore {
    /// It cannot be done now; whoever waits hears it.
    pub(super) fn refuse(self, shared: &Shared, error: &JournalError) {
        let error = error.clone();
        // Nobody may wait any more.
        let _ = match self {
            Self::Retry(retry) => retry.answer.send(Err(error)).map_err(drop),
            Self::Cancel(cancel) => cancel.answer.send(Err(error)).map_err(drop),
            Self::Redeliver(replay) => replay.answer.send(Err(error)).map_err(drop),
            Self::Released(_, answer) | Self::EraseRejections(_, answer) => answer.send(Err(error)).map_err(drop),
            Self::Retain(retain) => {
                retain.answer(Err(error));
                Ok(())
            }
            Self::Erase(erase) => erase.answer.send(Err(error)).map_err(drop),
            Self::Capturing(Capturing::Keep(_, answer)) => answer.send(Err(error)).map_err(drop),
            Self::Capturing(Capturing::Confirm(_, answer)) => answer.send(Err(error)).map_err(drop),
            Self::Capturing(Capturing::Discard(_, answer)) => answer.send(Err(error)).map_err(drop),
            Self::Pausing(Pausing::Pause(_, _, answer)) => answer.send(Err(error)).map_err(drop),
            Self::Pausing(Pausing::Resume(_, _, answer)) => answer.send(Err(error)).map_err(drop),
            Self::Ready(answer) => answer.send(Err(error)).map_err(drop),
            Self::Refill(destination) => {
                shared.due.refill_failed(&destination);
                Ok(())
            }
            // Nobody would ask again.
            again @ (Self::Leave(_) | Self::GoBack(_) | Self::GiveUp(_)) => {
                shared.queue.push_chore(again).map_err(drop)
            }
        };
    }
}
