//! What one sync costs in this minute: the measure for everything durable.

use std::io::Write;
use std::time::Instant;

/// Appends and syncs a page at a time, and prints a line.
pub(crate) fn measure() {
    let folder = super::running::folder();
    let mut file = std::fs::File::create(folder.path().join("log")).expect("a file");
    let mut took: Vec<f64> = (0..400)
        .map(|_| {
            let begun = Instant::now();
            file.write_all(&[7; 4_096]).expect("written");
            file.sync_data().expect("synced");
            begun.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    took.sort_by(f64::total_cmp);
    println!(
        "\none write of 4 KiB and fdatasync: p50 {:.3} ms, p99 {:.3} ms, max {:.3} ms",
        took[200], took[396], took[399]
    );
}
