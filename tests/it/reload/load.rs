//! Requests without pause while the configuration is exchanged again and again: nobody is refused, nothing is lost.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::task::JoinHandle;

use super::{Site, destination, route, source, until};
use crate::server::Receiver;
use crate::tally::{SECRET, request_by};
use crate::wire::exchange;

/// A sender that never pauses; it ends with the ids that were acknowledged, and what else it was told.
struct Sender {
    acknowledged: Arc<AtomicUsize>,
    end: Arc<AtomicBool>,
    sent: JoinHandle<(Vec<String>, Vec<String>)>,
}

impl Sender {
    fn begin(name: String, path: &'static str, to: SocketAddr) -> Self {
        let (acknowledged, end) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let (count, ended) = (acknowledged.clone(), end.clone());
        let sent = tokio::spawn(async move {
            let (mut kept, mut others) = (Vec::new(), Vec::new());
            for n in 0.. {
                if ended.load(Ordering::SeqCst) {
                    break;
                }
                let id = format!("{name}-{n}");
                let request = String::from_utf8(request_by(SECRET, &id)).expect("text").replacen("/tally", path, 1);
                match exchange(to, request.as_bytes()).await {
                    Ok(reply) if reply.status == 202 => {
                        kept.push(id);
                        count.fetch_add(1, Ordering::SeqCst);
                    }
                    Ok(reply) => others.push(format!("{id}: {}", reply.status)),
                    Err(error) => others.push(format!("{id}: {error}")),
                }
            }
            (kept, others)
        });
        Self { acknowledged, end, sent }
    }

    async fn end(self) -> (Vec<String>, Vec<String>) {
        self.end.store(true, Ordering::SeqCst);
        self.sent.await.expect("no panic")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_exchanges_under_load_refuse_nobody_and_lose_nothing() {
    let crm = Receiver::start().await;
    let at = crm.server.address;
    let one = source("tally", &[SECRET])
        + &destination("crm", at, "concurrency = 4")
        + &route("sources = [\"tally\"]\nto = [\"crm\"]");
    let other = "server.max_connections = 500\nserver.request_timeout = \"20s\"\n".to_owned()
        + &source("tally", &["the next one", SECRET])
        + &source("second", &[SECRET])
        + &destination("crm", at, "concurrency = 8")
        + &destination("log", at, "format = \"data\"")
        + &route("name = \"all\"\nsources = [\"tally\"]\nwhen = 'event.data.amount > 1'\nto = [\"crm\", \"log\"]")
        + &route("sources = [\"second\"]\nto = [\"crm\"]");
    let site = Site::start(&one).await;
    let address = site.gateway.address;
    let senders: Vec<_> = (0..4).map(|n| Sender::begin(format!("s{n}"), "/tally", address)).collect();
    let second = Sender::begin("second".into(), "/second", address);

    for n in 0..50 {
        let before: usize = senders.iter().map(|sender| sender.acknowledged.load(Ordering::SeqCst)).sum();
        until("more was acknowledged", async || {
            senders.iter().map(|sender| sender.acknowledged.load(Ordering::SeqCst)).sum::<usize>() >= before + 5
        })
        .await;
        let changes = site.changes(if n % 2 == 0 { &other } else { &one }).await;
        assert!(changes.len() >= 5, "{changes:?}");
    }

    let mut expected = BTreeSet::new();
    for sender in senders {
        let (kept, others) = sender.end().await;
        assert_eq!(others, Vec::<String>::new());
        expected.extend(kept);
    }
    let (kept, others) = second.end().await;
    assert!(!kept.is_empty(), "the second source was never there");
    // While it is not configured there is nothing at its path, and that is all that may happen to it.
    assert!(others.iter().all(|other| other.ends_with(": 404")), "{others:?}");
    expected.extend(kept);
    assert!(expected.len() >= 250, "{}", expected.len());
    let id = |body: &String| {
        let event: serde_json::Value = serde_json::from_str(body).ok()?;
        event["providereventid"].as_str().map(str::to_owned)
    };
    until("every event has arrived", async || expected.is_subset(&crm.received().iter().filter_map(id).collect()))
        .await;
    site.gateway.stop().await;
}
