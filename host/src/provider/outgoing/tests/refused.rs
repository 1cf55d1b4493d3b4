//! What is wrong with a declaration is said when it is compiled: with its key, and with the way out.

use super::{GET, POST, compiled};

/// A signature that is nothing but right.
const SIGN: &str = r#"
[[sign]]
alg = "hmac-sha256"
message = "${body}"
to = "header:x-sig"
"#;

fn said(text: &str) -> String {
    compiled(text).map(|_| String::new()).unwrap_or_else(|said| said)
}

/// `POST` and `SIGN` with one text in place of another.
fn with(old: &str, new: &str) -> String {
    let text = format!("{POST}{SIGN}");
    assert!(text.contains(old), "{old}");
    said(&text.replacen(old, new, 1))
}

#[test]
fn what_is_wrong_with_a_request_is_said_with_its_key() {
    assert_eq!(said(&format!("{GET}{POST}{SIGN}")), "");
    for (old, new, words) in [
        ("id = \"post\"", "id = \"\"", "operations.0.id: \"\" is no id"),
        ("\"POST\"", "\"post\"", "operations.0.request.method: \"post\" is not a method"),
        (
            "${config:base_url}/items",
            "${config:bas_url}/items",
            "operations.0.request.url: config:bas_url is not declared under [settings]; did you mean \"base_url\"?",
        ),
        ("${config:base_url}/items", "items", "operations.0.request.url: it begins with https://"),
        (
            "${config:base_url}/items",
            "${config:base_url}/${input:/a}",
            "operations.0.request.url: ${input:/a} could be any part of a URL",
        ),
        ("${input:/name}", "\"${input:/name}\"", "operations.0.request.json: ${input:/name} stands between quotes"),
        (
            "${input:/name}",
            "${secret:main}",
            "operations.0.request.json: ${secret:main} could be any text: its last filter must be json",
        ),
        (
            "${input:/name}",
            "${secret:mian|json}",
            "operations.0.request.json: secret:mian is not declared under [secrets]; did you mean \"main\"?",
        ),
        (
            "${input:/name}",
            "${header:a|json}",
            "operations.0.request.json: header:a is not there: a request is made of input:",
        ),
        (
            "${input:/name}",
            "${now}",
            "operations.0.request.json: ${now} is not declared here: write now = \"unix_s\" beside it",
        ),
        ("${input:/name}", "${nonce}", "operations.0.request.json: ${nonce} is not declared here: write nonce ="),
        ("${input:/name}", "${input:name}", "is not a JSON pointer"),
        ("json = ", "text = \"a\"\njson = ", "operations.0.request: has more than one of json, form and text"),
        (
            "json = ",
            "headers = { Host = \"a\" }\njson = ",
            "operations.0.request.headers.Host: the header Host is the gateway's own",
        ),
        ("json = ", "headers = { \"a b\" = \"a\" }\njson = ", "is no header's name"),
        ("json = ", "now = \"soon\"\njson = ", "operations.0.request.now: \"soon\" is not a time format"),
        ("json = ", "nonce = { range = [9, 1] }\njson = ", "operations.0.request.nonce: from 9 to 1"),
        ("json = ", "quer = {}\njson = ", "operations.0.request.quer: unknown key; did you mean \"query\"?"),
    ] {
        let said = with(old, new);
        assert!(said.contains(words), "{new}: {said}");
    }
    assert!(
        said(&format!("{GET}{GET}")).contains("operations.1.id: \"get\" is no id: one that no other operation has")
    );
}

#[test]
fn what_is_wrong_with_a_signature_is_said_with_its_key() {
    for (old, new, words) in [
        (
            "hmac-sha256",
            "hmac-sha265",
            "sign.0.alg: \"hmac-sha265\" is not an algorithm; did you mean \"hmac-sha256\"?",
        ),
        ("hmac-sha256", "none", "sign.0.alg: \"none\" signs nothing"),
        ("hmac-sha256", "jwt-hs256", "sign.0.alg: \"jwt-hs256\" is a token's algorithm"),
        ("hmac-sha256", "md5", "sign.0.message: md5 has no key, so a secret must be part of its text"),
        (
            "hmac-sha256",
            "rsa-pkcs1-sha256",
            "sign.0.key.value: rsa-pkcs1-sha256 signs with a private key: secrets.main needs kind = \"private_key\"",
        ),
        ("message = \"${body}\"", "", "sign.0.message: missing"),
        ("${body}", "${let:all}", "sign.0.message: let:all is not declared under [let]"),
        ("${body}", "${sig:t}", "sign.0.message: sig:t is a part of a received signature"),
        ("${body}", "${input:/name}", "sign.0.message: input:/name is not there: what is signed is the request"),
        ("${body}", "${mac}", "sign.0.message: mac is not there"),
        ("${body}", "${now}", "sign.0.message: ${now} is not declared here"),
        ("\"header:x-sig\"", "\"body\"", "sign.0.to: body cannot be written; header:NAME, query:NAME"),
        ("\"header:x-sig\"", "\"header:Content-Length\"", "sign.0.to: the header content-length is the gateway's own"),
        (
            "\"header:x-sig\"",
            "\"form:sign\"",
            "sign.0.to: form:sign cannot be written: the request of \"post\" has no `form` body",
        ),
        ("to =", "set = { \"url\" = \"a\" }\nto =", "sign.0.set.url: url cannot be written"),
        ("to =", "set = { \"header:a\" = { json = \"1\" } }\nto =", "is for places json:/ only"),
        ("to =", "set = { \"json:/a\" = { json = \"${secret}\" } }\nto =", "could be any text"),
        ("to =", "set = { \"json:/a\" = \"${config:acount}\" }\nto =", "did you mean \"account\"?"),
        (
            "to =",
            "key = { value = \"${config:account}\" }\nto =",
            "sign.0.key.value: hmac-sha256 signs with a key, and this is no secret",
        ),
        ("to =", "key = { form = \"hax\" }\nto =", "sign.0.key.form: \"hax\" is not a key form"),
        ("to =", "key = { from = \"header:cert\" }\nto =", "sign.0.key: signs with a key of ours"),
        ("to =", "encoding = \"hax\"\nto =", "sign.0.encoding: \"hax\" is none of hex"),
        ("to =", "encoding = \"hex\"\nvalue = \"${mac|hex}\"\nto =", "sign.0.value: is all that is written"),
        ("to =", "vaule = \"${mac|hex}\"\nto =", "unknown key; did you mean \"value\"?"),
    ] {
        let said = with(old, new);
        assert!(said.contains(words), "{new}: {said}");
    }
    assert!(said(SIGN).contains("sign: signs the requests of operations, and there are no [[operations]]"));
    let none = GET.replace("[operations.request]", "sign = []\n[operations.request]");
    assert_eq!(said(&format!("{none}{SIGN}").replace("header:x-sig", "form:sign")), "", "an operation may go unsigned");
}

#[test]
fn what_cannot_be_run_backwards_says_why() {
    let backwards = GET.replace("[operations.request]", "sign = \"verify\"\n[operations.request]");
    for (verify, words) in [
        ("", "operations.0.sign: \"verify\": there is no [[verify]]"),
        ("alg = \"none\"\nreason = \"it does not sign\"\n", "verify.0 proves nothing"),
        (
            "alg = \"rsa-pkcs1-sha256\"\nfrom = \"header:a\"\nmessage = \"${body}\"\n",
            "verify.0 is signed by the provider's private key; write [[sign]]",
        ),
        (
            "alg = \"hmac-sha1\"\nfrom = \"header:a|unbase64\"\nmessage = \"${body}\"\n",
            "has its signature in header:a|unbase64",
        ),
    ] {
        let verify =
            if verify.is_empty() { String::new() } else { format!("[route]\npath = \"/a\"\n[[verify]]\n{verify}") };
        let said = said(&format!("{verify}{backwards}"));
        assert!(said.contains(words), "{verify}: {said}");
    }
    let wrong = GET.replace("[operations.request]", "sign = \"verfy\"\n[operations.request]");
    assert!(said(&wrong).contains("expected \"verify\", a table or a list of tables"));
}

#[test]
fn what_is_wrong_with_an_answers_rule_is_said_with_its_key() {
    for (rule, words) in [
        ("output = \"data\"", "operations.0.answer.output: \"data\" is not a JSON pointer"),
        ("message = \"secret:main\"", "operations.0.answer.message: secret:main is nothing that an answer has"),
        ("message = \"jsn:/a\"", "operations.0.answer.message: \"jsn:/a\" is not a source"),
        ("success = { method = \"GET\" }", "operations.0.answer.success: an answer has no method"),
        ("success = { equals = [\"url\", \"x\"] }", "operations.0.answer.success: url is nothing that an answer has"),
        ("retry = { when = { present = \"config:nope\" } }", "config:nope is not declared under [settings]"),
        ("sucess = {}", "unknown key; did you mean \"success\"?"),
    ] {
        let said = said(&format!("{GET}[operations.answer]\n{rule}\n"));
        assert!(said.contains(words), "{rule}: {said}");
    }
}
