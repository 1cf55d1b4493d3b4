//! What a case's gateway is configured with: the folder's `source.toml`, the case's `given`, and a destination for everything.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use toml::{Table, Value};

use super::file::Case;

/// The name of the source of every case.
pub(crate) const SOURCE: &str = "case";

/// A case's circumstances.
#[derive(Debug)]
pub(crate) struct Setup {
    /// What the gateway's clock shows.
    pub(crate) at: Timestamp,
    /// The sender's address, behind a proxy that is trusted.
    pub(crate) peer: Option<String>,
    /// What stands at the URLs that keys are fetched from, `fetched.toml`.
    pub(crate) fetched: BTreeMap<String, String>,
    /// `[sources.case]`.
    source: Table,
}

impl Setup {
    /// Reads the folder's source and lays the case's own keys over it.
    pub(crate) fn of(case: &Case, provider: &str) -> Result<Self, String> {
        let folder = case.path.parent().ok_or("a case lies in a folder")?;
        let text = fs::read_to_string(folder.join("source.toml")).map_err(|error| format!("source.toml: {error}"))?;
        let mut source: Table = text.parse().map_err(|error| format!("source.toml: {error}"))?;
        lay_over(&mut source, &case.given);
        let mut text_of = |key: &str| match source.remove(key) {
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(format!("{key}: {other} is not text")),
            None => Ok(None),
        };
        let (at, peer) = (text_of("at")?.ok_or("at is missing")?, text_of("peer")?);
        let at = at.parse().map_err(|error| format!("at: {error}"))?;
        source.insert("provider".into(), provider.into());
        if let Some(Value::Table(secrets)) = source.get_mut("secrets") {
            secrets.retain(|_, secret| secret.as_array().is_none_or(|list| !list.is_empty()));
            secrets.iter_mut().for_each(|(_, secret)| place_files(secret, folder));
        }
        let fetched = fs::read_to_string(folder.join("fetched.toml")).unwrap_or_default();
        let fetched = toml::from_str(&fetched).map_err(|error| format!("fetched.toml: {error}"))?;
        Ok(Self { at, peer, fetched, source })
    }

    /// A whole `hookport.toml`.
    pub(crate) fn configuration(&self, journal: &Path, receiver: SocketAddr) -> String {
        let mut server = Table::from_iter([("listen".into(), "127.0.0.1:0".into())]);
        if self.peer.is_some() {
            server.insert("trusted_proxies".into(), vec!["127.0.0.0/8"].into());
        }
        let destination = [
            ("kind".into(), "http".into()),
            ("url".into(), format!("http://{receiver}/").into()),
            ("allow_private".into(), true.into()),
        ];
        let named = |name: &str, table: Table| Table::from_iter([(name.to_owned(), Value::Table(table))]);
        let configuration = [
            ("server", server),
            ("admin", Table::from_iter([("listen".into(), "127.0.0.1:0".into())])),
            (
                "journal",
                Table::from_iter([
                    ("path".into(), journal.display().to_string().into()),
                    ("retention".into(), "36500d".into()),
                ]),
            ),
            ("sources", named(SOURCE, self.source.clone())),
            ("destinations", named("receiver", Table::from_iter(destination))),
        ];
        let mut configuration: Table =
            configuration.into_iter().map(|(name, table)| (name.to_owned(), Value::Table(table))).collect();
        let route = Table::from_iter([("to".into(), vec!["receiver"].into())]);
        configuration.insert("routes".into(), vec![Value::Table(route)].into());
        configuration.to_string()
    }
}

/// Tables of names are laid over name by name, everything else as a whole.
pub(crate) fn lay_over(source: &mut Table, given: &Table) {
    for (key, value) in given {
        match (source.get_mut(key), value) {
            (Some(Value::Table(below)), Value::Table(above)) if key == "secrets" || key == "settings" => {
                below.extend(above.clone());
            }
            _ => drop(source.insert(key.clone(), value.clone())),
        }
    }
}

/// File names are relative to the case's folder.
pub(crate) fn place_files(secret: &mut Value, folder: &Path) {
    match secret {
        Value::Array(list) => list.iter_mut().for_each(|secret| place_files(secret, folder)),
        Value::Table(table) => {
            if let Some(Value::String(file)) = table.get_mut("file") {
                *file = PathBuf::from(folder).join(&*file).display().to_string();
            }
        }
        _ => {}
    }
}
