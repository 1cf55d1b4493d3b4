//! The plugins that Hookport ships, built once as any build makes them.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Provider ids, which are also the names of their folders.
pub(crate) const PROVIDERS: [&str; 5] = ["eiotclub", "evo-cloud", "sgate", "szzkc", "wallet-openapi"];

/// A provider's folder in the sources.
pub(crate) fn sources(provider: &str) -> PathBuf {
    root().join("plugins").join(provider)
}

/// A provider's built library.
pub(crate) fn library(provider: &str) -> PathBuf {
    folder().join(format!("libhookport_{}.so", provider.replace('-', "_")))
}

/// The program, with all of them beside it.
#[allow(dead_code, reason = "the benchmark starts it in its own way")]
pub(crate) fn program() -> PathBuf {
    folder().join("hookport")
}

/// The folder of all of them.
pub(crate) fn folder() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(build)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace")
}

/// With the profile and into the target folder of this test binary, so that nothing is built twice.
fn build() -> PathBuf {
    let binary = env::current_exe().expect("a test binary has a path");
    let profile = binary.ancestors().nth(2).expect("target/PROFILE/deps/BINARY");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--offline", "--quiet"]).current_dir(root());
    cargo.env("CARGO_TARGET_DIR", profile.parent().expect("the target folder"));
    cargo.args(["-p", "hookport"]);
    cargo.args(PROVIDERS.iter().flat_map(|provider| ["-p".to_owned(), format!("hookport-{provider}")]));
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let output = cargo.output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    profile.to_owned()
}
