//! `hookport check`: configuration, plugins and rules, judged whole; nothing is started and nothing is bound.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::configuration::{Configuration, implied, unusable};
use super::{Failure, output};
use crate::config::written::{self, Destination};
use crate::config::{self, Draft, Rules};
use crate::gateway::{self, Plugins};
use crate::outbound::Condition;
use crate::provider::complaint::Complaint;

/// Check configuration, plugins and rules without starting anything; exit 1 with file, key and reason
#[derive(Args)]
#[command(
    after_help = "Examples:\n  hookport check\n  hookport check --config /etc/hookport.toml\n  hookport check --json | \
                        jq '.errors[].message'"
)]
pub(super) struct Check {
    #[command(flatten)]
    configuration: Configuration,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// A line of the table.
struct Row {
    kind: &'static str,
    name: String,
    detail: String,
    /// The start of the keys that belong to it.
    key: String,
}

/// Everything that was found out.
#[derive(Default)]
struct Verdict {
    rows: Vec<Row>,
    errors: Vec<Complaint>,
    /// So many of the errors, the first ones, are about plugins that `serve` goes on without.
    survivable: usize,
    /// Follows from errors, and is not said: what stands in the table as wrong because its plugin is.
    implied: Vec<Complaint>,
    warnings: Vec<Complaint>,
    /// Files in plugin folders that are no plugins, and why we think so.
    skipped: Vec<(PathBuf, String)>,
}

impl Check {
    pub(super) fn run(self) -> Result<(), Failure> {
        let draft = match self.configuration.attempt() {
            Ok(draft) => draft,
            Err((errors, failure)) => {
                if self.json {
                    output::line(Verdict { errors, ..Verdict::default() }.document())?;
                }
                return Err(failure);
            }
        };
        let verdict = judge(&draft);
        match self.json {
            true => output::line(verdict.document())?,
            false => verdict.show()?,
        }
        if verdict.errors.is_empty() { Ok(()) } else { Err(Failure::Said) }
    }
}

fn judge(draft: &Draft) -> Verdict {
    let plugins = Plugins::of(draft);
    let unstartable = plugins.unstartable();
    let refused = plugins.refused.iter().chain(&unstartable);
    let mut errors: Vec<Complaint> = refused.flat_map(|(file, error)| unusable(draft, file, error)).collect();
    let mut survivable = errors.len();
    let mut follows = Vec::new();
    let compile = |text: &str| Condition::compile(text).map(drop).map_err(|error| error.to_string());
    let rules = Rules { providers: &plugins.descriptions(), compile };
    let mut warnings = Vec::new();
    match config::resolve(draft, rules) {
        Err(complaints) => {
            let others;
            (follows, others) = implied(draft, &plugins, complaints);
            errors.extend(others);
        }
        Ok(config) => {
            errors.extend(gateway::sources(&config, &plugins).err().into_iter().flatten());
            errors.extend(gateway::routing(&config).err().into_iter().flatten());
            warnings = config.warnings;
        }
    }
    if !follows.is_empty() {
        survivable = 0;
    }
    let mut rows = plugin_rows(&plugins);
    rows.extend(source_rows(draft, &errors));
    rows.extend(destination_rows(draft, &errors));
    rows.extend(route_rows(draft));
    rows.extend(draft.polls().map(|(place, poll)| Row {
        kind: "poll",
        name: poll.operation.clone(),
        detail: format!("of {}, every {}", poll.source, humantime::format_duration(poll.every.0)),
        key: format!("polls.{place}"),
    }));
    Verdict { rows, errors, survivable, implied: follows, warnings, skipped: plugins.skipped }
}

fn plugin_rows(plugins: &Plugins) -> Vec<Row> {
    let usable = plugins.by_id.values().map(|plugin| {
        let code = if plugin.code.is_some() { "native" } else { "code-free" };
        let (version, standing) = (&plugin.provider.version, plugin.standing.word());
        let detail = format!("{version}, {code}, {standing}, {}", plugin.file.display());
        Row { kind: "plugin", name: plugin.provider.id.to_string(), detail, key: plugin.file.display().to_string() }
    });
    let refused = plugins.refused.iter().map(|(file, _)| {
        let key = file.display().to_string();
        let name = file.file_name().map_or_else(|| key.clone(), |name| name.to_string_lossy().into_owned());
        Row { kind: "plugin", name, detail: "cannot be used".to_owned(), key }
    });
    usable.chain(refused).collect()
}

fn source_rows(draft: &Draft, errors: &[Complaint]) -> Vec<Row> {
    let detail = |name: &String| match draft.written.sources.get(name) {
        Some(source) => match &source.path {
            Some(path) => format!("{} at {path}", source.provider),
            None => source.provider.clone(),
        },
        None => String::new(),
    };
    let row = |name: String| Row { kind: "source", detail: detail(&name), key: format!("sources.{name}"), name };
    names(draft.written.sources.keys(), "sources", errors).into_iter().map(row).collect()
}

fn destination_rows(draft: &Draft, errors: &[Complaint]) -> Vec<Row> {
    let detail = |name: &String| match draft.written.destinations.get(name) {
        // A URL may hold a key: its host says enough.
        Some(Destination::Http(http)) => format!("http to {}, {}", host(&http.url), format_of(http.format)),
        Some(Destination::File(file)) => format!("file {}, {}", file.path.display(), format_of(file.format)),
        Some(Destination::Stdout(stdout)) => format!("stdout, {}", format_of(stdout.format)),
        // Where its URL is a secret, the place within says enough.
        Some(Destination::Nats(nats)) => format!("nats, subject {}", nats.subject),
        Some(Destination::Postgres(postgres)) => format!("postgres, table {}", postgres.table),
        Some(Destination::Redis(redis)) => format!("redis, stream {}", redis.stream),
        Some(Destination::RabbitMq(rabbitmq)) => {
            format!("rabbitmq, exchange {:?}, routing key {}", rabbitmq.exchange, rabbitmq.routing_key)
        }
        None => String::new(),
    };
    let row =
        |name: String| Row { kind: "destination", detail: detail(&name), key: format!("destinations.{name}"), name };
    names(draft.written.destinations.keys(), "destinations", errors).into_iter().map(row).collect()
}

fn route_rows(draft: &Draft) -> Vec<Row> {
    let row = |(place, route): (usize, &written::Route)| {
        let from = route.sources.as_ref().map_or("all sources".to_owned(), |sources| sources.join(", "));
        let name = route.name.clone().unwrap_or_else(|| place.to_string());
        Row {
            kind: "route",
            name,
            detail: format!("{from} -> {}", route.to.join(", ")),
            key: format!("routes.{place}"),
        }
    };
    draft.routes().map(row).collect()
}

/// Those that could be read, and those that only a complaint tells of.
fn names<'a>(read: impl Iterator<Item = &'a String>, section: &str, errors: &[Complaint]) -> BTreeSet<String> {
    let told = errors.iter().filter_map(|error| {
        let name = error.key.strip_prefix(section)?.strip_prefix('.')?;
        name.split('.').next().map(str::to_owned)
    });
    read.cloned().chain(told).collect()
}

fn host(url: &str) -> String {
    let url = url::Url::parse(url).ok();
    url.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_else(|| "?".to_owned())
}

fn format_of(format: written::Format) -> &'static str {
    match format {
        written::Format::CloudEvent => "cloudevent",
        written::Format::Data => "data",
        written::Format::Raw => "raw",
    }
}

impl Verdict {
    fn status(&self, row: &Row) -> &'static str {
        let about = |complaint: &&Complaint| {
            let inside =
                complaint.key.strip_prefix(&row.key).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
            inside || complaint.file == row.key
        };
        match (self.errors.iter().chain(&self.implied).find(about), self.warnings.iter().find(about)) {
            (Some(_), _) => "error",
            (None, Some(_)) => "warning",
            (None, None) => "ok",
        }
    }

    fn show(&self) -> Result<(), Failure> {
        let mut table = output::table(&["", "NAME", "STATUS", "DETAIL"]);
        for row in &self.rows {
            let (name, status) = (output::cell(&row.name), output::state(self.status(row)));
            table.add_row([output::cell(row.kind), name, status, output::cell(&row.detail)]);
        }
        output::print(&table, "nothing is configured: add [sources.NAME] and [destinations.NAME]")?;
        for (file, reason) in &self.skipped {
            output::say(format_args!("skipped: {} {reason}", file.display()));
        }
        for warning in &self.warnings {
            output::say(format_args!("warning: {warning}"));
        }
        for error in &self.errors {
            output::say(format_args!("error: {error}"));
        }
        if !self.errors.is_empty() {
            let count = match self.errors.len() {
                1 => "1 error".to_owned(),
                count => format!("{count} errors"),
            };
            let outcome = match self.errors.len() == self.survivable {
                true => "the gateway would start, but without these plugins",
                false => "the gateway would not start",
            };
            output::say(format_args!("{count}: {outcome}"));
        }
        Ok(())
    }

    fn document(&self) -> serde_json::Value {
        let skipped = |(file, reason): &(PathBuf, String)| json!({ "file": file, "reason": reason });
        let row =
            |row: &Row| json!({ "kind": row.kind, "name": row.name, "status": self.status(row), "detail": row.detail });
        json!({
            "ok": self.errors.is_empty(),
            "errors": self.errors,
            "warnings": self.warnings,
            "skipped": self.skipped.iter().map(skipped).collect::<Vec<_>>(),
            "items": self.rows.iter().map(row).collect::<Vec<_>>(),
        })
    }
}
