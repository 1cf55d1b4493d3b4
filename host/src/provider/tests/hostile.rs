//! Requests and descriptions of anything at all.

use proptest::prelude::*;

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever comes, it is judged without a panic, and nothing is accepted that was not signed.
    #[test]
    fn nothing_hostile_is_accepted(
        header in "[ -~]{0,60}",
        body in prop_oneof![any::<Vec<u8>>(), r#"[\[\]{}:,"a-z0-9\\ ]{0,40}"#.prop_map(String::into_bytes)],
        second in any::<i32>(),
    ) {
        for text in [SIGNED, FIELDS] {
            let source = source(text, &["s3cret"], &["https://x.example"]);
            let request = request(&[("acme-signature", header.trim())], body.clone());
            prop_assert!(verify(&source, &request, at(second.into())).is_err());
        }
    }

    /// A byte changed anywhere in what is signed is noticed.
    #[test]
    fn a_changed_byte_is_noticed(place in any::<prop::sample::Index>(), bit in 0u8..7) {
        let source = source(SIGNED, &["s"], &[]);
        let request = signed("s", 1000, r#"{"id":"evt_1","type":"paid","amount":10.00}"#);
        let mut body = request.body.to_vec();
        body[place.index(request.body.len())] ^= 1 << bit;
        let changed = Arc::new(Incoming { body: body.into(), ..Incoming::clone(&request) });
        prop_assert!(verify(&source, &changed, at(1000)).is_err());
    }

    #[test]
    fn a_description_of_any_text_is_read_without_a_panic(text in "[\\[\\]a-z=\"'{}$.:\n ]{0,80}") {
        let _ = parse(&text, "p", Grammar::Strict);
        let _ = parse(&format!("{SIGNED}\n{text}"), "p", Grammar::Newer);
    }
}
