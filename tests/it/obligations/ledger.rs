//! What is owed: every request with its bytes, by account, and whether it was acknowledged.

use std::collections::BTreeMap;

use rand::RngExt;

/// Accounts of one sender; each has an order of its own.
const ACCOUNTS: u64 = 4;

/// One sender's requests.
pub(super) struct Ledger {
    sender: usize,
    next: u64,
    /// The one that has no answer yet; there is never another.
    open: Option<String>,
    pub(super) entries: BTreeMap<String, Entry>,
}

/// One request.
pub(super) struct Entry {
    pub(super) body: Vec<u8>,
    /// The status of its first whole answer.
    pub(super) acknowledged: Option<u16>,
}

/// What a body says of itself.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Said {
    pub(super) id: String,
    pub(super) account: String,
    pub(super) number: u64,
}

impl Ledger {
    pub(super) fn new(sender: usize) -> Self {
        Self { sender, next: 0, open: None, entries: BTreeMap::new() }
    }

    /// What to ask for: what was not answered, or else something new.
    pub(super) fn next(&mut self) -> String {
        let id = self.open.take().unwrap_or_else(|| self.draw());
        self.open = Some(id.clone());
        id
    }

    /// What was not answered.
    pub(super) fn open(&self) -> Option<String> {
        self.open.clone()
    }

    pub(super) fn acknowledged(&mut self, id: &str, status: u16) {
        self.open = None;
        self.entries.get_mut(id).expect("it was drawn").acknowledged = Some(status);
    }

    /// A new request; its body is written as no program writes it a second time.
    fn draw(&mut self) -> String {
        let (sender, number) = (self.sender, self.next);
        self.next += 1;
        let (id, account) = (format!("{sender}-{number}"), format!("{sender}/{}", number % ACCOUNTS));
        let mut chance = rand::rng();
        let space = " ".repeat(chance.random_range(0..4));
        let fill = ["é", "\\u00e9", "\\/", "/", "𝄞", "\\n", "x"][chance.random_range(0..7)];
        let fill = fill.repeat(chance.random_range(0..200));
        let body = format!(
            "{{\"id\":{space}\"{id}\",\"account\":\"{account}\",\"number\":{number},{space}\"type\":\"counted\",\
             \"amount\":10.00,\"e\":1e2,\"fill\":\"{fill}\"{space}}}"
        );
        self.entries.insert(id.clone(), Entry { body: body.into_bytes(), acknowledged: None });
        id
    }
}
