//! Every case file of every provider, run as its provider would send it. A new case is a new file.

pub(crate) mod document;
mod file;
mod vectors;
mod scratch;
