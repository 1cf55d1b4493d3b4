//! evo-cloud
