//! Bytes that go ahead of everything else on a new connection, also of TLS: a PROXY header, where a listener wants one.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::Uri;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tower_service::Service;

/// A connector whose connections begin with these bytes; mostly there are none.
#[derive(Clone)]
pub(super) struct Preface<C> {
    connector: C,
    bytes: &'static [u8],
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl<C> Preface<C> {
    pub(super) fn new(connector: C, bytes: &'static [u8]) -> Self {
        Self { connector, bytes }
    }
}

impl<C> Service<Uri> for Preface<C>
where
    C: Service<Uri, Response = TokioIo<TcpStream>, Error = BoxError>,
    C::Future: Send + 'static,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<C::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.connector.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (connecting, bytes) = (self.connector.call(uri), self.bytes);
        Box::pin(async move {
            let mut stream = connecting.await?;
            stream.inner_mut().write_all(bytes).await?;
            Ok(stream)
        })
    }
}
