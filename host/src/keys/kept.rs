//! What was fetched, and for how long it counts.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{AGE, CACHE_CONTROL, HeaderMap};
use jiff::Timestamp;
use tokio::sync::Mutex;

use crate::provider::remote::{RemoteKey, RemoteKind};

/// Texts that are kept at once.
const MAX_KEPT: usize = 256;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);
/// A certificate stays at its URL: a new one has a new URL.
const CERTIFICATES: Duration = DAY;
/// A key set whose server says nothing else.
const KEY_SET: Duration = Duration::from_secs(3_600);
/// Whatever its server says.
const AT_LEAST: Duration = Duration::from_secs(300);
/// After a failure nobody is asked for so long.
const FAILED: Duration = Duration::from_secs(30);

/// The text of one URL; locked while it is fetched.
pub(super) type Entry = Mutex<Option<Kept>>;

/// What came of a fetch.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) came: Result<Bytes, String>,
    asked: Timestamp,
    until: Timestamp,
}

impl Kept {
    pub(super) fn new(key: &RemoteKey, headers: &HeaderMap, came: Result<Bytes, String>, now: Timestamp) -> Self {
        let hold = match (&came, &key.kind) {
            (Err(_), _) => FAILED,
            (Ok(_), RemoteKind::Certificates) => CERTIFICATES,
            (Ok(_), RemoteKind::KeySet(_)) => max_age(headers).unwrap_or(KEY_SET).clamp(AT_LEAST, DAY),
        };
        Self { came, asked: now, until: now.checked_add(hold).unwrap_or(Timestamp::MAX) }
    }

    pub(super) fn for_ever(text: Bytes) -> Self {
        Self { came: Ok(text), asked: Timestamp::MAX, until: Timestamp::MAX }
    }

    /// Whether it counts now, and holds the key that is wanted; without that key it counts for a minute, because
    /// whoever sends requests can name any.
    pub(super) fn serves(&self, key: &RemoteKey, now: Timestamp) -> bool {
        let just_asked = || now < self.asked || now.duration_since(self.asked).unsigned_abs() < MINUTE;
        let holds = |text: &Bytes| key.is_in(text) || just_asked();
        now < self.until && self.came.as_ref().map_or(true, holds)
    }

    /// A text that counts goes on counting where only a new key could not be had.
    pub(super) fn or_failed(self, failed: Self, now: Timestamp) -> Self {
        if self.came.is_ok() && now < self.until { Self { asked: now, ..self } } else { failed }
    }
}

/// A page of words is no key, whatever its status: it is asked for again soon, and not for a day.
pub(super) fn shaped(kind: &RemoteKind, text: Bytes) -> Result<Bytes, String> {
    let begins = match kind {
        RemoteKind::Certificates => text.windows(10).any(|window| window == b"-----BEGIN"),
        RemoteKind::KeySet(_) => text.trim_ascii_start().starts_with(b"{"),
    };
    if begins { Ok(text) } else { Err("what is there is no key".into()) }
}

/// As RFC 9111 has it; what says nothing that can be read says nothing.
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let directives = values.flat_map(|value| value.split(',')).map(str::trim);
    let age = directives.filter_map(|directive| directive.split_once('=')).find_map(|(name, age)| {
        let age = age.trim_matches('"').parse().ok();
        age.filter(|_| name.eq_ignore_ascii_case("max-age"))
    });
    let old = headers.get(AGE).and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or_default();
    age.map(|age: u64| Duration::from_secs(age.saturating_sub(old)))
}

/// Every entry, by URL and by whether it may lie on a private address.
#[derive(Default)]
pub(super) struct Shelf(HashMap<(String, bool), Arc<Entry>>);

impl Shelf {
    pub(super) fn entry(&mut self, url: &str, private: bool, now: Timestamp) -> Arc<Entry> {
        let name = (url.to_owned(), private);
        if !self.0.contains_key(&name) && self.0.len() >= MAX_KEPT {
            self.make_room(now);
        }
        self.0.entry(name).or_default().clone()
    }

    /// What counts no more goes; else what would be the next to go. Whoever waits for one that goes is still served.
    fn make_room(&mut self, now: Timestamp) {
        let until = |entry: &Entry| match entry.try_lock() {
            Ok(kept) => kept.as_ref().map_or(now, |kept| if kept.came.is_ok() { kept.until } else { now }),
            Err(_) => Timestamp::MAX,
        };
        self.0.retain(|_, entry| until(entry) > now);
        while self.0.len() >= MAX_KEPT {
            let next = self.0.iter().min_by_key(|(_, entry)| until(entry)).map(|(name, _)| name.clone());
            next.map(|name| self.0.remove(&name));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(cache_control: &str, age: &str) -> HeaderMap {
        let pairs = [(CACHE_CONTROL, cache_control), (AGE, age)].into_iter().filter(|(_, value)| !value.is_empty());
        pairs.map(|(name, value)| (name, value.parse().unwrap())).collect()
    }

    fn wanted(kind: RemoteKind) -> RemoteKey {
        RemoteKey { url: "https://keys.example/set".into(), kind }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn held(kind: RemoteKind, headers: &HeaderMap, came: Result<&'static str, String>) -> i64 {
        Kept::new(&wanted(kind), headers, came.map(Bytes::from), at(0)).until.as_second()
    }

    #[test]
    fn a_key_set_is_kept_as_long_as_its_server_says_within_reason() {
        for (cache_control, age, seconds) in [
            ("", "", 3_600),
            ("public, max-age=21600", "", 21_600),
            ("public, Max-Age=\"21600\", must-revalidate", "600", 21_000),
            ("max-age=1", "", 300),
            ("max-age=600", "900", 300),
            ("no-store", "", 3_600),
            ("max-age=99999999999999999999", "", 3_600),
            ("max-age=9999999", "", 86_400),
            ("s-maxage=7", "", 3_600),
        ] {
            let held = held(RemoteKind::KeySet(None), &headers(cache_control, age), Ok("{}"));
            assert_eq!(held, seconds, "{cache_control} {age}");
        }
        let none = HeaderMap::new();
        assert_eq!(held(RemoteKind::Certificates, &headers("max-age=1", ""), Ok("PEM")), 86_400);
        assert_eq!(held(RemoteKind::Certificates, &none, Err("no".into())), 30);
    }

    #[test]
    fn a_key_that_a_set_lacks_is_asked_for_once_a_minute() {
        let set = r#"{"keys":[{"kty":"oct","k":"eA","kid":"one"}]}"#;
        let kept = Kept::new(&wanted(RemoteKind::KeySet(None)), &HeaderMap::new(), Ok(set.into()), at(1_000));
        let serves = |kid: &str, second| kept.serves(&wanted(RemoteKind::KeySet(Some(kid.into()))), at(second));
        assert!(serves("one", 1_000) && serves("one", 4_599) && !serves("one", 4_600));
        assert!(serves("two", 1_059) && !serves("two", 1_060));
        let failed = Kept::new(&wanted(RemoteKind::KeySet(None)), &HeaderMap::new(), Err("no".into()), at(1_060));
        assert!(failed.serves(&wanted(RemoteKind::KeySet(Some("two".into()))), at(1_089)));
        let still = kept.clone().or_failed(failed.clone(), at(1_060));
        assert!(still.came.is_ok() && still.serves(&wanted(RemoteKind::KeySet(Some("two".into()))), at(1_119)));
        assert!(kept.or_failed(failed, at(4_600)).came.is_err());
    }

    #[test]
    fn the_shelf_is_bounded_and_keeps_what_counts_longest() {
        let mut shelf = Shelf::default();
        let fill = |entry: &Entry, hold: i64, came: Result<Bytes, String>| {
            *entry.try_lock().unwrap() = Some(Kept { came, asked: at(0), until: at(hold) });
        };
        fill(&shelf.entry("good", false, at(0)), 1_000, Ok("text".into()));
        for number in 0..2_000 {
            let entry = shelf.entry(&format!("bad-{number}"), false, at(0));
            fill(&entry, 30, Err("404".into()));
            assert!(shelf.0.len() <= MAX_KEPT);
        }
        assert!(shelf.entry("good", false, at(0)).try_lock().unwrap().is_some());
        for number in 0..2_000 {
            fill(&shelf.entry(&format!("other-{number}"), false, at(0)), 2_000 + number, Ok("text".into()));
        }
        assert!(shelf.0.len() <= MAX_KEPT);
        assert!(shelf.entry("good", false, at(0)).try_lock().unwrap().is_none());
        // Nobody reads through another source's permission.
        fill(&shelf.entry("inside", true, at(0)), 1_000, Ok("text".into()));
        assert!(shelf.entry("inside", false, at(0)).try_lock().unwrap().is_none());
    }
}
