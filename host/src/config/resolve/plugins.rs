//! `[plugins]`: the bounds of workers.

use super::Check;
use crate::plugin::PublicKey;
use crate::plugin::policy::Limits;

/// The program alone takes a good part of it.
const LEAST: u64 = 128 << 20;
/// More than anybody has processors for.
const MOST: usize = 64;

impl Check<'_> {
    pub(super) fn plugins(&mut self) {
        self.trust();
        let policy = self.draft.written.plugins.policy();
        self.limits(&["plugins"], policy.general.limits, None);
        for (id, terms) in &policy.overrides {
            self.limits(&["plugins", "override", id], terms.limits, Some(policy.general.limits));
        }
        if policy.quarantine.faults > 0 {
            for (key, span) in [("within", policy.quarantine.within), ("pause", policy.quarantine.pause)] {
                if span.is_zero() {
                    self.complain(&["plugins", "quarantine", key], "must be more than nothing");
                }
            }
        }
    }

    /// What an override has from the general part is said there.
    /// What is wrong with a lock file is said of the plugins that it is asked about.
    fn trust(&mut self) {
        for (name, key) in &self.draft.written.plugins.trust.keys {
            if let Err(why) = PublicKey::read(key) {
                self.complain(&["plugins", "trust", "keys", name], why);
            }
        }
    }

    fn limits(&mut self, section: &[&str], limits: Limits, general: Option<Limits>) {
        let wrong = [
            ("deadline", limits.deadline.is_zero(), "must be more than nothing, such as \"1s\""),
            ("memory", limits.memory < LEAST, "is too little to start in: give it \"128MiB\" or more"),
            ("workers", !(1..=MOST).contains(&limits.workers), "is a number from 1 to 64"),
        ];
        let same = |key: &str| match general {
            None => false,
            Some(general) => match key {
                "deadline" => general.deadline == limits.deadline,
                "memory" => general.memory == limits.memory,
                _ => general.workers == limits.workers,
            },
        };
        for (key, _, message) in wrong.into_iter().filter(|(key, is_wrong, _)| *is_wrong && !same(key)) {
            self.complain(&[section, &[key]].concat(), message);
        }
    }
}
