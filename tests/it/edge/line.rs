//! A sender's connection by hand: bytes out, answers back one by one, and whether the other side has hung up.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::PATIENCE;
use crate::wire::Reply;

/// What a line goes over.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for S {}

pub(crate) struct Line {
    stream: Box<dyn Stream>,
    unread: Vec<u8>,
}

impl Line {
    pub(super) async fn connect(to: SocketAddr) -> Self {
        Self::over(TcpStream::connect(to).await.expect("it listens"))
    }

    pub(crate) fn over(stream: impl Stream) -> Self {
        Self { stream: Box::new(stream), unread: Vec::new() }
    }

    /// Sends everything, or as much as the other side takes.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        timeout(PATIENCE, self.stream.write_all(bytes.as_ref())).await.expect("it is read")
    }

    /// Sends a request and reads its answer.
    pub(crate) async fn ask(&mut self, request: impl AsRef<[u8]>) -> Reply {
        self.send(request).await.expect("it is taken");
        self.answer().await
    }

    /// The next answer.
    pub(super) async fn answer(&mut self) -> Reply {
        self.answer_to("POST").await
    }

    /// The next answer; one to HEAD has no body whatever it says of its length.
    pub(super) async fn answer_to(&mut self, method: &str) -> Reply {
        let head = loop {
            if let Some(end) = self.unread.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            assert!(self.read().await.expect("an answer, not a reset") > 0, "hung up after {:?}", self.text());
        };
        let mut reply =
            crate::wire::reply(&self.unread[..head]).unwrap_or_else(|| panic!("no answer: {:?}", self.text()));
        let bodiless = method == "HEAD" || reply.status < 200;
        let length =
            reply.header("content-length").filter(|_| !bodiless).map_or(0, |text| text.parse().expect("a length"));
        while self.unread.len() < head + length {
            assert!(self.read().await.expect("a body, not a reset") > 0, "hung up within {:?}", self.text());
        }
        reply.body = self.unread[head..head + length].to_vec();
        self.unread.drain(..head + length);
        reply
    }

    /// Waits until the other side hangs up; gives what it said before.
    pub(super) async fn closed(&mut self) -> String {
        loop {
            match self.read().await {
                Ok(0) => return self.text(),
                Ok(_) => {}
                Err(error) => panic!("reset instead of closed: {error}, after {:?}", self.text()),
            }
        }
    }

    /// Sends a request and reads its answer, or finds that the other side has hung up.
    pub(super) async fn try_ask(&mut self, request: impl AsRef<[u8]>) -> Option<Reply> {
        self.send(request).await.ok()?;
        match self.read().await {
            Ok(1..) => Some(self.answer().await),
            _ => None,
        }
    }

    /// Waits until the other side hangs up or resets; gives what it said before.
    pub(super) async fn gone(&mut self) -> String {
        while let Ok(1..) = self.read().await {}
        self.text()
    }

    /// Whether nothing comes and nobody hangs up for so long.
    pub(super) async fn silent(&mut self, long: Duration) -> bool {
        self.unread.is_empty() && timeout(long, self.stream.read_buf(&mut self.unread)).await.is_err()
    }

    async fn read(&mut self) -> std::io::Result<usize> {
        let read = timeout(PATIENCE, self.stream.read_buf(&mut self.unread)).await;
        read.unwrap_or_else(|_| panic!("nothing more comes after {:?}", String::from_utf8_lossy(&self.unread)))
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.unread).into_owned()
    }
}
