//! A small HTTP server that takes requests until one of them is worth keeping.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming as Body;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::timeout;

use crate::cli::{Failure, output};
use crate::clock::Clock;
use crate::provider::ack::Ack;
use crate::request::Incoming;

/// A fixture is no larger.
const LARGEST: usize = 4 << 20;
/// How long an answer may take to be read.
const FAREWELL: Duration = Duration::from_secs(2);

/// An answer where nothing is known of the provider's secrets.
pub(super) fn welcome() -> Ack {
    Ack { status: 200, headers: Vec::new(), body: Bytes::new() }
}

/// Answers requests until `answer` says that one is to be kept.
pub(super) fn first(address: SocketAddr, answer: impl Fn(&Incoming) -> (Ack, bool)) -> Result<Incoming, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::refused)?;
    runtime.block_on(async {
        let unusable = |error| Failure::unusable(format!("cannot listen on {address}: {error}"));
        let listener = TcpListener::bind(address).await.map_err(unusable)?;
        let address = listener.local_addr().map_err(Failure::refused)?;
        output::say(format_args!("waiting for a request on http://{address}"));
        let (sender, mut kept) = unbounded_channel();
        let mut connections = futures_util::stream::FuturesUnordered::new();
        loop {
            let serve = |stream| {
                let (answer, sender) = (&answer, sender.clone());
                let service = service_fn(move |request| {
                    let sender = sender.clone();
                    async move {
                        let Some(request) = whole(request).await else {
                            return Ok::<_, Infallible>(response(&Ack { status: 413, ..welcome() }));
                        };
                        let (ack, keep) = answer(&request);
                        if keep {
                            let _one_is_enough = sender.send(request);
                        }
                        Ok(response(&ack))
                    }
                });
                async move {
                    // A peer that goes away is the peer's business.
                    let _ = Builder::new().serve_connection(TokioIo::new(stream), service).await;
                }
            };
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => connections.push(serve(stream)),
                    Err(error) => return Err(Failure::refused(format!("cannot listen on: {error}"))),
                },
                Some(()) = futures_util::StreamExt::next(&mut connections), if !connections.is_empty() => {}
                Some(request) = kept.recv() => {
                    // The answer is on its way; an open connection is not waited for long.
                    let all = async { while futures_util::StreamExt::next(&mut connections).await.is_some() {} };
                    let _ = timeout(FAREWELL, all).await;
                    return Ok(request);
                }
            }
        }
    })
}

async fn whole(request: Request<Body>) -> Option<Incoming> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, LARGEST).collect().await.ok()?.to_bytes();
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let received = Clock::default().now();
    Some(Incoming { method: head.method.to_string(), target, headers: head.headers, body, peer: None, received })
}

fn response(ack: &Ack) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(ack.body.clone()));
    *response.status_mut() = StatusCode::from_u16(ack.status).unwrap_or(StatusCode::OK);
    response.headers_mut().extend(ack.headers.iter().cloned().map(|(name, value)| (Some(name), value)));
    response
}
