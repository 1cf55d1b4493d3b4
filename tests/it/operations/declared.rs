//! A provider without code makes calls: through the program, over real sockets, and as a poll.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use hookport::clock::Clock;
use hookport::event::Data;
use hookport::journal::EventFilter;
use http_body_util::Full;
use hyper::{Request, Response};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::time::{Instant, sleep};

use super::{gateway_at, url};
use crate::cases::gateway::Running;
use crate::cli::program::Folder;
use crate::server::Server;
use crate::shipped::sources;

const ACME: &str = r#"[provider]
id = "acme"
version = "1.0.0"

[secrets.main]
about = "the API key"

[settings.base_url]
about = "where it is"

[[sign]]
now = "unix_s"
nonce = { length = 8 }
set = { "header:x-time" = "${now}", "json:/nonce" = "${nonce}" }
alg = "hmac-sha256"
message = "${header:x-time}.${body}"
prefix = "v1="
to = "header:x-signature"

[[operations]]
id = "pay"
input = '{ "required": ["order"] }'

[operations.request]
method = "POST"
url = "${config:base_url}/pay"
headers = { Authorization = "Bearer ${secret}" }
json = '{"order":${input:/order},"amount":${input:/amount}}'

[operations.answer]
success = { equals = ["json:/ok", "true"] }
output = "/payment"
message = "json:/why"
"#;

const INPUT: &str = r#"{"order":"o-\"1","amount":10.00}"#;

/// What came of a request, when it was signed by the key.
fn taken(request: &Request<Bytes>) -> Option<String> {
    let header = |name: &str| request.headers().get(name)?.to_str().ok();
    let mac = Hmac::<Sha256>::new_from_slice(b"s3cret").expect("a key");
    let mac = mac.chain_update(header("x-time")?).chain_update(".").chain_update(request.body());
    let expected: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let signed = header("x-signature")? == format!("v1={expected}") && header("authorization")? == "Bearer s3cret";
    signed.then(|| String::from_utf8_lossy(request.body()).into_owned())
}

/// A platform that takes payments, and their bodies.
async fn platform() -> (Server, Arc<Mutex<Vec<String>>>) {
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let kept = bodies.clone();
    let server = Server::start(move |request| {
        let taken = taken(&request);
        let answer = match &taken {
            Some(_) => r#"{"ok":true,"payment":{"id":"p_1","amount":10.00}}"#,
            None => r#"{"ok":false,"why":"who are you?"}"#,
        };
        kept.lock().expect("no test panics while it holds this").extend(taken);
        async move { Response::new(Full::from(answer)) }
    });
    (server.await, bodies)
}

/// A folder whose configuration has the provider as a source.
fn folder(base_url: &str, key: &str) -> Folder {
    let folder = Folder::new();
    folder.write("plugins/acme/provider.toml", ACME);
    folder.write(
        "hookport.toml",
        &format!(
            "[plugins]\ndirs = [\"plugins\"]\n[sources.shop]\nprovider = \"acme\"\nallow_private = true\n\
             settings.base_url = \"{base_url}\"\nsecrets.main = {{ value = \"{key}\" }}\n"
        ),
    );
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn a_description_alone_makes_signed_calls() {
    let (server, bodies) = platform().await;
    let base_url = url(&server);
    let run = move || {
        let (shop, thief) = (folder(&base_url, "s3cret"), folder(&base_url, "another"));
        assert_eq!(shop.run(&["check"]).code, 0);
        let paid = shop.run(&["call", "shop", "pay", INPUT]);
        assert_eq!((paid.code, paid.out.as_str()), (0, "{\"id\":\"p_1\",\"amount\":10.00}\n"), "{}", paid.err);
        let refused = thief.run(&["call", "shop", "pay", INPUT]);
        assert_eq!((refused.code, refused.out.as_str()), (1, ""));
        assert!(refused.err.contains("who are you?") && !refused.err.contains("another"), "{}", refused.err);
        let lacking = shop.run(&["call", "shop", "pay", r#"{"order":1}"#]);
        assert!(lacking.code == 2 && lacking.err.contains("the input lacks /amount"), "{}", lacking.err);
    };
    tokio::task::spawn_blocking(run).await.expect("it holds");
    let bodies = bodies.lock().expect("no test panics while it holds this").clone();
    assert_eq!(bodies.len(), 1);
    assert!(bodies[0].starts_with(r#"{"order":"o-\"1","amount":10.00,"nonce":""#), "{bodies:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_shows_the_signed_request_without_secrets_and_sends_nothing() {
    let (server, bodies) = platform().await;
    let base_url = url(&server);
    let run = move || {
        let folder = folder(&base_url, "s3cret");
        let moment = ["--at", "2025-04-30T22:05:03Z", "--nonce", "n0nce"];
        let shown = folder.run(&[["call", "shop", "pay", INPUT, "--dry-run"].as_slice(), &moment].concat());
        assert_eq!((shown.code, shown.err.as_str()), (0, ""));
        let shown: Value = serde_json::from_str(&shown.out).expect("JSON");
        let request = &shown["requests"][0];
        assert_eq!((&request["method"], &request["url"]), (&json!("POST"), &json!(format!("{base_url}/pay"))));
        assert_eq!(request["body"], r#"{"order":"o-\"1","amount":10.00,"nonce":"n0nce"}"#);
        assert_eq!(request["headers"]["authorization"], "Bearer ***");
        assert_eq!(request["headers"]["x-time"], "1746050703");
        assert_eq!(
            request["headers"]["x-signature"],
            "v1=b1709358145ff15124d89411dc40699c782eb119dbd2229610bfc7d79e93bd79"
        );
        assert_eq!(folder.run(&["call", "shop", "pay", INPUT, "--nonce", "n"]).code, 2, "only for a dry run");
    };
    tokio::task::spawn_blocking(run).await.expect("it holds");
    assert_eq!(bodies.lock().expect("no test panics while it holds this").len(), 0);
}

#[test]
fn check_says_where_a_declaration_is_wrong() {
    for (right, wrong, words) in [
        (
            "alg = \"hmac-sha256\"",
            "alg = \"hmac-256\"",
            "provider.toml:15: sign.0.alg: \"hmac-256\" is not an algorithm",
        ),
        ("to = \"header", "to = \"secret", "provider.toml:18: sign.0.to: secret:x-signature cannot be written"),
        (
            "${secret}",
            "${secret:man}",
            "provider.toml:27: operations.0.request.headers.authorization: secret:man is not",
        ),
        ("[operations.request]", "[operations.reqest]", "operations.0.reqest: unknown key; did you mean \"request\"?"),
    ] {
        assert!(ACME.contains(right), "{right}");
        let folder = folder("https://acme.test", "s3cret");
        folder.write("plugins/acme/provider.toml", &ACME.replacen(right, wrong, 1));
        let run = folder.run(&["check"]);
        assert_eq!(run.code, 1);
        assert!(run.err.contains(words), "{wrong}: {}", run.err);
    }
    let folder = folder("https://acme.test", "s3cret");
    folder.write("plugins/acme/provider.toml", ACME.split("[operations.request]").next().expect("a first part"));
    let said = folder.run(&["check"]).err;
    assert!(
        said.contains("declares the operation \"pay\" and nothing makes its request: write [operations.request]"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declared_operation_can_be_polled() {
    let balance = Arc::new(Mutex::new(r#"[{"currency":"SAR","balance":999999.00},{"currency":"USD","balance":1}]"#));
    let known = balance.clone();
    let server = Server::start(move |_| {
        let balance = *known.lock().expect("no test panics while it holds this");
        async move { Response::new(Full::from(format!(r#"{{"code":200,"message":"ok","data":{balance}}}"#))) }
    });
    let (server, folder) = (server.await, tempfile::tempdir().expect("a folder"));
    let keys = sources("sgate").join("fixtures/keys");
    let key = |name: &str| format!("secrets.{name} = {{ file = \"{}\" }}", keys.join(format!("{name}.pem")).display());
    let configuration = format!(
        "{}[sources.bank]\nprovider = \"sgate\"\nallow_private = true\nsettings.base_url = \"{}\"\n\
         secrets.api_key = {{ value = \"k\" }}\n{}\n{}\n\
         [[polls]]\nsource = \"bank\"\noperation = \"query_balance\"\nevery = \"100ms\"\ninput = {{}}\nkey = \"currency\"\n",
        gateway_at(folder.path()),
        url(&server),
        key("system_public_key"),
        key("merchant_private_key"),
    );
    let gateway = Running::start_by(Clock::default(), folder.path(), &configuration).await.expect("a gateway");
    let events = |count: usize| {
        let journal = gateway.journal.clone();
        async move {
            let end = Instant::now() + Duration::from_secs(60);
            loop {
                let mut events = journal.events(EventFilter::default()).await.expect("events");
                if events.len() >= count {
                    events.reverse();
                    return events;
                }
                assert!(Instant::now() < end, "no {count} events");
                sleep(Duration::from_millis(20)).await;
            }
        }
    };
    assert_eq!(events(2).await[0].kind, "sgate.BalanceChanged");
    *balance.lock().expect("no test panics while it holds this") = r#"[{"currency":"SAR","balance":12.50}]"#;
    let changed = events(3).await.remove(2);
    let Data::Json(data) = &changed.data else { panic!("{changed:?}") };
    assert_eq!((changed.subject.as_deref(), &data[..]), (Some("SAR"), &br#"{"currency":"SAR","balance":12.50}"#[..]));
    gateway.stop().await;
}
