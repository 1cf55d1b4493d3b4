use super::*;

fn guess(text: &str) -> Guess {
    Guess::of("acme", Case::parse(text.as_bytes()).unwrap())
}

const DIGEST: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

#[test]
fn a_digest_behind_a_prefix_is_one_over_time_and_body() {
    let text = format!(
        "POST /hooks/acme?x=1 HTTP/1.1\nX-Acme-Signature: sha256={DIGEST}\nX-Acme-Timestamp: 1772442900\nCookie: session=1\n\
         Content-Type: application/json; charset=utf-8\n\n{{\"id\":\"e1\",\"type\":\"paid\",\"card\":{{\"card_no\":\"4000\"}}}}"
    );
    let guess = guess(&text);
    for part in [
        "path = \"/hooks/acme\"",
        "from = \"header:x-acme-signature\"\nprefix = \"sha256=\"\nencoding = \"hex\"\nalg = \"hmac-sha256\"",
        "message = \"${header:x-acme-timestamp}.${body}\"",
        "[timestamp]\nfrom = \"header:x-acme-timestamp\"\nformat = \"unix_s\"",
        "type = \"json:/type\"\nid = \"json:/id\"",
        "redact = [\"/card/card_no\"]",
    ] {
        assert!(guess.description.contains(part), "{part} is not in\n{}", guess.description);
    }
    let sample = String::from_utf8(guess.sample.with(&guess.sample.request)).unwrap();
    assert!(!sample.contains("session") && !sample.contains(DIGEST) && !sample.contains("4000"), "{sample}");
}

#[test]
fn parts_and_tokens_and_nothing_are_told_apart() {
    let parts = guess(&format!("POST /a HTTP/1.1\nAcme-Signature: t=1772442900,v1={DIGEST},v0={DIGEST}\n\n{{}}"));
    for part in ["parse = \"kv\"\npick = \"v1\"", "message = \"${sig:t}.${body}\"", "from = \"sig:t\""] {
        assert!(parts.description.contains(part), "{part} is not in\n{}", parts.description);
    }
    assert!(!String::from_utf8_lossy(&parts.sample.with(&parts.sample.request)).contains(DIGEST));
    let token = guess("POST /a HTTP/1.1\nAuthorization: Bearer s3cret-of-theirs\n\n{\"event\":\"x\"}");
    assert!(
        token.description.contains("prefix = \"Bearer \"\nalg = \"static\"")
            && token.description.contains("covers = \"none\"")
    );
    assert!(!String::from_utf8_lossy(&token.sample.with(&token.sample.request)).contains("s3cret"));
    assert!(guess("POST /a HTTP/1.1\n\na=1").description.contains("alg = \"none\""));
}
