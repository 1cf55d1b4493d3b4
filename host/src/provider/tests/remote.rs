//! Keys that come with a request: whose they are is pinned by the description, and a certificate counts when it chains.

use aws_lc_rs::signature::ECDSA_P256_SHA256_ASN1_SIGNING;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};

use super::keys::sign;
use super::*;
use crate::provider::remote::{RemoteKey, RemoteKind};
use crate::provider::verify::verify_with;
use crate::reason::Rejection;

/// A certificate from a URL in the request, as clouds and payment services have it.
pub(super) const FETCHED: &str = r#"
[provider]
id = "fetched"
[route]
path = "/fetched"
[secrets.roots]
about = "the sender's roots"
required = false
[[verify]]
from = "header:x-signature"
encoding = "base64"
alg = "ecdsa-p256-sha256"
message = "${header:x-url?}${body}"
[verify.key]
form = "x509_pem"
subject = "Payments"
[verify.key.fetch]
url = "${header:x-url}"
allow_hosts = ["keys.*.example.com"]
path = "/certs/*"
chain = "roots"
subject_cn = "signer*.example.com"
"#;

const URL: &str = "https://keys.eu.example.com/certs/1.pem";

/// A root, what it signs with, and certificates below it.
pub(super) struct Authority {
    pub(super) pem: String,
    params: CertificateParams,
    key: KeyPair,
}

pub(super) fn params(name: &str, organisation: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.distinguished_name.push(DnType::OrganizationName, organisation);
    (params.not_before, params.not_after) = (date_time_ymd(2026, 1, 1), date_time_ymd(2026, 7, 1));
    params
}

fn authority(mut params: CertificateParams, above: Option<&Authority>) -> Authority {
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let key = KeyPair::generate().unwrap();
    let pem = match above {
        None => params.self_signed(&key).unwrap().pem(),
        Some(above) => params.signed_by(&key, &Issuer::from_params(&above.params, &above.key)).unwrap().pem(),
    };
    Authority { pem, params, key }
}

impl Authority {
    pub(super) fn root() -> Self {
        authority(params("root", "Test"), None)
    }

    pub(super) fn signs(&self, mut params: CertificateParams) -> (KeyPair, String) {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::EmailProtection];
        let key = KeyPair::generate().unwrap();
        let pem = params.signed_by(&key, &Issuer::from_params(&self.params, &self.key)).unwrap().pem();
        (key, pem)
    }
}

pub(super) fn day(month: i8) -> Timestamp {
    format!("2026-{month:02}-15T00:00:00Z").parse().unwrap()
}

pub(super) fn fetching(text: &str, roots: &[&str]) -> Source {
    let provider = Provider::compile(parse(text, "p", Grammar::Strict).unwrap(), &Places::new(text, "p"));
    let provider = provider.unwrap_or_else(|wrong| panic!("{wrong:?}"));
    let roots: Vec<secrecy::SecretString> = roots.iter().map(|text| (*text).into()).collect();
    let declared = provider.description.secrets.keys().map(|name| (name.clone(), Vec::clone(&roots))).collect();
    let parts = SourceParts { secrets: declared, ..SourceParts::default() };
    Source::build("fetched", Arc::new(provider), parts).unwrap()
}

fn signed_at(key: &KeyPair, url: &str) -> Arc<Incoming> {
    let signature = sign(key, &ECDSA_P256_SHA256_ASN1_SIGNING, format!("{url}{{}}").as_bytes());
    request(&[("x-signature", &signature), ("x-url", url)], "{}")
}

fn judge(source: &Source, key: &KeyPair, pem: &str, now: Timestamp) -> Result<Verified, Rejection> {
    let fetched = Fetched::default().with(URL.to_owned(), Ok(pem.to_owned().into()));
    verify_with(source, &signed_at(key, URL), &fetched, now)
}

pub(super) fn why(result: Result<Verified, Rejection>) -> String {
    result.map_or_else(|rejection| format!("{}: {}", rejection.reason, rejection.detail), |_| String::new())
}

#[test]
fn a_certificate_that_chains_and_is_named_as_pinned_verifies() {
    let root = Authority::root();
    let middle = authority(params("middle", "Test"), Some(&root));
    let source = fetching(FETCHED, &[&root.pem]);
    let (key, leaf) = root.signs(params("signer-7.example.com", "Acme Payments Ltd"));
    assert_eq!(why(judge(&source, &key, &leaf, day(3))), "");
    let (below, lower) = middle.signs(params("signer.example.com", "Payments"));
    assert_eq!(why(judge(&source, &below, &format!("{lower}{}", middle.pem), day(3))), "");
    assert!(why(judge(&source, &below, &lower, day(3))).contains("does not chain"));
    // An operator may pin what stands below the root.
    let pinned = fetching(FETCHED, &[&middle.pem]);
    assert_eq!(why(judge(&pinned, &below, &lower, day(3))), "");
    assert!(why(judge(&source, &below, &leaf, day(3))).contains("no signature matches"));
}

#[test]
fn a_certificate_that_proves_nothing_is_refused_with_its_reason() {
    let (root, other) = (Authority::root(), Authority::root());
    let source = fetching(FETCHED, &[&root.pem]);
    let good = || params("signer.example.com", "Payments");
    let (key, leaf) = root.signs(good());
    assert!(why(judge(&source, &key, &leaf, day(12))).contains("has expired"));
    let early = "2025-12-31T23:59:59Z".parse().unwrap();
    assert!(why(judge(&source, &key, &leaf, early)).contains("not valid yet"));
    let (key, leaf) = other.signs(good());
    assert!(why(judge(&source, &key, &leaf, day(3))).contains("does not chain"));
    // His own root beside it, and ours: neither makes his count.
    assert!(why(judge(&source, &key, &format!("{leaf}{}{}", other.pem, root.pem), day(3))).contains("does not chain"));
    for (name, organisation) in [
        ("evil.com", "Payments"),
        ("signer.example.com.evil.com", "Payments"),
        ("evil.com/signer.example.com", "Payments"),
        ("Signer.example.com", "Payments"),
    ] {
        let (key, leaf) = root.signs(params(name, organisation));
        assert!(why(judge(&source, &key, &leaf, day(3))).contains("another common name"), "{name}");
    }
    let (key, leaf) = root.signs(params("signer.example.com", "Evil"));
    assert!(why(judge(&source, &key, &leaf, day(3))).contains("another subject's"));
    let mut nameless = params("", "Payments");
    nameless.distinguished_name.remove(DnType::CommonName);
    let (key, leaf) = root.signs(nameless);
    assert!(why(judge(&source, &key, &leaf, day(3))).contains("another common name"));
    for text in ["", "not PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        assert!(why(judge(&source, &key, text, day(3))).starts_with("signature_mismatch: the text holds"), "{text}");
    }
    // An authority's own certificate signs certificates and no messages.
    let ours = authority(good(), None);
    assert!(why(judge(&fetching(FETCHED, &[&ours.pem]), &ours.key, &ours.pem, day(3))).contains("not trusted"));
}

#[test]
fn a_private_authority_may_sign_with_sha1_where_it_is_pinned_and_browsers_roots_never() {
    let leaf = include_str!("sha1/leaf.pem");
    let root = include_str!("sha1/root.pem");
    let now = "2030-01-01T00:00:00Z".parse().unwrap();
    let text = FETCHED.replace("ecdsa-p256-sha256", "rsa-pkcs1-sha256");
    let signature = include_str!("sha1/signature.txt").trim();
    let request = request(&[("x-signature", signature), ("x-url", URL)], "{}");
    let fetched = Fetched::default().with(URL.to_owned(), Ok(leaf.into()));
    let judged = |source: &Source| why(verify_with(source, &request, &fetched, now));
    assert_eq!(judged(&fetching(&text, &[root])), "");
    let browsers = fetching(&text.replace("chain = \"roots\"", "chain = \"webpki\""), &[root]);
    assert!(judged(&browsers).contains("does not chain"), "{}", judged(&browsers));
}

#[test]
fn a_key_from_a_foreign_host_is_no_key() {
    let root = Authority::root();
    let source = fetching(FETCHED, &[&root.pem]);
    let (key, leaf) = root.signs(params("signer.example.com", "Payments"));
    for url in [
        "https://keys.eu.example.com.evil.org/certs/1.pem",
        "https://evil.org/keys.eu.example.com/certs/1.pem",
        "https://keys.eu.example.com@evil.org/certs/1.pem",
        "http://keys.eu.example.com/certs/1.pem",
        "https://keys.eu.example.com/evil/1.pem",
    ] {
        let request = signed_at(&key, url);
        assert_eq!(source.wants(&request), [], "{url}");
        let fetched = Fetched::default().with(url.to_owned(), Ok(leaf.clone().into()));
        let rejection = verify_with(&source, &request, &fetched, day(3)).unwrap_err();
        assert_eq!(rejection.reason, Reason::SignatureMismatch, "{url}");
        assert!(rejection.detail.starts_with("the URL of the key"), "{}", rejection.detail);
    }
}

#[test]
fn what_must_be_fetched_is_asked_for_only_where_it_can_help() {
    let root = Authority::root();
    let (key, _) = root.signs(params("signer.example.com", "Payments"));
    let source = fetching(FETCHED, &[&root.pem]);
    let wanted = RemoteKey { url: URL.to_owned(), kind: RemoteKind::Certificates };
    assert_eq!(source.wants(&signed_at(&key, URL)), [wanted]);
    assert_eq!(source.wants(&request(&[("x-url", URL)], "{}")), []);
    assert_eq!(source.wants(&request(&[("x-url", URL), ("x-signature", " ")], "{}")), []);
    assert_eq!(source.wants(&request(&[("x-signature", "x")], "{}")), []);
    let elsewhere = FETCHED.replace("[[verify]]", "[[verify]]\nwhen = { present = \"header:x-other\" }");
    assert_eq!(fetching(&elsewhere, &[&root.pem]).wants(&signed_at(&key, URL)), []);
    assert_eq!(super::source(SIGNED, &["s"], &[]).wants(&signed("s", 0, "{}")), []);
}

#[test]
fn a_key_that_cannot_be_had_now_is_asked_for_again() {
    let root = Authority::root();
    let source = fetching(FETCHED, &[&root.pem]);
    let (key, _) = root.signs(params("signer.example.com", "Payments"));
    let request = signed_at(&key, URL);
    let failed = Fetched::default().with(URL.to_owned(), Err("no answer within 5s".into()));
    for (fetched, what) in [(failed, "no answer within 5s"), (Fetched::default(), "nothing was fetched")] {
        let rejection = verify_with(&source, &request, &fetched, day(3)).unwrap_err();
        assert_eq!(rejection.reason, Reason::Unavailable);
        assert!(rejection.detail.contains("keys.eu.example.com") && rejection.detail.contains(what));
    }
    let closed = fetching(FETCHED, &[]);
    assert_eq!(why(judge(&closed, &key, "", day(3))), "algorithm: verify.0 is closed: its key is not configured");
}

#[test]
fn of_a_fetched_key_set_the_one_that_the_token_names_is_asked() {
    let text = r#"
        [provider]
        id = "sets"
        [route]
        path = "/sets"
        [[verify]]
        from = "header:x-token"
        alg = "jwt-es256"
        [verify.key]
        form = "jwks"
        fetch = { url = "https://keys.example.com/set", allow_hosts = ["keys.example.com"] }
    "#;
    let source = fetching(text, &[]);
    let (key, _) = super::keys::pair();
    let token = super::keys::es256(&key, r#"{"alg":"ES256","kid":"two"}"#, r#"{"iss":"x"}"#);
    let request = request(&[("x-token", &token)], "{}");
    let wanted = source.wants(&request).pop().unwrap();
    assert_eq!(wanted.kind, RemoteKind::KeySet(Some("two".into())));
    let set = |kids: &[&str]| {
        let keys: Vec<_> = kids.iter().map(|kid| super::keys::jwk(&key, kid)).collect();
        format!("{{\"keys\":[{}]}}", keys.join(","))
    };
    for (kids, holds) in [(&["one", "two"][..], true), (&["one"], false), (&[], false)] {
        let set = set(kids);
        assert_eq!(wanted.is_in(set.as_bytes()), holds);
        let fetched = Fetched::default().with(wanted.url.clone(), Ok(set.into()));
        assert_eq!(verify_with(&source, &request, &fetched, at(0)).is_ok(), holds, "{kids:?}");
    }
    assert!(!wanted.is_in(b"<html>"));
}
