//! A plugin that reaches out of its process while it is loaded, before anybody has called it, and tells later what came of it.

#![deny(warnings, missing_docs)]

use std::fs::{File, OpenOptions};
use std::net::TcpStream;
use std::process::Command;
use std::sync::OnceLock;

use hookport_plugin_api::prelude::*;

export_provider!("../provider.toml", decode = decode);

static SUCCEEDED: OnceLock<Vec<&'static str>> = OnceLock::new();

fn decode(_: &Request<'_>, events: &mut Events<'_>) -> Result<(), DecodeError> {
    let succeeded = SUCCEEDED.get();
    events.push(Event::new().data(&succeeded)?)
}

extern "C" fn before_anything() {
    let write = || OpenOptions::new().write(true).create(true).truncate(true).open("/tmp/hookport-early").is_ok();
    let tries = [
        ("reads a file", File::open("/etc/passwd").is_ok()),
        ("writes a file", write()),
        ("connects", TcpStream::connect("127.0.0.1:9").is_err_and(|error| error.raw_os_error() != Some(1)),),
        ("starts a thread", std::thread::Builder::new().spawn(|| {}).is_ok()),
        ("starts a process", Command::new("/bin/true").status().is_ok()),
    ];
    let succeeded = tries.into_iter().filter(|(_, succeeded)| *succeeded).map(|(name, _)| name).collect();
    let _ = SUCCEEDED.set(succeeded);
}

// SAFETY: the section holds pointers to functions of this kind.
#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_ANYTHING: extern "C" fn() = before_anything;
