//! Any text as a token, a certificate and a signature of a curve: refused in bounded time, never accepted.
#![no_main]

mod common;

use std::sync::LazyLock;

use hookport::provider::source::Source;
use libfuzzer_sys::fuzz_target;

static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(|| {
    let tables = [
        "verify = { from = \"header:sig\", prefix = \"Bearer \", alg = \"jwt-hs256\", claims = { iss = \"fuzz\", hash = \"${body|sha256|hex}\" } }\ntimestamp = { from = \"jwt:nbf/exp\", format = \"unix_s\", tolerance_s = 60 }",
        "verify = { from = \"header:sig\", alg = \"jwt-hs512\" }\nevent.id = \"jwt:jti\"",
    ];
    tables.iter().map(|table| common::source(table)).collect()
});

fuzz_target!(|header: &[u8]| {
    for source in SOURCES.iter() {
        if let Some(result) = common::received(source, header, header) {
            assert!(result.is_err(), "nobody signed this");
        }
    }
});
