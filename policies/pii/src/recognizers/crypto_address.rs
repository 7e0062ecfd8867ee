//! Addresses of crypto-currencies.
//!
//! Sources: Base58Check (<https://en.bitcoin.it/wiki/Base58Check_encoding>) for Bitcoin, Litecoin, Dogecoin and Tron; BIP 173
//! and BIP 350 (<https://github.com/bitcoin/bips/blob/master/bip-0350.mediawiki>) for Bech32 and Bech32m; ERC-55
//! (<https://eips.ethereum.org/EIPS/eip-55>) for Ethereum. Validator: their checksums. An Ethereum address in one case has
//! none and is reported with less confidence. Not found: addresses without a checksum (Solana) and those of other chains.

use sha2::{Digest, Sha256};
use tiny_keccak::{Hasher, Keccak};

use super::{Candidates, Input};
use crate::EntityType;

/// The versions that Base58Check addresses begin with: Bitcoin, its scripts, Litecoin (two), Dogecoin, Tron.
const VERSIONS: [u8; 6] = [0x00, 0x05, 0x30, 0x32, 0x1e, 0x41];

/// The human-readable parts of Bech32 addresses.
const PARTS: [&str; 3] = ["bc", "ltc", "addr"];

/// Looks at a word of letters and digits.
pub(crate) fn at(input: &Input<'_>, start: usize, end: usize, found: &mut Candidates) {
    let word = input.slice(start, end);
    let confidence = match word.len() {
        42 if word.starts_with("0x") || word.starts_with("0X") => ethereum(word.get(2..).unwrap_or_default()),
        26..=35 if base58(word) => 97,
        14..=110 if bech32(word) => 98,
        _ => 0,
    };
    found.add(EntityType::CryptoAddress, start, end, confidence);
}

fn ethereum(hex: &str) -> i32 {
    if !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return 0;
    }
    let (lower, upper) =
        (hex.bytes().any(|b| b.is_ascii_lowercase()), hex.bytes().any(|b| b.is_ascii_uppercase()));
    if !(lower && upper) {
        return 75;
    }
    let mut keccak = Keccak::v256();
    keccak.update(hex.to_ascii_lowercase().as_bytes());
    let mut digest = [0; 32];
    keccak.finalize(&mut digest);
    let nibbles = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let holds =
        hex.bytes().zip(nibbles).all(|(c, n)| c.is_ascii_digit() || c.is_ascii_uppercase() == (n > 7));
    if holds { 98 } else { 60 }
}

/// Base58Check: 21 bytes and the first four of their double digest.
fn base58(word: &str) -> bool {
    const ALPHABET: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut bytes = [0u8; 25];
    for c in word.bytes() {
        let Some(mut carry) = ALPHABET.iter().position(|a| *a == c) else { return false };
        for byte in bytes.iter_mut().rev() {
            carry += usize::from(*byte) * 58;
            *byte = (carry & 0xff) as u8;
            carry >>= 8;
        }
        if carry != 0 {
            return false;
        }
    }
    let (payload, check) = bytes.split_at(21);
    let digest = Sha256::digest(Sha256::digest(payload));
    payload.first().is_some_and(|version| VERSIONS.contains(version)) && digest.get(..4) == Some(check)
}

/// Bech32 and Bech32m, in one case.
fn bech32(word: &str) -> bool {
    const ALPHABET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let lower = word.to_ascii_lowercase();
    let Some((part, data)) = lower.rsplit_once('1') else { return false };
    if !PARTS.contains(&part) || (lower != word && word.to_ascii_uppercase() != word) {
        return false;
    }
    let step = |check: u32, value: u32| {
        const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
        let top = check >> 25;
        let check = (check & 0x01ff_ffff) << 5 ^ value;
        GENERATOR.iter().enumerate().fold(check, |c, (i, g)| if top >> i & 1 == 1 { c ^ g } else { c })
    };
    let mut check = part.bytes().fold(1, |check, c| step(check, u32::from(c) >> 5));
    check = step(check, 0);
    check = part.bytes().fold(check, |check, c| step(check, u32::from(c) & 31));
    for c in data.bytes() {
        let Some(value) = ALPHABET.iter().position(|a| *a == c) else { return false };
        check = step(check, value as u32);
    }
    data.len() >= 8 && matches!(check, 1 | 0x2bc8_30a3)
}

#[cfg(test)]
mod tests {
    use crate::EntityType::CryptoAddress;
    use crate::recognizers::table::{finds, finds_not};

    #[test]
    fn examples() {
        finds(
            CryptoAddress,
            &[
                ("send it to [1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa], thanks", 97),
                ("[3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy]", 97),
                ("BTC [bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq]", 98),
                ("[BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4]", 98),
                ("[0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed]", 98),
                ("[0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed]", 75),
            ],
        );
        finds_not(
            CryptoAddress,
            &[
                "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb",
                "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdp",
                "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beae",
                "3f786850e387550fdab836ed7e6dc881de23001b",
                "100000000000000000000000000000",
            ],
        );
    }
}
