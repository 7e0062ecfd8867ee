//! The envelope of a sealed credential.
//!
//! A credential is sealed with AES-256-GCM under a key that is made for this one version of it; that key is sealed in the
//! same way under the master key. What both are bound to (the additional data) is the credential's id and version, so
//! that an envelope that is put into another row, or an older one into the same row, does not open; the outer one is
//! bound to the master key's id too. Nonces are random: no key seals more than a few texts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::MasterKeys;
use crate::keys::secret::{self, NoRandomness};
use crate::providers::Secret;

/// A key of 256 bits that is wiped on drop.
pub(super) type Key = Zeroizing<[u8; 32]>;

/// What the database keeps of a credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// The form of this: 1.
    form: u8,
    /// The master key that it is sealed under.
    key_id: String,
    /// The credential's own key, sealed: nonce, text, tag; base64.
    key: String,
    /// The credential, sealed: likewise.
    text: String,
}

/// Why an envelope cannot be made or opened. Tells nothing about what is in it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// It is sealed under a key that this server does not have.
    #[error("it is sealed under the master key {0}, which this server does not have")]
    NoKey(String),
    /// It was changed, or belongs to another credential or version.
    #[error("its envelope was changed, or belongs to another credential or an earlier version of it")]
    Broken,
    /// No randomness.
    #[error("the operating system gave no randomness; nothing can be sealed without it")]
    NoRandomness,
}

impl From<NoRandomness> for SealError {
    fn from(_: NoRandomness) -> Self {
        Self::NoRandomness
    }
}

const FORM: u8 = 1;

impl Envelope {
    /// Seals version `version` of the credential `id` under the master key `key_id`.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn seal(
        secret: &Secret,
        id: &str,
        version: i64,
        key_id: &str,
        keys: &MasterKeys,
    ) -> Result<Self, SealError> {
        let master = keys.get(key_id).ok_or_else(|| SealError::NoKey(key_id.to_owned()))?;
        let own: Key = Zeroizing::new(secret::random::<32>()?);
        Ok(Self {
            form: FORM,
            key_id: key_id.to_owned(),
            key: seal(&master, own.as_slice(), &outer(id, version, key_id))?,
            text: seal(&own, secret.expose().as_bytes(), &inner(id, version))?,
        })
    }

    /// What is in it.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn open(&self, id: &str, version: i64, keys: &MasterKeys) -> Result<Secret, SealError> {
        let own = self.own_key(id, version, keys)?;
        let mut text = open(&own, &self.text, &inner(id, version))?;
        String::from_utf8(std::mem::take(&mut *text)).map(Secret::new).map_err(|_| SealError::Broken)
    }

    /// The same credential under another master key. What is in it is not opened.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn reseal(&self, id: &str, version: i64, key_id: &str, keys: &MasterKeys) -> Result<Self, SealError> {
        let own = self.own_key(id, version, keys)?;
        let master = keys.get(key_id).ok_or_else(|| SealError::NoKey(key_id.to_owned()))?;
        Ok(Self {
            form: FORM,
            key_id: key_id.to_owned(),
            key: seal(&master, own.as_slice(), &outer(id, version, key_id))?,
            text: self.text.clone(),
        })
    }

    /// The master key that it is sealed under.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// As the database keeps it.
    #[must_use]
    pub fn written(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads what [`written`](Self::written) wrote.
    ///
    /// # Errors
    /// [`SealError::Broken`].
    pub fn read(written: &str) -> Result<Self, SealError> {
        let read: Self = serde_json::from_str(written).map_err(|_| SealError::Broken)?;
        if read.form == FORM { Ok(read) } else { Err(SealError::Broken) }
    }

    fn own_key(&self, id: &str, version: i64, keys: &MasterKeys) -> Result<Key, SealError> {
        let master = keys.get(&self.key_id).ok_or_else(|| SealError::NoKey(self.key_id.clone()))?;
        let own = open(&master, &self.key, &outer(id, version, &self.key_id))?;
        let mut key: Key = Zeroizing::default();
        if own.len() != key.len() {
            return Err(SealError::Broken);
        }
        key.copy_from_slice(&own);
        Ok(key)
    }
}

/// Each part ends where no part can go on, so that no two triples have one text.
fn outer(id: &str, version: i64, key_id: &str) -> Vec<u8> {
    format!("bailiwick/credential-key/v1\0{id}\0{version}\0{key_id}").into_bytes()
}

fn inner(id: &str, version: i64) -> Vec<u8> {
    format!("bailiwick/credential/v1\0{id}\0{version}").into_bytes()
}

fn cipher(key: &Key) -> Result<LessSafeKey, SealError> {
    UnboundKey::new(&AES_256_GCM, key.as_slice()).map(LessSafeKey::new).map_err(|_| SealError::Broken)
}

fn seal(key: &Key, text: &[u8], bound_to: &[u8]) -> Result<String, SealError> {
    let nonce = secret::random::<NONCE_LEN>()?;
    let mut bytes = Zeroizing::new(text.to_vec());
    let tag = cipher(key)?
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(bound_to), &mut bytes)
        .map_err(|_| SealError::Broken)?;
    Ok(BASE64.encode([nonce.as_slice(), bytes.as_slice(), tag.as_ref()].concat()))
}

fn open(key: &Key, sealed: &str, bound_to: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let bytes = BASE64.decode(sealed).map_err(|_| SealError::Broken)?;
    let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>().ok_or(SealError::Broken)?;
    let mut sealed = Zeroizing::new(sealed.to_vec());
    let length = cipher(key)?
        .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(bound_to), &mut sealed)
        .map_err(|_| SealError::Broken)?
        .len();
    sealed.truncate(length);
    Ok(sealed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sealed(text: &str) -> (Envelope, MasterKeys, String) {
        let keys = MasterKeys::of_text(&format!("{}\n{}\n", "11".repeat(32), "22".repeat(32))).unwrap();
        let first = keys.ids().into_iter().next().unwrap();
        let secret = Secret::new(text.to_owned());
        (Envelope::seal(&secret, "cr_1", 3, &first, &keys).unwrap(), keys, first)
    }

    #[test]
    fn it_opens_only_as_what_it_was_sealed_as() {
        let (envelope, keys, _) = sealed("sk-distinctive");
        assert_eq!(envelope.open("cr_1", 3, &keys).unwrap().expose(), "sk-distinctive");
        assert_eq!(envelope.open("cr_1", 2, &keys).unwrap_err(), SealError::Broken);
        assert_eq!(envelope.open("cr_2", 3, &keys).unwrap_err(), SealError::Broken);
        let others = MasterKeys::of_text(&"33".repeat(32)).unwrap();
        assert!(matches!(envelope.open("cr_1", 3, &others).unwrap_err(), SealError::NoKey(_)));
        // Another key under the name of the right one.
        let lying = Envelope { key_id: others.ids().remove(0), ..envelope.clone() };
        assert_eq!(lying.open("cr_1", 3, &others).unwrap_err(), SealError::Broken);
        let written = envelope.written();
        assert!(!written.contains("distinctive") && !format!("{envelope:?}").contains("distinctive"));
        assert_eq!(Envelope::read(&written).unwrap(), envelope);
    }

    #[test]
    fn two_envelopes_of_one_text_have_nothing_in_common() {
        let (one, other) = (sealed("sk").0, sealed("sk").0);
        assert_ne!((one.key, one.text), (other.key, other.text));
    }

    #[test]
    fn under_another_master_key_it_is_the_same_credential() {
        let (envelope, keys, first) = sealed("sk");
        let second = keys.ids().remove(1);
        let moved = envelope.reseal("cr_1", 3, &second, &keys).unwrap();
        assert_eq!(moved.open("cr_1", 3, &keys).unwrap().expose(), "sk");
        assert_ne!(moved.key_id(), first);
        let only_second = MasterKeys::of_text(&"22".repeat(32)).unwrap();
        assert_eq!(moved.open("cr_1", 3, &only_second).unwrap().expose(), "sk");
        assert_eq!(envelope.reseal("cr_1", 2, &second, &keys).unwrap_err(), SealError::Broken);
    }

    proptest! {
        #[test]
        fn any_text_comes_back_and_no_changed_byte_is_missed(text in "\\PC{0,60}", at in 0_usize..200, bit in 0_u8..8) {
            let (envelope, keys, _) = sealed(&text);
            let opened = envelope.open("cr_1", 3, &keys).unwrap();
            prop_assert_eq!(opened.expose(), text.as_str());
            for inner in [false, true] {
                let mut bytes = BASE64.decode(if inner { &envelope.text } else { &envelope.key }).unwrap();
                let at = at % bytes.len();
                bytes[at] ^= 1 << bit;
                let mut changed = envelope.clone();
                *(if inner { &mut changed.text } else { &mut changed.key }) = BASE64.encode(bytes);
                prop_assert_eq!(changed.open("cr_1", 3, &keys).unwrap_err(), SealError::Broken);
            }
        }
    }
}
