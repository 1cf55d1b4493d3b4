//! `transform`: a jq filter over what a destination would get, run in processes of its own that can be ended.
//!
//! What a filter means is left to `filter`, what its process does to `worker`.

mod filter;
mod worker;

use std::io;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::available_parallelism;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Semaphore;
use tokio::time::timeout;

pub use self::filter::FilterError;
use self::filter::{Filter, Made};
pub use self::worker::work;

/// A filter that takes longer over one event is ended.
const LONGEST: Duration = Duration::from_secs(5);
/// A longer output is not sent.
const MOST: u32 = 16 << 20;
/// A process that closed its output is about to end.
const ENDING: Duration = Duration::from_secs(1);
/// The program's own argument that makes it a worker.
pub const WORKER: &str = "transform-worker";

/// A compiled filter and the processes that run it.
#[derive(Clone)]
pub(super) struct Transform(Arc<Workers>);

struct Workers {
    program: String,
    limit: Duration,
    idle: Mutex<Vec<Worker>>,
    turns: Semaphore,
}

/// One process; it ends with its value.
struct Worker {
    child: Child,
    /// Until it was told.
    program: Option<String>,
    input: ChildStdin,
    output: ChildStdout,
}

impl Transform {
    /// Compiles the filter, to say what is wrong with it; no process is started before there is an event.
    pub(super) fn build(program: &str, limit: Duration) -> Result<Self, FilterError> {
        Filter::compile(program)?;
        let at_once = available_parallelism().map_or(2, usize::from);
        Ok(Self(Arc::new(Workers {
            program: program.to_owned(),
            limit: limit.min(LONGEST),
            idle: Mutex::default(),
            turns: Semaphore::new(at_once),
        })))
    }

    /// What the filter makes of a document; nothing where it gives nothing.
    pub(super) async fn apply(&self, document: &[u8]) -> Result<Option<Bytes>, String> {
        // Nobody closes the semaphore, and without a turn there is no harm either.
        let _turn = self.0.turns.acquire().await;
        let limit = self.0.limit;
        let mut worker = match self.0.worker() {
            Ok(worker) => worker,
            Err(error) => return Err(format!("its process cannot be started: {error}")),
        };
        match timeout(limit, worker.ask(document)).await {
            // A worker that answered is used again; every other is ended here.
            Ok(Ok(answer)) => {
                self.0.put_back(worker);
                answer.map(|made| match made {
                    Made::Json(json) => Some(json),
                    Made::Nothing => None,
                })
            }
            Ok(Err(error)) if error.kind() == io::ErrorKind::FileTooLarge => {
                Err("its output is longer than 16 MiB".into())
            }
            Ok(Err(_)) => Err(worker.post_mortem().await),
            Err(_) => Err(format!("the filter was ended after {limit:?}")),
        }
    }
}

impl Workers {
    fn worker(&self) -> io::Result<Worker> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| Worker::start(&self.program), Ok)
    }

    fn put_back(&self, worker: Worker) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(worker);
    }
}

impl Worker {
    /// Of this program's own file, which may have been replaced meanwhile; nothing of the environment goes along.
    fn start(program: &str) -> io::Result<Self> {
        let this = match cfg!(target_os = "linux") {
            true => "/proc/self/exe".into(),
            false => std::env::current_exe()?,
        };
        let mut command = Command::new(this);
        command.arg(WORKER).env_clear().current_dir("/").kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(input), Some(output)) => Ok(Self { child, input, output, program: Some(program.to_owned()) }),
            _ => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// An error of the filter's is inside; one of the process's is outside.
    async fn ask(&mut self, document: &[u8]) -> io::Result<Result<Made, String>> {
        if let Some(program) = self.program.take() {
            self.tell(program.as_bytes()).await?;
        }
        self.tell(document).await?;
        let (kind, length) = (self.output.read_u8().await?, self.output.read_u32().await?);
        if length > MOST {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        self.output.read_exact(&mut bytes).await?;
        Ok(match kind {
            worker::JSON => Ok(Made::Json(bytes.into())),
            worker::NOTHING => Ok(Made::Nothing),
            _ => Err(String::from_utf8_lossy(&bytes).into_owned()),
        })
    }

    async fn tell(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.input.write_u32(u32::try_from(bytes.len()).map_err(io::Error::other)?).await?;
        self.input.write_all(bytes).await?;
        self.input.flush().await
    }

    /// How it ended, in words.
    async fn post_mortem(mut self) -> String {
        match timeout(ENDING, self.child.wait()).await {
            Ok(Ok(status)) => format!("the filter broke off ({status}): it went too deep or took more than 512 MiB"),
            _ => "the filter's process does not answer".into(),
        }
    }
}
