//! How the journal's numbers and troubles look on a screen.

use std::fmt::Write;

use jiff::Timestamp;

use crate::cli::output::plain;
use crate::journal::Stats;
use crate::journal::sqlite::Checked;

/// Bytes as people read them.
pub(super) fn size(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    let (mut value, mut unit) = (bytes as f64 / 1_024.0, 0);
    while value >= 1_024.0 && unit + 1 < units.len() {
        (value, unit) = (value / 1_024.0, unit + 1);
    }
    if bytes < 1_024 { format!("{bytes} B") } else { format!("{value:.1} {}", units[unit]) }
}

pub(super) fn stats(stats: &Stats) -> String {
    let time = |time: Option<Timestamp>| time.map_or_else(|| "-".to_owned(), |time| time.to_string());
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "{name:<22} {value}");
    };
    line("events", stats.events.to_string());
    line("oldest event", time(stats.oldest));
    line("open deliveries", stats.open.to_string());
    line("oldest open", time(stats.oldest_open));
    for (destination, open) in &stats.open_by_destination {
        line(&format!("  to {}", plain(destination)), open.to_string());
    }
    line("exhausted deliveries", stats.exhausted.to_string());
    line("rejections", stats.rejections.to_string());
    line("rejections not kept", stats.rejections_dropped.to_string());
    line("size", size(stats.bytes));
    line("  of it the log", size(stats.log_bytes));
    line("  of it free", size(stats.free_bytes));
    text.trim_end().to_owned()
}

pub(super) fn checked(checked: &Checked) -> String {
    let mut text = String::new();
    for problem in &checked.problems {
        let _ = writeln!(text, "{}: {}", plain(&problem.place), plain(&problem.what));
    }
    if checked.more > 0 {
        let _ = writeln!(text, "and {} more", checked.more);
    }
    for (table, count) in &checked.rows {
        let damaged = if count.bad > 0 { format!(", {} damaged", count.bad) } else { String::new() };
        let sealed =
            if count.sealed > 0 { format!(", {} sealed, not opened (no key)", count.sealed) } else { String::new() };
        let _ = writeln!(text, "{table:<12} {} good{sealed}{damaged}", count.good);
    }
    let file = checked.file.display();
    let _ = match checked.whole {
        true => write!(text, "{file} is as it was written"),
        false => write!(
            text,
            "{file} is damaged: keep a copy of the whole folder. What is good above can still be read and delivered; a \
             backup can be put in its place"
        ),
    };
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_at_a_glance() {
        assert_eq!([size(0), size(1_023), size(1_536), size(10 << 30)], ["0 B", "1023 B", "1.5 KiB", "10.0 GiB"]);
    }
}
