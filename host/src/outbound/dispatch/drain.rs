//! The end of a lane: attempts end within seconds or are broken off, and everything is written down.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::{Lane, SHORTEST_SLEEP, is_unwritten};
use crate::journal::JournalError;

/// A shutdown may take ten seconds; one of them is left for the journal.
const DRAIN: Duration = Duration::from_secs(9);

impl Lane {
    /// Lets attempts end, gives back what was claimed and not begun, and writes everything down.
    pub(super) async fn drain(mut self) {
        let end = Instant::now() + DRAIN;
        if let Some(claiming) = self.claiming.take()
            && let Ok(Ok(claimed)) = timeout_at(end, claiming).await
        {
            self.claimed.extend(claimed);
        }
        self.give_back();
        while let Ok(Some(ended)) = timeout_at(end, self.under_way.join_next_with_id()).await {
            self.note_ended(ended);
        }
        self.under_way.abort_all();
        while let Some(ended) = self.under_way.join_next_with_id().await {
            self.note_ended(ended);
        }
        self.settle_the_rest(end + SHORTEST_SLEEP * 100).await;
    }

    async fn settle_the_rest(&mut self, end: Instant) {
        if let Some((pending, settled)) = self.settling.take()
            && !matches!(timeout_at(end, pending).await, Ok(Ok(())))
        {
            self.ended.extend(settled.into_iter().filter(is_unwritten));
        }
        while !self.ended.is_empty() {
            match timeout_at(end, self.journal.settle(self.ended.clone())).await {
                Ok(Ok(())) => return,
                Ok(Err(JournalError::Busy | JournalError::Failed { .. })) => {
                    self.ended.retain(is_unwritten);
                    sleep(SHORTEST_SLEEP * 10).await;
                }
                Ok(Err(JournalError::Closed)) | Err(_) => break,
            }
        }
        let lost = self.ended.iter().filter(|settled| is_unwritten(settled)).count();
        if lost > 0 {
            tracing::warn!(destination = self.name(), "{lost} endings were not written down; they are delivered again");
        }
    }
}
