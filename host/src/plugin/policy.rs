//! Where a plugin's code may run and within which bounds: what the operator wrote, and what is known of the file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Where an operator wants code to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Isolation {
    /// In this process: as fast as a function call, and a crash of it is a crash of the gateway.
    Inline,
    /// In a process of its own, which loses nothing but itself.
    Worker,
    /// Inline where the file is trusted, in a worker where it is not.
    #[default]
    Auto,
}

/// What is known of a file before any of it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It lies in the executable's own folder, and came with the gateway.
    Own,
    /// Its signature is of a key that the operator trusts.
    Signed,
    /// Its hash is in the operator's lock file.
    Pinned,
    /// Nobody vouches for it.
    Unsigned,
    /// It has a signature or a pin, and is not what was signed or pinned.
    Modified,
}

/// What the operator wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// For every plugin without a word of its own.
    pub general: Terms,
    /// By the provider's id; whole.
    pub overrides: BTreeMap<String, Terms>,
    /// When a plugin is left alone.
    pub quarantine: QuarantineTerms,
    /// The program that is a worker or a probe when it is called so; this very one unless a test says otherwise.
    pub program: Option<PathBuf>,
    /// A plugin that takes longer when it is tried in a process of its own is refused.
    pub probe: Duration,
    /// What it is given; ours unless the conformance kit says otherwise.
    pub tables: Tables,
}

/// The tables of the host that code is given, where it runs in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tables {
    /// This gateway's.
    #[default]
    Ours,
    /// As a gateway has them that is one minor version older.
    Older,
    /// As one has them that is newer.
    Newer,
}

/// Where one plugin's code runs, and how far a worker of it may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terms {
    /// Where.
    pub isolation: Isolation,
    /// How far.
    pub limits: Limits,
}

/// How far a worker may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A call that takes longer ends its worker.
    pub deadline: Duration,
    /// Address space of a worker, in bytes.
    pub memory: u64,
    /// Workers of one plugin. One takes tens of thousands of calls in a second, which is more than a gateway verifies on a
    /// few cores; each one more costs memory, and what hangs holds up a smaller part.
    pub workers: usize,
}

/// When a plugin is left alone, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuarantineTerms {
    /// So many broken calls in a row; 0 leaves none alone.
    pub faults: u32,
    /// Within so long.
    pub within: Duration,
    /// Until it is tried again.
    pub pause: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            general: Terms::default(),
            overrides: BTreeMap::new(),
            quarantine: QuarantineTerms::default(),
            program: None,
            probe: super::probe::LONGEST,
            tables: Tables::Ours,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(1), memory: 512 << 20, workers: 1 }
    }
}

impl Default for QuarantineTerms {
    fn default() -> Self {
        Self { faults: 10, within: Duration::from_secs(60), pause: Duration::from_secs(60) }
    }
}

impl Standing {
    /// Of a file that nobody signed or pinned.
    pub fn of(file: &Path) -> Self {
        let real = |path: &Path| std::fs::canonicalize(path).ok();
        let folder = std::env::current_exe().ok().and_then(|exe| real(exe.parent()?));
        match real(file).and_then(|file| file.parent().map(Path::to_path_buf)) {
            Some(own) if Some(&own) == folder.as_ref() => Self::Own,
            _ => Self::Unsigned,
        }
    }

    /// As it is shown.
    pub fn word(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Signed => "signed",
            Self::Pinned => "pinned",
            Self::Unsigned => "unsigned",
            Self::Modified => "modified",
        }
    }

    /// Whether somebody vouches for the file.
    pub fn is_trusted(self) -> bool {
        matches!(self, Self::Own | Self::Signed | Self::Pinned)
    }
}

impl Policy {
    /// All code in this process, for what is short and asked for by hand.
    pub fn inline() -> Self {
        let general = Terms { isolation: Isolation::Inline, ..Terms::default() };
        Self { general, ..Self::default() }
    }

    /// What holds for this provider.
    pub fn of(&self, id: &str) -> Terms {
        self.overrides.get(id).copied().unwrap_or(self.general)
    }

    /// Whether the code of this provider goes into a worker.
    pub fn isolates(&self, id: &str, standing: Standing) -> bool {
        match self.of(id).isolation {
            Isolation::Inline => false,
            Isolation::Worker => true,
            Isolation::Auto => !standing.is_trusted(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_trusts_whom_somebody_vouches_for_and_an_override_is_the_last_word() {
        let terms = |isolation| Terms { isolation, ..Terms::default() };
        let overrides =
            [("acme".to_owned(), terms(Isolation::Inline)), ("szzkc".to_owned(), terms(Isolation::Worker))].into();
        let policy = Policy { overrides, ..Policy::default() };
        for (id, standing, worker) in [
            ("other", Standing::Own, false),
            ("other", Standing::Signed, false),
            ("other", Standing::Pinned, false),
            ("other", Standing::Unsigned, true),
            ("other", Standing::Modified, true),
            ("acme", Standing::Modified, false),
            ("szzkc", Standing::Own, true),
        ] {
            assert_eq!(policy.isolates(id, standing), worker, "{id} {standing:?}");
        }
    }

    #[test]
    fn what_lies_beside_the_executable_is_its_own() {
        assert_eq!(Standing::of(&std::env::current_exe().unwrap()), Standing::Own);
        assert_eq!(Standing::of(Path::new("/proc/self/maps")), Standing::Unsigned);
    }
}
