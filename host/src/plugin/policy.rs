//! Where a plugin's code may run: what the operator wrote, and what is known of the file.

use std::collections::BTreeMap;

/// Where an operator wants code to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
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
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    /// For every plugin without a word of its own.
    pub isolation: Isolation,
    /// By the provider's id.
    pub overrides: BTreeMap<String, Isolation>,
}

impl Standing {
    /// Whether somebody vouches for the file.
    pub fn is_trusted(self) -> bool {
        matches!(self, Self::Own | Self::Signed | Self::Pinned)
    }
}

impl Policy {
    /// Whether the code of this provider goes into a worker.
    pub fn isolates(&self, id: &str, standing: Standing) -> bool {
        match self.overrides.get(id).copied().unwrap_or(self.isolation) {
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
        let overrides = [("acme".to_owned(), Isolation::Inline), ("szzkc".to_owned(), Isolation::Worker)].into();
        let policy = Policy { isolation: Isolation::Auto, overrides };
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
}
