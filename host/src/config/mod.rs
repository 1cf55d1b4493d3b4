//! Configuration, twice: as written (`written`), then resolved against the plugins that are there (`resolve`).

pub mod units;
pub mod written;
