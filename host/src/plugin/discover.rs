//! Finds plugins in folders. One bad plugin never stops the others.
//!
//! All that a file's bytes can say against it is said here; no code runs. What serves already, and what an operator went
//! back from, is left as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::candidate::{Candidate, is_description};
use super::folders::{candidates, named_after};
use super::fresh::Fresh;
use super::known::{Ask, Known, OnDisk};
use super::store::{Record, Store};
use super::trust::Trust;
use super::{LoadError, LoadFault};

/// Where is looked, and what is known.
#[derive(Clone, Copy)]
pub struct Search<'a> {
    /// In this order.
    pub dirs: &'a [PathBuf],
    /// What serves.
    pub known: &'a [Known<'a>],
    /// Whom the operator trusts.
    pub trust: &'a Trust,
    /// Earlier builds.
    pub store: Option<&'a Store>,
    /// What somebody asks.
    pub ask: &'a Ask,
    /// How long a file must have stayed as it is; those who only look take it as it is.
    pub settle: Option<Duration>,
}

/// What was found in the plugin folders.
#[derive(Debug, Default)]
pub struct Found {
    /// Not loaded yet, in the order of the folders and then by name; with what lies in its place, where that is another.
    pub fresh: Vec<(Fresh, Option<OnDisk>)>,
    /// What serves goes on, by provider.
    pub kept: Vec<(String, Option<OnDisk>)>,
    /// Meant to be plugins, and not usable; nothing serves in their place.
    pub refused: Vec<(PathBuf, LoadError)>,
    /// The providers that refused files are of, where that can be told.
    pub claimed: BTreeSet<String>,
    /// Not plugins, and why we think so.
    pub skipped: Vec<(PathBuf, String)>,
    /// What was asked of what serves and cannot be done; it goes on.
    pub failed: Vec<LoadError>,
}

impl Search<'_> {
    /// Looks at every file once.
    pub fn find(&self) -> Found {
        let (mut found, mut files, mut providers) = (Found::default(), BTreeSet::new(), BTreeMap::new());
        for dir in self.dirs {
            let there = candidates(dir).unwrap_or_else(|error| {
                let fault = LoadFault::Read(error);
                found.refused.push((dir.clone(), LoadError { file: dir.clone(), fault }));
                self.before(dir)
            });
            for file in there {
                // One folder may be named twice, or a file by two links.
                if files.insert(fs::canonicalize(&file).unwrap_or_else(|_| file.clone())) {
                    self.take(&file, &mut found, &mut providers);
                }
            }
        }
        found
    }

    /// What a folder had when it could be read: each says for itself that it cannot be read, and what serves goes on.
    fn before(&self, dir: &Path) -> Vec<PathBuf> {
        let is_within = |file: &PathBuf| file.ancestors().skip(1).take(2).any(|folder| folder == dir);
        let known = self.known.iter().map(|known| known.file.to_owned());
        let kept = self.store.into_iter().flat_map(Store::records).map(|(_, record)| record.file);
        known.chain(kept).filter(is_within).collect()
    }

    fn take(&self, file: &Path, found: &mut Found, providers: &mut BTreeMap<String, PathBuf>) {
        let known = self.known.iter().find(|known| known.file == file && !providers.contains_key(known.id));
        let judged = match known {
            Some(known) => self.again(known),
            None => self.first(file, providers),
        };
        match judged {
            Ok(Judged::Fresh(fresh, on_disk)) => {
                providers.insert(fresh.id().to_owned(), file.into());
                found.fresh.push((*fresh, on_disk));
            }
            Ok(Judged::Kept(id, on_disk)) => {
                providers.insert(id.clone(), file.into());
                found.kept.push((id, on_disk));
            }
            Ok(Judged::NotMeant) => {}
            Err(error) if let Some(known) = known => {
                providers.insert(known.id.to_owned(), file.into());
                found.kept.push((known.id.to_owned(), known.on_disk.cloned()));
                found.failed.push(error);
            }
            Err(error) if matches!(error.fault, LoadFault::NoIdentity) => {
                found.skipped.push((file.into(), error.fault.to_string()));
            }
            Err(error) => {
                found.claimed.extend(self.claimed(file));
                found.refused.push((file.into(), error));
            }
        }
    }

    /// The provider of a file that is refused, as far as it can be told.
    fn claimed(&self, file: &Path) -> Option<String> {
        let says = Candidate::read(file).ok().and_then(|candidate| candidate.claimed_id());
        let was = || self.store?.owner(file);
        says.or_else(was).or_else(|| named_after(file).filter(|_| is_description(file)).map(str::to_owned))
    }

    /// A file in the place of what serves: whatever is wrong with it, that goes on.
    fn again(&self, known: &Known<'_>) -> Result<Judged, LoadError> {
        let stays = |on_disk: Option<OnDisk>| Ok(Judged::Kept(known.id.to_owned(), on_disk));
        let meant = match self.ask {
            Ask::Nothing => false,
            Ask::All => true,
            Ask::One(id) if id == known.id => true,
            Ask::Back(id, to) if id == known.id => return self.back(known, to.as_deref()),
            Ask::One(_) | Ask::Back(..) => return stays(known.on_disk.cloned()),
        };
        let before = known.on_disk.map_or(known.sha256, |on_disk| &on_disk.sha256);
        let candidate = match Candidate::settled(known.file, Some(before), self.settle.unwrap_or_default()) {
            Ok(candidate) => candidate,
            Err(error) => return self.refused(known, String::new(), None, &error.fault),
        };
        let same = candidate.sha256 == known.sha256;
        let seen = known.on_disk.filter(|on_disk| on_disk.sha256 == candidate.sha256 && !meant);
        if seen.is_some_and(|on_disk| on_disk.refused.is_none()) {
            return stays(seen.cloned());
        }
        let sha256 = candidate.sha256.clone();
        let version = candidate.description().ok().map(|(description, _)| description.provider.version);
        match self.judge(candidate, if meant { None } else { self.record(known.id) }) {
            Ok(fresh) if same && fresh.standing() == known.standing => stays(None),
            Ok(fresh) if fresh.id() != known.id => {
                let fault = LoadFault::Other { id: fresh.id().to_owned(), serves: known.id.to_owned() };
                self.refused(known, sha256, version, &fault)
            }
            Ok(fresh) => Ok(Judged::Fresh(Box::new(fresh), None)),
            // The reason is told already.
            Err(error) if matches!(error.fault, LoadFault::Before(_)) && seen.is_some() => stays(seen.cloned()),
            Err(error) => self.refused(known, sha256, version, &error.fault),
        }
    }

    fn refused(
        &self,
        known: &Known<'_>,
        sha256: String,
        version: Option<String>,
        fault: &LoadFault,
    ) -> Result<Judged, LoadError> {
        Ok(Judged::Kept(known.id.to_owned(), Some(OnDisk { sha256, version, refused: Some(fault.to_string()) })))
    }

    /// Back to an earlier build; the file on disk is passed over from now on.
    fn back(&self, known: &Known<'_>, to: Option<&str>) -> Result<Judged, LoadError> {
        let error = |why: String| LoadError { file: known.file.into(), fault: LoadFault::Back(why) };
        let record = self.record(known.id).ok_or_else(|| error("no build of it is kept".into()))?;
        let build = record.before(to).map_err(error)?;
        if build.sha256 == known.sha256 {
            return Err(error("this build serves already".into()));
        }
        let store = self.store.ok_or_else(|| error("no build of it is kept".into()))?;
        let fresh = self.judge(Candidate::kept(store, known.id, build, known.file)?, None)?;
        Ok(Judged::Fresh(Box::new(fresh), passed_over(known.file)))
    }

    /// A file that nothing serves from yet.
    fn first(&self, file: &Path, providers: &BTreeMap<String, PathBuf>) -> Result<Judged, LoadError> {
        let read = match self.settle {
            None => Candidate::read(file),
            Some(settle) => Candidate::settled(file, None, settle),
        };
        let claimed = read.as_ref().ok().and_then(Candidate::claimed_id);
        if let Ask::One(id) | Ask::Back(id, _) = self.ask
            && claimed.as_ref() != Some(id)
        {
            return Ok(Judged::NotMeant);
        }
        let disk = read.as_ref().map(|candidate| candidate.sha256.clone()).unwrap_or_default();
        let owner = claimed.or_else(|| self.store?.owner(file));
        let record = owner.as_deref().and_then(|id| self.record(id));
        let held =
            record.as_ref().is_some_and(|record| record.held.as_ref() == Some(&disk) && *self.ask == Ask::Nothing);
        let (judged, why) = match (read, held) {
            (Ok(_), true) => (None, None),
            (Ok(candidate), false) => {
                let version = candidate.description().ok().map(|(description, _)| description.provider.version);
                // Without another build there is nothing to lose by trying again.
                let other = |record: &Record| record.current().is_some_and(|build| build.sha256 != disk);
                let record = record.clone().filter(|record| *self.ask == Ask::Nothing && other(record));
                match self.judge(candidate, record) {
                    Ok(fresh) => (Some(fresh), None),
                    Err(error) => (None, Some((error, version))),
                }
            }
            (Err(error), _) => (None, Some((error, None))),
        };
        if let Some(fresh) = judged {
            return match providers.get(fresh.id()) {
                Some(first) => Err(fresh.error(LoadFault::Duplicate { id: fresh.id().into(), first: first.clone() })),
                None => Ok(Judged::Fresh(Box::new(fresh), None)),
            };
        }
        let earlier = owner.filter(|id| !providers.contains_key(id)).and_then(|id| self.kept(&id, file, &disk));
        match (earlier, why) {
            (Some(fresh), None) => Ok(Judged::Fresh(Box::new(fresh), passed_over(file))),
            (Some(fresh), Some((error, version))) => {
                let on_disk = OnDisk { sha256: disk, version, refused: Some(error.fault.to_string()) };
                Ok(Judged::Fresh(Box::new(fresh), Some(on_disk)))
            }
            (None, Some((error, _))) => Err(error),
            // What it was to be held at is gone.
            (None, None) => Ok(Judged::Fresh(Box::new(self.judge(Candidate::read(file)?, None)?), None)),
        }
    }

    /// The build that served last, where that is another than this one.
    pub fn kept(&self, id: &str, file: &Path, not: &str) -> Option<Fresh> {
        let record = self.record(id)?;
        let build = record.current().filter(|build| build.sha256 != not)?;
        self.judge(Candidate::kept(self.store?, id, build, file).ok()?, None).ok()
    }

    /// The build that serves, once more: of its file where that is still the same, else of the store.
    pub fn once_more(&self, known: &Known<'_>) -> Result<Fresh, LoadError> {
        let error = |why: String| LoadError { file: known.file.into(), fault: LoadFault::Back(why) };
        let there = Candidate::read(known.file).ok().filter(|candidate| candidate.sha256 == known.sha256);
        if let Some(candidate) = there {
            return self.judge(candidate, None);
        }
        let record = self.record(known.id).ok_or_else(|| error("no build of it is kept".into()))?;
        let build = record.before(Some(known.sha256)).map_err(error)?;
        let store = self.store.ok_or_else(|| error("no build of it is kept".into()))?;
        self.judge(Candidate::kept(store, known.id, build, known.file)?, None)
    }

    /// All that the bytes say against it.
    fn judge(&self, candidate: Candidate, record: Option<Record>) -> Result<Fresh, LoadError> {
        let judged = |candidate: &Candidate| {
            let standing = self.trust.standing(candidate)?;
            match record.as_ref().and_then(|record| record.refusal(&candidate.sha256)) {
                Some(why) => Err(LoadFault::Before(why.to_owned())),
                None => Ok(standing),
            }
        };
        match judged(&candidate) {
            Ok(standing) => Fresh::of(candidate, standing),
            Err(fault) => Err(candidate.error(fault)),
        }
    }

    fn record(&self, id: &str) -> Option<Record> {
        self.store?.record(id)
    }
}

enum Judged {
    Fresh(Box<Fresh>, Option<OnDisk>),
    Kept(String, Option<OnDisk>),
    NotMeant,
}

/// A file that an operator went back from.
fn passed_over(file: &Path) -> Option<OnDisk> {
    let candidate = Candidate::read(file).ok()?;
    let version = candidate.description().ok().map(|(description, _)| description.provider.version);
    Some(OnDisk { sha256: candidate.sha256, version, refused: None })
}
