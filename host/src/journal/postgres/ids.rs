//! Event ids: UUIDv7 that grow on a host, whatever its clock does for a moment.
//!
//! 48 bits of milliseconds, 12 of their fraction, 20 of the place in its group, 42 random ones (RFC 9562, methods 1 and 3).
//! All ids of a group show the same instant, and so the same day.

use jiff::Timestamp;
use uuid::Uuid;

/// A clock that went back further than this is followed: it was wrong before, not now.
const STEADY_FOR_MS: u64 = 60_000;
const PLACE_BITS: u32 = 20;
const RANDOM_BITS: u32 = 42;

/// The instant of the last group: milliseconds and their fraction.
#[derive(Debug, Default)]
pub(super) struct Ids(u64);

/// The instant of one group.
#[derive(Debug, Clone, Copy)]
pub(super) struct Instant(u64);

impl Ids {
    /// The next group's instant.
    pub(super) fn next(&mut self, now: Timestamp) -> Instant {
        let instant = instant(now);
        let back = self.0.saturating_sub(instant) >> 12;
        self.0 = if back > STEADY_FOR_MS { instant } else { instant.max(self.0 + 1) };
        Instant(self.0)
    }
}

impl Instant {
    /// An id of the group.
    pub(super) fn id(self, place: usize) -> Uuid {
        let place = u128::try_from(place).unwrap_or(0) & ((1 << PLACE_BITS) - 1);
        let random = u128::from(rand::random::<u64>()) & ((1 << RANDOM_BITS) - 1);
        let (ms, fraction) = (u128::from(self.0 >> 12), u128::from(self.0 & 0xfff));
        Uuid::from_u128(ms << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | place << RANDOM_BITS | random)
    }
}

fn instant(now: Timestamp) -> u64 {
    let nanoseconds = u64::try_from(now.as_nanosecond()).unwrap_or(0);
    let (ms, rest) = (nanoseconds / 1_000_000, nanoseconds % 1_000_000);
    ((ms & 0xffff_ffff_ffff) << 12) | (rest * 4096 / 1_000_000)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn noon() -> Timestamp {
        "2026-11-20T12:00:00.123456789Z".parse().unwrap()
    }

    #[test]
    fn an_id_is_a_uuid_of_version_7_with_its_time() {
        let id = Ids::default().next(noon()).id(3);
        assert_eq!((id.get_version_num(), id.get_variant()), (7, uuid::Variant::RFC4122));
        let (seconds, nanoseconds) = id.get_timestamp().unwrap().to_unix();
        assert_eq!((i64::try_from(seconds).unwrap(), nanoseconds / 1_000_000), (noon().as_second(), 123));
    }

    #[test]
    fn ids_grow_in_a_group_from_group_to_group_and_when_the_clock_steps_back_a_little() {
        let mut ids = Ids::default();
        let mut last = Uuid::nil();
        for now in [noon(), noon(), noon() - SignedDuration::from_secs(5)] {
            let instant = ids.next(now);
            for place in 0..3 {
                let id = instant.id(place);
                assert!(id > last);
                last = id;
            }
        }
    }

    #[test]
    fn a_clock_that_was_far_ahead_is_followed_back() {
        let mut ids = Ids::default();
        ids.next(noon() + SignedDuration::from_hours(24 * 365));
        let (seconds, _) = ids.next(noon()).id(0).get_timestamp().unwrap().to_unix();
        assert_eq!(i64::try_from(seconds).unwrap(), noon().as_second());
    }
}
