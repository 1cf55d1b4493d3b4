//! Output: lines and tables on standard output, messages on standard error. Providers' texts cannot steer a terminal.

use std::fmt::{self, Display, Write as _};
use std::io::{self, ErrorKind, IsTerminal, Write};

use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table};

use super::Failure;

/// A line of data.
pub(super) fn line(text: impl Display) -> Result<(), Failure> {
    bytes(format!("{text}\n").as_bytes())
}

/// Data as it is.
pub(super) fn bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Failure::Closed,
        _ => Failure::refused(format_args!("cannot write the output: {error}")),
    })
}

/// A message for people.
pub(super) fn say(message: impl Display) {
    // Nobody is left to tell when standard error is gone.
    let _ = writeln!(io::stderr().lock(), "hookport: {message}");
}

/// A table that is as wide as the terminal, or as it must be where there is none.
pub(super) fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(match io::stdout().is_terminal() {
        true => ContentArrangement::Dynamic,
        false => ContentArrangement::Disabled,
    });
    table.set_header(head.iter().map(|name| Cell::new(name).add_attribute(Attribute::Bold)));
    table
}

/// A cell with a text that came from outside.
pub(super) fn cell(text: impl Display) -> Cell {
    Cell::new(plain(text))
}

/// A cell that says how something stands: green, yellow or red on a terminal.
pub(super) fn state(text: &str) -> Cell {
    let color = match text {
        "ok" | "routed" | "delivered" => Color::Green,
        "error" | "exhausted" | "undecoded" => Color::Red,
        _ => Color::Yellow,
    };
    Cell::new(text).fg(color)
}

/// The text with its control characters written out.
pub(super) fn plain(text: impl Display) -> String {
    struct Plain(String);
    impl fmt::Write for Plain {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            for character in text.chars() {
                match character.is_control() {
                    true => write!(self.0, "{}", character.escape_default())?,
                    false => self.0.push(character),
                }
            }
            Ok(())
        }
    }
    let mut plain = Plain(String::new());
    let _ = write!(plain, "{text}");
    plain.0
}

/// Prints a table, or says that there is nothing.
pub(super) fn print(table: &Table, nothing: &str) -> Result<(), Failure> {
    match table.is_empty() {
        true => say(nothing),
        false => line(table.trim_fmt())?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_providers_text_cannot_steer_the_terminal() {
        assert_eq!(plain("a\u{1b}[2Jb\nc\u{9b}ü"), "a\\u{1b}[2Jb\\nc\\u{9b}ü");
    }
}
