//! Certificates that stand in the request itself; and what no description of a key that comes with a request may say.

use aws_lc_rs::signature::ECDSA_P256_SHA256_ASN1_SIGNING;

use super::keys::{complaints, sign};
use super::remote::{Authority, FETCHED, day, fetching, params, why};
use super::*;

/// A certificate in the request itself, as card networks have it.
const CARRIED: &str = r#"
[provider]
id = "carried"
content = "form"
[route]
path = "/carried"
[secrets.roots]
about = "the sender's roots"
[[verify]]
from = "header:x-signature"
encoding = "base64"
alg = "ecdsa-p256-sha256"
key = { form = "x509_pem", from = "form:cert", chain = "roots", subject = "Payments" }
message = "${body}"
"#;

#[test]
fn a_certificate_that_the_request_carries_counts_when_it_chains() {
    let (root, other) = (Authority::root(), Authority::root());
    let source = fetching(CARRIED, &[&root.pem]);
    let judged = |authority: &Authority, name: &str| {
        let (key, pem) = authority.signs(params("x", name));
        let body =
            format!("a=1&cert={}", percent_encoding::utf8_percent_encode(&pem, percent_encoding::NON_ALPHANUMERIC));
        let signature = sign(&key, &ECDSA_P256_SHA256_ASN1_SIGNING, body.as_bytes());
        why(verify(&source, &request(&[("x-signature", &signature)], body), day(3)))
    };
    assert_eq!(judged(&root, "Payments"), "");
    assert!(judged(&other, "Payments").contains("does not chain"));
    assert!(judged(&root, "Evil").contains("another subject's"));
    let bare = request(&[("x-signature", "AAAA")], "a=1");
    assert_eq!(why(verify(&source, &bare, day(3))), "signature_missing: no certificate in form:cert");
    assert_eq!(source.wants(&bare), []);
}

#[test]
fn roots_that_are_none_are_refused_without_being_shown() {
    let provider = Provider::compile(parse(CARRIED, "p", Grammar::Strict).unwrap(), &Places::new(CARRIED, "p"));
    let parts =
        SourceParts { secrets: [("roots".to_owned(), vec!["not-a-root".into()])].into(), ..SourceParts::default() };
    let wrong = Source::build("p", Arc::new(provider.ok().unwrap()), parts).err().unwrap().join("\n");
    assert!(wrong.starts_with("secrets.roots: ") && !wrong.contains("not-a-root"), "{wrong}");
}

#[test]
fn a_description_that_pins_nobody_is_refused() {
    assert_eq!((complaints(FETCHED), complaints(CARRIED)), (String::new(), String::new()));
    let fetched = |from: &str, to: &str| complaints(&FETCHED.replace(from, to));
    let carried = |from: &str, to: &str| complaints(&CARRIED.replace(from, to));
    for (complaint, expected) in [
        (fetched("allow_hosts = [\"keys.*.example.com\"]", ""), "allow_hosts: missing: whose keys count?"),
        (fetched("keys.*.example.com", "*"), "pins nothing"),
        (fetched("keys.*.example.com", "*.com"), "pins nothing"),
        (fetched("keys.*.example.com", "https://keys.example.com"), "no port behind its colon"),
        (fetched("${header:x-url}", "${secret:roots}"), "reads a secret"),
        (fetched("${header:x-url}\"\nallow", "http://keys.eu.example.com/certs/1\"\nallow"), "not a plain https URL"),
        (fetched("${header:x-url}\"\nallow", "https://other.example.com/certs/1\"\nallow"), "none of allow_hosts"),
        (fetched("chain = \"roots\"", "chain = \"rots\""), "did you mean \"roots\"?"),
        (fetched("subject = \"Payments\"", "chain = \"webpki\""), "key.chain: stands twice"),
        (fetched("x509_pem", "jwks"), "key.chain: is for certificates"),
        (fetched("ecdsa-p256-sha256", "hmac-sha256"), "only for asymmetric algorithms"),
        (fetched("subject = \"Payments\"", "from = \"header:x-cert\""), "a key comes from one place"),
        (carried(", chain = \"roots\"", ""), "key.chain: missing: a certificate that the request carries"),
        (carried("chain = \"roots\"", "chain = \"webpki\""), "key.subject_cn: missing: anybody has a certificate"),
        (carried("x509_pem", "pem"), "proves nothing unless it is a certificate"),
        (carried("from = \"form:cert\", ", ""), "key.chain: is for certificates that come with a request"),
        (carried("form:cert", "forms:cert"), "is not a source"),
    ] {
        assert!(complaint.contains(expected), "{expected}: {complaint}");
    }
}
