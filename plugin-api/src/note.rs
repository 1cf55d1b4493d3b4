//! Builds the identity into a plugin's file; [`crate::identity`] says what is in it and why it is a note.

use crate::abi::write;
use crate::identity::{ABI_MAJOR, ABI_MINOR, HEADER_LEN, MAGIC, NOTE_TYPE, OWNER, min_minor, padded};

/// One item of the identity.
pub struct Item<'a> {
    /// See [`crate::identity::tag`].
    pub tag: u32,
    /// Written before the bytes with a NUL, unless empty.
    pub name: &'a str,
    /// The content.
    pub bytes: &'a [u8],
}

impl Item<'_> {
    const fn len(&self) -> usize {
        self.bytes.len() + if self.name.is_empty() { 0 } else { self.name.len() + 1 }
    }
}

/// The bytes that a block of these items takes.
pub const fn note_len(items: &[Item<'_>]) -> usize {
    let (mut len, mut index) = (HEADER_LEN, 0);
    while index < items.len() {
        len += padded(8 + items[index].len());
        index += 1;
    }
    len
}

/// The identity as an ELF note; see [`crate::identity`] for why.
#[repr(C, align(4))]
pub struct Note<const N: usize> {
    owner_len: u32,
    block_len: u32,
    kind: u32,
    owner: [u8; 12],
    block: [u8; N],
}

impl<const N: usize> Note<N> {
    /// The note with its block; the compiler runs this.
    pub const fn new(flags: u16, items: &[Item<'_>]) -> Self {
        assert!(N == note_len(items) && N <= u32::MAX as usize, "the note's length is not that of its items");
        let mut block = [0; N];
        write(&mut block, 0, MAGIC);
        write(&mut block, 8, &(HEADER_LEN as u32).to_le_bytes());
        write(&mut block, 12, &ABI_MAJOR.to_le_bytes());
        write(&mut block, 14, &ABI_MINOR.to_le_bytes());
        write(&mut block, 16, &min_minor(flags).to_le_bytes());
        write(&mut block, 18, &flags.to_le_bytes());
        let (mut at, mut index) = (HEADER_LEN, 0);
        while index < items.len() {
            let item = &items[index];
            write(&mut block, at, &item.tag.to_le_bytes());
            write(&mut block, at + 4, &(item.len() as u32).to_le_bytes());
            write(&mut block, at + 8, item.name.as_bytes());
            write(&mut block, at + 8 + (item.len() - item.bytes.len()), item.bytes);
            at += padded(8 + item.len());
            index += 1;
        }
        let mut owner = [0; 12];
        write(&mut owner, 0, OWNER);
        Self { owner_len: OWNER.len() as u32, block_len: N as u32, kind: NOTE_TYPE, owner, block }
    }

    /// The block without the note's own header.
    pub const fn block(&self) -> &[u8] {
        &self.block
    }
}
