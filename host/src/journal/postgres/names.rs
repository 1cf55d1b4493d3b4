//! The numbers of names, which never change once they are there: sources with their providers, builds, destinations.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_postgres::Client;

use super::fault::Fault;
use crate::event::Build;

/// What this host has asked for already.
#[derive(Default)]
pub(super) struct Names {
    origins: Known<[Arc<str>; 3]>,
    builds: Known<(Arc<str>, Arc<Build>)>,
    destinations: Known<Arc<str>>,
}

type Known<K> = Mutex<HashMap<K, i32>>;

impl Names {
    /// Source, provider and version.
    pub(super) async fn origin(&self, client: &Client, key: &[Arc<str>; 3]) -> Result<i32, Fault> {
        if let Some(id) = get(&self.origins, key) {
            return Ok(id);
        }
        let [source, provider, version] = key.each_ref().map(|part| &**part);
        let id = number(
            client,
            "INSERT INTO origins (source, provider, version) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            "SELECT id FROM origins WHERE source = $1 AND provider = $2 AND version = $3",
            &[&source, &provider, &version],
        )
        .await?;
        Ok(put(&self.origins, key.clone(), id))
    }

    /// A build of a provider's plugin.
    pub(super) async fn build(&self, client: &Client, provider: &Arc<str>, build: &Arc<Build>) -> Result<i32, Fault> {
        let key = (provider.clone(), build.clone());
        if let Some(id) = get(&self.builds, &key) {
            return Ok(id);
        }
        let generation = i32::try_from(build.generation).unwrap_or(i32::MAX);
        let id = number(
            client,
            "INSERT INTO builds (provider, version, sha256, generation) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
            "SELECT id FROM builds WHERE provider = $1 AND version = $2 AND sha256 = $3 AND generation = $4",
            &[&&**provider, &&*build.version, &&*build.sha256, &generation],
        )
        .await?;
        Ok(put(&self.builds, key, id))
    }

    /// A destination that something goes to.
    pub(super) async fn destination(&self, client: &Client, name: &Arc<str>) -> Result<i32, Fault> {
        if let Some(id) = get(&self.destinations, name) {
            return Ok(id);
        }
        let id = number(
            client,
            "INSERT INTO destinations (name) VALUES ($1) ON CONFLICT DO NOTHING",
            "SELECT id FROM destinations WHERE name = $1",
            &[&&**name],
        )
        .await?;
        Ok(put(&self.destinations, name.clone(), id))
    }

    /// The destination's number, where anything ever went to it.
    pub(super) async fn destination_if_any(&self, client: &Client, name: &Arc<str>) -> Result<Option<i32>, Fault> {
        if let Some(id) = get(&self.destinations, name) {
            return Ok(Some(id));
        }
        let row = client.query_opt("SELECT id FROM destinations WHERE name = $1", &[&&**name]).await?;
        let id: Option<i32> = row.map(|row| row.try_get(0)).transpose()?;
        Ok(id.map(|id| put(&self.destinations, name.clone(), id)))
    }

    /// What a destination's number stands for, where this host knows it.
    pub(super) fn of_destination(&self, number: i32) -> Option<Arc<str>> {
        let known = self.destinations.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().find(|(_, id)| **id == number).map(|(name, _)| name.clone())
    }

    /// Notes what was read elsewhere.
    pub(super) fn note_destination(&self, name: &Arc<str>, number: i32) {
        put(&self.destinations, name.clone(), number);
    }
}

/// Outside the transaction that needs it: a name without rows does no harm, and nobody waits for another's transaction.
async fn number(
    client: &Client,
    insert: &str,
    find: &str,
    values: &[&(dyn tokio_postgres::types::ToSql + Sync)],
) -> Result<i32, Fault> {
    client.execute(insert, values).await?;
    Ok(client.query_one(find, values).await?.try_get(0)?)
}

fn get<K: Eq + Hash>(known: &Known<K>, key: &K) -> Option<i32> {
    known.lock().unwrap_or_else(PoisonError::into_inner).get(key).copied()
}

fn put<K: Eq + Hash>(known: &Known<K>, key: K, id: i32) -> i32 {
    known.lock().unwrap_or_else(PoisonError::into_inner).insert(key, id);
    id
}
