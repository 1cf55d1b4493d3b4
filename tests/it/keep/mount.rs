//! File systems that are mounted in a namespace of their own, so that nobody else sees them and nothing is left of them.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A mounted file system; gone with its value.
pub(super) struct Mount {
    /// Holds the namespace until its input ends.
    keeper: Child,
    at: PathBuf,
}

impl Mount {
    /// In memory, of this size; the error is why that is not permitted here.
    pub(super) fn memory(at: &Path, size: &str) -> Result<Self, String> {
        Self::by(at, &format!("mount -t tmpfs -o mode=700,size={size} tmpfs '{}'", at.display()))
    }

    /// In a file, and turned read-only when it is found broken.
    pub(super) fn image(at: &Path, file: &Path) -> Result<Self, String> {
        std::fs::File::create(file).and_then(|image| image.set_len(32 << 20)).map_err(|error| error.to_string())?;
        done(Command::new("mkfs.ext4").arg("-q").arg(file))?;
        Self::by(at, &mounted(at, file))
    }

    fn by(at: &Path, mount: &str) -> Result<Self, String> {
        std::fs::create_dir_all(at).map_err(|error| error.to_string())?;
        let mut unshare = Command::new("unshare");
        unshare.args(if is_root() { &["--mount"][..] } else { &["--user", "--map-root-user", "--mount"] });
        unshare.args(["sh", "-c", &format!("{mount} && echo mounted && exec cat")]);
        let mut keeper = unshare
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut said = String::new();
        let output = keeper.stdout.take().expect("its output");
        BufReader::new(output).read_line(&mut said).map_err(|error| error.to_string())?;
        if said.trim() != "mounted" {
            let output = keeper.wait_with_output().map_err(|error| error.to_string())?;
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
        }
        let mount = Self { keeper, at: at.to_owned() };
        // Seen from here, too.
        std::fs::read_dir(mount.seen("")).map_err(|error| error.to_string())?;
        Ok(mount)
    }

    /// The beginning of a command that runs where the file system is.
    pub(super) fn inside(&self) -> Vec<String> {
        let folder = self.at.parent().expect("it is in a folder");
        let keeper = self.keeper.id().to_string();
        let mut inside: Vec<String> = ["nsenter", "--target", &keeper, "--mount"].map(str::to_owned).into();
        if !is_root() {
            inside.extend(["--user", "--preserve-credentials"].map(str::to_owned));
        }
        inside.extend(["sh", "-c", &format!("cd '{}' && exec \"$@\"", folder.display()), "sh"].map(str::to_owned));
        inside
    }

    /// One of its files, as seen from outside.
    pub(super) fn seen(&self, name: &str) -> PathBuf {
        let at = self.at.strip_prefix("/").expect("a whole path");
        PathBuf::from(format!("/proc/{}/root", self.keeper.id())).join(at).join(name)
    }

    /// Mounts it again as it is, read-only (`ro`) or not (`rw`).
    pub(super) fn remount(&self, how: &str) -> Result<(), String> {
        self.run(&format!("mount -o remount,{how} '{}'", self.at.display())).map(drop)
    }

    /// The file by which the kernel is told that the file system is broken.
    pub(super) fn trigger(&self) -> Result<PathBuf, String> {
        let device = self.run(&format!("findmnt --noheadings --output SOURCE --target '{}'", self.at.display()))?;
        let name = device.trim().trim_start_matches("/dev/");
        let trigger = PathBuf::from(format!("/sys/fs/ext4/{name}/trigger_fs_error"));
        let opened = std::fs::OpenOptions::new().write(true).open(&trigger);
        opened.map(|_| trigger).map_err(|error| format!("/sys/fs/ext4/{name}: {error}"))
    }

    /// What an operator does with a file system that the kernel found broken.
    pub(super) fn mend(&self, file: &Path) {
        let at = self.at.display();
        // e2fsck says by 1 that it mended something.
        let check = format!("e2fsck -fy '{}' >&2 || [ $? -eq 1 ]", file.display());
        self.run(&format!("umount '{at}' && {{ {check}; }} && {}", mounted(&self.at, file))).expect("it is mended");
    }

    fn run(&self, script: &str) -> Result<String, String> {
        let inside = self.inside();
        done(Command::new(&inside[0]).args(&inside[1..]).args(["sh", "-c", script]))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ended_already = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

fn mounted(at: &Path, file: &Path) -> String {
    format!("mount -o loop,errors=remount-ro '{0}' '{1}' && chmod 700 '{1}'", file.display(), at.display())
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

fn done(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}
