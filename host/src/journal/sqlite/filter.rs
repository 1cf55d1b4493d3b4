//! Filters as SQL conditions. Values are always bound, never written into the text.

use jiff::Timestamp;
use rusqlite::types::Value;

/// How many rows when nobody says.
const LIMIT: usize = 100;

/// Conditions and their values, in order.
#[derive(Debug, Default)]
pub(super) struct Where {
    conditions: Vec<String>,
    values: Vec<Value>,
}

impl Where {
    pub(super) fn equals(&mut self, column: &str, value: Option<impl Into<Value>>) {
        self.condition(&format!("{column} = ?"), value);
    }

    /// `since` is included, `until` is not.
    pub(super) fn between(&mut self, column: &str, since: Option<Timestamp>, until: Option<Timestamp>) {
        self.condition(&format!("{column} >= ?"), since.map(Timestamp::as_microsecond));
        self.condition(&format!("{column} < ?"), until.map(Timestamp::as_microsecond));
    }

    pub(super) fn glob(&mut self, column: &str, pattern: Option<&str>) {
        self.condition(&format!("{column} GLOB ?"), pattern.map(sqlite_glob));
    }

    /// One condition with one value; absent, it does not restrict.
    pub(super) fn condition(&mut self, text: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.conditions.push(text.to_owned());
            self.values.push(value.into());
        }
    }

    /// One of these numbers; none do not restrict.
    pub(super) fn among(&mut self, column: &str, numbers: &[u64]) {
        if !numbers.is_empty() {
            let numbers: Vec<String> = numbers.iter().map(u64::to_string).collect();
            self.conditions.push(format!("{column} IN ({})", numbers.join(",")));
        }
    }

    /// A condition without a value.
    pub(super) fn always(&mut self, text: impl Into<String>) {
        self.conditions.push(text.into());
    }

    /// The clause, and its values.
    pub(super) fn unlimited(self) -> (String, Vec<Value>) {
        let text = self.conditions.join(" AND ");
        (if text.is_empty() { text } else { format!("WHERE {text}") }, self.values)
    }

    /// The same, with the limit as the last value; 0 is 100.
    pub(super) fn limited(self, limit: usize) -> (String, Vec<Value>) {
        let limit = if limit == 0 { LIMIT } else { limit };
        let (text, mut values) = self.unlimited();
        values.push(Value::from(i64::try_from(limit).unwrap_or(i64::MAX)));
        (text, values)
    }
}

/// `*` any characters, `?` one, case matters: SQLite's GLOB, without its brackets.
fn sqlite_glob(pattern: &str) -> String {
    pattern.replace('[', "[[]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_is_the_one_of_the_routes() {
        let conn = rusqlite::Connection::open_in_memory().unwrap();
        let matches = |pattern: &str, text: &str| -> bool {
            conn.query_row("SELECT ? GLOB ?", [text, &sqlite_glob(pattern)], |row| row.get(0)).unwrap()
        };
        assert!(
            matches("sgate.*", "sgate.CUSTOM_STATUS_CHANGE") && matches("*", "a.b.c") && matches("a.*.c", "a.b.x.c")
        );
        assert!(matches("a?c", "aéc") && !matches("a?c", "ac") && !matches("SGATE.*", "sgate.x"));
        assert!(matches("a[b]*", "a[b]c") && !matches("a[b]", "ab"));
    }
}
