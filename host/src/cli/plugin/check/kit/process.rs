//! A case in a process of its own: this program again, which loads the plugin, runs the one case and says one line. That it
//! crashes, hangs or leaves is how the case ended.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{Ending, Subject, Verdict};

/// Between two looks at a process.
const STEP: Duration = Duration::from_millis(5);
/// What a process may say.
const SAID: u64 = 1 << 20;
/// The address space of a case: a plugin that wants more ends its process and not the machine.
const MEMORY: u64 = 4 << 30;

/// What a case's process may have.
pub(in crate::cli::plugin::check) struct Limits;

impl Limits {
    /// Sets them, for the whole rest of this process.
    pub(in crate::cli::plugin::check) fn set() {
        let limit = |resource, most: u64| {
            let maximum = getrlimit(resource).maximum;
            let most = maximum.map_or(most, |maximum| maximum.min(most));
            let _stays_as_it_was = setrlimit(resource, Rlimit { current: Some(most), maximum });
        };
        limit(Resource::As, MEMORY);
        // A crash is a result and not a file.
        limit(Resource::Core, 0);
    }
}

/// Runs a case in a process of its own.
pub(in crate::cli::plugin::check) fn apart(subject: &Subject, case: &str) -> Verdict {
    let failed = |error: std::io::Error| Verdict::of(vec![format!("its process cannot be started: {error}")]);
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return failed(error),
    };
    let mut command = Command::new(program);
    command.args(["plugin", "check-case"]).arg(&subject.file).arg("--fixtures").arg(&subject.fixtures);
    command.args(["--seed", &subject.seed.to_string(), case]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return failed(error),
    };
    let (said, complained) = (all(child.stdout.take()), all(child.stderr.take()));
    let end = Instant::now() + subject.timeout;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break Some(status),
            Ok(None) if Instant::now() < end => sleep(STEP),
            _ => break None,
        }
    };
    let Some(status) = status else {
        let _ended_already = child.kill();
        let _ = child.wait();
        return Verdict {
            result: Ending::TimedOut,
            details: vec![format!("no end after {} s", subject.timeout.as_secs())],
        };
    };
    let verdict = text(&said).lines().rev().find_map(|line| serde_json::from_str(line).ok());
    verdict.filter(|_| status.success()).unwrap_or_else(|| crashed(status, &text(&complained)))
}

/// What is read is handed over at its end: a pipe that a grandchild holds open is not waited for.
fn all(pipe: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    spawn(move || {
        let mut bytes = Vec::new();
        let _as_far_as_it_comes = pipe.map(|pipe| pipe.take(SAID).read_to_end(&mut bytes));
        let _nobody_listens = sender.send(bytes);
    });
    receiver
}

fn text(said: &Receiver<Vec<u8>>) -> String {
    String::from_utf8_lossy(&said.recv_timeout(Duration::from_secs(5)).unwrap_or_default()).into_owned()
}

fn crashed(status: ExitStatus, complained: &str) -> Verdict {
    let how = match (status.signal(), status.code()) {
        (Some(signal), _) => format!("ended by signal {signal} ({})", named(signal)),
        (None, Some(code)) => format!("left with exit code {code} in the middle of a call"),
        (None, None) => "ended".to_owned(),
    };
    let last =
        complained.lines().rev().find(|line| !line.trim().is_empty()).map(|line| format!("it said last: {line}"));
    Verdict { result: Ending::Crashed, details: [how].into_iter().chain(last).collect() }
}

fn named(signal: i32) -> &'static str {
    match signal {
        libc::SIGSEGV => "SIGSEGV: it used memory that is not its own, or its stack overflowed",
        libc::SIGABRT => "SIGABRT: abort, a panic within a panic, a stack overflow or no memory",
        libc::SIGBUS => "SIGBUS",
        libc::SIGILL => "SIGILL",
        libc::SIGFPE => "SIGFPE: a division by zero",
        libc::SIGKILL => "SIGKILL",
        libc::SIGSYS => "SIGSYS: a call of the system that it may not make",
        _ => "see signal(7)",
    }
}
