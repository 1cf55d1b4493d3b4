//! A shared object that is no plugin.
