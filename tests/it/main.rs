//! Every end-to-end test of Hookport, one area a module: real sockets, real plugins, real databases.

mod admin;
mod cases;
mod config;
//! Every test that needs files, sockets or processes: one binary, one module for each area.

#[path = "../crash/mod.rs"]
mod crash;
mod journal;
mod journal_contract;
mod outbound;
mod plugins;
mod server;
mod szzkc_mock;
mod wire;
