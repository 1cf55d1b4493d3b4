//! What a library says of itself, its compiler and what it needs.

use std::fmt;

use hookport_plugin_api::identity::{Identity, flag};
use serde::Serialize;

use super::super::preflight::Preflight;
use super::line;

/// What a library says.
#[derive(Debug, Clone, Serialize)]
pub struct CodePart {
    /// Name and version of the plugin's crate.
    pub package: String,
    /// The ABI that it is built for.
    pub abi: String,
    /// The oldest ABI of a gateway that it accepts.
    pub abi_at_least: String,
    /// The version of the plugin API's crate.
    pub sdk: String,
    /// The compiler.
    pub rustc: String,
    /// The target triple.
    pub target: String,
    /// The machine that its code is for.
    pub machine: String,
    /// `unwind` or `abort`.
    pub panic: &'static str,
    /// Whether it is a debug build.
    pub debug: bool,
    /// Its functions.
    pub functions: Vec<&'static str>,
    /// Libraries that it needs.
    pub needs: Vec<String>,
    /// The glibc that it needs.
    pub glibc: Option<String>,
    /// Symbols that it exports.
    pub exports: Vec<String>,
    /// Whether code of its own runs when it is loaded.
    pub startup_code: bool,
    /// Functions that run when it is loaded, beyond those of every Rust library.
    pub startup_functions: u64,
}

const FUNCTIONS: [(u16, &str); 4] = [
    (flag::DECODE, "decode"),
    (flag::OP_BUILD, "op_build"),
    (flag::OP_PARSE, "op_parse"),
    (flag::CANONICALIZE, "canonicalize"),
];

impl CodePart {
    pub(super) fn of(preflight: Preflight<'_>, identity: &Identity<'_>) -> Self {
        let named = |(bit, name)| (identity.flags & bit != 0).then_some(name);
        Self {
            package: identity.package.into(),
            abi: format!("{}.{}", identity.abi_major, identity.abi_minor),
            abi_at_least: format!("{}.{}", identity.abi_major, identity.abi_min_minor),
            sdk: identity.sdk.into(),
            rustc: identity.rustc.into(),
            target: identity.target.into(),
            machine: preflight.machine.clone(),
            panic: if identity.flags & flag::UNWIND == 0 { "abort" } else { "unwind" },
            debug: identity.flags & flag::DEBUG != 0,
            functions: FUNCTIONS.into_iter().filter_map(named).collect(),
            glibc: preflight.glibc.map(|(major, minor)| format!("{major}.{minor}")),
            startup_code: preflight.startup_functions > 0,
            startup_functions: preflight.startup_functions,
            needs: preflight.needed,
            exports: preflight.exports,
        }
    }

    pub(super) fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        line(f, "code", &self.package)?;
        line(f, "abi", &format!("{}, of a gateway at least {} (sdk {})", self.abi, self.abi_at_least, self.sdk))?;
        line(f, "built by", &format!("{}{}", self.rustc, if self.debug { ", a debug build" } else { "" }))?;
        line(f, "target", &format!("{} ({})", self.target, self.machine))?;
        line(f, "panic", self.panic)?;
        line(f, "functions", &self.functions.join(", "))?;
        line(f, "needs", &self.needs.join(", "))?;
        line(f, "glibc", self.glibc.as_deref().unwrap_or("not needed"))?;
        line(f, "exports", &self.exports.join(", "))?;
        match self.startup_functions {
            0 => line(f, "start-up code", "no"),
            1 => line(f, "start-up code", "yes: a function runs when it is loaded"),
            many => line(f, "start-up code", &format!("yes: {many} functions run when it is loaded")),
        }
    }
}
