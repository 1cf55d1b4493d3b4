//! Any text as a template, rendered over a request in which everything and nothing is there.
#![no_main]

use std::borrow::Cow;

use hookport::provider::place::Place;
use hookport::provider::template::{Lookup, Template};
use libfuzzer_sys::fuzz_target;

struct Everything;

impl Lookup for Everything {
    fn bytes(&self, place: &Place) -> Option<Cow<'_, [u8]>> {
        Some(place.to_string().into_bytes().into())
    }
}

struct Nothing;

impl Lookup for Nothing {
    fn bytes(&self, _: &Place) -> Option<Cow<'_, [u8]>> {
        None
    }
}

fuzz_target!(|text: &str| {
    let Ok(template) = Template::compile(text) else { return };
    let _ = template.render(&Everything);
    let rendered = template.render(&Nothing);
    assert_eq!(rendered.is_err(), template.required().next().is_some(), "what is required and only that is missed");
});
