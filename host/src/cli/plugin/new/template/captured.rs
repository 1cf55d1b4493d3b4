//! # {{name}}
//!
//! What it is, where it calls and how it signs is in `provider.toml`; here is what it says. Signatures are the gateway's to
//! check: there is nothing here that could forget to.

#![forbid(unsafe_code)]

use hookport_plugin_api::prelude::*;

export_provider!("../provider.toml", decode = notification, samples = ["../fixtures/a_captured_request_is_accepted.http"]);

fn notification(request: &Request<'_>, events: &mut Events<'_>) -> Result<(), DecodeError> {
    match events.declared_type() {
        // "payment.succeeded" => events.push_typed::<Payment<'_>>(request.json()?),
        _ => events.push_as_received(request),
    }
}
