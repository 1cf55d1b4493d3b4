//! The page, in OpenMetrics text: every family of it, with its name and its sentence.

use std::fmt::Error;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, text};
use prometheus_client::registry::Registry;

use super::scrape::{CodeSeen, DestinationSeen, Scrape};
use super::write::{Families, Family, Labels, family};
use super::{Histogram, RequestMeter};
use crate::journal::{Backlog, Stats};

/// Of the page.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Which of a request's steps.
type Step = fn(&RequestMeter) -> &Histogram;
/// Which of the journal's numbers.
type Number = fn(&Stats) -> u64;

/// The whole page.
pub fn page(scrape: Scrape) -> Result<String, Error> {
    let (mut page, mut registry) = (String::new(), Registry::default());
    registry.register_collector(Box::new(scrape));
    text::encode(&mut page, &registry)?;
    Ok(page)
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let mut families = Families(encoder);
        self.requests(&mut families)?;
        self.attempts(&mut families)?;
        self.backlog(&mut families)?;
        self.plugins(&mut families)?;
        self.commits(&mut families)?;
        self.kept(&mut families)?;
        self.process(&mut families)
    }
}

impl Scrape {
    /// Every source's meter by its name; that of requests to none has an empty one.
    fn meters(&self) -> impl Iterator<Item = (&str, &RequestMeter)> {
        self.sources.iter().map(|source| (&*source.name, &*source.meter)).chain([("", &*self.nobody)])
    }

    fn requests(&self, families: &mut Families<'_>) -> Result<(), Error> {
        let requests = family(
            "hookport_requests",
            "Requests by what the sender was told; without a source: nobody has their path.",
        );
        let told = self.meters().flat_map(|(source, meter)| {
            let with = move |(outcome, count)| (vec![("source", source), ("outcome", outcome)], count);
            meter.answered.counted().map(with)
        });
        families.counters(&requests, told)?;
        let rejections = family("hookport_rejections", "Requests that were refused, by reason code.");
        let refused = self.meters().flat_map(|(source, meter)| {
            let with = move |(reason, count)| (vec![("source", source), ("reason", reason)], count);
            meter.refused.counted().map(with)
        });
        families.counters(&rejections, refused)?;
        let steps: [(_, _, Step); 4] = [
            ("hookport_verify", "Time to prove who called.", |meter| &meter.verify),
            ("hookport_decode", "Time to make events of a verified request.", |meter| &meter.decode),
            ("hookport_record", "Time until the journal has kept the events.", |meter| &meter.record),
            ("hookport_ack", "Time from a request's last byte to its answer.", |meter| &meter.ack),
        ];
        for (name, help, of) in steps {
            let sources = self.sources.iter().map(|source| (vec![("source", &*source.name)], of(&source.meter)));
            families.histograms(&family(name, help).seconds(), sources)?;
        }
        let paused = family("hookport_source_paused", "Whether an operator has paused the source.");
        families.gauges(&paused, self.sources.iter().map(|source| (vec![("source", &*source.name)], is(source.paused))))
    }

    fn attempts(&self, families: &mut Families<'_>) -> Result<(), Error> {
        let attempts = family("hookport_attempts", "Attempts to deliver, one for each delivery, by how they ended.");
        let ended = self.destinations.iter().flat_map(|DestinationSeen { name, meter, .. }| {
            meter.ended.counted().map(|(outcome, count)| (vec![("destination", &**name), ("outcome", outcome)], count))
        });
        families.counters(&attempts, ended)?;
        let took = family("hookport_attempt", "Time of an attempt; lines of a file go many at a time.").seconds();
        families.histograms(&took, self.destinations.iter().map(|seen| (of(seen), &seen.meter.took)))?;
        let breaker =
            family("hookport_breaker_state", "The destination's circuit breaker: 1 at the state that it is in.");
        let states = self.destinations.iter().flat_map(|seen| {
            let state = |state| (vec![("destination", &*seen.name), ("state", state)], is(seen.breaker == state));
            ["closed", "open", "half_open"].map(state)
        });
        families.gauges(&breaker, states)?;
        let paused = family("hookport_destination_paused", "Whether an operator has paused the destination.");
        families.gauges(&paused, self.destinations.iter().map(|seen| (of(seen), is(seen.paused))))?;
        let in_flight = family("hookport_attempts_in_flight", "Attempts under way.");
        families.gauges(&in_flight, self.destinations.iter().map(|seen| (of(seen), seen.in_flight as f64)))
    }

    fn backlog(&self, families: &mut Families<'_>) -> Result<(), Error> {
        let Some(backlog) = &self.backlog else { return Ok(()) };
        let none = Backlog::default();
        let found = |name: &str| backlog.iter().find(|waiting| waiting.destination == name).unwrap_or(&none);
        let configured = self.destinations.iter().map(|seen| (&*seen.name, found(&seen.name)));
        // What waits for a destination that is not configured any more waits all the same.
        let others =
            backlog.iter().filter(|waiting| !self.destinations.iter().any(|seen| *seen.name == waiting.destination));
        let all: Vec<_> = configured.chain(others.map(|waiting| (waiting.destination.as_str(), waiting))).collect();
        let mut each = |family: Family, value: &dyn Fn(&Backlog) -> f64| {
            families.gauges(&family, all.iter().map(|(name, waiting)| (vec![("destination", *name)], value(waiting))))
        };
        each(family("hookport_deliveries_open", "Deliveries that are not finished."), &|waiting| waiting.open as f64)?;
        let failed =
            family("hookport_deliveries_exhausted", "Deliveries that failed for good and wait for an operator.");
        each(failed, &|waiting| waiting.exhausted as f64)?;
        let oldest = family("hookport_deliveries_oldest_age", "How long ago the oldest open delivery's event arrived.");
        each(oldest.seconds(), &|waiting| waiting.oldest_open.map_or(0.0, |oldest| seconds(oldest, self.now)))
    }

    fn plugins(&self, families: &mut Families<'_>) -> Result<(), Error> {
        let generation = family("hookport_plugin_generation", "Which build of the provider serves, counted from 1.");
        let loaded = self.plugins.iter().map(|plugin| (vec![("plugin", &*plugin.id)], f64::from(plugin.generation)));
        families.gauges(&generation, loaded)?;
        let native: Vec<(Labels<'_>, &CodeSeen)> = self
            .plugins
            .iter()
            .filter_map(|plugin| Some((vec![("plugin", &*plugin.id)], plugin.code.as_ref()?)))
            .collect();
        let mut each = |name, help, value: fn(&CodeSeen) -> u64| {
            families.counters(&family(name, help), native.iter().map(|(labels, code)| (labels.clone(), value(code))))
        };
        each("hookport_plugin_calls", "Calls of native code, all builds together.", |code| code.counted.calls)?;
        each("hookport_plugin_errors", "Calls that gave no result, panics included.", |code| code.counted.errors)?;
        each("hookport_plugin_panics", "Calls in which the code panicked.", |code| code.counted.panics)?;
        each("hookport_plugin_worker_restarts", "Workers that were lost and started again.", |code| {
            code.counted.restarts
        })?;
        let time = family("hookport_plugin_call", "Time of all calls together.").seconds();
        families.parts(&time, native.iter().map(|(labels, code)| (labels.clone(), code.counted.seconds)))?;
        let quarantined = family("hookport_plugin_quarantined", "Whether the plugin is left alone because it broke.");
        families.gauges(&quarantined, native.iter().map(|(labels, code)| (labels.clone(), is(code.quarantined))))
    }

    fn commits(&self, families: &mut Families<'_>) -> Result<(), Error> {
        let commits = &self.journal.commits;
        let took =
            family("hookport_journal_commit", "Time of a transaction with its sync; acks wait for it.").seconds();
        families.histograms(&took, [(Vec::new(), &commits.took)])?;
        let size = family("hookport_journal_commit_requests", "Requests that one transaction kept.");
        families.histograms(&size, [(Vec::new(), &commits.requests)])?;
        let failed = family("hookport_journal_commit_failures", "Transactions that could not be kept.");
        families.counters(&failed, [(Vec::new(), commits.failed.load(Ordering::Relaxed))])?;
        let writable = family("hookport_journal_writable", "Whether the journal would keep an event now.");
        families.gauges(&writable, [(Vec::new(), is(self.journal.writable))])?;
        let free = family("hookport_journal_disk_free", "Free on the disk that the journal is on.").bytes();
        let room = self.journal.disk_free_bytes.map(|free| (Vec::new(), free as f64));
        room.map_or(Ok(()), |room| families.gauges(&free, [room]))
    }

    fn kept(&self, families: &mut Families<'_>) -> Result<(), Error> {
        let Some(stats) = &self.journal.stats else { return Ok(()) };
        let values: [(_, Number); 5] = [
            (family("hookport_journal_size", "The journal on disk.").bytes(), |stats| stats.bytes),
            (family("hookport_journal_free", "What is free within it.").bytes(), |stats| stats.free_bytes),
            (family("hookport_journal_log", "What of it is in the write-ahead log.").bytes(), |stats| stats.log_bytes),
            (family("hookport_journal_events", "Events that are kept."), |stats| stats.events),
            (family("hookport_journal_rejections", "Refused requests that are kept."), |stats| stats.rejections),
        ];
        for (family, value) in values {
            families.gauges(&family, [(Vec::new(), value(stats) as f64)])?;
        }
        let dropped = family("hookport_journal_rejections_dropped", "Refused requests that were not kept.");
        families.counters(&dropped, [(Vec::new(), stats.rejections_dropped)])
    }

    fn process(&self, families: &mut Families<'_>) -> Result<(), Error> {
        let build = family("hookport_build_info", "The program that runs.");
        families.gauges(&build, [(vec![("version", self.version)], 1.0)])?;
        let spans = family("hookport_spans", "Spans of traces by what became of them.");
        families.counters(&spans, self.spans.counted().map(|(outcome, count)| (vec![("outcome", outcome)], count)))?;
        let uptime = family("hookport_uptime", "How long the gateway runs.").seconds();
        families.gauges(&uptime, [(Vec::new(), seconds(self.started, self.now))])?;
        let started = family("process_start_time", "When it was started, in seconds since 1970.").seconds();
        families.gauges(&started, [(Vec::new(), seconds(Timestamp::UNIX_EPOCH, self.started))])?;
        let Some(process) = &self.process else { return Ok(()) };
        let cpu = family("process_cpu", "Time on processors.").seconds();
        families.parts(&cpu, [(Vec::new(), process.cpu_seconds)])?;
        let resident = family("process_resident_memory", "Memory that is really there.").bytes();
        families.gauges(&resident, [(Vec::new(), process.resident_bytes as f64)])?;
        let open = family("process_open_fds", "Open files, sockets and pipes.");
        families.gauges(&open, [(Vec::new(), process.open_fds as f64)])?;
        let most = process.max_fds.map(|most| (Vec::new(), most as f64));
        families.gauges(&family("process_max_fds", "How many may be open."), most)
    }
}

fn of(seen: &DestinationSeen) -> Labels<'_> {
    vec![("destination", &*seen.name)]
}

fn is(so: bool) -> f64 {
    f64::from(u8::from(so))
}

/// From the one to the other, where that is later.
fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64().max(0.0)
}
