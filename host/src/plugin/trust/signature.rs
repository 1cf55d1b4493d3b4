//! Ed25519 signatures over a whole file, and their keys. A signature names its key, so that a file that was changed is told
//! from one that somebody unknown signed.

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// The first word of a line.
const WORD: &str = "ed25519";
const PEM: [&str; 2] = ["-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----"];

/// Whose signature it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

/// With what is signed.
pub struct SecretKey(Ed25519KeyPair);

/// A line of a signature's file: the word, the key and the signature, the last two in base64.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// By whom.
    pub key: PublicKey,
    signature: [u8; 64],
}

impl PublicKey {
    /// Reads 32 bytes in base64.
    pub fn read(text: &str) -> Result<Self, String> {
        let bytes = STANDARD.decode(text.trim()).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| {
            "must be an Ed25519 public key: 32 bytes in base64, as `hookport plugin keygen` prints it".into()
        })
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl SecretKey {
    /// A new one, as the text of its file.
    pub fn generate() -> Result<Zeroizing<String>, String> {
        let key = Ed25519KeyPair::generate().and_then(|key| key.to_pkcs8v1());
        let key = key.map_err(|_| "the system has no random numbers for a key")?;
        let text = Zeroizing::new(STANDARD.encode(key.as_ref()));
        Ok(Zeroizing::new(format!("{}\n{}\n{}\n", PEM[0], *text, PEM[1])))
    }

    /// Reads the text of its file: PEM (PKCS#8).
    pub fn read(text: &str) -> Result<Self, String> {
        let wrong = || "is no Ed25519 private key (PEM, PKCS#8); `hookport plugin keygen` makes one".to_owned();
        let inner = text.split_once(PEM[0]).and_then(|(_, rest)| rest.split_once(PEM[1])).map(|(inner, _)| inner);
        let inner: Zeroizing<String> = inner.ok_or_else(wrong)?.split_whitespace().collect::<String>().into();
        let der = Zeroizing::new(STANDARD.decode(inner.as_bytes()).map_err(|_| wrong())?);
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map(Self).map_err(|_| wrong())
    }

    /// Its other half.
    pub fn public(&self) -> Result<PublicKey, String> {
        let bytes = self.0.public_key().as_ref().try_into();
        bytes.map(PublicKey).map_err(|_| "the key has no public half".into())
    }

    /// Signs a file.
    pub fn sign(&self, bytes: &[u8]) -> Result<Signature, String> {
        let signature = self.0.sign(bytes).as_ref().try_into().map_err(|_| "the signature has another length")?;
        Ok(Signature { key: self.public()?, signature })
    }
}

impl Signature {
    /// Every line of a signature's file.
    pub fn read_all(text: &str) -> Result<Vec<Self>, String> {
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        let read: Vec<Self> = lines.map(Self::of_line).collect::<Result<_, _>>()?;
        if read.is_empty() { Err("has no signature in it".into()) } else { Ok(read) }
    }

    fn of_line(line: &str) -> Result<Self, String> {
        let mut words = line.split_whitespace();
        let wrong = || "is no signature: `ed25519 KEY SIGNATURE` is expected".to_owned();
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some(WORD), Some(key), Some(signature), None) => {
                let signature = STANDARD.decode(signature).ok().and_then(|bytes| bytes.try_into().ok());
                Ok(Self { key: PublicKey::read(key).map_err(|_| wrong())?, signature: signature.ok_or_else(wrong)? })
            }
            _ => Err(wrong()),
        }
    }

    /// Whether its key made it of these bytes.
    pub fn is_over(&self, bytes: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.key.0[..]).verify(bytes, &self.signature).is_ok()
    }
}

/// A line of a signature's file.
impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{WORD} {} {}", self.key, STANDARD.encode(self.signature))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_key_signs_its_public_half_verifies_and_nothing_else() {
        let key = SecretKey::read(&SecretKey::generate().unwrap()).unwrap();
        let line = key.sign(b"code").unwrap().to_string();
        let read = Signature::read_all(&format!("\n{line}\n")).unwrap();
        assert_eq!(read, [key.sign(b"code").unwrap()]);
        assert!(read[0].is_over(b"code") && !read[0].is_over(b"Code"));
        assert_eq!(PublicKey::read(&key.public().unwrap().to_string()).unwrap(), read[0].key);
        let other = SecretKey::read(&SecretKey::generate().unwrap()).unwrap();
        let forged = Signature { key: other.public().unwrap(), ..read[0].clone() };
        assert!(!forged.is_over(b"code"));
        for wrong in ["", "ed25519 a b", &format!("{line} more"), &line[8..]] {
            assert!(Signature::read_all(wrong).is_err(), "{wrong}");
        }
        assert!(SecretKey::read("nonsense").is_err() && PublicKey::read("AAAA").is_err());
    }
}
