//! Waking: lanes of this host at once, those of the others by a notice, few of them and outside the way in, because a notice
//! makes commits wait for each other. Who misses one looks every few seconds.

use std::collections::{BTreeSet, HashSet};
use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_postgres::Client;

use super::fault::Fault;
use super::rows::get;
use super::{Shared, connect, host};

/// At most one notice in so long.
const NOTICE: Duration = Duration::from_millis(100);
/// Whoever misses a notice finds what is due after so long.
const LOOK: Duration = Duration::from_secs(2);
const REST: Duration = Duration::from_secs(1);
/// A notice holds less than 8,000 bytes; one that would hold more says that there is much.
const LONGEST: usize = 7_000;
/// In the place of names: look for yourself.
const ALL: &str = "*";

/// What the others are to be told.
#[derive(Default)]
pub(super) struct Wake(Mutex<BTreeSet<Arc<str>>>);

impl Wake {
    /// Something is due at each of these.
    pub(super) fn tell(&self, destinations: &[Arc<str>]) {
        if !destinations.is_empty() {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(destinations.iter().cloned());
        }
    }

    fn take(&self) -> BTreeSet<Arc<str>> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Tells the others what is due.
pub(super) async fn speak(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(NOTICE).await;
        let names = shared.wake.take();
        if names.is_empty() || shared.host.is_alone() {
            continue;
        }
        let names = names.iter().map(|name| &**name).collect::<Vec<_>>().join("\n");
        let names = if names.len() > LONGEST { ALL } else { &names };
        let told = async { notify(&shared, &*shared.server.client().await?, names).await };
        if let Err(fault) = told.await {
            tracing::debug!("the other hosts were not told what is due: {}", fault.words());
        }
    }
}

/// Something changed that every host has to look at for itself.
pub(super) async fn tell_all(shared: &Shared, client: &Client) -> Result<(), Fault> {
    notify(shared, client, ALL).await
}

async fn notify(shared: &Shared, client: &Client, names: &str) -> Result<(), Fault> {
    client.execute("SELECT pg_notify($1, $2)", &[&channel(shared), &names]).await?;
    Ok(())
}

/// A name of its own for each schema of a database.
fn channel(shared: &Shared) -> String {
    format!("hookport_{:08x}", crc32fast::hash(shared.server.schema().as_bytes()))
}

/// Hears what the others tell, on a connection of its own.
pub(super) async fn listen(shared: Arc<Shared>) {
    loop {
        if let Err(fault) = hear(&shared).await {
            tracing::debug!("what the other hosts tell is not heard for a moment: {}", fault.words());
        }
        tokio::time::sleep(REST).await;
    }
}

async fn hear(shared: &Arc<Shared>) -> Result<(), Fault> {
    let (client, mut connection) = shared.server.listener().await?;
    let (sender, mut notices) = tokio::sync::mpsc::unbounded_channel();
    let messages = tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
            if let Some(names) = connect::said(message)
                && sender.send(names).is_err()
            {
                return;
            }
        }
    });
    let _ended = Ended(messages);
    let listen = format!("{}; LISTEN {}", shared.server.settings(), channel(shared));
    client.batch_execute(&listen).await?;
    look(shared).await?;
    while let Some(names) = notices.recv().await {
        if names == ALL {
            look(shared).await?;
        } else {
            let names: Vec<Arc<str>> = names.lines().map(Arc::from).collect();
            shared.due.add(&names);
        }
    }
    Ok(())
}

/// A task that ends with whoever began it.
struct Ended(tokio::task::JoinHandle<()>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Looks now and then, because notices may be lost.
pub(super) async fn watch(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let looked = async {
            host::be_sure(&shared).await?;
            look(&shared).await
        };
        if let Err(fault) = looked.await {
            tracing::debug!("what is due is not known for a moment: {}", fault.words());
        }
    }
}

/// What is due next at every destination, and which flights of this host were cancelled.
pub(super) async fn look(shared: &Shared) -> Result<(), Fault> {
    let client = shared.server.client().await?;
    let all = "SELECT id, name FROM destinations";
    let rows = client.query(all, &[]).await?;
    let mut known = Vec::with_capacity(rows.len());
    for row in &rows {
        let (number, name) = (get::<i32>(row, "id")?, Arc::<str>::from(get::<String>(row, "name")?));
        shared.names.note_destination(&name, number);
        let seen = shared.due.seen(&name);
        known.push((name, seen, number));
    }
    let next = "SELECT n.id, (SELECT due FROM queue q WHERE q.destination = n.id AND q.host IS NULL AND q.state < 2 \
         ORDER BY due LIMIT 1) AS due FROM unnest($1::int[]) AS n (id)";
    let numbers: Vec<i32> = known.iter().map(|(.., number)| *number).collect();
    let statement = client.prepare_cached(next).await?;
    let due: std::collections::HashMap<i32, Option<i64>> = client
        .query(&statement, &[&numbers])
        .await?
        .iter()
        .map(|row| Ok::<_, Fault>((get(row, "id")?, get(row, "due")?)))
        .collect::<Result<_, _>>()?;
    let now = shared.now();
    for (name, seen, number) in known {
        shared.due.set(&name, seen, due.get(&number).copied().flatten(), Some(now));
    }
    recall(shared, &client).await
}

/// Which flights of this host were cancelled, and which are not any more.
pub(super) async fn recall(shared: &Shared, client: &Client) -> Result<(), Fault> {
    let Some(me) = shared.host.me() else { return Ok(()) };
    let cancelled = client.query("SELECT id FROM queue WHERE host = $1 AND state = 7", &[&me]).await?;
    let cancelled = cancelled.iter().map(|row| get(row, "id")).collect::<Result<HashSet<i64>, _>>()?;
    shared.due.recall(&cancelled);
    Ok(())
}
