//! Signing: over what, with which keys, and what a person may see of it.

use std::sync::Arc;

use bytes::Bytes;
use hookport_plugin_api::operation::RequestPlan;

use super::super::Plan;
use super::{GET, POST, body, built, header, made, moment, source};
use crate::provider::algorithm;
use crate::provider::key::KeyText;
use crate::provider::source::Source;
use crate::provider::verify::verify;
use crate::request::Incoming;

fn mac(name: &str, key: &str, message: &str) -> String {
    let key = KeyText { form: "utf8", text: key.as_bytes(), user_id: "" };
    let scheme = (algorithm::named(name).unwrap().prepare)(&key).unwrap();
    hex::encode(scheme.expected(message.as_bytes()).unwrap())
}

#[test]
fn what_is_signed_is_what_is_sent() {
    let sign = r#"
[let.all]
collect = "json"
exclude = ["sign"]
[[sign]]
now = "unix_s"
nonce = { length = 2 }
set = { "header:x-digest" = "${body|sha256|hex}", "json:/t" = { json = "${now}" }, "json:/n" = "${nonce}", "query:v" = "2 3" }
alg = "hmac-sha256"
message = "${method}|${url.target}|${header:host}|${header:x-digest}|${let:all}"
value = "v1 ${mac|hex|upper}"
to = "json:/sign"
"#;
    let source = source(&format!("{POST}{sign}"));
    let draft = made(&source, "post", r#"{"name":"a","list":0}"#).unwrap();
    let unsigned = r#"{"name":"a","list":0,"limit":10,"n":"n0","t":1700000000"#;
    let digest = mac("sha256", "", &format!("{unsigned}}}"));
    let message = format!("POST|/v1/items?v=2%203|api.acme.test|{digest}|limit=10&list=0&n=n0&name=a&t=1700000000");
    let expected = mac("hmac-sha256", "s3cret", &message).to_uppercase();
    assert_eq!(body(&draft), format!(r#"{unsigned},"sign":"v1 {expected}"}}"#));
    assert_eq!(header(&draft.headers(), "x-digest"), digest);
}

/// A webhook scheme with its time in the signature's own text.
const VERIFY: &str = r#"
[route]
path = "/acme"
[[verify]]
from = "header:acme-signature"
parse = "kv"
pick = "v1"
encoding = "hex"
alg = "hmac-sha256"
message = "${sig:t}.${url.target}.${body}"
[timestamp]
from = "sig:t"
format = "unix_s"
tolerance_s = 300
"#;

#[test]
fn one_declaration_verifies_and_signs() {
    let in_header = "[route]\npath = \"/acme\"\n[[verify]]\nwhen = { equals = [\"header:x-alg\", \"sm3\"] }\nfrom = \"header:x-sig\"\n\
                     alg = \"sha256\"\nmessage = \"none ${secret}${header:x-time}\"\n\
                     [[verify]]\nfrom = [\"json:/sign\", \"header:x\"]\nprefix = \"s=\"\nencoding = \"base64\"\nalg = \"sm3\"\n\
                     message = [\"${header:none}${json:/t}${secret}\", \"${json:/name}${json:/t}${secret}\"]\n\
                     [timestamp]\nfrom = \"json:/t\"\nformat = [\"unix_ms\"]\ntolerance_s = 300\n";
    for scheme in [
        VERIFY.to_owned(),
        VERIFY.replace("sig:t", "header:x-time"),
        in_header.replace("${header:x-time}", "${json:/t}"),
    ] {
        let operation = POST.replace("id = \"post\"", "id = \"post\"\nsign = \"verify\"");
        let source = source(&format!("{scheme}{operation}"));
        let draft = made(&source, "post", r#"{"name":"a","list":0}"#).unwrap();
        let request = Arc::new(draft.request.clone());
        verify(&source, &request, moment().now).map(|verified| assert!(verified.stale.is_none())).unwrap();
        let forged = Incoming { body: Bytes::from_static(b"{}"), ..draft.request.clone() };
        assert!(verify(&source, &Arc::new(forged), moment().now).is_err(), "{scheme}");
    }
}

/// Signs the same with a private key, and gives the signature's bytes as the provider's public key sees them.
fn asymmetric(alg: &str, more: &str, private: &str, public: &str) -> bool {
    let sign = format!(
        "[[sign]]\nalg = \"{alg}\"\nkey = {{ value = \"${{secret:key}}\" }}\nmessage = \"${{method}} ${{url}}\"\n\
         encoding = \"base64\"\nto = \"header:x-sig\"\n{more}"
    );
    let source = built(&format!("{GET}{sign}"), &[("key", private)], &[]).unwrap();
    let draft = made(&source, "get", r#"{"id":"1","b":""}"#).unwrap();
    let scheme = (algorithm::named(alg).unwrap().prepare)(&KeyText {
        form: "pem",
        text: public.as_bytes(),
        user_id: if more.contains("user_id") { "acme" } else { "1234567812345678" },
    });
    use base64::Engine;
    let signature = base64::engine::general_purpose::STANDARD.decode(header(&draft.headers(), "x-sig")).unwrap();
    let signature = match more.contains("raw") || alg != "sm2-sm3" {
        true => signature,
        false => sm2::dsa::Signature::from_der(&signature).unwrap().to_vec(),
    };
    scheme.unwrap().verify(b"GET https://api.acme.test/v1/items/1?a=x%20y&b=", &signature)
}

fn key(path: &str) -> String {
    std::fs::read_to_string(format!("{}/../plugins/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn a_private_key_signs_what_its_public_key_verifies() {
    let rsa = [key("sgate/fixtures/keys/system_private_key.pem"), key("sgate/fixtures/keys/system_public_key.pem")];
    for digest in ["md5", "sha1", "sha256", "sha512"] {
        assert!(asymmetric(&format!("rsa-pkcs1-{digest}"), "", &rsa[0], &rsa[1]), "{digest}");
    }
    let sm2 = [key("evo-cloud/fixtures/keys/sm2_private_key.pem"), key("evo-cloud/fixtures/keys/sm2_public_key.pem")];
    for more in ["", "form = \"raw\"\n", "form = \"der\"\nuser_id = \"acme\"\n"] {
        assert!(asymmetric("sm2-sm3", more, &sm2[0], &sm2[1]), "{more}");
    }
}

#[test]
fn a_key_that_cannot_sign_is_told_with_its_name_and_without_its_text() {
    let sign =
        "[[sign]]\nalg = \"rsa-pkcs1-md5\"\nkey = { value = \"${secret:key}\" }\nmessage = \"x\"\nto = \"header:x\"\n";
    let text = format!("{GET}{sign}");
    let sm2 = key("evo-cloud/fixtures/keys/sm2_private_key.pem");
    for (secret, words) in [(sm2.as_str(), "another kind of key"), ("not-a-key", "PEM")] {
        let said = built(&text, &[("key", secret)], &[]).map(|_| ()).unwrap_err();
        assert!(said.starts_with("secrets.key: ") && said.contains(words) && !said.contains("not-a-key"), "{said}");
    }
    // Optional, and missing: only the call is refused.
    let source = built(&text, &[], &[]).unwrap();
    let said = made(&source, "get", r#"{"id":"1","b":"2"}"#).unwrap_err().to_string();
    assert_eq!(said, "secrets.key is not set, and the request is signed with it");
}

#[test]
fn a_plugins_plan_is_signed_as_any_request_and_its_secrets_are_filled_in() {
    let sign = "[[sign]]\nnow = \"unix_s\"\nset = { \"header:x-time\" = \"${now}\" }\nalg = \"hmac-sha256\"\n\
                message = \"${header:x-time}${url.target}${body}\"\nto = \"query:sign\"\n";
    let source = source(&format!("{GET}{sign}"));
    let mut plan = RequestPlan::new("POST", "https://api.acme.test/a/../b?c=1#d");
    plan.headers.push(("authorization".into(), "Bearer ${secret:main}".into()));
    plan.body = b"{}".to_vec();
    let call = source.provider.calls.named("get").unwrap();
    let draft = source.make(call, &Plan::Built(plan.clone()), &moment()).unwrap();
    let sign = mac("hmac-sha256", "s3cret", "1700000000/b?c=1{}");
    assert_eq!(draft.url(), format!("https://api.acme.test/b?c=1&sign={sign}"));
    assert_eq!(header(&draft.headers(), "authorization"), "Bearer s3cret");
    assert!(draft.headers()["authorization"].is_sensitive());
    let shown = source.show(call, &Plan::Built(plan.clone()), &moment()).unwrap();
    assert_eq!((shown.url(), header(&shown.headers(), "authorization")), (draft.url(), "Bearer ***"));
    plan.headers = vec![("Host".into(), "elsewhere.test".into())];
    let said = source.make(call, &Plan::Built(plan), &moment()).unwrap_err().to_string();
    assert!(said.contains("the gateway's own"), "{said}");
}

fn shown(source: &Source, operation: &str, input: &str) -> String {
    let call = source.provider.calls.named(operation).unwrap();
    let fresh = super::Moment { nonce: None, ..moment() };
    let draft = source.show(call, &Plan::Input(input.to_owned()), &fresh).unwrap();
    format!("{} {} {:?} {}", draft.method(), draft.url(), draft.headers(), body(&draft))
}

#[test]
fn what_is_shown_has_no_secret_in_any_spelling() {
    let text = "[[operations]]\nid = \"leaky\"\n[operations.request]\nmethod = \"POST\"\n\
                url = \"https://api.acme.test/bot${secret}/x\"\nquery = { k = \"${secret|base64}\" }\n\
                headers = { A = \"Basic ${secret|base64}\", B = \"${secret|sha1|hex}\" }\n\
                form = { p = \"${secret|upper}\" }\n";
    let token = "[[sign]]\nalg = \"static\"\nprefix = \"Bearer \"\nto = \"header:authorization\"\n\
                 set = { \"form:again\" = \"${secret|hex}\" }\n";
    let source = source(&format!("{text}{token}"));
    let draft = made(&source, "leaky", "{}").unwrap();
    assert_eq!(header(&draft.headers(), "authorization"), "Bearer s3cret");
    assert!(draft.url().ends_with("/bots3cret/x?k=czNjcmV0"), "{}", draft.url());
    let shown = shown(&source, "leaky", "{}");
    for spelling in ["s3cret", "S3CRET", "czNjcmV0", "733363726574", &mac("sha1", "", "s3cret")] {
        assert!(!shown.contains(spelling), "{spelling}: {shown}");
    }
    assert!(shown.contains("/bot***/x") && shown.contains("Bearer ***"), "{shown}");
}

#[test]
fn what_is_shown_is_signed_as_what_would_be_sent() {
    let sign = "[[sign]]\nnonce = {}\nset = { \"json:/nonce\" = \"${nonce}\", \"json:/key\" = \"${secret}\" }\n\
                alg = \"sm3\"\nmessage = \"${body}${secret}\"\nto = \"header:x-sig\"\n";
    let signed = sign.replace("alg", "prefix = \"n=${nonce};\"\nalg");
    let source = source(&format!("{POST}{signed}"));
    let shown = shown(&source, "post", r#"{"name":1,"list":2}"#);
    let nonce = shown.split_once("n=").unwrap().1.split_once(';').unwrap().0;
    assert!(shown.contains(&format!("\"nonce\":\"{nonce}\"")), "one nonce, wherever it stands: {shown}");
    let real = format!(r#"{{"name":1,"list":2,"limit":10,"key":"s3cret","nonce":"{nonce}"}}"#);
    assert!(shown.contains(&format!("n={nonce};{}", mac("sm3", "", &format!("{real}s3cret")))), "{shown}");
}
