//! Why there is no answer, in words that say what to do about it.

use std::error::Error;
use std::io;
use std::time::Duration;

use hyper_util::client::legacy;
use rustls::CertificateError;

use super::connect::TooSlow;
use super::guard::Refused;

/// Why there is no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SendError {
    /// Name resolution, TCP and TLS took too long.
    #[error("no connection within {0:?}")]
    Connect(Duration),
    /// The connection was there, and nothing came back.
    #[error("no answer began within {0:?}")]
    FirstByte(Duration),
    /// It took too long in all.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// An address that may not be connected to.
    #[error("{0}")]
    Refused(String),
    /// Name, address, connection, TLS or protocol.
    #[error("{0}")]
    Connection(String),
}

impl From<legacy::Error> for SendError {
    fn from(error: legacy::Error) -> Self {
        if let Some(TooSlow(limit)) = among_causes(&error) {
            return Self::Connect(*limit);
        }
        if among_causes::<Refused>(&error).is_some() {
            return Self::Refused(words(&error));
        }
        let words = words(&error);
        match among_causes(&error).and_then(advice).or_else(|| about_alert(&words)) {
            Some(advice) => Self::Connection(format!("{words}: {advice}")),
            None => Self::Connection(words),
        }
    }
}

/// What an operator can do about an error, where it is one of TLS.
pub fn tls_advice(error: &(dyn Error + 'static)) -> Option<&'static str> {
    among_causes(error).and_then(advice)
}

/// The first cause of a kind. An I/O error does not count what it was made of among its causes, so it is looked into.
fn among_causes<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        cause = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

/// The whole chain below the client's own error, which says little; a cause that repeats the one before is left out.
fn words(error: &legacy::Error) -> String {
    let mut cause = error.source();
    let mut words = cause.map_or_else(|| error.to_string(), ToString::to_string);
    while let Some(error) = cause {
        let more = error.to_string();
        if !words.ends_with(&more) {
            words = format!("{words}: {more}");
        }
        cause = error.source();
    }
    words
}

/// What an operator can do about a failure of TLS.
fn advice(error: &rustls::Error) -> Option<&'static str> {
    use CertificateError as Certificate;
    Some(match error {
        rustls::Error::InvalidCertificate(why) => match why {
            Certificate::UnknownIssuer | Certificate::BadSignature => {
                "nobody trusted here signed the server's certificate; an authority of your own is named with `ca`"
            }
            Certificate::Expired | Certificate::ExpiredContext { .. } => "the server's certificate must be renewed",
            Certificate::NotValidYet | Certificate::NotValidYetContext { .. } => {
                "the server's certificate is of the future, or this machine's clock is behind"
            }
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. } => {
                "the server's certificate is for another name than the one in `url`"
            }
            Certificate::Revoked => "the server's certificate was revoked",
            Certificate::InvalidPurpose | Certificate::InvalidPurposeContext { .. } => {
                "the server's certificate was not made for servers"
            }
            Certificate::BadEncoding => "what the server shows is no certificate that can be read",
            // What is wrong with the chain itself is told by the verifier's own words alone.
            Certificate::Other(why) => return about_chain(&why.to_string()),
            _ => return None,
        },
        rustls::Error::InvalidMessage(_) => {
            "the server does not speak TLS there: is the port right, or is it http:// ?"
        }
        rustls::Error::PeerIncompatible(_) => {
            "the server offers neither TLS 1.2 nor 1.3 with a cipher that is still safe"
        }
        _ => return None,
    })
}

/// What is wrong with a chain of certificates, by the name that the verifier has for it.
fn about_chain(why: &str) -> Option<&'static str> {
    let name = why.split(|c: char| !c.is_ascii_alphanumeric()).next()?;
    Some(match name.trim_end_matches("Context") {
        "CaUsedAsEndEntity" => {
            "the server shows the certificate of an authority as its own: give it one that says CA:FALSE, signed by that \
             authority, and name the authority with `ca`"
        }
        "EndEntityUsedAsCa" => {
            "the server's certificate was signed by one that may sign none (CA:FALSE): name the real authority with `ca`"
        }
        "PathLenConstraintViolated" => "there are more authorities in the server's chain than the first one allows",
        "NameConstraintViolation" => "the server's authority may not sign for the name in `url`",
        "UnsupportedCertVersion" => "the server's certificate is not of version 3: make it anew",
        "UnsupportedSignatureAlgorithm" | "UnsupportedSignatureAlgorithmForPublicKey" => {
            "the server's certificate is signed in a way that is no longer safe: make it anew with SHA-256"
        }
        _ => return None,
    })
}

/// What the server meant by its alert. It may come with the answer, and then HTTP/2 hands on nothing but its text.
fn about_alert(words: &str) -> Option<&'static str> {
    let (_, alert) = words.split_once("received fatal alert: ")?;
    let name = alert.split(|c: char| !c.is_ascii_alphanumeric()).next()?;
    Some(match name {
        "CertificateRequired" => "the server asks who calls: name a certificate with `client_cert`",
        "BadCertificate"
        | "UnknownCA"
        | "AccessDenied"
        | "CertificateExpired"
        | "CertificateRevoked"
        | "CertificateUnknown"
        | "DecryptError"
        | "UnsupportedCertificate" => {
            "the server does not accept the certificate in `client_cert`, or that there is none"
        }
        "HandshakeFailure" => "the server wants something else, perhaps a certificate: `client_cert` names one",
        "ProtocolVersion" => "the server offers neither TLS 1.2 nor 1.3",
        _ => return None,
    })
}
