//! What the filters of several commands have in common: times, and the words of closed lists.

use clap::builder::RangedU64ValueParser;
use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::clock::Clock;

/// A point in time: RFC 3339, or a duration before now.
pub(super) fn time(text: &str) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    let ago = humantime::parse_duration(text).ok().and_then(|ago| SignedDuration::try_from(ago).ok());
    ago.and_then(|ago| Clock::default().now().checked_sub(ago).ok()).ok_or_else(|| {
        "neither a time such as 2026-11-20T08:00:00Z nor a duration before now such as 90s, 1h or 7d".to_owned()
    })
}

/// How many at most: at least one.
pub(super) fn count() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..)
}

/// One of a closed list, such as a state or a reason; the error names the list.
pub(super) fn word<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(Value::String(text.to_owned())).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::DeliveryState;

    #[test]
    fn a_time_is_a_date_or_a_while_ago() {
        assert_eq!(time("2026-11-20T08:00:00Z"), Ok("2026-11-20T08:00:00Z".parse().unwrap()));
        let clock = Clock::default();
        let before = clock.now();
        let since = time("1h").unwrap() + SignedDuration::from_hours(1);
        assert!(before <= since && since <= clock.now(), "{since}");
        assert!(time("yesterday").unwrap_err().contains("1h"));
    }

    #[test]
    fn a_wrong_word_lists_the_right_ones() {
        assert_eq!(word("exhausted"), Ok(DeliveryState::Exhausted));
        assert!(word::<DeliveryState>("exausted").unwrap_err().contains("`exhausted`"));
    }
}
