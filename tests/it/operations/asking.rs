//! What any plugin may plan and answer: more requests, later ones, none, and a host that keeps all of it in bounds.

use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use hookport::gateway::{Plugin, Plugins};
use hookport::operations::{CallError, Operations};
use hookport::plugin::load;
use http_body_util::Full;
use hyper::{Request, Response};
use serde_json::{Value, json};

use super::url;
use crate::plugins::built;
use crate::server::Server;

/// A status, headers and a body.
type Said = (u16, &'static [(&'static str, &'static str)], &'static str);

/// The asking plugin and somebody to ask.
struct Asked {
    operations: Operations,
    requests: Arc<Mutex<Vec<Request<Bytes>>>>,
    _server: Server,
}

impl Asked {
    /// Answers the request of each number, from 1, as `answer` says.
    async fn start(answer: fn(usize) -> Said) -> Self {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = requests.clone();
        let server = Server::start(move |request| {
            let mut kept = kept.lock().expect("no test panics while it holds this");
            kept.push(request);
            let (status, headers, body) = answer(kept.len());
            async move {
                if body == "slow" {
                    tokio::time::sleep(Duration::from_secs(60)).await;
                }
                let response = headers
                    .iter()
                    .fold(Response::builder().status(status), |response, (name, value)| response.header(*name, *value));
                response.body(Full::from(body)).expect("an answer")
            }
        })
        .await;
        let configuration = format!(
            "[sources.door]\nprovider = \"asker\"\nallow_private = true\nsettings.base_url = \"{}\"\n\
             secrets.token = {{ value = \"hunter2\" }}\n",
            url(&server)
        );
        Self { operations: super::operations(plugins(), &configuration), requests, _server: server }
    }

    async fn run(&self, operation: &str, input: Value) -> Result<Vec<String>, CallError> {
        let output = self.operations.call("door", operation, &input.to_string()).await?;
        Ok(serde_json::from_str(&output.json).expect("texts"))
    }

    async fn ask(&self) -> Result<Vec<String>, CallError> {
        self.run("ask", json!({ "method": "GET", "path": "/" })).await
    }

    fn count(&self) -> usize {
        self.requests.lock().expect("no test panics while it holds this").len()
    }
}

pub(super) fn plugins() -> &'static Plugins {
    static PLUGINS: OnceLock<Plugins> = OnceLock::new();
    PLUGINS.get_or_init(|| {
        let library = built::plugin("asker");
        let plugin = load(Path::new(&library)).map_err(|error| error.to_string());
        let plugin = plugin.and_then(Plugin::compile).expect("the plugin loads");
        Plugins { by_id: [("asker".to_owned(), plugin)].into(), ..Plugins::default() }
    })
}

#[tokio::test]
async fn a_plugin_gets_all_answers_of_all_rounds_in_order() {
    let asked = Asked::start(|number| match number {
        1 => (200, &[("x-more", "/b")], "a"),
        2 => (200, &[("x-more", "/c")], "b"),
        _ => (404, &[], "c"),
    })
    .await;
    assert_eq!(asked.ask().await.expect("an output"), ["200 a", "200 b", "404 c"]);
}

#[tokio::test]
async fn endless_paging_ends_with_an_error() {
    let asked = Asked::start(|_| (200, &[("x-more", "/")], "")).await;
    let error = asked.ask().await.expect_err("no end").to_string();
    assert!(error.contains("wanted more after 200 rounds"), "{error}");
    assert_eq!(asked.count(), 200);
}

#[tokio::test]
async fn what_may_pass_is_tried_again_as_often_as_is_said() {
    let asked = Asked::start(|number| (if number < 3 { 503 } else { 200 }, &[("retry-after", "0")], "at last")).await;
    assert_eq!(asked.ask().await.expect("an output"), ["200 at last"]);
    assert_eq!(asked.count(), 3);
    let never = Asked::start(|_| (429, &[("retry-after", "0")], "busy")).await;
    assert_eq!(never.ask().await.expect("an output"), ["429 busy"]);
    assert_eq!(never.count(), 3);
    let refused = Asked::start(|_| (403, &[], "no")).await;
    assert_eq!(refused.ask().await.expect("an output"), ["403 no"]);
    assert_eq!(refused.count(), 1);
}

#[tokio::test]
async fn a_pause_that_is_too_long_is_not_waited() {
    let asked = Asked::start(|_| (503, &[("retry-after", "3600")], "later")).await;
    assert_eq!(asked.ask().await.expect("an output"), ["503 later"]);
    assert_eq!(asked.count(), 1);
    let asked = Asked::start(|_| (200, &[("x-again", "3600")], "")).await;
    assert!(matches!(asked.ask().await, Err(CallError::Later(3600))));
}

#[tokio::test]
async fn what_may_do_something_twice_is_done_once_unless_the_description_allows_more() {
    let asked = Asked::start(|_| (500, &[], "broken")).await;
    let order = |method: &str| json!({ "method": method, "path": "/order" });
    assert_eq!(asked.run("order", order("POST")).await.expect("an output"), ["500 broken"]);
    assert_eq!(asked.count(), 1);
    assert_eq!(asked.run("order", order("PUT")).await.expect("an output"), ["500 broken"]);
    assert_eq!(asked.count(), 4);
    assert_eq!(asked.run("ask", order("POST")).await.expect("an output"), ["500 broken"]);
    assert_eq!(asked.count(), 7);
}

#[tokio::test]
async fn a_plugin_may_ask_again_and_sees_only_the_last_answer() {
    let asked = Asked::start(|number| match number {
        1 | 2 => (200, &[("x-again", "0")], "not yet"),
        _ => (200, &[], "now"),
    })
    .await;
    assert_eq!(asked.ask().await.expect("an output"), ["200 now"]);
    let never = Asked::start(|_| (200, &[("x-again", "0")], "not yet")).await;
    assert!(matches!(never.ask().await, Err(CallError::Later(0))));
    assert_eq!(never.count(), 3);
}

#[tokio::test]
async fn the_providers_no_comes_in_its_own_words() {
    let asked = Asked::start(|_| (200, &[("x-fail", "no such card")], "")).await;
    match asked.ask().await {
        Err(CallError::Refused(words)) => assert_eq!(words, "no such card"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_slow_answer_is_not_waited_for() {
    let asked = Asked::start(|_| (200, &[], "slow")).await;
    let told = asked.run("order", json!({ "method": "POST", "path": "/" })).await.expect("an output");
    assert_eq!(told, ["no answer within 1s"]);
}

#[tokio::test]
async fn a_plugin_that_panics_is_a_failure_and_can_be_asked_again() {
    let asked = Asked::start(|number| (200, if number == 1 { &[("x-panic", "1")] } else { &[] }, "fine")).await;
    let error = asked.ask().await.expect_err("a panic").to_string();
    assert!(error.contains("panicked") && error.contains("asked to"), "{error}");
    assert_eq!(asked.ask().await.expect("an output"), ["200 fine"]);
}

#[tokio::test]
async fn a_credential_is_filled_in_by_the_host() {
    let asked = Asked::start(|_| (200, &[], "")).await;
    let with = |value: &str| json!({ "method": "GET", "path": "/", "headers": { "authorization": value } });
    asked.run("ask", with("Bearer ${secret:token}")).await.expect("an output");
    let sent = asked.requests.lock().expect("no test panics while it holds this")[0].headers().clone();
    assert_eq!(sent["authorization"], "Bearer hunter2");
    assert!(sent["user-agent"].to_str().expect("text").starts_with("hookport/"));
    let error = asked.run("ask", with("${secret:other}")).await.expect_err("no such secret").to_string();
    assert!(error.contains("secrets.other") && !error.contains("hunter2"), "{error}");
    assert_eq!(asked.count(), 1);
}

#[tokio::test]
async fn a_request_that_cannot_be_sent_is_told() {
    let asked = Asked::start(|_| (200, &[], "")).await;
    for (input, words) in [
        (json!({ "method": "GET", "path": "/", "headers": { "host": "other" } }), "the gateway's own"),
        (json!({ "method": "GET", "path": "/", "headers": { "a b": "" } }), "no header's name"),
        (json!({ "method": "G T", "path": "/" }), "no method"),
        (json!({ "method": "GET", "path": "@elsewhere.example/" }), "credentials"),
    ] {
        let error = asked.run("ask", input).await.expect_err("it cannot be sent").to_string();
        assert!(error.contains(words), "{words}: {error}");
    }
    assert_eq!(asked.count(), 0);
}
