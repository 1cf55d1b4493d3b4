//! Every call of every provider's `fixtures/calls/*.toml`: the request that an operation makes at one moment, to the byte,
//! and what its answer means, from a real server. A new case is a new file.

use std::fs;

use bytes::Bytes;
use hookport::gateway::{Plugin, Plugins};
use hookport::operations::{Moment, Operations, in_order, recorded};
use hookport::plugin::load;
use http_body_util::Full;
use hyper::Response;
use jiff::Timestamp;
use serde::Deserialize;
use toml::{Table, Value};

use super::{operations, url};
use crate::cases::document::Document;
use crate::cases::gateway::plugins;
use crate::cases::setup::{lay_over, place_files};
use crate::server::Server;
use crate::shipped::sources;

/// A case.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// When it is made; only with `request`.
    at: Option<Timestamp>,
    nonce: Option<String>,
    operation: String,
    /// JSON.
    input: String,
    /// Tables that only this case has behind the provider's own description.
    description: Option<String>,
    /// Method and URL, headers but for the user agent, blank line, body. Secrets are `***`.
    request: Option<String>,
    /// Status, headers, blank line, body.
    answer: Option<String>,
    output: Option<String>,
    refused: Option<String>,
    #[serde(default)]
    secrets: Table,
    #[serde(default)]
    settings: Table,
}

#[tokio::test(flavor = "multi_thread")]
async fn eiotclub_is_called_as_its_cases_say() {
    hold("eiotclub", 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn evo_cloud_is_called_as_its_cases_say() {
    hold("evo-cloud", 6).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sgate_is_called_as_its_cases_say() {
    hold("sgate", 6).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn szzkc_is_called_as_its_cases_say() {
    hold("szzkc", 3).await;
}

async fn hold(provider: &str, at_least: usize) {
    let folder = sources(provider).join("fixtures/calls");
    let (mut failed, mut count) = (Vec::new(), 0);
    for file in fs::read_dir(folder).expect("the provider is called").flatten() {
        let text = fs::read_to_string(file.path()).expect("a case can be read");
        let held = match toml::from_str(&text) {
            Ok(case) => holds(provider, &case).await,
            Err(error) => Err(error.to_string()),
        };
        count += 1;
        failed.extend(held.err().map(|why| format!("{}:\n    {why}", file.file_name().display())));
    }
    assert!(failed.is_empty(), "{} calls of {provider} do not hold:\n{}", failed.len(), failed.join("\n"));
    assert!(count >= at_least, "{provider}: only {count} calls");
}

async fn holds(provider: &str, case: &Case) -> Result<(), String> {
    let own = case.description.as_deref().map(|more| described(provider, more));
    let plugins = own.as_ref().unwrap_or_else(|| plugins());
    let operation = case.operation.as_str();
    if let Some(expected) = &case.request {
        let now = case.at.ok_or("a request needs a time: at = ...")?;
        let moment = Moment { now, nonce: case.nonce.clone() };
        let called = calling(provider, case, plugins, None);
        let drafts = called.show("case", operation, &case.input, &moment).await.map_err(|error| error.to_string())?;
        same(&in_order(expected.trim_end_matches('\n')), &in_order(&recorded(&drafts)))?;
    }
    if case.output.is_none() && case.refused.is_none() {
        return Ok(());
    }
    let answer = case.answer.clone();
    let server = Server::start(move |_| {
        let answer = answer.clone();
        async move { answer.as_deref().map(response).expect("nothing is sent without an answer") }
    });
    let server = server.await;
    let called = calling(provider, case, plugins, case.answer.is_some().then(|| url(&server)));
    match (called.call("case", operation, &case.input).await, &case.output, &case.refused) {
        (Ok(output), Some(expected), _) => {
            same(&format!("{:?}", Document::read(expected)), &format!("{:?}", Document::read(&output.json)))
        }
        (Err(error), _, Some(expected)) => same(expected, &error.to_string()),
        (Ok(output), ..) => Err(format!("it succeeded: {}", output.json)),
        (Err(error), ..) => Err(format!("it failed: {error}")),
    }
}

/// The provider's own description and what the case adds, as a provider without code.
fn described(provider: &str, more: &str) -> Plugins {
    let folder = tempfile::tempdir().expect("a folder");
    let text = fs::read_to_string(sources(provider).join("provider.toml")).expect("a description");
    let file = folder.path().join("provider.toml");
    fs::write(&file, format!("{text}\n{more}")).expect("a description is written");
    let loaded = load(&file).unwrap_or_else(|error| panic!("{error}"));
    let plugin = Plugin::compile(loaded).unwrap_or_else(|error| panic!("{error}"));
    Plugins { by_id: [(provider.to_owned(), plugin)].into(), ..Plugins::default() }
}

/// The operations of the folder's source with the case's own keys, which call `base_url`.
fn calling(provider: &str, case: &Case, plugins: &Plugins, base_url: Option<String>) -> Operations {
    let folder = sources(provider).join("fixtures");
    let text = fs::read_to_string(folder.join("source.toml")).expect("the provider has a source");
    let mut source: Table = text.parse().expect("TOML");
    let given = [("secrets", case.secrets.clone()), ("settings", case.settings.clone())];
    let given = given.into_iter().map(|(name, table)| (name.to_owned(), Value::Table(table))).collect();
    lay_over(&mut source, &given);
    source.remove("at");
    source.insert("provider".into(), provider.into());
    source.insert("allow_private".into(), true.into());
    if let Some(Value::Table(secrets)) = source.get_mut("secrets") {
        secrets.retain(|_, secret| secret.as_array().is_none_or(|list| !list.is_empty()));
        secrets.iter_mut().for_each(|(_, secret)| place_files(secret, &folder));
    }
    if let (Some(base_url), Some(Value::Table(settings))) = (base_url, source.get_mut("settings")) {
        settings.insert("base_url".into(), base_url.into());
    }
    let sources = Table::from_iter([("case".to_owned(), Value::Table(source))]);
    operations(plugins, &Table::from_iter([("sources".to_owned(), Value::Table(sources))]).to_string())
}

fn response(text: &str) -> Response<Full<Bytes>> {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let status: u16 = lines.next().and_then(|status| status.parse().ok()).expect("a status");
    let headers = lines.filter_map(|line| line.split_once(": "));
    let response =
        headers.fold(Response::builder().status(status), |response, (name, value)| response.header(name, value));
    response.body(Full::from(body.to_owned())).expect("an answer")
}

fn same(expected: &str, found: &str) -> Result<(), String> {
    match expected == found {
        true => Ok(()),
        false => Err(format!("expected:\n{expected}\n    found:\n{found}")),
    }
}
