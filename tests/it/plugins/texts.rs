//! A signed text that a plugin's code writes: from the command line and through a running gateway, and what becomes of a
//! request whose text does not come.

use hmac::{Hmac, KeyInit, Mac};
use hookport::clock::Clock;
use hookport::plugin::TextRequest;
use serde_json::Value;
use sha2::Sha256;

use super::*;
use crate::cli::program::Folder;
use crate::process;
use crate::wire::Reply;

const BODY: &str = r#"{"event":"paid","id":"e-1","amount":10.00}"#;
const SECRET: &str = "nobody tells it to a plugin";

/// What the sender of `writer` signs, written down once more.
fn text(url: &str, time: &str) -> String {
    format!("POST {url} seven {time}\namount:5:10.00\nid:5:\"e-1\"\nevent:6:\"paid\"")
}

fn signature(text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn code_writes_a_text_and_what_goes_wrong_is_a_fault() {
    let writer = load(&plugin("writer")).expect("it loads");
    let native = native(&writer);
    assert_eq!(writer.abi, Some((1, 1)));
    let ask = |mode: Option<&'static str>, body: &[u8]| {
        let mut headers = HeaderMap::new();
        headers.insert("x-time", HeaderValue::from_static("1000"));
        if let Some(mode) = mode {
            headers.insert("x-mode", HeaderValue::from_static(mode));
        }
        native.canonicalize(&TextRequest {
            name: "signed",
            method: "POST",
            target: "/writer",
            url: Some("https://a.example/writer"),
            headers: &headers,
            body,
            settings: r#"{"account":"seven"}"#,
        })
    };
    let written = ask(None, BODY.as_bytes()).expect("a text");
    assert_eq!(String::from_utf8(written).expect("text"), text("https://a.example/writer", "1000"));
    for (mode, kind, words) in [
        ("panics", FaultKind::Panic, "boom while writing signed"),
        ("refuses", FaultKind::Refused, "nothing of this is signed"),
        ("swells", FaultKind::TooMuch, "a signed text of more than"),
        ("is silent", FaultKind::BadOutput, "would bind nothing"),
    ] {
        let fault = ask(Some(mode), BODY.as_bytes()).expect_err(mode);
        assert_eq!(fault.kind, kind, "{fault}");
        assert!(fault.message.contains(words), "{fault}");
    }
    assert_eq!(ask(None, b"\xff{").expect_err("no JSON").kind, FaultKind::Refused);
    assert!(ask(None, BODY.as_bytes()).is_ok(), "it goes on after a panic");
    let older = load(&crate::golden::kept("1.0.0", "small.so")).expect("a plugin of 1.0");
    let none = older.native.as_ref().expect("code").canonicalize(&TextRequest {
        name: "signed",
        method: "POST",
        target: "/",
        url: None,
        headers: &HeaderMap::new(),
        body: b"",
        settings: "{}",
    });
    assert_eq!(none.expect_err("1.0 has no such function").kind, FaultKind::Absent);
}

#[test]
fn sign_and_verify_ask_the_same_code() {
    let folder = Folder::new();
    let file = plugin("writer").display().to_string();
    folder.write("sample.http", &format!("POST /writer HTTP/1.1\nx-time: 1\nx-sign: 00\n\n{BODY}"));
    let run = |command: &str, request: &str, more: &[&str]| {
        let given = ["--secret", &format!("main={SECRET}"), "--at", "2026-11-20T14:00:00Z"];
        let url = ["--url", "https://a.example/writer"];
        folder.run(&[&[command, "--provider", &file, "--request", request], &given[..], &url[..], more].concat())
    };
    let signed = run("sign", "sample.http", &[]);
    assert_eq!(signed.code, 0, "{}", signed.err);
    let expected = signature(&text("https://a.example/writer", "1795183200"));
    assert!(signed.out.contains(&format!("x-sign: {expected}\n")), "{}", signed.out);
    folder.write("signed.http", &signed.out);
    let verified = run("verify", "signed.http", &["--json"]);
    assert_eq!(verified.code, 0, "{}{}", verified.out, verified.err);
    folder.write("forged.http", &signed.out.replace("10.00", "99.00"));
    assert_eq!(run("verify", "forged.http", &[]).code, 1);
    folder.write("broken.http", &signed.out.replace("x-time", "x-mode: panics\nx-time"));
    let broken = run("verify", "broken.http", &["--json"]);
    let said: Value = serde_json::from_str(&broken.out).expect("JSON");
    assert_eq!((broken.code, &said["reason"]), (1, &"unavailable".into()), "{}", broken.out);
}

#[tokio::test]
async fn a_gateway_accepts_by_a_text_of_code_and_never_without_one() {
    let folder = process::Folder::new("");
    std::fs::copy(plugin("writer"), folder.path("plugins/writer.so")).expect("a copy");
    folder.configure(&format!(
        "log.format = \"json\"\nplugins.dirs = [\"plugins\"]\nserver.listen = \"127.0.0.1:0\"\nadmin.listen = \"127.0.0.1:0\"\n\
         server.public_url = \"https://a.example\"\n\
         sources.writer = {{ provider = \"writer\", secrets.main = {{ value = \"{SECRET}\" }} }}\n"
    ));
    let gateway = folder.serve();
    let time = Clock::default().now().as_second().to_string();
    let good = signature(&text("https://a.example/writer", &time));
    let send = async |signature: &str, mode: &str, body: &str| -> Reply {
        let head = format!("host: h\r\nx-time: {time}\r\nx-sign: {signature}\r\nx-mode: {mode}\r\nconnection: close");
        let request = format!("POST /writer HTTP/1.1\r\n{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        gateway.ask(request.into_bytes()).await
    };
    assert_eq!(send(&good, "ordinary", BODY).await.status, 200);
    assert_eq!(send(&good, "ordinary", &BODY.replace("10.00", "99.00")).await.status, 401);
    assert_eq!(send(&signature(""), "is silent", BODY).await.status, 503);
    assert_eq!(send(&good, "panics", BODY).await.status, 503, "the sender comes again");
    assert_eq!(send(&good, "refuses", BODY).await.status, 401);
    assert_eq!(send(&signature(&"x".repeat(1 << 20)), "swells", BODY).await.status, 503);
    assert_eq!(send(&good, "ordinary", BODY).await.status, 200, "a panic leaves nothing behind");
    // Nobody vouches for the plugin, so it runs in a worker, which this ends.
    assert_eq!(send(&good, "aborts", BODY).await.status, 503);
    let end = std::time::Instant::now() + process::PATIENCE;
    while send(&good, "ordinary", BODY).await.status != 200 {
        assert!(std::time::Instant::now() < end, "no worker came after the one that ended");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(gateway.stop().code, Some(0));
}

#[test]
fn a_text_of_code_without_code_is_refused_when_it_is_loaded() {
    let folder = folder();
    let text = fs::read(built::sources().join("writer/provider.toml")).expect("a description");
    fs::create_dir(folder.path().join("writer")).expect("a folder");
    let error = refusal(&written(&folder, "writer/provider.toml", &text)).to_string();
    assert!(error.contains("let.signed") && error.contains("canonicalize"), "{error}");
}
