//! A destination's `order_by`: the key of an event there. That those of one key go one after the other is the journal's.

use sha2::{Digest, Sha256};

use super::condition::{Condition, ConditionError, View};
use crate::event::Event;
use crate::journal::OrderKey;

/// A compiled `order_by`.
#[derive(Debug)]
pub struct Order(Condition);

impl Order {
    /// Compiles an expression; every name in it must exist.
    pub fn compile(by: &str) -> Result<Self, ConditionError> {
        Condition::compile(by).map(Self)
    }

    /// The event's key; null and an empty text are none. The error says why nobody can tell.
    pub(super) fn key(&self, event: &Event) -> Result<Option<OrderKey>, String> {
        let text = self.0.text(&View::new(event))?;
        Ok(text.map(|text| {
            let mut key = OrderKey::default();
            key.copy_from_slice(&Sha256::digest(text)[..16]);
            key
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::condition::tests::event;
    use super::*;

    fn key(by: &str) -> Result<Option<OrderKey>, String> {
        Order::compile(by).unwrap().key(&event())
    }

    #[test]
    fn texts_numbers_and_truth_are_keys() {
        let subject = key("event.subject").unwrap();
        assert_eq!(subject, key("'8985'").unwrap());
        assert_eq!(subject, key("8985").unwrap(), "however it is written");
        assert_eq!(key("event.data.amount").unwrap(), key("10").unwrap());
        assert_ne!(key("event.data.rate").unwrap(), key("event.data.amount").unwrap());
        assert!(key("event.data.on").unwrap().is_some());
    }

    #[test]
    fn nothing_is_no_key_and_what_is_none_says_so() {
        assert_eq!(key("event.data.off"), Ok(None));
        assert_eq!(key("''"), Ok(None));
        assert_eq!(key("event.data.missing"), Err("there is no \"missing\"".into()));
        assert!(key("event.data.codes").unwrap_err().starts_with("it gives list"));
    }
}
