//! All items of a request together: so long they may take, and what is left then is kept.

use bytes::Bytes;
use hookport::event::NewEvent;
use hookport::inbound::{Decoder, events};
use hookport::provider::source::{Source, SourceParts};
use hookport::provider::verify::verify;
use hookport::request::Incoming;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn items_that_code_has_no_time_for_are_kept_undecoded_and_it_is_not_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::copy(plugin("early"), folder.path().join("libearly.so")).expect("a copy");
    let plugins = Plugins::discover_by(&[folder.path().to_owned()], &policy(patient()));
    let early = &plugins.by_id["early"];
    let source = Source::build("early", early.provider.clone(), SourceParts::default()).expect("a source");
    let request = Arc::new(Incoming {
        method: "POST".into(),
        target: "/early".into(),
        peer: None,
        headers: HeaderMap::new(),
        body: Bytes::from_static(
            br#"{"events":[{"event":"a","id":"1"},{"event":"b","id":"2"},{"event":"c","id":"3"}]}"#,
        ),
        received: Timestamp::UNIX_EPOCH,
    });
    let code = early.code.clone().expect("it has code");
    let mut decoder = Decoder::new(code.clone(), &early.file);
    let decoded = async |decoder: &Decoder| {
        let verified = verify(&source, &request, Timestamp::UNIX_EPOCH).expect("anybody may");
        events(&source, Some(decoder), verified).await.0
    };
    let undecoded = |events: &[NewEvent]| events.iter().filter(|event| event.undecoded.is_some()).count();
    let in_time = decoded(&decoder).await;
    assert_eq!((in_time.len(), undecoded(&in_time), code.state().counted.calls), (3, 0, 3));
    decoder.patience = Duration::ZERO;
    let late = decoded(&decoder).await;
    assert_eq!((late.len(), undecoded(&late), code.state().counted.calls), (3, 3, 3), "it is not asked any more");
    assert!(late.iter().all(|event| event.undecoded.as_ref().is_some_and(|why| why.contains("took too long"))));
    let kinds = |events: &[NewEvent]| events.iter().map(|event| (event.kind.clone(), event.key)).collect::<Vec<_>>();
    assert_eq!(kinds(&late), kinds(&in_time), "as the description has them");
}
