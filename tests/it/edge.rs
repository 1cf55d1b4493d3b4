//! The gateway's edge over raw sockets: what senders do, what they do wrong, and what each of them is answered.

mod allowance;
mod answers;
mod busy;
mod floods;
mod gate;
mod limits;
pub(crate) mod line;
mod mutated;
mod protocol;
mod proxies;
mod senders;
mod tls;

use std::time::Duration;

/// Long enough for a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(60);
