//! What filters make of documents.

use super::*;

fn run(program: &str, document: &str) -> Result<Option<String>, String> {
    match Filter::compile(program).unwrap().run(document.as_bytes())? {
        Made::Nothing => Ok(None),
        Made::Json(json) => Ok(Some(String::from_utf8(json.to_vec()).unwrap())),
    }
}

#[track_caller]
fn gives(program: &str, document: &str, expected: &str) {
    assert_eq!(run(program, document), Ok(Some(expected.into())), "{program}");
}

#[test]
fn a_filter_gives_one_output() {
    gives(
        ".data | {id: .id, amount}",
        r#"{"data":{"id":"a","amount":10.00,"card":"x"}}"#,
        r#"{"id":"a","amount":10.00}"#,
    );
    gives("[.items[] | select(.n > 1) | .n]", r#"{"items":[{"n":1},{"n":2.50},{"n":3}]}"#, "[2.50,3]");
    gives(r#".at | todate"#, r#"{"at":0}"#, r#""1970-01-01T00:00:00Z""#);
    gives(r#".name | ascii_downcase | test("^zü")"#, r#"{"name":"ZüRICH"}"#, "true");
    assert_eq!(run("select(.amount > 100)", r#"{"amount":99.99}"#), Ok(None));
    assert_eq!(run("empty", "null"), Ok(None));
}

#[test]
fn numbers_that_are_passed_on_keep_their_text() {
    for number in [
        "10.00",
        "0.10",
        "1e3",
        "1E+2",
        "-0.0",
        "9007199254740993",
        "-9223372036854775809",
        "18446744073709551615",
        "123456789012345678901234567890",
        "0.1000000000000000055511151231257827",
        "1.0e400",
        "79228162514264337593543950335.99",
    ] {
        gives(".data.amount", &format!(r#"{{"data":{{"amount":{number}}}}}"#), number);
        gives("{a: [.]}", number, &format!(r#"{{"a":[{number}]}}"#));
        gives(
            "del(.x) | .b.c |= .",
            &format!(r#"{{"x":1,"b":{{"c":{number}}}}}"#),
            &format!(r#"{{"b":{{"c":{number}}}}}"#),
        );
    }
    // Of whole numbers only the sign of nothing is lost.
    gives(".", "-0", "0");
}

#[test]
fn whole_numbers_are_calculated_exactly_and_others_as_doubles() {
    gives(". + 1", "9007199254740993", "9007199254740994");
    gives(". * 100", "92233720368547758070", "9223372036854775807000");
    gives(". + 0.10", "0.20", "0.30000000000000004");
    gives(". * 1", "10.00", "10.0");
}

#[test]
fn texts_and_keys_come_out_as_they_were() {
    gives(".", r#"{"z":"\u0000\"\\ä€😀","a":{"":[]}}"#, r#"{"z":"\u0000\"\\ä€😀","a":{"":[]}}"#);
}

#[test]
fn more_than_one_output_is_an_error() {
    assert!(run(".[]", "[1,2]").unwrap_err().contains("more than one output"));
    assert!(run("., error(\"x\")", "1").is_err());
    assert!(run("repeat(1)", "1").unwrap_err().contains("more than one"));
}

#[test]
fn what_json_cannot_say_is_an_error() {
    for program in ["nan", "infinite", "{(1): 2}", "\"a\" | tobytes"] {
        assert!(run(program, "null").unwrap_err().contains("not JSON"), "{program}");
    }
}

#[test]
fn an_error_holds_no_data() {
    for (program, words) in [
        (".card.number", "looks for a key"),
        (".card | keys", "uses a value as"),
        (".card | tonumber", "not shown"),
        (".card - 1", "calculates"),
        (".card | error", "not shown"),
        ("error(\"no amount in \" + .card)", "not shown"),
        ("error({card})", "not shown"),
        (".card | fromjson", "not shown"),
        (".card[1:2] = 1", ""),
        ("error(\"no amount\")", "no amount"),
        (".card | .. | implode", "uses a value as array"),
        ("halt", "`halt`"),
    ] {
        let error = run(program, r#"{"card":"4111x"}"#).unwrap_err();
        assert!(error.contains(words) && !error.contains("4111"), "{program}: {error}");
    }
}

#[test]
fn a_filter_sees_neither_files_nor_variables() {
    for program in ["$ENV", "input", "import \"a\" as a; .", "include \"a\"; .", "$__prog_args", "input_filename"] {
        assert!(Filter::compile(program).is_err(), "{program}");
    }
}

#[test]
fn a_mistake_is_told_with_its_place() {
    for (program, line, column, words) in [
        (".data |", 1, 8, "expected"),
        (".data | {id: .id", 1, 9, "never closed"),
        (".data\n| nope(1)", 2, 3, "no filter \"nope\""),
        (".data | $x", 1, 9, "no variable"),
        ("", 1, 1, ""),
        ("# é\n. %% 2", 2, 3, "expected"),
    ] {
        match Filter::compile(program) {
            Ok(_) => assert_eq!(words, "", "{program}"),
            Err(error) => {
                assert!(error.message.contains(words), "{program}: {error}");
                assert_eq!((error.line, error.column), (line, column), "{program}: {error}");
            }
        }
    }
}
