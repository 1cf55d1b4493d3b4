//! One worker process as the gateway sees it: started, written to and read from without waiting for it, and ended.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as Pair;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hookport_plugin_api::log::Level;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::frame::{Frame, Kind, encoded, next};
use super::image::Image;
use super::wire::Start;
use crate::plugin::lines::{Speaker, finest};

/// The program's own argument that makes it a worker.
pub const WORKER: &str = "plugin-worker";
/// A process that closed its socket is about to end.
const ENDING: Duration = Duration::from_secs(1);
/// What was printed last is read so long after the end.
const LAST_WORDS: Duration = Duration::from_millis(200);
const LONGEST_LINE: u64 = 4096;

/// A process; it ends with its value.
pub(super) struct Process {
    child: Child,
    to: Option<mpsc::UnboundedSender<Vec<u8>>>,
    said: mpsc::Receiver<Frame>,
    printed: Arc<Mutex<String>>,
    reading: tokio::task::JoinHandle<()>,
    pub(super) started: Instant,
    pub(super) ready: bool,
}

impl Process {
    /// Starts one; nothing of the environment goes along, and no descriptor but the three.
    pub(super) fn start(image: &Image, speaker: &Arc<Speaker>) -> io::Result<Self> {
        let (ours, theirs) = Pair::pair()?;
        ours.set_nonblocking(true)?;
        let mut command = Command::new(&image.program);
        command.arg(WORKER).env_clear().current_dir("/").kill_on_drop(true);
        // What the terminal tells the gateway is not told to it: it ends when the gateway hangs up.
        command.process_group(0);
        command.stdin(OwnedFd::from(theirs)).stdout(image.file.try_clone()?).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let printed = Arc::<Mutex<String>>::default();
        let errors = child.stderr.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let reading = tokio::spawn(listen(errors, speaker.clone(), printed.clone()));
        let (mut from, mut into) = UnixStream::from_std(ours)?.into_split();
        let (to, mut sent) = mpsc::unbounded_channel::<Vec<u8>>();
        tokio::spawn(async move {
            while let Some(frame) = sent.recv().await {
                if into.write_all(&frame).await.is_err() {
                    return;
                }
            }
        });
        let (saying, said) = mpsc::channel(64);
        tokio::spawn(async move {
            while let Ok(Some(frame)) = next(&mut from).await {
                if saying.send(frame).await.is_err() {
                    return;
                }
            }
        });
        let process = Self { child, to: Some(to), said, printed, reading, started: Instant::now(), ready: false };
        let start = Start { memory: image.limits.memory, finest: finest().number() };
        let start = postcard::to_stdvec(&start).map_err(io::Error::other)?;
        process.send(encoded(Kind::Start, 0, &start).ok_or(io::ErrorKind::FileTooLarge)?);
        Ok(process)
    }

    /// Sends a message; one to a process that has ended is lost, and its end is heard.
    pub(super) fn send(&self, frame: Vec<u8>) {
        let _ = self.to.as_ref().map(|to| to.send(frame));
    }

    /// The next message; nothing when it has hung up.
    pub(super) async fn hear(&mut self) -> Option<Frame> {
        self.said.recv().await
    }

    /// Hangs up and waits a moment for its end.
    pub(super) async fn dismiss(mut self) {
        self.to = None;
        let _ = timeout(ENDING, self.child.wait()).await;
        self.kill().await;
    }

    /// Ends it.
    pub(super) async fn kill(mut self) {
        // Whatever has ended already is ended.
        let _ = self.child.start_kill();
        let _ = self.child.wait().await;
    }

    /// How it ended by itself, in words.
    pub(super) async fn post_mortem(mut self) -> String {
        let ended = match timeout(ENDING, self.child.wait()).await {
            Ok(Ok(status)) => in_words(status),
            _ => "it closed its socket and went on".to_owned(),
        };
        let _ = timeout(LAST_WORDS, &mut self.reading).await;
        let printed = std::mem::take(&mut *self.printed.lock().unwrap_or_else(PoisonError::into_inner));
        self.kill().await;
        if printed.is_empty() { ended } else { format!("{ended}: {printed}") }
    }
}

/// What it prints is a line of the plugin's; the last one that says something is kept for the post-mortem.
async fn listen(from: ChildStderr, speaker: Arc<Speaker>, last: Arc<Mutex<String>>) {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while let Ok(1..) = (&mut from).take(LONGEST_LINE).read_until(b'\n', &mut line).await {
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        if text.chars().any(char::is_alphabetic) {
            speaker.say(0, Level::Warn, "stderr", text);
        }
        if text.chars().any(char::is_alphabetic) && !text.starts_with("note: ") {
            let kept = text.chars().take(200).map(|c| if c.is_control() { ' ' } else { c }).collect();
            *last.lock().unwrap_or_else(PoisonError::into_inner) = kept;
        }
        line.clear();
    }
}

fn in_words(status: ExitStatus) -> String {
    let Some(signal) = status.signal() else {
        return format!("it ended itself with code {}", status.code().unwrap_or_default());
    };
    let name = match signal {
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGILL => "SIGILL",
        libc::SIGKILL => "SIGKILL",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGSYS => "SIGSYS",
        libc::SIGTERM => "SIGTERM",
        libc::SIGTRAP => "SIGTRAP",
        libc::SIGXFSZ => "SIGXFSZ",
        _ => return format!("it was ended by signal {signal}"),
    };
    format!("it was ended by signal {signal} ({name})")
}
