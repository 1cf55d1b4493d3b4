//! `hookport record`: a real delivery becomes a fixture that holds, and nothing secret of it is written.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use crate::cli::program::{Folder, free_port};

const REAL: &str = "the-real-secret-of-production";

/// A provider with a redacted field.
fn acme() -> Folder {
    let folder = Folder::new();
    assert_eq!(folder.run(&["plugin", "new", "acme", "--no-code"]).code, 0);
    let file = folder.path().join("acme/provider.toml");
    let text = fs::read_to_string(&file).expect("it was made");
    fs::write(&file, format!("redact = [\"/data/card_no\"]\n{text}")).expect("it can be written");
    folder
}

/// A delivery as the provider sends it, signed with its real secret now.
fn delivery(folder: &Folder) -> String {
    let unsigned = "POST /acme?session=0123456789abcdef HTTP/1.1\nContent-Type: application/json\nCookie: id=hush\n\n\
                    {\"id\":\"evt_9\",\"type\":\"card.used\",\"data\":{\"id\":\"c1\",\"card_no\":\"4000123412341234\"}}";
    folder.write("real/delivery.http", unsigned);
    let secret = format!("main={REAL}");
    let request = "real/delivery.http";
    let sign =
        ["sign", "--provider", "acme/provider.toml", "--request", request, "--out", request, "--secret", &secret];
    let run = folder.run(&sign);
    assert_eq!(run.code, 0, "{}", run.err);
    fs::read_to_string(folder.path().join(request)).expect("it was signed")
}

fn is_clean(folder: &Folder, delivery: &str) {
    let text =
        fs::read_to_string(folder.path().join("acme/fixtures/a_recorded_acme_card_used.http")).expect("a fixture");
    let signature = delivery.lines().find_map(|line| line.strip_prefix("acme-signature: ")).expect("a signature");
    for secret in ["4000123412341234", "0123456789abcdef", "hush", REAL, signature] {
        assert!(!text.contains(secret), "{secret} is in\n{text}");
    }
    assert!(text.contains("\"card_no\":\"***\"") && text.contains("\"type\": \"acme.card.used\""), "{text}");
    let checked = folder.run(&["plugin", "check", "acme"]);
    assert!(checked.code == 0 && checked.out.contains("7 of 7 cases hold"), "{}", checked.out);
}

#[test]
fn a_delivery_is_listened_for_and_a_forged_one_is_not_recorded() {
    let folder = acme();
    let delivery = delivery(&folder);
    let address = format!("127.0.0.1:{}", free_port());
    let secret = format!("main={REAL}");
    let send = |text: &str| {
        let (head, body) = text.split_once("\n\n").expect("a head");
        let mut stream = folder.until_some(|| TcpStream::connect(&address).ok());
        let head = head.replace('\n', "\r\n");
        let length = body.len();
        write!(stream, "{head}\r\nhost: acme\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}")
            .expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    };
    let waiting = std::thread::scope(|scope| {
        let recorder = scope.spawn(|| folder.run(&["record", "acme", "--listen", &address, "--secret", &secret]));
        let forged = send(&delivery.replace("card.used", "card.sold"));
        assert!(forged.starts_with("HTTP/1.1 401"), "{forged}");
        let taken = send(&delivery);
        assert!(taken.starts_with("HTTP/1.1 200") && taken.ends_with("{\"received\":true}"), "{taken}");
        recorder.join().expect("it ends")
    });
    assert_eq!(waiting.code, 0, "{}", waiting.err);
    assert_eq!(waiting.out, "acme/fixtures/a_recorded_acme_card_used.http\n");
    assert!(waiting.err.contains("signature_mismatch"), "{}", waiting.err);
    is_clean(&folder, &delivery);
}

#[test]
fn a_rejection_of_a_running_gateway_becomes_a_fixture() {
    let folder = acme();
    let delivery = delivery(&folder);
    folder.write(
        "hookport.toml",
        "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[log]\nformat = \"json\"\n[plugins]\ndirs = [\".\"]\n\
         [sources.acme]\nprovider = \"acme\"\nsecrets.main = { value = \"another\" }\n",
    );
    let gateway = folder.serve();
    let (head, body) = delivery.split_once("\n\n").expect("a head");
    let mut stream = TcpStream::connect(gateway.public().trim_start_matches("http://")).expect("it listens");
    let head = head.replace('\n', "\r\n");
    write!(stream, "{head}\r\nhost: acme\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    let admin = gateway.admin();
    let number = folder.until_some(|| {
        let list = folder.run(&["rejections", "list", "--admin", &admin, "--json"]);
        let list: serde_json::Value = serde_json::from_str(&list.out).ok()?;
        list["rejections"][0]["id"].as_u64()
    });
    let run = folder.run(&["record", "acme", "--rejection", &number.to_string(), "--admin", &admin]);
    assert_eq!(run.code, 0, "{}", run.err);
    is_clean(&folder, &delivery);
    assert_eq!(gateway.stop(), Some(0));
}

#[test]
fn a_secret_that_came_in_a_field_is_not_written() {
    let folder = acme();
    let text = delivery(&folder);
    folder.write("real/delivery.http", &text.replace("\"c1\"", &format!("\"{REAL}\"")));
    let secret = format!("main={REAL}");
    let request = "real/delivery.http";
    let sign =
        ["sign", "--provider", "acme/provider.toml", "--request", request, "--out", request, "--secret", &secret];
    assert_eq!(folder.run(&sign).code, 0);
    let run = folder.run(&["record", "acme", "--request", request, "--secret", &secret]);
    assert!(run.code == 1 && run.err.contains("the secret main is in what would be written"), "{}", run.err);
    assert!(!run.err.contains(REAL));
    assert!(!folder.path().join("acme/fixtures/a_recorded_acme_card_used.http").exists());
}
