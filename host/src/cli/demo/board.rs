//! The table of the demo: a line for each row once it is settled, and on a terminal below them those that are still open.

use std::io::IsTerminal;

use crate::cli::{Failure, output};

const HEAD: [&str; 6] = ["time", "provider", "event", "verified by", "ack", "delivered"];

/// Lines that are drawn over must not wrap, and a terminal is seldom narrower.
const NARROW: usize = 79;

/// How far a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Something is still to come.
    Open,
    /// As it must be.
    Good,
    /// Not as it must be.
    Bad,
}

/// One row.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// In the order of the head, without the last.
    pub(super) cells: [String; 5],
    /// The last cell.
    pub(super) delivered: String,
    pub(super) standing: Standing,
}

/// All rows.
pub(super) struct Board {
    pub(super) rows: Vec<Row>,
    live: bool,
    /// Lines of open rows on the terminal, which the next showing goes over.
    drawn: usize,
    /// Which rows are settled and printed for good.
    printed: Vec<bool>,
}

impl Board {
    pub(super) fn new() -> Self {
        Self { rows: Vec::new(), live: std::io::stdout().is_terminal(), drawn: 0, printed: Vec::new() }
    }

    /// Whether people look at it while it changes.
    pub(super) fn is_live(&self) -> bool {
        self.live
    }

    /// Adds a row and shows it; gives its index.
    pub(super) fn add(&mut self, row: Row) -> Result<usize, Failure> {
        self.rows.push(row);
        self.show()?;
        Ok(self.rows.len() - 1)
    }

    /// Says how a row ended.
    pub(super) fn settle(&mut self, row: usize, standing: Standing, delivered: &str) -> Result<(), Failure> {
        let told = self.rows[row].standing == standing && self.rows[row].delivered == delivered;
        self.rows[row].standing = standing;
        self.rows[row].delivered = delivered.to_owned();
        self.printed[row] &= told;
        self.show()
    }

    fn show(&mut self) -> Result<(), Failure> {
        let mut lines = Vec::new();
        if self.printed.is_empty() {
            lines.push(line(&HEAD.map(str::to_owned)));
        }
        self.printed.resize(self.rows.len(), false);
        for (row, printed) in self.rows.iter().zip(&mut self.printed) {
            if row.standing != Standing::Open && !*printed {
                *printed = true;
                lines.push(row.line(self.live));
            }
        }
        let over = if self.drawn > 0 { format!("\u{1b}[{}A\u{1b}[J", self.drawn) } else { String::new() };
        self.drawn = 0;
        if self.live {
            let open = self.rows.iter().filter(|row| row.standing == Standing::Open);
            let open: Vec<String> = open.map(|row| row.line(false).chars().take(NARROW).collect()).collect();
            self.drawn = open.len();
            lines.extend(open);
        }
        match lines.is_empty() && over.is_empty() {
            true => Ok(()),
            false => output::line(format_args!("{over}{}", lines.join("\n"))),
        }
    }
}

impl Row {
    fn line(&self, colours: bool) -> String {
        let [time, provider, event, verified, ack] = self.cells.clone();
        let line = line(&[time, provider, event, verified, ack, String::new()]);
        let delivered = output::plain(&self.delivered);
        match (colours, self.standing) {
            (true, Standing::Good) => format!("{line}\u{1b}[32m{delivered}\u{1b}[0m"),
            (true, Standing::Bad) => format!("{line}\u{1b}[31m{delivered}\u{1b}[0m"),
            _ => line + &delivered,
        }
    }
}

fn line([time, provider, event, verified, ack, delivered]: &[String; 6]) -> String {
    output::plain(format!("{time:<9} {provider:<15} {event:<37} {verified:<22} {ack:<34} {delivered}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_providers_words_cannot_steer_the_terminal() {
        let cells = ["\u{1b}[2J", "b", "c", "d", "e\n"].map(str::to_owned);
        let row = Row { cells, delivered: "\u{1b}[3J".into(), standing: Standing::Good };
        assert!(!row.line(false).contains(['\u{1b}', '\n']));
        assert_eq!(row.line(true).matches('\u{1b}').count(), 2);
    }
}
