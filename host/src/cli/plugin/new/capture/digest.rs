//! Which header of a captured request is its signature, how it is written, and with what it may be made.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Header;

/// A header that looks like a signature.
pub(super) struct Signature {
    /// Lower case.
    pub(super) header: String,
    pub(super) way: Way,
}

/// How it is written.
pub(super) enum Way {
    /// A digest behind a prefix, which is mostly empty.
    Whole { prefix: String, digest: Digest },
    /// `t=1,v1=a`: the part that is the digest, and name and value of the one that is the time.
    Parts { pick: String, time: Option<(String, String)>, digest: Digest, others: Vec<(String, String)> },
    /// Nothing that a digest looks like: a shared token.
    Token { prefix: String },
}

/// What a digest's text tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Digest {
    pub(super) encoding: &'static str,
    pub(super) alg: &'static str,
}

/// What a signature's header is called, the likeliest first.
const NAMES: [&str; 8] = ["signature", "hmac", "sign", "digest", "token", "authorization", "secret", "api-key"];

impl Signature {
    /// The likeliest header.
    pub(super) fn find(headers: &[Header<'_>]) -> Option<Self> {
        let named = |part: &&str| headers.iter().find(|(name, _)| name.contains(*part) && !name.contains("type"));
        let (name, value) = NAMES.iter().find_map(named)?;
        Some(Self { header: (*name).to_owned(), way: Way::of(value.trim()) })
    }

    /// Whether it says anything of the body.
    pub(super) fn signs(&self) -> bool {
        !matches!(self.way, Way::Token { .. })
    }

    /// What it is taken for.
    pub(super) fn words(&self) -> String {
        match &self.way {
            Way::Whole { digest, .. } | Way::Parts { digest, .. } => {
                format!("{}, {}, in the header {}; its message is a guess", digest.alg, digest.encoding, self.header)
            }
            Way::Token { .. } => format!("a shared token in the header {}", self.header),
        }
    }

    /// `[secrets.main]` and `[[verify]]`.
    pub(super) fn table(&self, time: Option<&(String, &'static str)>) -> String {
        let slot = "\n[secrets.main]\nabout = \"the webhook's signing secret, from the vendor's console\"\n";
        let from = self.place();
        let prefix = |prefix: &str| match prefix {
            "" => String::new(),
            prefix => format!("prefix = {prefix:?}\n"),
        };
        let message = time.map_or_else(|| "${body}".to_owned(), |(from, _)| format!("${{{from}}}.${{body}}"));
        let made = |digest: &Digest| {
            let Digest { encoding, alg } = digest;
            format!("encoding = \"{encoding}\"\nalg = \"{alg}\"\nmessage = {message:?}\n")
        };
        let table = match &self.way {
            Way::Whole { prefix: before, digest } => format!("{}{}", prefix(before), made(digest)),
            Way::Parts { pick, digest, .. } => format!("parse = \"kv\"\npick = {pick:?}\n{}", made(digest)),
            Way::Token { prefix: before } => format!("{}alg = \"static\"\n", prefix(before)),
        };
        format!("{slot}\n[[verify]]\nfrom = {from:?}\n{table}")
    }

    /// The header without anything that was made with the provider's key.
    pub(super) fn emptied(&self) -> String {
        match &self.way {
            Way::Whole { prefix, .. } | Way::Token { prefix } => format!("{prefix}0"),
            Way::Parts { pick, time, others, .. } => {
                let named = others.iter().map(|(name, _)| format!("{name}=0"));
                let time = time.iter().map(|(name, value)| format!("{name}={value}"));
                time.chain([format!("{pick}=0")]).chain(named).collect::<Vec<_>>().join(",")
            }
        }
    }
}

impl Way {
    fn of(value: &str) -> Self {
        if let Some(digest) = Digest::of(value) {
            return Self::Whole { prefix: String::new(), digest };
        }
        let parts: Option<Vec<_>> = value.split(',').map(|part| part.trim().split_once('=')).collect();
        if let Some(parts) = parts.filter(|parts| parts.len() > 1)
            && let Some((pick, text)) = parts.iter().find(|(_, text)| Digest::of(text).is_some())
            && let Some(digest) = Digest::of(text)
        {
            let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
            let is_time = |(name, text): &&(&str, &str)| name.starts_with('t') && text.len() >= 10;
            let time = parts.iter().find(is_time).map(owned);
            let other = |part: &&(&str, &str)| part.0 != *pick && time.as_ref().is_none_or(|(name, _)| name != part.0);
            let others = parts.iter().filter(other).map(owned).collect();
            return Self::Parts { pick: (*pick).to_owned(), time, digest, others };
        }
        for mark in ['=', ' '] {
            if let Some((before, text)) = value.split_once(mark)
                && let Some(digest) = Digest::of(text)
            {
                return Self::Whole { prefix: format!("{before}{mark}"), digest };
            }
        }
        let prefix = value.split_once(' ').map_or_else(String::new, |(before, _)| format!("{before} "));
        Self::Token { prefix }
    }
}

impl Digest {
    /// By its length.
    fn of(text: &str) -> Option<Self> {
        let hex = text.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(text.len() / 2);
        let (encoding, length) = match hex {
            Some(length) if text.len().is_multiple_of(2) => ("hex", length),
            _ => ("base64", STANDARD.decode(text).ok()?.len()),
        };
        let alg = match length {
            16 if encoding == "hex" => "hmac-md5",
            20 => "hmac-sha1",
            32 => "hmac-sha256",
            48 => "hmac-sha384",
            64 => "hmac-sha512",
            _ => return None,
        };
        Some(Self { encoding, alg })
    }
}
