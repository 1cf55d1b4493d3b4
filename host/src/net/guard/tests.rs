//! Names that answer differently every time, and what is connected to then.

use std::collections::VecDeque;
use std::future::{Ready, ready};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// Answers each question with the next of its answers, and the last for ever.
#[derive(Clone)]
struct Fickle {
    answers: Arc<Mutex<VecDeque<Vec<SocketAddr>>>>,
    asked: Arc<AtomicUsize>,
}

impl Fickle {
    fn new(answers: &[&[&str]]) -> Self {
        let addresses =
            |answer: &&[&str]| answer.iter().map(|text| SocketAddr::new(text.parse().unwrap(), 0)).collect();
        let answers = answers.iter().map(addresses).collect();
        Self { answers: Arc::new(Mutex::new(answers)), asked: Arc::default() }
    }
}

impl Service<Name> for Fickle {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Ready<io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Name) -> Self::Future {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().unwrap();
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        ready(Ok(answer.unwrap_or_default().into_iter()))
    }
}

/// A server that counts its connections and answers each request with 204.
async fn server() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = connections.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
                    let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
                }
            });
        }
    });
    (port, connections)
}

fn client(fickle: &Fickle, allow_private: bool) -> Client<Guard<Fickle>, Full<Bytes>> {
    Client::builder(TokioExecutor::new()).build(Guard::resolving_with(fickle.clone(), allow_private))
}

async fn ask(client: &Client<Guard<Fickle>, Full<Bytes>>, port: u16) -> Result<u16, String> {
    let request = Request::get(format!("http://rebound.example:{port}/")).body(Full::default()).unwrap();
    match client.request(request).await {
        Ok(response) => {
            let status = response.status().as_u16();
            response.into_body().collect().await.unwrap();
            Ok(status)
        }
        Err(error) => {
            let mut text = String::new();
            let mut cause: Option<&dyn std::error::Error> = Some(&error);
            while let Some(error) = cause {
                text = format!("{text}: {error}");
                cause = error.source();
            }
            Err(text)
        }
    }
}

#[tokio::test]
async fn a_name_that_turns_private_is_refused_however_public_it_was() {
    let mut resolver = GuardedResolver {
        allow_private: false,
        resolver: Fickle::new(&[&["1.1.1.1"], &["127.0.0.1"], &["169.254.169.254"]]),
    };
    let first: Vec<_> = resolver.call("rebound.example".parse().unwrap()).await.unwrap().collect();
    assert_eq!(first, ["1.1.1.1:0".parse().unwrap()]);
    for _ in 0..2 {
        let error = resolver.call("rebound.example".parse().unwrap()).await.unwrap_err();
        assert!(error.to_string().contains("allow_private"), "{error}");
    }
}

#[tokio::test]
async fn of_an_answer_only_the_public_addresses_are_tried() {
    let answers: &[&[&str]] = &[&["10.0.0.1", "::ffff:127.0.0.1", "8.8.8.8", "fd00::1", "2606:4700::1"]];
    let mut resolver = GuardedResolver { allow_private: false, resolver: Fickle::new(answers) };
    let left: Vec<_> = resolver.call("mixed.example".parse().unwrap()).await.unwrap().collect();
    assert_eq!(left, ["8.8.8.8:0".parse().unwrap(), "[2606:4700::1]:0".parse().unwrap()]);
}

#[tokio::test]
async fn a_private_answer_is_never_connected_to() {
    let (port, connections) = server().await;
    for answer in ["127.0.0.1", "::ffff:127.0.0.1", "0.0.0.0"] {
        let fickle = Fickle::new(&[&[answer]]);
        let error = ask(&client(&fickle, false), port).await.unwrap_err();
        assert!(error.contains("allow_private"), "{answer}: {error}");
        assert_eq!(fickle.asked.load(Ordering::SeqCst), 1);
    }
    assert_eq!(connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_name_is_asked_for_once_and_its_answer_is_what_is_connected_to() {
    let (port, connections) = server().await;
    // Were the name asked for again between the look and the connection, the second answer would be connected to.
    let fickle = Fickle::new(&[&["127.0.0.1"], &["127.0.0.2"]]);
    let client = client(&fickle, true);
    for _ in 0..3 {
        assert_eq!(ask(&client, port).await, Ok(204));
    }
    assert_eq!((fickle.asked.load(Ordering::SeqCst), connections.load(Ordering::SeqCst)), (1, 1));
}
