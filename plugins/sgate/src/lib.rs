//! sgate
