//! Filters as SQL conditions. Values are always parameters, never written into the text.

use jiff::Timestamp;
use tokio_postgres::types::ToSql;

use super::text;

/// How many rows when nobody says.
const LIMIT: usize = 100;

/// A parameter.
pub(super) type Value = Box<dyn ToSql + Send + Sync>;

/// Conditions and their values, in order.
#[derive(Debug, Default)]
pub(super) struct Where {
    conditions: Vec<String>,
    /// Those that are about another table than the one that is listed.
    apart: Vec<String>,
    values: Vec<Value>,
}

impl Where {
    pub(super) fn equals(&mut self, column: &str, value: Option<impl ToSql + Send + Sync + 'static>) {
        self.condition(&format!("{column} = ?"), value);
    }

    /// As `equals`, with the text as it is kept; an index has the beginnings of such texts, because they may be long.
    pub(super) fn says(&mut self, column: &str, value: Option<&str>) {
        let equals = format!("left({column}, 256) = left(?, 256) AND {column} = ?");
        self.condition(&equals, value.map(|value| text::kept(value).into_owned()));
    }

    /// `since` is included, `until` is not.
    pub(super) fn between(&mut self, column: &str, since: Option<Timestamp>, until: Option<Timestamp>) {
        self.condition(&format!("{column} >= ?"), since.map(Timestamp::as_microsecond));
        self.condition(&format!("{column} < ?"), until.map(Timestamp::as_microsecond));
    }

    pub(super) fn glob(&mut self, column: &str, pattern: Option<&str>) {
        self.condition(&format!("{column} LIKE ?"), pattern.map(like));
    }

    /// One of these; none do not restrict.
    pub(super) fn among<T>(&mut self, column: &str, values: Vec<T>)
    where
        Vec<T>: ToSql + Send + Sync + 'static,
    {
        self.condition(&format!("{column} = ANY (?)"), (!values.is_empty()).then_some(values));
    }

    /// One condition with one value, which may stand in it several times; absent, it does not restrict.
    pub(super) fn condition(&mut self, text: &str, value: Option<impl ToSql + Send + Sync + 'static>) {
        if let Some(value) = value {
            let number = self.bind(value);
            self.conditions.push(text.replace('?', &number));
        }
    }

    /// A condition without a value of its own.
    pub(super) fn always(&mut self, text: impl Into<String>) {
        self.conditions.push(text.into());
    }

    /// A value, and how the text names it.
    pub(super) fn bind(&mut self, value: impl ToSql + Send + Sync + 'static) -> String {
        self.values.push(Box::new(value));
        format!("${}", self.values.len())
    }

    /// What is added here is about another table than the one that is listed.
    pub(super) fn apart(&mut self, add: impl FnOnce(&mut Self)) {
        let own = std::mem::take(&mut self.conditions);
        add(self);
        self.apart.append(&mut self.conditions);
        self.conditions = own;
    }

    /// The clause over all tables, and its values.
    pub(super) fn unlimited(mut self) -> (String, Vec<Value>) {
        self.conditions.append(&mut self.apart);
        (clause(&self.conditions), self.values)
    }

    /// The clause over the listed table, the one over the other, and the values of both.
    pub(super) fn split(self) -> (String, String, Vec<Value>) {
        (clause(&self.conditions), clause(&self.apart), self.values)
    }

    /// How the text names a limit; 0 is 100.
    pub(super) fn limit(&mut self, limit: usize) -> String {
        let limit = if limit == 0 { LIMIT } else { limit };
        self.bind(i64::try_from(limit).unwrap_or(i64::MAX))
    }

    /// The clause with an order and a limit, and its values.
    pub(super) fn limited(mut self, order: &str, limit: usize) -> (String, Vec<Value>) {
        let limit = self.limit(limit);
        let (text, values) = self.unlimited();
        (format!("{text} ORDER BY {order} LIMIT {limit}"), values)
    }
}

fn clause(conditions: &[String]) -> String {
    let text = conditions.join(" AND ");
    if text.is_empty() { text } else { format!("WHERE {text}") }
}

/// As a client takes them.
pub(super) fn parameters(values: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    values.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect()
}

/// A number as the journal counts; none is greater than what a column holds.
pub(super) fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// `*` any characters, `?` one, case matters.
fn like(pattern: &str) -> String {
    let mut like = String::with_capacity(pattern.len() + 4);
    for char in text::kept(pattern).chars() {
        match char {
            '*' => like.push('%'),
            '?' => like.push('_'),
            '%' | '_' | '\\' => like.extend(['\\', char]),
            other => like.push(other),
        }
    }
    like
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_means_the_same_as_in_a_route() {
        assert_eq!(like("sgate.*"), "sgate.%");
        assert_eq!(like("a?c"), "a_c");
        assert_eq!(like(r"100%_[x]\"), r"100\%\_[x]\\");
    }

    #[test]
    fn every_value_is_a_parameter() {
        let mut wanted = Where::default();
        wanted.says("e.subject", Some("'; DROP TABLE events"));
        wanted.equals("e.state", None::<i16>);
        wanted.among("d.id", vec![1_i64, 2]);
        let (text, values) = wanted.limited("d.id", 0);
        assert_eq!(
            text,
            "WHERE left(e.subject, 256) = left($1, 256) AND e.subject = $1 AND d.id = ANY ($2) ORDER BY d.id LIMIT $3"
        );
        assert_eq!(values.len(), 3);
    }
}
