//! From written to resolved: every name is looked up, every secret loaded, every rule compiled, and all that fails is said.

mod brokers;
mod destinations;
pub(super) mod headers;
mod journal;
mod plugins;
mod routes;
mod secrets;
mod server;
mod sources;
mod traces;

use std::sync::Arc;

use hookport_plugin_api::description::Description;
use secrecy::SecretString;

use super::load::Draft;
use super::print::Print;
use super::resolved::{Config, Key};
use crate::provider::complaint::{Complaint, did_you_mean};

/// What configuration is checked against and does not know itself.
#[derive(Clone, Copy)]
pub struct Rules<'a> {
    /// The descriptions of the plugins that are there.
    pub providers: &'a [&'a Description],
    /// Whether a text is a CEL expression that can be compiled; the error says where it is wrong.
    pub compile: fn(&str) -> Result<(), String>,
}

/// The configuration, or everything that is wrong with it: what reading it found comes first.
pub fn resolve(draft: &Draft, rules: Rules<'_>) -> Result<Config, Vec<Complaint>> {
    let mut check =
        Check { draft, rules, complaints: draft.complaints.clone(), warnings: Vec::new(), print: draft.print.clone() };
    let (server, admin, log, journal) = (check.server(), check.admin(), check.log(), check.journal());
    let traces = check.traces();
    check.plugins();
    let sources = check.sources();
    let destinations = check.destinations();
    let routes = check.routes(&sources, &destinations);
    let polls = check.polls();
    let Check { complaints, warnings, print, .. } = check;
    match complaints.is_empty() {
        true => Ok(Config {
            origin: draft.origin.clone(),
            print,
            server,
            admin,
            log,
            journal,
            reload: draft.written.reload.clone(),
            traces,
            sources,
            destinations,
            routes,
            polls,
            warnings,
        }),
        false => Err(in_order(complaints)),
    }
}

impl Draft {
    /// The admin token, if there is one that can be had; for clients, which need nothing else.
    pub fn admin_token(&self) -> Option<SecretString> {
        let rules = Rules { providers: &[], compile: |_| Ok(()) };
        let mut check =
            Check { draft: self, rules, complaints: Vec::new(), warnings: Vec::new(), print: Print::default() };
        check.secret(&["admin", "token"], self.written.admin.token.as_ref()?)
    }

    /// The journal's keys, as many as can be had, and why others cannot.
    pub fn journal_keys(&self) -> (Arc<[Key]>, Vec<Complaint>) {
        let rules = Rules { providers: &[], compile: |_| Ok(()) };
        let mut check =
            Check { draft: self, rules, complaints: Vec::new(), warnings: Vec::new(), print: Print::default() };
        let keys = check.keys(&["journal", "key"], &self.written.journal.key);
        (keys, check.complaints)
    }
}

/// By line, so that a file can be mended from top to bottom.
fn in_order(mut complaints: Vec<Complaint>) -> Vec<Complaint> {
    complaints.sort_by_key(|complaint| (complaint.line.is_none(), complaint.line));
    complaints
}

/// A check that is under way.
struct Check<'a> {
    draft: &'a Draft,
    rules: Rules<'a>,
    complaints: Vec<Complaint>,
    warnings: Vec<Complaint>,
    /// What is read is marked here, so that a change of it is one of the configuration.
    print: Print,
}

impl<'a> Check<'a> {
    fn complain(&mut self, key: &[&str], message: impl Into<String>) {
        let complaint = self.draft.origin.complaint(&owned(key), message);
        self.complaints.push(complaint);
    }

    fn warn(&mut self, key: &[&str], message: impl Into<String>) {
        let complaint = self.draft.origin.complaint(&owned(key), message);
        self.warnings.push(complaint);
    }

    /// As [`Check::complain`], unless the key is only missing because something in or around it was complained about.
    fn missing(&mut self, key: &[&str], message: impl Into<String>) {
        let path = owned(key);
        let known = |taken: &Vec<String>| taken.starts_with(&path) || path.starts_with(taken);
        if !self.draft.taken_out.iter().any(known) {
            self.complain(key, message);
        }
    }

    /// Complains about a name that nobody wrote; one that was written and is broken has its own complaint.
    fn named(&mut self, key: &[&str], section: &str, name: &str, known: impl Iterator<Item = &'a String>) -> bool {
        let taken_out = self.draft.taken_out.iter().filter_map(|key| match key.as_slice() {
            [of, name] if of == section => Some(name),
            _ => None,
        });
        let known: Vec<&str> = known.chain(taken_out).map(String::as_str).collect();
        let found = known.contains(&name);
        if !found {
            let what = section.trim_end_matches('s');
            let advice = match known.as_slice() {
                [] => format!("; there are none, add [{section}.{name}]"),
                _ => match did_you_mean(name, known.iter().copied()) {
                    meant if meant.is_empty() => format!("; there are {}", quoted(known.iter().copied())),
                    meant => meant,
                },
            };
            self.complain(key, format!("there is no {what} \"{name}\"{advice}"));
        }
        found
    }

    fn description(&self, provider: &str) -> Option<&'a Description> {
        self.rules.providers.iter().copied().find(|description| description.provider.id == provider)
    }
}

fn owned(key: &[&str]) -> Vec<String> {
    key.iter().map(|step| (*step).to_owned()).collect()
}

/// `"a", "b"`.
fn quoted<'t>(names: impl IntoIterator<Item = &'t str>) -> String {
    names.into_iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
}

/// Whether a name can stand in a URL, a log line and a variable's name.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

const NAME_RULE: &str = "a name is made of letters, digits, \"-\" and \"_\"";
