//! `sign = "verify"`: a provider's `[[verify]]` and `[timestamp]` run backwards, so that one declaration verifies and signs.

use hookport_plugin_api::description::{Description, Now, Parse, Set, Sign, Verify};

use super::super::algorithm::{self, KeyKind};
use super::super::place::Place;

/// A table that signs, and the part of the signature's own text that is its time.
pub(super) type Reversed = (Sign, Option<String>);

/// The tables of `[[verify]]` as tables that sign; why one cannot comes with its place in the list.
pub(super) fn reverse(description: &Description) -> Result<Vec<Reversed>, String> {
    if description.verify.is_empty() {
        return Err("there is no [[verify]] to sign by; write [[sign]]".into());
    }
    let tables = description.verify.iter().enumerate();
    tables.map(|(index, table)| table_of(description, table).map_err(|why| format!("verify.{index} {why}"))).collect()
}

fn table_of(description: &Description, table: &Verify) -> Result<Reversed, String> {
    let kind = algorithm::named(&table.alg).map(|algorithm| algorithm.key);
    match kind {
        _ if table.alg == "none" => return Err("proves nothing, so nothing is signed by it".into()),
        Some(KeyKind::Public) => {
            return Err("is signed by the provider's private key; write [[sign]] with a private key of yours".into());
        }
        _ => {}
    }
    let to = table.from.first().cloned().unwrap_or_default();
    if to.contains('|') {
        return Err(format!("has its signature in {to}, which filters read; write [[sign]]"));
    }
    let (now, place) = match &description.timestamp {
        Some(time) => {
            let format = time.format.first().cloned().unwrap_or_else(|| "unix_s".into());
            (Some(Now { format, offset: None }), Some(time.from.clone()))
        }
        None => (None, None),
    };
    let part = place.as_deref().and_then(|place| place.strip_prefix("sig:")).map(str::to_owned);
    let stamp = place.filter(|_| part.is_none()).map(|place| {
        // A JSON time is a number where it counts, and a text where it is written out.
        let counts = now.as_ref().is_some_and(|now| now.format.starts_with("unix_"));
        let json = counts && matches!(place.parse(), Ok(Place::Json(_)));
        (place, if json { Set::Json("${now}".into()) } else { Set::Text("${now}".into()) })
    });
    let sign = Sign {
        when: table.when.clone(),
        alg: table.alg.clone(),
        key: table.key.clone(),
        message: table.message.clone(),
        encoding: table.encoding.first().cloned(),
        form: table.form.first().cloned(),
        user_id: table.user_id.first().cloned(),
        prefix: Some(before(table, part.as_deref())?),
        value: None,
        to,
        set: stamp.into_iter().collect(),
        now,
        nonce: None,
    };
    Ok((sign, part))
}

/// What stands in front of the signature: `t=${now},v1=`.
fn before(table: &Verify, part: Option<&str>) -> Result<String, String> {
    let prefix = table.prefix.clone().unwrap_or_default();
    let (sep, kv) = match table.parse {
        Parse::Tagged => (" ", ","),
        Parse::Pairs => ("&", "|"),
        _ => (",", "="),
    };
    let (sep, kv) = (table.sep.as_deref().unwrap_or(sep), table.kv.as_deref().unwrap_or(kv));
    match (table.parse, part) {
        (Parse::Raw | Parse::List, None) => Ok(prefix),
        (Parse::Kv | Parse::Tagged | Parse::Pairs, part) => {
            let stamp = part.map(|part| format!("{part}{kv}${{now}}{sep}")).unwrap_or_default();
            Ok(format!("{stamp}{}{kv}{prefix}", table.pick.as_deref().unwrap_or("v1")))
        }
        (Parse::Positional, Some("0")) if table.pick.as_deref() == Some("1") => Ok(format!("${{now}}{sep}{prefix}")),
        (Parse::Positional, None) if table.pick.as_deref().is_none_or(|pick| pick == "0") => Ok(prefix),
        _ => Err("has its time and its signature in a text that cannot be written backwards; write [[sign]]".into()),
    }
}
