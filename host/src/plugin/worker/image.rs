//! What workers are started of: a plugin's bytes in memory that nobody can change any more, and the program that loads them.
//! A worker is given their descriptor, so that it needs no path and the same bytes run after every restart.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use hookport_plugin_api::identity::flag;
#[cfg(target_os = "linux")]
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

use crate::plugin::policy::Limits;

/// A plugin that is to run in workers.
#[derive(Debug)]
pub struct Image {
    /// The bytes.
    pub(super) file: File,
    /// Of the bytes, hexadecimal.
    pub(super) sha256: Arc<str>,
    /// How far its workers may go.
    pub(super) limits: Limits,
    /// The program that is a worker.
    pub(super) program: PathBuf,
    flags: u16,
}

impl Image {
    /// Of bytes that were judged; `flags` are their identity's.
    pub(crate) fn new(
        bytes: &[u8],
        sha256: &str,
        flags: u16,
        limits: Limits,
        program: Option<PathBuf>,
    ) -> io::Result<Self> {
        let file = sealed(bytes)?;
        // As it is after an upgrade on the disk, too: both sides are always of one build.
        let program = program.unwrap_or_else(|| "/proc/self/exe".into());
        Ok(Self { file, sha256: sha256.into(), limits, program, flags })
    }

    /// Whether the plugin has a decoder.
    pub fn decodes(&self) -> bool {
        self.flags & flag::DECODE != 0
    }

    /// Whether the plugin has both functions of operations.
    pub fn operates(&self) -> bool {
        self.flags & flag::OP_BUILD != 0 && self.flags & flag::OP_PARSE != 0
    }
}

#[cfg(not(target_os = "linux"))]
fn sealed(_: &[u8]) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(target_os = "linux")]
fn sealed(bytes: &[u8]) -> io::Result<File> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // Kernels before 6.3 do not know the word, and need none.
    let memory = memfd_create("hookport-plugin", flags | MemfdFlags::EXEC);
    let mut file = File::from(memory.or_else(|_| memfd_create("hookport-plugin", flags))?);
    io::Write::write_all(&mut file, bytes)?;
    fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
    Ok(file)
}
