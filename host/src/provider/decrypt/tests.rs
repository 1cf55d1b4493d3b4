//! Published ciphertexts open, made ones too, and nothing else does.

use std::collections::BTreeMap;

use base64::Engine;
use serde_json::Value;

use super::super::view::{Parsed, Reads};
use super::*;
use crate::request::Incoming;

/// Of the senders' own pages and test suites; each names its source.
const PUBLISHED: &str = include_str!("vectors.json");

type Texts = BTreeMap<String, String>;

fn rule(text: &str) -> Decrypt {
    Decrypt::compile(&toml::from_str(text).unwrap()).unwrap_or_else(|(key, wrong)| panic!("{key}: {wrong}"))
}

fn with<T>(request: &Incoming, secrets: &Texts, settings: &Texts, look: impl FnOnce(&View<'_>) -> T) -> T {
    let parsed = Parsed::new(request, Reads { json: true, form: false, xml: true, query: true });
    let secrets: Vec<_> = secrets.iter().map(|(name, text)| (name.as_str(), text.as_bytes())).collect();
    let (lets, url, sig, own) = (BTreeMap::new(), None, &[][..], &[][..]);
    look(&View { parsed: &parsed, envelope: None, lets: &lets, settings, secrets: &secrets, url, sig, own })
}

fn texts(vector: &Value, table: &str) -> Texts {
    serde_json::from_value(vector[table].clone()).unwrap_or_default()
}

fn published() -> Vec<(String, Decrypt, Incoming, Texts, Texts, Value)> {
    let vectors: Vec<Value> = serde_json::from_str(PUBLISHED).unwrap();
    let read = |vector: Value| {
        let written = serde_json::from_value(vector["scheme"]["decrypt"].clone()).unwrap();
        let decrypt = Decrypt::compile(&written).unwrap_or_else(|(key, wrong)| panic!("{key}: {wrong}"));
        let text = |key: &str| vector["request"][key].as_str().unwrap().to_owned();
        let target = text("url").replace("https://receiver.example", "");
        let request = Incoming { target, body: text("body").into(), ..Incoming::nothing() };
        let mut secrets = texts(&vector, "secrets");
        secrets.extend(vector["secret"].as_str().map(|secret| ("main".to_owned(), secret.to_owned())));
        let name = vector["provider"].as_str().unwrap().to_owned();
        (name, decrypt, request, secrets, texts(&vector, "config"), vector)
    };
    vectors.into_iter().map(read).collect()
}

#[test]
fn published_ciphertexts_open() {
    let vectors = published();
    assert_eq!(vectors.len(), 6);
    for (name, decrypt, request, secrets, settings, vector) in vectors {
        let plain = with(&request, &secrets, &settings, |view| decrypt.open(view)).unwrap();
        let plain = String::from_utf8(plain.to_vec()).unwrap();
        match (&vector["expected_plaintext"], &vector["expected_plaintext_contains"]) {
            (Value::String(whole), _) => assert_eq!(&plain, whole, "{name}"),
            (_, Value::String(part)) => assert!(plain.contains(part.as_str()), "{name}: {plain}"),
            _ => assert!(!plain.is_empty(), "{name}"),
        }
    }
}

#[test]
fn another_key_opens_nothing_and_another_receiver_is_told_apart() {
    for (name, decrypt, request, mut secrets, mut settings, _) in published() {
        for receiver in settings.values_mut() {
            receiver.push('x');
        }
        let opened = with(&request, &secrets, &settings, |view| decrypt.open(view));
        assert_eq!(opened.err(), (!settings.is_empty()).then_some(DecryptError::Receiver), "{name}");
        for secret in secrets.values_mut() {
            secret.replace_range(1..2, if secret[1..].starts_with('x') { "y" } else { "x" });
        }
        let opened = with(&request, &secrets, &settings, |view| decrypt.open(view));
        assert_eq!(opened.err(), Some(DecryptError::Broken), "{name}");
    }
}

const KEY: &str = "0123456789abcdef0123456789ABCDEF";

fn rules() -> Vec<(&'static str, Decrypt)> {
    let rules = [
        ("aes-256-gcm", "nonce = '${header:n}'\naad = '${header:a?}'"),
        ("aes-256-cbc-ivprefix", ""),
        ("aes-256-ecb", ""),
        ("wx-msgcrypt", "receiver = '${config:me}'"),
    ];
    let rules = rules.map(|(profile, more)| {
        let key = if profile == "wx-msgcrypt" { "${secret:aes}" } else { "${secret}" };
        let text = format!("profile = '{profile}'\nciphertext = '${{body}}'\nkey = '{key}'\n{more}");
        (profile, rule(&text))
    });
    rules.into()
}

fn see<T>(body: impl Into<bytes::Bytes>, look: impl FnOnce(&View<'_>) -> T) -> T {
    let mut request = Incoming { body: body.into(), ..Incoming::nothing() };
    request.headers.insert("n", "fresh-nonce1".parse().unwrap());
    let text = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    let secrets = [text("main", KEY), text("aes", "kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aR")];
    with(&request, &secrets.into(), &[text("me", "corp")].into(), look)
}

#[test]
fn what_is_sealed_opens_again_whatever_its_length() {
    for (profile, rule) in rules() {
        for length in (0..70).chain([100_000]) {
            let plain: Vec<u8> = (0..length).map(|n| n as u8).collect();
            let sealed = see("", |view| rule.seal(view, &plain)).unwrap();
            let opened = see(sealed.clone(), |view| rule.open(view)).unwrap();
            assert_eq!(*opened, plain, "{profile}: {length}");
            let again = see("", |view| rule.seal(view, &plain)).unwrap();
            // A request has one nonce, and ECB has no place for chance.
            assert_eq!(again == sealed, ["aes-256-gcm", "aes-256-ecb"].contains(&profile), "{profile}");
        }
    }
}

#[test]
fn what_nobody_encrypted_is_refused_alike_whatever_its_length() {
    let allowed = [DecryptError::Text, DecryptError::Broken];
    for (profile, rule) in rules() {
        for length in 1..130 {
            let noise: Vec<u8> = (0..length).map(|n| (n * 37 + 11) as u8).collect();
            let opened = see(PADDED.encode(&noise), |view| rule.open(view));
            // One of 256 ends as padding does: what has no MAC is proven by the signature, or by nothing.
            let by_chance =
                opened.as_ref().is_ok_and(|plain| plain.len() < length && profile.starts_with("aes-256-cbc"));
            assert!(by_chance || allowed.contains(opened.as_ref().unwrap_err()), "{profile}: {length}");
        }
        for (text, error) in [("", DecryptError::Missing), (" \n", DecryptError::Missing), ("?!", DecryptError::Text)] {
            assert_eq!(see(text, |view| rule.open(view)).err(), Some(error), "{profile}: {text:?}");
            assert_eq!(see(text, |view| rule.applies(view)), text == "?!", "{profile}: {text:?}");
        }
        let wrapped = see("", |view| rule.seal(view, b"hello")).unwrap().replacen('=', "", 1);
        let wrapped = format!(" {}\r\n{}\n", &wrapped[..7], &wrapped[7..]);
        assert_eq!(see(wrapped, |view| rule.open(view)).unwrap().as_slice(), b"hello", "{profile}");
    }
}

#[test]
fn a_changed_ciphertext_does_not_open_as_what_it_was() {
    let plain = [7; 40];
    for (profile, rule) in rules() {
        let sealed = PADDED.decode(see("", |view| rule.seal(view, &plain)).unwrap()).unwrap();
        for bit in [0, 3, 7] {
            let mut changed = sealed.clone();
            *changed.last_mut().unwrap() ^= 1 << bit;
            let opened = see(PADDED.encode(&changed), |view| rule.open(view)).map(|plain| plain.to_vec());
            assert_ne!(opened, Ok(plain.to_vec()), "{profile}: bit {bit}");
            let checked = ["aes-256-gcm", "wx-msgcrypt"].contains(&profile);
            assert!(!checked || opened.is_err_and(|error| error >= DecryptError::Broken), "{profile}: bit {bit}");
        }
    }
}

/// Encrypts bytes as they are, so that what a sender should never write can be written.
fn forged(mut plain: Vec<u8>) -> String {
    use aws_lc_rs::cipher::{AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
    use base64::engine::general_purpose::STANDARD_NO_PAD;
    let key = STANDARD_NO_PAD.decode("kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aQ").unwrap();
    let iv: [u8; 16] = key[..16].try_into().unwrap();
    let cbc = EncryptingKey::cbc(UnboundCipherKey::new(&AES_256, &key).unwrap()).unwrap();
    cbc.less_safe_encrypt(&mut plain, EncryptionContext::Iv128(iv.into())).unwrap();
    PADDED.encode(plain)
}

#[test]
fn lengths_and_padding_inside_a_message_are_not_believed() {
    let (_, rule) = rules().pop().unwrap();
    let message = |length: u32, padding: [u8; 2]| {
        let mut plain = [&[1; 16][..], &length.to_be_bytes(), b"hi", b"corp"].concat();
        plain.extend(vec![padding[0]; 64 - plain.len() - 1]);
        plain.push(padding[1]);
        see(forged(plain), |view| rule.open(view)).map(|plain| plain.to_vec())
    };
    assert_eq!(message(2, [38, 38]), Err(DecryptError::Broken));
    for length in [39, 45, 1 << 31, u32::MAX] {
        assert_eq!(message(length, [6, 6]), Err(DecryptError::Broken), "{length}");
    }
    for padding in [[0, 0], [6, 7], [32, 33], [9, 255]] {
        assert_eq!(message(2, padding), Err(DecryptError::Broken), "{padding:?}");
    }
    assert_eq!((message(2, [6, 6]), message(38, [6, 6])), (Err(DecryptError::Receiver), Err(DecryptError::Receiver)));
    assert_eq!(see(forged(vec![16; 16]), |view| rule.open(view)).err(), Some(DecryptError::Broken));
}

#[test]
fn what_cannot_be_a_rule_is_told_by_its_key() {
    let wrong = |text: &str| {
        let written = format!("ciphertext = '${{body}}'\n{text}");
        Decrypt::compile(&toml::from_str(&written).unwrap())
            .err()
            .map(|(key, wrong)| format!("{key}: {wrong}"))
            .unwrap()
    };
    for (text, why) in [
        ("profile = 'aes-256-gmc'", "profile: \"aes-256-gmc\" is not a profile; did you mean \"aes-256-gcm\"?"),
        ("profile = 'aes-256-gcm'", "nonce: missing"),
        ("profile = 'aes-256-ecb'\nnonce = 'n'", "nonce: the profile aes-256-ecb has none"),
        ("profile = 'wx-msgcrypt'\nreceiver = 'r'\naad = 'a'", "aad: the profile wx-msgcrypt has none"),
        ("profile = 'wx-msgcrypt'", "receiver: missing"),
        ("profile = 'aes-256-cbc-ivprefix'\nreceiver = 'r'", "receiver: the profile aes-256-cbc-ivprefix has none"),
        ("profile = 'aes-256-ecb'\nkey = '${nope}'", "key: \"nope\" is not a source"),
    ] {
        assert!(wrong(text).starts_with(why), "{}", wrong(text));
    }
}

#[test]
fn a_key_of_another_length_is_told_without_being_shown() {
    for (profile, rule) in rules() {
        let secrets = [("main", "hunter2"), ("aes", "hunter2")].map(|(name, text)| (name.to_owned(), text.to_owned()));
        let wrong =
            with(&Incoming::nothing(), &secrets.into(), &Texts::new(), |view| rule.check_key(view)).unwrap_err();
        assert!(wrong.contains(profile) && !wrong.contains("hunter2"), "{wrong}");
        assert_eq!(see("", |view| rule.check_key(view)), Ok(()));
    }
}
