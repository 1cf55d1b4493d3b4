//! # {{name}}
//!
//! What it is, where it calls and how it signs is in `provider.toml`; here is what it says. Signatures are the gateway's to
//! check: there is nothing here that could forget to.

#![forbid(unsafe_code)]

use hookport_plugin_api::prelude::*;

export_provider!("../provider.toml", decode = notification, samples = ["../fixtures/a_payment_is_accepted.http"]);

fn notification(request: &Request<'_>, events: &mut Events<'_>) -> Result<(), DecodeError> {
    match events.declared_type() {
        "payment.succeeded" => events.push_checked(request.json()?, Payment::check),
        // Vendors add events without asking: what nobody knows here passes on with its data.
        _ => events.push_as_received(request),
    }
}

/// What we know of a payment's fields. What is not needed is optional, and text is `Cow`, because senders escape it.
#[derive(Deserialize)]
struct Payment<'a> {
    #[serde(borrow)]
    data: Option<Amount<'a>>,
}

#[derive(Deserialize)]
struct Amount<'a> {
    #[serde(borrow)]
    currency: Option<Cow<'a, str>>,
}

impl Payment<'_> {
    /// What is not as documented is a warning on the event and never a refusal.
    fn check(&self, warnings: &mut Vec<String>) {
        let currency = self.data.as_ref().and_then(|data| data.currency.as_deref());
        if currency.is_some_and(|currency| currency.len() != 3) {
            warnings.push("data.currency is documented as three letters".into());
        }
    }
}
