//! Runs the built program in a folder of its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::process::{PATIENCE, Process, command};

/// The program, built as these tests are, in a folder of its own: plugins beside it would be loaded.
pub(crate) fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let tests = std::env::current_exe().expect("this program");
        let folder = tests.ancestors().nth(2).expect("target/PROFILE/deps").to_owned();
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--package", "hookport", "--bin", "hookport"]);
        if folder.ends_with("release") {
            cargo.arg("--release");
        }
        let built = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo runs");
        assert!(built.success(), "the program cannot be built");
        let own = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli");
        std::fs::create_dir_all(&own).expect("a folder");
        let program = own.join("hookport");
        let _there_already = std::fs::remove_file(&program);
        std::fs::hard_link(folder.join("hookport"), &program).expect("a link within the target folder");
        program
    })
}

/// A folder with the test providers and whatever a test writes.
pub(crate) struct Folder(TempDir);

/// How a command ended.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Folder {
    pub(crate) fn new() -> Self {
        let folder = Self(tempfile::tempdir().expect("a folder"));
        let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/config/providers");
        for name in ["called", "signed", "unsigned"] {
            let text = std::fs::read_to_string(cases.join(format!("{name}.toml"))).expect("a provider");
            // A provider that only offers operations needs code; without them it is one that says nothing.
            let text = text.split("[[operations]]").next().expect("a first part");
            folder.write(&format!("providers/{name}/provider.toml"), text);
        }
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
        std::fs::write(path, text).expect("it can be written");
    }

    pub(crate) fn append(&self, name: &str, more: &str) {
        let text = std::fs::read_to_string(self.0.path().join(name)).expect("it was written");
        self.write(name, &format!("{text}{more}"));
    }

    fn command(&self, arguments: &[&str]) -> Command {
        command(self.0.path(), arguments)
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.run_with(arguments, &[])
    }

    pub(crate) fn run_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Run {
        let output = self.command(arguments).envs(environment.iter().copied()).output().expect("it runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        Run { code: output.status.code().expect("a code"), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Starts a command whose lines are read as they come.
    pub(crate) fn start(&self, arguments: &[&str]) -> Lines {
        let mut child = self.command(arguments).stdout(Stdio::piped()).spawn().expect("it runs");
        let lines = lines(child.stdout.take().expect("its output"));
        Lines { child, lines }
    }

    /// Starts the gateway and waits until it is ready.
    pub(crate) fn serve(&self) -> Serving {
        self.serve_with(&[])
    }

    /// The same, with these in its environment.
    pub(crate) fn serve_with(&self, environment: &[(&str, &str)]) -> Serving {
        let mut command = self.command(&["serve"]);
        command.envs(environment.iter().copied());
        Serving(Process::begin(command))
    }

    pub(crate) fn until(&self, holds: impl Fn() -> bool) {
        self.until_some(|| holds().then_some(()));
    }

    pub(crate) fn until_some<T>(&self, mut found: impl FnMut() -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        loop {
            match found() {
                Some(found) => return found,
                None => assert!(Instant::now() < end, "it did not come about"),
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// A running gateway.
pub(crate) struct Serving(Process);

impl Serving {
    pub(crate) fn admin(&self) -> String {
        format!("http://{}", self.0.admin)
    }

    pub(crate) fn public(&self) -> String {
        format!("http://{}", self.0.address)
    }

    /// Sends a notice as a provider would; gives the answer's status.
    pub(crate) fn post(&self, path: &str, body: &str) -> u16 {
        let mut stream = TcpStream::connect(self.0.address).expect("it listens");
        let length = body.len();
        let head = "content-type: application/json\r\nconnection: close\r\n";
        write!(stream, "POST {path} HTTP/1.1\r\nhost: gateway\r\n{head}content-length: {length}\r\n\r\n{body}")
            .expect("it can be sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        status.unwrap_or_else(|| panic!("not an answer: {answer:?}"))
    }

    /// SIGTERM; gives the exit code.
    pub(crate) fn stop(self) -> Option<i32> {
        self.0.stop().code
    }
}

/// A command that goes on, and its lines.
pub(crate) struct Lines {
    child: Child,
    lines: Receiver<String>,
}

impl Lines {
    pub(crate) fn line(&mut self, patience: Duration) -> Option<String> {
        self.lines.recv_timeout(patience).ok()
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(output: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

/// A port that nobody has now.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}
