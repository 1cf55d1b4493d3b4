//! Event ids: UUIDv7 that grow with the journal, and carry the event's number so that it is found without an index.
//!
//! 48 bits of milliseconds, 12 of their fraction, 46 of the event's number, 16 random ones (RFC 9562, methods 1 and 3).

use jiff::Timestamp;
use uuid::Uuid;

const NUMBER_BITS: u32 = 46;
/// A clock that went back further than this is followed: it was wrong before, not now.
const STEADY_FOR_MS: u64 = 60_000;

/// The numbers that were given last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Ids {
    pub(super) event: i64,
    pub(super) request: i64,
    pub(super) delivery: i64,
    pub(super) rejection: i64,
    /// Milliseconds and fraction of the last id.
    instant: u64,
}

impl Ids {
    /// The next event's number and id.
    pub(super) fn next_event(&mut self, now: Timestamp) -> (i64, Uuid) {
        self.event += 1;
        let instant = instant(now);
        let back = self.instant.saturating_sub(instant) >> 12;
        if back > STEADY_FOR_MS || instant > self.instant {
            self.instant = instant;
        }
        (self.event, compose(self.instant, self.event, rand::random()))
    }

    /// Goes on after an id that is already there.
    pub(super) fn resume_after(&mut self, id: Uuid) {
        let bits = id.as_u128();
        self.instant = ((bits >> 80) as u64) << 12 | (bits >> 64) as u64 & 0xfff;
    }
}

/// The event's number inside an id; any id has one, so the row's own id must be compared.
pub(super) fn number(id: Uuid) -> i64 {
    (id.as_u128() >> 16) as i64 & ((1 << NUMBER_BITS) - 1)
}

fn instant(now: Timestamp) -> u64 {
    let nanoseconds = u64::try_from(now.as_nanosecond()).unwrap_or(0);
    let (ms, rest) = (nanoseconds / 1_000_000, nanoseconds % 1_000_000);
    ((ms & 0xffff_ffff_ffff) << 12) | (rest * 4096 / 1_000_000)
}

fn compose(instant: u64, number: i64, random: u16) -> Uuid {
    let ms = u128::from(instant >> 12);
    let fraction = u128::from(instant & 0xfff);
    let number = number as u128 & ((1 << NUMBER_BITS) - 1);
    Uuid::from_u128(ms << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | number << 16 | u128::from(random))
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn noon() -> Timestamp {
        "2026-11-20T12:00:00.123456789Z".parse().unwrap()
    }

    #[test]
    fn an_id_is_a_uuid_of_version_7_with_its_time_and_number() {
        let (n, id) = Ids { event: 41, ..Ids::default() }.next_event(noon());
        assert_eq!((n, number(id), id.get_version_num()), (42, 42, 7));
        assert_eq!(id.get_variant(), uuid::Variant::RFC4122);
        let (seconds, nanoseconds) = id.get_timestamp().unwrap().to_unix();
        assert_eq!((seconds as i64, nanoseconds / 1_000_000), (noon().as_second(), 123));
    }

    #[test]
    fn ids_grow_also_when_the_clock_steps_back_a_little() {
        let mut ids = Ids::default();
        let (_, first) = ids.next_event(noon());
        let (_, second) = ids.next_event(noon());
        let (_, third) = ids.next_event(noon() - SignedDuration::from_secs(5));
        assert!(first < second && second < third);
        let mut resumed = Ids { event: ids.event, ..Ids::default() };
        resumed.resume_after(third);
        assert_eq!(resumed.instant, ids.instant);
        assert!(resumed.next_event(noon() - SignedDuration::from_secs(6)).1 > third);
    }

    #[test]
    fn a_clock_that_was_far_ahead_is_followed_back() {
        let mut ids = Ids::default();
        ids.next_event(noon() + SignedDuration::from_hours(24 * 365));
        let (_, id) = ids.next_event(noon());
        assert_eq!(id.get_timestamp().unwrap().to_unix().0 as i64, noon().as_second());
    }
}
