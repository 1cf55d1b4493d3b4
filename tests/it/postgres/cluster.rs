//! A PostgreSQL server of the tests' own: in a temporary folder, on its own port, gone when the tests are, however they end.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::process::PATIENCE;

/// Not a secret: the server listens to this machine only, and for as long as a test runs.
const PASSWORD: &str = "of-the-tests-only";
/// What a test asks of it, and no more.
const SETTINGS: &str = "listen_addresses = '127.0.0.1'\nmax_connections = 400\nshared_buffers = '64MB'\n\
    max_wal_size = '256MB'\nlog_min_messages = warning\nunix_socket_directories = ''\n";

/// A server. The one that most tests share is never dropped, and ends with the process; see [`start`](Self::start).
pub(crate) struct Cluster {
    folder: TempDir,
    bin: PathBuf,
    pub(crate) port: u16,
    keeper: Option<Child>,
}

/// Where one journal lives.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) url: String,
    pub(crate) schema: String,
}

impl Cluster {
    /// The one that tests share which do not stop it.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(|| {
            let mut cluster = Self::made();
            cluster.start(Some(cluster.folder.path().to_owned()));
            cluster
        })
    }

    /// One that is the test's own.
    pub(crate) fn new() -> Self {
        let mut cluster = Self::made();
        cluster.start(None);
        cluster
    }

    fn made() -> Self {
        let folder = tempfile::Builder::new().prefix("hookport-postgres-").tempdir().expect("a folder");
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr());
        let cluster = Self { bin: installed(), folder, port: port.expect("a free port").port(), keeper: None };
        give_to_postgres(cluster.folder.path());
        let password = cluster.folder.path().join("password");
        std::fs::write(&password, PASSWORD).expect("it can be written");
        give_to_postgres(&password);
        let made = unprivileged(&cluster.bin.join("initdb"))
            .args(["--no-sync", "--auth=scram-sha-256", "--username=postgres", "--encoding=UTF8", "--locale=C"])
            .arg("--pwfile")
            .arg(&password)
            .arg("--pgdata")
            .arg(cluster.data())
            .output()
            .expect("initdb runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let settings = std::fs::OpenOptions::new().append(true).open(cluster.data().join("postgresql.conf"));
        settings.expect("initdb made it").write_all(SETTINGS.as_bytes()).expect("it can be written");
        cluster
    }

    /// Starts it, and waits until it answers. A shell keeps it, and stops it when this process does not hold the other end
    /// of its standard input any more, whatever ended it; then it removes this folder.
    pub(crate) fn start(&mut self, remove: Option<PathBuf>) {
        let script = "remove=$1; shift; \"$@\" & server=$!; read -r _; kill -QUIT $server 2>/dev/null; wait $server; \
            [ -z \"$remove\" ] || rm -rf \"$remove\"";
        let mut server = unprivileged(&self.bin.join("postgres"));
        server.arg("-D").arg(self.data()).arg("-p").arg(self.port.to_string());
        let log = std::fs::File::create(self.folder.path().join("log")).expect("a log");
        let keeper = Command::new("sh")
            .args(["-c", script, "keeper"])
            .arg(remove.unwrap_or_default())
            .arg(server.get_program())
            .args(server.get_args())
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.keeper = Some(keeper.expect("sh runs"));
        let begun = Instant::now();
        while self.psql("SELECT 1").is_err() {
            assert!(begun.elapsed() < PATIENCE, "the server does not answer: {}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// SIGKILL: nothing of what is in memory is written. Its processes are gone when this is done.
    pub(crate) fn kill(&mut self) {
        let Some(mut keeper) = self.keeper.take() else { return };
        let lock = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        if let Some(server) = lock.lines().next() {
            let _gone_already = Command::new("kill").args(["-s", "KILL", server]).status();
        }
        drop(keeper.stdin.take());
        keeper.wait().expect("the keeper ends");
        let begun = Instant::now();
        while self.lives() {
            assert!(begun.elapsed() < PATIENCE, "the server's processes do not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether a process of the server is left; each works in the folder of its data.
    fn lives(&self) -> bool {
        let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let data = self.data();
        processes.filter_map(|process| std::fs::read_link(process.path().join("cwd")).ok()).any(|folder| folder == data)
    }

    /// A place of its own, without anything in it.
    pub(crate) fn place(&self) -> Place {
        static PLACES: AtomicU32 = AtomicU32::new(0);
        let schema = format!("place_{}", PLACES.fetch_add(1, Ordering::Relaxed));
        Place { url: self.url("postgres"), schema }
    }

    /// By which it is reached.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres:{PASSWORD}@127.0.0.1:{}/{database}", self.port)
    }

    /// What a statement gives, without decoration.
    pub(crate) fn sql(&self, sql: &str) -> String {
        self.psql(sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Changes a setting of the whole server, and waits until it counts.
    pub(crate) fn set(&self, setting: &str, value: &str) {
        self.sql(&format!("ALTER SYSTEM SET {setting} = {value}"));
        self.sql("SELECT pg_reload_conf()");
        let begun = Instant::now();
        while self.sql(&format!("SHOW {setting}")) != value {
            assert!(begun.elapsed() < PATIENCE, "{setting} stays as it was");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn psql(&self, sql: &str) -> Result<String, String> {
        let psql = Command::new(self.program("psql"))
            .args(["-XAtqv", "ON_ERROR_STOP=1", "-c", sql, &self.url("postgres")])
            .output()
            .expect("psql runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if psql.status.success() { Ok(text(&psql.stdout)) } else { Err(text(&psql.stderr)) }
    }

    /// One of the server's programs.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The newest that is installed.
fn installed() -> PathBuf {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin"))
        .filter(|bin| bin.join("initdb").exists())
        .collect();
    found.sort();
    found.pop().expect("PostgreSQL is not installed: apt-get install -y --no-install-recommends postgresql")
}

/// The server refuses to run as root.
fn unprivileged(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
    command
}

fn give_to_postgres(path: &Path) {
    if is_root() {
        // Debian's package makes the user; its home is the folder of the clusters.
        let home = std::fs::metadata("/var/lib/postgresql").expect("the home of the user postgres");
        chown(path, Some(home.uid()), Some(home.gid())).expect("root may give it away");
    }
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}
