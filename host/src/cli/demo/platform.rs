//! A SIM card platform that is only called, as szzkc's document has it: one query, whose `state` says whether it succeeded.

use std::net::SocketAddr;

use bytes::Bytes;
use hyper::{Method, Request, StatusCode};
use serde_json::{Value, json};

use super::server::{Answer, plain, serve};

/// The platform's cards: ICCID, and the item as it is answered.
const CARDS: [(&str, &str); 2] = [
    (
        "89860423191970454839",
        r#"{"ServiceNum":"460044352904839","IMEI":"352019040635785","ICCID":"89860423191970454839","Status":1,"ActiveTS":"2019-07-02T11:03:42","ExpireTS":"2020-07-05T15:08:49","Balance":"8306.00KB"}"#,
    ),
    (
        "89860423191970454000",
        r#"{"ServiceNum":"460044352904000","IMEI":"352019040625281","ICCID":"89860423191970454000","Status":1,"ActiveTS":"2019-06-21T19:38:22","ExpireTS":"2019-06-22T14:29:44","Balance":"0KB"}"#,
    ),
];

/// Starts it.
pub(super) async fn start() -> std::io::Result<SocketAddr> {
    serve(answer).await
}

/// What its cards are known by.
pub(super) fn iccids() -> impl Iterator<Item = &'static str> {
    CARDS.iter().map(|(iccid, _)| *iccid)
}

fn answer(request: Request<Bytes>) -> Answer {
    if (request.method(), request.uri().path()) != (&Method::POST, "/api/app/querySimCardBatch") {
        return plain(StatusCode::NOT_FOUND, "no such page");
    }
    let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
    let numbers: Vec<&str> = body["imeis"].as_str().unwrap_or_default().split(',').collect();
    let asked = |item: &str| {
        let item: Value = serde_json::from_str(item).unwrap_or_default();
        ["IMEI", "ICCID"].iter().any(|name| item[*name].as_str().is_some_and(|number| numbers.contains(&number)))
    };
    let found: Vec<&str> = CARDS.iter().map(|(_, item)| *item).filter(|item| asked(item)).collect();
    let text = match found.is_empty() {
        true => json!({ "state": false, "result": null, "error": "未查询到任何数据" }).to_string(),
        false => format!(r#"{{"state":true,"result":[{}],"error":""}}"#, found.join(",")),
    };
    plain(StatusCode::OK, text)
}
