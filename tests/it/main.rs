//! Every test that needs files, sockets or processes: one binary, one module for each area.

mod journal;
mod journal_contract;
