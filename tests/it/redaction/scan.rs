//! What was said and written, and the search in it: a marker as it is, in base64 at any offset, and in hexadecimal.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Texts by where they were said.
#[derive(Default)]
pub(super) struct Said(Vec<(String, String)>);

impl Said {
    pub(super) fn add(&mut self, place: String, text: String) {
        assert!(!text.is_empty(), "{place} said nothing");
        self.0.push((place, text));
    }

    #[track_caller]
    pub(super) fn is_without(&self, marker: &str) {
        for (place, text) in &self.0 {
            if let Some(at) = find(text.as_bytes(), marker) {
                let around = &text.as_bytes()[at.saturating_sub(300)..text.len().min(at + 200)];
                panic!("{place} holds {marker}: {}", String::from_utf8_lossy(around));
            }
        }
    }
}

#[track_caller]
pub(super) fn files_are_without(folder: &Path, marker: &str) {
    assert_eq!(files_with(folder, marker), 0, "{marker} is in a file of {}", folder.display());
}

/// How many files hold the marker, those of folders within counted.
pub(super) fn files_with(folder: &Path, marker: &str) -> usize {
    let entries: Vec<_> = std::fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path()).collect();
    assert!(!entries.is_empty(), "nothing was written");
    let (folders, files): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| entry.is_dir());
    let holds = |file: &&std::path::PathBuf| find(&std::fs::read(file).expect("a file"), marker).is_some();
    files.iter().filter(holds).count() + folders.iter().map(|folder| files_with(folder, marker)).sum::<usize>()
}

fn find(text: &[u8], marker: &str) -> Option<usize> {
    let hex: String = marker.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut forms = vec![marker.as_bytes().to_vec(), hex.into_bytes()];
    for offset in 0..3 {
        let shifted = STANDARD.encode([&vec![0; offset], marker.as_bytes()].concat());
        // What touches the neighbours is not the marker's alone.
        forms.push(shifted.as_bytes()[4..shifted.len() - 4].to_vec());
    }
    forms.iter().find_map(|form| text.windows(form.len()).position(|window| window == form.as_slice()))
}

/// The ids in a list, texts and numbers.
pub(super) fn ids(answer: &str) -> Vec<String> {
    let found = answer.split("\"id\":").skip(1);
    let mut ids: Vec<String> = found
        .map(|rest| {
            rest.trim_start_matches('"').chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect()
        })
        .filter(|id: &String| !id.is_empty())
        .collect();
    ids.sort();
    ids.dedup();
    ids
}

pub(super) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
