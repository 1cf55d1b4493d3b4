//! What is signed is accepted, and what is tampered with is not: every shipped scheme, and every layout a signature can have.

mod keys;

use std::fs;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::*;
use crate::case::Case;
use crate::provider::compile::Provider;
use crate::provider::parse::{Grammar, Places, parse};
use crate::provider::source::SourceParts;
use crate::provider::verify::{Verified, verify};
use crate::provider::view::PublicUrl;

fn plugins() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins")
}

fn read(file: &str) -> String {
    fs::read_to_string(plugins().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn now() -> Timestamp {
    "2026-11-20T14:00:00Z".parse().unwrap()
}

fn source(text: &str, secrets: &[(&str, &str)]) -> Source {
    let description = parse(text, "test", Grammar::Strict).unwrap();
    let provider = Provider::compile(description, &Places::new(text, "test"));
    let provider = Arc::new(provider.unwrap_or_else(|wrong| panic!("{wrong:?}")));
    let secrets = secrets.iter().map(|(name, text)| ((*name).to_owned(), vec![SecretString::from(*text)]));
    let parts = SourceParts {
        secrets: secrets.collect(),
        public_urls: vec![PublicUrl::parse("https://hooks.example.com/in").unwrap()],
        path: Some("/own/path".into()),
        ..SourceParts::default()
    };
    Source::build("test", provider, parts).unwrap()
}

fn key(file: &str) -> PrivateKey {
    PrivateKey::read(&read(file)).unwrap()
}

fn judge(source: &Source, request: &Incoming) -> Result<Verified, Rejection> {
    verify(source, &Arc::new(request.clone()), now())
}

/// Signs, and tampers in every way that is asked for.
fn round_trip(source: &Source, sample: &Incoming, keys: &PrivateKeys, tampers: &[Tamper], name: &str) -> Signed {
    let signed = sign(source, sample, keys, now()).unwrap_or_else(|error| panic!("{name}: {error}"));
    let verified = judge(source, &signed.request).unwrap_or_else(|rejection| panic!("{name}: {rejection:?}"));
    assert_eq!((verified.by, verified.stale), (signed.by, None), "{name}");
    for &tamper in tampers {
        let tampered = signed.tampered(source, tamper, now()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_ne!((&tampered.body, &tampered.headers, &tampered.target), {
            let request = &signed.request;
            (&request.body, &request.headers, &request.target)
        });
        let rejection = judge(source, &tampered).err().unwrap_or_else(|| panic!("{name}: {tamper:?} is accepted"));
        assert_eq!(rejection.reason, Reason::SignatureMismatch, "{name}: {tamper:?}: {}", rejection.detail);
    }
    signed
}

const EVERY: &[Tamper] = &[Tamper::Body, Tamper::Signature, Tamper::Timestamp];

fn shipped() -> Vec<(&'static str, Source, PrivateKeys, &'static [Tamper])> {
    let own = |provider: &str, secrets: &[(&str, &str)]| source(&read(&format!("{provider}/provider.toml")), secrets);
    let sm2 = read("evo-cloud/fixtures/keys/sm2_public_key.pem");
    let system = read("sgate/fixtures/keys/system_public_key.pem");
    let merchant = read("sgate/fixtures/keys/merchant_private_key.pem");
    let named = |name: &str, file: &str| PrivateKeys::from([(name.to_owned(), key(file))]);
    vec![
        ("eiotclub", own("eiotclub", &[("main", "another secret")]), PrivateKeys::new(), EVERY),
        (
            "evo-cloud",
            own("evo-cloud", &[("main", "0123456789abcdef0123456789ABCDEF"), ("sm2_public_key", &sm2)]),
            named("sm2_public_key", "evo-cloud/fixtures/keys/sm2_private_key.pem"),
            EVERY,
        ),
        (
            "sgate",
            own(
                "sgate",
                &[("api_key", "another key"), ("system_public_key", &system), ("merchant_private_key", &merchant)],
            ),
            named("system_public_key", "sgate/fixtures/keys/system_private_key.pem"),
            EVERY,
        ),
        ("wallet-openapi", own("wallet-openapi", &[]), PrivateKeys::new(), &[]),
    ]
}

fn accepted_cases(provider: &str) -> Vec<(String, Case)> {
    let files = fs::read_dir(plugins().join(provider).join("fixtures")).unwrap();
    let mut cases = Vec::new();
    for path in files.map(|file| file.unwrap().path()) {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if path.extension().is_some_and(|ending| ending == "http") {
            let case = Case::parse(&fs::read(&path).unwrap()).unwrap_or_else(|error| panic!("{name}: {error}"));
            if case.section("event").is_some() {
                cases.push((name, case));
            }
        }
    }
    cases
}

#[test]
fn every_accepted_case_of_every_shipped_provider_can_be_signed_anew() {
    let mut signers = std::collections::BTreeSet::new();
    for (provider, source, keys, tampers) in shipped() {
        let cases = accepted_cases(provider);
        assert!(cases.len() >= 5, "{provider}");
        for (name, case) in cases {
            let name = format!("{provider}: {name}");
            let signed = round_trip(&source, &case.request, &keys, tampers, &name);
            assert!(signed.request.target.starts_with("/own/path"), "{name}");
            signers.extend(signed.by.map(|by| (provider, by)));
        }
    }
    // SHA256, SHA512, both MACs and SM2 of one provider, and one table of two others.
    assert_eq!(signers.len(), 7, "{signers:?}");
}

#[test]
fn renewed_samples_are_other_events_of_the_same_type() {
    for (provider, source, keys, _) in shipped() {
        for (name, case) in accepted_cases(provider) {
            let play = |seed: &str| {
                let renewed = renew(&source, &case.request, seed, now());
                judge(&source, &sign(&source, &renewed, &keys, now()).unwrap().request).unwrap()
            };
            let (one, same, other) = (play("one"), play("one"), play("two"));
            let declared = |verified: &Verified| verified.items[0].declared.key.hash;
            assert_eq!(declared(&one), declared(&same), "{provider}: {name}");
            assert_ne!(declared(&one), declared(&other), "{provider}: {name}");
            assert_eq!(one.items[0].declared.kind, other.items[0].declared.kind, "{provider}: {name}");
        }
    }
}

#[test]
fn encrypted_fields_are_sealed_so_that_the_source_opens_them() {
    let (_, source, _, _) = shipped().swap_remove(2);
    let (_, case) = accepted_cases("sgate").into_iter().find(|(name, _)| name.contains("several_blocks")).unwrap();
    let event: serde_json::Value = serde_json::from_slice(case.section("event").unwrap()).unwrap();
    let wanted = event["data"].to_string();
    let sealed = seal(&source, &case.request, wanted.as_bytes()).unwrap();
    assert_ne!(sealed.body, case.request.body);
    let (opened, warnings) = source.open(&sealed.body);
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&opened).unwrap(), event["data"]);
}

/// A scheme that covers time and body.
fn scheme(verify: &str, time: &str, secrets: &[(&str, &str)]) -> Source {
    let text = format!(
        "[provider]\nid = \"x\"\ncontent = \"raw\"\n[route]\npath = \"/x\"\n[secrets.main]\nabout = \"a\"\n\
         [[verify]]\n{verify}\n[timestamp]\n{time}\ntolerance_s = 300\n"
    );
    source(&text, secrets)
}

fn sample(headers: &[(&'static str, &str)]) -> Incoming {
    let mut request = Incoming { method: "POST".into(), target: "/x?a=1".into(), ..Incoming::nothing() };
    request.body = "hello=world&n=1".into();
    request.headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
    request
}

#[test]
fn a_signature_stands_among_other_parts_as_its_layout_wants() {
    let hmac = "alg = \"hmac-sha256\"\nencoding = \"hex\"";
    let body = "message = \"${sig:t}.${body}\"";
    let in_header = "from = \"header:x-time\"\nformat = \"unix_ms\"";
    let in_sig = "from = \"sig:t\"\nformat = \"unix_s\"";
    let timed = "message = \"${header:x-time}.${body}\"";
    for (layout, time, old, new) in [
        (format!("parse = \"kv\"\npick = \"v1\"\n{body}"), in_sig, "t=1,v1=00,v0=9", "t=1795183200,v0=9,v1="),
        (format!("parse = \"kv\"\nsep = \";\"\npick = \"h1\"\n{body}"), in_sig, "t=1;h1=00", "t=1795183200;h1="),
        (format!("parse = \"kv\"\npick = \"v1\"\n{body}"), in_sig, "", "t=1795183200,v1="),
        (format!("parse = \"tagged\"\npick = \"v1\"\n{timed}"), in_header, "v1,00 v1a,x", "v1a,x v1,"),
        (format!("parse = \"list\"\n{timed}"), in_header, "00,11", ""),
        (format!("parse = \"raw\"\nprefix = \"sha256=\"\n{timed}"), in_header, "sha256=00", "sha256="),
        (format!("parse = \"pairs\"\npick = \"pub\"\n{timed}"), in_header, "pub|00&other|1", "other|1&pub|"),
        (
            format!("parse = \"positional\"\npick = \"1\"\n{}", body.replace("sig:t", "sig:0")),
            "from = \"sig:0\"\nformat = \"unix_s\"",
            "1,00",
            "1795183200,",
        ),
    ] {
        let verify = format!("from = \"header:x-sig\"\n{hmac}\n{layout}");
        let source = scheme(&verify, time, &[("main", "key")]);
        let signed = round_trip(&source, &sample(&[("x-sig", old)]), &PrivateKeys::new(), EVERY, &layout);
        let text = signed.request.headers["x-sig"].to_str().unwrap().to_owned();
        assert!(text.starts_with(new) && !text.contains("=00"), "{layout}: {text}");
    }
}

#[test]
fn what_filters_undo_before_a_signature_is_read_is_done_to_it() {
    for (filter, encoding) in [("unbase64", "hex"), ("urldecode", "base64")] {
        let verify = format!(
            "from = \"header:x-sig|{filter}\"\nalg = \"hmac-sha256\"\nencoding = \"{encoding}\"\nmessage = \"${{header:x-time}}${{body}}\""
        );
        let source = scheme(&verify, "from = \"header:x-time\"\nformat = \"unix_s\"", &[("main", "key")]);
        round_trip(&source, &sample(&[]), &PrivateKeys::new(), EVERY, filter);
    }
}

#[test]
fn a_signature_may_be_a_parameter_and_the_url_may_be_signed() {
    let verify = "from = \"query:sig\"\nalg = \"hmac-sha1\"\nencoding = \"base64\"\nmessage = \"${query:t}.${body}\"";
    let source = scheme(verify, "from = \"query:t\"\nformat = \"rfc3339\"", &[("main", "key")]);
    let signed = round_trip(&source, &sample(&[]), &PrivateKeys::new(), EVERY, "query");
    assert!(signed.request.target.starts_with("/own/path?a=1&t=2026-11-20T14%3A00%3A00Z&sig="));

    let verify = "from = \"header:x-sig\"\nalg = \"md5\"\nmessage = \"${url}${header:date}${body}${secret}\"";
    let source = scheme(verify, "from = \"header:date\"\nformat = \"http_date\"", &[("main", "key")]);
    let signed = round_trip(&source, &sample(&[]), &PrivateKeys::new(), EVERY, "url");
    assert_eq!(signed.request.headers["date"], "Fri, 20 Nov 2026 14:00:00 GMT");
}

#[test]
fn a_signature_is_percent_encoded_where_it_stands_so() {
    let verify = "from = \"header:x-sig|urldecode\"\nparse = \"kv\"\npick = \"signature\"\nalg = \"hmac-sha256\"\n\
                  encoding = \"base64\"\nmessage = \"${header:x-time}${body}\"";
    let source = scheme(verify, "from = \"header:x-time\"\nformat = \"unix_s\"", &[("main", "key")]);
    let sample = sample(&[("x-sig", "algorithm=HS256,signature=old")]);
    let signed = round_trip(&source, &sample, &PrivateKeys::new(), EVERY, "percent-encoded");
    let text = signed.request.headers["x-sig"].to_str().unwrap();
    assert!(text.starts_with("algorithm=HS256,signature=") && text.ends_with("%3D"), "{text}");
}

#[test]
fn rsa_signs_with_every_digest() {
    let public = read("sgate/fixtures/keys/system_public_key.pem");
    let keys = PrivateKeys::from([("main".to_owned(), key("sgate/fixtures/keys/system_private_key.pem"))]);
    for digest in ["md5", "sha1", "sha256", "sha512"] {
        let verify = format!(
            "from = \"header:x-sig\"\nalg = \"rsa-pkcs1-{digest}\"\nencoding = \"base64\"\n\
             message = \"${{header:x-time}}${{body}}\""
        );
        let source = scheme(&verify, "from = \"header:x-time\"\nformat = \"unix_s\"", &[("main", &public)]);
        round_trip(&source, &sample(&[]), &keys, EVERY, digest);
    }
}

#[test]
fn what_cannot_be_signed_says_what_is_missing() {
    let (_, source, keys, _) = shipped().swap_remove(2);
    let (_, case) = accepted_cases("sgate").swap_remove(0);
    let why = |keys: &PrivateKeys| sign(&source, &case.request, keys, now()).unwrap_err().to_string();
    assert!(why(&PrivateKeys::new()).contains("system_public_key is needed"));
    let other = key("sgate/fixtures/keys/other_system_private_key.pem");
    assert!(why(&PrivateKeys::from([("system_public_key".to_owned(), other)])).contains("does the private key belong"));
    let sm2 = key("evo-cloud/fixtures/keys/sm2_private_key.pem");
    let wrong = why(&PrivateKeys::from([("system_public_key".to_owned(), sm2)]));
    assert!(wrong.contains("another kind of key") && wrong.contains("hidden"), "{wrong}");
    assert!(sign(&source, &case.request, &keys, now()).is_ok());

    let (_, unsigned, ..) = shipped().swap_remove(3);
    let (_, case) = accepted_cases("wallet-openapi").swap_remove(0);
    let signed = sign(&unsigned, &case.request, &PrivateKeys::new(), now()).unwrap();
    assert!(signed.tampered(&unsigned, Tamper::Body, now()).is_err());
}
