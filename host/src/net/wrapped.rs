//! A connector of which more is asked than of the one in it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::Uri;
use tower_service::Service;

/// A connector, and what is done about each of its connections.
#[derive(Clone)]
pub(super) struct Wrapped<C, W> {
    pub(super) connector: C,
    pub(super) wrap: W,
}

pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;
pub(super) type Connecting<R> = Pin<Box<dyn Future<Output = Result<R, BoxError>> + Send>>;

/// What is done about a connection of this kind.
pub(super) trait Wrap<R> {
    fn wrap(&self, connecting: impl Future<Output = Result<R, BoxError>> + Send + 'static) -> Connecting<R>;
}

impl<C, W> Service<Uri> for Wrapped<C, W>
where
    C: Service<Uri, Error = BoxError>,
    C::Future: Send + 'static,
    W: Wrap<C::Response>,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = Connecting<C::Response>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.connector.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        self.wrap.wrap(self.connector.call(uri))
    }
}
