//! The schemes of asymmetric keys, tokens and certificates, run backwards.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PKCS_ED25519};
use serde_json::{Value, json};

use super::*;
use crate::provider::remote::Fetched;
use crate::provider::signature::Encoding as Written;
use crate::provider::verify::verify_with;

const TIME: &str = "from = \"header:x-time\"\nformat = \"unix_s\"";

fn own(pair: &KeyPair) -> PrivateKey {
    PrivateKey::read(&pair.serialize_pem()).unwrap()
}

fn named(name: &str, key: PrivateKey) -> PrivateKeys {
    PrivateKeys::from([(name.to_owned(), key)])
}

/// A certificate below a root, and the root.
fn certified(pair: &KeyPair) -> (String, String) {
    let root = KeyPair::generate().unwrap();
    let mut above = CertificateParams::new(Vec::new()).unwrap();
    above.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, "signer");
    let leaf = params.signed_by(pair, &Issuer::from_params(&above, &root)).unwrap().pem();
    (leaf, above.self_signed(&root).unwrap().pem())
}

#[test]
fn curves_sign_in_every_layout_and_key_form() {
    let (ed25519, p256) = (KeyPair::generate_for(&PKCS_ED25519).unwrap(), KeyPair::generate().unwrap());
    let (leaf, _) = certified(&p256);
    for (alg, pair, form, public) in [
        ("ed25519", &ed25519, "pem", ed25519.public_key_pem()),
        ("ed25519", &ed25519, "ed25519_hex", hex::encode(ed25519.public_key_raw())),
        ("ed25519", &ed25519, "ed25519_base64", Written::Base64.encode(ed25519.public_key_raw())),
        ("ecdsa-p256-sha256", &p256, "pem", p256.public_key_pem()),
        ("ecdsa-p256-sha256", &p256, "x509_pem", leaf),
    ] {
        for layout in ["", "form = \"raw\"", "form = [\"raw\", \"der\"]"] {
            if !layout.is_empty() && alg == "ed25519" {
                continue;
            }
            let verify = format!(
                "from = \"header:x-sig\"\nencoding = \"base64\"\nalg = \"{alg}\"\nkey = {{ form = \"{form}\" }}\n\
                 message = \"${{header:x-time}}${{body}}\"\n{layout}"
            );
            let source = scheme(&verify, TIME, &[("main", &public)]);
            round_trip(&source, &sample(&[]), &named("main", own(pair)), EVERY, &format!("{alg} {form} {layout}"));
        }
    }
}

#[test]
fn a_private_key_is_read_in_every_form_and_never_shown() {
    let p256 = KeyPair::generate().unwrap();
    let seed = Written::Base64.encode(&[7; 32]);
    for (text, shown) in [
        (format!("whsk_{seed}\n"), "an Ed25519 private key (hidden)"),
        (format!("whsk_{}", Written::Base64.encode(&[7; 64])), "an Ed25519 private key (hidden)"),
        (KeyPair::generate_for(&PKCS_ED25519).unwrap().serialize_pem(), "an Ed25519 private key (hidden)"),
        (p256.serialize_pem(), "a P-256 private key (hidden)"),
        (include_str!("sec1.pem").to_owned(), "a P-256 private key (hidden)"),
        (read("evo-cloud/fixtures/keys/sm2_private_key.pem"), "an SM2 private key (hidden)"),
    ] {
        let key = PrivateKey::read(&text).unwrap_or_else(|error| panic!("{shown}: {error}"));
        assert_eq!(format!("{key:?}"), shown);
        assert!(key.public().is_some());
    }
    for text in ["whsk_AAAA", "whsk_!", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"] {
        let error = PrivateKey::read(text).unwrap_err();
        assert!(!error.contains("AAAA"), "{error}");
    }
}

/// What the token of a signed request says.
fn claims(signed: &Signed) -> Value {
    let text = signed.request.headers["authorization"].to_str().unwrap();
    let part = text.strip_prefix("Bearer ").unwrap().split('.').nth(1).unwrap();
    let json = super::super::super::filter::lenient_base64(part.as_bytes(), &base64::alphabet::URL_SAFE).unwrap();
    serde_json::from_slice(&json).unwrap()
}

fn tokens(alg: &str, key: &str, more: &str, secret: &str) -> Source {
    let text = format!(
        "[provider]\nid = \"x\"\ncontent = \"raw\"\n[route]\npath = \"/x\"\n[secrets.main]\nabout = \"a\"\n\
         [[verify]]\nfrom = \"header:authorization\"\nprefix = \"Bearer \"\nalg = \"{alg}\"\n{key}\n\
         claims = {{ payload_hash = \"${{body|sha256|hex}}\", aud = \"us\", email_verified = \"true\" }}\n\
         [event]\nid = \"jwt:jti\"\n{more}\n"
    );
    source(&text, &[("main", secret)])
}

fn unsigned(claims: &Value) -> String {
    format!("Bearer e30.{}.", Written::Base64Url.encode(claims.to_string().as_bytes()))
}

#[test]
fn a_token_keeps_what_the_sample_says_and_is_of_now() {
    let source = tokens("jwt-hs256", "", "", "key");
    let old =
        json!({ "iss": "acme", "jti": "a-1", "aud": ["them", "us"], "n": 1.50, "iat": 1000, "nbf": 990, "exp": 1120 });
    let token = unsigned(&old);
    let signed = round_trip(&source, &sample(&[("authorization", &token)]), &PrivateKeys::new(), EVERY, "token");
    let said = claims(&signed);
    let start = now().as_second();
    assert_eq!((&said["iat"], &said["nbf"], &said["exp"]), (&json!(start), &json!(start - 10), &json!(start + 120)));
    assert_eq!((&said["iss"], &said["jti"], &said["aud"]), (&json!("acme"), &json!("a-1"), &json!(["them", "us"])));
    assert_eq!((&said["n"], &said["email_verified"]), (&json!(1.50), &json!(true)));
}

#[test]
fn a_sample_without_a_token_gets_one() {
    let (p256, rsa) = (KeyPair::generate().unwrap(), "sgate/fixtures/keys/system_private_key.pem");
    let public = read("sgate/fixtures/keys/system_public_key.pem");
    let window = "[timestamp]\nfrom = \"jwt:nbf/exp\"\ntolerance_s = 0";
    let aged = "[timestamp]\nfrom = \"jwt:iat\"\nformat = \"unix_s\"\ntolerance_s = 300";
    for (alg, key, keys, secret) in [
        ("jwt-hs512", "", PrivateKeys::new(), "key".to_owned()),
        ("jwt-rs256", "", named("main", key(rsa)), public),
        ("jwt-es256", "key = { form = \"pem\" }", named("main", own(&p256)), p256.public_key_pem()),
    ] {
        for (more, tampers) in [("", &EVERY[..2]), (window, EVERY), (aged, EVERY)] {
            let source = tokens(alg, key, more, &secret);
            let signed = round_trip(&source, &sample(&[("authorization", "Bearer sign-me")]), &keys, tampers, alg);
            assert_eq!(claims(&signed)["aud"], "us");
        }
    }
}

#[test]
fn a_renewed_token_is_another_event() {
    let source = tokens("jwt-hs256", "", "", "key");
    let sample = sample(&[("authorization", &unsigned(&json!({ "jti": "id-0001", "iss": "acme" })))]);
    let play = |seed: &str| {
        let renewed = renew(&source, &sample, seed, now());
        judge(&source, &sign(&source, &renewed, &PrivateKeys::new(), now()).unwrap().request).unwrap()
    };
    let id = |verified: &Verified| verified.items[0].declared.id.clone().unwrap();
    let (one, same, other) = (id(&play("one")), id(&play("one")), id(&play("two")));
    assert!(one == same && one != other && one != "id-0001" && one.len() == 7, "{one} {other}");
}

/// A scheme whose certificate comes with the request.
fn coming(key: &str) -> String {
    format!(
        "[provider]\nid = \"x\"\ncontent = \"form\"\n[route]\npath = \"/x\"\n[secrets.roots]\nabout = \"a\"\n\
         [[verify]]\nfrom = \"header:x-sig\"\nencoding = \"base64\"\nalg = \"ecdsa-p256-sha256\"\n\
         message = \"${{header:x-time}}${{body}}\"\n[verify.key]\nform = \"x509_pem\"\n{key}\n\
         [timestamp]\nfrom = \"header:x-time\"\nformat = \"unix_s\"\ntolerance_s = 300\n"
    )
}

#[test]
fn a_certificate_that_the_sample_carries_is_signed_for_by_its_field() {
    let pair = KeyPair::generate().unwrap();
    let (leaf, root) = certified(&pair);
    let source =
        source(&coming("from = \"form:cert\"\nchain = \"roots\"\nsubject_cn = \"signer\""), &[("roots", &root)]);
    let mut sample = sample(&[]);
    let escaped = percent_encoding::utf8_percent_encode(&leaf, percent_encoding::NON_ALPHANUMERIC);
    sample.body = format!("a=1&cert={escaped}").into();
    round_trip(&source, &sample, &named("cert", own(&pair)), EVERY, "carried");
    let other = sign(&source, &sample, &named("cert", own(&KeyPair::generate().unwrap())), now()).unwrap_err();
    assert!(other.to_string().contains("does the private key belong"), "{other}");
    let none = sign(&source, &sample, &PrivateKeys::new(), now()).unwrap_err().to_string();
    assert!(none.contains("the private key that belongs to cert is needed"), "{none}");
}

#[test]
fn a_certificate_that_would_be_fetched_is_signed_for_without_it() {
    let pair = KeyPair::generate().unwrap();
    let (leaf, root) = certified(&pair);
    let url = "https://keys.example.com/1.pem";
    let key = format!("chain = \"roots\"\nfetch = {{ url = \"{url}\", allow_hosts = [\"keys.example.com\"] }}");
    let source = source(&coming(&key), &[("roots", &root)]);
    let signed = sign(&source, &sample(&[]), &named("certificate", own(&pair)), now()).unwrap();
    let fetched = Fetched::default().with(url.to_owned(), Ok(leaf.into()));
    let judged = |request: &Incoming| verify_with(&source, &Arc::new(request.clone()), &fetched, now());
    assert!(judged(&signed.request).is_ok());
    for &tamper in EVERY {
        let tampered = signed.tampered(&source, tamper, now()).unwrap();
        assert_eq!(judged(&tampered).unwrap_err().reason, Reason::SignatureMismatch, "{tamper:?}");
    }
}
