//! A value on its way from one engine to the other, and what a row of them adds to a checksum.

use bytes::BytesMut;
use jiff::civil::Date;
use rusqlite::types::ValueRef;
use sha2::{Digest, Sha256};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use uuid::Uuid;

use crate::journal::postgres::{partitions, text};

type Refused = Box<dyn std::error::Error + Sync + Send>;

/// A value as PostgreSQL has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cell {
    Null,
    Number(i64),
    Text(String),
    Bytes(Vec<u8>),
    Id(Uuid),
    Truth(bool),
    Day(Date),
}

/// What is not as a journal has it.
#[derive(Debug, thiserror::Error)]
#[error("a value is not what the column {0} holds: `hookport journal check` says where the file is damaged")]
pub(super) struct Odd(pub(super) &'static str);

impl Cell {
    /// A value of the file, for a column of the server.
    pub(super) fn of(value: ValueRef<'_>, column: &'static str, kind: &Type) -> Result<Self, Odd> {
        let odd = || Odd(column);
        let utf8 = |bytes: &[u8]| std::str::from_utf8(bytes).map(text::kept).map(|text| text.into_owned());
        let id = |bytes: &[u8]| Uuid::from_slice(bytes);
        Ok(match (value, kind) {
            (ValueRef::Null, _) => Self::Null,
            (ValueRef::Integer(number), &Type::BOOL) => Self::Truth(number != 0),
            (ValueRef::Integer(number), &Type::INT2 | &Type::INT4 | &Type::INT8) => Self::Number(number),
            (ValueRef::Text(text), &Type::TEXT) => Self::Text(utf8(text).map_err(|_| odd())?),
            (ValueRef::Text(bytes) | ValueRef::Blob(bytes), &Type::BYTEA) => Self::Bytes(bytes.to_vec()),
            (ValueRef::Blob(bytes), &Type::UUID) => Self::Id(id(bytes).map_err(|_| odd())?),
            (ValueRef::Blob(bytes), &Type::DATE) => Self::Day(partitions::day_of(id(bytes).map_err(|_| odd())?)),
            _ => return Err(odd()),
        })
    }

    pub(super) fn number(&self) -> Option<i64> {
        if let Self::Number(number) = self { Some(*number) } else { None }
    }

    pub(super) fn id(&self) -> Option<Uuid> {
        if let Self::Id(id) = self { Some(*id) } else { None }
    }

    pub(super) fn day(&self) -> Option<Date> {
        if let Self::Day(day) = self { Some(*day) } else { None }
    }

    fn add_to(&self, sum: &mut Sha256) {
        let (kind, bytes): (u8, &[u8]) = match self {
            Self::Null => (0, &[]),
            Self::Number(number) => return part(sum, 1, &number.to_le_bytes()),
            Self::Text(text) => (2, text.as_bytes()),
            Self::Bytes(bytes) => (3, bytes),
            Self::Id(id) => (4, id.as_bytes()),
            Self::Truth(truth) => return part(sum, 5, &[u8::from(*truth)]),
            Self::Day(day) => return part(sum, 6, day.to_string().as_bytes()),
        };
        part(sum, kind, bytes);
    }
}

/// With its length, so that no byte can change sides.
fn part(sum: &mut Sha256, kind: u8, bytes: &[u8]) {
    sum.update([kind]);
    sum.update((bytes.len() as u64).to_le_bytes());
    sum.update(bytes);
}

/// What a row adds to its day's sum, in whatever order rows come.
pub(super) fn digest(row: &[Cell]) -> u64 {
    let mut sum = Sha256::new();
    row.iter().for_each(|cell| cell.add_to(&mut sum));
    let digest = sum.finalize();
    digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

impl ToSql for Cell {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Refused> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Number(number) => match *kind {
                Type::INT2 => i16::try_from(*number)?.to_sql(kind, out),
                Type::INT4 => i32::try_from(*number)?.to_sql(kind, out),
                _ => number.to_sql(kind, out),
            },
            Self::Text(text) => text.to_sql(kind, out),
            Self::Bytes(bytes) => bytes.to_sql(kind, out),
            Self::Id(id) => id.to_sql(kind, out),
            Self::Truth(truth) => truth.to_sql(kind, out),
            Self::Day(day) => day.to_sql(kind, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Cell {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Refused> {
        Ok(match *kind {
            Type::INT2 => Self::Number(i16::from_sql(kind, raw)?.into()),
            Type::INT4 => Self::Number(i32::from_sql(kind, raw)?.into()),
            Type::INT8 => Self::Number(i64::from_sql(kind, raw)?),
            Type::TEXT => Self::Text(String::from_sql(kind, raw)?),
            Type::BYTEA => Self::Bytes(Vec::<u8>::from_sql(kind, raw)?),
            Type::UUID => Self::Id(Uuid::from_sql(kind, raw)?),
            Type::BOOL => Self::Truth(bool::from_sql(kind, raw)?),
            _ => Self::Day(Date::from_sql(kind, raw)?),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self, Refused> {
        Ok(Self::Null)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}
