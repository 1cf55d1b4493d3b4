//! What every host asks the golden plugin, and how what it says is written down. Shared by the kept hosts and the tests, which
//! both have a module `plugin` above this one.

use hyper::header::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::plugin::{Answer, DecodeRequest, DecodedEvent, Fault, Header, Loaded, Native, OpResult, RequestPlan};

const ICCID: &str = "8985200000000000017";
const SETTINGS: &str = r#"{"base_url":"https://golden.example"}"#;

/// The questions, by name, with the answers.
pub(crate) fn ask(loaded: &Loaded) -> Value {
    let Some(native) = &loaded.native else { return Value::Null };
    json!({
        "stopped": decode(native, "stopped", r#"{"event":"stopped","iccid":"8985200000000000017","lines":[1],"n":10.00}"#),
        "broken": decode(native, "stopped", r#"{"event":"stopped","iccid":"89852"}"#),
        "not as documented": decode(native, "stopped", r#"{"event":"stopped","iccid":17}"#),
        "batch": decode(native, "batch", r#"{"items":[{"a":1e400},{"b":"\u00e4"}]}"#),
        "seen": decode(native, "seen", r#"{"event":"seen"}"#),
        "refuses": decode(native, "refuses", "{}"),
        "panics": decode(native, "panics", "{}"),
        "logs": decode(native, "logs", "{}"),
        "after the panic": decode(native, "another", "{}"),
        "operations": native.operates(),
        "built": build(native, r#"{"numbers":["1","2","3"]}"#),
        "nothing to build": build(native, r#"{"numbers":[]}"#),
        "building panics": build(native, r#"{"numbers":["panics"]}"#),
        "done": parse(native, &[(200, "[1.0]"), (200, "{}")]),
        "more": parse(native, &[(200, "1"), (206, "2")]),
        "later": parse(native, &[(429, "")]),
        "failed": parse(native, &[(0, "")]),
        "garbage": parse(native, &[(200, "<html>")]),
    })
}

fn decode(native: &Native, declared_type: &str, document: &str) -> Value {
    let mut headers = HeaderMap::new();
    headers.insert("x-text", HeaderValue::from_static("as received"));
    headers.insert("x-bytes", HeaderValue::from_bytes(b"\xff").expect("an opaque value"));
    let request = DecodeRequest {
        method: "POST",
        target: "/golden?x=%20",
        headers: &headers,
        body: b"0123456789",
        received: Timestamp::from_millisecond(1_700_000_000_123).expect("a time"),
        declared_type,
        declared_subject: Some(ICCID),
        document,
    };
    let event = |event: DecodedEvent| {
        let data = event.data.map(|data| String::from_utf8_lossy(&data).into_owned());
        json!({ "kind": event.kind, "subject": event.subject, "data": data, "warnings": event.warnings })
    };
    told(native.decode(&request), |events| events.into_iter().map(event).collect())
}

fn build(native: &Native, input: &str) -> Value {
    told(native.op_build("query", input, SETTINGS), |plans| plans.into_iter().map(plan).collect())
}

fn plan(plan: RequestPlan) -> Value {
    let body = String::from_utf8_lossy(&plan.body).into_owned();
    json!([plan.method, plan.url, plan.headers, body, plan.timeout_s])
}

fn parse(native: &Native, answers: &[(u16, &str)]) -> Value {
    let headers = [Header { name: "retry-after", value: b"17" }];
    let mut given = Vec::new();
    for (status, body) in answers {
        given.push(Answer {
            status: *status,
            headers: headers.to_vec(),
            body: body.as_bytes().into(),
            error: (*status == 0).then(|| "nobody there".into()),
        });
    }
    told(native.op_parse("query", "{}", SETTINGS, &given), |result| match result {
        OpResult::Done(json) => json!({ "done": json }),
        OpResult::More(plans) => json!({ "more": plans.into_iter().map(plan).collect::<Vec<_>>() }),
        OpResult::RetryAfter(seconds) => json!({ "retry after": seconds }),
        OpResult::Fail(message) => json!({ "fail": message }),
    })
}

fn told<T>(result: Result<T, Fault>, tell: impl FnOnce(T) -> Value) -> Value {
    match result {
        Ok(value) => tell(value),
        // The place of a panic is the compiler's business.
        Err(fault) => json!({ "fault": format!("{:?}", fault.kind), "message": fault.message }),
    }
}
