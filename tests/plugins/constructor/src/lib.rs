//! A plugin that ends the process when it is loaded.

use hookport_plugin_api::prelude::*;

export_provider!("../provider.toml");

extern "C" fn before_anything() {
    std::process::abort();
}

// SAFETY: the section holds pointers to functions of this kind.
#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_ANYTHING: extern "C" fn() = before_anything;
