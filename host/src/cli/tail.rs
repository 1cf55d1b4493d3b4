//! `hookport events tail`: follows a gateway through its restarts, and misses nothing that its journal kept.

use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::client::{Client, Unanswered, read};
use super::{Failure, events, output};
use crate::journal::EventFilter;

const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
struct Tail<'a> {
    #[serde(borrow)]
    events: Vec<&'a RawValue>,
    after: Uuid,
}

/// Prints events as they come; returns when the output is closed or the gateway says no.
pub(super) fn follow(client: &Client, mut filter: EventFilter, json: bool) -> Result<(), Failure> {
    if filter.since.is_some() {
        filter.after = Some(Uuid::nil());
    }
    let mut lost = None;
    let mut reached = false;
    loop {
        match client.get("/v1/events/tail", &filter) {
            Ok(answer) => {
                if lost.take().is_some() {
                    output::say("the gateway is back");
                }
                reached = true;
                let tail: Tail<'_> = read(&answer)?;
                for event in tail.events {
                    events::print_line(event, json)?;
                }
                filter.after = Some(tail.after);
            }
            Err(Unanswered::Away(message)) if reached => {
                if lost.is_none() {
                    output::say(format_args!("{message}; trying until it is back"));
                }
                let wait = lost.map_or(FIRST_WAIT, |wait: Duration| (wait * 2).min(LONGEST_WAIT));
                std::thread::sleep(wait);
                lost = Some(wait);
            }
            Err(unanswered) => return Err(unanswered.into()),
        }
    }
}
