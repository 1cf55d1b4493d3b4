//! Times as senders write them, and whether one is fresh.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::{rfc2822, strtime};
use jiff::tz::{Offset, TimeZone};

use crate::reason::{Reason, Rejection};

/// How a time is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// Seconds since 1970.
    UnixSeconds,
    /// Milliseconds since 1970.
    UnixMillis,
    /// RFC 3339.
    Rfc3339,
    /// `Sun, 06 Nov 1994 08:49:37 GMT`.
    HttpDate,
    /// A strptime pattern; without an offset it is UTC.
    Pattern(String),
}

impl Format {
    /// Reads a format's name or pattern.
    pub fn compile(text: &str) -> Result<Self, String> {
        Ok(match text {
            "unix_s" => Self::UnixSeconds,
            "unix_ms" => Self::UnixMillis,
            "rfc3339" => Self::Rfc3339,
            "http_date" => Self::HttpDate,
            pattern if pattern.contains('%') => {
                let probe = strtime::format(pattern, &Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC));
                probe.map_err(|error| format!("{pattern:?} is not a strptime pattern: {error}"))?;
                Self::Pattern(pattern.to_owned())
            }
            _ => {
                return Err(format!(
                    "{text:?} is not a time format: unix_s, unix_ms, rfc3339, http_date or a strptime pattern"
                ));
            }
        })
    }

    /// A time in whole seconds, or milliseconds where these are the unit; local where the format says where.
    pub fn write(&self, time: Timestamp, offset: Offset) -> String {
        let whole = Timestamp::from_second(time.as_second()).unwrap_or(time);
        match self {
            Self::UnixSeconds => time.as_second().to_string(),
            Self::UnixMillis => time.as_millisecond().to_string(),
            Self::Rfc3339 if offset == Offset::UTC => whole.to_string(),
            Self::Rfc3339 => whole.display_with_offset(offset).to_string(),
            Self::HttpDate => {
                let printed = rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&whole);
                printed.unwrap_or_else(|_| whole.to_string())
            }
            Self::Pattern(pattern) => {
                let local = whole.to_zoned(TimeZone::fixed(offset));
                strtime::format(pattern, &local).unwrap_or_else(|_| whole.to_string())
            }
        }
    }

    fn parse(&self, text: &str) -> Option<Timestamp> {
        let number = || text.parse::<i64>().ok();
        match self {
            Self::UnixSeconds => Timestamp::from_second(whole(text)?).ok(),
            Self::UnixMillis => Timestamp::from_millisecond(number()?).ok(),
            Self::Rfc3339 => text.parse().ok(),
            Self::HttpDate => rfc2822::parse(text).ok().map(|zoned| zoned.timestamp()),
            Self::Pattern(pattern) => {
                by_pattern(pattern, text).or_else(|| by_pattern(pattern, &signed_offset(pattern, text)?))
            }
        }
    }
}

/// A number without its decimals, which a second may have.
fn whole(text: &str) -> Option<i64> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let digits = !decimals.is_empty() && decimals.bytes().all(|byte| byte.is_ascii_digit());
    whole.parse().ok().filter(|_| digits)
}

fn by_pattern(pattern: &str, text: &str) -> Option<Timestamp> {
    let broken = strtime::parse(pattern, text).ok()?;
    broken.to_timestamp().ok().or_else(|| {
        let civil: DateTime = broken.to_datetime().ok()?;
        civil.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    })
}

/// EVO Cloud's pages show `2020-03-04T15:39:40Z08:00`: an offset that has no sign is east of Greenwich.
fn signed_offset(pattern: &str, text: &str) -> Option<String> {
    let at = text.len().checked_sub(5).filter(|&at| pattern.ends_with("%:z") && text.is_char_boundary(at))?;
    Some(format!("{}+{}", &text[..at], &text[at..]))
}

/// The first format that reads the text; without formats, what the text looks like.
pub fn read(text: &str, formats: &[Format]) -> Option<Timestamp> {
    if formats.is_empty() {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        return match (digits, text.len()) {
            (true, 13) => Format::UnixMillis.parse(text),
            (true, _) => Format::UnixSeconds.parse(text),
            (false, _) => Format::Rfc3339.parse(text),
        };
    }
    formats.iter().find_map(|format| format.parse(text))
}

/// Refuses a time that is off by more than the tolerance; zero is not enforced.
pub fn fresh(time: Timestamp, now: Timestamp, tolerance: Duration) -> Result<(), Rejection> {
    let off = now.duration_since(time);
    if tolerance.is_zero() || off.unsigned_abs() <= tolerance {
        return Ok(());
    }
    let (reason, word) =
        if off.is_negative() { (Reason::TimestampFuture, "ahead") } else { (Reason::TimestampExpired, "old") };
    let detail = format!(
        "the signed time {time} is {}s {word}; {}s are tolerated",
        off.unsigned_abs().as_secs(),
        tolerance.as_secs()
    );
    Err(Rejection::new(reason, detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_published_shape_is_the_same_moment() {
        let formats: Vec<_> = ["rfc3339", "%Y%m%d%H%M%S%z", "%Y-%m-%dT%H:%M:%SZ%:z", "http_date"]
            .map(|format| Format::compile(format).unwrap())
            .into();
        for text in [
            "2021-05-26T10:08:25+08:00",
            "20210526100825+0800",
            "2021-05-26T10:08:25Z08:00",
            "Wed, 26 May 2021 02:08:25 GMT",
        ] {
            assert_eq!(read(text, &formats).map(|time| time.as_second()), Some(1_621_994_905), "{text}");
        }
        assert_eq!(read("1621994905000", &[]), read("1621994905", &[]));
        assert_eq!(
            read("2021-05-26 02:08:25", &[Format::compile("%Y-%m-%d %H:%M:%S").unwrap()]),
            read("1621994905", &[])
        );
        assert_eq!(read("soon", &formats), None);
        let seconds = [Format::UnixSeconds];
        assert_eq!(read("1621994905.25", &seconds), read("1621994905", &[]));
        assert_eq!((read("1621994905.", &seconds), read("1621994905.x", &seconds)), (None, None));
    }

    #[test]
    fn too_old_and_too_new_have_their_own_reasons() {
        let (now, tolerance) = (Timestamp::from_second(1000).unwrap(), Duration::from_secs(300));
        let reason = |second| {
            fresh(Timestamp::from_second(second).unwrap(), now, tolerance).err().map(|rejection| rejection.reason)
        };
        assert_eq!((reason(700), reason(699)), (None, Some(Reason::TimestampExpired)));
        assert_eq!((reason(1300), reason(1301)), (None, Some(Reason::TimestampFuture)));
        assert!(fresh(Timestamp::UNIX_EPOCH, now, Duration::ZERO).is_ok());
    }
}
