//! Standard Webhooks signatures: what proves to a destination that a delivery is ours.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use zeroize::Zeroizing;

/// The keys of one destination, set up once; each gives a signature.
#[derive(Clone)]
pub(super) struct Signer(Vec<Hmac<Sha256>>);

/// A secret that cannot be a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// It announces base64 and is not.
    #[error("a secret that begins with `whsec_` must go on in base64")]
    NotBase64,
    /// Nothing is no secret.
    #[error("a secret must not be empty")]
    Empty,
}

impl Signer {
    /// Takes secrets as `whsec_<base64>` or as plain text.
    pub(super) fn new(secrets: &[SecretString]) -> Result<Self, SecretError> {
        secrets.iter().map(|secret| key(secret.expose_secret())).collect::<Result<_, _>>().map(Self)
    }

    /// Whether there is a secret to sign with.
    pub(super) fn signs(&self) -> bool {
        !self.0.is_empty()
    }

    /// The value of `webhook-signature`: one signature for each secret.
    pub(super) fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let prefix = format!("{id}.{timestamp}.");
        let signatures = self.0.iter().map(|key| {
            let mac = key.clone().chain_update(prefix.as_bytes()).chain_update(body).finalize();
            format!("v1,{}", STANDARD.encode(mac.into_bytes()))
        });
        signatures.collect::<Vec<_>>().join(" ")
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} secrets (hidden)", self.0.len())
    }
}

fn key(secret: &str) -> Result<Hmac<Sha256>, SecretError> {
    let bytes = match secret.strip_prefix("whsec_") {
        Some(encoded) => Zeroizing::new(STANDARD.decode(encoded).map_err(|_| SecretError::NotBase64)?),
        None => Zeroizing::new(secret.as_bytes().to_vec()),
    };
    if bytes.is_empty() {
        return Err(SecretError::Empty);
    }
    Ok(Hmac::new_from_slice(&bytes).expect("HMAC takes keys of any length"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(secrets: &[&str]) -> Result<Signer, SecretError> {
        Signer::new(&secrets.iter().map(|secret| SecretString::from(*secret)).collect::<Vec<_>>())
    }

    /// The example of the Standard Webhooks specification.
    #[test]
    fn the_published_vector_is_met() {
        let signer = signer(&["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]).unwrap();
        assert_eq!(
            signer.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, br#"{"test": 2432232314}"#),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn several_secrets_give_several_signatures() {
        let both = signer(&["plain text", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]).unwrap();
        let first = signer(&["plain text"]).unwrap().sign("a", 1, b"x");
        let second = signer(&["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]).unwrap().sign("a", 1, b"x");
        assert_ne!(first, second);
        assert_eq!(both.sign("a", 1, b"x"), format!("{first} {second}"));
    }

    #[test]
    fn a_secret_that_cannot_be_a_key_is_refused_and_never_shown() {
        assert_eq!(signer(&["whsec_!"]).unwrap_err(), SecretError::NotBase64);
        assert_eq!(signer(&[""]).unwrap_err(), SecretError::Empty);
        assert_eq!(signer(&["whsec_"]).unwrap_err(), SecretError::Empty);
        assert_eq!(format!("{:?}", signer(&["top secret"]).unwrap()), "1 secrets (hidden)");
    }
}
