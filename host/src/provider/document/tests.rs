//! What a body says as JSON, and which bodies say nothing.

use super::super::view::Reads;
use super::*;
use crate::request::Incoming;

fn told(content: Content, body: &[u8], fields: &[&str]) -> Result<Option<String>, String> {
    let request = Incoming { body: Bytes::copy_from_slice(body), ..Incoming::nothing() };
    let parsed = Parsed::new(&request, Reads::of(content));
    let fields: Vec<_> = fields.iter().map(|text| text.split('/').map(str::to_owned).collect()).collect();
    let told = document(content, &parsed, &fields)?;
    Ok(told.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap()))
}

fn repeats(signed: &[&str], lets: &str, body: &str) -> Option<String> {
    let request = Incoming { body: Bytes::copy_from_slice(body.as_bytes()), ..Incoming::nothing() };
    let parsed =
        Parsed::new(&request, Reads { json: true, form: !body.starts_with(['{', '<']), xml: true, query: false });
    let signed: Vec<Place> = signed.iter().map(|text| text.parse().unwrap()).collect();
    let lets: BTreeMap<String, hookport_plugin_api::description::Let> = toml::from_str(lets).unwrap();
    let lets = lets.iter().map(|(name, written)| (name.clone(), Named::compile(written).unwrap())).collect();
    repeated(&parsed, &signed, &lets)
}

#[test]
fn every_content_gives_one_object_without_its_signature() {
    let json = told(Content::Json, br#"{"a": 1.0, "s": "x", "b": {"s": 2}}"#, &["s"]);
    assert_eq!(json.unwrap().unwrap(), r#"{"a":1.0,"b":{"s":2}}"#);
    let form = told(Content::Form, b"a=1+%22%E4%BD%A0&s=x&b&a=2&=3&a=", &["s"]);
    assert_eq!(form.unwrap().unwrap(), r#"{"a":["1 \"你","2",""],"b":"","":"3"}"#);
    let xml = told(Content::Xml, b"<xml><a>1</a><s>x</s><o><s>y</s><t/></o></xml>", &["s", "o/s"]);
    assert_eq!(xml.unwrap().unwrap(), r#"{"a":"1","o":{"t":""}}"#);
    assert_eq!(told(Content::Raw, b"\xff", &[]), Ok(None));
    assert_eq!(told(Content::Form, b"", &[]).unwrap().unwrap(), "{}");
}

#[test]
fn a_compact_document_is_cut_as_it_would_be_written() {
    for text in [
        r#"{"s":1}"#,
        r#"{"s":"x","a":[1,{"s":2.50}]}"#,
        r#"{"a":{"s":{}},"s":[1,2]}"#,
        r#"{"a":"\u00e9,","s":"}","b":"\"s\""}"#,
        r#"{"a":{"s":1},"b":2}"#,
        r#"{"a":{"b":1,"s":{"c":null}}}"#,
        r#"[1,2,3]"#,
        r#"{"\u0073":1,"a":2}"#,
        r#""s""#,
    ] {
        for fields in [&[][..], &["s"], &["a/s"], &["a/1/s"], &["0"], &["1"], &["2"], &["s", "a/s"], &[""]] {
            let spaced = format!(" {text}\n");
            assert_eq!(told(Content::Json, text.as_bytes(), fields), told(Content::Json, spaced.as_bytes(), fields));
        }
    }
}

#[test]
fn what_does_not_parse_says_why_and_not_what() {
    for (content, body, why) in [
        (Content::Json, &b"{\"secret\":"[..], "not JSON"),
        (Content::Json, b"", "not JSON"),
        (Content::Form, b"a=secret&b=%ff", "field 2 is not UTF-8"),
        (Content::Form, b"%ff=secret", "field 1 is not UTF-8"),
        (Content::Xml, b"", "not XML"),
        (Content::Xml, b"<a>secret", "not XML"),
    ] {
        let error = told(content, body, &[]).unwrap_err();
        assert!(error.contains(why) && !error.contains("secret"), "{error}");
    }
}

#[test]
fn a_hundred_thousand_pairs_take_linear_time() {
    let pairs: String = (0..100_000).map(|n| format!("k{n}={n}&")).collect();
    let document = told(Content::Form, pairs.as_bytes(), &[]).unwrap().unwrap();
    assert_eq!(Document::parse(document.as_bytes()).unwrap().root().members().count(), 100_000);
    let same = told(Content::Form, "k=1&".repeat(100_000).as_bytes(), &[]).unwrap().unwrap();
    assert_eq!(same.len(), "{\"k\":[]}".len() + 100_000 * 4 - 1);
    let lets = "all = { collect = 'form', order = 'key_value' }";
    assert_eq!(repeats(&["let:all"], lets, &"k=1&".repeat(100_000)), None);
}

#[test]
fn a_json_bomb_is_refused_before_it_costs_anything() {
    for bomb in ["[".repeat(1_000_000), "{\"a\":".repeat(200_000)] {
        assert!(told(Content::Json, bomb.as_bytes(), &[]).unwrap_err().contains("deeper than 128"));
    }
}

#[test]
fn a_name_that_comes_twice_is_told_where_a_signature_is_over_it() {
    let collect = "all = { collect = 'form', exclude = ['x'] }";
    assert_eq!(repeats(&["let:all"], collect, "a=1&b=2&a=3").as_deref(), Some("a"));
    assert_eq!(repeats(&["let:all"], collect, "a=1&x=2&x=3"), None);
    assert_eq!(repeats(&["form:b"], "", "a=1&a=2&b=3"), None);
    assert_eq!(repeats(&["form:a"], "", "a=1&a=2&b=3").as_deref(), Some("a"));
    // Twilio's own samples repeat names: its text has them in the order of their values.
    let sorted = "all = { collect = 'form', order = 'key_value', unique = true }";
    assert_eq!(repeats(&["let:all"], sorted, "a=1&a=2"), None);
    let xml = "all = { collect = 'xml' }";
    assert_eq!(repeats(&["let:all"], xml, "<x><a/><b><c/><c/></b><a/></x>").as_deref(), Some("a"));
    assert_eq!(repeats(&["let:all"], xml, "<x><a/><b><c/><c/></b></x>"), None);
    assert_eq!(repeats(&["xml:b/c"], "", "<x><b><c/></b><b/></x>").as_deref(), Some("b"));
    assert_eq!(repeats(&["json:/a"], "", "{\"a\":1,\"b\":{\"c\":1,\"c\":2}}").as_deref(), Some("c"));
    assert_eq!(repeats(&["body"], "", "{\"a\":1,\"a\":2}"), None);
}
