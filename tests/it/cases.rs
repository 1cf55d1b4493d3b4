//! Every case file of every provider, run as its provider would send it. A new case is a new file.

mod document;
mod file;
mod vectors;
