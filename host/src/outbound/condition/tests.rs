use bytes::Bytes;
use uuid::Uuid;

use super::{Condition, View};
use crate::event::{Data, Event, EventState};

const DATA: &str = r#"{
    "iccid": "8985200000000000001", "state": 2, "amount": 10.00, "cents": 299, "rate": 0.1, "debt": -3,
    "big": 9007199254740993, "huge": 18446744073709551615, "tiny": 1e-3, "exp": 1E2, "astronomic": 18446744073709551616,
    "codes": [1, 2.0, 3], "names": ["a", "b"], "on": true, "off": null, "zero": 0,
    "items": [{"price": 5, "count": 2}, {"price": 7.50, "count": 1}], "byCode": {"7": "seven"}
}"#;

pub(crate) fn event() -> Event {
    Event {
        id: Uuid::nil(),
        source: "esim".into(),
        provider: "eiotclub".into(),
        provider_version: "1.0.0".into(),
        kind: "eiotclub.CardStopped".into(),
        subject: Some("8985".into()),
        time: Some("2026-01-02T03:04:05Z".parse().unwrap()),
        received: "2026-01-02T03:04:06Z".parse().unwrap(),
        provider_id: Some("n-1".into()),
        data: Data::Json(Bytes::from_static(DATA.as_bytes())),
        state: EventState::Routed,
        warnings: Vec::new(),
    }
}

fn matches(text: &str) -> Result<bool, String> {
    let condition = Condition::compile(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    condition.matches(&View::new(&event()))
}

fn all_hold(expressions: &[&str]) {
    for text in expressions {
        assert_eq!(matches(text), Ok(true), "{text}");
    }
}

#[test]
fn an_event_is_its_cloudevent() {
    all_hold(&[
        "event.id == '00000000-0000-0000-0000-000000000000'",
        "event.source == '/sources/esim'",
        "event.type == 'eiotclub.CardStopped' && event.type.endsWith('Stopped')",
        "event.subject == '8985' && event.provider == 'eiotclub' && event.providerversion == '1.0.0'",
        "event.time == '2026-01-02T03:04:05Z' && event.receivedtime > event.time",
        "event.providereventid == 'n-1' && event.specversion == '1.0'",
        "event.datacontenttype == 'application/json'",
        r#"event.data.iccid.startsWith("8985")"#,
        "has(event.data.iccid) && !has(event.data.imei)",
        "event.data.on && event.data.off == null",
    ]);
}

#[test]
fn whole_and_decimal_numbers_compare_both_ways() {
    all_hold(&[
        "event.data.state == 2",
        "event.data.state == 2.0",
        "2.0 == event.data.state",
        "event.data.state == 2u",
        "event.data.state != 3 && event.data.state != 2.5",
        "event.data.amount == 10",
        "10 == event.data.amount",
        "event.data.amount == 10.00",
        "event.data.amount > 5 && event.data.amount > 9.99 && event.data.amount >= 10",
        "5 < event.data.amount && 10 <= event.data.amount",
        "!(event.data.amount > 10) && !(event.data.amount < 10)",
        "event.data.state < 2.5 && 1.5 < event.data.state",
        "event.data.rate == 0.1 && event.data.rate < 1 && event.data.rate > 0",
        "event.data.debt < 0 && event.data.debt == -3 && event.data.debt == -3.0 && event.data.debt > -3.5",
        "event.data.tiny == 0.001 && event.data.exp == 100",
        "event.data.zero == 0 && event.data.zero == 0.0 && event.data.zero == -0.0",
        "event.data.cents > 100",
        "event.data.state != '2' && event.data.amount != true",
    ]);
}

#[test]
fn large_whole_numbers_keep_every_digit() {
    all_hold(&[
        "event.data.big == 9007199254740993",
        "event.data.big != 9007199254740992",
        "event.data.big != 9007199254740992.0",
        "event.data.big > 9007199254740992.0 && 9007199254740992.0 < event.data.big",
        "event.data.huge == 18446744073709551615",
        "event.data.huge > 9223372036854775807",
        "event.data.huge != 18446744073709551614",
        "event.data.huge < 18446744073709551616",
        "event.data.huge < 1e30 && event.data.huge > -1e30",
        "event.data.astronomic == 18446744073709551616 && event.data.astronomic > event.data.huge",
        "event.data.huge in [1, 18446744073709551615]",
        "-event.data.huge < 0",
    ]);
}

#[test]
fn lists_and_keys_take_numbers_however_they_are_written() {
    all_hold(&[
        "event.data.state in [1, 2, 3]",
        "event.data.state in [1.0, 2.0]",
        "event.data.amount in [5, 10]",
        "!(event.data.amount in [5, 10.5])",
        "2 in event.data.codes && 3.0 in event.data.codes && !(4 in event.data.codes)",
        "!(event.data.big in [9007199254740992.0])",
        "'a' in event.data.names && !('c' in event.data.names) && !(1 in event.data.names)",
        "event.data.codes[0] == 1.0 && event.data.codes[1.0] == 2",
        "event.data.codes == [1.0, 2, 3.0]",
        "'7' in event.data.byCode && event.data.byCode['7'] == 'seven'",
        "event.data.state in {2: 'x'} && event.data.amount in {10: 'y'}",
        "size(event.data.codes) == 3 && size(event.data.codes) < 3.5 && event.data.codes.size() > 2.5",
    ]);
}

#[test]
fn numbers_of_any_kind_calculate_together() {
    all_hold(&[
        "event.data.amount + 1 == 11 && 1 + event.data.amount == 11",
        "event.data.amount * 2 == 20 && event.data.state * 1.5 == 3",
        "event.data.amount - 0.5 == 9.5 && event.data.state - 3 == -1",
        "event.data.cents / 100 == 2.99 && event.data.cents / 100 > 2",
        "event.data.amount / 4 == 2.5 && 10 / 4 == 2.5 && 10 / 5 == 2",
        "event.data.amount % 3 == 1 && event.data.cents % 100 == 99",
        "event.data.huge + 1 > event.data.huge - 1 && event.data.huge - event.data.huge == 0",
        "-event.data.amount == -10 && -event.data.debt == 3",
        "event.data.big * 1000000 > event.data.big",
        "'a' + 'b' == 'ab' && [1] + [2] == [1, 2.0]",
        "int(event.data.amount) == 10 && double(event.data.state) == 2 && string(event.data.state) == '2'",
        "int(event.data.iccid) > 1000",
    ]);
}

#[test]
fn macros_see_the_same_numbers() {
    all_hold(&[
        "event.data.items.exists(item, item.price > 7)",
        "event.data.items.all(item, item.price * item.count >= 7.5)",
        "event.data.items.exists_one(item, item.count == 2.0)",
        "event.data.items.filter(item, item.price == 5.0).size() == 1",
        "event.data.items.map(item, item.price + 1) == [6, 8.5]",
        "event.data.codes.map(code, code * 2)[2] == 6",
    ]);
}

#[test]
fn the_rest_of_cel_is_there() {
    all_hold(&[
        "event.data.?missing.orValue(5) == 5.0 && event.data.?state.orValue(5) == 2",
        "optional.of(event.data.state).value() == 2",
        "type(event.data.state) == int && type(event.data.iccid) == string",
        "[1, 2].exists(n, n == event.data.state) && [[1], [2]].exists(l, l.exists(n, n == event.data.state))",
        "'iccid' in event.data && !('imei' in event.data)",
        "event['type'] == event.type && event.data['iccid'] == event.data.iccid",
        "event.data.on ? event.data.state == 2 : false",
        "event.data.missing == 1 || event.data.state == 2",
        "!(event.data.missing == 1 && event.data.state == 3)",
        "{'a': event.data.state}.a == 2.0",
        "event.data.iccid.contains('52') && size(event.data.iccid) == 19 && event.data.iccid < '9'",
    ]);
}

#[test]
fn text_is_searched_with_regular_expressions() {
    all_hold(&[
        r"event.data.iccid.matches('^8985[0-9]+$')",
        r"matches(event.type, r'Card\w+')",
        "!event.data.iccid.matches('x')",
        "event.data.names.exists(name, name.matches('^b'))",
    ]);
    let error = Condition::compile("true && event.type.matches('(a')").unwrap_err();
    assert_eq!((error.line, error.column), (1, 28), "{error}");
    assert!(error.message.contains("\"(a\" is not a regular expression: unclosed group"), "{error}");
    assert_eq!(
        matches("event.type.matches(event.data.iccid + '(')").unwrap_err(),
        "Error executing function 'matches': the pattern is not a regular expression"
    );
    assert!(matches("event.data.state.matches('2')").unwrap_err().contains("overload"));
}

#[test]
fn an_error_is_words_without_the_values_of_the_event() {
    for (text, words) in [
        ("event.data.imei == 'x'", "there is no \"imei\""),
        ("event.data['imei'] == 'x'", "there is no \"imei\""),
        ("event.data[event.data.iccid] == 'x'", "a key is not there"),
        ("event.data.iccid > 5", "no matching overload"),
        ("event.data.iccid", "it gives string, not true or false"),
        ("event.data.state / event.data.zero == 1", "division by zero"),
        ("event.data.codes[9] == 1", "outside its list"),
        ("event.data.on + 1 == 2", "no matching overload"),
        ("int(event.data.names[0]) == 1", "parse error"),
        ("event.data.iccid[0] == '8'", "overload"),
    ] {
        let error = matches(text).expect_err(text);
        assert!(error.contains(words), "{text}: {error}");
        assert!(!error.contains("8985"), "{text} shows a value: {error}");
    }
}

#[test]
fn a_condition_that_cannot_work_does_not_compile_and_says_where() {
    for (text, line, column, words) in [
        ("event.data.", 1, 12, ""),
        ("event.data.state == ", 1, 21, ""),
        ("evnt.data.state == 2", 1, 1, "evnt"),
        ("true &&\n  evnt.id == 'x'", 2, 3, "evnt"),
        ("event.type.startWith('a')", 1, 21, "startWith"),
        ("true && siz(event.data.codes) > 1", 1, 12, "siz"),
        ("event.data.items.all(item, itm.price > 1)", 1, 28, "itm"),
    ] {
        let error = Condition::compile(text).expect_err(text);
        assert_eq!((error.line, error.column), (line, column), "{text}: {error}");
        assert!(error.message.contains(words), "{text}: {error}");
    }
}

#[test]
fn a_field_that_no_event_can_have_does_not_compile() {
    for (text, words) in [
        ("event.sbject", "no event has \"sbject\"; did you mean \"subject\"?"),
        ("has(event.subjet)", "did you mean \"subject\"?"),
        ("event['tpe'] == 'x'", "did you mean \"type\"?"),
        ("event.?providerid.orValue('x')", "no event has \"providerid\""),
        ("'sorce' in event", "did you mean \"source\"?"),
        ("event.data.items.all(item, item.price > event.dta.least)", "did you mean \"data\"?"),
        ("event.iccid == 'x'", "there are specversion, id, source"),
    ] {
        let error = Condition::compile(text).expect_err(text);
        assert!(error.message.contains(words), "{text}: {error}");
    }
    for text in ["event.data.sbject", "event.?data.?sbject", "event.data.items.all(event, event.price > 1)"] {
        assert!(Condition::compile(text).is_ok(), "{text}");
    }
    for name in super::view::NAMES {
        assert!(Condition::compile(&format!("has(event.{name})")).is_ok(), "{name}");
    }
}

#[test]
fn data_that_is_not_json_is_there_as_base64() {
    let mut event = event();
    event.data = Data::Bytes(Bytes::from_static(b"<a/>"), "text/xml".into());
    let condition = Condition::compile("event.data_base64 == 'PGEvPg==' && !has(event.data)").unwrap();
    assert_eq!(condition.matches(&View::new(&event)), Ok(true));
}

proptest::proptest! {
    /// Whatever somebody writes, it compiles or is refused; and what compiles matches, does not, or fails in words.
    #[test]
    fn no_text_breaks_the_compiler(
        parts in proptest::collection::vec("[a-z]{1,3}|[0-9]{1,25}|event|data|[-+*/%<>=!&|?:.,()\\[\\]{}'\"\\\\ ]|in|has|==|\\.map\\(", 0..12)
    ) {
        if let Ok(condition) = Condition::compile(&parts.concat()) {
            let _ = condition.matches(&View::new(&event()));
        }
    }
}
