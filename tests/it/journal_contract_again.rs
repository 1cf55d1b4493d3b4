//! Contract: a replay of many steps is one replay, also where it adds events on its way.

use std::sync::Arc;

use bytes::Bytes;
use hookport::event::{Data, Event};
use hookport::journal::{Content, EventFilter, Outcome, Redelivered, Replay, Replayed};
use jiff::Timestamp;

use super::{Bounds, Desk, Places, accepted, event, key, request, seconds};

async fn step(desk: &Desk, run: Timestamp, events: Vec<(Event, Content)>, to: &str) -> Redelivered {
    let events = events.into_iter().map(|(event, content)| Replayed { event, content }).collect();
    desk.journal.redeliver(Replay { run, events, to: vec![Arc::from(to)], dry: false }).await.unwrap()
}

fn added(event: &Event, name: &str) -> (Event, Content) {
    let data = Data::Json(format!(r#"{{"id":"{name}"}}"#).into());
    (Event { data, ..event.clone() }, Content::Added(key(name), Bytes::new()))
}

pub(crate) async fn who_gets_requests_gets_one_and_its_copies_once(places: Places<'_>) {
    for in_one_step in [true, false] {
        let desk = Desk::new(places(), Bounds::default());
        let id = desk.event("a", "raw").await;
        let claimed = desk.claim("raw").await;
        desk.settle(&claimed[0], Outcome::Delivered).await;
        let (stored, run) = (desk.journal.event(id).await.unwrap().unwrap().event, desk.clock.now());
        let steps = [(stored.clone(), Content::Stored), added(&stored, "b"), added(&stored, "c")];
        let mut done = Vec::new();
        if in_one_step {
            done.push(step(&desk, run, steps.into(), "raw").await);
        } else {
            for one in steps {
                done.push(step(&desk, run, vec![one], "raw").await);
            }
        }
        let total = |count: fn(&Redelivered) -> u64| done.iter().map(count).sum::<u64>();
        assert_eq!((total(|done| done.added), total(|done| done.deliveries)), (2, 1), "{done:?}");
        // A page of it that comes later meets a copy.
        let newest = EventFilter { limit: 1, ..EventFilter::default() };
        let copy = desk.journal.events(newest).await.unwrap().remove(0);
        assert_eq!(step(&desk, run, vec![(copy, Content::Stored)], "raw").await.deliveries, 0);
        assert_eq!(desk.claim("raw").await.len(), 1);
    }
}

pub(crate) async fn the_last_events_of_a_long_replay_have_as_long_as_the_first(places: Places<'_>) {
    let desk = Desk::new(places(), Bounds::default());
    let id = accepted(desk.record(request([event("a", "nobody")])).await)[0];
    let stored = desk.journal.event(id).await.unwrap().unwrap().event;
    let run = desk.clock.now();
    desk.clock.advance(seconds(7_200));
    let (done, during) = desk.during(|| step(&desk, run, vec![(stored, Content::Stored)], "crm")).await;
    assert_eq!(done.deliveries, 1);
    let since = desk.claim("crm").await[0].since;
    assert!(during.contains(&since), "{since} is when it was asked for, {during:?}");
}

pub(crate) async fn what_was_erased_since_it_was_read_is_not_written_again(places: Places<'_>) {
    let desk = Desk::new(places(), Bounds::default());
    let ids = accepted(desk.record(request([event("a", "nobody"), event("b", "nobody")])).await);
    let read = desk.journal.event(ids[1]).await.unwrap().unwrap();
    let one = EventFilter { id: Some(ids[0]), ..EventFilter::default() };
    assert_eq!(desk.journal.erase(one, false).await.unwrap().erased, 1);
    let replaced = (
        Event { data: Data::Json(r#"{"again":1}"#.into()), ..read.event.clone() },
        Content::Replaced(key("b"), read.request.body.clone()),
    );
    let done = step(&desk, desk.clock.now(), vec![replaced, added(&read.event, "c")], "crm").await;
    assert_eq!((done.erased, done.added, done.deliveries), (2, 0, 0));
    assert_eq!(desk.journal.event(ids[1]).await.unwrap().unwrap().event.data, read.event.data);
    let stored = (read.event.clone(), Content::Stored);
    assert_eq!(step(&desk, desk.clock.now(), vec![stored], "crm").await.deliveries, 1, "as it is it may go");
}
