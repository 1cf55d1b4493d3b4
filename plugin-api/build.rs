//! Records the compiler for the plugin's identity; it is information for people and never a gate.

use std::process::Command;

fn main() {
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(compiler).arg("--version").output().ok();
    let version = version.and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
    let target = std::env::var("TARGET").unwrap_or_default();
    println!("cargo:rustc-env=HOOKPORT_RUSTC={}", version.trim());
    println!("cargo:rustc-env=HOOKPORT_TARGET={target}");
    println!("cargo:rerun-if-changed=build.rs");
}
