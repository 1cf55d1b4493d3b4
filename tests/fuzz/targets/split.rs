//! Any text as a signature header, split in each of the six ways; nobody knows the key, so nothing is accepted.
#![no_main]

mod common;

use std::sync::LazyLock;

use hookport::provider::source::Source;
use libfuzzer_sys::fuzz_target;

static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(|| {
    let ways = [
        "parse = \"raw\"",
        "parse = \"raw\", prefix = \"sha256=\"",
        "parse = \"list\"",
        "parse = \"kv\", pick = \"v1\"",
        "parse = \"kv\", sep = \";\", kv = \":\"",
        "parse = \"tagged\", pick = \"v1\"",
        "parse = \"positional\", pick = \"1\"",
        "parse = \"pairs\"",
    ];
    let encodings = ["hex", "base64", "base64url", "utf8"];
    let tables = ways.iter().flat_map(|way| encodings.iter().map(move |encoding| (way, encoding)));
    let table = |(way, encoding): (&&str, &&str)| {
        format!(
            "verify = {{ from = \"header:sig|urldecode\", {way}, encoding = \"{encoding}\", alg = \"hmac-sha256\", message = \"${{sig:t?}}.${{sig:0?}}.${{body}}\" }}"
        )
    };
    tables.map(|pair| common::source(&table(pair))).collect()
});

fuzz_target!(|header: &[u8]| {
    for source in SOURCES.iter() {
        if let Some(result) = common::received(source, header, b"{}") {
            assert!(result.is_err(), "nobody signed this");
        }
    }
});
