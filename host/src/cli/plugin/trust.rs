//! `hookport plugin keygen`, `sign` and `pin`: who vouches for a file.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use clap::Args;
use zeroize::Zeroizing;

use crate::cli::configuration::Configuration;
use crate::cli::{Failure, output};
use crate::gateway::Plugins;
use crate::plugin::policy::Standing;
use crate::plugin::{Lock, SecretKey, files, pin_of, signature as signature_place, standing};

/// Make a key to sign plugins with: the secret half goes into a file, the public half is printed
#[derive(Args)]
#[command(after_help = "Examples:\n  hookport plugin keygen acme.key")]
pub(super) struct Keygen {
    /// The file to make; one that is there stays
    file: PathBuf,
}

/// Sign plugins: each gets a FILE.sig beside it, which goes wherever the file goes
#[derive(Args)]
#[command(after_help = "Examples:\n  hookport plugin sign libacme.so --key acme.key")]
pub(super) struct Sign {
    /// A plugin (.so) or a provider.toml
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The secret key, as `hookport plugin keygen` makes it
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

/// Pin providers to the very bytes of these files, in the lock file of the configuration (plugins.trust.lock)
///
/// A provider that is pinned is used with a pinned build only: of one that changed, nothing runs before it is pinned, too.
#[derive(Args)]
#[command(after_help = "Examples:\n  hookport plugin pin plugins/libacme.so\n  hookport plugin pin --all\n  \
                        hookport plugin pin plugins/libacme.so --only")]
pub(super) struct Pin {
    #[command(flatten)]
    configuration: Configuration,
    /// A plugin (.so) or a provider.toml
    #[arg(required_unless_present = "all", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Everything that is in plugins.dirs now
    #[arg(long, conflicts_with = "files")]
    all: bool,
    /// Forget the builds that were pinned before: nobody can go back to them
    #[arg(long)]
    only: bool,
}

impl Keygen {
    pub(super) fn run(self) -> Result<(), Failure> {
        let text = SecretKey::generate().map_err(Failure::refused)?;
        let public = SecretKey::read(&text).and_then(|key| key.public()).map_err(Failure::refused)?;
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.file);
        made.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| at(&self.file, &error))?;
        output::say(format_args!(
            "the secret key is in {}: keep it; whoever trusts it names this one:",
            self.file.display()
        ));
        output::line(public)
    }
}

impl Sign {
    pub(super) fn run(self) -> Result<(), Failure> {
        let text = fs::read_to_string(&self.key).map(Zeroizing::new).map_err(|error| at(&self.key, &error))?;
        let key = SecretKey::read(&text).map_err(|why| Failure::unusable(format!("{} {why}", self.key.display())))?;
        for file in &self.files {
            pin_of(file).map_err(Failure::unusable)?;
            let bytes = fs::read(file).map_err(|error| at(file, &error))?;
            let signature = key.sign(&bytes).map_err(Failure::refused)?;
            let beside = signature_place(file);
            put(&beside, &format!("{signature}\n"))?;
            output::line(beside.display())?;
        }
        Ok(())
    }
}

impl Pin {
    pub(super) fn run(self) -> Result<(), Failure> {
        let draft = self.configuration.load()?;
        let written = &draft.written.plugins;
        let place = &written.trust.lock;
        let mut lock = Lock::read(place).map_err(Failure::refused)?;
        let named = if self.all { files(&written.dirs) } else { self.files };
        let mut changed = false;
        for file in named {
            let (id, pin) = match pin_of(&file) {
                Ok(pinned) => pinned,
                // Of a whole folder the rest is pinned.
                Err(error) if self.all => {
                    output::say(format_args!("skipped: {error}"));
                    continue;
                }
                Err(error) => return Err(Failure::unusable(error)),
            };
            let words = output::plain(format_args!("{id} {} {}", pin.version, pin.sha256));
            if lock.pin(&id, pin, self.only) {
                changed = true;
                output::line(words)?;
            }
        }
        match changed {
            true => put(place, &lock.text())?,
            false => output::say("nothing has changed"),
        }
        Ok(())
    }
}

/// How a file stands with the configuration that is there, in words.
pub(super) fn stands(file: &Path, configuration: &Configuration) -> Result<String, Failure> {
    let draft = configuration.load_if_there()?;
    let trust = draft.as_ref().map(Plugins::trust).unwrap_or_default();
    Ok(match standing(file, &trust) {
        Ok(Standing::Modified) => "modified: it is not what was signed or pinned, and is not loaded".to_owned(),
        Ok(standing) => standing.word().to_owned(),
        Err(error) => format!("cannot be told: {}", error.fault),
    })
}

/// Puts a whole text in a file's place.
fn put(file: &Path, text: &str) -> Result<(), Failure> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let written = || -> std::io::Result<()> {
        let mut new = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o644)).tempfile_in(folder)?;
        new.write_all(text.as_bytes())?;
        new.as_file().sync_all()?;
        new.persist(file)?;
        Ok(())
    };
    written().map_err(|error| at(file, &error))
}

fn at(file: &Path, error: &std::io::Error) -> Failure {
    Failure::refused(format!("{}: {error}", file.display()))
}
