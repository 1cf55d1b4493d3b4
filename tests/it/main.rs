//! Every end-to-end test of Hookport, one area a module: real sockets, real plugins, real databases.

#[path = "../crash/mod.rs"]
mod crash;

mod admin;
mod arrows;
mod author;
mod cases;
mod catalogue;
mod certificate;
mod cli;
mod config;
mod demo;
mod edge;
mod golden;
mod handshakes;
mod isolation;
mod journal;
mod journal_contract;
mod keep;
mod keys;
mod metrics;
mod obligations;
mod operations;
mod outbound;
mod pauses;
mod plugin_reload;
mod plugins;
mod postgres;
mod process;
mod redaction;
mod reload;
mod replay;
mod running;
mod serve;
mod server;
mod servers;
mod shipped;
mod simulate;
mod szzkc;
mod szzkc_mock;
mod tally;
mod third_party;
mod traces;
mod trust;
mod wire;
