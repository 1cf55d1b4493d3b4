//! Configuration, twice: as written (`written`, read by `load`), then resolved against the plugins that are there (`resolve`).
//!
//! Everything wrong is said at once, each complaint with file, line, key and a way out. What a destination does with its
//! parts, whether a key is a key and what a rule means are the business of outbound and of the provider engine.

mod difference;
pub mod environment;
mod expected;
mod files;
mod load;
mod origin;
mod place;
mod print;
pub mod resolve;
pub mod resolved;
pub mod template;
pub mod units;
pub mod written;

pub use difference::{Change, Difference, How, What};
pub use environment::Environment;
pub use load::{DEFAULTS, Draft, load, load_text};
pub use place::{find, place};
pub use resolve::{Rules, resolve};
pub use resolved::Config;
