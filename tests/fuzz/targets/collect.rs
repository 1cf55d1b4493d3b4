//! Any bytes as a form, an XML, a JSON body: read within bounds, collected, and what is accepted is a JSON document.
#![no_main]

mod common;

use std::sync::LazyLock;

use hookport::event::Data;
use hookport::provider::source::Source;
use libfuzzer_sys::fuzz_target;

static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(|| {
    let contents = ["json", "form", "xml"];
    let orders = ["order = \"key\", skip_empty = true", "order = \"key_value\", unique = true, encode = \"form\""];
    let tables = contents.iter().flat_map(|content| orders.iter().map(move |order| (content, order)));
    let table = |(content, order): (&&str, &&str)| {
        format!(
            "provider.content = \"{content}\"\nlet.all = {{ collect = \"{content}\", exclude = [\"sign\"], {order} }}\nverify = {{ from = \"header:sig\", alg = \"static\" }}\nassert = [{{ left = \"${{let:all|sha256|hex}}\", right = \"${{let:all|sha256|hex}}\" }}]\nevent = {{ batch = \"/a/*\", type = \"{content}:{place}\", id = \"envelope:/a/0\" }}",
            place = if *content == "json" { "/b" } else { "b" },
        )
    };
    tables.map(|pair| common::source(&table(pair))).collect()
});

fuzz_target!(|body: &[u8]| {
    for source in SOURCES.iter() {
        let Some(Ok(verified)) = common::received(source, b"s", body) else { continue };
        assert!(!verified.items.is_empty());
        for item in verified.items {
            if let Data::Json(json) = item.data {
                serde_json::from_slice::<&serde_json::value::RawValue>(&json).expect("data is JSON");
            }
        }
    }
});
