//! A plugin without any function.

#![forbid(unsafe_code)]
#![deny(warnings, missing_docs)]

use hookport_plugin_api::prelude::*;

export_provider!("../provider.toml");
