//! Watches the files of a configuration: its own, those of secrets and certificates, and the plugins.
//!
//! They are looked at twice a second, through every link, and not asked of the kernel: so a file that is renamed over, a
//! folder of links that is swapped (Kubernetes), a mount that is bound and a file server's folder are all seen alike. What a
//! look costs is one `stat` a file. Whether anything is other than before is then said by the configuration itself.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::sleep;

use crate::config::Draft;
use crate::config::written::Reload;
use crate::plugin;

/// How often is looked.
const LOOK: Duration = Duration::from_millis(500);

/// What is watched; told by whoever reads the configuration.
#[derive(Clone, Default)]
pub(super) struct Watched(Arc<Mutex<Files>>);

#[derive(Clone, Default)]
struct Files {
    files: Vec<PathBuf>,
    dirs: Vec<PathBuf>,
    how: Option<Reload>,
    /// What vouches for plugins beside their signatures.
    lock: PathBuf,
    /// Whether the plugins are watched where not everything is.
    plugins: Option<bool>,
}

/// Device, inode, size and time of change; none where there is no file.
type Stamp = Option<(u64, u64, u64, i64, i64)>;

/// Waits for changes.
pub(super) struct Watch {
    watched: Watched,
    of: Of,
    /// As they were when their change was last told. At first nothing is known, so that no change falls between reading
    /// and watching.
    known: BTreeMap<PathBuf, Stamp>,
}

/// What somebody waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// Any file that is read with the configuration.
    Everything,
    /// Plugins, where not everything is watched.
    Plugins,
}

impl Watched {
    /// This was read; also when it is wrong, because what mends it may be one of its files.
    pub(super) fn read(&self, draft: &Draft) {
        let mut watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        watched.files = draft.files().map(Path::to_owned).collect();
        watched.dirs.clone_from(&draft.written.plugins.dirs);
        watched.lock.clone_from(&draft.written.plugins.trust.lock);
        watched.how.get_or_insert_with(|| draft.written.reload.clone());
        watched.plugins.get_or_insert(draft.written.plugins.watch);
    }

    /// This is in force.
    pub(super) fn applied(&self, reload: &Reload, plugins: bool) {
        let mut watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (watched.how, watched.plugins) = (Some(reload.clone()), Some(plugins));
    }

    fn files(&self) -> Files {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Watch {
    pub(super) fn new(watched: Watched, of: Of) -> Self {
        Self { watched, of, known: BTreeMap::new() }
    }

    /// Returns when something has changed and has then stayed as it is for a while. May be dropped at any time.
    pub(super) async fn changed(&mut self) {
        loop {
            sleep(LOOK).await;
            let mut watched = self.watched.files();
            let is_meant = |how: &Reload| match self.of {
                Of::Everything => how.watch,
                Of::Plugins => !how.watch && watched.plugins == Some(true),
            };
            let Some(how) = watched.how.clone().filter(is_meant) else { continue };
            if self.of == Of::Plugins {
                watched.files.clear();
            }
            let mut seen = look(watched.clone()).await;
            if seen == self.known {
                continue;
            }
            loop {
                sleep(how.settle.0).await;
                let later = look(watched.clone()).await;
                if later == seen {
                    break;
                }
                seen = later;
            }
            self.known = seen;
            return;
        }
    }
}

/// A file server that hangs holds up nobody but the watch.
async fn look(watched: Files) -> BTreeMap<PathBuf, Stamp> {
    let stamps = move || {
        let plugins = plugin::files(&watched.dirs).into_iter();
        let plugins = plugins.flat_map(|file| [plugin::signature(&file), file]).chain([watched.lock]);
        let files = watched.files.into_iter().chain(plugins);
        files.map(|file| (stamp(&file), file)).map(|(stamp, file)| (file, stamp)).collect()
    };
    tokio::task::spawn_blocking(stamps).await.unwrap_or_default()
}

fn stamp(file: &Path) -> Stamp {
    let found = std::fs::metadata(file).ok()?;
    Some((found.dev(), found.ino(), found.size(), found.mtime(), found.mtime_nsec()))
}
