//! The numbers after a flow that is known.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::Full;
use hyper::Response;

use super::{operate, scrape, until};
use crate::plugins::built::plugin;
use crate::process::{Folder, Process};
use crate::server::Server;
use crate::tally::{body, head, request_by, request_with, signature};

fn once(id: &str) -> Vec<u8> {
    request_with("connection: close\r\n", &body(id))
}

async fn sends(gateway: &Process, request: Vec<u8>, status: u16) {
    let reply = gateway.ask(request).await;
    assert_eq!(reply.status, status, "{}", String::from_utf8_lossy(&reply.body));
}

/// `again` fails once, `gone` for good, `down` always.
async fn crm() -> Server {
    let tries = Arc::new(AtomicUsize::new(0));
    Server::start(move |request| {
        let says = String::from_utf8_lossy(request.body()).into_owned();
        let status = match () {
            () if says.contains("\"again\"") && tries.fetch_add(1, Ordering::Relaxed) == 0 => 500,
            () if says.contains("\"gone\"") => 410,
            () if says.contains("\"down\"") => 503,
            () => 200,
        };
        async move { Response::builder().status(status).body(Full::default()).expect("an answer") }
    })
    .await
}

fn to(server: &Server, more: &str) -> String {
    format!(
        "[destinations.crm]\nkind = \"http\"\nallow_private = true\nurl = \"http://{}/\"\n\
         retry = {{ first = \"10ms\", factor = 1.0, jitter = 0.0 }}\n{more}\n[[routes]]\nto = [\"crm\"]\n",
        server.address
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn every_number_is_right_after_a_known_flow() {
    let server = crm().await;
    let folder = Folder::new(&format!("server.max_body = \"1KiB\"\n{}", to(&server, "")));
    let gateway = folder.serve();
    let before = scrape(&gateway).await;
    assert_eq!(before.sum("hookport_requests_total") + before.sum("hookport_attempts_total"), 0.0);
    assert_eq!(before.value("hookport_journal_writable", &[]), 1.0);

    let signed = |of: &[u8], by: &[u8]| {
        let head = head(&signature(by));
        [format!("{head}connection: close\r\ncontent-length: {}\r\n\r\n", of.len()).as_bytes(), of].concat()
    };
    let as_text = |request: Vec<u8>, from: &str, to: &str| {
        String::from_utf8(request).expect("text").replacen(from, to, 1).into_bytes()
    };
    for (request, status) in [
        (once("a"), 202),
        (once("b"), 202),
        (once("a"), 200),
        (once("again"), 202),
        (once("gone"), 202),
        (signed(b"{", b"{"), 422),
        (request_by("not the key", "c"), 403),
        (as_text(once("d"), "x-signature", "x-other"), 403),
        (as_text(once("e"), "application/json", "text/plain"), 403),
        (as_text(once("f"), "POST", "DELETE"), 405),
        (signed(&[b'x'; 2000], b""), 413),
        (as_text(once("g"), "/tally", "/nobody"), 404),
    ] {
        sends(&gateway, request, status).await;
    }
    operate(&folder, &gateway, &["sources", "pause", "tally"]);
    sends(&gateway, once("h"), 503).await;

    let page =
        until(&gateway, "hookport_attempts_total", &[("destination", "crm"), ("outcome", "delivered")], 3.0).await;
    let of = |outcome| page.value("hookport_requests_total", &[("source", "tally"), ("outcome", outcome)]);
    let outcomes = ["accepted", "duplicate", "malformed", "rejected", "unavailable", "handshake"].map(of);
    assert_eq!(outcomes, [4.0, 1.0, 1.0, 5.0, 1.0, 0.0]);
    assert_eq!(page.value("hookport_requests_total", &[("source", ""), ("outcome", "rejected")]), 1.0);
    let refused = |reason| page.value("hookport_rejections_total", &[("source", "tally"), ("reason", reason)]);
    for reason in ["signature_mismatch", "signature_missing", "media_type", "method", "too_large", "unavailable"] {
        assert_eq!(refused(reason), 1.0, "{reason}");
    }
    assert_eq!(page.value("hookport_rejections_total", &[("source", ""), ("reason", "unknown_path")]), 1.0);
    assert_eq!(page.sum("hookport_rejections_total"), 7.0, "and no other");
    let ended = |outcome| page.value("hookport_attempts_total", &[("destination", "crm"), ("outcome", outcome)]);
    assert_eq!(["delivered", "retry", "exhausted", "held"].map(ended), [3.0, 1.0, 1.0, 0.0]);
    assert_eq!(page.value("hookport_attempt_seconds_count", &[("destination", "crm")]), 5.0);

    let tally = [("source", "tally")];
    assert_eq!(page.value("hookport_ack_seconds_count", &tally), 9.0, "those whose body was read");
    assert_eq!(page.value("hookport_verify_seconds_count", &tally), 9.0);
    assert_eq!(page.value("hookport_decode_seconds_count", &tally), 6.0, "those that are authentic");
    assert_eq!(page.value("hookport_source_paused", &tally), 1.0);
    assert_eq!(page.value("hookport_journal_commit_requests_sum", &[]), 6.0);
    let commits = page.value("hookport_journal_commit_requests_count", &[]);
    assert!((1.0..=6.0).contains(&commits) && page.value("hookport_journal_commit_seconds_count", &[]) == commits);
    let page = until(&gateway, "hookport_deliveries_exhausted", &[("destination", "crm")], 1.0).await;
    assert_eq!(page.value("hookport_deliveries_open", &[("destination", "crm")]), 0.0);
    assert_eq!(page.value("hookport_journal_events", &[]), 5.0);
    let here = ["process_open_fds", "process_resident_memory_bytes", "hookport_journal_disk_free_bytes"];
    assert!(here.iter().all(|name| page.value(name, &[]) > 1.0), "{here:?}");
    assert!(page.value("hookport_journal_size_bytes", &[]) > page.value("hookport_journal_free_bytes", &[]));
    assert_eq!(page.value("hookport_build_info", &[("version", env!("CARGO_PKG_VERSION"))]), 1.0);
    let words = ["nobody", "c_7", "counted"];
    assert!(!page.names().is_empty() && words.iter().all(|word| !format!("{page:?}").contains(word)));
    assert_eq!(gateway.stop().code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_destination_that_is_left_alone_is_seen() {
    let server = crm().await;
    let folder =
        Folder::new(&to(&server, "concurrency = 1\nbreaker = { failures = 2, pause = \"1h\", max_pause = \"1h\" }"));
    let gateway = folder.serve();
    sends(&gateway, once("down"), 202).await;
    let (crm, open) = (("destination", "crm"), ("state", "open"));
    let page = until(&gateway, "hookport_breaker_state", &[crm, open], 1.0).await;
    let state = |state| page.value("hookport_breaker_state", &[crm, ("state", state)]);
    assert_eq!(["closed", "half_open"].map(state), [0.0, 0.0]);
    let page = until(&gateway, "hookport_deliveries_open", &[crm], 1.0).await;
    let older = until(&gateway, "hookport_deliveries_oldest_age_seconds", &[crm], 1.0).await;
    assert!(older.value("hookport_attempts_total", &[crm, ("outcome", "retry")]) >= 2.0);
    assert_eq!(page.value("hookport_destination_paused", &[crm]), 0.0);
    operate(&folder, &gateway, &["destinations", "pause", "crm"]);
    assert_eq!(scrape(&gateway).await.value("hookport_destination_paused", &[crm]), 1.0);
    assert_eq!(gateway.stop().code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_goes_and_comes_back_counts_on() {
    let folder =
        Folder::new("sources.other = { provider = \"tally\", path = \"/other\", secrets.main = { value = \"x\" } }");
    let gateway = folder.serve();
    sends(&gateway, once("a"), 202).await;
    let (name, labels) = ("hookport_requests_total", [("source", "tally"), ("outcome", "accepted")]);
    assert_eq!(scrape(&gateway).await.value(name, &labels), 1.0);
    folder.reconfigure("sources.tally =", "sources.renamed =");
    operate(&folder, &gateway, &["reload"]);
    let page = scrape(&gateway).await;
    assert_eq!(page.find(name, &labels), None, "what is not configured is not shown");
    assert_eq!(page.value(name, &[("source", "renamed"), ("outcome", "accepted")]), 0.0);
    folder.reconfigure("sources.renamed =", "sources.tally =");
    operate(&folder, &gateway, &["reload"]);
    sends(&gateway, once("b"), 202).await;
    assert_eq!(scrape(&gateway).await.value(name, &labels), 2.0);
    assert_eq!(gateway.stop().code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_panics_and_is_left_alone_is_seen() {
    let terms = "plugins.quarantine = { faults = 2, within = \"1h\", pause = \"1h\" }\nplugins.deadline = \"30s\"";
    let folder = Folder::new(&format!("{terms}\nsources.hostile.provider = \"hostile\""));
    fs::copy(plugin("hostile"), folder.path("plugins/libhostile.so")).expect("a copy");
    let gateway = folder.serve();
    let hostile = [("plugin", "hostile")];
    assert_eq!(scrape(&gateway).await.value("hookport_plugin_generation", &hostile), 1.0);
    for (id, event) in [("a", "behaves"), ("b", "panics"), ("c", "panics"), ("d", "behaves")] {
        let body = format!(r#"{{"id":"{id}","event":"{event}"}}"#);
        let head = "POST /hostile HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\nconnection: close";
        sends(&gateway, format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes(), 200).await;
    }
    let page = scrape(&gateway).await;
    let of = |name: &str| page.value(name, &hostile);
    assert_eq!([of("hookport_plugin_calls_total"), of("hookport_plugin_panics_total")], [3.0, 2.0]);
    assert_eq!([of("hookport_plugin_errors_total"), of("hookport_plugin_quarantined")], [2.0, 1.0]);
    assert!(of("hookport_plugin_call_seconds_total") > 0.0);
    assert_eq!(page.find("hookport_plugin_calls_total", &[("plugin", "tally")]), None, "it has no code");
    assert_eq!(gateway.stop().code, Some(0));
}
