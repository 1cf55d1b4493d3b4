//! The declared signed time, set to now and written as the sample writes it.

use jiff::Timestamp;
use jiff::tz::Offset;

use super::super::moment::{self, Format};
use super::super::place::Place;
use super::super::source::Source;
use super::super::template::Lookup;
use super::super::view::{Parsed, View};
use super::{SignError, edit, token};
use crate::request::Incoming;

/// Sets the signed time, where the description declares one; a part of the signature's text is set in `named`.
pub(super) fn stamp(
    source: &Source,
    request: &mut Incoming,
    named: &mut Vec<(String, String)>,
    now: Timestamp,
) -> Result<(), SignError> {
    let Some((place, formats)) = &source.provider.timestamp else { return Ok(()) };
    if matches!(place, Place::Claim(_)) {
        // Set where the token is made.
        return Ok(());
    }
    let old = text(source, request, named, place);
    let text = write(now, &format(old.as_deref(), formats));
    match place {
        Place::Sig(name) => match named.iter_mut().find(|(part, _)| part == name) {
            Some((_, value)) => *value = text,
            None => named.insert(0, (name.clone(), text)),
        },
        place => edit::put(request, place, &text)?,
    }
    Ok(())
}

/// What the place says in the sample.
pub(super) fn text(source: &Source, request: &Incoming, named: &[(String, String)], place: &Place) -> Option<String> {
    if let Place::Claim(name) = place {
        return token::claim(source, request, name);
    }
    let parsed = Parsed::new(request, source.provider.reads);
    let sig: Vec<_> = named.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into())).collect();
    let view = View { sig: &sig, ..source.view(&parsed) };
    view.bytes(place).map(|text| String::from_utf8_lossy(&text).trim().to_owned())
}

/// The declared format that the sample's text is in, else the first.
pub(super) fn format(old: Option<&str>, formats: &[Format]) -> Format {
    let reads = |format: &&Format| old.is_some_and(|old| moment::read(old, std::slice::from_ref(*format)).is_some());
    let guessed = || match old {
        Some(old) if old.len() == 13 && old.bytes().all(|byte| byte.is_ascii_digit()) => Format::UnixMillis,
        Some(old) if old.bytes().any(|byte| !byte.is_ascii_digit()) => Format::Rfc3339,
        _ => Format::UnixSeconds,
    };
    formats.iter().find(reads).or(formats.first()).cloned().unwrap_or_else(guessed)
}

/// A time as a sender writes it, in UTC.
pub(super) fn write(time: Timestamp, format: &Format) -> String {
    format.write(time, Offset::UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_in_every_format() {
        let now = Timestamp::from_second(1_621_994_905).unwrap();
        for name in [
            "unix_s",
            "unix_ms",
            "rfc3339",
            "http_date",
            "%Y%m%d%H%M%S%z",
            "%Y-%m-%dT%H:%M:%SZ%:z",
            "%Y-%m-%d %H:%M:%S",
        ] {
            let format = Format::compile(name).unwrap();
            let text = write(now, &format);
            assert_eq!(moment::read(&text, std::slice::from_ref(&format)), Some(now), "{name}: {text}");
        }
    }

    #[test]
    fn the_samples_own_format_is_kept() {
        let formats = ["rfc3339", "%Y%m%d%H%M%S%z"].map(|name| Format::compile(name).unwrap());
        assert_eq!(format(Some("20240305175825+0800"), &formats), formats[1]);
        assert_eq!(format(Some("soon"), &formats), formats[0]);
        assert_eq!(format(Some("1621994905000"), &[]), Format::UnixMillis);
    }
}
