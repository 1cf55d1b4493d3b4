//! What the kit's cases work on: the plugin, loaded, and each fixture with its source and its moment.

use std::fs;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::Subject;
use crate::case::Case;
use crate::cli::offline::fixture::{Fixture, keys};
use crate::cli::plugin::check::cases::files;
use crate::cli::plugin::check::description::check;
use crate::cli::plugin::check::expected::Expected;
use crate::cli::verify::judged::{Judged, judge};
use crate::clock::Clock;
use crate::event::{Data, Event, EventState};
use crate::gateway::Plugin;
use crate::plugin::{Code, DecodeRequest, DecodedEvent, Fault};
use crate::provider::item::Item;
use crate::provider::remote::Fetched;
use crate::provider::sign::PrivateKeys;
use crate::provider::source::Source;
use crate::provider::verify::verify_with;
use crate::reason::Reason;
use crate::request::Incoming;

/// A plugin and its accepted fixtures.
pub(super) struct Bench {
    pub(super) plugin: Plugin,
    pub(super) subject: Subject,
    /// The fixtures of which events come.
    pub(super) stages: Vec<Stage>,
}

/// A fixture of which events come.
pub(super) struct Stage {
    pub(super) name: String,
    pub(super) request: Incoming,
    pub(super) source: Source,
    pub(super) keys: PrivateKeys,
    pub(super) now: Timestamp,
    fetched: Fetched,
}

/// What an event says; two of the same are the same news.
pub(super) type News = (String, Option<String>, Option<String>, Vec<u8>);

impl Bench {
    pub(super) fn set(subject: &Subject) -> Result<Self, String> {
        let loaded = crate::plugin::load(&subject.file).map_err(|error| error.to_string());
        let plugin = match loaded {
            Ok(loaded) => Plugin::compile(loaded)?,
            // Beside code a description may promise what only the code can keep.
            Err(error) if subject.whole => return Err(error),
            Err(error) => check(&subject.file).ok().and_then(|checked| checked.plugin).ok_or(error)?,
        };
        let mut stages = Vec::new();
        for file in files(&subject.fixtures) {
            stages.extend(Stage::of(&plugin, &file)?);
        }
        Ok(Self { plugin, subject: subject.clone(), stages })
    }

    /// The code; only of what has some.
    pub(super) fn code(&self) -> Option<&Arc<Code>> {
        self.plugin.code.as_ref()
    }

    /// The dice of a case.
    pub(super) fn dice(&self) -> StdRng {
        StdRng::seed_from_u64(self.subject.seed)
    }

    /// What the signature binds, as declared.
    pub(super) fn covers(&self) -> &str {
        self.plugin.provider.description.event.covers.as_deref().unwrap_or("body")
    }

    /// Whether requests prove anything.
    pub(super) fn is_signed(&self) -> bool {
        self.plugin.provider.description.route.is_some() && self.plugin.provider.unsigned().is_none()
    }
}

impl Stage {
    /// None where no event comes of the fixture, or where it does not hold, which is told of it already.
    fn of(plugin: &Plugin, file: &std::path::Path) -> Result<Option<Self>, String> {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let wrong = |error: String| format!("{name}: {error}");
        let case = Case::parse(&fs::read(file).map_err(|error| wrong(error.to_string()))?).map_err(wrong)?;
        if Expected::of(&case).map_err(wrong)?.accepts() != Some(true) || case.section("undecoded").is_some() {
            return Ok(None);
        }
        let Fixture { at, peer, parts, fetched } = Fixture::beside(file, &case)?;
        let now = at.unwrap_or_else(|| Clock::default().now());
        let source = Source::build("case", plugin.provider.clone(), parts).map_err(|all| wrong(all.join("; ")))?;
        let mut request = case.request;
        (request.peer, request.received) = (peer, now);
        let stage = Self { keys: keys(file), name, request, source, now, fetched };
        Ok(stage.proves(stage.request.clone(), now).then_some(stage))
    }

    /// Whether the request proves itself and is in time.
    pub(super) fn proves(&self, request: Incoming, now: Timestamp) -> bool {
        self.source.path.as_deref() == Some(request.path())
            && verify_with(&self.source, &Arc::new(request), &self.fetched, now)
                .is_ok_and(|found| found.stale.is_none())
    }

    pub(super) fn judge(&self, plugin: &Plugin, request: Incoming, now: Timestamp) -> Judged {
        judge(&self.source, plugin, &Arc::new(request), &self.fetched, now)
    }

    /// Why a request is refused, if it is.
    pub(super) fn reason(&self, plugin: &Plugin, request: Incoming, now: Timestamp) -> Option<Reason> {
        self.judge(plugin, request, now).reason.map(|rejection| rejection.reason)
    }

    /// The news that the gateway would take from a request at a time; none where it is refused.
    pub(super) fn news_of(&self, plugin: &Plugin, request: Incoming, now: Timestamp) -> Vec<News> {
        let judged = self.judge(plugin, request, now);
        match judged.reason {
            None => judged.events.into_iter().map(news).collect(),
            Some(_) => Vec::new(),
        }
    }

    /// The news of the fixture as it is.
    pub(super) fn news(&self, plugin: &Plugin) -> Vec<News> {
        self.news_of(plugin, self.request.clone(), self.now)
    }

    /// Why the fixture's own events could not be decoded, if so.
    pub(super) fn undecoded(&self, plugin: &Plugin) -> Option<String> {
        let events = self.judge(plugin, self.request.clone(), self.now).events;
        let event = events.into_iter().find(|event| event.state == EventState::Undecoded)?;
        Some(event.warnings.into_iter().next().unwrap_or_default())
    }

    /// The events of the request by the description.
    pub(super) fn items(&self, now: Timestamp) -> Vec<Item> {
        let verified = verify_with(&self.source, &Arc::new(self.request.clone()), &self.fetched, now);
        verified.map(|verified| verified.items).unwrap_or_default()
    }

    /// One call of the decoder with another body and document.
    pub(super) fn decode(
        &self,
        code: &Code,
        kind: &str,
        body: &[u8],
        document: &str,
    ) -> Result<Vec<DecodedEvent>, Fault> {
        pollster::block_on(code.decode(&DecodeRequest {
            method: &self.request.method,
            target: &self.request.target,
            headers: &self.request.headers,
            body,
            received: self.now,
            declared_type: kind,
            declared_subject: None,
            document,
        }))
    }
}

fn news(event: Event) -> News {
    let data = match event.data {
        Data::Json(json) => json,
        Data::Bytes(bytes, _) => bytes,
        Data::None => Bytes::new(),
    };
    (event.kind, event.subject, event.provider_id, data.to_vec())
}

/// The document that a decoder gets of an item.
pub(super) fn document(item: &Item) -> &str {
    match &item.data {
        Data::Json(json) => std::str::from_utf8(json).unwrap_or_default(),
        _ => "",
    }
}
