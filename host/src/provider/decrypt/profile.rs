//! The registry of encryption profiles. A wrong key, wrong padding and changed bytes are one and the same error.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{
    AES_256, DecryptingKey, DecryptionContext, EncryptingKey, EncryptionContext, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use subtle::{Choice, ConstantTimeEq, ConstantTimeLess};
use zeroize::Zeroizing;

use super::DecryptError;

/// One profile.
pub(super) struct Profile {
    /// As descriptions name it.
    pub(super) name: &'static str,
    /// What the text of a key must be.
    pub(super) key_is: &'static str,
    pub(super) key: fn(&[u8]) -> Option<Key>,
    /// Whether it takes a nonce and further signed data.
    pub(super) nonce: bool,
    /// Whether the plaintext names its receiver.
    pub(super) receiver: bool,
    pub(super) open: fn(&Parts<'_>) -> Result<Zeroizing<Vec<u8>>, DecryptError>,
    pub(super) seal: fn(&Parts<'_>) -> Result<Vec<u8>, DecryptError>,
}

type Key = Zeroizing<[u8; 32]>;

/// What a profile works with.
pub(super) struct Parts<'p> {
    pub(super) key: Key,
    pub(super) nonce: Vec<u8>,
    pub(super) aad: Vec<u8>,
    pub(super) receiver: Vec<u8>,
    /// The ciphertext, or the plaintext.
    pub(super) text: &'p [u8],
}

impl Parts<'_> {
    /// With this text.
    pub(super) fn of(self, text: &[u8]) -> Parts<'_> {
        Parts { text, ..self }
    }
}

/// Every profile.
pub(super) const PROFILES: &[Profile] = &[
    Profile {
        name: "aes-256-gcm",
        key_is: "32 bytes",
        key: raw_key,
        nonce: true,
        receiver: false,
        open: open_gcm,
        seal: seal_gcm,
    },
    Profile {
        name: "aes-256-cbc-ivprefix",
        key_is: "32 bytes",
        key: raw_key,
        nonce: false,
        receiver: false,
        open: |parts| {
            let (iv, text) = parts.text.split_first_chunk().ok_or(DecryptError::Text)?;
            unpadded(decrypted(&parts.key, Some(iv), text)?, BLOCK)
        },
        seal: |parts| {
            let iv: [u8; BLOCK] = rand::random();
            Ok([&iv[..], &encrypted(&parts.key, Some(&iv), padded(parts.text, BLOCK))?].concat())
        },
    },
    Profile {
        name: "aes-256-ecb",
        key_is: "32 bytes",
        key: raw_key,
        nonce: false,
        receiver: false,
        open: |parts| unpadded(decrypted(&parts.key, None, parts.text)?, BLOCK),
        seal: |parts| encrypted(&parts.key, None, padded(parts.text, BLOCK)),
    },
    Profile {
        name: "wx-msgcrypt",
        key_is: "the 43 characters of an EncodingAESKey",
        key: encoding_aes_key,
        nonce: false,
        receiver: true,
        open: open_message,
        seal: seal_message,
    },
];

/// Bytes of an AES block, and of an iv.
const BLOCK: usize = 16;
/// What WeChat's own libraries pad to.
const WIDE_BLOCK: usize = 32;
/// Random bytes and a length stand before a message.
const MESSAGE_HEAD: usize = 20;

fn raw_key(text: &[u8]) -> Option<Key> {
    text.try_into().ok().map(Zeroizing::new)
}

/// 43 characters are 258 bits; what the last two are does not matter.
fn encoding_aes_key(text: &[u8]) -> Option<Key> {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true);
    let text = text.trim_ascii();
    let text = text.strip_suffix(b"=").filter(|_| text.len() == 44).unwrap_or(text);
    let bytes = Zeroizing::new(GeneralPurpose::new(&STANDARD, config).decode(text).ok()?);
    raw_key(&bytes)
}

fn gcm(parts: &Parts<'_>) -> Result<(LessSafeKey, Nonce), DecryptError> {
    let nonce = Nonce::try_assume_unique_for_key(&parts.nonce).map_err(|_| DecryptError::Text)?;
    let key = UnboundKey::new(&AES_256_GCM, &*parts.key).map_err(|_| DecryptError::Key)?;
    Ok((LessSafeKey::new(key), nonce))
}

fn open_gcm(parts: &Parts<'_>) -> Result<Zeroizing<Vec<u8>>, DecryptError> {
    if parts.text.len() < AES_256_GCM.tag_len() {
        return Err(DecryptError::Text);
    }
    let (key, nonce) = gcm(parts)?;
    let mut buffer = Zeroizing::new(parts.text.to_vec());
    let plain = key.open_in_place(nonce, Aad::from(&parts.aad), &mut buffer).map_err(|_| DecryptError::Broken)?;
    let length = plain.len();
    buffer.truncate(length);
    Ok(buffer)
}

fn seal_gcm(parts: &Parts<'_>) -> Result<Vec<u8>, DecryptError> {
    let (key, nonce) = gcm(parts)?;
    let mut buffer = parts.text.to_vec();
    key.seal_in_place_append_tag(nonce, Aad::from(&parts.aad), &mut buffer).map_err(|_| DecryptError::Broken)?;
    Ok(buffer)
}

/// WeChat's way: random bytes, the message's length, the message, its receiver.
fn open_message(parts: &Parts<'_>) -> Result<Zeroizing<Vec<u8>>, DecryptError> {
    let iv = parts.key.first_chunk().ok_or(DecryptError::Key)?;
    let plain = unpadded(decrypted(&parts.key, Some(iv), parts.text)?, WIDE_BLOCK)?;
    let (head, rest) = plain.split_at_checked(MESSAGE_HEAD).ok_or(DecryptError::Broken)?;
    let length = head.last_chunk().map(|length| u32::from_be_bytes(*length)).ok_or(DecryptError::Broken)?;
    let (message, receiver) = rest.split_at_checked(length as usize).ok_or(DecryptError::Broken)?;
    match bool::from(receiver.ct_eq(&parts.receiver)) {
        true => Ok(Zeroizing::new(message.to_vec())),
        false => Err(DecryptError::Receiver),
    }
}

fn seal_message(parts: &Parts<'_>) -> Result<Vec<u8>, DecryptError> {
    let length = u32::try_from(parts.text.len()).map_err(|_| DecryptError::Text)?;
    let random: [u8; BLOCK] = rand::random();
    let plain = Zeroizing::new([&random[..], &length.to_be_bytes(), parts.text, &parts.receiver].concat());
    encrypted(&parts.key, parts.key.first_chunk(), padded(&plain, WIDE_BLOCK))
}

fn decrypted(key: &Key, iv: Option<&[u8; BLOCK]>, text: &[u8]) -> Result<Zeroizing<Vec<u8>>, DecryptError> {
    if text.is_empty() || !text.len().is_multiple_of(BLOCK) {
        return Err(DecryptError::Text);
    }
    let mut buffer = Zeroizing::new(text.to_vec());
    let key = UnboundCipherKey::new(&AES_256, &**key).map_err(|_| DecryptError::Key)?;
    let done = match iv {
        Some(iv) => DecryptingKey::cbc(key)
            .and_then(|key| key.decrypt(&mut buffer, DecryptionContext::Iv128(FixedLength::from(iv))).map(drop)),
        None => DecryptingKey::ecb(key).and_then(|key| key.decrypt(&mut buffer, DecryptionContext::None).map(drop)),
    };
    done.map(|()| buffer).map_err(|_| DecryptError::Broken)
}

fn encrypted(key: &Key, iv: Option<&[u8; BLOCK]>, mut padded: Vec<u8>) -> Result<Vec<u8>, DecryptError> {
    let key = UnboundCipherKey::new(&AES_256, &**key).map_err(|_| DecryptError::Key)?;
    let done = match iv {
        Some(iv) => EncryptingKey::cbc(key)
            .and_then(|key| key.less_safe_encrypt(&mut padded, EncryptionContext::Iv128(FixedLength::from(iv)))),
        None => EncryptingKey::ecb(key).and_then(|key| key.less_safe_encrypt(&mut padded, EncryptionContext::None)),
    };
    done.map(|_| padded).map_err(|_| DecryptError::Broken)
}

/// PKCS#7.
fn padded(plain: &[u8], block: usize) -> Vec<u8> {
    let count = block - plain.len() % block;
    [plain, &vec![count as u8; count]].concat()
}

/// Undoes PKCS#7; looks at as many bytes whatever they are.
fn unpadded(mut plain: Zeroizing<Vec<u8>>, block: usize) -> Result<Zeroizing<Vec<u8>>, DecryptError> {
    let count = plain.last().copied().ok_or(DecryptError::Broken)?;
    let mut right = !count.ct_eq(&0) & !(block as u8).ct_lt(&count);
    for (index, byte) in plain.iter().rev().take(block).enumerate() {
        let inside: Choice = (index as u8).ct_lt(&count);
        right &= !inside | byte.ct_eq(&count);
    }
    let length = plain.len().checked_sub(usize::from(count)).filter(|_| bool::from(right));
    plain.truncate(length.ok_or(DecryptError::Broken)?);
    Ok(plain)
}
