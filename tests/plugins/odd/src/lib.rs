//! A plugin that does on demand what a plugin should not: each declared type names one misdeed.

#![forbid(unsafe_code)]
#![deny(warnings, missing_docs)]

use hookport_plugin_api::prelude::*;

export_provider!(
    "../provider.toml",
    decode = decode,
    op_build = build,
    op_parse = parse,
    samples = ["../fixtures/stopped.http"],
);

/// What we know of the fields.
#[derive(Deserialize)]
struct Stopped<'a> {
    #[serde(borrow)]
    iccid: Cow<'a, str>,
    n: Option<f64>,
}

/// A payload that will not be dropped quietly.
struct Grudge;

impl Drop for Grudge {
    fn drop(&mut self) {
        panic!("not even dropped quietly");
    }
}

fn decode(request: &Request<'_>, events: &mut Events<'_>) -> Result<(), DecodeError> {
    match events.declared_type() {
        "typed" => events.push_typed::<Stopped<'_>>(request.json()?),
        "checked" => events.push_checked::<Stopped<'_>>(request.json()?, |stopped, warnings| {
            if stopped.iccid.len() != 19 || stopped.n.is_none() {
                warnings.push(format!("iccid {} has not 19 digits", stopped.iccid));
            }
        }),
        "split" => split(request, events),
        "rewritten" => {
            let mut fields = request.fields()?;
            let inner = fields.text("inner").unwrap_or_default().into_owned();
            fields.set_json("inner", &inner);
            events.push(Event::new().json(fields.to_json()))
        }
        "echo" => echo(request, events),
        "logs" => {
            log!(Level::Warn, "the plugin says {}", request.method());
            events.push_as_received(request)
        }
        "refuses" => Err("no events in this one".into()),
        "panics" => panic!("boom at {}", request.target()),
        "panics with a grudge" => std::panic::panic_any(Grudge),
        "panics with a number" => std::panic::panic_any(7_u64),
        "overflows" => overflow(request.body().len()),
        "floods" => (0..).try_for_each(|n| events.push(Event::new().kind(format!("n{n}")))),
        "floods and goes on" => {
            (0..100_000).for_each(|_| drop(events.push(Event::new().kind("n"))));
            Ok(())
        }
        "swells" => events.push(Event::new().json(format!("\"{}\"", "x".repeat(64 << 20)))),
        "warns for ever" => {
            (0..10_000).for_each(|n| events.warn(format!("warning {n} {}", "long ".repeat(1000))));
            events.push_as_received(request)
        }
        "is not JSON" => events.push(Event::new().json("{\"a\":")),
        "is deep" => events.push(Event::new().json(format!("{}{}", "[".repeat(200), "]".repeat(200)))),
        "has no name" => events.push(Event::new().kind("line\nbreak")),
        "says nothing" => Ok(()),
        _ => events.push_as_received(request),
    }
}

fn split(request: &Request<'_>, events: &mut Events<'_>) -> Result<(), DecodeError> {
    let items: Vec<&RawValue> = request.json()?;
    for (number, item) in items.into_iter().enumerate() {
        events.push(Event::new().kind("Item").subject(number.to_string()).json(item.get()).warn("one of several"))?;
        events.warn("and another");
    }
    Ok(())
}

/// Says what it was given.
fn echo(request: &Request<'_>, events: &mut Events<'_>) -> Result<(), DecodeError> {
    #[derive(Serialize)]
    struct Given<'a> {
        method: &'a str,
        target: &'a str,
        headers: Vec<(&'a str, String)>,
        header: Option<&'a str>,
        body: usize,
        received: i64,
        subject: Option<&'a str>,
        document: &'a str,
    }
    let given = Given {
        method: request.method(),
        target: request.target(),
        headers: request.headers().map(|h| (h.name, String::from_utf8_lossy(h.value).into_owned())).collect(),
        header: request.header("X-Text"),
        body: request.body().len(),
        received: request.received_unix_ms(),
        subject: request.declared_subject(),
        document: request.document(),
    };
    events.push(Event::new().data(&given)?)
}

fn overflow(length: usize) -> Result<(), DecodeError> {
    let numbers = [1, 2, 3];
    Err(DecodeError::new(format!("{}", numbers[length])))
}

/// What `query` takes.
#[derive(Deserialize)]
struct Query {
    numbers: Vec<String>,
}

/// What a source sets.
#[derive(Deserialize)]
struct Settings {
    base_url: String,
}

fn build(call: &Call<'_>) -> Result<Vec<RequestPlan>, OperationError> {
    if call.operation() == "panics" {
        panic!("no such operation");
    }
    if call.operation() == "floods" {
        return Ok(vec![RequestPlan::new("GET", "https://odd.example"); 100_000]);
    }
    let (query, settings): (Query, Settings) = (call.input()?, call.settings()?);
    let plan = |number: &String| {
        Ok(RequestPlan::post_json(format!("{}/query", settings.base_url), number)?.header("x-odd", "1").timeout_s(30))
    };
    query.numbers.iter().map(plan).collect()
}

fn parse(_call: &Call<'_>, answers: &[Answer<'_>]) -> Result<OpResult, OperationError> {
    let Some(answer) = answers.last() else { return Err("no answers".into()) };
    match answer.status {
        0 => Ok(OpResult::Fail(answer.error.clone().unwrap_or_default().into_owned())),
        200 if answers.len() == 1 => Ok(OpResult::More(vec![RequestPlan::new("GET", "https://odd.example/next")])),
        200 => OpResult::done(&answer.json::<Cow<'_, str>>()?),
        299 => Ok(OpResult::Done("{".into())),
        429 => Ok(OpResult::RetryAfter(answer.header("Retry-After").and_then(|s| s.parse().ok()).unwrap_or(1))),
        status => Err(OperationError::new(format!("status {status}"))),
    }
}
