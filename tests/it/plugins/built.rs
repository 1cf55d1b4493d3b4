//! Builds the odd plugins of `tests/plugins` once: in workspaces of their own under the target folder, so that no plugin
//! folder ever holds them, with the root workspace's own versions and profile, so that no network is needed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A change to a text of the mirrored sources: file, what is there, what stands there instead.
type Edit = (&'static str, &'static str, &'static str);

/// The plugin API as it may be after its next growth.
const NEWER: &[Edit] = &[
    (
        "plugin-api/src/abi/table.rs",
        "    pub text: for<'a> extern \"C\" fn(Context, Bytes<'a>) -> u32,\n",
        "    pub text: for<'a> extern \"C\" fn(Context, Bytes<'a>) -> u32,\n    pub later: extern \"C\" fn(Context) -> u32,\n",
    ),
    (
        "plugin-api/src/abi/table.rs",
        "    pub canonicalize: for<'a, 'b> extern \"C\" fn(&'b RequestView<'a>, &'b Outlet<'b>) -> u32,\n",
        "    pub canonicalize: for<'a, 'b> extern \"C\" fn(&'b RequestView<'a>, &'b Outlet<'b>) -> u32,\n    pub later: extern \"C\" fn() -> u32,\n",
    ),
    (
        "plugin-api/src/export.rs",
        "                quiesce: $crate::abi::quiesce,\n",
        "                quiesce: $crate::abi::quiesce,\n                later: $crate::abi::quiesce,\n",
    ),
    ("plugin-api/src/identity.rs", "ABI_MINOR: u16 = 1", "ABI_MINOR: u16 = 2"),
    ("odd/Cargo.toml", "name = \"odd\"", "name = \"odd-newer\""),
];

/// A plugin API that swapped two members of one type: sizes are the same and every word is in the wrong place.
const CHANGED: &[Edit] = &[
    (
        "plugin-api/src/abi/view.rs",
        "    pub document: RStr<'a>,\n    pub declared_type: RStr<'a>,\n",
        "    pub declared_type: RStr<'a>,\n    pub document: RStr<'a>,\n",
    ),
    ("odd/Cargo.toml", "name = \"odd\"", "name = \"odd-changed\""),
];

/// A plugin API that put a function between those of a table.
const INSERTED: &[Edit] = &[
    (
        "plugin-api/src/abi/table.rs",
        "    /// The requests of an operation.\n",
        "    pub inserted: extern \"C\" fn() -> u32,\n    /// The requests of an operation.\n",
    ),
    (
        "plugin-api/src/export.rs",
        "                quiesce: $crate::abi::quiesce,\n",
        "                quiesce: $crate::abi::quiesce,\n                inserted: $crate::abi::quiesce,\n",
    ),
    ("odd/Cargo.toml", "name = \"odd\"", "name = \"odd-inserted\""),
];

/// A plugin API that gave one member of a view another type; its size stays.
const RETYPED: &[Edit] = &[
    ("plugin-api/src/abi/view.rs", "    pub received_unix_ms: i64,\n", "    pub received_unix_ms: u64,\n"),
    (
        "plugin-api/src/request.rs",
        "        self.view.received_unix_ms\n",
        "        self.view.received_unix_ms.cast_signed()\n",
    ),
    ("odd/Cargo.toml", "name = \"odd\"", "name = \"odd-retyped\""),
];

/// The built library of a plugin of `tests/plugins`.
pub(crate) fn plugin(name: &str) -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        const ALL: [&str; 9] =
            ["asker", "constructor", "early", "graded", "hostile", "odd", "plain", "stranger", "writer"];
        build("ordinary", &ALL, &[]);
    });
    library(name)
}

/// `odd` built against a plugin API that has grown by a function.
pub(super) fn newer() -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| build("newer", &["odd"], NEWER));
    library("odd_newer")
}

/// `odd` built against a plugin API whose types are not ours.
pub(crate) fn changed() -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| build("changed", &["odd"], CHANGED));
    library("odd_changed")
}

/// `odd` built against a plugin API with a function in the middle of its table.
pub(crate) fn inserted() -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| build("inserted", &["odd"], INSERTED));
    library("odd_inserted")
}

/// `odd` built against a plugin API one of whose members is of another type.
pub(crate) fn retyped() -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| build("retyped", &["odd"], RETYPED));
    library("odd_retyped")
}

/// Builds `plain` with other flags and gives the compiler's words.
pub(super) fn refused_by_the_compiler(flags: &[&str]) -> String {
    plugin("plain");
    let mut cargo = cargo("rustc", "ordinary");
    let output = cargo.args(["-p", "plain", "--lib", "--"]).args(flags).output().expect("cargo runs");
    assert!(!output.status.success(), "it was built");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The folder of the test plugins' sources.
pub(super) fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_path_buf()
}

fn place() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugins")
}

fn library(name: &str) -> PathBuf {
    place().join("target/debug").join(format!("lib{name}.so"))
}

fn cargo(verb: &str, workspace: &str) -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.arg(verb).args(["--offline", "--quiet"]).current_dir(place().join(workspace));
    cargo.env("CARGO_TARGET_DIR", place().join("target")).env_remove("RUSTFLAGS");
    cargo
}

/// The sources lie in a folder named like the workspace: cargo tells packages of one target folder apart by their path
/// within the workspace, and the variants of the plugin API would otherwise be taken for each other.
fn build(workspace: &str, plugins: &[&str], edits: &[Edit]) {
    let to = place().join(workspace);
    mirror(&root().join("plugin-api"), &to.join(workspace), "plugin-api", edits);
    for plugin in plugins {
        mirror(&sources().join(plugin), &to.join(workspace), plugin, edits);
    }
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("the root manifest");
    let (head, members) = manifest.split_once("members = [").expect("members");
    let (_, tail) = members.split_once(']').expect("the end of members");
    let tail = tail.replace("path = \"plugin-api\"", &format!("path = \"{workspace}/plugin-api\""));
    write(&to.join("Cargo.toml"), format!("{head}members = [\"{workspace}/*\"]{tail}").as_bytes());
    // Cargo takes out of the copy what these plugins do not need; the original beside it tells when to copy anew.
    let lock = fs::read(root().join("Cargo.lock")).expect("the lock file");
    if fs::read(to.join("original.lock")).ok().as_ref() != Some(&lock) {
        write(&to.join("Cargo.lock"), &lock);
        write(&to.join("original.lock"), &lock);
    }
    let output = cargo("build", workspace).output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Copies a folder; a file that says the same stays untouched, so that cargo sees nothing to do, and one that the original
/// has no more goes.
fn mirror(from: &Path, workspace: &Path, name: &str, edits: &[Edit]) {
    for entry in fs::read_dir(workspace.join(name)).into_iter().flatten().flatten() {
        if !from.join(entry.file_name()).exists() {
            let path = entry.path();
            let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.expect("what is left of an older copy can go");
        }
    }
    for entry in fs::read_dir(from).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        let name = format!("{name}/{}", path.file_name().expect("a name").to_string_lossy());
        if path.is_dir() {
            mirror(&path, workspace, &name, edits);
            continue;
        }
        let mut bytes = fs::read(&path).expect("a source");
        for (_, old, new) in edits.iter().filter(|edit| edit.0 == name) {
            let text = String::from_utf8(bytes).expect("text");
            assert!(text.contains(old), "{name} has changed, and the edit of it in this file must follow: {old}");
            bytes = text.replacen(old, new, 1).into_bytes();
        }
        write(&workspace.join(name), &bytes);
    }
}

fn write(to: &Path, bytes: &[u8]) {
    if fs::read(to).ok().as_deref() != Some(bytes) {
        fs::create_dir_all(to.parent().expect("a folder")).expect("folders");
        fs::write(to, bytes).expect("a mirrored source");
    }
}
