//! The one pass over a JSON text: what serde_json takes is taken, with the place of everything.

use super::text::plain;
use super::{Key, Kind, MAX_DEPTH, Node, NotJson};

/// Reads one document.
pub(super) struct Reader<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    pub(super) nodes: Vec<Node>,
    /// No white space so far, and no name with an escape.
    pub(super) compact: bool,
}

impl Reader<'_> {
    pub(super) fn wrong(&self, what: &'static str) -> NotJson {
        NotJson { at: self.at, what }
    }

    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    pub(super) fn space(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\r' | b'\n') {
            self.at += 1;
            self.compact = false;
        }
    }

    pub(super) fn value(&mut self, key: Key, depth: usize) -> Result<(), NotJson> {
        let (index, start) = (self.nodes.len(), self.at as u32);
        self.nodes.push(Node { kind: Kind::Null, escaped: false, start, end: 0, key, next: 0 });
        let mut escaped = false;
        let kind = match self.peek() {
            b'{' | b'[' if depth == MAX_DEPTH => return Err(self.wrong("nested deeper than 128")),
            b'{' => self.container(b'}', depth).map(|()| Kind::Object),
            b'[' => self.container(b']', depth).map(|()| Kind::Array),
            b'"' => self.string().map(|found| {
                escaped = found;
                Kind::String
            }),
            b'-' | b'0'..=b'9' => self.number().map(|()| Kind::Number),
            b't' => self.word(b"true").map(|()| Kind::Bool),
            b'f' => self.word(b"false").map(|()| Kind::Bool),
            b'n' => self.word(b"null").map(|()| Kind::Null),
            _ => Err(self.wrong("a value was expected")),
        }?;
        let (end, next) = (self.at as u32, self.nodes.len() as u32);
        self.nodes[index] = Node { kind, escaped, start, end, key, next };
        Ok(())
    }

    fn container(&mut self, close: u8, depth: usize) -> Result<(), NotJson> {
        self.at += 1;
        self.space();
        if self.peek() == close {
            self.at += 1;
            return Ok(());
        }
        loop {
            let key = if close == b'}' { self.name()? } else { Key::default() };
            self.value(key, depth + 1)?;
            self.space();
            match self.peek() {
                b',' => self.at += 1,
                byte if byte == close && self.at < self.bytes.len() => break self.at += 1,
                _ => return Err(self.wrong("a comma or the closing bracket was expected")),
            }
            self.space();
        }
        Ok(())
    }

    fn name(&mut self) -> Result<Key, NotJson> {
        let start = self.at as u32;
        if self.peek() != b'"' {
            return Err(self.wrong("a member's name was expected"));
        }
        let escaped = self.string()?;
        let end = self.at as u32;
        self.compact &= !escaped;
        self.space();
        if self.peek() != b':' {
            return Err(self.wrong("a colon was expected"));
        }
        self.at += 1;
        self.space();
        Ok(Key { start, end, escaped })
    }

    /// Whether there is an escape in it.
    fn string(&mut self) -> Result<bool, NotJson> {
        self.at += 1;
        let mut escaped = false;
        loop {
            self.at += plain(&self.bytes[self.at..]);
            match self.bytes.get(self.at) {
                None => return Err(self.wrong("a string does not end")),
                Some(b'"') => break self.at += 1,
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(_) => return Err(self.wrong("a control character in a string")),
            }
        }
        Ok(escaped)
    }

    fn escape(&mut self) -> Result<(), NotJson> {
        self.at += 1;
        match self.peek() {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 1,
            b'u' if self.bytes.len() >= self.at + 5
                && self.bytes[self.at + 1..self.at + 5].iter().all(u8::is_ascii_hexdigit) =>
            {
                self.at += 5;
            }
            _ => return Err(self.wrong("not an escape")),
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), NotJson> {
        if self.peek() == b'-' {
            self.at += 1;
        }
        match self.peek() {
            b'0' => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == b'.' {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), NotJson> {
        let start = self.at;
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        if self.at == start { Err(self.wrong("a digit was expected")) } else { Ok(()) }
    }

    fn word(&mut self, word: &[u8]) -> Result<(), NotJson> {
        if !self.bytes[self.at..].starts_with(word) {
            return Err(self.wrong("a value was expected"));
        }
        self.at += word.len();
        Ok(())
    }
}
