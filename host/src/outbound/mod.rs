//! x
mod condition;
pub use condition::*;
