//! Generations: what changed in the plugin folders is judged, tried and loaded beside what serves, or what serves stays.
//!
//! Nothing is swapped here; that, and who drains, is [`super::reload`]'s. Requests end with the code that they began with:
//! the last one of a generation lets go of it, and it is told that no call will follow.

use super::parts;
use super::plugins::{Plugin, Plugins};
use super::renewal::Renewal;
use crate::config::{self, Config, Draft, Rules};
use crate::outbound::Condition;
use crate::plugin::{Ask, LoadFault};
use crate::provider::complaint::{Complaint, did_you_mean};

impl Plugins {
    /// What a gateway begins with: as [`of`](Self::of), but a build that an operator went back to stays, and one that served
    /// before serves again where the file in its place cannot be used.
    pub fn first(draft: &Draft) -> (Self, Result<Config, Vec<Complaint>>) {
        let nothing = Self::default();
        let mut renewal = Renewal::of(draft, &nothing, &Ask::Nothing).at_start();
        let found = renewal.find();
        let bare = renewal.plugins.clone();
        for (fresh, on_disk) in &found {
            match Plugin::judged(fresh).err().and_then(|_| renewal.earlier(fresh)) {
                Some(earlier) => renewal.put(&earlier, None),
                None => renewal.put(fresh, on_disk.clone()),
            }
        }
        renewal.plugins.embed_for(draft);
        let mut config = fitting(draft, &renewal.plugins);
        // A wrong configuration starts nothing and writes nothing.
        if config.is_ok() {
            renewal.plugins = bare;
            for (fresh, on_disk) in found {
                renewal.begin(fresh, on_disk);
            }
            renewal.plugins.embed_for(draft);
            config = fitting(draft, &renewal.plugins);
        }
        (renewal.plugins, config)
    }

    /// What a configuration that is read again can use, beside what serves. Of a dry run nothing is loaded.
    pub fn again(draft: &Draft, before: &Self, dry_run: bool) -> (Self, Result<Config, Vec<Complaint>>) {
        let mut renewal = Renewal::of(draft, before, &Ask::Nothing);
        let found = renewal.find();
        for (fresh, on_disk) in &found {
            renewal.put(fresh, on_disk.clone());
        }
        renewal.plugins.embed_for(draft);
        let mut config = fitting(draft, &renewal.plugins);
        let fit = config.is_ok() || !renewal.fits_without(&found, &mut config);
        for (fresh, on_disk) in found.into_iter().filter(|(fresh, _)| fit || !before.by_id.contains_key(fresh.id())) {
            if !dry_run && config.is_ok() && !renewal.load(fresh, on_disk) {
                config = fitting(draft, &renewal.plugins);
            }
        }
        // Behind the new ones: what stays because one of them failed is within the old bounds, too.
        if config.is_ok()
            && let Err(wrong) = renewal.move_kept(dry_run)
        {
            config = Err(wrong);
        }
        (renewal.plugins, config)
    }

    /// What somebody asks of the plugins alone, one after the other: what does not fit, or fails, stays as it was.
    pub fn renewed(draft: &Draft, before: &Self, ask: &Ask) -> Result<(Config, Self), Vec<Complaint>> {
        let mut renewal = Renewal::of(draft, before, ask);
        let found = renewal.find();
        if let Some(id) = ask.names()
            && !renewal.plugins.by_id.contains_key(id)
            && found.iter().all(|(fresh, _)| fresh.id() != id)
        {
            let known = before.by_id.iter().filter(|(_, plugin)| plugin.is_of_a_folder()).map(|(id, _)| id.as_str());
            renewal.failed.push(format!("no plugin folder has a usable \"{id}\"{}", did_you_mean(id, known)));
        }
        renewal.unless_failed()?;
        for (fresh, on_disk) in found {
            let serving = renewal.plugins.clone();
            renewal.put(&fresh, on_disk.clone());
            match fitting(draft, &renewal.plugins) {
                Ok(_) => drop(renewal.load(fresh, on_disk)),
                Err(wrong) => {
                    renewal.plugins = serving;
                    let words = wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
                    renewal.stays(&fresh, &LoadFault::Unfit(words).to_string());
                }
            }
        }
        renewal.unless_failed()?;
        renewal.plugins.embed_for(draft);
        let config = fitting(draft, &renewal.plugins)?;
        Ok((config, renewal.plugins))
    }
}

impl Renewal<'_> {
    fn unless_failed(&mut self) -> Result<(), Vec<Complaint>> {
        let failed = std::mem::take(&mut self.failed);
        let complaints: Vec<_> = failed.into_iter().map(|message| complaint("plugins".into(), message)).collect();
        if complaints.is_empty() { Ok(()) } else { Err(complaints) }
    }
}

fn complaint(file: String, message: String) -> Complaint {
    Complaint { file, line: None, key: String::new(), message }
}

/// The configuration where it can run with these plugins; none of their code is needed to tell.
pub(super) fn fitting(draft: &Draft, plugins: &Plugins) -> Result<Config, Vec<Complaint>> {
    let compile = |text: &str| Condition::compile(text).map(drop).map_err(|error| error.to_string());
    let config = config::resolve(draft, Rules { providers: &plugins.descriptions(), compile })?;
    parts::sources(&config, plugins)?;
    Ok(config)
}
