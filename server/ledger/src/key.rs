//! The log's Ed25519 key and its public half in the C2SP `signed-note` text form (a *vkey*).

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Hash, LogId};

/// The signature type byte of a plain Ed25519 note signature.
const ED25519: u8 = 1;

/// Why text or bytes are no public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not `<name>+<8 hex digits>+<base64>`.
    #[error("a public key is one line: <log id>+<8 hex digits>+<base64>")]
    Form,
    /// The key id does not belong to name and key.
    #[error("the key id does not match the name and the key: the line was altered or cut")]
    Id,
    /// Not a usable Ed25519 public key.
    #[error("not a usable Ed25519 public key")]
    Key,
}

/// A log's public key: the log's id and an Ed25519 key. Text form: `<log id>+<key id>+<base64>`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey {
    name: LogId,
    key: VerifyingKey,
}

impl PublicKey {
    /// The public key `key` of the log `name`.
    ///
    /// # Errors
    ///
    /// [`KeyError::Key`] for bytes that encode no point, encode it in a second way, or a point of small
    /// order, under which anything verifies.
    pub fn new(name: LogId, key: &[u8; 32]) -> Result<Self, KeyError> {
        let parsed = VerifyingKey::from_bytes(key).map_err(|_| KeyError::Key)?;
        if parsed.is_weak() || parsed.to_edwards().compress().as_bytes() != key {
            return Err(KeyError::Key);
        }
        Ok(Self { name, key: parsed })
    }

    /// The id of the log that the key signs for.
    #[must_use]
    pub const fn name(&self) -> &LogId {
        &self.name
    }

    /// The key's 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// The key id: the first four bytes of `SHA-256(name || "\n" || 0x01 || key)`.
    #[must_use]
    pub fn id(&self) -> [u8; 4] {
        let digest: [u8; 32] = Sha256::new()
            .chain_update(self.name.as_str())
            .chain_update([b'\n', ED25519])
            .chain_update(self.key.as_bytes())
            .finalize()
            .into();
        let [a, b, c, d, ..] = digest;
        [a, b, c, d]
    }

    /// SHA-256 of the key's 32 bytes, for people to compare.
    #[must_use]
    pub fn fingerprint(&self) -> Hash {
        Hash::of(self.key.as_bytes())
    }

    /// Whether `signature` is this key's over `message`.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.key.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [ED25519; 33];
        for (to, from) in bytes.iter_mut().skip(1).zip(self.key.as_bytes()) {
            *to = *from;
        }
        write!(f, "{}+{}+{}", self.name, hex::encode(self.id()), BASE64.encode(bytes))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    /// Reads the text form; white space around it is ignored.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let text = text.trim_ascii();
        // The base64 part may itself contain a plus; the name may not.
        let (name, rest) = text.split_once('+').ok_or(KeyError::Form)?;
        let (id, key) = rest.split_once('+').ok_or(KeyError::Form)?;
        let name = LogId::new(name).map_err(|_| KeyError::Form)?;
        let bytes = BASE64.decode(key).map_err(|_| KeyError::Form)?;
        let Some((&ED25519, key)) = bytes.split_first() else { return Err(KeyError::Form) };
        let parsed = Self::new(name, key.try_into().map_err(|_| KeyError::Form)?)?;
        if hex::encode(parsed.id()) == id { Ok(parsed) } else { Err(KeyError::Id) }
    }
}

impl TryFrom<String> for PublicKey {
    type Error = KeyError;

    fn try_from(text: String) -> Result<Self, KeyError> {
        // Inside a file the form is exact: no white space.
        if text.trim_ascii().len() == text.len() { text.parse() } else { Err(KeyError::Form) }
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> Self {
        key.to_string()
    }
}

/// A log's private key. Its memory is wiped when it is dropped.
pub struct Signer {
    key: SigningKey,
    public: PublicKey,
}

impl Signer {
    /// Signs for the log `name` with `key`.
    #[must_use]
    pub fn new(name: LogId, key: SigningKey) -> Self {
        let public = PublicKey { name, key: key.verifying_key() };
        Self { key, public }
    }

    /// The public half.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The Ed25519 signature over `message`.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }
}

// The private key stays out of debug output.
impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("public", &self.public).finish_non_exhaustive()
    }
}
