//! The `hookport` program; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    hookport::cli::run()
}
