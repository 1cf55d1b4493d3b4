//! The identity of a plugin: what its file says without being run. Building it into the file is [`crate::note`]'s part.
//!
//! It is an ELF note and not a plain section: notes are mapped, and a program header of their own (`PT_NOTE`) leads to them, so
//! `strip` and the linker's garbage collection leave them alone and `readelf --notes` shows them. The block holds no pointer,
//! so the bytes in the file are the bytes in memory, which the host compares.
//!
//! The header never changes. What follows are items of tag, length and bytes, padded to four bytes; a reader skips tags it
//! does not know, so more can be said later.

use std::fmt;

/// The note's owner as ELF wants it, with its NUL.
pub const OWNER: &[u8; 9] = b"Hookport\0";
/// The note's type.
pub const NOTE_TYPE: u32 = 1;
/// The section that holds the note.
pub const SECTION: &str = ".note.hookport";
/// The exported symbol at which the note is found after loading.
pub const SYMBOL: &str = "HOOKPORT_IDENTITY";
/// The start of the block.
pub const MAGIC: &[u8; 8] = b"HOOKPORT";
/// The header's length.
pub const HEADER_LEN: usize = 32;

/// The ABI's major version: a host refuses any other.
pub const ABI_MAJOR: u16 = 1;
/// The ABI's minor version: it only ever appends.
pub const ABI_MINOR: u16 = 1;

/// The oldest host minor that a plugin with these [`flag`]s accepts: the one that can do what it uses.
pub const fn min_minor(flags: u16) -> u16 {
    if flags & flag::CANONICALIZE == 0 { 0 } else { 1 }
}

/// Bits of the header's flags.
pub mod flag {
    /// Built with `panic = "unwind"`.
    pub const UNWIND: u16 = 1;
    /// Built with debug assertions.
    pub const DEBUG: u16 = 1 << 1;
    /// Has a decoder.
    pub const DECODE: u16 = 1 << 2;
    /// Builds operations.
    pub const OP_BUILD: u16 = 1 << 3;
    /// Parses the answers of operations.
    pub const OP_PARSE: u16 = 1 << 4;
    /// Writes signed texts. Since 1.1.
    pub const CANONICALIZE: u16 = 1 << 5;
}

/// Tags of items.
pub mod tag {
    /// The version of this crate.
    pub const SDK: u32 = 1;
    /// The compiler's own words.
    pub const RUSTC: u32 = 2;
    /// The target triple.
    pub const TARGET: u32 = 3;
    /// Name and version of the plugin's crate.
    pub const PACKAGE: u32 = 4;
    /// The `provider.toml`.
    pub const DESCRIPTION: u32 = 5;
    /// A case file: its path, NUL, its bytes.
    pub const SAMPLE: u32 = 6;
}

/// An identity as read from a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity<'a> {
    /// The ABI that it was built against.
    pub abi_major: u16,
    /// The ABI that it was built against.
    pub abi_minor: u16,
    /// The oldest host minor that it accepts.
    pub abi_min_minor: u16,
    /// See [`flag`].
    pub flags: u16,
    /// The version of this crate.
    pub sdk: &'a str,
    /// The compiler's own words.
    pub rustc: &'a str,
    /// The target triple.
    pub target: &'a str,
    /// Name and version of the plugin's crate.
    pub package: &'a str,
    /// The `provider.toml`.
    pub description: &'a str,
    /// Case files: path and bytes.
    pub samples: Vec<(&'a str, &'a [u8])>,
}

/// Why a block is no identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// The header is not ours.
    Magic,
    /// It ends inside an item.
    Short,
    /// Text is not UTF-8.
    Text,
    /// There is no description.
    NoDescription,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Magic => "its header is not Hookport's",
            Self::Short => "it ends inside an item",
            Self::Text => "a text in it is not UTF-8",
            Self::NoDescription => "it holds no description",
        })
    }
}

impl std::error::Error for Malformed {}

impl<'a> Identity<'a> {
    /// The ABI version of a block, also of one whose items only a newer host can read.
    pub fn abi_version(block: &[u8]) -> Result<(u16, u16), Malformed> {
        let header = header(block)?;
        Ok((u16_at(header, 12), u16_at(header, 14)))
    }

    /// Reads a block: the note's content without the note's own header.
    pub fn read(block: &'a [u8]) -> Result<Self, Malformed> {
        let header = header(block)?;
        let mut identity = Self {
            abi_major: u16_at(header, 12),
            abi_minor: u16_at(header, 14),
            abi_min_minor: u16_at(header, 16),
            flags: u16_at(header, 18),
            sdk: "",
            rustc: "",
            target: "",
            package: "",
            description: "",
            samples: Vec::new(),
        };
        let mut rest = block.get(u32_at(header, 8) as usize..).ok_or(Malformed::Short)?;
        while !rest.is_empty() {
            let head = rest.get(..8).ok_or(Malformed::Short)?;
            let (tag, len) = (u32_at(head, 0), u32_at(head, 4) as usize);
            let end = len.checked_add(8).ok_or(Malformed::Short)?;
            identity.take(tag, rest.get(8..end).ok_or(Malformed::Short)?)?;
            rest = rest.get(padded(end)..).unwrap_or_default();
        }
        if identity.description.is_empty() { Err(Malformed::NoDescription) } else { Ok(identity) }
    }

    fn take(&mut self, tag: u32, bytes: &'a [u8]) -> Result<(), Malformed> {
        let text = |bytes| std::str::from_utf8(bytes).map_err(|_| Malformed::Text);
        match tag {
            tag::SDK => self.sdk = text(bytes)?,
            tag::RUSTC => self.rustc = text(bytes)?,
            tag::TARGET => self.target = text(bytes)?,
            tag::PACKAGE => self.package = text(bytes)?,
            tag::DESCRIPTION => self.description = text(bytes)?,
            tag::SAMPLE => {
                let end = bytes.iter().position(|byte| *byte == 0).ok_or(Malformed::Short)?;
                self.samples.push((text(&bytes[..end])?, &bytes[end + 1..]));
            }
            _ => {}
        }
        Ok(())
    }
}

/// Rounded up to four bytes.
pub const fn padded(len: usize) -> usize {
    len.div_ceil(4) * 4
}

fn header(block: &[u8]) -> Result<&[u8], Malformed> {
    let header = block.get(..HEADER_LEN).ok_or(Malformed::Magic)?;
    if header.starts_with(MAGIC) && u32_at(header, 8) as usize >= HEADER_LEN {
        Ok(header)
    } else {
        Err(Malformed::Magic)
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::{Item, Note, note_len};

    const ITEMS: &[Item<'static>] = &[
        Item { tag: tag::SDK, name: "", bytes: b"1.0.0" },
        Item { tag: 999, name: "", bytes: b"of a later version" },
        Item { tag: tag::DESCRIPTION, name: "", bytes: b"[provider]\n" },
        Item { tag: tag::SAMPLE, name: "../fixtures/a.http", bytes: b"POST / HTTP/1.1\r\n\xff" },
    ];
    static NOTE: Note<{ note_len(ITEMS) }> = Note::new(flag::UNWIND | flag::DECODE, ITEMS);

    #[test]
    fn what_is_built_in_is_read_back_and_unknown_items_are_skipped() {
        let identity = Identity::read(NOTE.block()).unwrap();
        assert_eq!((identity.abi_major, identity.abi_minor), (ABI_MAJOR, ABI_MINOR));
        assert_eq!(identity.flags, flag::UNWIND | flag::DECODE);
        assert_eq!(identity.sdk, "1.0.0");
        assert_eq!(identity.abi_min_minor, 0, "it uses nothing that a host of 1.0 has not");
        assert_eq!(identity.description, "[provider]\n");
        assert_eq!(identity.samples, [("../fixtures/a.http", &b"POST / HTTP/1.1\r\n\xff"[..])]);
    }

    #[test]
    fn no_cut_of_a_block_panics_and_none_is_read_whole() {
        let block = NOTE.block();
        for end in 0..block.len() - 4 {
            assert_ne!(Identity::read(&block[..end]), Identity::read(block), "cut at {end}");
        }
        assert_eq!(Identity::read(b"no identity at all, but long enough"), Err(Malformed::Magic));
    }

    #[test]
    fn a_length_that_overflows_is_short() {
        let mut block = NOTE.block()[..HEADER_LEN].to_vec();
        block.extend([1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!(Identity::read(&block), Err(Malformed::Short));
    }
}
