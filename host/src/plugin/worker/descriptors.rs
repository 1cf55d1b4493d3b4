//! Closing what a worker inherited: whoever started the gateway may have left descriptors open that nobody told it of.

// A descriptor of which only the number is known has no safe form.
#![allow(unsafe_code)]

use std::io;

/// Closes every descriptor but the first three. Nothing else may have been opened yet.
pub(super) fn close_inherited() -> io::Result<()> {
    let names = std::fs::read_dir("/proc/self/fd")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    // The folder's own descriptor is among them, and closed by now.
    let inherited: Vec<i32> = names.filter(|number| *number > 2).collect();
    for number in inherited {
        // SAFETY: this process has a single thread that has opened nothing; what is open belongs to nobody here.
        unsafe { libc::close(number) };
    }
    Ok(())
}
