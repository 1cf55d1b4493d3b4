//! `[decrypt]` in whole descriptions: what is opened with which secret, and what a stranger learns of it.

use super::several::post;
use super::*;
use crate::event::Data;
use crate::provider::decrypt::Decrypt;
use crate::provider::view::{Parsed, Reads, View};

const KEYS: [&str; 2] = ["0123456789abcdef0123456789ABCDEF", "another key of another 32 bytes."];

fn text(verify: &str, more: &str) -> String {
    format!(
        "[provider]\nid = \"x\"\ncontent = \"json\"\n[route]\npath = \"/x\"\n[secrets.main]\nabout = \"the key\"\n\
         [[verify]]\n{verify}\n[event]\ntype = \"json:/what\"\nid = \"envelope:/id\"\n\
         [decrypt]\nprofile = \"aes-256-cbc-ivprefix\"\nciphertext = \"${{json:/encrypt}}\"\n{more}"
    )
}

const UNSIGNED: &str = "alg = \"none\"\nreason = \"only encrypted\"";
const SIGNED: &str = "from = \"header:sig\"\nalg = \"sha256\"\nencoding = \"hex\"\nmessage = \"${body}${secret}\"";

fn sealed(key: &str, plain: &str) -> String {
    let written = "profile = \"aes-256-cbc-ivprefix\"\nciphertext = \"${body}\"";
    let decrypt = Decrypt::compile(&toml::from_str(written).unwrap()).unwrap_or_else(|(_, wrong)| panic!("{wrong}"));
    let nothing = Incoming::nothing();
    let parsed = Parsed::new(&nothing, Reads::default());
    let (lets, settings) = Default::default();
    let (secrets, url, sig, own) = (&[("main", key.as_bytes())][..], None, &[][..], &[][..]);
    let view = View { parsed: &parsed, envelope: None, lets: &lets, settings: &settings, secrets, url, sig, own };
    decrypt.seal(&view, plain.as_bytes()).unwrap()
}

fn body(key: &str, plain: &str) -> String {
    encrypted(&sealed(key, plain))
}

fn encrypted(ciphertext: &str) -> String {
    format!("{{\"id\":\"7\",\"encrypt\":\"{ciphertext}\"}}")
}

/// Three blocks that end, with both keys, as no padding does.
fn foreign() -> String {
    encrypted(&"A".repeat(64))
}

#[test]
fn the_plaintext_is_the_document_and_the_envelope_stays_at_hand() {
    let source = source(&text(UNSIGNED, ""), &KEYS, &[]);
    for key in KEYS {
        let verified = verify(&source, &post(body(key, "{\"what\": \"a\"}"), &[]), at(0)).unwrap();
        let item = &verified.items[0];
        assert_eq!((item.declared.kind.as_str(), item.declared.id.as_deref()), ("a", Some("7")));
        assert_eq!(item.data, Data::Json("{\"what\":\"a\"}".into()));
    }
}

#[test]
fn a_wrong_key_that_opens_by_chance_does_not_stand_before_the_right_one() {
    let (first, both) = (source(&text(UNSIGNED, ""), &KEYS[..1], &[]), source(&text(UNSIGNED, ""), &KEYS, &[]));
    let opens = |body: &String| {
        let request = post(body.clone(), &[]);
        let parsed = Parsed::new(&request, first.provider.reads);
        let secrets = [("main", KEYS[0].as_bytes())];
        let decrypt = first.provider.payload.decrypt.as_ref().unwrap();
        decrypt.open(&View { secrets: &secrets, ..first.view(&parsed) }).is_ok()
    };
    let mut bodies = std::iter::repeat_with(|| body(KEYS[1], "{\"what\":\"a\"}")).take(100_000);
    let body = bodies.find(opens).unwrap();
    assert_eq!(verify(&both, &post(body, &[]), at(0)).unwrap().items[0].declared.kind, "a");
}

#[test]
fn a_stranger_does_not_learn_whether_what_he_made_up_opens() {
    let source = source(&text(UNSIGNED, ""), &KEYS, &[]);
    let refused = |body: String| verify(&source, &post(body, &[]), at(0)).unwrap_err();
    let opens_to_garbage = refused(body(KEYS[0], "no JSON"));
    let does_not_open = refused(foreign());
    assert_eq!((opens_to_garbage.reason, does_not_open.reason), (Reason::SignatureMismatch, Reason::SignatureMismatch));
    assert_eq!(opens_to_garbage.detail, does_not_open.detail);
    assert_eq!(refused("{\"encrypt\":\"AAAA\"}".into()).reason, Reason::SignatureMismatch);
    assert_eq!(refused("{}".into()).reason, Reason::SignatureMismatch);
}

#[test]
fn what_is_authentic_and_does_not_open_is_kept_sealed() {
    use sha2::Digest;
    let source = source(&text(SIGNED, ""), &KEYS, &[]);
    let signed = |body: String| {
        let sig = hex::encode(sha2::Sha256::digest(format!("{body}{}", KEYS[1])));
        verify(&source, &post(body, &[("sig", &sig)]), at(0)).unwrap()
    };
    assert_eq!(signed(body(KEYS[0], "{\"what\":\"a\"}")).items[0].declared.kind, "a");
    let kept = signed(foreign());
    assert!(kept.sealed.is_some_and(|why| why.contains("another key")));
    assert!(signed(body(KEYS[0], "no JSON")).malformed.is_some());
}

#[test]
fn a_request_without_ciphertext_may_come_where_the_description_says_so() {
    let source = |more: &str| source(&text(UNSIGNED, more), &KEYS, &[]);
    let plain = post("{\"what\":\"plain\"}".into(), &[]);
    assert_eq!(verify(&source("optional = true"), &plain, at(0)).unwrap().items[0].declared.kind, "plain");
    assert!(verify(&source(""), &plain, at(0)).is_err());
}

#[test]
fn a_key_of_the_wrong_length_is_told_at_start_by_its_secret() {
    let text = text(UNSIGNED, "");
    let description = parse(&text, "test", Grammar::Strict).unwrap();
    let provider = Provider::compile(description, &Places::new(&text, "test")).unwrap();
    let secrets = [("main".to_owned(), vec![KEYS[0].into(), "hunter2".into()])].into();
    let parts = SourceParts { secrets, ..SourceParts::default() };
    let wrong = Source::build("test", Arc::new(provider), parts).err().unwrap();
    assert!(wrong[0].starts_with("secrets.main: the key of [decrypt] is not 32 bytes"), "{wrong:?}");
    assert!(!wrong[0].contains("hunter2"));
}

#[test]
fn a_document_that_was_encrypted_for_another_is_encrypted_anew_for_whoever_plays_the_sender() {
    use crate::provider::sign::{PrivateKeys, seal, sign};
    let (mine, plain) = (source(&text(SIGNED, ""), &KEYS[..1], &[]), "{\"what\":\"a\"}");
    let sample = post(foreign(), &[("sig", "?")]);
    let sealed = seal(&mine, &sample, plain.as_bytes()).unwrap();
    let signed = sign(&mine, &sealed, &PrivateKeys::new(), at(0)).unwrap();
    let verified = verify(&mine, &Arc::new(signed.request), at(0)).unwrap();
    assert_eq!(verified.items[0].data, Data::Json(plain.into()));
}
