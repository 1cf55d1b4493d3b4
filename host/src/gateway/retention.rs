//! Retention, applied now and then.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::Clock;
use crate::journal::Journal;

/// So often.
const RETAIN: Duration = Duration::from_secs(600);

/// Deletes what is older than retention; again at once when it changes.
pub(super) async fn retain(
    journal: Arc<dyn Journal>,
    clock: Clock,
    mut retention: watch::Receiver<Duration>,
    mut stopped: watch::Receiver<bool>,
) {
    loop {
        let keep = *retention.borrow_and_update();
        match journal.retain(clock.now() - keep).await {
            Ok(0) => {}
            Ok(events) => tracing::info!(events, "deleted what is older than journal.retention"),
            Err(error) => tracing::warn!("retention: {error}"),
        }
        tokio::select! {
            () = tokio::time::sleep(RETAIN) => {}
            Ok(()) = retention.changed() => {}
            _ = stopped.wait_for(|stop| *stop) => return,
        }
    }
}
