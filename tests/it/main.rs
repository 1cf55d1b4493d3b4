//! Every end-to-end test of Hookport, one area a module.

mod config;
mod outbound;
mod plugins;
