//! Quantities with units: `"10s"`, `"30d"`, `"1MiB"`, `"100/s"`. A bare number is an error, because nobody knows what it counts.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::Quota;
use ipnet::IpNet;
use serde::de::{Deserialize, Deserializer, Error};

/// A length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

impl Span {
    /// So many seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    pub(super) fn ten_seconds() -> Self {
        Self::seconds(10)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = text(deserializer, "a duration with its unit, such as \"10s\", \"24h\" or \"30d\"")?;
        let parsed = humantime::parse_duration(&text);
        parsed.map(Self).map_err(|error| {
            D::Error::custom(format_args!("{text:?} is not a duration such as \"10s\" or \"24h\": {error}"))
        })
    }
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub usize);

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = text(deserializer, "a size with its unit, such as \"512KiB\" or \"1MiB\"")?;
        size(&text)
            .map(Self)
            .ok_or_else(|| D::Error::custom(format_args!("{text:?} is not a size such as \"512KiB\" or \"1MiB\"")))
    }
}

fn size(text: &str) -> Option<usize> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let unit = match text[digits..].trim() {
        "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    text[..digits].parse::<usize>().ok()?.checked_mul(unit)
}

/// So many in a time. After a quiet time as many may come at once, and then they are spread evenly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate(pub Quota);

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = text(deserializer, "a rate with its unit, such as \"100/s\", \"30/m\" or \"1000/h\"")?;
        quota(&text).map(Self).ok_or_else(|| {
            D::Error::custom(format_args!("{text:?} is not a rate such as \"100/s\", \"30/m\" or \"1000/h\""))
        })
    }
}

/// GCRA's parameters; none for nothing at all and for more than one each nanosecond.
fn quota(text: &str) -> Option<Quota> {
    let (count, unit) = text.split_once('/')?;
    let count: NonZeroU32 = count.trim().parse().ok()?;
    let seconds = match unit.trim() {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    Some(Quota::with_period(Duration::from_secs(seconds) / count.get())?.allow_burst(count))
}

/// A network, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network(pub IpNet);

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = text(deserializer, "an address or a network, such as \"10.0.0.7\" or \"10.0.0.0/8\"")?;
        let one = || text.parse::<IpAddr>().map(IpNet::from);
        text.parse().or_else(|_| one()).map(Self).map_err(|_| {
            D::Error::custom(format_args!("{text:?} is no address or network such as \"10.0.0.7\" or \"10.0.0.0/8\""))
        })
    }
}

/// Takes text only, and says what was wanted when it gets something else.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D, expected: &'static str) -> Result<String, D::Error> {
    struct Text(&'static str);
    impl serde::de::Visitor<'_> for Text {
        type Value = String;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
        fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
            Ok(text.to_owned())
        }
    }
    deserializer.deserialize_any(Text(expected))
}

#[cfg(test)]
mod tests {
    use serde::de::value::{Error, StrDeserializer};

    use super::*;

    fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, String> {
        T::deserialize(StrDeserializer::<Error>::new(text)).map_err(|error| error.to_string())
    }

    #[test]
    fn sizes_count_in_their_unit() {
        assert_eq!(read("1MiB"), Ok(Size(1 << 20)));
        assert_eq!(read("64 kB"), Ok(Size(64_000)));
    }

    #[test]
    fn a_bare_number_is_no_quantity() {
        assert!(read::<Size>("1024").unwrap_err().contains("512KiB"));
        assert!(read::<Span>("10").unwrap_err().contains("10s"));
    }

    #[test]
    fn a_size_that_overflows_is_refused() {
        assert!(read::<Size>("99999999999999999GiB").is_err());
    }

    #[test]
    fn a_rate_is_a_burst_and_then_an_even_pace() {
        let Rate(quota) = read("30/m").unwrap();
        assert_eq!((quota.burst_size().get(), quota.replenish_interval()), (30, Duration::from_secs(2)));
        assert_eq!(read::<Rate>("100/s").unwrap().0.replenish_interval(), Duration::from_millis(10));
        for wrong in ["100", "0/s", "-1/s", "1.5/s", "10/d", "/s", "4000000000/s", "99999999999/h"] {
            assert!(read::<Rate>(wrong).unwrap_err().contains("100/s"), "{wrong}");
        }
    }

    #[test]
    fn one_address_is_a_network() {
        assert_eq!(read("10.0.0.7"), Ok(Network("10.0.0.7/32".parse().unwrap())));
        assert_eq!(read("fd00::/8"), Ok(Network("fd00::/8".parse().unwrap())));
        assert!(read::<Network>("10.0.0.0/33").is_err());
    }
}
