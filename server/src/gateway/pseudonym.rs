//! The names that clients give to people and conversations, as the log keeps them: keyed pseudonyms.
//!
//! `x-bailiwick-user`, `-subject` and `-session` hold whatever a client puts there, an e-mail address for example. The log
//! keeps an HMAC-SHA-256 of it under a key of this installation, cut to 128 bits. The same name gives the same pseudonym,
//! so who knows a name and may ask the server finds what concerns it; who has only the log cannot try names out, and
//! destroying the key cuts the log from the people in it.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize;
use sha2::Sha256;
use zeroize::Zeroizing;

/// Whom or what a client names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Named {
    /// `x-bailiwick-user`.
    User,
    /// `x-bailiwick-subject`.
    Subject,
    /// `x-bailiwick-session`.
    Session,
    /// A provider's credential: its fingerprint. Nobody may ask for one of a text.
    #[serde(skip)]
    Credential,
    /// A key of a request that is to be done once. Nobody may ask for one either.
    #[serde(skip)]
    Once,
    /// The signature of a model's thought, or what of it is encrypted.
    #[serde(skip)]
    Thought,
    /// The address that a sign-in is begun from. Nobody may ask for one either.
    #[serde(skip)]
    Address,
}

impl Named {
    const fn prefix(self) -> &'static str {
        match self {
            Self::User => "usr",
            Self::Subject => "sub",
            Self::Session => "ses",
            Self::Credential => "crd",
            Self::Once => "onc",
            Self::Thought => "tht",
            Self::Address => "adr",
        }
    }
}

/// The key that pseudonyms are made with. Its `Debug` form shows nothing.
pub struct PseudonymKey(Zeroizing<[u8; 32]>);

impl std::fmt::Debug for PseudonymKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PseudonymKey(…)")
    }
}

impl PseudonymKey {
    /// A key of 256 random bits.
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        Self(Zeroizing::new(key))
    }

    /// The pseudonym of `name`: `usr_`, `sub_` or `ses_` and 32 hex digits. The same name as a user and as a subject has
    /// two.
    #[must_use]
    pub fn of(&self, named: Named, name: &str) -> String {
        #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_slice()).expect("a key of any length");
        mac.update(named.prefix().as_bytes());
        mac.update(b"\0");
        mac.update(name.as_bytes());
        let digest = mac.finalize().into_bytes();
        let half = digest.first_chunk::<16>().copied().unwrap_or_default();
        format!("{}_{}", named.prefix(), hex::encode(half))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pseudonym_is_of_one_name_one_kind_and_one_key() {
        let key = PseudonymKey::new([7; 32]);
        let one = key.of(Named::Subject, "patient-7");
        assert_eq!(one, key.of(Named::Subject, "patient-7"));
        assert!(one.starts_with("sub_") && one.len() == 36, "{one}");
        let user = key.of(Named::User, "patient-7");
        assert_ne!(one.split_once('_').unwrap().1, user.split_once('_').unwrap().1);
        assert_ne!(one, key.of(Named::Subject, "patient-8"));
        assert_ne!(one, PseudonymKey::new([8; 32]).of(Named::Subject, "patient-7"));
        assert_eq!(format!("{key:?}"), "PseudonymKey(…)");
    }
}
