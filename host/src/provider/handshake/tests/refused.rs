//! Descriptions whose handshakes would give something away.

use super::{SIGNED_TOKEN, compiled};

fn complaints(shake: &str) -> String {
    compiled(shake).err().unwrap_or_default()
}

#[test]
fn a_description_that_gives_something_away_is_refused() {
    let with = |from: &str, to: &str| {
        assert!(SIGNED_TOKEN.contains(from), "{from}");
        complaints(&SIGNED_TOKEN.replace(from, to))
    };
    let respond = "body = \"{\\\"response_token\\\":\\\"sha256=${let:mac|base64}\\\"}\"";
    for (wrong, why) in [
        (complaints("[[handshake]]\nwhen = {}\n"), "handshake.0.when: would answer every request"),
        (complaints("[[handshake]]\nwhen = { absent = \"header:x-sign\" }\n"), "would answer every request"),
        (complaints("[[handshake]]\nwhen.method = \"POST\"\n"), "would answer every POST"),
        (complaints("[[handshake]]\nwhen.method = \"GTE\"\n"), "\"GTE\" is not a method"),
        (with("respond = {", "respond = { status = 99,"), "99 is not a status"),
        (with("hmac-sha256", "rsa-pkcs1-sha256"), "not a digest or MAC"),
        (with("hmac-sha256", "static"), "not a digest or MAC"),
        (with("message = \"${query:crc_token}\"", "message = \"${secret:word}\""), "reads nothing of the request"),
        (with("message = \"${query:crc_token}\"", "message = \"${query:crc_token|unbase64}\""), "goes through filters"),
        (with("message = \"${query:crc_token}\"", "message = \"${query:a}${query:b}${query:c}\""), "more than 2"),
        (
            with("message = \"${query:crc_token}\"", "message = \"${method}${query:crc_token}\""),
            "method depends on the request",
        ),
        (
            complaints(&format!(
                "[let.x]\nwhen = {{ present = \"header:x\" }}\ntemplate = \"a\"\n{}",
                SIGNED_TOKEN.replace("message = \"", "message = \"${let:x?}")
            )),
            "let:x depends on the request (header:x)",
        ),
        (with("message =", "key = { value = \"${query:key}\" }, message ="), "would choose the key"),
        (with("message =", "key = { from = \"form:cert\", chain = \"webpki\" }, message ="), "form and value alone"),
        (with(respond, "body = \"${secret}${let:mac|hex}\""), "would be told to whoever asks"),
        (with(respond, "body = \"${let:x|md5|hex}\" }\n[let]\nx = \"${secret}\" #"), "would be told to whoever asks"),
        (with(respond, "body = \"${now}\""), "are not there in a handshake"),
        (with(respond, "body = \"${secret:mian}\""), "would be told"),
        (with("mac =", "token_pattern = \".*\"\nmac ="), "lets an event through"),
        (with("mac =", "token_pattern = \"a)|(b\"\nmac ="), "handshake.0.token_pattern"),
        (
            with("mac =", "capture = { mian = \"json:/t\" }\nmac ="),
            "mian is not declared under [secrets]; did you mean",
        ),
        (with("mac =", "capture = { main = \"secret:word\" }\nmac ="), "nothing that a sender tells"),
        (
            with("mac =", "require = { left = \"${let:nope}\", right = \"${secret:nope}\" }\nmac ="),
            "let:nope is not declared",
        ),
        (with(respond, "headers = { content-length = \"3\" }"), "the host's to send"),
        (
            complaints("[[handshake]]\nwhen.method = \"GET\"\nrespond.body = \"${let:mac|hex}\"\n"),
            "let:mac is not declared",
        ),
        (with("[[handshake]]", "[let]\nmac = \"x\"\n[[handshake]]"), "takes this name"),
        (
            complaints(
                "[let.all]\ncollect = \"query\"\n[[handshake]]\nwhen.method = \"GET\"\nrespond.body = \"${let:all}\"\n",
            ),
            "fields that nobody has named",
        ),
        (
            complaints(
                "[let]\na = \"${let:b}\"\nb = \"${let:a}\"\n[[handshake]]\nwhen.method = \"GET\"\nrespond.body = \"${let:a}\"\n",
            ),
            "reads itself",
        ),
        (
            complaints(
                "[provider]\nid = \"x\"\n[route]\npath = \"/x\"\n[[verify]]\nalg = \"none\"\nreason = \"r\"\n[[handshake]]\nsigned = true\nwhen.method = \"GET\"\n",
            ),
            "signs nothing",
        ),
    ] {
        assert!(wrong.contains(why), "{why}: {wrong}");
    }
}
