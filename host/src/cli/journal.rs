//! `hookport journal`: numbers, check, backup and packing of the store, beside a running gateway or without one.

#[cfg(feature = "postgres")]
mod copy;
mod shown;

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::json;

use super::client::{Client, Connection, Unanswered, read};
use super::{Failure, output};
use crate::config::written::JournalEngine;
use crate::journal::Stats;
use crate::journal::sqlite::{self, OpenError, Vault};

/// Look after the journal: numbers, check, backup, space
#[derive(Args)]
#[command(
    after_help = "Examples:\n  hookport journal stats\n  hookport journal check --json\n  hookport journal backup \
                        /backup/journal-$(date +%F).db\n  hookport journal vacuum\n  \
                        hookport journal copy --from data --to env:DATABASE_URL"
)]
pub(super) struct Journal {
    #[command(flatten)]
    connection: Connection,

    /// The journal's folder, or a file such as a backup [default: journal.path of the configuration]
    #[arg(long, value_name = "PATH", global = true)]
    path: Option<PathBuf>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show how much is kept, open and free: of the running gateway, or of the files where none runs
    #[command(
        after_help = "Examples:\n  hookport journal stats\n  hookport journal stats --path /var/lib/hookport --json"
    )]
    Stats {
        /// Print the API's document
        #[arg(long)]
        json: bool,
    },
    /// Check that everything is as it was written; 1 if not. Works beside a running gateway, too
    #[command(after_help = "Examples:\n  hookport journal check\n  hookport journal check --path /backup/journal.db")]
    Check {
        /// Only the file's structure: quicker, and no row is looked at
        #[arg(long)]
        quick: bool,
        /// Print what was found as a document
        #[arg(long)]
        json: bool,
    },
    /// Copy the journal into a new file, also while a gateway writes to it
    #[command(after_help = "Examples:\n  hookport journal backup /backup/journal.db\n\nTo restore: stop the gateway, \
                            copy the file to journal.db in an empty journal.path, start it.")]
    Backup {
        /// The new file; it is private (0600), synced, and never overwritten
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Move an embedded journal into PostgreSQL: all of it, compared at the end; no gateway may use either meanwhile
    #[cfg(feature = "postgres")]
    #[command(
        after_help = "Examples:\n  hookport journal copy --from data --to env:DATABASE_URL\n  hookport journal copy \
                            --from /backup/journal.db --to postgres://hookport@db/hookport --schema moved\n\nWhere it is \
                            broken off, the same command goes on. Then set journal.engine = \"postgres\" and start."
    )]
    Copy {
        /// The embedded journal's folder, or a file such as a backup
        #[arg(long, value_name = "PATH")]
        from: PathBuf,
        /// The server: a URL, or env:NAME of a variable that holds it, so that a password is not seen by others
        #[arg(long, value_name = "URL")]
        to: String,
        /// The schema; made if missing, and empty but for a copy that was broken off
        #[arg(long, default_value = "hookport")]
        schema: String,
        /// Print what was copied as a document
        #[arg(long)]
        json: bool,
    },
    /// Give the free space back: in small steps by a running gateway, all at once where none runs
    #[command(after_help = "Examples:\n  hookport journal vacuum\n  hookport journal vacuum --path /var/lib/hookport")]
    Vacuum,
}

/// What the API says of a vacuum.
#[derive(Deserialize)]
struct Left {
    free_bytes: u64,
}

impl Journal {
    pub(super) fn run(self) -> Result<(), Failure> {
        let Self { connection, path, command } = self;
        match command {
            Command::Stats { json } => stats(connection, path, json),
            Command::Check { quick, json } => {
                let vault = vault(&connection, path.is_some())?;
                check(&place(&connection, path)?, quick, vault.as_ref(), json)
            }
            Command::Backup { file } => {
                let mut shown = Shown::new();
                let bytes =
                    sqlite::backup(&place(&connection, path)?, &file, &mut |what, at, of| shown.at(what, at, of));
                drop(shown);
                let bytes = shown::size(bytes.map_err(Failure::refused)?);
                output::say(format_args!("{} has everything that was kept up to now: {bytes}", file.display()));
                Ok(())
            }
            #[cfg(feature = "postgres")]
            Command::Copy { from, to, schema, json } => copy::copy(&from, &to, schema, json),
            Command::Vacuum => vacuum(connection, path),
        }
    }
}

/// The journal that is meant.
fn place(connection: &Connection, path: Option<PathBuf>) -> Result<PathBuf, Failure> {
    match path {
        Some(path) => Ok(path),
        None => {
            let written = connection.configuration().load()?.written.journal;
            match written.engine {
                JournalEngine::Sqlite => Ok(written.path),
                JournalEngine::Postgres => Err(Failure::Refused(
                    "this is for the embedded journal, and journal.engine is \"postgres\": ask the gateway for numbers \
                     (hookport journal stats), back the database up with pg_dump or a base backup, and leave space to \
                     the server; --path names a file of an embedded journal"
                        .to_owned(),
                )),
            }
        }
    }
}

fn stats(connection: Connection, path: Option<PathBuf>, json: bool) -> Result<(), Failure> {
    let asked = match &path {
        Some(_) => Err(Unanswered::Away(String::new())),
        None => connection.clone().open()?.get("/v1/stats", &json!({})),
    };
    let stats: Stats = match asked {
        Ok(answer) => read(&answer)?,
        Err(Unanswered::Refused(message) | Unanswered::Wrong(message, _)) => return Err(Failure::Refused(message)),
        Err(Unanswered::Away(_)) => {
            let place = place(&connection, path)?;
            output::say(format_args!("no gateway was asked: these are the numbers of {}", place.display()));
            sqlite::stats(&place).map_err(Failure::refused)?
        }
    };
    if json {
        return output::line(serde_json::to_string_pretty(&stats).map_err(Failure::refused)?);
    }
    output::line(shown::stats(&stats))
}

/// The configured keys. Beside a named file there may be no configuration, and a key that cannot be had opens nothing.
fn vault(connection: &Connection, named: bool) -> Result<Option<Vault>, Failure> {
    let configuration = connection.configuration();
    let draft = if named { configuration.load_if_there()? } else { Some(configuration.load()?) };
    let Some(draft) = draft else { return Ok(None) };
    let (keys, complaints) = draft.journal_keys();
    complaints.iter().for_each(|complaint| output::say(format_args!("{complaint}")));
    Ok(Vault::new(&keys))
}

fn check(place: &std::path::Path, quick: bool, vault: Option<&Vault>, json: bool) -> Result<(), Failure> {
    let mut progress = Shown::new();
    let checked = sqlite::check(place, quick, vault, &mut |what, at, of| progress.at(what, at, of));
    drop(progress);
    let checked = checked.map_err(Failure::refused)?;
    match json {
        true => output::line(serde_json::to_string_pretty(&checked).map_err(Failure::refused)?)?,
        false => output::line(shown::checked(&checked))?,
    }
    if checked.whole { Ok(()) } else { Err(Failure::Said) }
}

/// By the gateway that holds the journal, else here.
fn vacuum(connection: Connection, path: Option<PathBuf>) -> Result<(), Failure> {
    let place = place(&connection, path)?;
    let mut progress = Shown::new();
    match sqlite::pack(&place, &mut |what, at, of| progress.at(what, at, of)) {
        Ok((before, after)) => {
            drop(progress);
            let (before, after) = (shown::size(before), shown::size(after));
            output::say(format_args!("{} was {before} and is {after}", place.display()));
            Ok(())
        }
        Err(OpenError::Locked { .. }) => by_the_gateway(&connection.open()?, progress),
        Err(error) => Err(Failure::refused(error)),
    }
}

fn by_the_gateway(client: &Client, mut progress: Shown) -> Result<(), Failure> {
    let (mut first, mut last) = (None, u64::MAX);
    loop {
        let Left { free_bytes } = read(&client.post("/v1/journal/vacuum", &json!({}))?)?;
        let all = *first.get_or_insert(free_bytes);
        progress.at("bytes", all.saturating_sub(free_bytes), all);
        // Where more becomes free than goes back, there is no end to wait for.
        if free_bytes == 0 || free_bytes >= last {
            drop(progress);
            output::say(format_args!("{} are free in the file now", shown::size(free_bytes)));
            return Ok(());
        }
        last = free_bytes;
    }
}

/// Progress on a terminal; nothing elsewhere.
struct Shown {
    terminal: bool,
    last: Option<(&'static str, u64)>,
}

impl Shown {
    fn new() -> Self {
        Self { terminal: std::io::stderr().is_terminal(), last: None }
    }

    fn at(&mut self, what: &'static str, at: u64, of: u64) {
        let percent = at.saturating_mul(100).checked_div(of).unwrap_or(0).min(100);
        if self.terminal && self.last.replace((what, percent)) != Some((what, percent)) {
            let _ = write!(std::io::stderr(), "\r\x1b[K{what} {percent} %");
        }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        if self.terminal && self.last.is_some() {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
