//! What JSON is to the engine, held against serde_json.

use super::*;
use proptest::prelude::*;

fn compact(text: &str) -> String {
    let mut out = Vec::new();
    Document::parse(text.as_bytes()).unwrap().root().write_compact(&mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn order_and_number_texts_stay_and_escapes_become_minimal() {
    let text = r#" { "b" : 100000.00 , "a/":"\/x\u00e9\n", "n":[ 1e2 , -0 ,{} ,[ ] ] } "#;
    assert_eq!(compact(text), r#"{"b":100000.00,"a/":"/xé\n","n":[1e2,-0,{},[]]}"#);
}

#[test]
fn pointers_reach_members_and_elements() {
    let document = Document::parse(br#"{"a/b":[{"c~":"x"},7]}"#).unwrap();
    let at = |text: &str| document.root().at(&pointer(text).unwrap()).map(|value| value.text().into_owned());
    assert_eq!(at("/a~1b/0/c~0").as_deref(), Some("x"));
    assert_eq!(at("/a~1b/1").as_deref(), Some("7"));
    assert_eq!(at("/a~1b/2"), None);
}

#[test]
fn a_repeated_key_is_noticed_at_any_depth_also_when_escaped() {
    assert_eq!(Document::parse(br#"{"x":[{"a":1,"\u0061":2}]}"#).unwrap().duplicate_key(), Some("a"));
    assert_eq!(Document::parse(br#"{"x":{"a":1},"y":{"a":2}}"#).unwrap().duplicate_key(), None);
}

#[test]
fn depth_is_bounded_at_128() {
    let nest = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(Document::parse(nest(128).as_bytes()).is_ok());
    assert!(Document::parse(nest(129).as_bytes()).is_err());
}

proptest! {
    #[test]
    fn it_takes_and_reads_what_serde_json_does(text in r#"[\[\]{}:,"\\a0-9.eE+\-u \ntrufalsn]{0,24}"#) {
        let ours = Document::parse(text.as_bytes()).is_ok();
        let theirs = serde_json::from_str::<&serde_json::value::RawValue>(&text).is_ok();
        prop_assert_eq!(ours, theirs, "{}", text);
    }

    #[test]
    fn what_serde_json_writes_comes_back_the_same(value in any_json(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let again: serde_json::Value = serde_json::from_str(&compact(&text)).unwrap();
        prop_assert_eq!(again, value);
    }
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::hash_map(any::<String>(), inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}
