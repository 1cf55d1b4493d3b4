//! The ten minutes of `plugins/README.md`: its commands, read out of it and run in order by a shell, with the plugin API of
//! this repository in place of the published one.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::cli::program::{free_port, program};

const PATIENCE: Duration = Duration::from_secs(60);

/// A block of the guide: its language and its text.
type Block = (String, String);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

fn blocks() -> Vec<Block> {
    let text = fs::read_to_string(root().join("plugins/README.md")).expect("the guide");
    let (_, section) = text.split_once("## A new plugin in ten minutes\n").expect("the section");
    let section = section.split("\n## ").next().expect("its text");
    let fenced = section.split("```").skip(1).step_by(2);
    let block = |block: &str| {
        let (language, text) = block.split_once('\n').expect("a language");
        (language.to_owned(), text.to_owned())
    };
    fenced.map(block).collect()
}

/// A folder, the program on the PATH, free ports, and a gateway once it was started.
struct Author {
    folder: tempfile::TempDir,
    /// Where the shell stands.
    here: PathBuf,
    environment: Vec<(String, String)>,
    gateway: Option<Child>,
}

impl Drop for Author {
    fn drop(&mut self) {
        if let Some(gateway) = &mut self.gateway {
            let _ended_already = gateway.kill();
            let _ = gateway.wait();
        }
    }
}

impl Author {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = std::env::var("PATH").unwrap_or_default();
        let bin = program().parent().expect("a folder").display();
        let listen = |name: &str| (format!("HOOKPORT__{name}__LISTEN"), format!("127.0.0.1:{}", free_port()));
        let mut environment = vec![("PATH".to_owned(), format!("{bin}:{path}")), listen("SERVER"), listen("ADMIN")];
        environment.push(("CARGO_NET_OFFLINE".to_owned(), "true".to_owned()));
        Self { here: folder.path().to_owned(), folder, environment, gateway: None }
    }

    fn shell(&self, script: &str) -> Command {
        let mut shell = Command::new("bash");
        shell.args(["-euo", "pipefail", "-c", script]).current_dir(&self.here).stdin(Stdio::null());
        shell.env_remove("CARGO_TARGET_DIR").env_remove("RUSTFLAGS").envs(self.environment.iter().cloned());
        shell
    }

    /// Runs one command of the guide.
    fn run(&mut self, line: &str) -> String {
        if line == "hookport serve" {
            self.gateway = Some(self.shell(&format!("exec {line}")).stderr(Stdio::null()).spawn().expect("it starts"));
            self.wait("hookport events list");
            return String::new();
        }
        if let Some((name, value)) = line.strip_prefix("export ").and_then(|rest| rest.split_once('=')) {
            self.environment.push((name.to_owned(), value.to_owned()));
            return String::new();
        }
        if let Some(folder) = line.strip_prefix("cd ") {
            self.here = self.here.join(folder).canonicalize().expect("a folder");
            return String::new();
        }
        let api = root().join("plugin-api");
        let new = line.starts_with("hookport plugin new ");
        let whole = if new { format!("{line} --api {}", api.display()) } else { line.to_owned() };
        let output = self.shell(&whole).output().expect("it runs");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(output.status.success(), "{line}\n{said}");
        if new {
            self.share_target();
        }
        said
    }

    /// The versions of this repository, which are here already, and a target folder that stays for the next time.
    fn share_target(&self) {
        let shared = Path::new(env!("CARGO_TARGET_TMPDIR")).join("author");
        fs::create_dir_all(&shared).expect("a folder");
        let made = self.here.join("acme");
        symlink(shared, made.join("target")).expect("a link");
        fs::copy(root().join("Cargo.lock"), made.join("Cargo.lock")).expect("the lock file");
    }

    /// Until a command succeeds.
    fn wait(&self, line: &str) {
        let end = Instant::now() + PATIENCE;
        while !self.shell(line).output().expect("it runs").status.success() {
            assert!(Instant::now() < end, "{line} goes on failing");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

#[test]
fn the_commands_of_the_guide_lead_from_nothing_to_a_stored_event() {
    let mut author = Author::new();
    let (mut count, mut said) = (0, String::new());
    for (language, text) in blocks() {
        if language == "toml" {
            let name =
                text.lines().next().and_then(|line| line.strip_prefix("# ")).expect("its name in the first line");
            fs::write(author.here.join(name), &text).expect("it can be written");
            continue;
        }
        assert_eq!(language, "sh", "only commands and files");
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            said = author.run(line.split(" #").next().unwrap_or(line).trim_end());
            if line == "hookport plugin check ." {
                let checked = said.lines().any(|line| line.starts_with("ok: ./target/debug/libhookport_acme.so"));
                assert!(checked && !said.contains("left out: two copies"), "{said}");
            }
            count += 1;
        }
    }
    assert!(count >= 12, "only {count} commands");
    assert!(said.contains("acme.payment.succeeded"), "{said}");
    let delivered = author.folder.path().join("events.jsonl");
    let end = Instant::now() + PATIENCE;
    while !fs::read_to_string(&delivered).is_ok_and(|text| text.contains("acme.payment.succeeded")) {
        assert!(Instant::now() < end, "nothing is delivered");
        std::thread::sleep(Duration::from_millis(50));
    }
}
