//! The sources of a gateway, found by path or by name.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::source::Source;

/// All of them; what a swap replaces.
#[derive(Default)]
pub struct Sources {
    by_path: HashMap<String, Arc<Source>>,
    by_name: BTreeMap<Arc<str>, Arc<Source>>,
}

impl Sources {
    /// Takes the sources; of two on one path the second is returned.
    pub fn new(sources: Vec<Source>) -> Result<Self, Arc<Source>> {
        let mut all = Self::default();
        for source in sources.into_iter().map(Arc::new) {
            if let Some(path) = &source.path
                && all.by_path.insert(path.clone(), source.clone()).is_some()
            {
                return Err(source);
            }
            all.by_name.insert(source.name.clone(), source);
        }
        Ok(all)
    }

    /// The source on exactly this path.
    pub fn at(&self, path: &str) -> Option<&Arc<Source>> {
        self.by_path.get(path)
    }

    /// The source of this name.
    pub fn named(&self, name: &str) -> Option<&Arc<Source>> {
        self.by_name.get(name)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Source>> {
        self.by_name.values()
    }
}
