//! Bytes that go ahead of everything else on a new connection, also of TLS: a PROXY header, where a listener wants one.

use std::future::Future;

use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::wrapped::{BoxError, Connecting, Wrap, Wrapped};

/// A connector whose connections begin with some bytes; mostly there are none.
pub(super) type Preface<C> = Wrapped<C, First>;

/// These.
#[derive(Clone, Copy)]
pub(super) struct First(&'static [u8]);

impl<C> Preface<C> {
    pub(super) fn new(connector: C, bytes: &'static [u8]) -> Self {
        Self { connector, wrap: First(bytes) }
    }
}

type Stream = TokioIo<TcpStream>;

impl Wrap<Stream> for First {
    fn wrap(&self, connecting: impl Future<Output = Result<Stream, BoxError>> + Send + 'static) -> Connecting<Stream> {
        let Self(bytes) = *self;
        Box::pin(async move {
            let mut stream = connecting.await?;
            stream.inner_mut().write_all(bytes).await?;
            Ok(stream)
        })
    }
}
