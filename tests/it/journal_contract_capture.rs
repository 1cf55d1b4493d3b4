//! Contract: secrets that senders told.

use hookport::journal::{Capture, CaptureFilter, JournalError, NewCapture, PENDING_IN_ALL, PENDING_OF_A_SOURCE};
use secrecy::ExposeSecret;

use super::{Bounds, Desk, Places, noon, seconds};

fn told(source: &str, secret: &str, value: &str) -> NewCapture {
    let peer = Some("192.0.2.7".parse().unwrap());
    NewCapture { source: source.into(), secret: secret.into(), value: value.to_owned().into(), received: noon(), peer }
}

fn of(source: &str) -> CaptureFilter {
    CaptureFilter { source: source.into(), ..CaptureFilter::default() }
}

async fn tell(desk: &Desk, source: &str, value: &str) {
    desk.journal.capture(told(source, "main", value)).await.unwrap();
}

/// `value` for what is pending, `value!` for what is confirmed.
async fn all(desk: &Desk) -> String {
    let captures = desk.journal.captures().await.unwrap();
    let shown = |capture: &Capture| {
        format!("{}{}", capture.value.expose_secret(), if capture.confirmed.is_some() { "!" } else { "" })
    };
    captures.iter().map(shown).collect::<Vec<_>>().join(" ")
}

pub(crate) async fn what_is_told_is_pending_until_it_is_confirmed(places: Places<'_>) {
    let mut desk = Desk::new(places(), Bounds::default());
    for value in ["one", "two", "three"] {
        tell(&desk, "notes", value).await;
    }
    tell(&desk, "tasks", "four").await;
    desk.journal.capture(told("notes", "other", "five")).await.unwrap();
    assert_eq!(all(&desk).await, "five four three two one");
    desk.clock.advance(seconds(60));
    let which = CaptureFilter { secret: Some("main".into()), ..of("notes") };
    let confirmed = desk.journal.confirm(which).await.unwrap().unwrap();
    assert_eq!((confirmed.source.as_str(), confirmed.secret.as_str()), ("notes", "main"));
    assert_eq!((confirmed.value.expose_secret(), confirmed.received), ("three", noon()));
    assert_eq!(confirmed.peer, Some("192.0.2.7".parse().unwrap()));
    assert!(confirmed.confirmed.is_some_and(|at| at >= noon() + seconds(60)));
    desk.restart().await;
    assert_eq!(all(&desk).await, "five four three!", "the others of the same secret are forgotten");
    assert!(desk.journal.confirm(of("nobody")).await.unwrap().is_none());
}

pub(crate) async fn what_is_told_is_there_after_a_crash(places: Places<'_>) {
    let mut desk = Desk::new(places(), Bounds::default());
    tell(&desk, "notes", "one").await;
    desk.crash();
    assert_eq!(all(&desk).await, "one");
    desk.journal.confirm(of("notes")).await.unwrap().unwrap();
    desk.crash();
    assert_eq!(all(&desk).await, "one!");
    assert_eq!(
        desk.journal.discard(CaptureFilter { fingerprint: Some(fingerprint("one")), ..of("notes") }).await.unwrap(),
        1
    );
    desk.crash();
    assert_eq!(all(&desk).await, "");
}

pub(crate) async fn what_is_told_again_is_one_and_the_newest(places: Places<'_>) {
    let desk = Desk::new(places(), Bounds::default());
    for value in ["one", "two", "one"] {
        tell(&desk, "notes", value).await;
    }
    assert_eq!(all(&desk).await, "one two");
    desk.journal.confirm(of("notes")).await.unwrap().unwrap();
    tell(&desk, "notes", "one").await;
    assert_eq!(all(&desk).await, "one!", "what is confirmed stays so");
    let pinned = CaptureFilter { fingerprint: Some(fingerprint("two")), ..of("notes") };
    assert!(desk.journal.confirm(pinned.clone()).await.unwrap().is_none(), "it was forgotten");
    for value in ["two", "three"] {
        tell(&desk, "notes", value).await;
    }
    assert_eq!(desk.journal.confirm(pinned).await.unwrap().unwrap().value.expose_secret(), "two");
    assert_eq!(all(&desk).await, "two! one!");
}

pub(crate) async fn what_is_pending_is_bounded_of_a_source_and_in_all(places: Places<'_>) {
    let desk = Desk::new(places(), Bounds::default());
    tell(&desk, "notes", "kept").await;
    desk.journal.confirm(of("notes")).await.unwrap().unwrap();
    for n in 0..20 {
        tell(&desk, "notes", &n.to_string()).await;
    }
    assert_eq!(all(&desk).await, "19 18 17 16 15 14 13 12 kept!");
    let sources = PENDING_IN_ALL / PENDING_OF_A_SOURCE;
    for n in 0..sources {
        for value in 0..PENDING_OF_A_SOURCE {
            tell(&desk, &format!("source{n}"), &value.to_string()).await;
        }
    }
    let captures = desk.journal.captures().await.unwrap();
    let pending = captures.iter().filter(|capture| capture.confirmed.is_none());
    assert_eq!(pending.clone().count(), PENDING_IN_ALL);
    assert!(pending.clone().all(|capture| capture.source != "notes"), "the oldest go first");
    assert_eq!(captures.len(), PENDING_IN_ALL + 1, "what is confirmed stays");
}

pub(crate) async fn what_is_discarded_is_gone(places: Places<'_>) {
    let desk = Desk::new(places(), Bounds::default());
    tell(&desk, "notes", "confirmed").await;
    desk.journal.confirm(of("notes")).await.unwrap().unwrap();
    for value in ["one", "two"] {
        tell(&desk, "notes", value).await;
    }
    tell(&desk, "tasks", "three").await;
    let which = CaptureFilter { secret: Some("other".into()), ..of("notes") };
    assert_eq!(desk.journal.discard(which).await.unwrap(), 0);
    assert_eq!(desk.journal.discard(of("notes")).await.unwrap(), 2);
    assert_eq!(all(&desk).await, "three confirmed!");
    let which = CaptureFilter { fingerprint: Some(fingerprint("confirmed")), ..of("notes") };
    assert_eq!(desk.journal.discard(which).await.unwrap(), 1);
    assert_eq!(all(&desk).await, "three");
}

pub(crate) async fn a_value_is_never_shown(places: Places<'_>) {
    let desk = Desk::new(places(), Bounds::default());
    let new = told("notes", "main", "open sesame");
    assert!(!format!("{new:?}").contains("sesame"));
    desk.journal.capture(new).await.unwrap();
    let captures = desk.journal.captures().await.unwrap();
    assert!(!format!("{captures:?}").contains("sesame"));
    assert_eq!(captures[0].fingerprint(), "41ef4bb0b23661e6");
}

pub(crate) async fn captures_are_closed_with_the_journal(places: Places<'_>) {
    let desk = Desk::new(places(), Bounds::default());
    desk.journal.close().await.unwrap();
    let closed = |error| matches!(error, JournalError::Closed);
    assert!(closed(desk.journal.capture(told("notes", "main", "late")).await.unwrap_err()));
    assert!(closed(desk.journal.captures().await.unwrap_err()));
    assert!(closed(desk.journal.confirm(of("notes")).await.unwrap_err()));
    assert!(closed(desk.journal.discard(of("notes")).await.unwrap_err()));
}

/// Of a value, as the journal tells it.
fn fingerprint(value: &str) -> String {
    told("any", "any", value).fingerprint()
}
