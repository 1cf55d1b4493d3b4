//! `hookport serve` as an operator runs it: what it says when it cannot start, how it ends, and what a restart keeps.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::process::{Folder, PATIENCE};
use crate::server::Server;
use crate::tally::{body, request, request_with};

fn once(id: &str) -> Vec<u8> {
    request_with("connection: close\r\n", &body(id))
}

#[tokio::test(flavor = "multi_thread")]
async fn it_serves_until_it_is_told_to_end() {
    for signal in ["TERM", "INT"] {
        let folder = Folder::new("");
        let gateway = folder.serve();
        assert_eq!((gateway.get("/healthz").await.status, gateway.get("/readyz").await.status), (200, 200));
        assert_eq!(gateway.ask(once("a")).await.status, 202);
        gateway.signal(signal);
        let ended = gateway.ended();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.said.contains("draining"), "{ended:?}");
        let mode = |name: &str| std::fs::metadata(folder.path(name)).expect("it is there").permissions().mode() & 0o777;
        assert_eq!((mode("data"), mode("data/journal.db")), (0o700, 0o600));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_under_way_is_answered_before_the_end_and_who_is_idle_holds_nobody() {
    let folder = Folder::new("");
    let gateway = folder.serve();
    let address = gateway.address;
    let mut idle = TcpStream::connect(address).await.expect("it listens");
    idle.write_all(&request("idle")).await.expect("sent");
    assert!(idle.read(&mut [0; 1024]).await.expect("an answer") > 0);
    let mut slow = TcpStream::connect(address).await.expect("it listens");
    let whole = once("slow");
    let (first, rest) = whole.split_at(whole.len() - 5);
    slow.write_all(first).await.expect("sent");
    // What came in before the signal is read before it, too: an answer on another connection says so.
    assert_eq!(gateway.ask(once("other")).await.status, 202);
    gateway.signal("TERM");
    let end = Instant::now() + PATIENCE;
    while TcpStream::connect(address).await.is_ok() {
        assert!(Instant::now() < end, "it still listens");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    slow.write_all(rest).await.expect("it is still read");
    let mut answer = String::new();
    slow.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    let ended = gateway.ended();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!ended.said.contains("cut off"), "{ended:?}");
}

#[test]
fn an_address_in_use_is_named_with_its_key() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    for key in ["server.listen", "admin.listen"] {
        let folder = Folder::new("");
        folder.reconfigure(&format!("{key} = \"127.0.0.1:0\""), &format!("{key} = \"{address}\""));
        let ended = folder.serve_in_vain(None);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.said.contains(&format!("{key} = \"{address}\"")), "{ended:?}");
        assert!(ended.said.contains("in use"), "{ended:?}");
    }
}

#[test]
fn a_journal_has_one_process() {
    let folder = Folder::new("");
    let gateway = folder.serve();
    let second = folder.serve_in_vain(None);
    assert_eq!(second.code, Some(1), "{second:?}");
    assert!(second.said.contains(&format!("in use by process {}", gateway.id())), "{second:?}");
    assert!(second.said.contains("journal.path"), "{second:?}");
    gateway.kill();
    // A process that was killed holds nothing.
    assert_eq!(folder.serve().stop().code, Some(0));
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let folder = Folder::new("journal.path = \"/proc/hookport\"");
    let ended = folder.serve_in_vain(None);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.said.contains("/proc/hookport") && ended.said.contains("journal.path"), "{ended:?}");
}

#[test]
fn a_wrong_configuration_starts_nothing() {
    let folder = Folder::new("[server.limts]\nx = 1");
    let ended = folder.serve_in_vain(None);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.said.contains("hookport.toml") && ended.said.contains("limts"), "{ended:?}");
    assert!(!folder.path("data").exists(), "the journal was made");
    let folder = Folder::new("");
    folder.reconfigure("provider = \"tally\"", "provider = \"taly\"");
    let ended = folder.serve_in_vain(None);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.said.contains("sources.tally.provider") && ended.said.contains("\"tally\""), "{ended:?}");
    std::fs::remove_file(folder.path("hookport.toml")).expect("it is there");
    let ended = folder.serve_in_vain(None);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.said.contains("--config"), "{ended:?}");
}

#[test]
fn a_broken_plugin_fails_the_check_and_not_the_gateway() {
    let folder = Folder::new("");
    folder.write("plugins/broken/provider.toml", "[provider]\nid = \"broken\"\nnmae = \"x\"\n");
    folder.write("plugins/libtorn.so", "\x7fELF and then nothing");
    let checked = folder.run(&["check"]);
    assert_eq!(checked.code, Some(1), "{checked:?}");
    let served = folder.serve().stop();
    assert_eq!(served.code, Some(0), "{served:?}");
    for said in [&checked.said, &served.said] {
        assert!(said.contains("plugins/broken/provider.toml") && said.contains("nmae"), "{said}");
        assert!(said.contains("plugins/libtorn.so"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_what_is_known_and_delivers_what_is_not_delivered() {
    let (open, got) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let (is_open, counter) = (open.clone(), got.clone());
    let crm = Server::start(move |_| {
        let taken = is_open.load(Ordering::SeqCst);
        counter.fetch_add(usize::from(taken), Ordering::SeqCst);
        async move {
            let mut response = Response::new(Full::new(Bytes::new()));
            *response.status_mut() = if taken { hyper::StatusCode::OK } else { hyper::StatusCode::BAD_GATEWAY };
            response
        }
    });
    let crm = crm.await;
    let folder = Folder::new(&format!(
        "[destinations.crm]\nkind = \"http\"\nurl = \"http://{}/\"\nallow_private = true\n\
         retry = {{ attempts = 1000, first = \"100ms\", max = \"200ms\" }}\n[[routes]]\nto = [\"crm\"]",
        crm.address
    ));
    let gateway = folder.serve();
    for id in ["a", "b", "c"] {
        assert_eq!(gateway.ask(once(id)).await.status, 202);
    }
    assert_eq!(gateway.stop().code, Some(0));
    open.store(true, Ordering::SeqCst);
    let gateway = folder.serve();
    let again = gateway.ask(once("a")).await;
    assert_eq!((again.status, &again.body[..]), (200, &br#"{"known":"a"}"#[..]));
    let end = Instant::now() + PATIENCE;
    while got.load(Ordering::SeqCst) < 3 {
        assert!(Instant::now() < end, "{} of 3 were delivered", got.load(Ordering::SeqCst));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(gateway.stop().code, Some(0));
    assert_eq!(got.load(Ordering::SeqCst), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_sent_makes_it_panic() {
    let folder = Folder::new("");
    let gateway = folder.serve();
    let address = gateway.address;
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize % below
    };
    for n in 0..300 {
        let mut bytes = once(&n.to_string());
        for _ in 0..=random(4) {
            let at = random(bytes.len());
            match random(4) {
                0 => bytes[at] = random(256) as u8,
                1 => bytes.truncate(at.max(1)),
                2 => drop(bytes.splice(at..at, vec![random(256) as u8; random(40)])),
                _ => bytes.extend_from_within(at..),
            }
        }
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        let _it_may_hang_up = stream.write_all(&bytes).await;
        let _no_more = stream.shutdown().await;
        let mut answer = Vec::new();
        let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
        assert!(read.is_ok(), "no end after {:?}", String::from_utf8_lossy(&bytes));
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1."), "{answer:?} after {bytes:?}");
    }
    assert_eq!(gateway.ask(once("whole")).await.status, 202);
    let ended = gateway.stop();
    assert_eq!(ended.code, Some(0));
    assert!(!ended.said.contains("panicked"), "{}", ended.said);
}
