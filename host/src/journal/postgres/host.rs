//! This host among the others: it says that it lives, frees the flights of those who do not say so any more, and knows when its
//! own are not its own. Leases go by the server's clock, and here by one that nobody sets.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedRwLockReadGuard, RwLock};
use tokio_postgres::Client;
use uuid::Uuid;

use super::claim::Turns;
use super::fault::Fault;
use super::{Shared, partitions, settle, wake};

pub(super) struct Host {
    lease: Duration,
    state: Mutex<State>,
    /// Held by claims until their flights are known.
    claims: Arc<RwLock<()>>,
    unsure: AtomicBool,
    /// Hosts that live, this one included.
    hosts: AtomicI64,
    turns: Turns,
}

#[derive(Default)]
struct State {
    me: Option<Uuid>,
    /// When the lease is over, unless this host says again that it lives.
    until: Option<Instant>,
}

impl Host {
    pub(super) fn new(lease: Duration) -> Self {
        Self {
            lease,
            state: Mutex::default(),
            claims: Arc::default(),
            unsure: AtomicBool::new(false),
            hosts: AtomicI64::new(1),
            turns: Turns::default(),
        }
    }

    /// By which the flights of this host are known; none while its lease is over.
    pub(super) fn me(&self) -> Option<Uuid> {
        let state = self.state();
        state.me.filter(|_| state.until.is_some_and(|until| Instant::now() < until))
    }

    pub(super) async fn claiming(&self) -> OwnedRwLockReadGuard<()> {
        self.claims.clone().read_owned().await
    }

    /// There may be flights of this host that it does not know of.
    pub(super) fn is_unsure(&self) {
        self.unsure.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_alone(&self) -> bool {
        self.hosts.load(Ordering::Relaxed) < 2
    }

    pub(super) fn every_other(&self) -> bool {
        self.turns.next()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Becomes one of the hosts, under a new id; what was in flight under an older one is not this host's any more.
pub(super) async fn enter(shared: &Shared) -> Result<(), Fault> {
    let host = &shared.host;
    host.state().me = None;
    let lost = shared.due.lose();
    if lost > 0 {
        tracing::warn!(deliveries = lost, "this host's lease was over: what it had claimed may be tried by another");
    }
    let client = shared.server.client().await?;
    free(shared, &client, None).await?;
    let (me, begun) = (Uuid::now_v7(), Instant::now());
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let enter = "INSERT INTO hosts (id, name) VALUES ($1, $2)";
    client.execute(enter, &[&me, &format!("{name}, process {}", std::process::id())]).await?;
    let mut state = host.state();
    (state.me, state.until) = (Some(me), Some(begun + host.lease));
    Ok(())
}

/// Until the journal is closing.
pub(super) async fn live(shared: Arc<Shared>) {
    let third = shared.host.lease / 3;
    let mut own = None;
    loop {
        tokio::time::sleep(third).await;
        let beaten = tokio::time::timeout(third, beat(&shared, &mut own)).await.unwrap_or(Err(Fault::Silent));
        if let Err(fault) = beaten {
            own = None;
            tracing::warn!("this host could not say that it lives: {}", fault.words());
            if shared.host.me().is_none() {
                shared.due.lose();
                // The server may let the lease go on all the same.
                shared.host.is_unsure();
            }
        }
    }
}

/// On a connection of its own, so that no load makes a host look dead.
async fn beat(shared: &Shared, own: &mut Option<Client>) -> Result<(), Fault> {
    let host = &shared.host;
    let (me, begun) = (host.state().me, Instant::now());
    let client = match own {
        Some(client) => client,
        None => own.insert(shared.server.alone().await?),
    };
    let beat = "UPDATE hosts SET beat = now() WHERE id = $1 AND beat > now() - $2::float8 * interval '1 second'";
    let lives = match me {
        Some(me) => client.execute(beat, &[&me, &host.lease.as_secs_f64()]).await? > 0,
        None => false,
    };
    if !lives {
        enter(shared).await?;
        return wake::look(shared).await;
    }
    host.state().until = Some(begun + host.lease);
    if free(shared, client, None).await? > 0 {
        wake::look(shared).await?;
    }
    let hosts = client.query_one("SELECT count(*) FROM hosts", &[]).await?.try_get(0)?;
    host.hosts.store(hosts, Ordering::Relaxed);
    partitions::ahead(client, shared.clock.now()).await?;
    Ok(())
}

/// Where a claim's answer was lost: what it took is nobody's, and due again.
pub(super) async fn be_sure(shared: &Shared) -> Result<(), Fault> {
    let Some(me) = shared.host.me() else { return Ok(()) };
    if !shared.host.unsure.swap(false, Ordering::Relaxed) {
        return Ok(());
    }
    free_unknown(shared, me).await.inspect_err(|_| shared.host.is_unsure())
}

async fn free_unknown(shared: &Shared, me: Uuid) -> Result<(), Fault> {
    let freed = {
        let _nobody_claims = shared.host.claims.write().await;
        settle::free_unknown(shared, me).await?
    };
    if freed > 0 {
        tracing::info!(deliveries = freed, "what was claimed without an answer is due again");
        wake::look(shared).await?;
    }
    Ok(())
}

/// Frees what is in flight with hosts that do not live any more, and with one that goes.
async fn free(shared: &Shared, client: &Client, going: Option<Uuid>) -> Result<i64, Fault> {
    let free = "SELECT free_flights($1::float8 * interval '1 second', $2, $3)";
    let lease = shared.host.lease.as_secs_f64();
    let freed: i64 = client.query_one(free, &[&lease, &shared.now(), &going]).await?.try_get(0)?;
    if freed > 0 {
        tracing::info!(deliveries = freed, "what was in flight with a host that is gone is due again");
    }
    Ok(freed)
}

/// What is still in flight here is due again at once, and the others need not wait for the lease.
pub(super) async fn leave(shared: &Shared) -> Result<(), Fault> {
    let Some(me) = shared.host.state().me.take() else { return Ok(()) };
    let client = shared.server.client().await?;
    free(shared, &client, Some(me)).await?;
    wake::tell_all(shared, &client).await
}
