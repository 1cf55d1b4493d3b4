//! `each`, `batch` and `[payload]`: what one request comes to when it says several things or says them elsewhere.

use super::*;

fn mac(text: &str) -> String {
    use base64::Engine;
    use hmac::{Hmac, KeyInit, Mac};
    let mac = Hmac::<sha2::Sha256>::new_from_slice(b"s").unwrap().chain_update(text);
    base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes())
}

pub(super) fn post(body: String, headers: &[(&str, &str)]) -> Arc<Incoming> {
    let mut request = Incoming { method: "POST".into(), target: "/x".into(), body: body.into(), ..Incoming::nothing() };
    for (name, value) in headers {
        request.headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    }
    Arc::new(request)
}

fn source(text: &str) -> Source {
    let description = parse(text, "p.toml", Grammar::Strict).unwrap();
    let provider = Provider::compile(description, &Places::new(text, "p.toml")).unwrap();
    let secrets = [("main".to_owned(), vec!["s".into()])].into();
    Source::build("x", Arc::new(provider), SourceParts { secrets, ..SourceParts::default() }).unwrap()
}

const EACH: &str = r#"
each = "/items/*/Item"
[provider]
id = "x"
content = "json"
[route]
path = "/x"
[secrets.main]
about = "the secret"
[[verify]]
from = "json:/sig"
encoding = "base64"
alg = "hmac-sha256"
message = "${json:/id}:${json:/what}"
[event]
type = "json:/what"
id = "json:/id"
"#;

fn item(id: &str, what: &str) -> String {
    format!("{{\"Item\":{{\"id\":\"{id}\",\"what\":\"{what}\",\"sig\":\"{}\"}}}}", mac(&format!("{id}:{what}")))
}

#[test]
fn every_piece_must_prove_itself_and_is_an_event_of_its_own() {
    let source = source(EACH);
    let body = format!("{{\"live\":1,\"items\":[{},{}]}}", item("1", "a"), item("2", "b"));
    let verified = verify(&source, &post(body.clone(), &[]), at(0)).unwrap();
    let told: Vec<_> = verified.items.iter().map(|item| (&*item.declared.kind, item.declared.id.as_deref())).collect();
    assert_eq!(told, [("a", Some("1")), ("b", Some("2"))]);
    assert_eq!(verified.items[1].data, Data::Json("{\"id\":\"2\",\"what\":\"b\"}".into()));
    let forged = body.replace("\"what\":\"b\"", "\"what\":\"c\"");
    assert_eq!(verify(&source, &post(forged, &[]), at(0)).unwrap_err().reason, Reason::SignatureMismatch);
}

#[test]
fn a_request_without_any_piece_proves_nothing() {
    for body in ["{\"items\":[]}", "{}", "[]", "{\"items\":[{\"Item\":7}]}"] {
        let rejection = verify(&source(EACH), &post(body.into(), &[]), at(0)).unwrap_err();
        assert_eq!(rejection.reason, Reason::SignatureMissing, "{body}");
    }
    assert_eq!(verify(&source(EACH), &post("{".into(), &[]), at(0)).unwrap_err().reason, Reason::Malformed);
}

const BATCH: &str = r#"
[provider]
id = "x"
content = "json"
[route]
path = "/x"
[secrets.main]
about = "the secret"
[[verify]]
from = "header:sig"
encoding = "base64"
alg = "hmac-sha256"
message = "${body}"
[event]
batch = "/events/*"
type = "json:/what"
id = "json:/id"
subject = "envelope:/account"
"#;

fn batch(body: &str) -> Verified {
    verify(&source(BATCH), &post(body.into(), &[("sig", &mac(body))]), at(0)).unwrap()
}

#[test]
fn a_batch_is_one_proof_and_many_events() {
    let verified = batch("{\"account\":\"acc\",\"events\":[{\"what\":\"a\",\"id\":1},{\"what\":\"b\",\"id\":2.0}]}");
    let ids: Vec<_> = verified.items.iter().map(|item| item.declared.id.as_deref()).collect();
    assert_eq!(ids, [Some("1"), Some("2.0")]);
    assert_eq!(verified.items[0].declared.subject.as_deref(), Some("acc"));
    assert_eq!(verified.items[1].data, Data::Json("{\"what\":\"b\",\"id\":2.0}".into()));
}

#[test]
fn an_item_that_comes_again_in_another_batch_has_the_same_key() {
    let (one, other) = (batch("{\"events\":[{\"id\":1},{\"id\":2}]}"), batch("{\"events\":[{\"id\":2}]}"));
    assert_eq!(one.items[1].declared.key, other.items[0].declared.key);
}

#[test]
fn items_without_an_id_of_their_own_are_told_apart() {
    let verified = batch("{\"events\":[{\"what\":\"a\"},{\"what\":\"a\"}]}");
    assert_ne!(verified.items[0].declared.key, verified.items[1].declared.key);
    let again = batch("{\"events\":[{\"what\":\"a\"},{\"what\":\"a\"}]}");
    assert_eq!(verified.items[1].declared.key, again.items[1].declared.key);
    let text = BATCH.replace("id = \"json:/id\"", "id = \"header:delivery\"");
    let body = "{\"events\":[1,2]}";
    let request = post(body.into(), &[("sig", &mac(body)), ("delivery", "d")]);
    let verified = verify(&source(&text), &request, at(0)).unwrap();
    assert_eq!(verified.items.len(), 2);
    assert_ne!(verified.items[0].declared.key, verified.items[1].declared.key);
}

#[test]
fn a_document_without_the_list_is_one_event() {
    for body in ["{\"what\":\"ping\"}", "{\"events\":[]}"] {
        let verified = batch(body);
        assert_eq!((verified.items.len(), &verified.items[0].data), (1, &Data::Json(body.into())));
    }
}

#[test]
fn more_items_than_any_sender_has_are_malformed_and_kept() {
    let verified = batch(&format!("{{\"events\":[{}1]}}", "1,".repeat(10_000)));
    assert!(verified.malformed.is_some_and(|what| what.contains("10001 items")));
}

#[test]
fn the_document_may_stand_in_a_field() {
    let text = BATCH.replace(
        "[event]",
        "[payload]\nfrom = \"form:payload|unbase64\"\nwhen = { equals = [\"header:content-type\", \"form\"] }\n[event]",
    );
    let body = "payload=eyJldmVudHMiOlt7IndoYXQiOiJhIn1dfQ%3D%3D";
    let headers = [("sig", mac(body)), ("content-type", "form".into())];
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let verified = verify(&source(&text), &post(body.into(), &headers), at(0)).unwrap();
    assert_eq!(verified.items[0].data, Data::Json("{\"what\":\"a\"}".into()));
    let body = "{\"events\":[{\"what\":\"b\"}]}";
    let verified = verify(&source(&text), &post(body.into(), &[("sig", &mac(body))]), at(0)).unwrap();
    assert_eq!(verified.items[0].declared.kind, "b");
    let body = "payload=e30x";
    let verified =
        verify(&source(&text), &post(body.into(), &[("sig", &mac(body)), ("content-type", "form")]), at(0)).unwrap();
    assert!(verified.malformed.is_some(), "what is no JSON is malformed wherever it stands");
}

#[test]
fn what_each_item_has_for_itself_is_not_asked_of_the_whole_request() {
    let complaints = |text: String| {
        let description = parse(&text, "p.toml", Grammar::Strict).unwrap();
        let wrong = Provider::compile(description, &Places::new(&text, "p.toml")).err().unwrap_or_default();
        wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    assert!(complaints(format!("{EACH}[replay]\nnonce = \"json:/id\"\n")).contains("replay.nonce"));
    let key = "{ form = \"x509_pem\", fetch = { url = \"${json:/url}\", allow_hosts = [\"keys.example.com\"] } }";
    let fetched = EACH.replace("alg = \"hmac-sha256\"", &format!("alg = \"rsa-pkcs1-sha256\"\nkey = {key}"));
    assert!(complaints(fetched).contains("one for the whole request"));
}
