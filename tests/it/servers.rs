//! Brokers of the tests' own, as Debian packages them: in a temporary folder, on their own port, gone when the tests are,
//! however they end. PostgreSQL is in `postgres/cluster`.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::process::PATIENCE;

/// A server that can be stopped and started again with the same port and the same data.
pub(crate) struct Served {
    pub(crate) folder: TempDir,
    pub(crate) port: u16,
    command: Vec<String>,
    keeper: Option<Child>,
}

impl Served {
    /// Starts a server: `command` is given its folder and its port.
    pub(crate) fn start(package: &str, command: impl FnOnce(&Path, u16) -> Vec<String>) -> Self {
        let folder = TempDir::new().expect("a folder");
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = socket.local_addr().expect("a bound socket has an address").port();
        drop(socket);
        let command = command(folder.path(), port);
        assert!(
            installed(&command[0]),
            "{} is not installed: apt-get install -y --no-install-recommends {package}",
            command[0]
        );
        let mut served = Self { folder, port, command, keeper: None };
        served.again();
        served
    }

    /// NATS with JetStream, and these lines of configuration.
    pub(crate) fn nats(more: &str) -> Self {
        let more = more.to_owned();
        Self::start("nats-server", move |folder, port| {
            let file = folder.join("nats.conf");
            let text =
                format!("listen: \"127.0.0.1:{port}\"\njetstream {{ store_dir: {:?} }}\n{more}\n", folder.join("js"));
            std::fs::write(&file, text).expect("it can be written");
            vec!["nats-server".into(), "--config".into(), file.display().to_string()]
        })
    }

    /// Starts it after [`Served::kill`], and waits until it takes connections. A shell keeps it, and ends it when this process
    /// does not hold the other end of its standard input any more.
    pub(crate) fn again(&mut self) {
        let script = "\"$@\" & server=$!; read -r _; kill -KILL $server 2>/dev/null; wait $server";
        let log = std::fs::File::create(self.folder.path().join("log")).expect("a log");
        let keeper = Command::new("sh")
            .args(["-c", script, "keeper"])
            .args(&self.command)
            .process_group(0)
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn();
        self.keeper = Some(keeper.expect("sh runs"));
        let (begun, address) = (Instant::now(), SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)));
        while TcpStream::connect(address).is_err() {
            assert!(begun.elapsed() < PATIENCE, "{} does not listen: {}", self.command[0], self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it without a word.
    pub(crate) fn kill(&mut self) {
        let Some(mut keeper) = self.keeper.take() else { return };
        drop(keeper.stdin.take());
        keeper.wait().expect("the keeper ends");
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.kill();
    }
}

fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders.into_iter().any(|folder| folder.join(program).is_file())
}
