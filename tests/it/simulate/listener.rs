//! Listeners that ask for more than a request: TLS, a PROXY header. And what is said of a source that takes nothing now.

use serde_json::Value;

use crate::certificate::{certify, certify_for};
use crate::cli::program::free_port;
use crate::process::{Ended, Folder, Process};

const CASE: &str =
    "POST /tally HTTP/1.1\ncontent-type: application/json\nx-signature: 00\n\n{\"id\":\"a\",\"type\":\"counted\"}";
const TLS: &str = "server.tls = { cert = \"cert.pem\", key = \"key.pem\" }";

/// A folder whose gateway listens on a port that is known, with these lines of its own.
fn folder(lines: &str) -> (Folder, u16) {
    let (folder, port) = (Folder::new(""), free_port());
    folder.write("case.http", CASE);
    folder.reconfigure("server.listen = \"127.0.0.1:0\"", &format!("{lines}\nserver.listen = \"127.0.0.1:{port}\""));
    (folder, port)
}

fn play(folder: &Folder, more: &[&str]) -> Ended {
    folder.run(&[&["simulate", "tally", "case.http", "--json"], more].concat())
}

fn verdict(ended: &Ended) -> Value {
    let document: Value = serde_json::from_str(&ended.said).unwrap_or_else(|error| panic!("{error}: {ended:?}"));
    document["verdict"].clone()
}

fn is_accepted(ended: &Ended) {
    assert_eq!((ended.code, verdict(ended)), (Some(0), "accepted".into()), "{ended:?}");
}

fn is_unusable(ended: &Ended, words: &[&str]) {
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(words.iter().all(|word| ended.said.contains(word)), "{ended:?}");
}

#[test]
fn a_listener_with_tls_is_known_by_its_own_certificate() {
    let (folder, port) = folder(TLS);
    certify_for(&folder.path(""), "hooks.example.com");
    let gateway = folder.serve();
    is_accepted(&play(&folder, &[]));
    is_accepted(&play(&folder, &["--to", &format!("https://localhost:{port}")]));
    is_unusable(&play(&folder, &["--to", &format!("http://127.0.0.1:{port}")]), &["https://", "server.tls"]);
    assert_eq!(gateway.stop().code, Some(0));
}

#[test]
fn an_authority_can_be_named_and_another_certificate_is_not_believed() {
    let (folder, port) = folder(TLS);
    certify(&folder.path(""));
    let gateway = folder.serve();
    let to = format!("https://localhost:{port}");
    is_accepted(&play(&folder, &["--to", &to, "--ca", "cert.pem"]));
    let other = tempfile::tempdir().expect("a folder");
    certify(other.path());
    let ca = other.path().join("cert.pem").display().to_string();
    let refused = play(&folder, &["--to", &to, "--ca", &ca]);
    assert!(refused.code == Some(1) && refused.said.contains("nobody trusted here signed"), "{refused:?}");
    is_unusable(&play(&folder, &["--ca", "none.pem"]), &["none.pem cannot be read"]);
    // The file on the disk is not (yet) what the gateway shows.
    folder.reconfigure("cert = \"cert.pem\", key = \"key.pem\"", &{
        let key = other.path().join("key.pem");
        format!("cert = {ca:?}, key = {key:?}")
    });
    let refused = play(&folder, &[]);
    assert!(refused.code == Some(1) && refused.said.contains("does not show the certificate"), "{refused:?}");
    assert_eq!(gateway.stop().code, Some(0));
}

#[test]
fn a_listener_of_proxies_gets_their_header() {
    let lines = "server.proxy_protocol = true\nserver.trusted_proxies = [\"127.0.0.1\"]";
    for more in ["", TLS] {
        let (folder, _) = folder(&format!("{lines}\n{more}"));
        certify(&folder.path(""));
        let gateway = folder.serve();
        is_accepted(&play(&folder, &[]));
        assert_eq!(gateway.stop().code, Some(0));
    }
}

#[test]
fn a_listener_of_others_proxies_says_what_to_do() {
    let (folder, _) = folder("server.proxy_protocol = true\nserver.trusted_proxies = [\"10.0.0.1\"]");
    let gateway: Process = folder.serve();
    is_unusable(&play(&folder, &[]), &["127.0.0.1", "server.trusted_proxies", "--to"]);
    assert_eq!(gateway.stop().code, Some(0));
}

#[test]
fn a_source_that_takes_nothing_now_is_told_from_one_that_refuses() {
    let (folder, _) = folder("");
    let gateway = folder.serve();
    let admin = format!("http://{}", gateway.admin);
    assert_eq!(folder.run(&["sources", "pause", "tally", "--admin", &admin]).code, Some(0));
    let told = play(&folder, &[]);
    assert_eq!((told.code, verdict(&told)), (Some(1), "unavailable".into()), "{told:?}");
    let told = folder.run(&["simulate", "tally", "case.http"]);
    assert!(told.said.contains("come again later") && told.said.contains("sources list"), "{told:?}");
    assert_eq!(gateway.stop().code, Some(0));
}
