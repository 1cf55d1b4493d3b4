//! eiotclub
