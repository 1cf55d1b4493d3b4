//! Signed calls over real sockets: platforms that check every signature with code of their own, as their documents say.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use hookport::clock::Clock;
use hookport::gateway::{self, Plugins};
use hookport::operations::Operations;
use http_body_util::Full;
use hyper::{Request, Response};
use jiff::Timestamp;
use md5::Md5;
use rsa::pkcs8::DecodePublicKey;
use rsa::{Pkcs1v15Sign, RsaPublicKey};
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::{asking, url};
use crate::cases::gateway::{plugins, resolved};
use crate::server::Server;
use crate::shipped::sources;

const NOW: i64 = 1_746_050_703;
const SECRET: &str = "a1b1c1d1";
const SIGN_KEY: &str = "NeTQlv6okyBmbelQP1RujxYmnp0S4GtA";

/// What one platform says of a request: the nonce that it was signed with, or what is wrong with it.
type Judge = fn(&Request<Bytes>) -> Result<String, String>;

/// A platform that takes what is signed, and whatever it saw.
struct Platform {
    server: Server,
    seen: Arc<Mutex<Vec<Result<String, String>>>>,
}

impl Platform {
    /// Says `taken` to what its judge accepts, and first so many times that it is busy.
    async fn start(judge: Judge, busy: usize, taken: &'static str) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let kept = seen.clone();
        let server = Server::start(move |request| {
            let judged = judge(&request);
            let (status, body) = {
                let mut kept = kept.lock().expect("no test panics while it holds this");
                kept.push(judged.clone());
                match judged {
                    Err(why) => (400, json!({ "code": 1213, "message": why }).to_string()),
                    Ok(_) if kept.len() <= busy => (503, String::new()),
                    Ok(_) => (200, taken.to_owned()),
                }
            };
            async move {
                let response = Response::builder().status(status).header("retry-after", "0");
                response.body(Full::from(body)).expect("an answer")
            }
        });
        Self { server: server.await, seen }
    }

    /// The nonces of what was taken; nothing else may have come.
    fn nonces(&self) -> Vec<String> {
        let seen = self.seen.lock().expect("no test panics while it holds this").clone();
        seen.into_iter().map(|judged| judged.expect("every request is signed")).collect()
    }

    async fn call(&self, provider: &str, source: &str, operation: &str, input: Value) -> Result<Value, String> {
        let operations = operations(plugins(), provider, source, &url(&self.server));
        let output = operations.call("door", operation, &input.to_string()).await.map_err(|error| error.to_string())?;
        serde_json::from_str(&output.json).map_err(|error| error.to_string())
    }
}

/// At a time that stands still.
fn operations(plugins: &Plugins, provider: &str, source: &str, base_url: &str) -> Operations {
    let configuration = format!(
        "[sources.door]\nprovider = \"{provider}\"\nallow_private = true\nsettings.base_url = \"{base_url}\"\n{source}\n"
    );
    let config = resolved(&sources("sgate").join("fixtures"), &configuration, plugins).expect("a configuration");
    let sources = gateway::sources(&config, plugins).unwrap_or_else(|wrong| panic!("{wrong:?}"));
    let clock = Clock::standing_at(Timestamp::from_second(NOW).expect("a time"));
    gateway::operations(&sources, plugins, &clock)
}

fn header<'r>(request: &'r Request<Bytes>, name: &str) -> &'r str {
    request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn target(request: &Request<Bytes>) -> &str {
    request.uri().path_and_query().map_or("", |target| target.as_str())
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn agree(expected: &str, found: &str, nonce: &str) -> Result<String, String> {
    if expected == found { Ok(nonce.to_owned()) } else { Err(format!("the signature is not {expected}")) }
}

/// Sorted fields, `&secret=` behind them, SHA-1 in capitals.
fn eiotclub(request: &Request<Bytes>) -> Result<String, String> {
    let fields: BTreeMap<String, Value> = serde_json::from_slice(request.body()).map_err(|error| error.to_string())?;
    let text = |name: &str| fields.get(name).map(|value| value.as_str().map_or(value.to_string(), str::to_owned));
    let signed = fields.keys().filter(|name| *name != "sign");
    let pairs: Vec<_> = signed.map(|name| format!("{name}={}", text(name).unwrap_or_default())).collect();
    let nonce = fields.get("nonce").and_then(Value::as_u64).filter(|nonce| (10_000..=99_999).contains(nonce));
    let nonce = nonce.ok_or("no nonce of five digits")?.to_string();
    if fields.get("timestamp").and_then(Value::as_i64) != Some(NOW) || fields.get("appkey") != Some(&json!("000001")) {
        return Err("no timestamp or no appkey".into());
    }
    let expected = hex(Sha1::digest(format!("{}&secret={SECRET}", pairs.join("&")))).to_uppercase();
    agree(&expected, &text("sign").unwrap_or_default(), &nonce)
}

/// Method, target, DateTime, key and MsgID in lines.
fn evo_cloud(request: &Request<Bytes>) -> Result<String, String> {
    let (time, nonce) = (header(request, "datetime"), header(request, "msgid"));
    if time != "2025-04-30T22:05:03+00:00" || nonce.len() != 32 || !request.body().is_empty() {
        return Err(format!("DateTime {time}, MsgID {nonce}"));
    }
    let text = [request.method().as_str(), target(request), time, SIGN_KEY, nonce].join("\n");
    let expected = match header(request, "signtype") {
        "SHA256" => hex(Sha256::digest(&text)),
        "HMAC-SHA256" => {
            let mac = Hmac::<Sha256>::new_from_slice(SIGN_KEY.as_bytes()).map_err(|error| error.to_string())?;
            hex(mac.chain_update(&text).finalize().into_bytes())
        }
        other => return Err(format!("SignType {other:?}")),
    };
    agree(&expected, header(request, "authorization"), nonce)
}

/// MD5withRSA over the hex of the MD5 of six keys.
fn sgate(request: &Request<Bytes>) -> Result<String, String> {
    let nonce = header(request, "v-nonce-str");
    if header(request, "v-timestamp") != NOW.to_string()
        || nonce.len() != 20
        || header(request, "user-agent").is_empty()
    {
        return Err("no time, no nonce or no user agent".into());
    }
    if (header(request, "v-api-key"), header(request, "v-api-version")) != ("key-1", "1") {
        return Err("another API key or version".into());
    }
    let text = format!(
        r#"{{"api_key":"key-1","timestamp":{NOW},"nonce_str":"{nonce}","url":"{}","method":"{}","body":""}}"#,
        target(request),
        request.method()
    );
    let digest = Md5::digest(hex(Md5::digest(text)));
    let pem = fs::read_to_string(sources("sgate").join("fixtures/keys/merchant_public_key.pem")).expect("a key");
    let key = RsaPublicKey::from_public_key_pem(&pem).map_err(|error| error.to_string())?;
    let prefix = b"\x30\x20\x30\x0c\x06\x08\x2a\x86\x48\x86\xf7\x0d\x02\x05\x05\x00\x04\x10";
    let padding = Pkcs1v15Sign { hash_len: Some(16), prefix: prefix.as_slice().into() };
    let signature = STANDARD.decode(header(request, "v-signature")).map_err(|error| error.to_string())?;
    key.verify(padding, &digest, &signature).map(|()| nonce.to_owned()).map_err(|_| "the signature is another's".into())
}

#[tokio::test]
async fn eiotclub_takes_what_is_signed() {
    let platform = Platform::start(eiotclub, 0, r#"{"code":"200","message":"ok","data":{"used":1.50}}"#).await;
    let source = format!("settings.appkey = \"000001\"\nsecrets.main = {{ value = \"{SECRET}\" }}");
    let input = json!({ "iccid": "89\"85/2&secret=ü" });
    let output = platform.call("eiotclub", &source, "get_cards_info", input.clone()).await;
    assert_eq!(output, Ok(json!({ "used": 1.50 })));
    let other = source.replace(SECRET, "another");
    let said = platform.call("eiotclub", &other, "get_cards_info", input).await.expect_err("refused");
    assert!(said.starts_with("1213: the signature is not"), "{said}");
}

#[tokio::test]
async fn evo_cloud_takes_what_is_signed_as_the_source_says() {
    let taken = r#"{"result":{"code":"S0000","message":"Success"}}"#;
    let platform = Platform::start(evo_cloud, 0, taken).await;
    for sign_type in ["SHA256", "HMAC-SHA256"] {
        let source = format!(
            "settings.sid = \"S024116\"\nsettings.sign_type = \"{sign_type}\"\nsecrets.main = {{ value = \"{SIGN_KEY}\" }}"
        );
        let input = json!({ "merchantTransID": "TX 9", "userReference": "a&b=c" });
        let output = platform.call("evo-cloud", &source, "query_payment_method", input).await;
        assert_eq!(output.map(|output| output["result"]["code"].clone()), Ok(json!("S0000")), "{sign_type}");
    }
    assert_eq!(platform.nonces().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn sgate_takes_what_is_signed_and_every_try_is_signed_anew() {
    let taken = r#"{"code":200,"message":"Request succeeded.","data":[{"currency":"SAR","balance":10.00}]}"#;
    let platform = Platform::start(sgate, 2, taken).await;
    let source = "secrets.api_key = { value = \"key-1\" }\n\
                  secrets.system_public_key = { file = \"keys/system_public_key.pem\" }\n\
                  secrets.merchant_private_key = { file = \"keys/merchant_private_key.pem\" }";
    let source = source.replace("keys/", &format!("{}/fixtures/keys/", sources("sgate").display()));
    let output = platform.call("sgate", &source, "query_balance", json!({})).await;
    assert_eq!(output, Ok(json!([{ "currency": "SAR", "balance": 10.0 }])));
    let nonces = platform.nonces();
    assert_eq!(nonces.len(), 3, "busy twice");
    assert!(nonces[0] != nonces[1] && nonces[1] != nonces[2] && nonces[0] != nonces[2], "{nonces:?}");
    let page = json!({ "pageno": 1, "name_e": "A & B/ü", "customids": "1,2" });
    assert!(platform.call("sgate", &source, "list_customers", page).await.is_ok());
    assert_eq!(platform.nonces().len(), 4);
}

/// As the asking plugin's description says, whose code plans requests without knowing a key.
fn asked(request: &Request<Bytes>) -> Result<String, String> {
    let (time, nonce) = (header(request, "x-time"), header(request, "x-nonce"));
    let mac = Hmac::<Sha256>::new_from_slice(b"hunter2").map_err(|error| error.to_string())?;
    let text = format!("{time}.{nonce}.{}.{}.", request.method(), target(request));
    agree(&hex(mac.chain_update(text).finalize().into_bytes()), header(request, "x-signature"), nonce)
}

#[tokio::test]
async fn what_a_plugins_code_plans_is_signed_by_the_host() {
    let platform = Platform::start(asked, 1, "taken").await;
    let source = "secrets.token = { value = \"hunter2\" }";
    let operations = operations(asking::plugins(), "asker", source, &url(&platform.server));
    let input = json!({ "method": "POST", "path": "/a?b=1", "headers": { "x": "${secret:token}" } });
    let output = operations.call("door", "sign", &input.to_string()).await.expect("an output");
    assert_eq!(output.json, r#"["200 taken"]"#);
    let nonces = platform.nonces();
    assert!(nonces.len() == 2 && nonces[0] != nonces[1] && nonces[0].len() == 16, "{nonces:?}");
}
