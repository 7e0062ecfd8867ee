//! Random secrets, their digests, and comparison in constant time.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The operating system gave no randomness.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gave no randomness; nothing secret can be made without it")]
pub struct NoRandomness;

/// `N` bytes from the operating system's generator.
pub fn random<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0_u8; N];
    getrandom::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

/// What is kept of a secret.
#[must_use]
pub fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// Whether `secret` is the one whose digest is kept; takes the same time wherever they differ.
#[must_use]
pub fn matches(secret: &str, kept: &[u8]) -> bool {
    digest(secret).ct_eq(kept).into()
}

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// `bytes` as a number in base 62, left-padded to `width` digits.
#[must_use]
pub fn base62(bytes: &[u8], width: usize) -> String {
    let mut number = bytes.to_vec();
    let mut digits = Vec::with_capacity(width);
    while digits.len() < width {
        let mut rest = 0_u32;
        for byte in &mut number {
            let value = rest * 256 + u32::from(*byte);
            *byte = u8::try_from(value / 62).unwrap_or(u8::MAX);
            rest = value % 62;
        }
        digits.push(ALPHABET.get(rest as usize).copied().map_or('0', char::from));
    }
    digits.iter().rev().collect()
}
