//! # OPEN-API: wallets, cards, payees and payments
//!
//! Webhooks of the platform behind <https://ckg2erttlk.apifox.cn/80710336f0>, whose vendor is not named.
//! What it is, where it calls and what must not be shown is in `provider.toml`; here `event_data` is unpacked.

#![forbid(unsafe_code)]

use hookport_plugin_api::prelude::*;
use hookport_plugin_api::serde_json;
use serde::de::IgnoredAny;

export_provider!(
    "../provider.toml",
    decode = notice,
    samples = [
        "../fixtures/an_active_card_is_accepted.http",
        "../fixtures/event_data_that_is_no_json_stays_text.http",
        "../fixtures/an_unknown_event_is_passed_on.http",
    ],
);

/// Puts `event_data`, JSON inside a string, in its place as JSON. What is no JSON stays the text that it is: so does the
/// document's own example.
fn notice(request: &Request<'_>, events: &mut Events<'_>) -> Result<(), DecodeError> {
    let Ok(mut document) = request.fields() else {
        return events.push_as_received(request);
    };
    if let Some(text) = document.text("event_data").map(Cow::into_owned) {
        document.set_json("event_data", &text);
    }
    let mut event = Event::new().json(document.to_json());
    let data = document.get("event_data").map(RawValue::get);
    if let Some(id) = data.and_then(card_id) {
        event = event.subject(id);
    }
    if events.declared_type().starts_with("card.status.") {
        match data.map(serde_json::from_str::<Card<'_>>) {
            Some(Ok(Card { card_id: Some(_), .. })) => {}
            Some(Ok(_)) => event = event.warn("event_data has no card_id"),
            // Not the error itself, which may quote a card number.
            Some(Err(error)) => {
                event = event.warn(format!("event_data is not as documented, column {}", error.column()))
            }
            None => event = event.warn("event_data is documented as required"),
        }
    }
    events.push(event)
}

/// The card, whatever else does not hold.
fn card_id(data: &str) -> Option<String> {
    let fields: Fields<'_> = serde_json::from_str(data).ok()?;
    fields.text("card_id").filter(|id| !id.is_empty()).map(Cow::into_owned)
}

/// A card whose status changed. Dates without a zone; those that are not set are empty.
#[derive(Deserialize)]
pub struct Card<'a> {
    /// The card.
    #[serde(borrow)]
    pub card_id: Option<Cow<'a, str>>,
    /// The order that opened it.
    pub order_id: Option<Cow<'a, str>>,
    /// The order's number at the customer.
    pub out_order_id: Option<Cow<'a, str>>,
    /// The customer's application.
    pub app_id: Option<i64>,
    /// The kind of card.
    pub bin_id: Option<Cow<'a, str>>,
    /// Whose it is.
    pub holder_id: Option<Cow<'a, str>>,
    /// The card's number.
    pub card_no: Option<IgnoredAny>,
    /// In the currency's main unit.
    pub balance: Option<serde_json::Number>,
    /// In the currency's main unit.
    pub limit: Option<serde_json::Number>,
    /// MM/YY.
    pub expiry: Option<Cow<'a, str>>,
    /// The card's security code.
    pub cvv: Option<IgnoredAny>,
    /// The card's PIN.
    pub pin: Option<IgnoredAny>,
    /// Listed under "Card Status", which is not published.
    pub status: Option<i64>,
    /// When it was activated.
    pub use_at: Option<Cow<'a, str>>,
    /// When it was closed.
    pub close_at: Option<Cow<'a, str>>,
    /// When it ends.
    pub end_at: Option<Cow<'a, str>>,
    /// A remark.
    pub mark: Option<Cow<'a, str>>,
}
