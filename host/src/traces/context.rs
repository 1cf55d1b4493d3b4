//! A place in a trace, and how it is written in a header (W3C Trace Context).

use hyper::header::{HeaderMap, HeaderValue};
use uuid::Uuid;

/// The header.
pub(crate) const TRACEPARENT: &str = "traceparent";

/// One span of one trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    /// The trace.
    pub trace: [u8; 16],
    /// The span.
    pub span: [u8; 8],
    /// Whether it is kept.
    pub sampled: bool,
}

impl Context {
    /// The root of an event's trace, which has its id.
    pub(super) fn of_event(event: Uuid, ratio: f64) -> Self {
        let trace = event.into_bytes();
        let span = low(trace);
        Self { trace, span, sampled: is_sampled(u64::from_be_bytes(span), ratio) }
    }

    /// A trace of its own.
    pub(super) fn fresh(ratio: f64) -> Self {
        let trace = rand::random::<u128>().max(1).to_be_bytes();
        Self { trace, span: some(), sampled: is_sampled(u64::from_be_bytes(low(trace)), ratio) }
    }

    /// Another span of the same trace.
    pub fn child(self) -> Self {
        Self { span: some(), ..self }
    }

    /// What a sender says of itself: version 00, or what a later one has in common with it.
    pub(super) fn of_sender(headers: &HeaderMap) -> Option<Self> {
        let mut all = headers.get_all(TRACEPARENT).iter();
        let (Some(value), None) = (all.next(), all.next()) else { return None };
        let mut parts = value.to_str().ok()?.split('-');
        let (version, trace, span) = (byte(parts.next()?)?, parts.next()?, parts.next()?);
        let flags = byte(parts.next()?)?;
        if version == 0xff || (version == 0 && parts.next().is_some()) {
            return None;
        }
        let (trace, span) = (bytes::<16>(trace)?, bytes::<8>(span)?);
        (trace != [0; 16] && span != [0; 8]).then_some(Self { trace, span, sampled: flags & 1 == 1 })
    }

    /// For those who are sent something.
    pub(crate) fn header(self) -> Option<HeaderValue> {
        let (trace, span, flags) = (hex::encode(self.trace), hex::encode(self.span), u8::from(self.sampled));
        HeaderValue::from_str(&format!("00-{trace}-{span}-{flags:02x}")).ok()
    }
}

/// Of a trace's id what differs most.
fn low(trace: [u8; 16]) -> [u8; 8] {
    let [.., a, b, c, d, e, f, g, h] = trace;
    [a, b, c, d, e, f, g, h]
}

fn some() -> [u8; 8] {
    rand::random::<u64>().max(1).to_be_bytes()
}

fn byte(text: &str) -> Option<u8> {
    bytes::<1>(text).map(|[byte]| byte)
}

/// Lower case alone, as it is specified.
fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
    (lower && hex::decode_to_slice(text, &mut bytes).is_ok()).then_some(bytes)
}

/// The same for the same number, everywhere and always. Ids count up, so their bits are mixed first (SplitMix64's finish).
fn is_sampled(number: u64, ratio: f64) -> bool {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    // 53 bits are a number in 0.0..1.0 exactly.
    ((mixed >> 11) as f64 / (1u64 << 53) as f64) < ratio
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &'static str) -> Option<Context> {
        let pair = (hyper::header::HeaderName::from_static(TRACEPARENT), HeaderValue::from_static(text));
        Context::of_sender(&HeaderMap::from_iter([pair]))
    }

    #[test]
    fn a_context_is_read_as_it_is_written() {
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let context = said(text).unwrap();
        assert!(context.sampled && context.header().unwrap() == text);
        assert!(!said("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00").unwrap().sampled);
        assert!(said("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more").is_some(), "a later version");
    }

    #[test]
    fn what_is_none_is_none() {
        for text in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01",
        ] {
            assert_eq!(said(text), None, "{text}");
        }
    }

    #[test]
    fn the_part_that_is_sampled_is_as_large_as_it_should_be_and_always_the_same() {
        let event = |n: u128| Uuid::from_u128(0x0198_c5a0_5a7e_7cc3_8000_0000_0000_0000 | n << 16);
        let sampled = |ratio| (0..10_000).filter(|n| Context::of_event(event(*n), ratio).sampled).count();
        assert_eq!((sampled(0.0), sampled(1.0)), (0, 10_000));
        assert!((900..1_100).contains(&sampled(0.1)), "{}", sampled(0.1));
        assert_eq!(Context::of_event(event(7), 0.5), Context::of_event(event(7), 0.5));
    }
}
