//! Text as PostgreSQL takes it: everything but NUL, which JSON may say and HTTP may carry.

use std::borrow::Cow;

use crate::event::{Data, Event, NewEvent};

/// The text with the sign for what cannot be shown in the place of every NUL; filters look for it in the same way.
pub(super) fn kept(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}

/// What an event says, as it is kept; before anything is computed of it.
pub(super) fn clean(event: &mut Event) {
    own(&mut event.kind);
    event.subject.iter_mut().chain(&mut event.provider_id).chain(&mut event.warnings).for_each(own);
    content(&mut event.data);
}

/// The same of one that has no id yet.
pub(super) fn clean_new(event: &mut NewEvent) {
    own(&mut event.kind);
    event.subject.iter_mut().chain(&mut event.provider_id).chain(&mut event.warnings).for_each(own);
    content(&mut event.data);
}

fn content(data: &mut Data) {
    if let Data::Bytes(_, content) = data {
        own(content);
    }
}

fn own(text: &mut String) {
    if let Cow::Owned(kept) = kept(text) {
        *text = kept;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_nul_is_replaced() {
        assert_eq!(kept("a\0b\u{1}é"), "a\u{fffd}b\u{1}é");
        assert!(matches!(kept("plain"), Cow::Borrowed("plain")));
    }
}
