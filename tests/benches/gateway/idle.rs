//! The program as it is shipped, with the five plugins beside it: what it holds when it does nothing, how soon it serves.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::running::folder;
use crate::{shipped, tally};

const STARTS: usize = 9;

pub(crate) fn measure() {
    let program = program();
    let mut starts: Vec<f64> = (0..STARTS).map(|_| start(&program, "").0).collect();
    starts.sort_by(f64::total_cmp);
    let (_, running) = start(&program, "");
    std::thread::sleep(Duration::from_secs(2));
    let mebibytes = |key: &str| running.status(key) / 1_024.0;
    println!(
        "\nstart to first ack with five plugins: median {:.0} ms, slowest of {STARTS} {:.0} ms; then idle: RSS {:.1} MiB \
         ({:.1} anonymous, {:.1} of files), {:.0} threads",
        starts[STARTS / 2],
        starts[STARTS - 1],
        mebibytes("VmRSS"),
        mebibytes("RssAnon"),
        mebibytes("RssFile"),
        running.status("Threads"),
    );
}

/// The program with the plugins, built as this benchmark is.
pub(super) fn program() -> std::path::PathBuf {
    let folder = shipped::folder();
    let built = Command::new(env!("CARGO"))
        .args(["build", "--offline", "--quiet", "--release", "-p", "hookport", "--bin", "hookport"])
        .env("CARGO_TARGET_DIR", folder.parent().expect("the target folder"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status();
    assert!(built.expect("cargo runs").success(), "the program cannot be built");
    folder.join("hookport")
}

/// A process; it ends with its value.
pub(super) struct Started {
    pub(super) address: SocketAddr,
    child: Child,
    _folder: tempfile::TempDir,
}

impl Started {
    /// A number of the process's status, as Linux writes it: kilobytes of memory, or a count.
    pub(super) fn status(&self, key: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("Linux");
        let line = status.lines().find(|line| line.starts_with(key)).expect("a status has it");
        line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).expect("a number")
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Milliseconds until the first acknowledged event; `more` are lines of the configuration.
pub(super) fn start(program: &Path, more: &str) -> (f64, Started) {
    let folder = folder();
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    tally::install(&folder.path().join("plugins"));
    let keys = shipped::sources("sgate").join("fixtures/keys/system_public_key.pem");
    let text = format!(
        "server.listen = \"{port}\"\nserver.public_url = \"https://hooks.example.com\"\nadmin.listen = \"127.0.0.1:0\"\n\
         log.level = \"error\"\nplugins.dirs = [\"plugins\"]\n{more}\n[sources]\n\
         tally = {{ provider = \"tally\", secrets.main = {{ value = {:?} }} }}\n\
         esim = {{ provider = \"eiotclub\", secrets.main = {{ value = \"a1b1c1d1\" }} }}\n\
         cards = {{ provider = \"wallet-openapi\" }}\n\
         pay = {{ provider = \"evo-cloud\", secrets.main = {{ value = \"NeTQlv6okyBmbelQP1RujxYmnp0S4GtA\" }} }}\n\
         bank = {{ provider = \"sgate\", secrets.api_key = {{ value = \"x\" }}, secrets.system_public_key = {{ file = {keys:?} }} }}\n",
        tally::SECRET,
    );
    std::fs::write(folder.path().join("hookport.toml"), text).expect("written");
    let begun = Instant::now();
    let mut command = Command::new(program);
    command.arg("serve").current_dir(folder.path()).stdin(Stdio::null()).stderr(Stdio::null());
    let started = Started { address: port, child: command.spawn().expect("it runs"), _folder: folder };
    let request = tally::request_with("connection: close\r\n", &tally::body("first"));
    while !acknowledged(port, &request) {
        assert!(begun.elapsed() < Duration::from_secs(20), "it does not start");
        std::thread::sleep(Duration::from_micros(500));
    }
    (begun.elapsed().as_secs_f64() * 1e3, started)
}

pub(super) fn acknowledged(to: SocketAddr, request: &[u8]) -> bool {
    let Ok(mut stream) = TcpStream::connect(to) else { return false };
    let mut answer = Vec::new();
    stream.write_all(request).and_then(|()| stream.read_to_end(&mut answer)).expect("who listens answers");
    assert!(answer.starts_with(b"HTTP/1.1 202"), "{}", String::from_utf8_lossy(&answer));
    true
}
