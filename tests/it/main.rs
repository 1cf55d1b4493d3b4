//! The tests that need sockets, processes or databases, one module for each area.

mod outbound;
