//! Every test that needs files, sockets or processes: one binary, one module for each area.

#[path = "../crash/mod.rs"]
mod crash;
mod journal;
mod journal_contract;
mod outbound;
