//! Reads a plugin's file before anything of it runs: is it whole, for this machine, and a plugin at all; what does it need.
//!
//! `dlopen` of a file that was cut short ends the process with SIGBUS, and it runs start-up code before anybody can ask a
//! question; hence all that the bytes can answer is answered here. Whether the plugin may be loaded is decided by the caller.

use hookport_plugin_api::identity::{NOTE_TYPE, OWNER, SYMBOL};
use object::elf::{self, FileHeader64};
use object::endian::LittleEndian;
use object::read::elf::{FileHeader, ProgramHeader, SectionTable, Sym};

use super::LoadFault;

/// Entries of `.init_array` that every Rust library has: the C start-up's and the standard library's, which keeps the arguments.
const ORDINARY_INIT_ENTRIES: u64 = 2;

type Header = FileHeader64<LittleEndian>;
const ENDIAN: LittleEndian = LittleEndian;

/// What a plugin's file says about itself.
#[derive(Debug)]
pub(super) struct Preflight<'a> {
    /// The identity's block.
    pub(super) block: &'a [u8],
    /// Length of the whole note, which `HOOKPORT_IDENTITY` names.
    pub(super) note_len: usize,
    /// The machine that it is for.
    pub(super) machine: String,
    /// Whether that is this one.
    pub(super) this_machine: bool,
    /// Libraries that it needs.
    pub(super) needed: Vec<String>,
    /// The highest version of glibc that it needs.
    pub(super) glibc: Option<(u32, u32)>,
    /// Symbols that it exports.
    pub(super) exports: Vec<String>,
    /// Functions of its own that run when it is loaded.
    pub(super) startup_functions: u64,
}

/// Reads a file. It fails where the file is no whole shared object or no plugin.
pub(super) fn preflight(bytes: &[u8]) -> Result<Preflight<'_>, LoadFault> {
    let header = shared_object(bytes)?;
    let machine = header.e_machine.get(ENDIAN);
    whole(header, bytes)?;
    let sections = header.sections(ENDIAN, bytes).map_err(damaged)?;
    let note = identity(header, bytes)?.ok_or(LoadFault::NoIdentity)?;
    let (exports, identity_symbol) = exports(&sections, bytes)?;
    if identity_symbol.and_then(|(address, size)| Some((offset_of(header, bytes, address)?, size)))
        != Some((note.at, note.len))
    {
        return Err(LoadFault::Damaged(format!("its symbol {SYMBOL} does not name its identity")));
    }
    let (needed, init_entries) = dynamic(&sections, bytes)?;
    Ok(Preflight {
        block: note.block,
        note_len: note.len,
        machine: machine_name(machine),
        this_machine: Some(machine) == this_machine(),
        needed,
        glibc: glibc(&sections, bytes)?,
        exports,
        startup_functions: init_entries.saturating_sub(ORDINARY_INIT_ENTRIES),
    })
}

fn shared_object(bytes: &[u8]) -> Result<&Header, LoadFault> {
    if bytes.is_empty() {
        return Err(LoadFault::Empty);
    }
    if !bytes.starts_with(&elf::ELFMAG) {
        return Err(LoadFault::NotElf);
    }
    if bytes.len() < size_of::<Header>() {
        return Err(cut(bytes, size_of::<Header>() as u64));
    }
    // Class 64 and little-endian are in the ident; the other kinds are other machines to us.
    let header =
        Header::parse(bytes).map_err(|_| LoadFault::Machine { file: "another word size or byte order".into() })?;
    let interpreted = || {
        let mut segments = header.program_headers(ENDIAN, bytes).unwrap_or_default().iter();
        segments.any(|segment| segment.p_type(ENDIAN) == elf::PT_INTERP)
    };
    if header.is_big_endian() {
        return Err(LoadFault::Machine { file: "another byte order".into() });
    }
    if header.e_type.get(ENDIAN) != elf::ET_DYN || interpreted() {
        return Err(LoadFault::NotShared);
    }
    Ok(header)
}

/// Every part that the loader would map, and the section table at the end, must be inside the file.
fn whole(header: &Header, bytes: &[u8]) -> Result<(), LoadFault> {
    let table = |offset: u64, count: u64, size: u64| offset.saturating_add(count.saturating_mul(size));
    let sections =
        table(header.e_shoff.get(ENDIAN), header.e_shnum.get(ENDIAN).into(), header.e_shentsize.get(ENDIAN).into());
    let segments =
        table(header.e_phoff.get(ENDIAN), header.e_phnum.get(ENDIAN).into(), header.e_phentsize.get(ENDIAN).into());
    let mut end = sections.max(segments);
    if segments <= bytes.len() as u64 {
        for segment in header.program_headers(ENDIAN, bytes).map_err(damaged)? {
            let (offset, size) = segment.file_range(ENDIAN);
            end = end.max(offset.saturating_add(size));
        }
    }
    if end > bytes.len() as u64 {
        return Err(cut(bytes, end));
    }
    if header.e_shoff.get(ENDIAN) == 0 {
        return Err(LoadFault::Damaged("it has no section table; strip it with `strip`, not with `sstrip`".into()));
    }
    Ok(())
}

fn cut(bytes: &[u8], expected: u64) -> LoadFault {
    LoadFault::Truncated { found: bytes.len() as u64, expected }
}

/// The identity's note: its block, and where in the file the whole of it is.
struct IdentityNote<'a> {
    block: &'a [u8],
    at: u64,
    len: usize,
}

fn identity<'a>(header: &Header, bytes: &'a [u8]) -> Result<Option<IdentityNote<'a>>, LoadFault> {
    const NOTE_HEAD: usize = 24; // three words, the owner and its padding
    for segment in header.program_headers(ENDIAN, bytes).map_err(damaged)? {
        let Some(mut notes) = segment.notes(ENDIAN, bytes).map_err(damaged)? else { continue };
        while let Some(note) = notes.next().map_err(damaged)? {
            let ours = note.name() == OWNER.strip_suffix(b"\0").unwrap_or(OWNER) && note.n_type(ENDIAN).0 == NOTE_TYPE;
            if ours {
                let at = note.desc().as_ptr().addr() - bytes.as_ptr().addr();
                let block = note.desc();
                return Ok(Some(IdentityNote { block, at: (at - NOTE_HEAD) as u64, len: block.len() + NOTE_HEAD }));
            }
        }
    }
    Ok(None)
}

/// Where in the file an address is.
fn offset_of(header: &Header, bytes: &[u8], address: u64) -> Option<u64> {
    header.program_headers(ENDIAN, bytes).ok()?.iter().find_map(|segment| {
        let within = address.checked_sub(segment.p_vaddr(ENDIAN))?;
        let loaded = segment.p_type(ENDIAN) == elf::PT_LOAD && within < segment.p_filesz(ENDIAN);
        loaded.then(|| segment.p_offset(ENDIAN).checked_add(within)).flatten()
    })
}

type Exports = (Vec<String>, Option<(u64, usize)>);

/// The names of the symbols it exports, and address and size of its identity's.
fn exports(sections: &SectionTable<'_, Header>, bytes: &[u8]) -> Result<Exports, LoadFault> {
    let symbols = sections.symbols(ENDIAN, bytes, elf::SHT_DYNSYM).map_err(damaged)?;
    let (mut names, mut identity) = (Vec::new(), None);
    for symbol in symbols.iter() {
        if symbol.is_undefined(ENDIAN) || symbol.is_local() {
            continue;
        }
        let name = String::from_utf8_lossy(symbols.symbol_name(ENDIAN, symbol).map_err(damaged)?).into_owned();
        if name == SYMBOL {
            let size = usize::try_from(symbol.st_size(ENDIAN)).unwrap_or(usize::MAX);
            identity = Some((symbol.st_value(ENDIAN), size));
        }
        names.push(name);
    }
    names.sort_unstable();
    Ok((names, identity))
}

/// The libraries it needs, and how many functions run when it is loaded.
fn dynamic(sections: &SectionTable<'_, Header>, bytes: &[u8]) -> Result<(Vec<String>, u64), LoadFault> {
    let table = sections.dynamic_table(ENDIAN, bytes).map_err(damaged)?;
    let (mut needed, mut entries) = (Vec::new(), 0);
    for item in table.iter() {
        match item.tag {
            elf::DT_NEEDED => {
                needed.push(String::from_utf8_lossy(table.string(item).map_err(damaged)?).into_owned());
            }
            elf::DT_INIT_ARRAYSZ => entries += item.val / size_of::<u64>() as u64,
            _ => {}
        }
    }
    Ok((needed, entries))
}

/// The highest `GLIBC_x.y` that any symbol asks for.
fn glibc(sections: &SectionTable<'_, Header>, bytes: &[u8]) -> Result<Option<(u32, u32)>, LoadFault> {
    let Some((mut needs, link)) = sections.gnu_verneed(ENDIAN, bytes).map_err(damaged)? else { return Ok(None) };
    let strings = sections.strings(ENDIAN, bytes, link).map_err(damaged)?;
    let mut highest = None;
    while let Some((_, mut versions)) = needs.next().map_err(damaged)? {
        while let Some(version) = versions.next().map_err(damaged)? {
            let name = String::from_utf8_lossy(version.name(ENDIAN, strings).map_err(damaged)?);
            highest = highest.max(name.strip_prefix("GLIBC_").and_then(version_number));
        }
    }
    Ok(highest)
}

/// Major and minor of a glibc version.
pub(super) fn version_number(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn damaged(error: object::read::Error) -> LoadFault {
    LoadFault::Damaged(error.to_string())
}

fn this_machine() -> Option<elf::Machine> {
    match std::env::consts::ARCH {
        "x86_64" => Some(elf::EM_X86_64),
        "aarch64" => Some(elf::EM_AARCH64),
        "riscv64" => Some(elf::EM_RISCV),
        _ => None,
    }
}

fn machine_name(machine: elf::Machine) -> String {
    match machine {
        elf::EM_X86_64 => "x86_64".into(),
        elf::EM_AARCH64 => "aarch64".into(),
        elf::EM_RISCV => "riscv64".into(),
        other => format!("machine number {}", other.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_shared_object_is_named_as_what_it_is() {
        assert!(matches!(preflight(b""), Err(LoadFault::Empty)));
        assert!(matches!(preflight(b"#!/bin/sh\n"), Err(LoadFault::NotElf)));
        assert!(matches!(preflight(b"\x7fELF"), Err(LoadFault::Truncated { .. })));
        let own = std::fs::read("/proc/self/exe").unwrap();
        assert!(matches!(preflight(&own), Err(LoadFault::NotShared)));
    }

    #[test]
    fn private_glibc_versions_are_not_versions() {
        assert_eq!(version_number("2.34"), Some((2, 34)));
        assert_eq!(version_number("2.2.5"), Some((2, 2)));
        assert_eq!(version_number("PRIVATE"), None);
    }
}
