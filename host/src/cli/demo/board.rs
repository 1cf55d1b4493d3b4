//! The table of the demo: redrawn in place on a terminal, elsewhere a plain line for each row that is settled.

use std::io::IsTerminal;

use comfy_table::{Cell, Color, Table};

use crate::cli::{Failure, output};

const HEAD: [&str; 6] = ["time", "provider", "event", "verified by", "ack", "delivered"];

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
    /// Lines on the terminal that the next drawing goes over.
    drawn: usize,
    /// Rows that were printed where nothing can be redrawn.
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
        self.rows[row].standing = standing;
        self.rows[row].delivered = delivered.to_owned();
        self.show()
    }

    /// From now on rows are lines below everything else.
    pub(super) fn freeze(&mut self) {
        self.live = false;
        self.printed = vec![true; self.rows.len()];
    }

    fn show(&mut self) -> Result<(), Failure> {
        if self.live {
            return self.draw();
        }
        if self.printed.is_empty() {
            output::line(line(&HEAD.map(str::to_owned)))?;
        }
        self.printed.resize(self.rows.len(), false);
        for (row, printed) in self.rows.iter().zip(&mut self.printed) {
            if row.standing != Standing::Open && !*printed {
                *printed = true;
                output::line(line(&row.all()))?;
            }
        }
        Ok(())
    }

    fn draw(&mut self) -> Result<(), Failure> {
        let mut table: Table = output::table(&HEAD);
        for row in &self.rows {
            let color = match row.standing {
                Standing::Open => Color::Yellow,
                Standing::Good => Color::Green,
                Standing::Bad => Color::Red,
            };
            let cells = row.cells.iter().map(output::cell);
            table.add_row(cells.chain([Cell::new(output::plain(&row.delivered)).fg(color)]));
        }
        let text = table.trim_fmt();
        let over = if self.drawn > 0 { format!("\u{1b}[{}A\u{1b}[J", self.drawn) } else { String::new() };
        self.drawn = text.lines().count();
        output::line(format!("{over}{text}"))
    }
}

impl Row {
    fn all(&self) -> [String; 6] {
        let [time, provider, event, verified, ack] = self.cells.clone();
        [time, provider, event, verified, ack, self.delivered.clone()]
    }
}

fn line([time, provider, event, verified, ack, delivered]: &[String; 6]) -> String {
    output::plain(format!("{time:<9} {provider:<15} {event:<37} {verified:<20} {ack:<37} {delivered}"))
}
