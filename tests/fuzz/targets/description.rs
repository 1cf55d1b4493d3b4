//! Any text as a `provider.toml`: read, checked, compiled; what is refused is refused in words.
#![no_main]

use hookport::provider::compile::Provider;
use hookport::provider::parse::{Grammar, Places, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let complaints = match parse(text, "provider.toml", Grammar::Strict) {
        Ok(description) => match Provider::compile(description, &Places::new(text, "provider.toml")) {
            Ok(_) => return,
            Err(complaints) => complaints,
        },
        Err(complaints) => complaints,
    };
    assert!(!complaints.is_empty(), "a refusal has a reason");
    let lines = text.lines().count().max(1);
    for complaint in complaints {
        assert!(!complaint.message.is_empty());
        assert!(complaint.line.is_none_or(|line| line >= 1 && line <= lines + 1), "{complaint}");
    }
});
