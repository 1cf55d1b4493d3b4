//! Published worked examples of the providers' signatures, as `hookport vectors` runs them.

use std::fs;
use std::path::Path;

use hookport::clock::Clock;
use hookport::provider::vectors::{Vector, run};

#[test]
fn published_vectors_verify_and_tampered_copies_do_not() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/vectors");
    let mut ran = 0;
    for file in fs::read_dir(folder).expect("the vectors are there") {
        let path = file.expect("the folder can be read").path();
        let text = fs::read_to_string(&path).expect("the vectors can be read");
        let vectors: Vec<Vector> = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        for vector in &vectors {
            let result = run(vector, Clock::default().now());
            assert_eq!(result.failure, None, "{path:?}: {}", result.provider);
            assert!(result.refused > 0, "{path:?}: {}: nothing was tampered with", result.provider);
            ran += 1;
        }
    }
    assert!(ran >= 50, "{ran} vectors");
}

/// The published challenge, changed.
fn challenge(change: impl FnOnce(&mut serde_json::Value)) -> hookport::provider::vectors::Ran {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/vectors/handshakes.json");
    let text = fs::read_to_string(file).expect("the vectors can be read");
    let mut vector = serde_json::from_str::<serde_json::Value>(&text).expect("JSON")[0].take();
    change(&mut vector);
    run(&serde_json::from_value(vector).expect("a vector"), Clock::default().now())
}

#[test]
fn a_handshake_holds_if_it_is_answered_as_expected_and_otherwise_with_another_secret() {
    let ran = challenge(|_| ());
    assert_eq!((ran.failure, ran.refused), (None, 2), "another body and another secret");
    let ran = challenge(|vector| vector["expected_response"] = "integration_public_key|00".into());
    assert_eq!(ran.failure.as_deref(), Some("answered otherwise than expected_response says"));
    let ran = challenge(|vector| vector["tamper"] = serde_json::json!(["replace:20f9f8ed:20f9f8ee", "body", "url"]));
    assert_eq!((ran.failure, ran.refused), (None, 4));
    // Whatever the secret is, the answer is the same.
    let ran = challenge(|vector| {
        vector["scheme"]["handshake"][0]["respond"]["body"] = "${query:bt_challenge}".into();
        vector["expected_response"].take();
    });
    assert_eq!(ran.failure.as_deref(), Some("accepted with another secret"));
    let ran = challenge(|vector| vector["request"]["method"] = "POST".into());
    assert_eq!(ran.failure.as_deref(), Some("refused: no handshake of the scheme answers it"));
}
