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
    setup: Setup,
    keeper: Option<Child>,
}

/// How a server is started.
struct Setup {
    command: Vec<String>,
    environment: Vec<(&'static str, String)>,
}

impl Served {
    /// Starts the server of a Debian package; `setup` is given its folder and its port.
    fn start(package: &str, setup: impl FnOnce(&Path, u16) -> Setup) -> Self {
        let folder = TempDir::new().expect("a folder");
        let port = free_port();
        let setup = setup(folder.path(), port);
        let program = &setup.command[0];
        assert!(
            installed(program),
            "{program} is not installed: apt-get install -y --no-install-recommends {package} (with an /usr/sbin/policy-rc.d \
             that says `exit 101`, or Debian starts one of its own)"
        );
        let mut served = Self { folder, port, setup, keeper: None };
        served.again();
        served
    }

    /// NATS with JetStream, and these lines of configuration.
    pub(crate) fn nats(more: &str) -> Self {
        Self::start("nats-server", |folder, port| {
            let file = folder.join("nats.conf");
            let text =
                format!("listen: \"127.0.0.1:{port}\"\njetstream {{ store_dir: {:?} }}\n{more}\n", folder.join("js"));
            std::fs::write(&file, text).expect("it can be written");
            let command = vec!["nats-server".into(), "--config".into(), file.display().to_string()];
            Setup { command, environment: Vec::new() }
        })
    }

    /// Redis that writes down every command before it answers; the password is `of the tests`.
    pub(crate) fn redis() -> Self {
        Self::redis_with(|port| format!("--port {port}"))
    }

    /// As [`Served::redis`], with these options, given its port.
    pub(crate) fn redis_with(more: impl FnOnce(u16) -> String) -> Self {
        Self::start("redis-server", |_, port| {
            let text = format!("redis-server --bind 127.0.0.1 --appendonly yes --appendfsync always {}", more(port));
            let command = text.split(' ').chain(["--save", "", "--requirepass", "of the tests"]).map(str::to_owned);
            Setup { command: command.collect(), environment: Vec::new() }
        })
    }

    /// RabbitMQ with the user that it has at first, `guest`, and these lines of configuration.
    pub(crate) fn rabbitmq(more: &str) -> Self {
        Self::start("rabbitmq-server", |folder, port| {
            let (file, plugins) = (folder.join("rabbitmq.conf"), folder.join("plugins"));
            std::fs::write(&file, format!("listeners.tcp.1 = 127.0.0.1:{port}\n{more}")).expect("it can be written");
            std::fs::write(&plugins, "[].").expect("it can be written");
            let path = |path: &Path| path.display().to_string();
            let environment = vec![
                ("HOME", path(folder)),
                ("RABBITMQ_CONF_ENV_FILE", "/dev/null".into()),
                ("RABBITMQ_CONFIG_FILE", path(&file)),
                ("RABBITMQ_ENABLED_PLUGINS_FILE", path(&plugins)),
                ("RABBITMQ_MNESIA_BASE", path(&folder.join("mnesia"))),
                ("RABBITMQ_LOGS", "-".into()),
                ("RABBITMQ_NODENAME", format!("tests{port}@localhost")),
                ("RABBITMQ_DIST_PORT", free_port().to_string()),
                ("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "+S 1:1 +sbwt none".into()),
                // Erlang's own directory of nodes stays behind otherwise, for everybody.
                ("ERL_EPMD_PORT", free_port().to_string()),
                ("ERL_EPMD_ADDRESS", "127.0.0.1".into()),
                ("ERL_EPMD_RELAXED_COMMAND_CHECK", "true".into()),
            ];
            Setup { command: vec!["/usr/lib/rabbitmq/bin/rabbitmq-server".into()], environment }
        })
    }

    /// Starts it after [`Served::kill`], and waits until it takes connections. A shell keeps it, and ends it with all its
    /// processes when this process does not hold the other end of its standard input any more.
    pub(crate) fn again(&mut self) {
        let script = "setsid \"$@\" & server=$!; read -r _; kill -s KILL -- -$server 2>/dev/null; wait $server; \
            [ -z \"$ERL_EPMD_PORT\" ] || epmd -kill";
        let log = std::fs::File::create(self.folder.path().join("log")).expect("a log");
        let keeper = Command::new("sh")
            .args(["-c", script, "keeper"])
            .args(&self.setup.command)
            .envs(self.setup.environment.iter().cloned())
            .process_group(0)
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn();
        self.keeper = Some(keeper.expect("sh runs"));
        let (begun, address) = (Instant::now(), SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)));
        while TcpStream::connect(address).is_err() {
            assert!(begun.elapsed() < PATIENCE, "{} does not listen: {}", self.setup.command[0], self.log());
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

/// A port that nobody has at this moment.
pub(crate) fn free_port() -> u16 {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    socket.local_addr().expect("a bound socket has an address").port()
}

fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders.into_iter().any(|folder| folder.join(program).is_file())
}
