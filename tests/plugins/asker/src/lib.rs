//! A plugin that asks what its input says and does what the answer's headers say: everything an operation may do.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use hookport_plugin_api::prelude::*;

export_provider!("../provider.toml", op_build = build, op_parse = parse);

#[derive(Deserialize)]
struct Input {
    method: String,
    path: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Settings {
    base_url: String,
}

fn build(call: &Call<'_>) -> Result<Vec<RequestPlan>, OperationError> {
    let (input, settings): (Input, Settings) = (call.input()?, call.settings()?);
    let plan = RequestPlan::new(input.method, format!("{}{}", settings.base_url, input.path));
    Ok(vec![input.headers.into_iter().fold(plan, |plan, (name, value)| plan.header(name, value))])
}

fn parse(call: &Call<'_>, answers: &[Answer<'_>]) -> Result<OpResult, OperationError> {
    let settings: Settings = call.settings()?;
    let Some(last) = answers.last() else { return Err("no answers".into()) };
    if let Some(path) = last.header("x-more") {
        return Ok(OpResult::More(vec![RequestPlan::new("GET", format!("{}{path}", settings.base_url))]));
    }
    if let Some(seconds) = last.header("x-again").and_then(|seconds| seconds.parse().ok()) {
        return Ok(OpResult::RetryAfter(seconds));
    }
    if let Some(words) = last.header("x-fail") {
        return Ok(OpResult::Fail(words.into()));
    }
    if last.header("x-panic").is_some() {
        panic!("asked to");
    }
    let told = |answer: &Answer<'_>| match &answer.error {
        Some(error) => error.to_string(),
        None => format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body)),
    };
    OpResult::done(&answers.iter().map(told).collect::<Vec<_>>())
}
