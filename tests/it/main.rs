//! Every end-to-end test of Hookport, one area a module: real sockets, real plugins, real databases.

mod admin;
mod cases;
mod config;
mod outbound;
mod plugins;
mod server;
mod szzkc_mock;
mod wire;
