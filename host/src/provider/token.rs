//! JSON Web Tokens in compact form, RFC 7519: what one says, whether it is the one that is meant, and when it holds.
//!
//! The description pins the algorithm; a token's own header may only agree. Keys that a header carries or points to
//! (`jwk`, `x5c`, `jku`, `x5u`) are not looked at. Whose signature it is, is `prove`'s.

use std::time::Duration;

use base64::alphabet;
use jiff::Timestamp;
use subtle::{Choice, ConstantTimeEq};

use super::filter::lenient_base64;
use super::json::{Document, Kind, Value};
use super::signature::Part;
use super::source::Source;
use super::template::Template;
use super::view::View;
use crate::reason::{Reason, Rejection};

/// `[timestamp] from`, where the token's own `nbf` and `exp` are the time and the tolerance is their leeway.
pub(super) const WINDOW: &str = "jwt:nbf/exp";

/// Bytes of a token; the largest that senders put in a header are of a tenth of it.
const MAX_TOKEN: usize = 16 * 1024;

/// The leeway where the description says none: for clocks that are a little off.
const LEEWAY: Duration = Duration::from_secs(60);

/// A token of the algorithm that is meant; nothing of it is proven yet.
pub(super) struct Token<'t> {
    /// Header and claims as received: what is signed.
    pub(super) signed: &'t str,
    pub(super) signature: Vec<u8>,
    /// Which key it says it was signed with.
    pub(super) kid: Option<String>,
    claims: Vec<Claim>,
}

struct Claim {
    name: String,
    text: String,
    /// The elements of a list.
    list: Vec<String>,
}

impl<'t> Token<'t> {
    /// Reads a token that must be signed with the algorithm of this name, `HS256` say.
    pub(super) fn read(text: &'t str, algorithm: &str) -> Result<Self, Rejection> {
        let shapeless = || Rejection::new(Reason::SignatureMismatch, "what stands where the token should be is none");
        if text.len() > MAX_TOKEN {
            let what = format!("the token is longer than {MAX_TOKEN} bytes");
            return Err(Rejection::new(Reason::SignatureMismatch, what));
        }
        let (signed, signature) = text.rsplit_once('.').ok_or_else(shapeless)?;
        let (header, payload) = signed.split_once('.').ok_or_else(shapeless)?;
        let decode = |part: &str| lenient_base64(part.as_bytes(), &alphabet::URL_SAFE).ok_or_else(shapeless);
        let (header, payload) = (decode(header)?, decode(payload)?);
        let kid = kid(&object(&header).ok_or_else(shapeless)?, algorithm)?;
        let claims = object(&payload).ok_or_else(shapeless)?.root().members().filter_map(claim).collect();
        Ok(Self { signed, signature: decode(signature)?, kid, claims })
    }

    /// Every claim as text, for `${jwt:name}`.
    pub(super) fn named(&self) -> Vec<Part<'_>> {
        self.claims.iter().map(|claim| (claim.name.as_str().into(), claim.text.as_str().into())).collect()
    }

    /// The first claim that does not say what it must.
    pub(super) fn unlike<'c>(&self, wanted: &'c [(String, Template)], view: &View<'_>) -> Option<&'c str> {
        let says = |name: &str, text: &[u8]| {
            let claim = self.claims.iter().find(|claim| claim.name == name);
            claim.is_some_and(|claim| claim.says(text).into())
        };
        let unlike = wanted.iter().find(|(name, template)| !template.render(view).is_ok_and(|text| says(name, &text)));
        unlike.map(|(name, _)| name.as_str())
    }
}

impl Claim {
    fn says(&self, wanted: &[u8]) -> Choice {
        let same = |text: &String| text.as_bytes().ct_eq(wanted);
        self.list.iter().map(same).fold(same(&self.text), |found, same| found | same)
    }
}

/// An object without a name that comes twice: two readers would see two tokens.
fn object(json: &[u8]) -> Option<Document<'_>> {
    let document = Document::parse(json).ok()?;
    (document.root().kind() == Kind::Object && document.duplicate_key().is_none()).then_some(document)
}

fn kid(header: &Document<'_>, algorithm: &str) -> Result<Option<String>, Rejection> {
    let member = |name: &str| header.root().at(&[name.to_owned()]);
    let text = |name: &str| member(name).filter(|value| value.kind() == Kind::String).map(Value::text);
    if text("alg").as_deref() != Some(algorithm) {
        return Err(Rejection::new(Reason::Algorithm, format!("the token's header does not name {algorithm}")));
    }
    if member("crit").is_some() {
        let what = "the token's header demands extensions (crit), of which this version knows none";
        return Err(Rejection::new(Reason::SignatureMismatch, what));
    }
    Ok(text("kid").map(Into::into))
}

/// A claim as text: strings without quotes, numbers as written, what has an inside as compact JSON.
fn claim((name, value): (std::borrow::Cow<'_, str>, Value<'_>)) -> Option<Claim> {
    let mut list = Vec::new();
    let text = match value.kind() {
        Kind::Null => return None,
        Kind::Array | Kind::Object => {
            let texts = value.children().filter(|element| element.kind() == Kind::String);
            list.extend(texts.filter(|_| value.kind() == Kind::Array).map(|element| element.text().into_owned()));
            let mut compact = Vec::new();
            value.write_compact(&mut compact);
            String::from_utf8(compact).ok()?
        }
        _ => value.text().into_owned(),
    };
    Some(Claim { name: name.into_owned(), text, list })
}

/// Whether the proven token holds now: `Ok(None)` it does, `Ok(Some)` it does not any more or not yet, `Err` it says
/// no time that can be read, or none where the description wants one.
pub(super) fn in_time(source: &Source, claims: &[Part<'_>], now: Timestamp) -> Result<Option<Rejection>, Rejection> {
    let window = source.provider.window;
    let leeway = if window { source.tolerance } else { LEEWAY };
    let time = |name: &str| match claims.iter().find(|(claim, _)| claim == name) {
        Some((_, text)) => numeric_date(text).map(Some).ok_or_else(|| missing(name, "is not a time")),
        None => Ok(None),
    };
    let (from, until) = (time("nbf")?, time("exp")?);
    if window && until.is_none() {
        return Err(missing("exp", "is missing"));
    }
    let off = |time: Timestamp| now.duration_since(time).unsigned_abs();
    let told = |reason, word: &str, time: Timestamp| {
        let (off, leeway) = (off(time).as_secs(), leeway.as_secs());
        Some(Rejection::new(reason, format!("the token {word} {time}, {off}s off; {leeway}s are tolerated")))
    };
    Ok(match (from, until) {
        (_, Some(until)) if now >= until && off(until) >= leeway => told(Reason::TimestampExpired, "held until", until),
        (Some(from), _) if now < from && off(from) > leeway => told(Reason::TimestampFuture, "holds from", from),
        _ => None,
    })
}

/// A moment at which a token with these claims holds, as far as it says one.
pub(super) fn moment(claims: &[Part<'_>]) -> Option<Timestamp> {
    let time = |name: &str| numeric_date(&claims.iter().find(|(claim, _)| claim == name)?.1);
    time("nbf").or_else(|| time("iat")).or_else(|| time("exp")?.checked_sub(Duration::from_secs(1)).ok())
}

fn missing(name: &str, what: &str) -> Rejection {
    Rejection::new(Reason::TimestampMissing, format!("jwt:{name} {what}"))
}

/// Seconds since 1970, perhaps with decimals.
pub(super) fn numeric_date(text: &str) -> Option<Timestamp> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| seconds.is_finite())?;
    Timestamp::from_second(seconds as i64).ok()
}
