//! What verification costs, scheme by scheme, beside the bare digest of the same bytes: `cargo bench -p hookport-tests
//! --bench verify`, or `-- WORDS` for the schemes whose names have them. A request of 500 bytes, one thread, the best of
//! many rounds; verification alone of a scheme of the core should cost at most twice its digest and a microsecond. Beside
//! it stands the whole: verification, and what the request says made into an event for the journal.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use hmac::{Hmac, KeyInit, Mac};
use hookport::case::Case;
use hookport::provider::compile::Provider;
use hookport::provider::parse::{Grammar, Places, parse};
use hookport::provider::sign::{PrivateKeys, sign};
use hookport::provider::source::{Source, SourceParts};
use hookport::provider::verify::{authentic, verify};
use hookport::provider::view::PublicUrl;
use hookport::request::Incoming;
use jiff::Timestamp;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use sm3::Sm3;

const ROUNDS: usize = 400;
const TIMES: u32 = 200;
const KEY: &[u8] = b"a-test-key-of-the-benchmark";

/// A scheme: its name, its tables, and the bare digest of so many bytes that it comes to.
struct Class {
    name: &'static str,
    tables: &'static str,
    request: String,
    bare: fn(&[u8]) -> u8,
}

fn mac<D: hmac::digest::block_api::EagerHash>(bytes: &[u8]) -> u8
where
    Hmac<D>: Mac + KeyInit,
{
    <Hmac<D> as KeyInit>::new_from_slice(KEY).expect("any length").chain_update(bytes).finalize().into_bytes()[0]
}

fn digest<D: Digest>(bytes: &[u8]) -> u8 {
    D::digest(bytes)[0]
}

fn main() {
    println!(
        "{:<34}{:>8}{:>8}{:>14}{:>12}{:>7}",
        "scheme (500 B)", "bare ns", "alone", "of 2x + 1 us", "with event", "of"
    );
    let mut over = 0;
    let wanted = std::env::args().skip(1).find(|text| !text.starts_with("--")).unwrap_or_default();
    for class in classes().into_iter().filter(|class| class.name.contains(&wanted)) {
        let (source, request, now) = prepared(&class);
        let accepted = |request: &Arc<Incoming>| verify(&source, request, now).is_ok();
        assert!(accepted(&request), "{} verifies", class.name);
        let bytes = vec![b'x'; 500];
        let [bare, alone, whole] = best([
            &|| assert!(u16::from(black_box((class.bare)(black_box(&bytes)))) < 256),
            &|| assert!(authentic(&source, black_box(&request), now).is_ok()),
            &|| assert!(accepted(black_box(&request))),
        ]);
        let share = |ns: f64| ns / (2.0 * bare + 1_000.0) * 100.0;
        over += usize::from(share(alone) > 100.0);
        let (of_alone, of_whole) = (share(alone), share(whole));
        println!("{:<34}{bare:>8.0}{alone:>8.0}{of_alone:>13.0}%{whole:>12.0}{of_whole:>6.0}%", class.name);
    }
    println!("{over} over");
}

/// Nanoseconds of one run of each in its best round; rounds alternate, so that what else the machine does meets all.
fn best<const N: usize>(runs: [&dyn Fn(); N]) -> [f64; N] {
    let round = |run: &dyn Fn()| {
        let start = Instant::now();
        (0..TIMES).for_each(|_| run());
        start.elapsed().as_nanos() as f64 / f64::from(TIMES)
    };
    (0..ROUNDS).fold([f64::MAX; N], |best, _| std::array::from_fn(|nth| best[nth].min(round(runs[nth]))))
}

fn prepared(class: &Class) -> (Source, Arc<Incoming>, Timestamp) {
    let text = format!(
        "{}\nprovider.id = \"bench\"\nroute.path = \"/bench\"\nsecrets.main.about = \"the key\"\n",
        class.tables
    );
    let description = parse(&text, class.name, Grammar::Strict).unwrap_or_else(|wrong| panic!("{wrong:?}"));
    let provider =
        Provider::compile(description, &Places::new(&text, class.name)).unwrap_or_else(|wrong| panic!("{wrong:?}"));
    let parts = SourceParts {
        secrets: [("main".to_owned(), vec![String::from_utf8_lossy(KEY).into_owned().into()])].into(),
        public_urls: vec![PublicUrl::parse("https://hooks.example.com").expect("a URL")],
        ..SourceParts::default()
    };
    let source = Source::build("bench", Arc::new(provider), parts).unwrap_or_else(|wrong| panic!("{wrong:?}"));
    let sample = Case::parse(class.request.as_bytes()).expect("a request").request;
    let now = Timestamp::from_second(1_700_000_000).expect("a time");
    let signed = sign(&source, &sample, &PrivateKeys::new(), now).unwrap_or_else(|wrong| panic!("{wrong}"));
    (source, Arc::new(signed.request), now)
}

/// Headers as a sender has them, and a body of 500 bytes.
fn post(headers: &str, body: &str) -> String {
    format!(
        "POST /bench HTTP/1.1\nHost: hooks.example.com\nUser-Agent: bench/1.0\nContent-Type: text/plain\n{headers}\n{body}"
    )
}

fn classes() -> Vec<Class> {
    let filler = |size: usize| "0123456789abcdef".repeat(size / 16 + 1)[..size].to_owned();
    let raw = || filler(500);
    let json = |extra: &str| {
        let head = format!(
            "{{\"id\":\"evt_0001\",\"type\":\"invoice.paid\",\"amount\":100.00,\"currency\":\"EUR\",\"customer\":\"cus_42\"{extra},\"note\":\""
        );
        format!("{head}{}\"}}", filler(498 - head.len()))
    };
    let form = || {
        let head = "id=1&amount=100.00&currency=EUR&customer=cus_42&status=paid&note=";
        format!("{head}{}", filler(500 - head.len()))
    };
    let header = |name: &str| post(&format!("{name}: x\n"), &raw());
    vec![
        Class {
            name: "hmac-sha256, body, hex",
            tables: "verify = { from = \"header:sig\", encoding = \"hex\", alg = \"hmac-sha256\", message = \"${body}\" }\nevent.id = \"header:id\"",
            request: post("sig: x\nid: 17\n", &raw()),
            bare: mac::<Sha256>,
        },
        Class {
            name: "hmac-sha256, body without id",
            tables: "verify = { from = \"header:sig\", encoding = \"hex\", alg = \"hmac-sha256\", message = \"${body}\" }",
            request: header("sig"),
            bare: mac::<Sha256>,
        },
        Class {
            name: "hmac-sha256, body, JSON event",
            tables: "provider.content = \"json\"\nverify = { from = \"header:sig\", encoding = \"hex\", alg = \"hmac-sha256\", message = \"${body}\" }\nevent = { id = \"json:/id\", type = \"json:/type\" }",
            request: post("sig: x\n", &json("")),
            bare: mac::<Sha256>,
        },
        Class {
            name: "hmac-sha256, kv, time",
            tables: "verify = { from = \"header:sig\", parse = \"kv\", pick = \"v1\", encoding = \"hex\", alg = \"hmac-sha256\", message = \"${sig:t}.${body}\" }\ntimestamp = { from = \"sig:t\", format = \"unix_s\", tolerance_s = 300 }\nevent.id = \"header:id\"",
            request: post("sig: t=1,v1=x\nid: 17\n", &raw()),
            bare: mac::<Sha256>,
        },
        Class {
            name: "hmac-sha256, tagged, id and time",
            tables: "verify = { from = \"header:webhook-signature\", parse = \"tagged\", pick = \"v1\", encoding = \"base64\", alg = \"hmac-sha256\", message = \"${header:webhook-id}.${header:webhook-timestamp}.${body}\" }\ntimestamp = { from = \"header:webhook-timestamp\", format = \"unix_s\", tolerance_s = 300 }\nevent.id = \"header:webhook-id\"",
            request: post("webhook-id: 17\nwebhook-timestamp: 1\nwebhook-signature: v1,x\n", &raw()),
            bare: mac::<Sha256>,
        },
        Class {
            name: "hmac-sha1, body, base64",
            tables: "verify = { from = \"header:sig\", encoding = \"base64\", alg = \"hmac-sha1\", message = \"${body}\" }\nevent.id = \"header:id\"",
            request: post("sig: x\nid: 17\n", &raw()),
            bare: mac::<Sha1>,
        },
        Class {
            name: "hmac-sha512, body, hex",
            tables: "verify = { from = \"header:sig\", encoding = \"hex\", alg = \"hmac-sha512\", message = \"${body}\" }\nevent.id = \"header:id\"",
            request: post("sig: x\nid: 17\n", &raw()),
            bare: mac::<Sha512>,
        },
        Class {
            name: "hmac-sha256, URL and body",
            tables: "verify = { from = \"header:sig\", encoding = \"base64\", alg = \"hmac-sha256\", message = \"${method}${url}${body}\" }\nevent.id = \"header:id\"",
            request: post("sig: x\nid: 17\n", &raw()),
            bare: mac::<Sha256>,
        },
        Class {
            name: "hmac-sha1, URL and sorted form",
            tables: "let.all = { collect = \"form\", order = \"key_value\", unique = true, pair = \"${k}${v}\", join = \"\" }\nverify = { from = \"header:sig\", encoding = \"base64\", alg = \"hmac-sha1\", message = \"${url}${let:all}\" }\nevent.id = \"form:id\"",
            request: post("sig: x\n", &form()),
            bare: mac::<Sha1>,
        },
        Class {
            name: "sha1, sorted JSON fields",
            tables: "provider.content = \"json\"\nlet.all = { collect = \"json\", exclude = [\"sign\"], skip_empty = true, pair = \"${k}=${v}&\", join = \"\" }\nverify = { from = \"json:/sign\", encoding = \"hex\", alg = \"sha1\", message = \"${let:all}secret=${secret}\" }\nevent.id = \"json:/id\"",
            request: post("", &json(",\"sign\":\"x\"")),
            bare: digest::<Sha1>,
        },
        Class {
            name: "md5, sorted form and secret",
            tables: "let.all = { collect = \"form\", exclude = [\"sign\"] }\nverify = { from = \"header:sign\", encoding = \"hex\", alg = \"md5\", message = \"${let:all}&key=${secret}\" }\nevent.id = \"form:id\"",
            request: post("sign: x\n", &form()),
            bare: digest::<Md5>,
        },
        Class {
            name: "sm3, body and secret",
            tables: "verify = { from = \"header:sig\", encoding = \"hex\", alg = \"sm3\", message = \"${body}${secret}\" }\nevent.id = \"header:id\"",
            request: post("sig: x\nid: 17\n", &raw()),
            bare: digest::<Sm3>,
        },
        Class {
            name: "static token",
            tables: "verify = { from = \"header:token\", alg = \"static\" }\nevent.id = \"header:id\"",
            request: post("token: x\nid: 17\n", &raw()),
            bare: |bytes| bytes[0],
        },
    ]
}
