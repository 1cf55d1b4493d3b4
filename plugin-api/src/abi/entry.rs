//! What the export macro writes into a plugin: the table, and the header by which the host finds it. All that is unsafe by our
//! own hand on the plugin's side.

#![allow(unsafe_code)]

use abi_stable::library::CheckTypeLayout;
pub use abi_stable::library::{LibHeader, RootModuleResult};
use abi_stable::marker_type::ErasedPrefix;
use abi_stable::prefix_type::{PrefixRefTrait, WithMetadata};
use abi_stable::std_types::RResult;

use super::table::{Plugin, PluginRef};

/// The plugin's table with its layout.
pub type Table = WithMetadata<Plugin>;

/// The table, ready to be pointed at.
pub const fn table(plugin: Plugin) -> Table {
    WithMetadata::new(plugin)
}

/// Hands the table to the host.
pub fn root(table: &'static Table) -> RootModuleResult {
    let module = PluginRef(table.static_as_prefix());
    // SAFETY: the host casts it back to `PluginPrefix` only after it has compared the layouts.
    RResult::ROk(unsafe { module.to_prefix_ref().cast::<ErasedPrefix>() })
}

/// What the host looks for in a loaded file.
pub const fn header(root: extern "C" fn() -> RootModuleResult) -> LibHeader {
    // SAFETY: `root` is made by the macro from `root` above, whose result comes from a `PluginRef`.
    unsafe { LibHeader::from_constructor::<PluginRef>(root, CheckTypeLayout::Yes) }
}

/// Writes into a buffer at compile time.
pub(crate) const fn write(to: &mut [u8], at: usize, bytes: &[u8]) {
    assert!(at <= to.len() && bytes.len() <= to.len() - at, "an item does not fit");
    // SAFETY: the assertion keeps it within `to`; a shared and a unique borrow cannot overlap. A loop over bytes would be
    // safe and trips the compiler's limit on long evaluations with a few large samples.
    unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), to.as_mut_ptr().add(at), bytes.len()) }
}
