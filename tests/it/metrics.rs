//! What is counted, as a collector reads it from a whole gateway.

mod door;
mod flow;
mod openmetrics;

use std::time::Instant;

pub(crate) use self::openmetrics::Page;
use crate::process::{Folder, PATIENCE, Process};

/// The page of a running gateway, read by somebody strict.
pub(crate) async fn scrape(gateway: &Process) -> Page {
    let reply = gateway.get("/metrics").await;
    let text = String::from_utf8(reply.body.clone()).expect("text");
    assert_eq!(reply.status, 200, "{text}");
    assert_eq!(reply.header("content-type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
    Page::read(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The first page on which a value is at least this.
pub(crate) async fn until(gateway: &Process, name: &str, labels: &[(&str, &str)], least: f64) -> Page {
    let end = Instant::now() + PATIENCE;
    loop {
        let page = scrape(gateway).await;
        if page.value(name, labels) >= least {
            return page;
        }
        assert!(Instant::now() < end, "{name} {labels:?} is {} still", page.value(name, labels));
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// Runs a command on the running gateway, which must do it.
fn operate(folder: &Folder, gateway: &Process, arguments: &[&str]) {
    let admin = format!("http://{}", gateway.admin);
    let ended = folder.run(&[arguments, &["--admin", &admin]].concat());
    assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
}
