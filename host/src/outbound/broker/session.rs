//! One connection that is made when it is needed, shared while it lives, and forgotten as soon as it fails.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::timeout;

/// A place for a connection.
pub(super) struct Slot<S> {
    limit: Duration,
    session: Mutex<Option<Arc<S>>>,
}

impl<S> Slot<S> {
    /// An empty one; a connection may take so long.
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, session: Mutex::new(None) }
    }

    /// The connection that is there and `lives`, or a new one. Who comes meanwhile waits for the same.
    pub(super) async fn get(
        &self,
        lives: impl FnOnce(&S) -> bool,
        connecting: impl Future<Output = Result<S, String>>,
    ) -> Result<Arc<S>, String> {
        let mut session = self.session.lock().await;
        if let Some(session) = session.as_ref().filter(|session| lives(session)) {
            return Ok(session.clone());
        }
        let limit = self.limit;
        let connected = timeout(limit, connecting).await.map_err(|_| format!("no connection within {limit:?}"))??;
        Ok(session.insert(Arc::new(connected)).clone())
    }

    /// Forgets a connection; a newer one stays.
    pub(super) async fn forget(&self, failed: &Arc<S>) {
        self.session.lock().await.take_if(|session| Arc::ptr_eq(session, failed));
    }
}
