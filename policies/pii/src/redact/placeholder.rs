//! The text that stands in for a value: tokens and keyed hashes.
//!
//! A token is `<KIND_CODE>`: the kind so that a model knows what it handles, the code from 32 letters and
//! digits that are not mistaken for each other (no 0, 1, I, O), 40 bits of it or more. None of its characters
//! needs an escape in JSON. Its case matters: a model that writes a token in lower case breaks it.

use super::key::Digest;
use crate::EntityType;

/// 32 symbols, five bits each.
const ALPHABET: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";

/// Length of a token's code at first; each collision within a vault adds a step.
pub(crate) const CODE_LEN: usize = 8;

/// The longest code that a digest of 256 bits can fill.
pub(crate) const CODE_MAX: usize = 51;

/// Length of a keyed hash's code: 80 bits.
const HASH_LEN: usize = 16;

/// The first `len` symbols of a digest, at most [`CODE_MAX`].
pub(crate) fn code(digest: &Digest, len: usize) -> String {
    let mut out = String::with_capacity(len);
    let (mut bits, mut held) = (0u32, 0u32);
    for byte in digest {
        bits = (bits << 8) | u32::from(*byte);
        held += 8;
        while held >= 5 {
            held -= 5;
            if out.len() == len {
                return out;
            }
            let symbol = ALPHABET.get(((bits >> held) & 31) as usize).copied().unwrap_or(b'2');
            out.push(char::from(symbol));
        }
    }
    out
}

pub(crate) fn token(entity: EntityType, digest: &Digest, len: usize) -> String {
    format!("<{}_{}>", entity.as_str(), code(digest, len))
}

/// A keyed hash. The extra underscore keeps it apart from every token.
pub(crate) fn hash(entity: EntityType, digest: &Digest) -> String {
    format!("<{}_H_{}>", entity.as_str(), code(digest, HASH_LEN))
}
