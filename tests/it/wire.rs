//! One HTTP request by hand: bytes out and the answer back, so that a test can send what no client would.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An answer as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// The first header of that name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|header| header.0 == name).map(|header| header.1.as_str())
    }
}

/// Sends one request that ends its connection, and reads the answer.
pub(crate) async fn exchange(to: SocketAddr, request: &[u8]) -> Result<Reply, String> {
    let answer = async {
        let mut stream = TcpStream::connect(to).await?;
        stream.write_all(request).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = answer.await.map_err(|error| format!("{to}: {error}"))?;
    reply(&answer).ok_or_else(|| format!("no HTTP answer: {:?}", String::from_utf8_lossy(&answer)))
}

/// What an answer says; nothing where it is none.
pub(crate) fn reply(answer: &[u8]) -> Option<Reply> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let mut lines = std::str::from_utf8(&answer[..end]).ok()?.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let header = |line: &str| line.split_once(':').map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()));
    let headers = lines.map(header).collect::<Option<_>>()?;
    Some(Reply { status, headers, body: answer[end + 4..].to_vec() })
}
