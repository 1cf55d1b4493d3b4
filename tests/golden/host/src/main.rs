//! Loads the plugins that it is told, asks each the same questions, and prints a JSON line of what it said or why it was
//! refused. All stay loaded beside each other.

#![allow(dead_code, unused_imports)]

#[path = "../../plugin/src/allocator.rs"]
mod allocator;
#[path = "../../../../host/src/clock.rs"]
mod clock;
mod provider;
#[path = "../../questions.rs"]
mod questions;

use std::path::Path;

/// The release's loader, file by file, and its own order of them; no catalogue stands behind it.
#[path = "../../../../host/src/plugin"]
mod plugin {
    mod abi;
    mod call;
    mod candidate;
    #[path = "../../../tests/golden/host/src/catalog.rs"]
    mod catalog;
    mod copy;
    mod error;
    mod folders;
    mod lines;
    #[path = "../../../tests/golden/host/src/load.rs"]
    mod load;
    mod output;
    mod policy;
    mod preflight;
    mod store;

    pub use hookport_plugin_api::Header;
    pub use hookport_plugin_api::operation::{Answer, OpResult, RequestPlan};

    pub use self::abi::Native;
    pub use self::call::{DecodeRequest, DecodedEvent, Fault, FaultKind, TextRequest};
    pub use self::error::{LoadError, LoadFault};
    use self::load::describe;
    pub use self::load::{Loaded, Sample, load};
}

fn main() {
    for file in std::env::args().skip(1) {
        let said = match plugin::load(Path::new(&file)) {
            Ok(loaded) => serde_json::json!({ "abi": loaded.abi, "said": questions::ask(&loaded) }),
            Err(error) => serde_json::json!({ "refused": error.to_string() }),
        };
        println!("{said}");
    }
}
