//! Copies a request out of its connection's read buffer: what waits for the journal and for destinations holds its own bytes
//! and not 8 to 32 KiB of buffer for each, and the connection reads on into the same memory.

use bytes::{Bytes, BytesMut};
use hyper::header::{HeaderMap, HeaderValue};

/// The body in memory of its own.
pub(super) fn body(shared: &[u8]) -> Bytes {
    Bytes::copy_from_slice(shared)
}

/// The values of all headers in one piece of memory of their own; names are their own already.
pub(super) fn headers(headers: &mut HeaderMap) {
    let mut block = BytesMut::with_capacity(headers.values().map(HeaderValue::len).sum());
    headers.values_mut().for_each(|value| block.extend_from_slice(value.as_bytes()));
    let mut block = block.freeze();
    for value in headers.values_mut() {
        let copy = block.split_to(value.len());
        if let Ok(copy) = HeaderValue::from_maybe_shared(copy) {
            *value = copy;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_say_the_same_and_leave_the_buffer_to_its_owner() {
        let buffer = Bytes::from(b"one|two||\xff\t three".to_vec());
        let value = |range| HeaderValue::from_maybe_shared(buffer.slice(range)).unwrap();
        let mut map = HeaderMap::new();
        map.append("a", value(0..3));
        map.append("b", value(8..8));
        map.append("a", value(4..7));
        map.append("c", value(9..buffer.len()));
        let before = map.clone();
        headers(&mut map);
        assert_eq!(map, before);
        drop(before);
        assert!(buffer.is_unique());
    }
}
