//! `[[headers]]`: what a request's headers must look like before anything else is asked of it.

use hookport_plugin_api::description::HeaderRule;
use hyper::header::{HeaderMap, HeaderName};
use regex::Regex;

use crate::reason::{Reason, Rejection};

/// A compiled rule.
pub struct HeaderCheck {
    name: HeaderName,
    rule: HeaderRule,
    pattern: Option<Regex>,
}

impl HeaderCheck {
    /// Compiles one.
    pub fn compile(rule: &HeaderRule) -> Result<Self, String> {
        let name =
            rule.name.to_ascii_lowercase().parse().map_err(|_| format!("{:?} is not a header's name", rule.name))?;
        let pattern = rule.pattern.as_ref().map(|pattern| Regex::new(&format!("^(?:{pattern})$"))).transpose();
        Ok(Self { name, rule: rule.clone(), pattern: pattern.map_err(|error| format!("pattern: {error}"))? })
    }

    /// Checks one request's headers; the value is never part of the refusal.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), Rejection> {
        let mut values = headers.get_all(&self.name).iter();
        let refuse = |reason, what: String| Err(Rejection::new(reason, format!("header {}: {what}", self.rule.name)));
        let Some(value) = values.next() else {
            return if self.rule.required { refuse(Reason::HeaderMissing, "missing".into()) } else { Ok(()) };
        };
        if values.next().is_some() {
            return refuse(Reason::HeaderMismatch, "sent more than once".into());
        }
        let Ok(text) = std::str::from_utf8(value.as_bytes()) else {
            return refuse(Reason::HeaderMismatch, "not UTF-8".into());
        };
        if let Some(wanted) = &self.rule.media_type {
            let sent = text.split(';').next().unwrap_or_default().trim();
            if !sent.eq_ignore_ascii_case(wanted) {
                return refuse(Reason::MediaType, format!("not {wanted}"));
            }
        }
        match &self.rule {
            rule if rule.max_len.is_some_and(|max| text.chars().count() > max) => {
                refuse(Reason::HeaderMismatch, format!("longer than {} characters", rule.max_len.unwrap_or_default()))
            }
            rule if rule
                .one_of
                .as_ref()
                .is_some_and(|known| !known.iter().any(|known| known.eq_ignore_ascii_case(text))) =>
            {
                refuse(
                    Reason::HeaderMismatch,
                    format!("not one of {}", rule.one_of.as_deref().unwrap_or_default().join(", ")),
                )
            }
            rule if self.pattern.as_ref().is_some_and(|pattern| !pattern.is_match(text)) => refuse(
                Reason::HeaderMismatch,
                format!("does not match {}", rule.pattern.as_deref().unwrap_or_default()),
            ),
            _ => Ok(()),
        }
    }
}
