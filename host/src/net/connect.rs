//! The time for a connection: name, TCP and TLS together. What is connected to is left to `guard`.

use std::future::Future;
use std::time::Duration;

use super::wrapped::{BoxError, Connecting, Wrap, Wrapped};

/// A connector that gives up after a while, where a limit is set.
pub(super) type Timed<C> = Wrapped<C, Limit>;

/// So long; none where it is not set.
#[derive(Clone, Copy)]
pub(super) struct Limit(Option<Duration>);

/// The connection was not there in time.
#[derive(Debug, thiserror::Error)]
#[error("no connection within {0:?}")]
pub(super) struct TooSlow(pub(super) Duration);

impl<C> Timed<C> {
    pub(super) fn new(connector: C, limit: Option<Duration>) -> Self {
        Self { connector, wrap: Limit(limit) }
    }
}

impl<R: 'static> Wrap<R> for Limit {
    fn wrap(&self, connecting: impl Future<Output = Result<R, BoxError>> + Send + 'static) -> Connecting<R> {
        let Some(limit) = self.0 else { return Box::pin(connecting) };
        Box::pin(
            async move { tokio::time::timeout(limit, connecting).await.unwrap_or_else(|_| Err(TooSlow(limit).into())) },
        )
    }
}
