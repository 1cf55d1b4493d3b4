//! What is counted while the gateway works, and the page that collectors read it from.
//!
//! Whoever works has its meter in hand (looked up once, where a source or a destination begins) and adds to atomics: no lock,
//! no allocation. Who is measured, and what is only looked up when the page is asked for, is the gateway's; when and by whom
//! it is asked for is admin's.

mod attempts;
mod commits;
mod counts;
mod histogram;
mod page;
mod process;
mod requests;
mod scrape;
mod spans;
mod write;

pub use self::attempts::{AttemptMeter, Ended};
pub use self::commits::CommitMeter;
pub use self::counts::{Counts, Label};
pub use self::histogram::Histogram;
pub use self::page::{CONTENT_TYPE, page};
pub use self::process::Process;
pub use self::requests::{Answered, RequestMeter, RequestMeters};
pub use self::scrape::{CodeSeen, DestinationSeen, JournalSeen, PluginSeen, Scrape, SourceSeen};
pub use self::spans::Spanned;
