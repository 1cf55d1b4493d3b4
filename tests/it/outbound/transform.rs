//! `transform` in a gateway of its own process: what is sent, what is not, and what a filter that goes wrong costs.

use std::time::Instant;

use serde_json::Value;

use super::receiver::{Receiver, Say};
use crate::process::{Folder, PATIENCE, Process};
use crate::tally::{body, request_with};

fn destination(name: &str, receiver: &Receiver, more: &str) -> String {
    let url = receiver.url();
    format!(
        "[destinations.{name}]\nkind = 'http'\nurl = '{url}'\nallow_private = true\nretry = {{ first = '1h' }}\n{more}\n"
    )
}

async fn json(gateway: &Process, path: &str) -> Value {
    serde_json::from_slice(&gateway.get(path).await.body).expect("JSON")
}

/// The tries of every delivery of the one event, by destination, once each was tried.
async fn tries(gateway: &Process) -> Vec<(String, Value)> {
    let end = Instant::now() + PATIENCE;
    loop {
        let events = json(gateway, "/v1/events").await;
        let id = events["events"][0]["event"]["id"].as_str().expect("an event").to_owned();
        let event = json(gateway, &format!("/v1/events/{id}")).await;
        let deliveries = event["deliveries"].as_array().expect("deliveries").clone();
        if deliveries.iter().all(|delivery| delivery["tries"][0].is_object()) {
            let name = |delivery: &Value| delivery["destination"].as_str().unwrap_or_default().to_owned();
            return deliveries.iter().map(|delivery| (name(delivery), delivery.clone())).collect();
        }
        assert!(Instant::now() < end, "not all were tried: {deliveries:#?}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transform_shapes_what_is_sent_and_a_wrong_one_costs_its_own_destination_only() {
    let receiver = Receiver::start([Say::Status(200)]).await;
    let nobody = Receiver::start([Say::Status(200)]).await;
    let destinations = [
        destination("shaped", &receiver, "transform = '{id: .data.id, amount: .data.amount, env: env}'"),
        destination("whole", &receiver, "transform = 'del(.source) | .data |= {amount}'"),
        destination("data", &receiver, "format = 'data'\ntransform = '[.amount, .id]'"),
        destination("unwanted", &nobody, "transform = 'select(.data.amount > 100)'"),
        destination("several", &nobody, "transform = '.data[]'"),
        destination("loop", &nobody, "transform = 'def f: f; f'\ntimeout = '2s'"),
        destination("deep", &nobody, "transform = 'def f: 1 + f; f'\ntimeout = '1h'"),
        destination("huge", &nobody, "transform = '[range(1000000000)] | length'\ntimeout = '1h'"),
    ]
    .concat();
    let names = "['shaped', 'whole', 'data', 'unwanted', 'several', 'loop', 'deep', 'huge']";
    let folder = Folder::new(&format!("{destinations}\n[[routes]]\nto = {names}"));
    let gateway = folder.serve();
    assert_eq!(gateway.ask(request_with("connection: close\r\n", &body("a"))).await.status, 202);

    for (name, delivery) in tries(&gateway).await {
        let (state, first) = (delivery["state"].as_str().unwrap_or_default(), &delivery["tries"][0]);
        let (error, answer) = (first["error"].as_str().unwrap_or_default(), first["answer"].as_str());
        match name.as_str() {
            "shaped" | "whole" | "data" => assert_eq!(state, "delivered", "{name}: {delivery}"),
            "unwanted" => {
                assert_eq!(state, "delivered", "{delivery}");
                assert_eq!(answer, Some("[not sent: the transform gave nothing]"));
            }
            "several" => assert!(state == "retrying" && error.contains("more than one output"), "{delivery}"),
            "loop" => assert!(state == "retrying" && error.contains("was ended after 2s"), "{delivery}"),
            // Whichever bound is met first on this machine ends it.
            "deep" | "huge" => {
                assert!(state == "retrying" && error.starts_with("transform: the filter "), "{delivery}")
            }
            other => panic!("there is no {other}"),
        }
    }
    let mut sent: Vec<(String, String)> = receiver
        .got()
        .iter()
        .map(|got| {
            let kind = got.headers["content-type"].to_str().expect("ASCII").to_owned();
            (kind, String::from_utf8(got.body.to_vec()).expect("JSON"))
        })
        .collect();
    sent.sort();
    assert_eq!(sent[0], ("application/cloudevents+json".into(), sent[0].1.clone()));
    assert!(sent[0].1.contains(r#""data":{"amount":10.00}"#) && !sent[0].1.contains("sources/tally"), "{}", sent[0].1);
    assert_eq!(sent[1].1, r#"[10.00,"a"]"#);
    assert_eq!(sent[2], ("application/json".into(), r#"{"id":"a","amount":10.00,"env":{}}"#.into()));
    assert_eq!((sent.len(), nobody.got().len()), (3, 0));
    assert_eq!(gateway.stop().code, Some(0));
}

#[test]
fn a_transform_that_is_no_filter_is_said_with_its_place() {
    let folder = Folder::new(
        "[destinations.crm]\nkind = 'http'\nurl = 'https://crm.example.com/'\ntransform = '.data | nope'\n\
         [[routes]]\nto = ['crm']",
    );
    let ended = folder.run(&["check"]);
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.said.contains("destinations.crm.transform: line 1, column 9: there is no filter \"nope\""),
        "{}",
        ended.said
    );
}
