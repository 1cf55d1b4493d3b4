//! Data written as a part of the body that it was read from, so that the same bytes are not kept twice.

use bytes::Bytes;

/// Fewer shared bytes than this are not worth two numbers.
const WORTH: usize = 16;

/// Data as the body's first `head` bytes, what is its own, and the body's last `tail` bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Splice {
    pub(super) head: usize,
    pub(super) tail: usize,
    pub(super) own: Bytes,
}

/// Finds what the data shares with the two ends of the body.
pub(super) fn splice(data: &Bytes, body: &[u8]) -> Splice {
    if data == body {
        return Splice { head: body.len(), tail: 0, own: Bytes::new() };
    }
    let head = same(data.iter().zip(body));
    let rest = data.slice(head..);
    let tail = same(rest.iter().rev().zip(body.iter().rev()));
    if head + tail < WORTH {
        return Splice { head: 0, tail: 0, own: data.clone() };
    }
    Splice { head, tail, own: rest.slice(..rest.len() - tail) }
}

/// Puts it together again; `None` if the numbers do not fit the body, which then is not the one they came from.
pub(super) fn join(head: usize, own: &[u8], tail: usize, body: &Bytes) -> Option<Bytes> {
    if own.is_empty() && tail == 0 {
        return (head <= body.len()).then(|| body.slice(..head));
    }
    let mut data = Vec::with_capacity(head + own.len() + tail);
    data.extend_from_slice(body.get(..head)?);
    data.extend_from_slice(own);
    data.extend_from_slice(body.get(body.len().checked_sub(tail)?..)?);
    Some(data.into())
}

fn same<'a>(pairs: impl Iterator<Item = (&'a u8, &'a u8)>) -> usize {
    pairs.take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_body_without_its_signature_owns_no_byte() {
        let body = br#"{"event":"CardStopped","sign":"0123456789abcdef","iccid":"8985200000"}"#;
        let data = Bytes::from_static(br#"{"event":"CardStopped","iccid":"8985200000"}"#);
        let spliced = splice(&data, body);
        assert!(spliced.own.is_empty(), "{spliced:?}");
        assert_eq!(join(spliced.head, &spliced.own, spliced.tail, &Bytes::from_static(body)), Some(data));
    }

    #[test]
    fn numbers_that_do_not_fit_the_body_are_refused() {
        assert_eq!(join(5, b"", 0, &Bytes::from_static(b"abcd")), None);
        assert_eq!(join(0, b"", 5, &Bytes::from_static(b"abcd")), None);
    }

    proptest! {
        #[test]
        fn what_is_spliced_joins_to_the_same_bytes(data in "[ab]{0,60}", body in "[ab]{0,60}") {
            let (data, body) = (Bytes::from(data), Bytes::from(body));
            let spliced = splice(&data, &body);
            prop_assert_eq!(join(spliced.head, &spliced.own, spliced.tail, &body), Some(data));
        }
    }
}
