//! Requests without pause, while something else is done to the gateway.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::task::JoinHandle;

use super::*;

/// Those who send; each gives what was not answered with 200.
pub(super) struct Senders {
    sent: Arc<AtomicUsize>,
    end: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<Vec<String>>>,
}

impl Senders {
    pub(super) fn begin(address: SocketAddr, count: usize) -> Self {
        let (sent, end) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let sender = |name: usize| {
            let (sent, end) = (sent.clone(), end.clone());
            tokio::spawn(async move {
                let mut failed = Vec::new();
                for number in 0.. {
                    if end.load(Ordering::SeqCst) {
                        break;
                    }
                    match send(address, &format!("{name}-{number}")).await {
                        Ok(reply) if reply.status == 200 => drop(sent.fetch_add(1, Ordering::SeqCst)),
                        other => failed.push(format!("{other:?}")),
                    }
                }
                failed
            })
        };
        let tasks = (0..count).map(sender).collect();
        Self { sent, end, tasks }
    }

    /// Waits until some more were answered.
    pub(super) async fn go_on(&self) {
        let seen = self.sent.load(Ordering::SeqCst);
        crate::reload::until("more were answered", async || self.sent.load(Ordering::SeqCst) > seen + 2).await;
    }

    /// How many were sent; none failed.
    pub(super) async fn end(self) -> usize {
        self.end.store(true, Ordering::SeqCst);
        for task in self.tasks {
            assert_eq!(task.await.expect("no panic"), Vec::<String>::new());
        }
        self.sent.load(Ordering::SeqCst)
    }
}
