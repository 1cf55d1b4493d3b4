//! Loads the plugins that it is told, asks each the same questions, and prints a JSON line of what it said or why it was
//! refused. All stay loaded beside each other.

#![allow(dead_code, unused_imports)]

#[path = "../../plugin/src/allocator.rs"]
mod allocator;
mod plugin;
mod provider;
#[path = "../../questions.rs"]
mod questions;

use std::path::Path;

fn main() {
    for file in std::env::args().skip(1) {
        let said = match plugin::load(Path::new(&file)) {
            Ok(loaded) => serde_json::json!({ "abi": loaded.abi, "said": questions::ask(&loaded) }),
            Err(error) => serde_json::json!({ "refused": error.to_string() }),
        };
        println!("{said}");
    }
}
