//! The key that placeholders are derived with.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::EntityType;

/// The secret that makes placeholders unguessable, and equal for equal values. One key for as long as
/// placeholders should stay the same: a session, or a request where there is none. Never shared between
/// clients. Wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct TokenKey(pub(crate) [u8; 32]);

/// What a digest is for, so that a `hash` can never be taken for a `token`.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    Token,
    Hash,
    Surrogate,
}

/// A digest of 256 bits.
pub(crate) type Digest = [u8; 32];

impl TokenKey {
    /// A key from 32 random bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A key for `label`, derived from this one: for a session or a request from a master key.
    #[must_use]
    pub fn derive(&self, label: &[u8]) -> Self {
        Self(self.mac(&[b"derive", label]))
    }

    /// HMAC-SHA-256 over purpose, kind and value.
    pub(crate) fn digest(&self, purpose: Purpose, entity: EntityType, value: &str) -> Digest {
        let purpose: &[u8] = match purpose {
            Purpose::Token => b"token",
            Purpose::Hash => b"hash",
            Purpose::Surrogate => b"surrogate",
        };
        self.mac(&[purpose, entity.as_str().as_bytes(), value.as_bytes()])
    }

    /// HMAC-SHA-256 (RFC 2104) over the parts, each but the last closed by a zero byte, which none but the
    /// last can hold.
    fn mac(&self, parts: &[&[u8]]) -> Digest {
        #[expect(clippy::expect_used, reason = "HMAC takes a key of any length (RFC 2104, section 2)")]
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("a key of any length");
        for (i, part) in parts.iter().enumerate() {
            if i > 0 {
                mac.update(&[0]);
            }
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(..)")
    }
}
