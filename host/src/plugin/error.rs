//! Why a plugin was not loaded: what, where, and how to mend it, in one sentence each.

use std::fmt;
use std::path::PathBuf;

use hookport_plugin_api::identity::{ABI_MAJOR, ABI_MINOR, Malformed};

/// A file that was not loaded.
#[derive(Debug, thiserror::Error)]
#[error("{}: {fault}", file.display())]
pub struct LoadError {
    /// Which file.
    pub file: PathBuf,
    /// Why.
    pub fault: LoadFault,
}

/// Why a file was not loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadFault {
    /// The file system says no.
    #[error("cannot be read: {0}")]
    Read(std::io::Error),
    /// Neither a file nor a provider of the catalogue.
    #[error("is no file, and no provider of the catalogue{0}; `hookport plugin catalog` lists those")]
    Nowhere(String),
    /// Nothing in it.
    #[error("is empty; copy the plugin again")]
    Empty,
    /// Larger than any plugin.
    #[error("is {0} bytes long, which no plugin is")]
    TooLarge(u64),
    /// Not an ELF file.
    #[error("is not a shared object; a plugin is a .so file built as a cdylib, or a provider.toml")]
    NotElf,
    /// An executable or an object file.
    #[error("is an ELF file but not a shared object; build the plugin with crate-type = [\"cdylib\"]")]
    NotShared,
    /// Cut short.
    #[error("is truncated: {found} bytes of at least {expected}; copy the plugin again")]
    Truncated {
        /// Its length.
        found: u64,
        /// The length that its own tables name.
        expected: u64,
    },
    /// Inconsistent.
    #[error("is damaged: {0}; copy or build the plugin again")]
    Damaged(String),
    /// Built for other hardware.
    #[error("is built for {file}, and this machine is {}; build the plugin for this machine", std::env::consts::ARCH)]
    Machine {
        /// What it is for.
        file: String,
    },
    /// This host cannot load native code.
    #[error("is native code, which Hookport loads on Linux with glibc only; a provider.toml works everywhere")]
    Platform,
    /// Not a plugin.
    #[error("has no Hookport identity: it is no plugin, or was built without export_provider!")]
    NoIdentity,
    /// Nearly a plugin.
    #[error("has an identity that cannot be read: {0}; build the plugin again")]
    Identity(#[from] Malformed),
    /// Another ABI.
    #[error("is built for plugin ABI {major}.{minor}, and this gateway speaks {ABI_MAJOR}.{ABI_MINOR}; {}", mend_major(*.major))]
    OtherMajor {
        /// Its major version.
        major: u16,
        /// Its minor version.
        minor: u16,
    },
    /// Asks for a newer host.
    #[error(
        "is built for plugin ABI {ABI_MAJOR}.{minor} and needs a gateway with at least {ABI_MAJOR}.{needs}, this one speaks \
         {ABI_MAJOR}.{ABI_MINOR}; upgrade the gateway or use an older version of the plugin"
    )]
    NeedsNewer {
        /// Its minor version.
        minor: u16,
        /// The oldest host minor that it accepts.
        needs: u16,
    },
    /// A panic in it would end the process.
    #[error(
        "is built with panic = \"abort\", so that one panic would end the gateway; build it with panic = \"unwind\""
    )]
    PanicAbort,
    /// Needs a newer C library.
    #[error("needs glibc {}, and this machine has {}; build the plugin on an older system", version(*.needs), version(*.has))]
    Glibc {
        /// What it needs.
        needs: (u32, u32),
        /// What there is.
        has: (u32, u32),
    },
    /// The description is wrong.
    #[error("has a description that cannot be used: {0}")]
    Description(String),
    /// An operation without code.
    #[error(
        "declares the operation \"{0}\" and nothing makes its request: write [operations.request], or name op_build and op_parse in export_provider!"
    )]
    Operations(String),
    /// A signed text without code.
    #[error("declares let.{0} as written by code, and has none: name canonicalize in export_provider!")]
    Text(String),
    /// No place for the private copy.
    #[error("cannot be copied to {}: {error}; name a folder of your own in HOOKPORT_PLUGIN_TMP", .folder.display())]
    Copy {
        /// The folder.
        folder: PathBuf,
        /// What happened.
        error: std::io::Error,
    },
    /// No memory for the bytes that workers are started of.
    #[error("cannot be kept for workers: {0}")]
    Image(std::io::Error),
    /// The private copy may not be run.
    #[error(
        "cannot be run from {}, which is mounted noexec; name a folder from which code may run in HOOKPORT_PLUGIN_TMP",
        .folder.display()
    )]
    Noexec {
        /// The folder.
        folder: PathBuf,
    },
    /// A library is not there.
    #[error("needs the library {0}, which is not installed; install it or build the plugin without it")]
    MissingLibrary(String),
    /// A function is not there.
    #[error(
        "needs the symbol {0}, which no library of this machine offers; install the library's right version or rebuild"
    )]
    UndefinedSymbol(String),
    /// The dynamic loader says no.
    #[error("cannot be loaded: {0}")]
    Open(String),
    /// The loader gave another library.
    #[error("was loaded as another library than the file is; restart the gateway")]
    OtherLibrary,
    /// No table of functions.
    #[error("has an identity but no table of functions ({0}); build it again with export_provider!")]
    NoTable(String),
    /// The layouts differ.
    #[error(
        "does not fit this gateway's plugin ABI {ABI_MAJOR}.{ABI_MINOR}: {0}; build it with a released hookport-plugin-api"
    )]
    Layout(String),
    /// It would not start.
    #[error("failed to start (code {0}); its own lines in the log say why")]
    Init(u32),
    /// It changes while it is read.
    #[error("is still being written; put it there whole, by renaming it, or reload when it is whole")]
    Unsettled,
    /// Others may change it.
    #[error(
        "can be changed by others, who would run their code as this gateway: {} has the mode {mode:04o}; close it with \
         `chmod o-w {}`, or pin the file (`hookport plugin pin`)",
        .place.display(), .place.display()
    )]
    Writable {
        /// The file or the folder.
        place: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// Somebody else's.
    #[error(
        "can be changed by the user {owner}, to whom {} belongs, and this gateway runs as the user {us}: give it to that one or \
         to root (`chown`), or pin the file (`hookport plugin pin`)",
        .place.display()
    )]
    Foreign {
        /// The file or the folder.
        place: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who we are.
        us: u32,
    },
    /// Nobody vouches for it, and somebody must.
    #[error(
        "is unsigned, and plugins.trust.unsigned is \"refuse\": sign it (`hookport plugin sign`), or pin it (`hookport plugin pin`)"
    )]
    Unsigned,
    /// Nobody can say what is pinned.
    #[error("cannot be judged: the lock file {0}; mend it, or remove it to pin anew")]
    Lock(String),
    /// Not what was signed or pinned.
    #[error("is modified: {0}")]
    Modified(String),
    /// It was tried before.
    #[error("was refused before, and is the same file: {0}; `hookport plugin reload` tries it again")]
    Before(String),
    /// It failed in a process of its own.
    #[error("failed when it was tried in a process of its own: {0}")]
    Probe(String),
    /// There is no such build to go back to.
    #[error("cannot be rolled back: {0}")]
    Back(String),
    /// The file of what serves is not there any more, and the catalogue has another of its id.
    #[error(
        "is not there any more, and the built-in provider of this id is another one: put it back, or take that one with \
         `hookport plugin reload`"
    )]
    Gone,
    /// Another provider's, in the place of one that serves.
    #[error("carries the provider \"{id}\" and lies in the place of \"{serves}\": give it a name of its own")]
    Other {
        /// Its own.
        id: String,
        /// Which one serves.
        serves: String,
    },
    /// It does not fit what is configured.
    #[error("does not fit the configuration: {0}")]
    Unfit(String),
    /// The provider is there already.
    #[error("carries the provider \"{id}\", which {} carries already; remove one of them", .first.display())]
    Duplicate {
        /// The provider.
        id: String,
        /// Who came first.
        first: PathBuf,
    },
}

impl LoadFault {
    /// Whether the file is nothing that anybody built as a plugin, or is not there.
    pub fn is_no_plugin(&self) -> bool {
        matches!(
            self,
            Self::Read(_)
                | Self::Nowhere(_)
                | Self::Empty
                | Self::TooLarge(_)
                | Self::NotElf
                | Self::NotShared
                | Self::NoIdentity
        )
    }
}

fn mend_major(major: u16) -> &'static str {
    if major > ABI_MAJOR { "upgrade the gateway or use an older version of the plugin" } else { "upgrade the plugin" }
}

fn version((major, minor): (u32, u32)) -> impl fmt::Display {
    format!("{major}.{minor}")
}
