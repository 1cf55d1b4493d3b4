//! What an exchange of the configuration does: sources, destinations, listeners, and what cannot be exchanged.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Site, destination, route, source, until};
use crate::server::Receiver;
use crate::tally::{SECRET, body, request_by, request_with};
use crate::wire::exchange;

async fn status(at: SocketAddr, key: &str, id: &str) -> u16 {
    exchange(at, &request_by(key, id)).await.expect("an answer").status
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_is_named_and_no_secret_is_told() {
    let old = source("tally", &["hunter2 old"])
        + &destination(
            "crm",
            "127.0.0.1:9".parse().expect("an address"),
            "signing_secret = { value = \"hunter2 crm\" }",
        )
        + &route("to = [\"crm\"]");
    let site = Site::start(&old).await;
    assert_eq!(site.changes(&old).await, Vec::<String>::new());
    let new = "server.max_body = \"2MiB\"\nadmin.token = { value = \"hunter2 token\" }\n".to_owned()
        + &source("tally", &["hunter2 new", "hunter2 old"])
        + &source("second", &["hunter2"])
        + &destination(
            "crm",
            "127.0.0.1:10".parse().expect("an address"),
            "signing_secret = { value = \"hunter2 new\" }",
        )
        + &destination("log", "127.0.0.1:9".parse().expect("an address"), "")
        + &route("name = \"first\"\nto = [\"log\"]");
    let exchanged = site.exchange(&new).await.expect("it is right");
    let said: Vec<_> = exchanged.changes.0.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "added setting admin.token",
            "changed setting server.max_body: \"1MiB\" -> \"2MiB\"",
            "added source second",
            "changed source tally (secrets.main)",
            "changed destination crm (signing_secret, url)",
            "added destination log",
            "added route first",
            "removed route 1",
        ]
    );
    let document = serde_json::to_string(&exchanged).expect("JSON");
    assert!(!document.contains("hunter2") && !format!("{exchanged:?}").contains("hunter2"), "{document}");
    site.gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_and_paths_are_those_of_the_new_configuration_at_once() {
    let site = Site::start(&source("tally", &["old"])).await;
    let at = site.gateway.address;
    assert_eq!((status(at, "old", "a").await, status(at, "new", "b").await), (202, 403));
    site.changes(&source("tally", &["new", "old"])).await;
    assert_eq!((status(at, "old", "c").await, status(at, "new", "d").await), (202, 202));
    site.changes(&source("tally", &["new"])).await;
    assert_eq!((status(at, "old", "e").await, status(at, "new", "f").await), (403, 202));
    site.changes(&source("elsewhere", &["new"])).await;
    assert_eq!(status(at, "new", "g").await, 404);
    site.gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_exchanged_says_so_and_nothing_of_it_is_taken_on() {
    let site = Site::start(&source("tally", &["old"])).await;
    let text = format!("log.format = \"json\"\n{}", source("tally", &["new"]));
    let wrong = site.exchange(&text).await.expect_err("it needs a restart");
    assert!(wrong.contains("hookport.toml") && wrong.contains("log.format") && wrong.contains("restart"), "{wrong}");
    assert_eq!(status(site.gateway.address, "old", "a").await, 202);
    assert_eq!(status(site.gateway.address, "new", "b").await, 403);
    site.gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_of_a_destination_that_is_gone_wait_until_it_is_there_again() {
    let (crm, log) = (Receiver::start().await, Receiver::start().await);
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let text = |at: Option<SocketAddr>| {
        let crm = at.map(|at| destination("crm", at, "") + &route("to = [\"crm\"]")).unwrap_or_default();
        source("tally", &[SECRET]) + &destination("log", log.server.address, "") + &route("to = [\"log\"]") + &crm
    };
    let site = Site::start(&text(Some(nobody))).await;
    assert_eq!(status(site.gateway.address, SECRET, "a").await, 202);
    until("the log has it", async || log.received().len() == 1).await;
    assert_eq!(site.changes(&text(None)).await, ["removed destination crm", "removed route 2"]);
    assert_eq!(status(site.gateway.address, SECRET, "b").await, 202);
    until("the log has both", async || log.received().len() == 2).await;
    let open = async || site.gateway.journal.stats().await.expect("numbers").open;
    until("only what cannot be delivered is open", async || open().await == 1).await;
    site.changes(&text(Some(crm.server.address))).await;
    until("the other one has what waited", async || crm.received().len() == 1).await;
    assert!(crm.received()[0].contains("\"a\""), "{:?}", crm.received());
    assert_eq!(log.received().len(), 2, "what did not change is not told twice");
    site.gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_moves_and_whoever_is_inside_is_served_to_the_end() {
    let site = Site::start(&source("tally", &[SECRET])).await;
    let (old, old_admin) = site.gateway.addresses().await;
    let mut slow = TcpStream::connect(old).await.expect("it listens");
    let whole = request_with("connection: close\r\n", &body("slow"));
    let (first, rest) = whole.split_at(whole.len() - 5);
    slow.write_all(first).await.expect("sent");
    // What came in before is read before: an answer on another connection says so.
    assert_eq!(status(old, SECRET, "before").await, 202);
    let free = || std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let (new, new_admin) = (free(), free());
    let text = format!("server.listen = \"{new}\"\nadmin.listen = \"{new_admin}\"\n{}", source("tally", &[SECRET]));
    let (config, plugins) = super::configured_bare(site.folder.path(), &text).expect("it is right");
    site.gateway.exchange(config, plugins).await.expect("it is taken on");
    assert_eq!(site.gateway.addresses().await, (new, new_admin));
    assert_eq!(status(new, SECRET, "after").await, 202);
    until("the old one is closed", async || TcpStream::connect(old).await.is_err()).await;
    until("the old API is closed", async || TcpStream::connect(old_admin).await.is_err()).await;
    slow.write_all(rest).await.expect("it is still read");
    let mut answer = String::new();
    slow.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    let health = format!("GET /healthz HTTP/1.1\r\nhost: {new_admin}\r\nconnection: close\r\n\r\n");
    assert_eq!(exchange(new_admin, health.as_bytes()).await.expect("an answer").status, 200);
    site.gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_taken_leaves_everything_as_it_was() {
    let site = Site::start(&source("tally", &["old"])).await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address");
    let text = format!("server.listen = \"{address}\"\nadmin.listen = \"127.0.0.1:0\"\n{}", source("tally", &["new"]));
    let (config, plugins) = super::configured_bare(site.folder.path(), &text).expect("it is right");
    let wrong = site.gateway.exchange(config, plugins).await.expect_err("it is taken");
    assert_eq!((wrong.len(), wrong[0].key.as_str(), wrong[0].line), (1, "server.listen", Some(2)));
    assert!(wrong[0].message.contains("in use"), "{wrong:?}");
    assert_eq!(status(site.gateway.address, "old", "a").await, 202);
    site.gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_description_that_changed_takes_effect() {
    let site = Site::start(&source("tally", &[SECRET])).await;
    let file = site.folder.path().join("plugins/tally/provider.toml");
    let text = std::fs::read_to_string(&file).expect("a description");
    std::fs::write(&file, text.replace("status = 202", "status = 201")).expect("written");
    assert_eq!(status(site.gateway.address, SECRET, "a").await, 202);
    assert_eq!(site.changes(&source("tally", &[SECRET])).await, ["changed provider tally"]);
    assert_eq!(status(site.gateway.address, SECRET, "b").await, 201);
    site.gateway.stop().await;
}
