//! What a handshake would sign for whoever asks proves no event.

use std::sync::Arc;

use jiff::Timestamp;

use super::{SIGNED_TOKEN, get, mac, request, source, told};
use crate::provider::verify::verify;
use crate::reason::Reason;

#[test]
fn what_a_handshake_would_sign_proves_no_event() {
    let source = source(SIGNED_TOKEN);
    let signed = |body: &str| {
        let sign = mac("hmac-sha256", "utf8", "s3cret", body);
        let request = request("POST", "", &[("x-sign", &sign)], body);
        verify(&source, &Arc::new(request), Timestamp::UNIX_EPOCH).map(|_| ()).map_err(|rejection| rejection.reason)
    };
    assert_eq!(signed(r#"{"id":1}"#), Ok(()));
    // JSON documents, both; and both can be had by asking.
    for forged in ["17", "true"] {
        assert_eq!(signed(forged), Err(Reason::SignatureMismatch), "{forged}");
    }
    assert_eq!(signed("[17]"), Ok(()));
}

#[test]
fn the_guard_knows_messages_of_several_parts() {
    let shake = SIGNED_TOKEN
        .replace("message = \"${query:crc_token}\"", "message = \"v0:${config:public_key}:${let:two}$(.${query:t})\"");
    let shake = shake.replace(
        "[[handshake]]",
        "[let.two]\nwhen = { method = \"GET\" }\ntemplate = \"${query:crc_token}${secret:word}\"\n[[handshake]]",
    );
    let source = source(&shake);
    for inside in ["v0:pk:tokenold", "v0:pk:tokenopen sesame", "v0:pk:tokenold.x", "v0:pk:oldold"] {
        assert!(source.guards("hmac-sha256", inside.as_bytes()), "{inside}");
        assert!(!source.guards("hmac-sha512", inside.as_bytes()), "{inside}");
    }
    for outside in
        ["v0:pk:token", "v0:qk:tokenold", "v0:pk:old", "v0:pk:to kenold", "v0:pk:tokenold.", "v0:pk:tokenold.{}"]
    {
        assert!(!source.guards("hmac-sha256", outside.as_bytes()), "{outside}");
    }
    assert!(source.guards("jwt-hs256", b"v0:pk:tokenold"));
}

#[test]
fn a_plain_digest_takes_its_secret_in_the_message() {
    let shake = SIGNED_TOKEN
        .replace("hmac-sha256", "sha256")
        .replace("${query:crc_token}\"", "${query:crc_token}${secret}${config:public_key}\"");
    let source = source(&shake.replace("base64", "hex"));
    let wanted = mac("sha256", "utf8", "", "abcs3cretpk");
    assert!(told(get(&source, "?crc_token=abc")).1.contains(&wanted));
    assert!(source.guards("sha256", b"xs3cretpk") && !source.guards("sha256", b"xs3cret"));
}
