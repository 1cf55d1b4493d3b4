//! What loaded code takes up: it is never unloaded, so every generation of it stays in the address space.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// The generations of one provider's code that were loaded into this process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mapped {
    /// How many.
    pub generations: u32,
    /// The address space that they take up; as much of it as is used is in memory.
    pub bytes: u64,
}

static MAPPED: Mutex<BTreeMap<String, Mapped>> = Mutex::new(BTreeMap::new());

/// Those of a provider.
pub fn mapped(id: &str) -> Mapped {
    MAPPED.lock().unwrap_or_else(PoisonError::into_inner).get(id).copied().unwrap_or_default()
}

/// Counts one that was just loaded from there.
pub(super) fn count(id: &str, copy: &Path) {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let name = copy.display().to_string();
    let bytes = maps.lines().filter(|line| line.contains(&name)).filter_map(length).sum::<u64>();
    let mut mapped = MAPPED.lock().unwrap_or_else(PoisonError::into_inner);
    let mapped = mapped.entry(id.to_owned()).or_default();
    mapped.generations = mapped.generations.saturating_add(1);
    mapped.bytes = mapped.bytes.saturating_add(bytes);
}

/// Of a line `from-to rwxp ...`.
fn length(line: &str) -> Option<u64> {
    let (from, to) = line.split_once(' ')?.0.split_once('-')?;
    let number = |text| u64::from_str_radix(text, 16).ok();
    number(to)?.checked_sub(number(from)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_is_as_long_as_its_line_says() {
        assert_eq!(length("7f00-7f80 r-xp 00000000 08:01 12 /x/a.so"), Some(0x80));
        assert_eq!(length("nonsense"), None);
    }
}
