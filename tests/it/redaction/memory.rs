//! The memory of a process, searched as a core dump of it would be.

use std::fs::File;
use std::os::unix::fs::FileExt;

/// In how many places of its writable memory the process holds the marker.
pub(super) fn holds(process: u32, marker: &str) -> usize {
    let maps = std::fs::read_to_string(format!("/proc/{process}/maps")).expect("its maps");
    let memory = File::open(format!("/proc/{process}/mem")).expect("its memory");
    maps.lines().filter_map(writable).map(|(start, end)| count(&memory, start, end, marker.as_bytes())).sum()
}

fn writable(line: &str) -> Option<(u64, u64)> {
    let mut parts = line.split_whitespace();
    let (start, end) = parts.next()?.split_once('-')?;
    let is_writable = parts.next()?.starts_with("rw");
    let number = |text| u64::from_str_radix(text, 16).ok();
    is_writable.then_some((number(start)?, number(end)?))
}

/// In pieces that overlap by the marker's length; what was unmapped meanwhile holds nothing.
fn count(memory: &File, start: u64, end: u64, marker: &[u8]) -> usize {
    const PIECE: usize = 1 << 20;
    let (mut at, mut found) = (start, 0);
    let mut piece = vec![0; PIECE + marker.len() - 1];
    while at < end {
        let wanted = usize::try_from(end - at).unwrap_or(usize::MAX).min(piece.len());
        let Ok(read) = memory.read_at(&mut piece[..wanted], at) else { break };
        found += piece[..read].windows(marker.len()).filter(|window| *window == marker).count();
        at += u64::try_from(PIECE).expect("a small number");
    }
    found
}
