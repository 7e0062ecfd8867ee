//! The written form of a virtual key.

use super::secret::{self, NoRandomness};

const PREFIX: &str = "bwk_";
const ID_LEN: usize = 16;
/// 62^43 > 2^256.
const SECRET_LEN: usize = 43;
/// 62^6 > 2^32.
const CRC_LEN: usize = 6;

/// A key as its holder has it. Its `Debug` form shows the id alone.
#[derive(Clone, PartialEq, Eq)]
pub struct VirtualKey {
    id: String,
    secret: String,
}

impl std::fmt::Debug for VirtualKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VirtualKey({})", self.id)
    }
}

/// Why a text is no virtual key. The text never repeats what was presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Something else, a provider's own key for example.
    #[error("this is not a Bailiwick virtual key: one starts with `bwk_`")]
    OtherKind,
    /// Cut short, or characters added.
    #[error("this virtual key is incomplete or too long: copy it whole")]
    Shape,
    /// A typing error.
    #[error("this virtual key's checksum is wrong: a character was lost or changed while copying it")]
    Checksum,
}

impl VirtualKey {
    /// A new random key with a new id.
    pub fn generate() -> Result<Self, NoRandomness> {
        Self::with_id(secret::base62(&secret::random::<12>()?, ID_LEN))
    }

    /// A new random secret for an id that exists: rotation.
    pub fn with_id(id: String) -> Result<Self, NoRandomness> {
        Ok(Self { id, secret: secret::base62(&secret::random::<32>()?, SECRET_LEN) })
    }

    /// Reads the written form and checks its checksum.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let rest = text.strip_prefix(PREFIX).ok_or(KeyError::OtherKind)?;
        let (id, tail) = rest.split_once('_').ok_or(KeyError::Shape)?;
        let shape = id.len() == ID_LEN
            && tail.len() == SECRET_LEN + CRC_LEN
            && id.bytes().chain(tail.bytes()).all(|byte| byte.is_ascii_alphanumeric());
        if !shape {
            return Err(KeyError::Shape);
        }
        let (secret, crc) = tail.split_at_checked(SECRET_LEN).ok_or(KeyError::Shape)?;
        if checksum(id, secret) != crc {
            return Err(KeyError::Checksum);
        }
        Ok(Self { id: id.to_owned(), secret: secret.to_owned() })
    }

    /// The public part.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What is kept at rest.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        secret::digest(&self.secret)
    }

    /// Whether `kept` is the digest of this key's secret.
    #[must_use]
    pub fn matches(&self, kept: &[u8]) -> bool {
        secret::matches(&self.secret, kept)
    }

    /// The written form. Shown once, to the one who asked for the key.
    #[must_use]
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}_{}{}", self.id, self.secret, checksum(&self.id, &self.secret))
    }
}

fn checksum(id: &str, secret: &str) -> String {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(id.as_bytes());
    hasher.update(b"_");
    hasher.update(secret.as_bytes());
    secret::base62(&hasher.finalize().to_be_bytes(), CRC_LEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let key = VirtualKey::generate().unwrap();
        let written = key.reveal();
        assert_eq!(written.len(), 4 + 16 + 1 + 43 + 6);
        let read = VirtualKey::parse(&written).unwrap();
        assert_eq!(read, key);
        assert!(read.matches(&key.digest()));
        assert!(!read.matches(&VirtualKey::generate().unwrap().digest()));
        assert!(!format!("{key:?}").contains(&key.secret));
    }

    #[test]
    fn any_changed_character_is_noticed() {
        let written = VirtualKey::generate().unwrap().reveal();
        for at in 4..written.len() {
            let mut changed = written.clone().into_bytes();
            changed[at] = if changed[at] == b'x' { b'y' } else { b'x' };
            assert!(VirtualKey::parse(std::str::from_utf8(&changed).unwrap()).is_err(), "position {at}");
        }
        assert_eq!(VirtualKey::parse(written.get(..40).unwrap()), Err(KeyError::Shape));
        assert_eq!(VirtualKey::parse("sk-proj-abc"), Err(KeyError::OtherKind));
        assert_eq!(VirtualKey::parse("bwk_ü_ü"), Err(KeyError::Shape));
    }

    #[test]
    fn base_62_is_positional() {
        assert_eq!(secret::base62(&[0], 2), "00");
        assert_eq!(secret::base62(&[61], 2), "0z");
        assert_eq!(secret::base62(&[62], 2), "10");
        assert_eq!(secret::base62(&[1, 0], 2), "48");
    }
}
