//! A plugin that does on demand what ends a process or reaches out of it: each declared type names one misdeed.

#![deny(warnings, missing_docs)]

use std::fs::{File, OpenOptions};
use std::io;
use std::net::{TcpStream, UdpSocket};
use std::process::Command;

use hookport_plugin_api::prelude::*;

export_provider!("../provider.toml", decode = decode);

fn decode(request: &Request<'_>, events: &mut Events<'_>) -> Result<(), DecodeError> {
    match events.declared_type() {
        "panics" => panic!("on purpose"),
        // SAFETY: none; that is the point.
        "crashes" => unsafe { std::ptr::null_mut::<u8>().write_volatile(1) },
        "hangs" => loop {
            std::hint::spin_loop();
        },
        "sleeps" => std::thread::sleep(std::time::Duration::from_secs(3600)),
        "overflows the stack" => events.warn(deeper(&[0; 1024]).to_string()),
        "aborts" => std::process::abort(),
        "exits" => std::process::exit(0),
        "swallows memory" => drop(std::hint::black_box(vec![1_u8; 10 << 30])),
        "reads a file" => return tried(events, File::open("/etc/passwd").map(drop)),
        "reads its environment" => return tried(events, File::open("/proc/self/environ").map(drop)),
        "writes a file" => {
            let opened = OpenOptions::new().write(true).create(true).truncate(true).open("/tmp/hookport-hostile");
            return tried(events, opened.map(drop));
        }
        "connects" => return tried(events, TcpStream::connect("127.0.0.1:9").map(drop)),
        "connects and aborts" => {
            drop(TcpStream::connect("127.0.0.1:9"));
            std::process::abort();
        }
        "binds" => return tried(events, UdpSocket::bind("127.0.0.1:0").map(drop)),
        "starts a thread" => return tried(events, std::thread::Builder::new().spawn(|| {}).map(drop)),
        "starts a process" => return tried(events, Command::new("/bin/true").status().map(drop)),
        "dawdles" => {
            log!(Level::Warn, "dawdling");
            std::thread::sleep(std::time::Duration::from_millis(500));
        }
        "prints" => {
            println!("printed to standard output");
            eprintln!("printed to standard error");
        }
        "chatters" => (0..20_000).for_each(|n| log!(Level::Warn, "line {n}")),
        _ => {}
    }
    events.push_as_received(request)
}

/// Says what came of a try.
fn tried(events: &mut Events<'_>, tried: io::Result<()>) -> Result<(), DecodeError> {
    #[derive(Serialize)]
    struct Tried {
        refused: Option<i32>,
        succeeded: bool,
    }
    let refused = tried.as_ref().err().map(|error| error.raw_os_error().unwrap_or(-1));
    events.push(Event::new().data(&Tried { refused, succeeded: tried.is_ok() })?)
}

fn deeper(room: &[u8; 1024]) -> u8 {
    if std::hint::black_box(room[0]) == 1 && room[2] == 1 {
        return 0;
    }
    let mut more = *room;
    more[0] = std::hint::black_box(room[1]).wrapping_add(1);
    deeper(&more).wrapping_add(more[0])
}
