//! One worker process as the gateway sees it: started, written to and read from without waiting for it, and ended.

use std::collections::VecDeque;
use std::future::pending;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as Pair;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Buf, Bytes};
use hookport_plugin_api::log::Level;
use serde::Serialize;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::{Instant, timeout};

use super::ending;
use super::frame::{Frame, Kind, Reader, Wrong, encoded};
use super::image::Image;
use super::wire::Start;
use crate::plugin::lines::{Speaker, finest};
use crate::throttle::Throttle;

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
    to: Writer,
    from: OwnedReadHalf,
    said: Reader,
    printed: Arc<Mutex<String>>,
    reading: tokio::task::JoinHandle<()>,
    pub(super) started: Instant,
    pub(super) ready: bool,
    /// How many messages beside answers it may send.
    pub(super) asides: Throttle,
    /// The call of the system that it was refused last.
    pub(super) refused: Option<String>,
}

/// What is sent, without waiting for whom it is sent to. Whoever sends bounds how much it is.
struct Writer {
    into: OwnedWriteHalf,
    unsent: VecDeque<Bytes>,
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
        let (from, into) = UnixStream::from_std(ours)?.into_split();
        let (to, said) = (Writer { into, unsent: VecDeque::new() }, Reader::default());
        let (started, asides) = (Instant::now(), Throttle::new(1000, Duration::from_secs(10)));
        let mut process =
            Self { child, to, from, said, printed, reading, started, ready: false, asides, refused: None };
        process.tell(Kind::Start, &Start { memory: image.limits.memory, finest: finest().number() });
        Ok(process)
    }

    /// Sends a call; one to a process that has ended is lost, and its end is heard.
    pub(super) fn send(&mut self, frame: Bytes) {
        self.to.send(frame);
    }

    /// The next message; nothing when it has hung up. Meanwhile what could not be sent at once is sent.
    pub(super) async fn hear(&mut self) -> Result<Option<Frame>, Wrong> {
        let Self { from, said, to, .. } = self;
        tokio::select! {
            said = said.next(from) => said,
            never = async { to.flush().await; pending().await } => never,
        }
    }

    /// Tells it that no call comes any more, hangs up, and waits a moment for its end.
    pub(super) async fn dismiss(mut self) {
        self.tell(Kind::Quiesce, &());
        let Self { mut child, mut to, .. } = self;
        let end = async {
            to.flush().await;
            drop(to);
            child.wait().await
        };
        let _ = timeout(ENDING, end).await;
        end_now(&mut child).await;
    }

    /// Ends it.
    pub(super) async fn kill(mut self) {
        end_now(&mut self.child).await;
    }

    /// How it ended by itself, in words.
    pub(super) async fn post_mortem(mut self) -> String {
        let ended = match timeout(ENDING, self.child.wait()).await {
            Ok(Ok(status)) => ending::in_words(status),
            _ => "it closed its socket and went on".to_owned(),
        };
        let _ = timeout(LAST_WORDS, &mut self.reading).await;
        let printed = std::mem::take(&mut *self.printed.lock().unwrap_or_else(PoisonError::into_inner));
        let refused = self.refused.take().map(|call| format!("; it was refused the system call {call} before"));
        self.kill().await;
        let printed = if printed.is_empty() { printed } else { format!(": {printed}") };
        format!("{ended}{printed}{}", refused.unwrap_or_default())
    }

    fn tell(&mut self, kind: Kind, body: &impl Serialize) {
        // What is told beside calls has a few bytes.
        let _ = encoded(kind, 0, body).map(|frame| self.to.send(frame));
    }
}

impl Writer {
    fn send(&mut self, mut frame: Bytes) {
        if self.unsent.is_empty()
            && let Ok(sent) = self.into.try_write(&frame)
        {
            frame.advance(sent);
        }
        if !frame.is_empty() {
            self.unsent.push_back(frame);
        }
    }

    /// Sends all that could not be sent at once.
    async fn flush(&mut self) {
        while let Some(frame) = self.unsent.front_mut() {
            match self.into.write(frame).await {
                Ok(sent) => frame.advance(sent),
                // That nobody is there is heard.
                Err(_) => return self.unsent.clear(),
            }
            if frame.is_empty() {
                self.unsent.pop_front();
            }
        }
    }
}

async fn end_now(child: &mut Child) {
    // Whatever has ended already is ended.
    let _ = child.start_kill();
    let _ = child.wait().await;
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
