//! # EVO Cloud
//!
//! Network token and payment notifications of EVO Cloud (everonet.com, evonetonline.com),
//! <https://docs.everonet.com/gateway/developer-portal/>.
//! What it is, where it calls and how it signs is in `provider.toml`; here is what it says.

#![forbid(unsafe_code)]

use hookport_plugin_api::prelude::*;
use serde::de::IgnoredAny;

export_provider!(
    "../provider.toml",
    decode = notification,
    samples = [
        "../fixtures/a_token_update_signed_sha256_is_accepted.http",
        "../fixtures/a_token_update_signed_hmac_sha512_is_accepted.http",
        "../fixtures/an_unknown_event_is_passed_on.http",
    ],
);

fn notification(request: &Request<'_>, events: &mut Events<'_>) -> Result<(), DecodeError> {
    match events.declared_type() {
        "TokenUpdate" => events.push_checked(request.json()?, TokenUpdate::check),
        // Payment, Refund, Capture, Cancel and the others of its API families, published and not.
        _ => events.push_as_received(request),
    }
}

/// A network token changed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenUpdate<'a> {
    /// What was paid with.
    #[serde(borrow)]
    pub payment_method: Option<PaymentMethod<'a>>,
}

impl TokenUpdate<'_> {
    fn check(&self, warnings: &mut Vec<String>) {
        if self.payment_method.as_ref().is_none_or(|method| method.network_token.is_none()) {
            warnings.push("no paymentMethod.networkToken".into());
        }
    }
}

/// A payment method: the card and the network's token for it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentMethod<'a> {
    /// The card behind the token.
    #[serde(borrow)]
    pub card: Option<Card<'a>>,
    /// The token.
    pub network_token: Option<NetworkToken<'a>>,
}

/// A card without its number.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Card<'a> {
    /// When it expires.
    #[serde(borrow)]
    pub expiry_date: Option<Cow<'a, str>>,
    /// The number's first six digits.
    pub first6_no: Option<Cow<'a, str>>,
    /// Credit, debit or prepaid.
    pub funding_type: Option<Cow<'a, str>>,
    /// Whose it is.
    pub holder_name: Option<Cow<'a, str>>,
    /// Whether a company's.
    pub is_commercial: Option<bool>,
    /// The issuer's country.
    pub issuer_country: Option<Cow<'a, str>>,
    /// Who issued it.
    pub issuing_bank: Option<Cow<'a, str>>,
    /// Where it was issued.
    pub issuing_country: Option<Cow<'a, str>>,
    /// The number's last four digits.
    pub last4_no: Option<Cow<'a, str>>,
    /// Visa, Mastercard, UnionPay...
    pub payment_brand: Option<Cow<'a, str>>,
}

/// A network's token for a card.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkToken<'a> {
    /// When it expires.
    #[serde(borrow)]
    pub expiry_date: Option<Cow<'a, str>>,
    /// Its first six digits.
    pub first6_no: Option<Cow<'a, str>>,
    /// Its last four digits.
    pub last4_no: Option<Cow<'a, str>>,
    /// The account behind all tokens of a card.
    pub payment_account_reference: Option<Cow<'a, str>>,
    /// Visa, Mastercard, UnionPay...
    pub payment_brand: Option<Cow<'a, str>>,
    /// An open list: `enable`, `disable` (deleted), `supended` (the vendor's own spelling)...
    pub status: Option<Cow<'a, str>>,
    /// EVO's id of it.
    #[serde(rename = "tokenID")]
    pub token_id: Option<Cow<'a, str>>,
    /// The network's id of it.
    #[serde(rename = "tokenReferenceID")]
    pub token_reference_id: Option<Cow<'a, str>>,
    /// The token itself, of any type: a complaint about it would quote it.
    pub value: Option<IgnoredAny>,
}
