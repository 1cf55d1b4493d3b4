//! The engine's tasks, from its first moment to its last.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;

use super::{Shared, host, ingest, rejecting, wake};

/// At the end what is under way may take so long.
const PATIENCE: Duration = Duration::from_secs(10);

/// Until the journal is closed.
pub(super) async fn run(shared: &Arc<Shared>) {
    let mut others = JoinSet::new();
    others.spawn(host::live(shared.clone()));
    others.spawn(wake::speak(shared.clone()));
    others.spawn(wake::listen(shared.clone()));
    others.spawn(wake::watch(shared.clone()));
    others.spawn(rejecting::run(shared.clone()));
    let mut inbound = JoinSet::new();
    for _ in 0..shared.groups {
        inbound.spawn(ingest::run(shared.clone()));
    }
    // Its other half is in the hands of whoever holds this one.
    let _ = shared.closing.subscribe().wait_for(|closing| *closing).await;
    shared.queue.close();
    while inbound.join_next().await.is_some() {}
    let rest = async {
        shared.rejecting.written().await;
        let _ = shared.busy.subscribe().wait_for(|busy| *busy == 0).await;
        host::leave(shared).await
    };
    match tokio::time::timeout(PATIENCE, rest).await {
        Ok(Ok(())) => {}
        Ok(Err(fault)) => tracing::warn!("the journal is closed without a word to the others: {}", fault.words()),
        Err(_) => tracing::warn!("the journal is closed while something is under way: the server does not answer"),
    }
    others.shutdown().await;
    shared.server.close();
    let closers = shared.closers.lock().unwrap_or_else(PoisonError::into_inner).take();
    for closer in closers.into_iter().flatten() {
        let _ = closer.send(Ok(()));
    }
}
