//! Names and bodies of polls.

use super::*;

fn changed(item: &str) -> Changed {
    Changed { key: "k".into(), item: item.into(), before: None, now: "h".into() }
}

#[test]
fn a_body_holds_the_items_as_they_came() {
    for (items, expected) in [(&[][..], ""), (&["{\"a\":1}"], "{\"a\":1}"), (&["{}", "[1]"], "[{},[1]]")] {
        let changed: Vec<_> = items.iter().map(|item| changed(item)).collect();
        let (body, places) = body(&changed);
        assert_eq!(body, expected);
        assert!(places.into_iter().zip(items).all(|(place, item)| body[place] == *item.as_bytes()));
    }
}

#[test]
fn a_poll_keeps_its_name_when_another_is_put_in_front() {
    let poll = |input| resolved::Poll {
        source: "fleet".into(),
        operation: "query".into(),
        every: Duration::from_secs(1),
        input,
        key: "id".into(),
    };
    let named = |polls: &[&resolved::Poll]| {
        let mut names = BTreeMap::new();
        polls.iter().map(|poll| name(poll, &mut names)).collect::<Vec<_>>()
    };
    let one = poll(Input::Here(serde_json::json!({ "group": 1 })));
    let two = poll(Input::Here(serde_json::json!({ "group": 2 })));
    let file = poll(Input::File("a.json".into()));
    let [first, second, third] = &named(&[&one, &two, &file])[..] else { panic!("three names") };
    assert!(first.starts_with("fleet/query/id ") && first != second && second != third && first != third);
    assert_eq!(named(&[&file, &two, &one]), [third.clone(), second.clone(), first.clone()]);
    assert_eq!(named(&[&one, &one]), [first.clone(), format!("{first} #2")]);
}
