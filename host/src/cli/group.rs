//! What the groups of commands for a running gateway have in common: which gateway it is, and that it is asked.

use clap::{Args, Subcommand};

use super::Failure;
use super::client::{Client, Connection};

/// One command of a group, for this gateway.
#[derive(Args)]
pub(super) struct Group<C: Subcommand> {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    command: C,
}

/// What a gateway can be asked.
pub(super) trait Ask: Subcommand {
    /// Asks, and shows what came of it.
    fn ask(self, client: &Client) -> Result<(), Failure>;
}

impl<C: Ask> Group<C> {
    pub(super) fn run(self) -> Result<(), Failure> {
        self.command.ask(&self.connection.open()?)
    }
}
