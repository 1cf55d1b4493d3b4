//! A small HTTP server on a free loopback port, for whoever stands beside the gateway in the demo.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpListener;

/// An answer.
pub(super) type Answer = Response<Full<Bytes>>;

/// Answers until the runtime ends; gives the address.
pub(super) async fn serve(
    answer: impl Fn(Request<Bytes>) -> Answer + Clone + Send + 'static,
) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = answer.clone();
            let service = service_fn(move |request| whole(request, answer.clone()));
            // A peer that goes away is the peer's business.
            tokio::spawn(async move {
                let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    Ok(address)
}

/// An answer without headers.
pub(super) fn plain(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response
}

async fn whole(request: Request<Incoming>, answer: impl Fn(Request<Bytes>) -> Answer) -> Result<Answer, Infallible> {
    let (head, body) = request.into_parts();
    Ok(match body.collect().await {
        Ok(body) => answer(Request::from_parts(head, body.to_bytes())),
        Err(_) => plain(StatusCode::BAD_REQUEST, Bytes::new()),
    })
}
