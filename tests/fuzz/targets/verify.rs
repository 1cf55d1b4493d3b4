//! Any request to any description that ships: greeted, verified, decoded, answered and diagnosed as the gateway and
//! `hookport verify` do. A first byte chooses the description; head and body follow as in a case file.
#![no_main]

mod shipped;

use std::sync::{Arc, LazyLock};

use hookport::case::Case;
use hookport::event::Data;
use hookport::inbound::events;
use hookport::provider::ack::Outcome;
use hookport::provider::diagnose::diagnose;
use hookport::provider::handshake::greet;
use hookport::provider::verify::{authentic, trace, verify_with};
use libfuzzer_sys::fuzz_target;

static STAGES: LazyLock<Vec<shipped::Stage>> = LazyLock::new(shipped::stages);

const OUTCOMES: [Outcome; 5] =
    [Outcome::Accepted, Outcome::Duplicate, Outcome::Rejected, Outcome::Malformed, Outcome::Unavailable];

fn seeds() -> impl Iterator<Item = Vec<u8>> {
    let numbered = STAGES.iter().zip(0u8..);
    numbered.flat_map(|(stage, which)| {
        shipped::requests(&stage.folder).into_iter().map(move |request| [&[which], &request[..]].concat())
    })
}

fuzz_target!(init: shipped::seed("verify", seeds()), |data: &[u8]| {
    let Some((&which, request)) = data.split_first() else { return };
    let shipped::Stage { source, fetched, at, .. } = &STAGES[usize::from(which) % STAGES.len()];
    let Ok(Case { request, .. }) = Case::parse(request) else { return };
    let request = Arc::new(request);
    let _ = (greet(source, &request), source.wants(&request), source.redact(&request.body));
    for outcome in OUTCOMES {
        assert!((200..600).contains(&source.ack(outcome, &request, *at).status));
    }
    let (_, traced) = trace(source, &request, fetched, *at);
    match verify_with(source, &request, fetched, *at) {
        Err(rejection) => {
            assert_eq!(traced.err().map(|traced| traced.reason), Some(rejection.reason));
            // Of many: it makes the same check again up to two hundred times.
            if request.body.len() % 16 == 0 {
                assert!(diagnose(source, &request, *at).len() < 200);
            }
        }
        Ok(verified) => {
            assert!(traced.is_ok(), "being watched makes no difference");
            let event = verified.handshake.is_none();
            let whole = verified.malformed.is_none() && verified.stale.is_none();
            assert!(!event || !whole || source.fetches() || authentic(source, &request, *at).is_ok());
            assert_ne!(verified.items.is_empty(), event, "a handshake or an event");
            for event in events(source, None, verified).0 {
                if let Data::Json(json) = event.data {
                    serde_json::from_slice::<&serde_json::value::RawValue>(&json).expect("data is JSON");
                }
            }
        }
    }
});
