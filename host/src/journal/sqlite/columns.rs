//! What an event says, by the columns of its row: once, for those who insert it and those who put it in another's place.

use jiff::Timestamp;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};

use super::rows;
use crate::journal::prepare::{self, PreparedEvent, Target};

/// Their names.
pub(super) const SAYS: &str = "origin, state, key, key_until, kind, subject, provider_id, time, warnings, form, content, \
    head, tail, data, seal, sum";

/// Their values, in the same order.
pub(super) fn says(prepared: &PreparedEvent, origin: i64) -> [ToSqlOutput<'_>; 16] {
    let PreparedEvent { event, key, data, seal, warnings, sum, .. } = prepared;
    let own = (!data.own.is_empty()).then_some(&data.own[..]);
    [
        ValueRef::Integer(origin),
        ValueRef::Integer(rows::state_code(event.state)),
        ValueRef::Blob(&key.hash),
        time(key.until),
        ValueRef::from(&*event.kind),
        optional(event.subject.as_deref()),
        optional(event.provider_id.as_deref()),
        time(event.time),
        optional(warnings.as_deref()),
        ValueRef::Integer(prepare::form(&event.data)),
        optional(prepare::content(&event.data)),
        ValueRef::Integer(data.head as i64),
        ValueRef::Integer(data.tail as i64),
        optional(own),
        optional(seal.as_deref()),
        sum.map_or(ValueRef::Null, ValueRef::Integer),
    ]
    .map(ToSqlOutput::Borrowed)
}

fn optional<'v, T: Into<ValueRef<'v>>>(value: Option<T>) -> ValueRef<'v> {
    value.map_or(ValueRef::Null, Into::into)
}

fn time<'v>(time: Option<Timestamp>) -> ValueRef<'v> {
    time.map_or(ValueRef::Null, |time| ValueRef::Integer(time.as_microsecond()))
}

/// Readable where it is not sealed.
impl ToSql for Target {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Plain(text) => text.as_str().into(),
            Self::Sealed(bytes) => bytes.as_slice().into(),
        }))
    }
}
