//! Where a template's bytes come from: `header:x-signature`, `json:/event`, `secret:main`, ...

use std::fmt;
use std::str::FromStr;

use hyper::header::HeaderName;

use super::json::pointer;

/// A source of bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The body as received.
    Body,
    /// The method, upper case.
    Method,
    /// The configured public URL's origin and the target.
    Url,
    /// Path and query as received, behind the public URL's own path.
    UrlTarget,
    /// The path alone.
    UrlPath,
    /// A header's value.
    Header(HeaderName),
    /// Headers that are numbered from 1, by what their names begin with: as many texts.
    HeaderSeq(String),
    /// A query parameter, decoded.
    Query(String),
    /// A form field of the body, decoded.
    Form(String),
    /// What an element of an XML body says, by its path below the root.
    Xml(Vec<String>),
    /// A value of a JSON body.
    Json(Vec<String>),
    /// A value of the whole request's body as a JSON document, whatever `json:` is relative to.
    Envelope(Vec<String>),
    /// A part of the signature header.
    Sig(String),
    /// A claim of the token that is the signature, at its top level.
    Claim(String),
    /// A secret of the source.
    Secret(String),
    /// A setting of the source.
    Config(String),
    /// A named byte string of the description.
    Let(String),
    /// A value of an operation's input: its text, or the value as JSON.
    Input {
        /// A JSON pointer's steps.
        steps: Vec<String>,
        /// As JSON, number texts as given.
        json: bool,
    },
    /// A name that only this template has: `now`, `nonce`, `ack`, `mac`, `status`, `k`, `v`.
    Own(&'static str),
}

/// Every way to begin a source, for complaints.
pub const PLACES: &[&str] = &[
    "body",
    "method",
    "url",
    "url.target",
    "url.path",
    "header:",
    "header_seq:",
    "query:",
    "form:",
    "xml:",
    "json:/",
    "envelope:/",
    "sig:",
    "jwt:",
    "secret:",
    "config:",
    "let:",
];

impl Place {
    /// Where it stands in the document, as a JSON pointer's steps.
    pub(super) fn pointer(&self) -> Option<Vec<String>> {
        match self {
            Self::Json(steps) | Self::Xml(steps) => Some(steps.clone()),
            Self::Form(name) => Some(vec![name.clone()]),
            _ => None,
        }
    }

    /// Whether it lies in the event's own document, which every event of a batch has for itself.
    pub(super) fn in_document(&self) -> bool {
        matches!(self, Self::Body | Self::Json(_) | Self::Form(_) | Self::Xml(_))
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, name) = text.split_once(':').map_or((text, None), |(kind, name)| (kind, Some(name)));
        let name = name.filter(|name| !name.is_empty()).map(str::to_owned);
        Ok(match (kind, name) {
            ("body", None) => Self::Body,
            ("method", None) => Self::Method,
            ("url", None) => Self::Url,
            ("url.target", None) => Self::UrlTarget,
            ("url.path", None) => Self::UrlPath,
            ("secret", None) => Self::Secret("main".into()),
            ("header", Some(name)) if name.contains('|') => return Err(format!("{name:?} is not a header's name")),
            ("header", Some(name)) => {
                Self::Header(name.to_ascii_lowercase().parse().map_err(|_| format!("{name:?} is not a header's name"))?)
            }
            ("header_seq", Some(name)) => match numbered(&name, 1) {
                Some(_) => Self::HeaderSeq(name.to_ascii_lowercase()),
                None => return Err(format!("{name:?} is not what a header's name begins with")),
            },
            ("query", Some(name)) => Self::Query(name),
            ("form", Some(name)) => Self::Form(name),
            ("xml", Some(name)) => Self::Xml(elements(&name)?),
            ("json", Some(name)) => Self::Json(steps(&name)?),
            ("envelope", Some(name)) => Self::Envelope(steps(&name)?),
            ("sig", Some(name)) => Self::Sig(name),
            ("jwt", Some(name)) => Self::Claim(name),
            ("secret", Some(name)) => Self::Secret(name),
            ("config", Some(name)) => Self::Config(name),
            ("let", Some(name)) => Self::Let(name),
            ("input", None) => Self::Input { steps: Vec::new(), json: false },
            ("input", Some(name)) => {
                let steps = pointer(&name).ok_or(format!("{name:?} is not a JSON pointer: it begins with /"))?;
                Self::Input { steps, json: false }
            }
            ("now", None) => Self::Own("now"),
            ("ack", None) => Self::Own("ack"),
            ("mac", None) => Self::Own("mac"),
            ("nonce", None) => Self::Own("nonce"),
            ("status", None) => Self::Own("status"),
            ("k", None) => Self::Own("k"),
            ("v", None) => Self::Own("v"),
            _ => return Err(format!("{text:?} is not a source; sources are {}", PLACES.join(", "))),
        })
    }
}

fn steps(text: &str) -> Result<Vec<String>, String> {
    pointer(text).ok_or(format!("{text:?} is not a JSON pointer: it begins with /"))
}

fn elements(text: &str) -> Result<Vec<String>, String> {
    let path: Vec<String> = text.split('/').map(str::to_owned).collect();
    match path.iter().all(|name| !name.is_empty() && !name.contains([':', '|'])) {
        true => Ok(path),
        false => Err(format!("{text:?} is not a path of elements below the root: sign or order/sign")),
    }
}

/// The header of that number.
pub(super) fn numbered(prefix: &str, number: usize) -> Option<HeaderName> {
    format!("{prefix}{number}").to_ascii_lowercase().parse().ok()
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body => f.write_str("body"),
            Self::Method => f.write_str("method"),
            Self::Url => f.write_str("url"),
            Self::UrlTarget => f.write_str("url.target"),
            Self::UrlPath => f.write_str("url.path"),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::HeaderSeq(name) => write!(f, "header_seq:{name}"),
            Self::Query(name) => write!(f, "query:{name}"),
            Self::Form(name) => write!(f, "form:{name}"),
            Self::Xml(path) => write!(f, "xml:{}", path.join("/")),
            Self::Json(steps) => write!(f, "json:/{}", steps.join("/")),
            Self::Envelope(steps) => write!(f, "envelope:/{}", steps.join("/")),
            Self::Sig(name) => write!(f, "sig:{name}"),
            Self::Claim(name) => write!(f, "jwt:{name}"),
            Self::Secret(name) => write!(f, "secret:{name}"),
            Self::Config(name) => write!(f, "config:{name}"),
            Self::Let(name) => write!(f, "let:{name}"),
            Self::Input { steps, .. } if steps.is_empty() => f.write_str("input"),
            Self::Input { steps, .. } => write!(f, "input:/{}", steps.join("/")),
            Self::Own(name) => f.write_str(name),
        }
    }
}
