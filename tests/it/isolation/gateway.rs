//! A real gateway whose plugins misbehave: it answers, keeps and delivers, and takes its workers along when it ends.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::client::conn::http2::handshake;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::plugins::built::plugin;
use crate::process::{Folder, PATIENCE, Process};
use crate::tally;

/// A gateway with the sources `tally` and `hostile` (or others), and what more says on top.
fn folder(plugins: &[&str], top: &str, more: &str) -> Folder {
    let sources: String =
        plugins.iter().map(|name| format!("sources.{name} = {{ provider = \"{name}\" }}\n")).collect();
    // Of a busy machine nobody can ask a second.
    let deadline = if top.contains("deadline") { "" } else { "plugins.deadline = \"30s\"" };
    let folder = Folder::new(&format!("{deadline}\n{top}\n{sources}\n{more}"));
    for name in plugins {
        fs::copy(plugin(name), folder.path(&format!("plugins/lib{name}.so"))).expect("a copy");
    }
    folder
}

fn request(path: &str, event: &str, id: &str) -> Vec<u8> {
    let body = format!(r#"{{"id":"{id}","event":"{event}"}}"#);
    let head = "content-type: application/json\r\nconnection: close";
    format!("POST {path} HTTP/1.1\r\nhost: h\r\n{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn counted(id: &str) -> Vec<u8> {
    tally::request_with("connection: close\r\n", &tally::body(id))
}

/// The events of a source, by the provider's id.
async fn events(gateway: &Process, source: &str) -> Vec<Value> {
    let reply = gateway.get(&format!("/v1/events?source={source}&limit=200")).await;
    let said: Value = serde_json::from_slice(&reply.body).expect("JSON");
    said["events"].as_array().unwrap_or_else(|| panic!("{said}")).clone()
}

fn event<'e>(events: &'e [Value], id: &str) -> &'e Value {
    let found = events.iter().find(|event| event.to_string().contains(&format!("\"{id}\"")));
    found.unwrap_or_else(|| panic!("{id} is not among {events:#?}"))
}

/// The processes whose parent this is.
fn children(parent: u32) -> BTreeSet<u32> {
    let processes = fs::read_dir("/proc").expect("processes").flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_child = |number: &u32| {
        let stat = fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
        let after = stat.rsplit(')').next().unwrap_or_default();
        after.split_whitespace().nth(1) == Some(&parent.to_string())
    };
    numbers.filter(is_child).collect()
}

fn until(what: &str, is_true: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_true() {
        assert!(Instant::now() < end, "waited in vain until {what}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_plugin_does_the_gateway_answers_keeps_and_goes_on() {
    let folder = folder(&["hostile"], "plugins.deadline = \"3s\"\nplugins.quarantine.faults = 0", "");
    let gateway = folder.serve();
    let misdeeds = [
        ("panics", "on purpose"),
        ("crashes", "SIGSEGV"),
        ("aborts", "SIGABRT"),
        ("exits", "code 0"),
        ("overflows the stack", "overflow"),
        ("swallows memory", "memory allocation"),
        ("hangs", "no answer within 3s"),
    ];
    for (misdeed, _) in misdeeds {
        let hostile = gateway.ask(request("/hostile", misdeed, misdeed));
        let other = gateway.ask(counted(misdeed));
        let (hostile, other) = tokio::join!(hostile, other);
        assert_eq!((hostile.status, other.status), (200, 202), "{misdeed}");
        assert_eq!(gateway.ask(request("/hostile", "well", &format!("after {misdeed}"))).await.status, 200);
    }
    let kept = events(&gateway, "hostile").await;
    for (misdeed, reason) in misdeeds {
        let broken = event(&kept, misdeed);
        assert_eq!(broken["state"], "undecoded", "{broken:#}");
        assert!(broken["warnings"].to_string().contains(reason), "{broken:#}");
        assert_ne!(event(&kept, &format!("after {misdeed}"))["state"], "undecoded");
    }
    let shown: Value = serde_json::from_slice(&gateway.get("/v1/plugins").await.body).expect("JSON");
    let plugins = shown["plugins"].as_array().expect("a list");
    let hostile = plugins.iter().find(|plugin| plugin["provider"] == "hostile").expect("it is there");
    assert_eq!(hostile["code"]["isolation"], "worker", "{hostile:#}");
    let restarts = hostile["code"]["restarts"].as_u64();
    assert!(hostile["code"]["panics"] == 1 && restarts.is_some_and(|restarts| restarts >= 12), "{hostile:#}");
    gateway.kill();
    let gateway = folder.serve();
    assert_eq!(events(&gateway, "hostile").await.len(), 14, "all that was acknowledged is there");
    assert_eq!(events(&gateway, "tally").await.len(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_never_maps_the_file_and_its_worker_dies_with_it() {
    let folder = folder(&["hostile"], "plugins.isolation = \"worker\"", "");
    let gateway = folder.serve();
    assert_eq!(gateway.ask(request("/hostile", "well", "a")).await.status, 200);
    let maps = |process: u32| fs::read_to_string(format!("/proc/{process}/maps")).unwrap_or_default();
    assert!(!maps(gateway.id()).contains("hostile") && !maps(gateway.id()).contains("hookport-plugin"));
    let workers = children(gateway.id());
    assert_eq!(workers.len(), 1, "{workers:?}");
    let worker = *workers.first().expect("one");
    assert!(maps(worker).contains("memfd:hookport-plugin"), "{}", maps(worker));
    let environment = fs::read(format!("/proc/{worker}/environ")).unwrap_or_default();
    assert!(environment.is_empty(), "{environment:?}");
    gateway.kill();
    until("the worker is gone", || !Path::new(&format!("/proc/{worker}")).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_ends_with_its_gateway_and_not_when_somebody_tells_both_to() {
    let folder = folder(&["hostile"], "", "");
    let gateway = folder.serve();
    assert_eq!(gateway.ask(request("/hostile", "well", "a")).await.status, 200);
    let before = children(gateway.id());
    for (worker, signal) in before.iter().flat_map(|worker| ["TERM", "INT", "HUP"].map(|signal| (worker, signal))) {
        let sent = Command::new("kill").args(["-s", signal, &worker.to_string()]).status().expect("kill runs");
        assert!(sent.success());
    }
    assert_eq!(gateway.ask(request("/hostile", "well", "b")).await.status, 200);
    assert_eq!(children(gateway.id()), before, "the same ones");
    // As systemd does it to all processes of a service.
    gateway.signal("TERM");
    for worker in &before {
        // One that has ended already is no less orderly.
        let _ended = Command::new("kill").args(["-s", "TERM", &worker.to_string()]).output().expect("kill runs");
    }
    let ended = gateway.ended();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!ended.said.contains("is lost"), "{}", ended.said);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_told_to_end_ends_its_workers_in_good_order() {
    let folder = folder(&["hostile"], "", "");
    let gateway = folder.serve();
    assert_eq!(gateway.ask(request("/hostile", "well", "a")).await.status, 200);
    let ended = gateway.stop();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!ended.said.contains("did not end in time") && !ended.said.contains("is lost"), "{}", ended.said);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_ends_whoever_loads_it_costs_no_event_and_nobody_else() {
    let folder = folder(&["hostile"], "", "");
    fs::copy(plugin("constructor"), folder.path("plugins/libconstructor.so")).expect("a copy");
    let gateway = folder.serve();
    gateway.says("a worker of this plugin is lost");
    assert_eq!(gateway.ask(request("/hostile", "well", "a")).await.status, 200);
    assert_eq!(gateway.ask(counted("b")).await.status, 202);
    assert_eq!(gateway.stop().code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quarantine_is_an_event_of_the_gateways_own_and_so_is_a_lost_worker() {
    let own = "[destinations.own]\nkind = \"file\"\npath = \"own.jsonl\"\n[[routes]]\nsources = [\"hookport\"]\nto = [\"own\"]";
    let top = "plugins.quarantine = { faults = 2, within = \"1h\", pause = \"1h\" }";
    let folder = folder(&["hostile"], top, own);
    let gateway = folder.serve();
    for id in ["a", "b", "c"] {
        assert_eq!(gateway.ask(request("/hostile", "aborts", id)).await.status, 200);
    }
    let kept = events(&gateway, "hostile").await;
    let third = event(&kept, "c")["warnings"].to_string();
    assert!(third.contains("quarantined: 2 broken calls in a row") && third.contains("SIGABRT"), "{third}");
    let told = || fs::read_to_string(folder.path("own.jsonl")).unwrap_or_default();
    until("both are told", || {
        told().contains("hookport.plugin.quarantined") && told().contains("hookport.plugin.worker_lost")
    });
    assert_eq!(gateway.ask(counted("d")).await.status, 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_plugin_says_is_in_the_log_under_its_name_and_a_flood_of_it_is_cut() {
    let folder = folder(&["hostile"], "", "");
    let gateway = folder.serve();
    assert_eq!(gateway.ask(request("/hostile", "prints", "a")).await.status, 200);
    let printed = gateway.says("printed to standard output");
    assert!(printed.contains(r#""plugin":"hostile""#) && printed.contains(r#""version":"1.2.3""#), "{printed}");
    gateway.says("printed to standard error");
    assert_eq!(gateway.ask(request("/hostile", "chatters", "b")).await.status, 200);
    let line = gateway.says("line 0");
    assert!(line.contains(r#""request":2"#) && line.contains(r#""module":"hostile""#), "{line}");
    let ended = gateway.stop();
    assert_eq!(ended.code, Some(0));
    assert!(ended.said.matches("\"line ").count() < 10_000, "{}", ended.said.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_hangs_up_while_a_worker_decodes_takes_no_event_back() {
    let folder = folder(&["hostile"], "", "");
    let gateway = folder.serve();
    // Of HTTP/1.1 the server hears of it when it answers; here it is told at once that nobody wants the answer.
    let stream = TcpStream::connect(gateway.address).await.expect("it listens");
    let (mut sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2");
    let connection = tokio::spawn(connection);
    let body = r#"{"id":"hung-up","event":"dawdles"}"#;
    let asked = Request::post("http://h/hostile").header("content-type", "application/json");
    let answer = tokio::spawn(sender.send_request(asked.body(Full::<Bytes>::from(body)).expect("a request")));
    tokio::task::block_in_place(|| gateway.says("dawdling"));
    answer.abort();
    drop(sender);
    let end = Instant::now() + PATIENCE;
    while events(&gateway, "hostile").await.is_empty() {
        assert!(Instant::now() < end, "the event is lost");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let kept = events(&gateway, "hostile").await;
    assert_ne!(event(&kept, "hung-up")["state"], "undecoded");
    connection.abort();
}

/// A source whose check is costly and needs no code.
const COSTLY: &str = r#"
[provider]
id = "costly"
version = "1.0.0"
content = "json"

[route]
methods = ["POST"]
path = "/costly"

[secrets.main]
about = "the sender's key"
kind = "public_key"

[[verify]]
from = "header:x-sign"
encoding = "hex"
alg = "sm2-sm3"
key = { form = "sm2", value = "${secret:main}" }
message = "${body}"
"#;
const POINT: &str = "048b3a3a6b1e55fd78b8ea105bc87edafbbb3a33cc01d78c142fff442f5ffc0aba6fed119c0579f9457ce61480730878236093b13dcf2a8f945ca7641e79e8c716";

#[tokio::test(flavor = "multi_thread")]
async fn texts_of_one_plugin_that_hang_hold_up_no_check_of_another_provider() {
    let folder = Folder::new("");
    fs::copy(plugin("writer"), folder.path("plugins/libwriter.so")).expect("a copy");
    folder.write("plugins/costly/provider.toml", COSTLY);
    folder.configure(&format!(
        "log.format = \"json\"\nplugins.dirs = [\"plugins\"]\nplugins.deadline = \"1h\"\nserver.request_timeout = \"1h\"\n\
         server.listen = \"127.0.0.1:0\"\nadmin.listen = \"127.0.0.1:0\"\nserver.public_url = \"https://a.example\"\n\
         sources.writer = {{ provider = \"writer\", secrets.main = {{ value = \"x\" }} }}\n\
         sources.costly = {{ provider = \"costly\", secrets.main = {{ value = \"{POINT}\" }} }}\n"
    ));
    let gateway = folder.serve();
    let head = |path: &str, more: &str| {
        let head = format!("POST {path} HTTP/1.1\r\nhost: h\r\n{more}\r\nconnection: close");
        format!("{head}\r\ncontent-length: 2\r\n\r\n{{}}").into_bytes()
    };
    let mut hanging = Vec::new();
    for _ in 0..40 {
        let mut stream = TcpStream::connect(gateway.address).await.expect("it listens");
        stream.write_all(&head("/writer", "x-time: 1\r\nx-sign: 00\r\nx-mode: hangs")).await.expect("it reads");
        hanging.push(stream);
    }
    // As many as there are places came before these.
    for _ in 0..3 {
        let asked = gateway.ask(head("/costly", "x-sign: 00"));
        let reply = tokio::time::timeout(PATIENCE, asked).await.expect("its check has a place");
        assert_eq!(reply.status, 401, "{reply:?}");
    }
    gateway.kill();
}
