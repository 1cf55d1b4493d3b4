//! # Courier
//!
//! Parcels that were scanned. The carrier signs every field by its path, sorted; what it signs is written here, with which key and
//! how it is compared is the gateway's.

#![forbid(unsafe_code)]

mod signed;

use hookport_plugin_api::prelude::*;

#[cfg(not(feature = "next"))]
export_provider!(
    "../provider.toml",
    decode = scan,
    canonicalize = signed::text,
    samples = ["../fixtures/delivered.http"],
);
#[cfg(feature = "next")]
export_provider!("../next.toml", decode = scan, canonicalize = signed::text, samples = ["../fixtures/delivered.http"],);

/// What we know of the fields.
#[derive(Deserialize)]
struct Scan<'a> {
    #[serde(borrow)]
    parcel: Cow<'a, str>,
    grams: Option<u32>,
}

fn scan(request: &Request<'_>, events: &mut Events<'_>) -> Result<(), DecodeError> {
    let check = |scan: &Scan<'_>, warnings: &mut Vec<String>| {
        if !scan.parcel.starts_with("CR") {
            warnings.push(format!("parcel {} is none of this carrier", scan.parcel));
        }
        if cfg!(feature = "next") && scan.grams.is_none() {
            warnings.push("no weight".into());
        }
    };
    events.push_checked(request.json()?, check)
}
