//! Everything that needs files, sockets, processes or several parts at once: one binary, an area a file.

mod config;
