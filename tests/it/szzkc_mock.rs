//! A szzkc that behaves as its document says, and the operation against it.
//!
//! The document: at most 20 numbers a call, IMEIs or ICCIDs but never both, `state` tells success, `update` is slow.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};

use crate::server::Server;

/// The mock server.
pub(crate) struct Szzkc {
    /// What `base_url` is set to.
    pub(crate) base_url: String,
    calls: Arc<Mutex<Vec<Call>>>,
    items: Items,
    _server: Server,
}

type Items = Arc<Mutex<Vec<&'static str>>>;

/// One call that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) numbers: Vec<String>,
    pub(crate) update: bool,
}

impl Szzkc {
    /// Starts one that knows these items, as JSON texts; an instant query takes `slow`.
    pub(crate) async fn start(items: &[&'static str], slow: Duration) -> Self {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let (items, kept) = (Arc::new(Mutex::new(items.to_vec())), calls.clone());
        let known = items.clone();
        let server = Server::start(move |request| answer(request, known.clone(), kept.clone(), slow)).await;
        Self { base_url: format!("http://{}", server.address), calls, items, _server: server }
    }

    /// Knows these items from now on.
    pub(crate) fn know(&self, items: &[&'static str]) {
        *self.items.lock().expect("no test panics while it holds this") = items.to_vec();
    }

    /// The calls so far.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().expect("no test panics while it holds this").clone()
    }
}

async fn answer(
    request: Request<Bytes>,
    items: Items,
    calls: Arc<Mutex<Vec<Call>>>,
    slow: Duration,
) -> Response<Full<Bytes>> {
    if request.method() != Method::POST || request.uri().path() != "/api/app/querySimCardBatch" {
        return respond(StatusCode::NOT_FOUND, "no such page");
    }
    let kind = request.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
    let (Some(numbers), true) = (body["imeis"].as_str(), kind.starts_with("application/json")) else {
        return respond(StatusCode::BAD_REQUEST, "imeis is required");
    };
    let numbers: Vec<String> = numbers.split(',').map(str::to_owned).collect();
    let update = body["update"] == true;
    calls.lock().expect("no test panics while it holds this").push(Call { numbers: numbers.clone(), update });
    if update {
        tokio::time::sleep(slow).await;
    }
    let imeis = numbers.iter().filter(|number| is_imei(number)).count();
    if numbers.len() > 20 {
        return failed("最大支持20个号码查询");
    }
    if imeis != 0 && imeis != numbers.len() {
        return failed("不支持IMEI和ICCID混合查询");
    }
    let items = items.lock().expect("no test panics while it holds this").clone();
    let found: Vec<_> = items.into_iter().filter(|item| numbers.iter().any(|number| is_of(item, number))).collect();
    if found.is_empty() {
        return failed("未查询到任何数据");
    }
    respond(StatusCode::OK, &format!(r#"{{"state":true,"result":[{}],"error":""}}"#, found.join(",")))
}

fn is_imei(number: &str) -> bool {
    number.len() == 15 && number.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_of(item: &str, number: &str) -> bool {
    let item: Value = serde_json::from_str(item).expect("items are JSON");
    item["IMEI"] == number || item["ICCID"] == number
}

/// The document shows a failure with `state`, and no other status.
fn failed(error: &str) -> Response<Full<Bytes>> {
    respond(StatusCode::OK, &json!({ "state": false, "result": null, "error": error }).to_string())
}

fn respond(status: StatusCode, body: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body.to_owned())));
    *response.status_mut() = status;
    response
}
