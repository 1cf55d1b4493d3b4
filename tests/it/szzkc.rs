//! szzkc's operation: its calls as the plugin plans them, sent to a platform that behaves as its document says.

use std::time::Duration;

use hookport::plugin::{Answer, Native, OpResult, RequestPlan, load};
use serde_json::{Value, json};

use crate::cases::document::Document;
use crate::shipped::library;
use crate::szzkc_mock::{Call, Szzkc};
use crate::wire::{Reply, exchange};

const OPERATION: &str = "query_sim_card_batch";
const FIRST: &str = r#"{"ServiceNum":"460044352904839","IMEI":"352019040635785","ICCID":"89860423191970454839","Status":1,"ActiveTS":"2019-07-02T11:03:42","ExpireTS":"2020-07-05T15:08:49","Balance":"8306.00KB"}"#;
const SECOND: &str = r#"{ "Balance" : "0KB", "IMEI": "352019040625281", "ICCID": "89860423191970454000", "Status": 1.0, "Extra": null }"#;
const LETTERED: &str =
    r#"{"ServiceNum":"460044300203314","IMEI":"352019041648936","ICCID":"898604231919c0083314","Status":0}"#;

fn szzkc() -> Native {
    load(&library("szzkc")).expect("szzkc loads").native.expect("szzkc has code")
}

fn settings(base_url: &str) -> String {
    json!({ "base_url": base_url }).to_string()
}

fn plans(input: &Value) -> Result<Vec<RequestPlan>, String> {
    let plans = szzkc().op_build(OPERATION, &input.to_string(), &settings("http://szzkc.test/"));
    plans.map_err(|fault| fault.to_string())
}

/// Sends what the plugin plans, one after the other, and gives its output as written.
async fn query(base_url: &str, input: Value) -> String {
    let (native, input, settings) = (szzkc(), input.to_string(), settings(base_url));
    let plans = native.op_build(OPERATION, &input, &settings).expect("plans");
    let mut replies = Vec::new();
    for plan in &plans {
        replies.push(send(plan).await);
    }
    let answers: Vec<Answer<'_>> = replies.iter().map(answer).collect();
    match native.op_parse(OPERATION, &input, &settings, &answers).expect("an output") {
        OpResult::Done(output) => output,
        other => panic!("not done: {other:?}"),
    }
}

async fn send(plan: &RequestPlan) -> Result<Reply, String> {
    let (host, path) = plan.url.strip_prefix("http://").and_then(|url| url.split_once('/')).expect("an absolute URL");
    let mut request = format!("{} /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n", plan.method);
    for (name, value) in &plan.headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str(&format!("content-length: {}\r\n\r\n", plan.body.len()));
    exchange(host.parse().expect("an address"), &[request.as_bytes(), &plan.body].concat()).await
}

fn answer(reply: &Result<Reply, String>) -> Answer<'_> {
    match reply {
        Ok(reply) => Answer { status: reply.status, headers: vec![], body: reply.body.as_slice().into(), error: None },
        Err(error) => Answer { status: 0, headers: vec![], body: (&[][..]).into(), error: Some(error.into()) },
    }
}

fn json(output: &str) -> Value {
    serde_json::from_str(output).expect("the output is JSON")
}

fn imei(number: usize) -> String {
    format!("35201904{number:07}")
}

#[tokio::test]
async fn fifty_five_imeis_and_two_iccids_are_four_calls() {
    let szzkc = Szzkc::start(&[FIRST, LETTERED], Duration::ZERO).await;
    let mut numbers: Vec<String> = (0..54).map(imei).collect();
    numbers.insert(7, "898604231919c0083314".into());
    numbers.insert(30, "352019040635785".into());
    numbers.push("89860423191970454000".into());
    let output = json(&query(&szzkc.base_url, json!({ "numbers": numbers })).await);

    let calls = szzkc.calls();
    let lengths: Vec<usize> = calls.iter().map(|call| call.numbers.len()).collect();
    assert_eq!(lengths, [20, 20, 15, 2]);
    assert_eq!(calls[3].numbers, ["898604231919c0083314", "89860423191970454000"]);
    let mut asked: Vec<String> = calls.into_iter().flat_map(|call| call.numbers).collect();
    asked.sort();
    numbers.sort();
    assert_eq!(asked, numbers);
    assert_eq!(output["result"].as_array().map(Vec::len), Some(2));
    // One call in which nothing was found is an error in the platform's words; its numbers are not missing besides.
    assert_eq!(output["errors"].as_array().map(Vec::len), Some(2));
    assert_eq!(output["missing"].as_array().map(Vec::len), Some(20));
}

#[tokio::test]
async fn items_pass_as_received() {
    let szzkc = Szzkc::start(&[FIRST, SECOND], Duration::ZERO).await;
    let numbers = ["352019040635785", "352019040625281", "352019041648936"];
    let output = query(&szzkc.base_url, json!({ "numbers": numbers })).await;
    let expected = format!(r#"{{"result":[{FIRST},{SECOND}],"missing":["352019041648936"],"errors":[]}}"#);
    assert_eq!(Document::read(&output).unwrap(), Document::read(&expected).unwrap());
}

#[tokio::test]
async fn a_failed_call_is_told_in_the_platforms_words_and_the_others_count() {
    let szzkc = Szzkc::start(&[FIRST], Duration::ZERO).await;
    let output = json(&query(&szzkc.base_url, json!({ "numbers": ["352019040635785", "8986"] })).await);
    assert_eq!(output["result"], json!([json(FIRST)]));
    assert_eq!(output["missing"], json!([]));
    assert_eq!(output["errors"], json!([{ "numbers": ["8986"], "message": "未查询到任何数据" }]));
}

#[tokio::test]
async fn an_instant_query_may_take_longer() {
    let szzkc = Szzkc::start(&[FIRST], Duration::from_millis(200)).await;
    let input = json!({ "numbers": ["352019040635785"], "update": true });
    let planned: Vec<_> = plans(&input).expect("plans").into_iter().map(|plan| plan.timeout_s).collect();
    assert_eq!(planned, [Some(60)]);
    let ordinary = plans(&json!({ "numbers": ["352019040635785"] })).expect("plans");
    assert_eq!(ordinary[0].timeout_s, None);
    assert_eq!(ordinary[0].body, br#"{"imeis":"352019040635785"}"#);

    let output = json(&query(&szzkc.base_url, input).await);
    assert_eq!(output["result"], json!([json(FIRST)]));
    assert_eq!(szzkc.calls(), [Call { numbers: vec!["352019040635785".into()], update: true }]);
}

#[tokio::test]
async fn a_number_is_asked_once_and_letters_have_no_case() {
    let szzkc = Szzkc::start(&[LETTERED], Duration::ZERO).await;
    let numbers = [" 898604231919c0083314", "898604231919c0083314"];
    let output = json(&query(&szzkc.base_url, json!({ "numbers": numbers })).await);
    assert_eq!(szzkc.calls().len(), 1);
    assert_eq!(szzkc.calls()[0].numbers, ["898604231919c0083314"]);
    assert_eq!(output["missing"], json!([]));
}

#[tokio::test]
async fn what_is_no_answer_of_the_platform_is_an_error_for_its_numbers() {
    let szzkc = Szzkc::start(&[], Duration::ZERO).await;
    let elsewhere = format!("{}/elsewhere", szzkc.base_url);
    let output = json(&query(&elsewhere, json!({ "numbers": ["352019040635785"] })).await);
    let error = &output["errors"][0];
    assert_eq!(error["numbers"], json!(["352019040635785"]));
    assert!(error["message"].as_str().is_some_and(|message| message.starts_with("HTTP 404: ")), "{error}");

    let output = json(&query("http://127.0.0.1:1", json!({ "numbers": ["352019040635785"] })).await);
    assert!(output["errors"][0]["message"].as_str().is_some_and(|message| message.contains("refused")), "{output}");
    assert_eq!(output["result"], json!([]));
}

#[test]
fn the_url_is_the_settings_with_one_slash() {
    let plan = plans(&json!({ "numbers": ["8986"] })).expect("plans").remove(0);
    assert_eq!((plan.method.as_str(), plan.url.as_str()), ("POST", "http://szzkc.test/api/app/querySimCardBatch"));
    assert_eq!(plan.headers, [("content-type".to_owned(), "application/json".to_owned())]);
}

#[test]
fn numbers_that_would_become_others_are_refused() {
    for numbers in
        [json!([]), json!([""]), json!(["352019040635785,8986"]), json!(["8986 1"]), json!([8986]), json!("8986")]
    {
        let refused = plans(&json!({ "numbers": numbers })).expect_err("refused");
        assert!(refused.contains("number") || refused.contains("input"), "{refused}");
    }
}

#[tokio::test]
async fn the_mock_refuses_what_the_document_refuses() {
    let szzkc = Szzkc::start(&[FIRST], Duration::ZERO).await;
    let url = format!("{}/api/app/querySimCardBatch", szzkc.base_url);
    for imeis in ["352019040635785,8986".to_owned(), ["352019040635785"; 21].join(",")] {
        let plan = RequestPlan::post_json(&url, &json!({ "imeis": imeis })).expect("a plan");
        let reply = send(&plan).await.expect("an answer");
        assert_eq!(json(std::str::from_utf8(&reply.body).expect("text"))["state"], false);
    }
}
