//! Sealed content in the file: whose keys it was written with, and how queries open it. What seals is `journal::seal`.

mod admit;
mod functions;

pub(super) use self::admit::{admit, fits};
pub(super) use self::functions::register;
