//! Who vouches for a file: a pin in the operator's lock file, a key that the operator trusts, or the folder of the executable.
//!
//! What is judged are the bytes that are loaded, read once. A signature lies beside its file and not in it: so the file is
//! what its author's build made, its hash is the one that is pinned and published, and a `provider.toml` is signed likewise.

mod lock;
mod signature;

use std::path::Path;

pub use self::lock::{Lock, Pin};
pub use self::signature::{PublicKey, SecretKey, Signature};
use super::candidate::Candidate;
use super::policy::Standing;
use super::{LoadError, LoadFault, ours};

/// Whom an operator trusts.
#[derive(Debug, Clone)]
pub struct Trust {
    /// Keys whose signatures count.
    pub keys: Vec<PublicKey>,
    /// The pins; why there are none to go by, where the file is there and cannot be used.
    pub lock: Result<Lock, String>,
    /// Whether native code that nobody vouches for may run at all.
    pub refuses_unsigned: bool,
}

/// Nobody; what nobody vouches for may run.
impl Default for Trust {
    fn default() -> Self {
        Self { keys: Vec::new(), lock: Ok(Lock::default()), refuses_unsigned: false }
    }
}

impl Trust {
    /// How a file stands, or why it may not be used at all.
    pub(super) fn standing(&self, candidate: &Candidate) -> Result<Standing, LoadFault> {
        let vouched = self.vouched(candidate)?;
        if vouched == Standing::Signed || vouched == Standing::Pinned {
            return Ok(vouched);
        }
        // Nobody else may change what is only known by its place.
        ours::check(candidate.place())?;
        match vouched {
            Standing::Unsigned if self.refuses_unsigned && !candidate.is_description() => Err(LoadFault::Unsigned),
            standing => Ok(standing),
        }
    }

    fn vouched(&self, candidate: &Candidate) -> Result<Standing, LoadFault> {
        let lock = self.lock.as_ref().map_err(|why| LoadFault::Lock(why.clone()))?;
        let id = candidate.claimed_id().unwrap_or_default();
        let signed = self.signed(candidate)?;
        match lock.pins(&id) {
            Some(pins) if pins.iter().any(|pin| pin.sha256 == candidate.sha256) => Ok(Standing::Pinned),
            // A pin says which bytes, and a signature only whose.
            Some(_) => Err(LoadFault::Modified(format!(
                "{id} is pinned in {}, and not to this sha256 ({}); if it is what you want, `hookport plugin pin` adds it",
                lock.place.display(),
                candidate.sha256
            ))),
            None if signed => Ok(Standing::Signed),
            None => Ok(candidate.standing_by_place()),
        }
    }

    /// Whether a trusted key signed these bytes. A signature that is not over them is an error, whoever it is of: they are
    /// not what was signed.
    fn signed(&self, candidate: &Candidate) -> Result<bool, LoadFault> {
        let modified = |why: String| LoadFault::Modified(why);
        let place = candidate.signature();
        let Some(text) = read(&place).map_err(|error| modified(format!("{}: {error}", place.display())))? else {
            return Ok(false);
        };
        let signatures = Signature::read_all(&text).map_err(|why| modified(format!("{}: {why}", place.display())))?;
        let mut signed = false;
        for signature in signatures {
            if !signature.is_over(&candidate.bytes) {
                let place = place.display();
                return Err(modified(format!("{place} is a signature by {} over other bytes", signature.key)));
            }
            signed |= self.keys.contains(&signature.key);
        }
        Ok(signed)
    }
}

/// How a file stands with an operator; no code of it runs.
pub fn standing(file: &Path, trust: &Trust) -> Result<Standing, LoadError> {
    let candidate = Candidate::named(file)?;
    if candidate.is_embedded() {
        return Ok(Standing::Own);
    }
    match trust.standing(&candidate) {
        Err(LoadFault::Modified(_)) => Ok(Standing::Modified),
        Err(LoadFault::Unsigned) => Ok(Standing::Unsigned),
        judged => judged.map_err(|fault| candidate.error(fault)),
    }
}

/// What a lock file says of a file: the provider, and its build.
pub fn pin_of(file: &Path) -> Result<(String, Pin), LoadError> {
    let candidate = Candidate::read(file)?;
    match candidate.description() {
        Ok((description, _)) => {
            let pin = Pin { version: description.provider.version, sha256: candidate.sha256 };
            Ok((description.provider.id, pin))
        }
        Err(fault) => Err(candidate.error(fault)),
    }
}

/// A small text; nothing where there is none.
fn read(place: &Path) -> std::io::Result<Option<String>> {
    match std::fs::read_to_string(place) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
