//! The program with 10,000 senders at once that are idle, slow, or full of bytes that lead nowhere: what memory they cost
//! it, and whether somebody else is still served. Both processes need so many descriptors.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::idle::{acknowledged, program, start};
use crate::tally;

const SENDERS: usize = 10_000;
/// They are held so long that all of them are there at once.
const CONFIGURED: &str = "server.request_timeout = \"120s\"\nserver.max_connections = 20000";

pub(crate) fn measure() {
    let program = program();
    let head = tally::head(&"0".repeat(64));
    let ask = tally::request_with("", &tally::body("first"));
    let long = |bytes: usize| "x".repeat(bytes);
    let senders: [(&str, Vec<u8>, bool); 5] = [
        ("silent", Vec::new(), false),
        ("idle after a request", ask, true),
        ("slow in the head", head.clone().into_bytes(), false),
        ("slow after 60 KiB of the head", format!("{head}x-fill: {}", long(60 << 10)).into_bytes(), false),
        (
            "slow after 60 KiB of a body",
            format!("{head}content-length: 1000000\r\n\r\n{}", long(60 << 10)).into(),
            false,
        ),
    ];
    println!(
        "\n{:<40} {:>10} {:>10} {:>10} {:>14}",
        "10,000 senders", "RSS before", "RSS MiB", "KiB each", "another, ms"
    );
    for (name, sent, answered) in senders {
        let (_, running) = start(&program, CONFIGURED);
        let before = running.status("VmRSS");
        let mut held: Vec<TcpStream> = Vec::with_capacity(SENDERS);
        for _ in 0..SENDERS {
            let mut stream = TcpStream::connect(running.address).expect("it listens, and there are descriptors");
            stream.write_all(&sent).expect("it is taken");
            if answered {
                let _answer = stream.read(&mut [0; 4_096]).expect("an answer");
            }
            held.push(stream);
        }
        std::thread::sleep(Duration::from_secs(3));
        let most = running.status("VmHWM");
        let begun = Instant::now();
        assert!(acknowledged(running.address, &tally::request_with("connection: close\r\n", &tally::body("another"))));
        println!(
            "{name:<40} {:>10.1} {:>10.1} {:>10.1} {:>14.1}",
            before / 1_024.0,
            most / 1_024.0,
            (most - before) / SENDERS as f64,
            begun.elapsed().as_secs_f64() * 1e3,
        );
    }
}
