//! What a Hookport plugin is: the provider description, the ABI and the export macro.

pub mod description;
