//! # S-Gate virtual bank
//!
//! Callbacks about customers, payment orders and received transfers,
//! <https://docs.sgate.sa/en/payoutApi/notification/notification.html>.
//! What it is, how it signs and which fields it encrypts is in `provider.toml`; here is what it says.

#![forbid(unsafe_code)]

use hookport_plugin_api::prelude::*;
use hookport_plugin_api::serde_json::Number;

export_provider!(
    "../provider.toml",
    decode = callback,
    samples = [
        "../fixtures/a_customer_status_change_is_accepted.http",
        "../fixtures/a_payment_order_is_accepted.http",
        "../fixtures/a_received_transfer_is_accepted.http",
    ],
);

fn callback(request: &Request<'_>, events: &mut Events<'_>) -> Result<(), DecodeError> {
    match events.declared_type() {
        "CUSTOM_STATUS_CHANGE" => events.push_typed::<Callback<'_, Customer<'_>>>(request.json()?),
        "SALARY_STATUS_CHANGE" => events.push_typed::<Callback<'_, PaymentOrder<'_>>>(request.json()?),
        "RECEIVING_TRANS_NOTIFICATION" => events.push_typed::<Callback<'_, ReceivedTransfer<'_>>>(request.json()?),
        _ => events.push_as_received(request),
    }
}

/// What every callback has besides what `provider.toml` reads.
#[derive(Deserialize)]
pub struct Callback<'a, T> {
    /// "array" in the document, an object in every example.
    pub data: Option<T>,
    /// The event's name, which tells what `data` is.
    pub event: Option<Cow<'a, str>>,
}

/// A customer: `CUSTOM_STATUS_CHANGE`. Encrypted fields are base64, or empty where not set.
#[derive(Deserialize)]
pub struct Customer<'a> {
    /// S-Gate's id.
    #[serde(borrow)]
    pub customid: Option<Cow<'a, str>>,
    /// The merchant's id.
    pub mercustomid: Option<Cow<'a, str>>,
    /// The name in English.
    pub name_e: Option<Cow<'a, str>>,
    /// The name in Arabic.
    pub name_a: Option<Cow<'a, str>>,
    /// The identity card's number, encrypted.
    pub identity: Option<Cow<'a, str>>,
    /// The identity card's picture, encrypted.
    pub identitypic: Option<Cow<'a, str>>,
    /// The signature's picture, encrypted.
    pub signpic: Option<Cow<'a, str>>,
    /// The bank.
    pub bankname: Option<Cow<'a, str>>,
    /// The bank's code.
    pub bankcode: Option<Cow<'a, str>>,
    /// The bank card, encrypted.
    pub cardno: Option<Cow<'a, str>>,
    /// The IBAN.
    pub ibanaccount: Option<Cow<'a, str>>,
    /// The STC Pay account, encrypted.
    pub stcaccount: Option<Cow<'a, str>>,
    /// 0: pending, 1: normal, 2: rejected, 3: banned, 4: incomplete.
    pub status: Option<i64>,
    /// Text, and in the document's example a date.
    pub statusdesc: Option<Cow<'a, str>>,
    /// Names of fields that are wanted.
    pub demand_perfection: Option<Vec<Cow<'a, str>>>,
    /// Seconds since 1970.
    pub created_at: Option<i64>,
    /// Seconds since 1970.
    pub updated_at: Option<i64>,
}

/// A payment order: `SALARY_STATUS_CHANGE`.
#[derive(Deserialize)]
pub struct PaymentOrder<'a> {
    /// The order.
    #[serde(borrow)]
    pub ticketid: Option<Cow<'a, str>>,
    /// The merchant's key of it.
    pub key: Option<Cow<'a, str>>,
    /// S-Gate's id of the customer.
    pub customid: Option<Cow<'a, str>>,
    /// The merchant's id of the customer.
    pub mercustomid: Option<Cow<'a, str>>,
    /// Who is paid.
    pub payeeuid: Option<Cow<'a, str>>,
    /// Of the amounts.
    pub currency: Option<Cow<'a, str>>,
    /// How.
    pub paymentmethod: Option<Cow<'a, str>>,
    /// Ordered.
    pub amount: Option<Number>,
    /// Paid.
    pub realamount: Option<Number>,
    /// Charged.
    pub fee: Option<Number>,
    /// 0: pending, 1: transferred, 2: error, 3: processing, 4: approved.
    pub status: Option<i64>,
    /// Text of the status.
    pub statusdesc: Option<Cow<'a, str>>,
    /// The customer, with encrypted fields.
    pub custominfo: Option<Customer<'a>>,
    /// Seconds since 1970.
    pub created_at: Option<i64>,
    /// Seconds since 1970.
    pub updated_at: Option<i64>,
}

/// Money came in on a virtual account: `RECEIVING_TRANS_NOTIFICATION`.
#[derive(Deserialize)]
pub struct ReceivedTransfer<'a> {
    /// The transfer.
    #[serde(borrow)]
    pub uuid: Option<Cow<'a, str>>,
    /// In Riyadh, without a zone.
    pub transactiontime: Option<Cow<'a, str>>,
    /// The virtual account.
    pub account: Option<Cow<'a, str>>,
    /// Received.
    pub amount: Option<Number>,
    /// Of the amount.
    pub currency: Option<Cow<'a, str>>,
    /// Who sent it.
    pub exchangeinfo: Option<Sender<'a>>,
}

/// Who sent a transfer.
#[derive(Deserialize)]
pub struct Sender<'a> {
    /// The sender's name.
    #[serde(borrow)]
    pub custname: Option<Cow<'a, str>>,
    /// The sender's account.
    pub custacc: Option<Cow<'a, str>>,
    /// The sender's bank.
    pub bankbic: Option<Cow<'a, str>>,
    /// The bank's reference.
    pub channelreference: Option<Cow<'a, str>>,
    /// What the sender wrote.
    pub paymentremarks: Option<Cow<'a, str>>,
}
