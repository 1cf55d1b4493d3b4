//! Code that serves goes on within other bounds, or elsewhere, as a configuration now wants it: the same build is loaded once
//! more, and whoever is inside ends with the code that they began with.

use super::plugins::Plugin;
use super::renewal::Renewal;
use crate::plugin::policy::{Limits, Standing};
use crate::provider::complaint::Complaint;

impl Renewal<'_> {
    /// Moves what stays and is not where the policy wants it, or not within its bounds. Of a dry run nothing is loaded.
    pub(super) fn move_kept(&mut self, dry_run: bool) -> Result<(), Vec<Complaint>> {
        let mut wrong = Vec::new();
        for (id, plugin) in self.plugins.by_id.clone() {
            let wanted = self.policy.isolates(&id, plugin.standing).then(|| self.policy.of(&id).limits);
            if plugin.code.is_none() || plugin.limits == wanted {
                continue;
            }
            let moved = match dry_run {
                true => Ok(Plugin { limits: wanted, ..plugin.clone() }),
                false => self.moved(&id, &plugin),
            };
            match moved {
                Ok(moved) => drop(self.plugins.by_id.insert(id, moved)),
                Err(why) => {
                    let message = format!("{id} cannot follow, and goes on as before: {why}; it needs a restart");
                    wrong.push(self.draft.complaint(&self.key(&id, plugin.limits, wanted), message));
                }
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    /// The same build and generation, with code of its own.
    fn moved(&self, id: &str, plugin: &Plugin) -> Result<Plugin, String> {
        let fresh = self.search().once_more(&plugin.known(id)).map_err(|error| error.to_string())?;
        if !fresh.is_isolated(&self.policy) && plugin.standing != Standing::Own {
            fresh.probe(&self.policy).map_err(|error| error.to_string())?;
        }
        let loaded = fresh.load(&self.policy).map_err(|error| error.to_string())?;
        let moved = Plugin::compile_with(loaded, self.policy.quarantine)?.numbered(plugin.generation);
        if let Some(code) = &moved.code {
            code.try_start().map_err(|why| format!("its worker {why}"))?;
        }
        let (on_disk, build) = (plugin.on_disk.clone(), plugin.build.clone());
        Ok(Plugin { on_disk, build, ..moved })
    }

    /// The key that says so.
    fn key(&self, id: &str, was: Option<Limits>, wanted: Option<Limits>) -> String {
        let own = self.draft.written.plugins.overrides.get(id);
        let (key, is_own) = match (was, wanted) {
            (Some(was), Some(wanted)) if was.deadline != wanted.deadline => {
                ("deadline", own.is_some_and(|own| own.deadline.is_some()))
            }
            (Some(was), Some(wanted)) if was.memory != wanted.memory => {
                ("memory", own.is_some_and(|own| own.memory.is_some()))
            }
            (Some(_), Some(_)) => ("workers", own.is_some_and(|own| own.workers.is_some())),
            _ => ("isolation", own.is_some_and(|own| own.isolation.is_some())),
        };
        if is_own { format!("plugins.override.{id}.{key}") } else { format!("plugins.{key}") }
    }
}
