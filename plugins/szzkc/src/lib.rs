//! # szzkc
//!
//! SIM cards in batches, <https://www.showdoc.com.cn/ZkcCat1/10890582572007394>: a platform that is only called.
//! The operation's input and output are declared in `provider.toml`; here are its calls and what their answers mean.

#![forbid(unsafe_code)]

use std::collections::HashSet;

use hookport_plugin_api::prelude::*;
use hookport_plugin_api::serde_json;

export_provider!("../provider.toml", op_build = build, op_parse = parse);

/// Numbers in one call, at most.
const BATCH: usize = 20;
/// Seconds for a call that makes the platform ask the operator.
const SLOW: u32 = 60;

/// The operation's input.
#[derive(Deserialize)]
struct Query<'a> {
    #[serde(borrow)]
    numbers: Vec<Cow<'a, str>>,
    #[serde(default)]
    update: bool,
}

#[derive(Deserialize)]
struct Settings {
    base_url: String,
}

/// One call's body: ICCIDs too go under `imeis`.
#[derive(Serialize)]
struct Batch {
    imeis: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    update: bool,
}

fn build(call: &Call<'_>) -> Result<Vec<RequestPlan>, OperationError> {
    let query: Query<'_> = call.input()?;
    let settings: Settings = call.settings()?;
    let url = format!("{}/api/app/querySimCardBatch", settings.base_url.trim_end_matches('/'));
    let plan = |batch: Vec<&str>| {
        let plan = RequestPlan::post_json(&url, &Batch { imeis: batch.join(","), update: query.update })?;
        Ok(if query.update { plan.timeout_s(SLOW) } else { plan })
    };
    batches(&query)?.into_iter().map(plan).collect()
}

/// The numbers as they are asked for: each once, never both kinds in one call.
fn batches<'q>(query: &'q Query<'_>) -> Result<Vec<Vec<&'q str>>, OperationError> {
    let (mut imeis, mut iccids, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
    for number in query.numbers.iter().map(|number| number.trim()) {
        if number.is_empty() || number.contains(|c: char| c == ',' || c.is_whitespace()) {
            return Err(format!("numbers: {number:?} is neither an IMEI nor an ICCID").into());
        }
        if seen.insert(number) {
            if is_imei(number) { &mut imeis } else { &mut iccids }.push(number);
        }
    }
    if imeis.is_empty() && iccids.is_empty() {
        return Err("numbers: at least one is needed".into());
    }
    Ok(imeis.chunks(BATCH).chain(iccids.chunks(BATCH)).map(<[_]>::to_vec).collect())
}

/// The document's own example of an ICCID has a letter, so only the IMEI has a shape.
fn is_imei(number: &str) -> bool {
    number.len() == 15 && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// The platform's answer; whether it succeeded is `state`'s to say, not the HTTP status's.
#[derive(Deserialize)]
struct Found<'a> {
    state: bool,
    #[serde(borrow)]
    result: Option<Vec<&'a RawValue>>,
    error: Option<Cow<'a, str>>,
}

/// What of an item tells which number it answers.
#[derive(Deserialize)]
#[serde(rename_all = "UPPERCASE")]
struct Card<'a> {
    #[serde(borrow)]
    imei: Option<Cow<'a, str>>,
    iccid: Option<Cow<'a, str>>,
}

/// The operation's output.
#[derive(Default, Serialize)]
struct Output<'a> {
    result: Vec<&'a RawValue>,
    missing: Vec<&'a str>,
    errors: Vec<Failed<'a>>,
}

#[derive(Serialize)]
struct Failed<'a> {
    numbers: Vec<&'a str>,
    message: String,
}

fn parse(call: &Call<'_>, answers: &[Answer<'_>]) -> Result<OpResult, OperationError> {
    let query: Query<'_> = call.input()?;
    let mut output = Output::default();
    for (numbers, answer) in batches(&query)?.into_iter().zip(answers) {
        match found(answer) {
            Ok(items) => {
                output.missing.extend(missing(&numbers, &items));
                output.result.extend(items);
            }
            Err(message) => output.errors.push(Failed { numbers, message }),
        }
    }
    OpResult::done(&output)
}

/// The items of one answer, or the platform's own words why there are none.
fn found<'a>(answer: &'a Answer<'_>) -> Result<Vec<&'a RawValue>, String> {
    if let Some(error) = &answer.error {
        return Err(error.to_string());
    }
    let found: Found<'_> = answer.json().map_err(|error| format!("HTTP {}: {error}", answer.status))?;
    if found.state {
        return Ok(found.result.unwrap_or_default());
    }
    Err(found
        .error
        .filter(|text| !text.is_empty())
        .map_or_else(|| "state is false, without an error".into(), Cow::into_owned))
}

/// Those numbers that no item answers.
fn missing<'q>(numbers: &[&'q str], items: &[&RawValue]) -> Vec<&'q str> {
    let cards: Vec<Card<'_>> = items.iter().filter_map(|item| serde_json::from_str(item.get()).ok()).collect();
    let answers = |card: &Card<'_>, number: &str| {
        [&card.imei, &card.iccid].into_iter().flatten().any(|text| text.eq_ignore_ascii_case(number))
    };
    numbers.iter().filter(|number| !cards.iter().any(|card| answers(card, number))).copied().collect()
}
