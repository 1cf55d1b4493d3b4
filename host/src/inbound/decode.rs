//! Decoding: a verified request becomes events. Native code may refine them; when it fails, the event is kept undecoded.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::Semaphore;

use crate::event::{Data, DedupKey, NewEvent};
use crate::plugin::{Code, DecodeRequest, DecodedEvent, Fault, FaultKind};
use crate::provider::identity::dedup_key;
use crate::provider::item::Item;
use crate::provider::source::Source;
use crate::provider::verify::Verified;
use crate::reason::Rejection;
use crate::request::Incoming;
use crate::throttle::Throttle;

/// A provider's native code.
#[derive(Clone)]
pub struct Decoder {
    /// The loaded plugin's.
    pub code: Arc<Code>,
    /// Its file, for the log.
    pub file: Arc<str>,
    /// So long may it take over all items of a request: then nothing more is asked of it, because the sender waits.
    pub patience: Duration,
    /// Requests whose signed text it may write at once.
    pub(super) texts: Arc<Semaphore>,
    log: Arc<Throttle>,
}

const PATIENCE: Duration = Duration::from_secs(5);
/// A worker writes one text after the other; in this process, too, nobody gains by more.
const TEXTS: usize = 8;
/// Lines about what one plugin failed at: so many at once, and as many again in [`WINDOW`].
const LINES: u32 = 50;
const WINDOW: Duration = Duration::from_secs(10);
const LATE: &str = "the code took too long over what came before it in the request";

/// The events, the nonce, why it is stale, and the request.
pub type Parts = (Vec<NewEvent>, Option<DedupKey>, Option<Rejection>, Arc<Incoming>);

impl Decoder {
    /// Of a plugin that was loaded from this file.
    pub fn new(code: Arc<Code>, file: &Path) -> Self {
        let (texts, log) = (Arc::new(Semaphore::new(TEXTS)), Arc::new(Throttle::new(LINES, WINDOW)));
        Self { code, file: file.display().to_string().into(), patience: PATIENCE, texts, log }
    }
}

/// The events of a request; never none.
pub async fn events(source: &Source, decoder: Option<&Decoder>, verified: Verified) -> Parts {
    let decoder = decoder.filter(|decoder| decoder.code.decodes());
    let mut events = Vec::with_capacity(verified.items.len());
    let until = Instant::now() + decoder.map_or(PATIENCE, |decoder| decoder.patience);
    for item in &verified.items {
        events.extend(of(source, decoder, &verified, item, until).await);
    }
    (events, verified.nonce, verified.stale.clone(), verified.request().clone())
}

/// The events of one item: native code may make several of it.
async fn of(
    source: &Source,
    decoder: Option<&Decoder>,
    verified: &Verified,
    item: &Item,
    until: Instant,
) -> Vec<NewEvent> {
    let unread = match (&verified.malformed, &verified.sealed) {
        (Some(what), _) => Some(format!("malformed: {what}")),
        (None, sealed) => sealed.as_ref().map(|what| format!("sealed: {what}")),
    };
    let decoded = match (unread, decoder) {
        (Some(what), _) => Err(what),
        (None, None) => Ok(vec![DecodedEvent::default()]),
        (None, Some(_)) if Instant::now() >= until => Err(LATE.to_owned()),
        (None, Some(decoder)) => run(source, decoder, verified, item).await,
    };
    let base = base(source, item);
    match decoded {
        Ok(decoded) if decoded.is_empty() => {
            vec![NewEvent { warnings: vec!["the decoder gave no event".into()], ..base }]
        }
        Ok(decoded) => {
            let several = decoded.len() > 1;
            let refine = |(index, event)| refined(source, &base, event, several.then_some(index));
            decoded.into_iter().enumerate().map(refine).collect()
        }
        Err(reason) => vec![NewEvent { undecoded: Some(reason), ..base }],
    }
}

async fn run(
    source: &Source,
    decoder: &Decoder,
    verified: &Verified,
    item: &Item,
) -> Result<Vec<DecodedEvent>, String> {
    let request = verified.request();
    let document = match &item.data {
        Data::Json(json) => std::str::from_utf8(json).ok(),
        _ => None,
    };
    let request = DecodeRequest {
        method: &request.method,
        target: &request.target,
        headers: &request.headers,
        body: &request.body,
        received: request.received,
        declared_type: &item.declared.kind,
        declared_subject: item.declared.subject.as_deref(),
        document: document.unwrap_or_default(),
    };
    decoder.code.decode(&request).await.map_err(|fault| {
        report(source, decoder, &fault);
        fault.to_string()
    })
}

fn report(source: &Source, decoder: &Decoder, fault: &Fault) {
    let Some(suppressed) = decoder.log.pass() else { return };
    let (plugin, version, file) = (&*source.provider.id, &*source.provider.version, &*decoder.file);
    let (location, request) = (fault.location.as_deref().unwrap_or("-"), fault.call);
    if fault.kind == FaultKind::Quarantined {
        // That it is was said when it began.
        tracing::debug!(plugin, request, source = &*source.name, "the event is kept as undecoded: {fault}");
    } else if fault.kind == FaultKind::Panic {
        tracing::error!(
            plugin,
            version,
            file,
            location,
            request,
            suppressed,
            source = &*source.name,
            "the decoder panicked; the event is kept as undecoded: {fault}"
        );
    } else {
        tracing::warn!(
            plugin,
            version,
            file,
            request,
            suppressed,
            source = &*source.name,
            "the decoder failed; the event is kept as undecoded: {fault}"
        );
    }
}

/// The event as the description has it.
fn base(source: &Source, item: &Item) -> NewEvent {
    let declared = &item.declared;
    NewEvent {
        kind: format!("{}.{}", source.provider.id, declared.kind),
        subject: declared.subject.clone(),
        time: declared.time,
        provider_id: declared.id.clone(),
        key: declared.key,
        data: item.data.clone(),
        warnings: Vec::new(),
        undecoded: None,
    }
}

/// What the decoder says over what the description says; each of several events has a key of its own.
fn refined(source: &Source, base: &NewEvent, event: DecodedEvent, place: Option<usize>) -> NewEvent {
    let key = place.map(|place| {
        dedup_key(&source.name, "item", &[&base.key.hash[..], &place.to_be_bytes()].concat(), base.key.until)
    });
    NewEvent {
        kind: event.kind.map_or_else(|| base.kind.clone(), |kind| format!("{}.{kind}", source.provider.id)),
        subject: event.subject.or_else(|| base.subject.clone()),
        data: event.data.map_or_else(|| base.data.clone(), |data: Bytes| Data::Json(data)),
        warnings: event.warnings,
        key: key.unwrap_or(base.key),
        ..base.clone()
    }
}
