//! Programs in a worker's place that say what no worker says, as one may that a plugin's code has taken over: each is ended, and
//! what it did is named.

use std::fmt::Write;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use hookport::plugin::FaultKind;
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::*;

/// What a worker says, by its number.
const READY: u8 = 3;
const LINE: u8 = 5;
const ANSWER: u8 = 6;

/// A shell script, which is written by another process: no other test's child holds it open while it is started.
fn script(folder: &Path, lines: &str) -> PathBuf {
    let path = folder.join("worker");
    let write = format!("cat > '{0}' && chmod 700 '{0}'", path.display());
    let mut shell = Command::new("/bin/sh").args(["-c", &write]).stdin(Stdio::piped()).spawn().expect("a shell");
    let mut into = shell.stdin.take().expect("its input");
    into.write_all(format!("#!/bin/sh\n{lines}\n").as_bytes()).expect("written");
    drop(into);
    assert!(shell.wait().expect("it ends").success());
    path
}

/// The command that sends a message on standard input, which is the socket; of a longer one the head alone.
fn says(kind: u8, call: u64, length: u32, body: &[u8]) -> String {
    let bytes = [&[kind][..], &call.to_le_bytes(), &length.to_le_bytes(), body].concat();
    let octal = bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "\\{byte:03o}").expect("text");
        text
    });
    format!("printf '{octal}' >&0")
}

fn ready() -> String {
    says(READY, 0, 2, &[1, 1])
}

/// The code of a plugin whose worker is this script.
fn pretended(lines: &str, limits: Limits) -> (Arc<Code>, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let program = Some(script(folder.path(), lines));
    (code("odd", &Policy { program, ..policy(limits) }), folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_says_what_none_says_is_ended_and_what_it_said_is_named() {
    let stay = "exec sleep 3600";
    let ready = ready();
    let line = says(LINE, 0, 9, b"\x03\x01m\x05words");
    let (answer, huge, endless) =
        (says(ANSWER, 99, 0, b""), says(LINE, 0, 64 << 20, b""), format!("while :; do {line}; done"));
    for (lines, how) in [
        (format!("{ready}\n{ready}\n{stay}"), "it said what nobody asked (Ready)"),
        (format!("{ready}\n{answer}\n{stay}"), "it answered what it was not asked"),
        (format!("{answer}\n{stay}"), "did not start: it answered what it was not asked"),
        (format!("{ready}\n{huge}\n{stay}"), "it sent a message of 67108864 bytes where 32768 are the most (Line)"),
        (format!("{ready}\n{}\n{stay}", says(99, 0, 0, b"")), "it sent what is no message (kind 99)"),
        (format!("{ready}\n{}\n{stay}", says(1, 0, 0, b"")), "it said what nobody asked (Call)"),
        (format!("{}\n{stay}", says(READY, 0, 0, b"")), "did not start: it did not say what holds it in"),
        (format!("{ready}\n{endless}"), "it sent more lines than any worker does"),
    ] {
        let (code, _folder) = pretended(&lines, patient());
        let fault = decode(&code, "typed").await.expect_err(how);
        assert_eq!(fault.kind, FaultKind::Lost, "{fault}");
        assert!(fault.message.contains(how), "{how}: {fault}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_beyond_what_may_wait_are_told_at_once_that_there_is_no_time() {
    let (code, _folder) = pretended(&format!("{}\nexec sleep 3600", ready()), patient());
    let mut calls = JoinSet::new();
    for _ in 0..1030 {
        let code = code.clone();
        calls.spawn(async move { decode(&code, "typed").await });
    }
    for _ in 0..6 {
        let fault = calls.join_next().await.expect("one ends").expect("no panic").expect_err("nobody answers");
        assert_eq!(fault.kind, FaultKind::Busy, "{fault}");
        assert!(fault.message.contains("more than 1024 calls wait"), "{fault}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_does_not_come_back_costs_those_nothing_that_have_another() {
    let folder = tempfile::tempdir().expect("a folder");
    // The first is a worker; no other one ever is.
    let first = format!("mkdir '{}' || exit 1", folder.path().join("taken").display());
    let worker = format!("exec '{}' plugin-worker", program().display());
    let program = Some(script(folder.path(), &format!("PATH=/bin:/usr/bin\n{first}\n{worker}")));
    let limits = Limits { workers: 2, ..patient() };
    let code = code("hostile", &Policy { program, ..policy(limits) });
    code.start();
    let end = std::time::Instant::now() + crate::process::PATIENCE;
    while code.state().counted.restarts == 0 || code.state().held_by.is_none() {
        assert!(std::time::Instant::now() < end, "not both have ended or begun");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let callers = (0..4).map(|_| {
        let code = code.clone();
        tokio::spawn(async move {
            for _ in 0..50 {
                decode(&code, "well").await.expect("the other one answers");
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.expect("none is lost");
    }
}
