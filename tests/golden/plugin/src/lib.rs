//! A plugin that uses every function and every view of the ABI 1.0; its binaries are kept and must load for ever.
//!
//! Changed only together with a new released version of the plugin API: what the kept binaries say is compared word by word.

#[cfg(feature = "allocator")]
mod allocator;

use hookport_plugin_api::prelude::*;

#[cfg(not(any(feature = "decode-only", feature = "canonicalize")))]
export_provider!(
    "../provider.toml",
    decode = decode,
    op_build = build,
    op_parse = parse,
    samples = ["../fixtures/stopped.http"],
);
#[cfg(feature = "decode-only")]
export_provider!("../decode-only.toml", decode = decode, samples = ["../fixtures/stopped.http"]);

#[cfg(feature = "canonicalize")]
export_provider!(
    "../canonicalize.toml",
    decode = decode,
    op_build = build,
    op_parse = parse,
    canonicalize = signed,
    samples = ["../fixtures/stopped.http"],
);

/// What we know of the fields.
#[derive(Deserialize)]
struct Stopped<'a> {
    #[serde(borrow)]
    iccid: Cow<'a, str>,
    #[serde(default)]
    lines: Vec<u32>,
}

/// Everything that a decoder is given.
#[derive(Serialize)]
struct Seen<'a> {
    method: &'a str,
    target: &'a str,
    headers: Vec<(&'a str, String)>,
    body: String,
    received: i64,
    declared: (&'a str, Option<&'a str>),
    document: &'a str,
}

fn decode(request: &Request<'_>, events: &mut Events<'_>) -> Result<(), DecodeError> {
    match events.declared_type() {
        "stopped" => events.push_checked::<Stopped<'_>>(request.json()?, |stopped, warnings| {
            if stopped.iccid.len() != 19 {
                warnings.push(format!("iccid {} has not 19 digits", stopped.iccid));
            }
            if stopped.lines.is_empty() {
                warnings.push("no lines".into());
            }
        }),
        "batch" => batch(request, events),
        "seen" => seen(request, events),
        "refuses" => Err("no events in this one".into()),
        "panics" => panic!("boom at {}", request.target()),
        "logs" => {
            log!(Level::Warn, "the golden plugin says {}", request.method());
            events.push_as_received(request)
        }
        _ => events.push_as_received(request),
    }
}

fn batch(request: &Request<'_>, events: &mut Events<'_>) -> Result<(), DecodeError> {
    let fields = request.fields()?;
    let items: Vec<&RawValue> = serde_json_from(fields.get("items"))?;
    for (number, item) in items.into_iter().enumerate() {
        events.push(Event::new().kind("Item").subject(number.to_string()).json(item.get()))?;
        events.warn(format!("item {number}"));
    }
    Ok(())
}

fn serde_json_from<'a, T: Deserialize<'a> + Default>(value: Option<&'a RawValue>) -> Result<T, DecodeError> {
    let read = value.map(|value| hookport_plugin_api::serde_json::from_str(value.get())).transpose()?;
    Ok(read.unwrap_or_default())
}

fn seen(request: &Request<'_>, events: &mut Events<'_>) -> Result<(), DecodeError> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    events.push(Event::new().data(&Seen {
        method: request.method(),
        target: request.target(),
        headers: request.headers().map(|header| (header.name, text(header.value))).collect(),
        body: text(request.body()),
        received: request.received_unix_ms(),
        declared: (request.declared_type(), request.declared_subject()),
        document: request.document(),
    })?)
}

/// What the template says in the other variants.
#[cfg(feature = "canonicalize")]
fn signed(request: &Unverified<'_>) -> Result<Vec<u8>, TextError> {
    match request.header("x-mode") {
        Some("panics") => panic!("boom while writing {}", request.text_name()),
        _ => Ok(request.body().to_vec()),
    }
}

#[cfg(not(feature = "decode-only"))]
#[derive(Deserialize)]
struct Input {
    numbers: Vec<String>,
}

#[cfg(not(feature = "decode-only"))]
#[derive(Deserialize)]
struct Settings {
    base_url: String,
}

#[cfg(not(feature = "decode-only"))]
fn build(call: &Call<'_>) -> Result<Vec<RequestPlan>, OperationError> {
    let (input, settings): (Input, Settings) = (call.input()?, call.settings()?);
    let plan = |numbers: &[String]| {
        let url = format!("{}/{}", settings.base_url, call.operation());
        Ok(RequestPlan::post_json(url, numbers)?.header("x-key", "${secret:main}").timeout_s(7))
    };
    match input.numbers.first().map(String::as_str) {
        None => Err("no numbers".into()),
        Some("panics") => panic!("boom while building"),
        Some(_) => input.numbers.chunks(2).map(plan).collect(),
    }
}

#[cfg(not(feature = "decode-only"))]
fn parse(call: &Call<'_>, answers: &[Answer<'_>]) -> Result<OpResult, OperationError> {
    let Some(last) = answers.last() else { return Err("no answers".into()) };
    match last.status {
        0 => Ok(OpResult::Fail(last.error.as_deref().unwrap_or("no answer").into())),
        429 => Ok(OpResult::RetryAfter(last.header("Retry-After").and_then(|s| s.parse().ok()).unwrap_or(1))),
        206 => Ok(OpResult::More(vec![RequestPlan::new("GET", format!("https://golden.example/{}", answers.len()))])),
        _ => {
            let bodies: Result<Vec<&RawValue>, _> = answers.iter().map(Answer::json).collect();
            OpResult::done(&(call.operation(), bodies?))
        }
    }
}
