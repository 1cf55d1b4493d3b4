//! Numbers are drawn before their rows are committed, so a list that goes on after one could step over a row that commits
//! late, and never come back to it.
//!
//! Who draws a number holds a lock on its sequence until its transaction ends. A list reads how far the sequence is, waits for
//! those who hold the lock at that moment (groups on their way to the disk), and ends there.

use std::time::Duration;

use tokio_postgres::GenericClient;

use super::fault::Fault;

/// The sequences.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sequence {
    Requests,
    Deliveries,
    Rejections,
}

impl Sequence {
    fn name(self) -> &'static str {
        match self {
            Self::Requests => "request_numbers",
            Self::Deliveries => "delivery_numbers",
            Self::Rejections => "rejection_numbers",
        }
    }
}

/// Between two looks at those who are waited for.
const LOOK: Duration = Duration::from_millis(2);
/// Who holds a number for longer than this hangs, and holds up no list.
const PATIENCE: usize = 5_000;

/// The last number that was given.
pub(super) async fn last(client: &impl GenericClient, sequence: Sequence) -> Result<i64, Fault> {
    let last = format!("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {}", sequence.name());
    Ok(client.query_one(&last, &[]).await?.try_get(0)?)
}

/// A number up to which every row that will ever be there is there now.
pub(super) async fn settled(client: &impl GenericClient, sequence: Sequence) -> Result<i64, Fault> {
    let last = last(client, sequence).await?;
    let drawing = format!(
        "SELECT virtualtransaction FROM pg_locks WHERE locktype = 'relation' AND relation = '{}'::regclass \
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND mode = 'RowExclusiveLock'",
        sequence.name()
    );
    let holders = async || -> Result<Vec<String>, Fault> {
        let rows = client.query(&drawing, &[]).await?;
        Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
    };
    let mut waited_for = holders().await?;
    for _ in 0..PATIENCE {
        if waited_for.is_empty() {
            break;
        }
        tokio::time::sleep(LOOK).await;
        let still = holders().await?;
        waited_for.retain(|transaction| still.contains(transaction));
    }
    Ok(last)
}
