//! Every end-to-end test of Hookport, one area a module.

mod config;
mod plugins;
//! The tests that need sockets, processes or databases, one module for each area.

mod outbound;
mod cases;
mod plugins;
mod server;
mod shipped;
mod szzkc;
mod szzkc_mock;
mod wire;
