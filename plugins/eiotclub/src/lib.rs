//! # eIoTClub
//!
//! Card and eSIM notifications, <https://s.apifox.cn/166a9792-0aaf-4d87-a524-2279ef4788bd/>.
//! What it is, where it calls and how it signs is in `provider.toml`; here is what it says.

#![forbid(unsafe_code)]

use hookport_plugin_api::prelude::*;

export_provider!(
    "../provider.toml",
    decode = notification,
    samples = [
        "../fixtures/a_stopped_card_is_accepted.http",
        "../fixtures/a_flow_alert_is_accepted.http",
        "../fixtures/a_nested_object_is_signed_compact_whatever_its_white_space.http",
        "../fixtures/a_refund_is_accepted.http",
    ],
);

fn notification(request: &Request<'_>, events: &mut Events<'_>) -> Result<(), DecodeError> {
    match events.declared_type() {
        "CardStopped" => events.push_checked(request.json()?, CardStopped::check)?,
        "CloudESimFlowAlert" => events.push_checked(request.json()?, FlowAlert::check)?,
        "CloudESimPkgActivate" => events.push_typed::<PackageActivated<'_>>(request.json()?)?,
        "CloudESimRefund" => events.push_checked(request.json()?, Refund::check)?,
        // FlowAlert, SubPkgList, PkgEffective, CloudESimSubPkgList: published by name only, and whatever comes next.
        _ => events.push_as_received(request)?,
    }
    match request.json::<Envelope>() {
        Ok(Envelope { nonce: Some(nonce) }) if !(10_000..=99_999).contains(&nonce) => {
            events.warn(format!("nonce is documented as 10000 to 99999, not {nonce}"));
        }
        Ok(_) => {}
        Err(error) => events.warn(format!("nonce: {error}")),
    }
    Ok(())
}

/// What every notification has besides what `provider.toml` reads.
#[derive(Deserialize)]
pub struct Envelope {
    /// Five digits, at random.
    pub nonce: Option<i64>,
}

/// A card is offline and has no other package.
#[derive(Deserialize)]
pub struct CardStopped<'a> {
    /// The card.
    #[serde(borrow)]
    pub iccid: Option<Cow<'a, str>>,
}

impl CardStopped<'_> {
    fn check(&self, warnings: &mut Vec<String>) {
        if self.iccid.is_none() {
            warnings.push("iccid is documented as required".into());
        }
    }
}

/// A cloud eSIM runs low.
#[derive(Deserialize)]
pub struct FlowAlert<'a> {
    /// The eSIM.
    #[serde(borrow)]
    pub eid: Option<Cow<'a, str>>,
    /// 1: under 100 MB left, 2: under 10 % left, 3: under 7 days left.
    pub alert_type: Option<i64>,
    /// What is left.
    pub alert_value: Option<Cow<'a, str>>,
}

impl FlowAlert<'_> {
    fn check(&self, warnings: &mut Vec<String>) {
        match self.alert_type {
            Some(1..=3) | None => {}
            Some(other) => warnings.push(format!("alert_type is documented as 1 to 3, not {other}")),
        }
    }
}

/// A package of a cloud eSIM changed its state.
#[derive(Deserialize)]
pub struct PackageActivated<'a> {
    /// The package.
    #[serde(borrow)]
    pub data: Option<Package<'a>>,
}

/// A package, as far as its published list of fields can be read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Package<'a> {
    /// Its name.
    #[serde(borrow)]
    pub package_name: Option<Cow<'a, str>>,
    /// Its code.
    pub package_code: Option<Cow<'a, str>>,
    /// 0: waiting, 1: in use, 2: finished.
    pub state: Option<i64>,
    /// Its name on the official account.
    pub gzh_package_name: Option<Cow<'a, str>>,
}

/// An order was paid back.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refund<'a> {
    /// The order, at most 32 characters.
    #[serde(borrow)]
    pub out_trade_no: Option<Cow<'a, str>>,
    /// With two decimals.
    pub order_amount: Option<Cow<'a, str>>,
    /// With two decimals.
    pub refund_amount: Option<Cow<'a, str>>,
    /// The eSIM.
    pub eid: Option<Cow<'a, str>>,
    /// The shop's number of the order.
    pub eshop_order_id: Option<i64>,
}

impl Refund<'_> {
    fn check(&self, warnings: &mut Vec<String>) {
        if self.out_trade_no.as_ref().is_some_and(|number| number.chars().count() > 32) {
            warnings.push("outTradeNo is documented as at most 32 characters".into());
        }
    }
}
