//! Every end-to-end test of Hookport, one area a module.

mod cases;
mod plugins;
mod server;
mod shipped;
mod szzkc;
mod szzkc_mock;
mod wire;
