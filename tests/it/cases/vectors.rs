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
    assert!(ran >= 45, "{ran} vectors");
}
