//! szzkc
