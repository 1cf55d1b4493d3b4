//! `hookport serve` as a process of its own, in a folder of its own: started, asked, stopped or killed.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::cli::program::program;
use crate::tally;
use crate::wire::{Reply, exchange};

/// Long enough for a machine that has other things to do.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A folder with a provider, a configuration and whatever the gateway makes.
pub(crate) struct Folder(TempDir);

/// A running gateway; dropping it kills it.
pub(crate) struct Process {
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    running: Running,
}

/// How a process ended, and everything that it said.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) said: String,
}

struct Running {
    child: Child,
    lines: Receiver<String>,
    reader: Option<JoinHandle<String>>,
}

impl Folder {
    /// With a source `tally`; `more` goes below it.
    pub(crate) fn new(more: &str) -> Self {
        let folder = Self(tempfile::tempdir().expect("a folder"));
        tally::install(&folder.path("plugins"));
        let secret = tally::SECRET;
        folder.configure(&format!(
            "log.format = \"json\"\nplugins.dirs = [\"plugins\"]\nserver.listen = \"127.0.0.1:0\"\nadmin.listen = \"127.0.0.1:0\"\n\
             sources.tally = {{ provider = \"tally\", secrets.main = {{ value = \"{secret}\" }} }}\n{more}\n"
        ));
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
        std::fs::write(path, text).expect("it can be written");
    }

    /// Replaces the whole configuration.
    pub(crate) fn configure(&self, text: &str) {
        self.write("hookport.toml", text);
    }

    /// The configuration with one text in it changed.
    pub(crate) fn reconfigure(&self, old: &str, new: &str) {
        let text = std::fs::read_to_string(self.path("hookport.toml")).expect("a configuration");
        assert!(text.contains(old), "{old} is not in it");
        self.configure(&text.replacen(old, new, 1));
    }

    /// Starts the gateway and waits until it is ready.
    pub(crate) fn serve(&self) -> Process {
        self.serve_with::<&str>(&[])
    }

    /// The same, with variables of its environment.
    pub(crate) fn serve_with<V: AsRef<std::ffi::OsStr>>(&self, environment: &[(&str, V)]) -> Process {
        let mut command = command(self.0.path(), &["serve"]);
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        Process::begin(command)
    }

    /// The same, by a command that becomes the gateway.
    pub(crate) fn serve_under(&self, before: &[String]) -> Process {
        Process::begin(under(before, self.0.path(), &["serve"]))
    }

    /// Starts it where it cannot start, or kills it before it is ready.
    pub(crate) fn serve_in_vain(&self, kill_after: Option<Duration>) -> Ended {
        let mut running = Running::begin(command(self.0.path(), &["serve"]));
        if let Some(after) = kill_after {
            std::thread::sleep(after);
            running.child.kill().expect("it can be killed");
        }
        running.ended()
    }

    /// Runs another command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.run_under(&[], arguments)
    }

    /// The same, by a command that becomes this one.
    pub(crate) fn run_under(&self, before: &[String], arguments: &[&str]) -> Ended {
        let output = under(before, self.0.path(), arguments).output().expect("it runs");
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        Ended { code: output.status.code(), said }
    }
}

/// A command of the program in this folder.
pub(crate) fn command(folder: &Path, arguments: &[&str]) -> Command {
    under(&[], folder, arguments)
}

/// A command of the program, with another one before it.
fn under(before: &[String], folder: &Path, arguments: &[&str]) -> Command {
    let mut command = match before {
        [] => Command::new(program()),
        [first, rest @ ..] => {
            let mut command = Command::new(first);
            command.args(rest).arg(program());
            command
        }
    };
    command.args(arguments);
    within(command, folder)
}

/// A command that runs in this folder; nothing of our own environment configures it.
pub(crate) fn within(mut command: Command, folder: &Path) -> Command {
    command.current_dir(folder).stdin(Stdio::null());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("HOOKPORT_")) {
        command.env_remove(name);
    }
    command
}

impl Process {
    /// Starts the gateway by this command and waits until it is ready.
    pub(crate) fn begin(command: Command) -> Self {
        let running = Running::begin(command);
        let mut ready = Value::Null;
        while ready["message"] != "ready" {
            let Ok(line) = running.lines.recv_timeout(PATIENCE) else { panic!("not ready: {:?}", running.ended()) };
            ready = serde_json::from_str::<Value>(&line).map(|line| line["fields"].clone()).unwrap_or_default();
        }
        let address = |name: &str| ready[name].as_str().and_then(|text| text.parse().ok()).expect("an address");
        Self { address: address("address"), admin: address("admin"), running }
    }

    pub(crate) fn id(&self) -> u32 {
        self.running.child.id()
    }

    /// Waits until a line of the log has this text.
    pub(crate) fn says(&self, text: &str) -> String {
        loop {
            let line = self.running.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("{text:?} is not said"));
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Sends a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.id().to_string()]).status().expect("kill runs");
        assert!(sent.success());
    }

    /// SIGTERM, and what came of it.
    pub(crate) fn stop(self) -> Ended {
        self.signal("TERM");
        self.ended()
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) {
        self.running.child.kill().expect("it can be killed");
        self.running.ended();
    }

    /// Waits for its end.
    pub(crate) fn ended(self) -> Ended {
        self.running.ended()
    }

    /// One request on a connection of its own.
    pub(crate) async fn ask(&self, request: Vec<u8>) -> Reply {
        exchange(self.address, &request).await.expect("an answer")
    }

    /// One GET of the admin API.
    pub(crate) async fn get(&self, path: &str) -> Reply {
        let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.admin);
        exchange(self.admin, request.as_bytes()).await.expect("an answer")
    }
}

impl Running {
    fn begin(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().expect("it runs");
        let errors = BufReader::new(child.stderr.take().expect("its log"));
        let (sender, lines) = channel();
        let reader = std::thread::spawn(move || {
            let mut all = String::new();
            for line in errors.lines().map_while(Result::ok) {
                all = all + &line + "\n";
                let _nobody_listens = sender.send(line);
            }
            all
        });
        Self { child, lines, reader: Some(reader) }
    }

    fn ended(mut self) -> Ended {
        let end = Instant::now() + PATIENCE;
        let status = loop {
            match self.child.try_wait().expect("it is ours") {
                Some(status) => break status,
                None => assert!(Instant::now() < end, "it does not end"),
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let said = self.reader.take().expect("taken once").join().expect("its log is read");
        Ended { code: status.code(), said }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _ = self.child.wait();
    }
}
