//! Looking for bytes, many at once.
//!
//! Eight bytes are one number, and a range of bytes in it is told by sums that carry into each byte's highest bit (H. S. Warren,
//! *Hacker's Delight*, 2nd edition, section 6-1).

/// A byte, eight times.
const fn all(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// The highest bit of each byte.
const HIGHEST: u64 = all(0x80);

/// The highest bit of each of eight bytes that lies in the range from `first` to `last`, both ASCII.
const fn in_range(eight: u64, first: u8, last: u8) -> u64 {
    let low = eight & !HIGHEST;
    (low + all(0x80 - first)) & !(low + all(0x7f - last)) & !eight & HIGHEST
}

/// The highest bits of eight bytes as eight bits, that of the first byte lowest.
const fn gathered(highest: u64) -> u64 {
    // Each bit moves to its own place in the highest byte.
    (highest >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// Some of the bytes of a block of 64, the first one lowest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Block {
    /// Letters of ASCII.
    pub(crate) letters: u64,
    /// Digits of ASCII.
    pub(crate) digits: u64,
    /// Bytes outside ASCII.
    pub(crate) others: u64,
}

impl Block {
    /// How many bytes there are in a block.
    pub(crate) const LEN: usize = 64;

    /// What the bytes are, 64 at most. There is nothing behind their end.
    #[inline]
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut block = Self::default();
        for (place, eight) in bytes.chunks(8).take(8).enumerate() {
            let eight = match eight.first_chunk::<8>() {
                Some(eight) => u64::from_le_bytes(*eight),
                None => eight.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)),
            };
            let small = eight | all(0x20);
            block.letters |= gathered(in_range(small, b'a', b'z')) << (place * 8);
            block.digits |= gathered(in_range(eight, b'0', b'9')) << (place * 8);
            block.others |= gathered(eight & HIGHEST) << (place * 8);
        }
        block
    }
}

/// Whether there is a byte of which `of` holds; it must be so plain that it compiles to vector instructions.
pub(crate) fn any(bytes: &[u8], of: impl Fn(u8) -> bool) -> bool {
    // No early exit: that is what lets it compile to them. So the bytes should be few.
    bytes.iter().fold(false, |any, byte| any | of(*byte))
}

/// The place of the first byte from `at` on of which `of` holds. `of` must be so plain that it compiles to vector instructions.
pub(crate) fn position(bytes: &[u8], at: usize, of: impl Fn(u8) -> bool) -> Option<usize> {
    const STEP: usize = 64;
    const PART: usize = 16;
    let rest = bytes.get(at..)?;
    let mut skipped = at;
    for piece in rest.chunks(STEP) {
        if any(piece, &of) {
            for part in piece.chunks(PART) {
                if any(part, &of) {
                    return part.iter().position(|byte| of(*byte)).map(|i| skipped + i);
                }
                skipped += PART;
            }
        }
        skipped += STEP;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Block, position};

    #[test]
    fn a_block_tells_what_each_byte_is() {
        for byte in 0..=u8::MAX {
            for (len, place) in [(64, 0), (64, 63), (64, 17), (5, 3), (9, 8)] {
                let mut bytes = vec![b' '; len];
                bytes[place] = byte;
                let bit = |is: bool| u64::from(is) << place;
                let expected = Block {
                    letters: bit(byte.is_ascii_alphabetic()),
                    digits: bit(byte.is_ascii_digit()),
                    others: bit(!byte.is_ascii()),
                };
                assert_eq!(Block::of(&bytes), expected, "{byte:#x} at {place} of {len}");
            }
        }
        let mixed = "aZ0\u{e9}9z-".repeat(8);
        let block = Block::of(mixed.as_bytes());
        for (place, byte) in mixed.bytes().take(64).enumerate() {
            let of = |bits: u64| bits >> place & 1 == 1;
            assert_eq!(
                (of(block.letters), of(block.digits), of(block.others)),
                (byte.is_ascii_alphabetic(), byte.is_ascii_digit(), !byte.is_ascii()),
                "{place}"
            );
        }
    }

    #[test]
    fn the_first_byte_of_its_sort_is_found_wherever_it_stands() {
        for len in [1, 15, 16, 17, 63, 64, 65, 200] {
            for place in 0..len {
                let mut bytes = vec![b'x'; len];
                bytes[place] = b'5';
                bytes[len - 1] = b'5';
                for at in 0..=place {
                    assert_eq!(
                        position(&bytes, at, |b| b.is_ascii_digit()),
                        Some(place),
                        "{at} {place} {len}"
                    );
                }
                assert_eq!(position(&bytes, len, |b| b.is_ascii_digit()), None);
            }
        }
        assert_eq!(position(b"abc", 0, |b| b.is_ascii_digit()), None);
        assert_eq!(position(b"abc", 9, |b| b == b'a'), None);
    }
}
