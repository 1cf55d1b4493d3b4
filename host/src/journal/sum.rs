//! Checksums of what was recorded: bytes that changed on a disk are reported, and never delivered as good.
//!
//! What is sealed has none: it does not open when a byte of it changed. CRC-32 finds what a disk does
//! to bytes by accident; it is no seal against somebody who can write the file. What a reader does with one that differs is
//! its engine's business.

use crc32fast::Hasher;

/// What a request says, as its row has it.
pub(super) struct Request<'a> {
    pub(super) received: i64,
    pub(super) method: &'a str,
    pub(super) target: &'a str,
    pub(super) headers: &'a [u8],
    pub(super) body: &'a [u8],
}

/// What an event says, as its row has it, and the sum of the request that its data is a part of.
pub(super) struct Event<'a> {
    pub(super) request: i64,
    pub(super) kind: &'a str,
    pub(super) subject: Option<&'a str>,
    pub(super) provider_id: Option<&'a str>,
    pub(super) time: Option<i64>,
    pub(super) form: i64,
    pub(super) content: Option<&'a str>,
    pub(super) head: i64,
    pub(super) tail: i64,
    pub(super) data: &'a [u8],
}

impl Request<'_> {
    pub(super) fn sum(&self) -> i64 {
        let mut sum = Hasher::new();
        number(&mut sum, self.received);
        for part in [self.method.as_bytes(), self.target.as_bytes(), self.headers, self.body] {
            bytes(&mut sum, part);
        }
        sum.finalize().into()
    }
}

impl Event<'_> {
    pub(super) fn sum(&self) -> i64 {
        let mut sum = Hasher::new();
        for value in [self.request, self.form, self.head, self.tail] {
            number(&mut sum, value);
        }
        for time in [self.time.is_some().into(), self.time.unwrap_or_default()] {
            number(&mut sum, time);
        }
        bytes(&mut sum, self.kind.as_bytes());
        for text in [self.subject, self.provider_id, self.content] {
            number(&mut sum, text.is_some().into());
            bytes(&mut sum, text.unwrap_or_default().as_bytes());
        }
        bytes(&mut sum, self.data);
        sum.finalize().into()
    }
}

fn number(sum: &mut Hasher, number: i64) {
    sum.update(&number.to_le_bytes());
}

/// With its length, so that no byte can change sides.
fn bytes(sum: &mut Hasher, bytes: &[u8]) {
    number(sum, bytes.len() as i64);
    sum.update(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event<'a>() -> Event<'a> {
        Event {
            request: 7,
            kind: "a.b",
            subject: None,
            provider_id: Some(""),
            time: None,
            form: 1,
            content: None,
            head: 3,
            tail: 0,
            data: b"xy",
        }
    }

    #[test]
    fn no_byte_can_change_without_changing_the_sum() {
        let others = [
            Event { request: 8, ..event() },
            Event { kind: "a.", subject: Some("b"), ..event() },
            Event { subject: Some(""), ..event() },
            Event { provider_id: None, ..event() },
            Event { time: Some(0), ..event() },
            Event { head: 0, tail: 3, ..event() },
            Event { data: b"xz", ..event() },
        ];
        assert!(others.iter().all(|other| other.sum() != event().sum()));
        let request = |target, headers| Request { received: 1, method: "POST", target, headers, body: b"{}" }.sum();
        assert_ne!(request("/a", b"b"), request("/ab", b""));
    }
}
