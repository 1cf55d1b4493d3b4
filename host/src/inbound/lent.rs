//! A stream that is lent to HTTP and comes back when HTTP gives up on it, so that a slow head still gets its 408.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;

/// How HTTP/2 begins; no method of HTTP/1.1 does.
const PREFACE: &[u8] = b"PRI";
/// Shorter than any head.
const BEGINNING: usize = PREFACE.len();
const TOO_SLOW: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
/// The answer to a slow head goes out in this time, or not at all.
const LINGER: Duration = Duration::from_secs(2);
/// So much of what comes after it is read.
const DISCARD: u64 = 1 << 20;

/// One of two handles of a stream: the one that HTTP has, and the one that is kept.
pub(super) struct Lent<S>(Arc<Mutex<Held<S>>>);

struct Held<S> {
    stream: S,
    /// The first bytes that came.
    beginning: Vec<u8>,
    /// Bytes came after the last that went.
    unanswered: bool,
}

impl<S> Lent<S> {
    pub(super) fn new(stream: S) -> Self {
        let held = Held { stream, beginning: Vec::with_capacity(BEGINNING), unanswered: false };
        Self(Arc::new(Mutex::new(held)))
    }

    pub(super) fn lend(&self) -> Self {
        Self(self.0.clone())
    }

    fn held(&self) -> MutexGuard<'_, Held<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Lent<S> {
    /// Answers 408 to who began a head of HTTP/1.1 and did not end it; says nothing to who said nothing.
    pub(super) async fn too_slow(self) {
        let Some(held) = Arc::into_inner(self.0) else { return };
        let Held { mut stream, beginning, unanswered } = held.into_inner().unwrap_or_else(PoisonError::into_inner);
        if !unanswered || PREFACE.starts_with(&beginning) {
            return;
        }
        let answer = async {
            stream.write_all(TOO_SLOW).await?;
            stream.shutdown().await?;
            // What is unread when a socket is closed takes the answer with it.
            tokio::io::copy(&mut stream.take(DISCARD), &mut tokio::io::sink()).await
        };
        let _gone = timeout(LINGER, answer).await;
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lent<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let mut held = self.held();
        let before = into.filled().len();
        let read = Pin::new(&mut held.stream).poll_read(cx, into);
        let came = &into.filled()[before..];
        if !came.is_empty() {
            held.unanswered = true;
            let room = BEGINNING - held.beginning.len();
            held.beginning.extend_from_slice(&came[..came.len().min(room)]);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> Lent<S> {
    fn wrote(&self, write: impl FnOnce(Pin<&mut S>) -> Poll<Result<usize>>) -> Poll<Result<usize>> {
        let mut held = self.held();
        let written = write(Pin::new(&mut held.stream));
        if let Poll::Ready(Ok(1..)) = written {
            held.unanswered = false;
        }
        written
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Lent<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        self.wrote(|stream| stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<Result<usize>> {
        self.wrote(|stream| stream.poll_write_vectored(cx, pieces))
    }

    fn is_write_vectored(&self) -> bool {
        self.held().stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.held().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.held().stream).poll_shutdown(cx)
    }
}
