//! Nothing that is secret is said: a gateway at log level trace with a marker in the place of every secret and every redacted
//! field is called, refused, fed nonsense, asked and operated; then all that it said and wrote is searched for the markers.

mod memory;
mod scan;

use std::time::Instant;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use self::scan::Said;
use crate::certificate::certify_for;
use crate::outbound::receiver::{Receiver, Say};
use crate::plugins::built;
use crate::process::{Folder, PATIENCE, Process};
use crate::wire::exchange;

const SOURCE: &str = "MARKER-source-secret-5d1f";
const OTHER_SOURCE: &str = "MARKER-second-secret-9c3a";
const SIGNING: &str = "MARKER-signing-secret-77ab";
const HEADER: &str = "MARKER-header-value-e201";
const PLAIN_HEADER: &str = "MARKER-plain-header-41c8";
const PASSWORD: &str = "MARKER-url-password-0b6e";
const TOKEN: &str = "MARKER-admin-token-c5d2";
const JOURNAL_KEY: &[u8; 32] = b"MARKER-journal-key-32-bytes-a8f0";
/// A redacted field of what is accepted, and one of what is refused.
const CARD: &str = "MARKER-card-accepted-1d77";
const REFUSED_CARD: &str = "MARKER-card-refused-66f9";

const DESCRIPTION: &str = r#"
redact = ["/card"]

[provider]
id = "cards"
name = "Cards"
version = "1.0.0"
content = "json"

[route]
path = "/cards"

[secrets.main]
about = "the account's key"

[[verify]]
from = "header:x-sign"
alg = "hmac-sha256"
encoding = "hex"
message = "${body}"

[event]
type = "json:/event"
id = "json:/id"
"#;

fn configuration(receiver: &Receiver, with_key: bool) -> String {
    let address = receiver.address;
    let key = if with_key { "journal.key = { file = \"secrets/journal\" }" } else { "" };
    format!(
        r#"
log = {{ level = "trace", format = "json" }}
plugins.dirs = ["plugins"]
server.listen = "127.0.0.1:0"
admin = {{ listen = "127.0.0.1:0", token = {{ file = "secrets/token" }} }}
{key}
sources.cards = {{ provider = "cards", secrets.main = {{ file = "secrets/source" }} }}
sources.odd = {{ provider = "odd", secrets.main = {{ value = "{OTHER_SOURCE}" }} }}

[destinations.good]
kind = "http"
url = "http://user:{PASSWORD}@{address}/hooks"
allow_private = true
signing_secret = {{ file = "secrets/signing" }}
headers = {{ X-Key = {{ file = "secrets/header" }}, X-Plain = "{PLAIN_HEADER}" }}

[destinations.shaped]
kind = "http"
url = "http://{address}/shaped"
allow_private = true
transform = '.data.card | tonumber'
retry = {{ first = "1h" }}

[destinations.gone]
kind = "http"
url = "https://127.0.0.1:1/"
allow_private = true
client_cert = {{ cert = "secrets/cert.pem", key = "secrets/key.pem" }}
headers = {{ X-Key = {{ file = "secrets/header" }} }}
retry = {{ attempts = 1 }}

[[routes]]
to = ["good", "shaped", "gone"]
"#
    )
}

fn folder(receiver: &Receiver, with_key: bool) -> (Folder, String) {
    let folder = Folder::new("");
    folder.configure(&configuration(receiver, with_key));
    folder.write("plugins/cards/provider.toml", DESCRIPTION);
    std::fs::copy(built::plugin("odd"), folder.path("plugins/libodd.so")).expect("a copy");
    for (name, text) in [
        ("source", SOURCE.to_owned()),
        ("signing", SIGNING.to_owned()),
        ("header", HEADER.to_owned()),
        ("token", TOKEN.to_owned()),
        ("journal", scan::base64(JOURNAL_KEY)),
    ] {
        folder.write(&format!("secrets/{name}"), &text);
    }
    certify_for(&folder.path("secrets"), "gateway");
    let key = std::fs::read_to_string(folder.path("secrets/key.pem")).expect("a key");
    let line = key.lines().nth(1).expect("a line of base64").to_owned();
    (folder, line)
}

fn request(path: &str, secret: &str, body: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key does");
    mac.update(body.as_bytes());
    let sign: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "POST {path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-type: application/json\r\nx-sign: {sign}\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// What is accepted, refused, no JSON, and what makes a plugin panic.
async fn send_all(gateway: &Process) {
    let accepted = format!(r#"{{"id":"1","event":"paid","card":"{CARD}","amount":10.00}}"#);
    let refused = format!(r#"{{"id":"2","event":"paid","card":"{REFUSED_CARD}"}}"#);
    let broken = format!(r#"{{"id":"3","event":"paid","card":"{REFUSED_CARD}""#);
    for (request, status) in [
        (request("/cards", SOURCE, &accepted), 200),
        (request("/cards", SOURCE, &accepted), 200),
        (request("/cards", "another secret", &refused), 401),
        (request("/cards", "another secret", &broken), 400),
        (request("/odd", OTHER_SOURCE, r#"{"event":"panics"}"#), 200),
        (request("/odd", SOURCE, r#"{"event":"typed"}"#), 401),
        (request("/nowhere", SOURCE, &refused), 404),
    ] {
        let text = String::from_utf8_lossy(&request).into_owned();
        assert_eq!(gateway.ask(request).await.status, status, "{text}");
    }
}

async fn ask(gateway: &Process, path: &str, token: &str) -> String {
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\r\n",
        gateway.admin
    );
    let reply = exchange(gateway.admin, request.as_bytes()).await.expect("an answer");
    format!("{} {:?}\n{}", reply.status, reply.headers, String::from_utf8_lossy(&reply.body))
}

/// Every list, everything in it, and what is said to those who have no business there.
async fn ask_all(gateway: &Process, said: &mut Said) {
    let end = Instant::now() + PATIENCE;
    loop {
        let deliveries = ask(gateway, "/v1/deliveries", TOKEN).await;
        let done =
            ["delivered", "retrying", "exhausted"].iter().all(|state| deliveries.contains(&format!("\"{state}\"")));
        if done && !deliveries.contains("\"pending\"") && !deliveries.contains("\"in_flight\"") {
            break;
        }
        assert!(Instant::now() < end, "{deliveries}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let lists = ["events", "deliveries", "rejections", "sources", "destinations", "plugins", "stats", "nothing"];
    for list in lists {
        let answer = ask(gateway, &format!("/v1/{list}"), TOKEN).await;
        for id in scan::ids(&answer) {
            said.add(format!("/v1/{list}/{id}"), ask(gateway, &format!("/v1/{list}/{id}"), TOKEN).await);
        }
        assert!(list == "nothing" || answer.starts_with("200"), "{list}: {answer}");
        said.add(format!("/v1/{list}"), answer);
    }
    for path in ["/healthz", "/readyz", "/v1/events"] {
        said.add(format!("{path} without the token"), ask(gateway, path, "wrong").await);
    }
}

fn operate_all(folder: &Folder, gateway: &Process, said: &mut Said) {
    for arguments in [&["check"][..], &["check", "--json"], &["plugin", "list"]] {
        said.add(format!("{arguments:?}"), folder.run(arguments).said);
    }
    let verify = ["verify", "--provider", "plugins/cards/provider.toml", "--request", "request.http"];
    for secret in [SOURCE, "another secret"] {
        let body = format!(r#"{{"id":"4","event":"paid","card":"{REFUSED_CARD}"}}"#);
        folder.write("request.http", &String::from_utf8_lossy(&request("/cards", secret, &body)));
        // Not with --json, which gives the exact signed bytes to whoever has request and secret.
        let arguments = [&verify[..], &["--secret", "main=@secrets/source"]].concat();
        said.add(format!("{arguments:?}"), folder.run(&arguments).said);
    }
    let admin = format!("http://{}", gateway.admin);
    for command in ["sources", "destinations", "events", "deliveries", "rejections"] {
        for more in [&[][..], &["--json"]] {
            let arguments = [&[command, "list", "--admin", &admin, "--token", TOKEN][..], more].concat();
            let ended = folder.run(&arguments);
            assert_eq!(ended.code, Some(0), "{command}: {}", ended.said);
            said.add(format!("{command} list {more:?}"), ended.said);
        }
    }
}

async fn nothing_is_said(with_key: bool) {
    // The receiver repeats what it got, so that the start of an answer that is kept repeats it, too.
    let receiver = Receiver::start([Say::Text(200, format!("thank you for {CARD}"))]).await;
    let (folder, client_key) = folder(&receiver, with_key);
    let gateway = folder.serve();
    let mut said = Said::default();
    send_all(&gateway).await;
    ask_all(&gateway, &mut said).await;
    operate_all(&folder, &gateway, &mut said);
    let ended = gateway.stop();
    assert_eq!(ended.code, Some(0));
    assert!(ended.said.contains("\"TRACE\""), "the log is not as long as it could be");
    said.add("the log".to_owned(), ended.said);

    let got = receiver.got();
    let good = got.iter().find(|got| got.line.contains("/hooks")).expect("it was delivered");
    assert!(String::from_utf8_lossy(&good.body).contains(CARD) && good.headers["x-key"] == HEADER, "{good:?}");
    let secrets = [
        SOURCE,
        OTHER_SOURCE,
        SIGNING,
        HEADER,
        PLAIN_HEADER,
        PASSWORD,
        TOKEN,
        REFUSED_CARD,
        &client_key,
        &scan::text(JOURNAL_KEY),
    ];
    for marker in secrets {
        said.is_without(marker);
        scan::files_are_without(&folder.path("data"), marker);
    }
    said.is_without(CARD);
    match with_key {
        true => scan::files_are_without(&folder.path("data"), CARD),
        // The event itself is kept, or nobody could deliver it.
        false => assert!(scan::files_with(&folder.path("data"), CARD) > 0, "the search finds nothing at all"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_and_no_redacted_field_is_in_logs_answers_output_or_rejections() {
    nothing_is_said(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_journal_key_the_files_hold_no_data_either() {
    nothing_is_said(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_was_replaced_is_not_in_memory_any_more() {
    const NEXT: &str = "the secret after it";
    let folder = Folder::new("");
    folder.configure(
        "plugins.dirs = [\"plugins\"]\nlog.format = \"json\"\nserver.listen = \"127.0.0.1:0\"\n\
         admin.listen = \"127.0.0.1:0\"\n\
         sources.cards = { provider = \"cards\", secrets.main = { file = \"source\" } }\n",
    );
    folder.write("plugins/cards/provider.toml", DESCRIPTION);
    folder.write("source", SOURCE);
    let gateway = folder.serve();
    assert_eq!(gateway.ask(request("/cards", SOURCE, r#"{"id":"1","event":"paid"}"#)).await.status, 200);
    assert!(memory::holds(gateway.id(), SOURCE) > 0, "the search finds nothing at all");
    folder.write("source", NEXT);
    gateway.signal("HUP");
    let end = Instant::now() + PATIENCE;
    while gateway.ask(request("/cards", NEXT, r#"{"id":"2","event":"paid"}"#)).await.status != 200 {
        assert!(Instant::now() < end, "the configuration was not read again");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    while memory::holds(gateway.id(), SOURCE) > 0 {
        assert!(Instant::now() < end, "it is still there");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    assert!(memory::holds(gateway.id(), NEXT) > 0);
}
