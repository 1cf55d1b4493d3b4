//! JSON Web Tokens: the description pins the algorithm, claims bind the request, and a token holds for a while.

use super::*;
use crate::provider::signature::Encoding;

/// A token whose claims bind the body, as several senders have it.
const TOKEN: &str = r#"
[provider]
id = "tokens"
content = "json"
[route]
path = "/tokens"
[secrets.main]
about = "the secret"
[settings.audience]
about = "who we are"
default = "us"
[[verify]]
from = "header:authorization"
prefix = "Bearer "
alg = "jwt-hs256"
claims = { iss = "acme", payload_hash = "${body|sha256|hex}", aud = "${config:audience}" }
[event]
type = "jwt:event"
id = "jwt:jti"
subject = "jwt:nested"
"#;

/// RFC 7515, A.1: claims of iss "joe" and exp 1300819380.
const PAYLOAD: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

fn sha256(body: &str) -> String {
    use sha2::Digest;
    hex::encode(sha2::Sha256::digest(body))
}

fn claims(more: &str) -> String {
    format!(r#"{{"iss":"acme","aud":"us","payload_hash":"{}"{more}}}"#, sha256("{}"))
}

fn token(header: &str, claims: &str, secret: &[u8]) -> String {
    let write = |part: &[u8]| Encoding::Base64Url.encode(part);
    let signed = format!("{}.{}", write(header.as_bytes()), write(claims.as_bytes()));
    let key = crate::provider::key::KeyText { form: "utf8", text: secret, user_id: "" };
    let scheme = (crate::provider::algorithm::named("hmac-sha256").unwrap().prepare)(&key).unwrap();
    format!("{signed}.{}", write(&scheme.expected(signed.as_bytes()).unwrap()))
}

fn hs256(claims: &str) -> String {
    token(r#"{"alg":"HS256","typ":"JWT"}"#, claims, b"s")
}

fn judge(source: &Source, token: &str, body: &'static str, second: i64) -> Result<Verified, crate::reason::Rejection> {
    verify(source, &request(&[("authorization", &format!("Bearer {token}"))], body), at(second))
}

fn refusal(source: &Source, token: &str) -> (Reason, String) {
    let rejection = judge(source, token, "{}", 0).unwrap_err();
    (rejection.reason, rejection.detail)
}

#[test]
fn a_token_that_is_signed_and_binds_the_request_is_an_event_named_by_its_claims() {
    let source = source(TOKEN, &["other", "s"], &[]);
    let token = hs256(&claims(r#","jti":"a-1","event":"paid","nested":{"a": 1.50}"#));
    let verified = judge(&source, &token, "{}", 0).unwrap();
    let declared = &verified.items[0].declared;
    assert_eq!((declared.kind.as_str(), declared.id.as_deref()), ("paid", Some("a-1")));
    assert_eq!(declared.subject.as_deref(), Some(r#"{"a":1.50}"#));
    let rejection = judge(&source, &token, "{ }", 0).unwrap_err();
    assert_eq!(rejection.reason, Reason::SignatureMismatch);
    assert!(rejection.detail.contains("claim payload_hash"), "{}", rejection.detail);
}

/// RFC 7515, A.1 to A.3.
#[test]
fn the_standards_own_tokens_verify_with_the_standards_own_keys() {
    let oct =
        r#"{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}"#;
    let rsa = r#"{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}"#;
    let curve = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
    let tokens = [
        (
            "jwt-hs256",
            format!("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{PAYLOAD}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
        ),
        (
            "jwt-rs256",
            format!(
                "eyJhbGciOiJSUzI1NiJ9.{PAYLOAD}.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
            ),
        ),
        (
            "jwt-es256",
            format!(
                "eyJhbGciOiJFUzI1NiJ9.{PAYLOAD}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
            ),
        ),
    ];
    let keys = format!(r#"{{"keys":[{oct},{rsa},{curve}]}}"#);
    for (algorithm, _) in &tokens {
        let text = TOKEN.replace("jwt-hs256\"", &format!("{algorithm}\"\nkey = {{ form = \"jwks\" }}"));
        let text = text.replace(
            "iss = \"acme\", payload_hash = \"${body|sha256|hex}\", aud = \"${config:audience}\"",
            "iss = \"joe\"",
        );
        let source = source(&text, &[&keys], &[]);
        for (other, token) in &tokens {
            let expected = if other == algorithm { None } else { Some(Reason::Algorithm) };
            assert_eq!(reason(judge(&source, token, "{}", 1_300_819_379)), expected, "{algorithm} {other}");
        }
    }
}

#[test]
fn the_algorithm_is_the_descriptions_and_never_the_tokens() {
    let (_, public) = super::keys::pair();
    let text = TOKEN.replace("jwt-hs256", "jwt-es256");
    let pinned = source(&text, &[&public], &[]);
    let claims = claims("");
    for header in [r#"{"alg":"none"}"#, r#"{"alg":"None"}"#, r#"{}"#, r#"{"alg":["ES256"]}"#, r#"{"alg":"es256"}"#] {
        let unsigned = token(header, &claims, b"x");
        let unsigned = unsigned.rsplit_once('.').unwrap().0;
        assert_eq!(refusal(&pinned, &format!("{unsigned}.")).0, Reason::Algorithm, "{header}");
    }
    // Signed with the public key as if it were a shared one, in every shape that it has.
    for key in [public.as_str(), public.trim(), &public.replace('\n', "")] {
        let confused = token(r#"{"alg":"HS256"}"#, &claims, key.as_bytes());
        assert_eq!(refusal(&pinned, &confused).0, Reason::Algorithm);
        let relabelled = token(r#"{"alg":"ES256"}"#, &claims, key.as_bytes());
        assert_eq!(refusal(&pinned, &relabelled).0, Reason::SignatureMismatch);
    }
    let parts = crate::provider::source::SourceParts {
        secrets: [("main".to_owned(), vec![public.as_str().into()])].into(),
        ..SourceParts::default()
    };
    let provider = Provider::compile(parse(TOKEN, "p", Grammar::Strict).unwrap(), &Places::new(TOKEN, "p"));
    let wrong = Source::build("p", Arc::new(provider.ok().unwrap()), parts).err().unwrap().join("\n");
    assert!(wrong.contains("secrets.main: the key is PEM") && !wrong.contains("MFkw"), "{wrong}");
}

#[test]
fn keys_that_a_token_brings_along_are_not_looked_at() {
    let source = source(TOKEN, &["s"], &[]);
    let brought =
        r#""jku":"https://evil.example/keys","x5u":"https://evil.example/c","jwk":{"kty":"oct","k":"eA"},"kid":"../x""#;
    let header = format!(r#"{{"alg":"HS256",{brought}}}"#);
    assert!(judge(&source, &token(&header, &claims(""), b"s"), "{}", 0).is_ok());
    assert_eq!(refusal(&source, &token(&header, &claims(""), b"x")).0, Reason::SignatureMismatch);
}

#[test]
fn what_is_no_plain_token_is_refused() {
    let source = source(TOKEN, &["s"], &[]);
    let good = hs256(&claims(""));
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let twice = claims(r#","iss":"acme""#);
    for (bad, why) in [
        (token(r#"{"alg":"HS256","crit":["exp"],"exp":1}"#, &claims(""), b"s"), "crit"),
        (token(r#"{"alg":"HS256","alg":"HS256"}"#, &claims(""), b"s"), "is none"),
        (hs256(&twice), "is none"),
        (hs256("[]"), "is none"),
        (hs256(""), "is none"),
        (format!("{signed}."), "no signature matches"),
        (signed.to_owned(), "is none"),
        (format!("{good}.x.x"), "is none"),
        (format!(" {signed} .{signature}"), "is none"),
        (".".into(), "is none"),
        ("..".into(), "is none"),
        (hs256(&claims(&format!(r#","x":"{}""#, "x".repeat(16_000)))), "longer than"),
        ("x.".repeat(500_000), "longer than"),
        ("a".repeat(1 << 20), "longer than"),
        (format!("{},{good}", "x".repeat(1 << 20)), "longer than"),
    ] {
        let (reason, detail) = refusal(&source, &bad);
        assert_eq!(reason, Reason::SignatureMismatch, "{why}");
        assert!(detail.contains(why), "{why}: {detail}");
    }
    let bare = request(&[("authorization", &good)], "{}");
    assert_eq!(reason(verify(&source, &bare, at(0))), Some(Reason::SignatureMismatch));
    assert_eq!(reason(verify(&source, &request(&[], "{}"), at(0))), Some(Reason::SignatureMissing));
}

#[test]
fn a_claim_says_what_it_must_as_text_as_number_or_in_a_list() {
    let text = TOKEN
        .replace("iss = \"acme\", payload_hash = \"${body|sha256|hex}\", aud =", "n = \"1.50\", b = \"true\", aud =");
    let source = source(&text, &["s"], &[]);
    let judged = |claims: &str| reason(judge(&source, &hs256(claims), "{}", 0));
    for good in [
        r#"{"n":1.50,"b":true,"aud":"us"}"#,
        r#"{"n":"1.50","b":"true","aud":["them","us"]}"#,
        r#"{"n":1.50,"b":true,"aud":["\u0075s"]}"#,
    ] {
        assert_eq!(judged(good), None, "{good}");
    }
    for bad in [
        r#"{"n":1.5,"b":true,"aud":"us"}"#,
        r#"{"n":1.50,"b":true,"aud":["them"]}"#,
        r#"{"n":1.50,"b":true,"aud":[["us"]]}"#,
        r#"{"n":1.50,"b":true,"aud":{"us":"us"}}"#,
        r#"{"n":1.50,"b":true,"aud":null}"#,
        r#"{"n":1.50,"b":true}"#,
        r#"{"n":1.50,"b":true,"aud":"u"}"#,
    ] {
        assert_eq!(judged(bad), Some(Reason::SignatureMismatch), "{bad}");
    }
}

#[test]
fn a_token_holds_from_nbf_until_exp_with_a_minute_for_the_clocks() {
    let source = source(TOKEN, &["s"], &[]);
    let judged = |more: &str, second| reason(judge(&source, &hs256(&claims(more)), "{}", second));
    let window = r#","nbf":1000,"exp":2000"#;
    for (second, expected) in
        [(939, Some(Reason::TimestampFuture)), (940, None), (2059, None), (2060, Some(Reason::TimestampExpired))]
    {
        assert_eq!(judged(window, second), expected, "{second}");
    }
    assert_eq!(judged("", 9_000_000), None);
    assert_eq!(judged(r#","exp":2000.75"#, 2059), None);
    for never in [r#","exp":"soon""#, r#","exp":true"#, r#","nbf":[1]"#, r#","exp":1e300"#] {
        assert_eq!(judged(never, 1000), Some(Reason::TimestampMissing), "{never}");
    }
    // Authentic and out of time: kept so that it can be released, and nothing of it is refused as forged.
    assert!(judge(&source, &hs256(&claims(window)), "{}", 9000).unwrap().stale.is_some());
    assert_eq!(judge(&source, &hs256(&claims(window)), "{ }", 9000).unwrap_err().reason, Reason::SignatureMismatch);
}

#[test]
fn an_old_token_lets_nobody_leave_a_body_that_cannot_be_read() {
    let text = TOKEN.replace("payload_hash = \"${body|sha256|hex}\", ", "");
    let source = source(&text, &["s"], &[]);
    let token = hs256(&claims(r#","exp":2000"#));
    let broken = judge(&source, &token, "not JSON", 1000).unwrap();
    assert!(broken.malformed.is_some());
    assert_eq!(judge(&source, &token, "not JSON", 9000).unwrap_err().reason, Reason::Malformed);
    assert!(judge(&source, &token, "{}", 9000).unwrap().stale.is_some());
}

#[test]
fn a_description_says_the_leeway_or_an_age() {
    let timed = |table: &str| source(&format!("{TOKEN}[timestamp]\n{table}\n"), &["s"], &[]);
    let judged = |source: &Source, more: &str, second| reason(judge(source, &hs256(&claims(more)), "{}", second));
    let window = timed("from = \"jwt:nbf/exp\"\nformat = \"unix_s\"\ntolerance_s = 5");
    assert_eq!(judged(&window, r#","exp":2000"#, 2004), None);
    assert_eq!(judged(&window, r#","exp":2000"#, 2005), Some(Reason::TimestampExpired));
    assert_eq!(judged(&window, r#","nbf":1000"#, 1000), Some(Reason::TimestampMissing));
    let none = timed("from = \"jwt:nbf/exp\"\ntolerance_s = 0");
    assert_eq!(judged(&none, r#","nbf":1000,"exp":2000"#, 1000), None);
    assert_eq!(judged(&none, r#","nbf":1000,"exp":2000"#, 999), Some(Reason::TimestampFuture));
    assert_eq!(judged(&none, r#","nbf":1000,"exp":2000"#, 2000), Some(Reason::TimestampExpired));
    let aged = timed("from = \"jwt:iat\"\nformat = \"unix_s\"\ntolerance_s = 300");
    assert_eq!(judged(&aged, r#","iat":1000.5"#, 1300), None);
    assert_eq!(judged(&aged, r#","iat":1000"#, 1301), Some(Reason::TimestampExpired));
    assert_eq!(judged(&aged, r#","iat":1000,"exp":1100"#, 1200), Some(Reason::TimestampExpired));
    assert_eq!(judged(&aged, "", 1000), Some(Reason::TimestampMissing));
}

#[test]
fn words_for_tokens_stand_only_where_they_mean_something() {
    let wrong = |from: &str, to: &str| super::keys::complaints(&TOKEN.replace(from, to));
    assert_eq!(wrong("", ""), "");
    assert!(wrong("alg =", "message = \"${body}\"\nalg =").contains("message: a token signs itself"));
    assert!(wrong("alg =", "encoding = \"hex\"\nalg =").contains("encoding: a token is always"));
    assert!(wrong("alg =", "form = \"raw\"\nalg =").contains("form: is how a curve's"));
    assert!(wrong("jwt-hs256", "hmac-sha256").contains("claims: are what a token says"));
    assert!(wrong("jwt-hs256", "jwt-hs265").contains("did you mean \"jwt-hs256\"?"));
    let elsewhere = format!("{SIGNED}subject = \"jwt:sub\"\n");
    assert!(super::keys::complaints(&elsewhere).contains("jwt:sub is a claim of a token"));
    let window = SIGNED.replace("\"sig:t\"", "\"jwt:nbf/exp\"");
    assert!(super::keys::complaints(&window).contains("jwt:nbf/exp is a token's"));
    let unbound = format!("{TOKEN}[timestamp]\nfrom = \"json:/at\"\n");
    assert_eq!(super::keys::complaints(&unbound), "");
    let unbound = unbound.replace("payload_hash = \"${body|sha256|hex}\", ", "");
    assert!(super::keys::complaints(&unbound).contains("an unsigned time proves nothing"));
}
