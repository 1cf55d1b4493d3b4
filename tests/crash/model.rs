//! What a disk holds after the power failed: every byte that a finished sync covers, and of the rest what luck left.
//!
//! A file's entry is durable when its folder was synced after it was made; so is its removal.

use std::collections::BTreeMap;
use std::path::Path;

/// One thing that the process did, in order.
#[derive(Debug, Clone)]
pub(crate) enum Operation {
    Write { file: String, offset: u64, bytes: Vec<u8> },
    Truncate { file: String, length: u64 },
    SyncBegin { file: String, number: u64 },
    SyncEnd { number: u64 },
    Create { file: String },
    Unlink { file: String },
    Rename { from: String, to: String },
}

/// What becomes of bytes that no sync covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unsynced {
    Dropped,
    /// Each sector of each write by chance, in any order.
    ByChance(u64),
}

/// Reads the shim's record; an end in the middle of an operation is the end.
pub(crate) fn read(log: &Path) -> Vec<Operation> {
    let log = std::fs::read(log).unwrap();
    let mut rest = &log[..];
    std::iter::from_fn(|| next(&mut rest)).collect()
}

fn next(rest: &mut &[u8]) -> Option<Operation> {
    let (head, after) = rest.split_at_checked(32)?;
    let number = |n: usize| u64::from_le_bytes(head[n * 8..n * 8 + 8].try_into().unwrap());
    let (name, after) = after.split_at_checked(number(1) as usize)?;
    let (bytes, after) = after.split_at_checked(number(3) as usize)?;
    *rest = after;
    let file = String::from_utf8(name.to_vec()).unwrap();
    Some(match number(0) {
        1 => Operation::Write { file, offset: number(2), bytes: bytes.to_vec() },
        2 => Operation::Truncate { file, length: number(2) },
        3 => Operation::SyncBegin { file, number: number(2) },
        4 => Operation::SyncEnd { number: number(2) },
        5 => Operation::Create { file },
        6 => Operation::Unlink { file },
        7 => Operation::Rename { from: file, to: String::from_utf8(bytes.to_vec()).unwrap() },
        kind => panic!("a record of kind {kind}"),
    })
}

/// A file's bytes: what is durable, and what was done since.
#[derive(Default, Clone)]
struct File {
    durable: Vec<u8>,
    since: Vec<(usize, Operation)>,
}

/// A disk on which operations happen.
#[derive(Default)]
struct Disk {
    /// Every file that was ever made, by its number; names come and go.
    files: Vec<File>,
    /// The entries as the process sees them, and as the disk holds them.
    entries: BTreeMap<String, usize>,
    durable: BTreeMap<String, usize>,
    syncs: BTreeMap<u64, Sync>,
}

/// A sync that is under way.
struct Sync {
    /// None for the folder.
    file: Option<usize>,
    /// The first operation that it does not cover.
    before: usize,
    entries: BTreeMap<String, usize>,
}

/// The files after a crash that came right before operation `at`.
pub(crate) fn after_crash(operations: &[Operation], at: usize, unsynced: Unsynced) -> BTreeMap<String, Vec<u8>> {
    let mut disk = Disk::default();
    for (n, operation) in operations[..at].iter().enumerate() {
        disk.happen(n, operation);
    }
    let mut chance = match unsynced {
        Unsynced::Dropped => Chance(None),
        Unsynced::ByChance(seed) => Chance(Some(seed | 1)),
    };
    // Entries that were changed since the folder's last sync are as they were, or by luck as they are.
    let entries = if chance.half() { &disk.entries } else { &disk.durable };
    let lucky = |(name, file): (&String, &usize)| {
        let File { mut durable, since } = disk.files[*file].clone();
        since.iter().for_each(|(_, operation)| chance.apply(&mut durable, operation));
        (name.clone(), durable)
    };
    entries.iter().map(lucky).collect()
}

impl Disk {
    fn happen(&mut self, n: usize, operation: &Operation) {
        match operation {
            Operation::Write { file, .. } | Operation::Truncate { file, .. } => {
                let number = self.number(file);
                self.files[number].since.push((n, operation.clone()));
            }
            Operation::SyncBegin { file, number } => {
                let file = (!file.is_empty()).then(|| self.number(file));
                self.syncs.insert(*number, Sync { file, before: n, entries: self.entries.clone() });
            }
            Operation::SyncEnd { number } => match self.syncs.remove(number).unwrap() {
                Sync { file: None, entries, .. } => self.durable = entries,
                Sync { file: Some(file), before, .. } => self.files[file].sync(before),
            },
            Operation::Create { file } => {
                self.files.push(File::default());
                self.entries.insert(file.clone(), self.files.len() - 1);
            }
            Operation::Unlink { file } => {
                self.entries.remove(file);
            }
            Operation::Rename { from, to } => {
                let number = self.entries.remove(from).unwrap();
                self.entries.insert(to.clone(), number);
            }
        }
    }

    /// A file that is written to after it was removed is nobody's.
    fn number(&mut self, name: &str) -> usize {
        if let Some(number) = self.entries.get(name) {
            return *number;
        }
        self.files.push(File::default());
        self.files.len() - 1
    }
}

impl File {
    fn sync(&mut self, before: usize) {
        let later = self.since.iter().position(|(n, _)| *n >= before).unwrap_or(self.since.len());
        for (_, operation) in self.since.drain(..later) {
            Chance::apply_whole(&mut self.durable, &operation);
        }
    }
}

/// `None` loses everything.
struct Chance(Option<u64>);

impl Chance {
    const SECTOR: usize = 512;

    fn half(&mut self) -> bool {
        let Some(state) = &mut self.0 else { return false };
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        *state >> 33 & 1 == 1
    }

    fn apply(&mut self, bytes: &mut Vec<u8>, operation: &Operation) {
        match operation {
            Operation::Write { file, offset, bytes: written } => {
                for (n, sector) in written.chunks(Self::SECTOR).enumerate() {
                    if self.half() {
                        let offset = offset + (n * Self::SECTOR) as u64;
                        let part = Operation::Write { file: file.clone(), offset, bytes: sector.to_vec() };
                        Self::apply_whole(bytes, &part);
                    }
                }
            }
            other if self.half() => Self::apply_whole(bytes, other),
            _ => {}
        }
    }

    fn apply_whole(bytes: &mut Vec<u8>, operation: &Operation) {
        match operation {
            Operation::Write { offset, bytes: written, .. } => {
                let (from, to) = (*offset as usize, *offset as usize + written.len());
                bytes.resize(bytes.len().max(to), 0);
                bytes[from..to].copy_from_slice(written);
            }
            Operation::Truncate { length, .. } => bytes.resize(*length as usize, 0),
            _ => {}
        }
    }
}
