//! A case file (`*.http`): a request as sent, and sections of what is given and expected. Nothing here runs it.
//!
//! The body is every byte after the blank line; one newline directly before a `----------` line is not body.

use std::fs;
use std::path::{Path, PathBuf};

use toml::Table;

const RULE: &str = "\n---------- ";

/// One case.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// Where it lies.
    pub(crate) path: PathBuf,
    /// Request line, headers, blank line and body, as in the file.
    request: Vec<u8>,
    /// What the source has that `source.toml` says otherwise.
    pub(crate) given: Table,
    sections: Vec<Section>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Section {
    name: String,
    text: String,
}

/// What a case expects or what came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Outcome {
    /// CloudEvents as JSON, each a subset where expected.
    pub(crate) events: Vec<String>,
    /// Of the events; a part of each where expected.
    pub(crate) warnings: Vec<String>,
    /// Whether the event is kept undecoded.
    pub(crate) undecoded: bool,
    /// The reason code.
    pub(crate) rejected: Option<String>,
    /// The answer.
    pub(crate) ack: Option<Answer>,
    /// The answer to the same request again.
    pub(crate) again: Option<Answer>,
}

/// An answer; of its headers those that must be there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Case {
    /// Reads one.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let bytes = fs::read(path).map_err(|error| error.to_string())?;
        let rule = bytes.windows(RULE.len()).position(|window| window == RULE.as_bytes());
        let (request, rest) = bytes.split_at(rule.ok_or("no ---------- line")?);
        let rest = std::str::from_utf8(rest).map_err(|error| format!("sections: {error}"))?;
        let sections: Vec<Section> = rest.split(RULE).skip(1).map(Section::read).collect();
        let given = sections.iter().find(|section| section.name == "given").map_or("", |section| &section.text);
        let given = given.parse().map_err(|error| format!("given: {error}"))?;
        Ok(Self { path: path.to_owned(), request: request.to_owned(), given, sections })
    }

    /// The request's bytes on the wire: line ends as HTTP wants them, a length, and the sender's address behind a proxy.
    pub(crate) fn wire(&self, peer: Option<&str>) -> Result<Vec<u8>, String> {
        let blank = self.request.windows(2).position(|window| window == b"\n\n").ok_or("no blank line")?;
        let (head, body) = (&self.request[..blank], &self.request[blank + 2..]);
        let head = std::str::from_utf8(head).map_err(|error| format!("head: {error}"))?;
        let mut wire = String::new();
        for line in head.lines() {
            wire.push_str(line);
            wire.push_str("\r\n");
        }
        if let Some(peer) = peer {
            wire.push_str(&format!("X-Forwarded-For: {peer}\r\n"));
        }
        wire.push_str(&format!("Content-Length: {}\r\nConnection: close\r\n\r\n", body.len()));
        Ok([wire.as_bytes(), body].concat())
    }

    /// What the sections say.
    pub(crate) fn expected(&self) -> Result<Outcome, String> {
        let mut outcome = Outcome::default();
        for Section { name, text } in &self.sections {
            match name.as_str() {
                "given" => {}
                "event" => outcome.events.push(text.clone()),
                "warnings" => outcome.warnings = text.lines().map(str::to_owned).collect(),
                "undecoded" => outcome.undecoded = true,
                "rejected" => outcome.rejected = Some(text.trim().to_owned()),
                "ack" => outcome.ack = Some(Answer::read(text)?),
                "again" => outcome.again = Some(Answer::read(text)?),
                other => return Err(format!("no section is called {other:?}")),
            }
        }
        if outcome == Outcome::default() {
            return Err("nothing is expected".into());
        }
        Ok(outcome)
    }

    /// Writes what came in place of what was expected.
    pub(crate) fn rewrite(&self, outcome: &Outcome) -> Result<(), String> {
        let mut sections: Vec<(&str, String)> = Vec::new();
        if let Some(given) = self.sections.iter().find(|section| section.name == "given") {
            sections.push(("given", given.text.clone()));
        }
        sections.extend(outcome.events.iter().map(|event| ("event", event.clone())));
        if !outcome.warnings.is_empty() {
            sections.push(("warnings", outcome.warnings.join("\n")));
        }
        if outcome.undecoded {
            sections.push(("undecoded", String::new()));
        }
        sections.extend(outcome.rejected.iter().map(|reason| ("rejected", reason.clone())));
        sections.extend(outcome.ack.iter().map(|answer| ("ack", answer.write())));
        sections.extend(outcome.again.iter().map(|answer| ("again", answer.write())));
        let mut bytes = self.request.clone();
        for (name, text) in sections {
            let text = text.trim_end_matches('\n');
            bytes.extend_from_slice(format!("{RULE}{name}\n{text}").trim_end_matches('\n').as_bytes());
        }
        bytes.push(b'\n');
        fs::write(&self.path, bytes).map_err(|error| error.to_string())
    }
}

impl Section {
    fn read(text: &str) -> Self {
        let (name, text) = text.split_once('\n').unwrap_or((text, ""));
        Self { name: name.trim().to_owned(), text: text.strip_suffix('\n').unwrap_or(text).to_owned() }
    }
}

impl Answer {
    /// Status, headers, blank line, body; without a blank line there is no body.
    fn read(text: &str) -> Result<Self, String> {
        let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
        let mut lines = head.lines();
        let status = lines.next().unwrap_or_default().trim();
        let status = status.parse().map_err(|_| format!("{status:?} is no status"))?;
        let header = |line: &str| {
            let (name, value) = line.split_once(':').ok_or_else(|| format!("{line:?} is no header"))?;
            Ok::<_, String>((name.trim().to_lowercase(), value.trim().to_owned()))
        };
        Ok(Self { status, headers: lines.map(header).collect::<Result<_, _>>()?, body: body.to_owned() })
    }

    fn write(&self) -> String {
        let mut text = self.status.to_string();
        for (name, value) in &self.headers {
            text.push_str(&format!("\n{name}: {value}"));
        }
        if !self.body.is_empty() {
            text.push_str(&format!("\n\n{}", self.body));
        }
        text
    }
}
