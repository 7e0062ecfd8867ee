//! The words of a text and their hashes.

use crate::bytes::Block;

/// A word of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) hash: u64,
}

/// The words of a text, one after the other, those that [`next_word`] finds: 64 bytes are classified at a time, and only words
/// that go on behind them are followed byte by byte.
pub(super) struct Words<'t> {
    bytes: &'t [u8],
    /// Where the block begins.
    block: usize,
    /// What of the block a word can begin with and go on with, and what is no ASCII.
    starts: u64,
    continues: u64,
    others: u64,
}

impl<'t> Words<'t> {
    pub(super) fn new(bytes: &'t [u8]) -> Self {
        let mut words = Self { bytes, block: 0, starts: 0, continues: 0, others: 0 };
        words.classify();
        words
    }

    /// Classifies the bytes of the block.
    fn classify(&mut self) {
        let rest = self.bytes.get(self.block..).unwrap_or_default();
        let Block { letters, digits, others } = Block::of(rest);
        (self.starts, self.continues, self.others) = (letters, letters | digits, others);
        let mut left = others;
        while left != 0 {
            let place = left.trailing_zeros() as usize;
            left &= left - 1;
            let byte = rest.get(place).copied().unwrap_or_default();
            self.starts |= u64::from(is(byte, STARTS)) << place;
            self.continues |= u64::from(is(byte, CONTINUES)) << place;
        }
    }

    /// Goes on from `at`, which is not before the end of the last word.
    pub(super) fn skip_to(&mut self, at: usize) {
        let place = at.saturating_sub(self.block);
        if place < Block::LEN {
            self.starts &= u64::MAX << place;
        } else {
            self.block = at - at % Block::LEN;
            self.classify();
            self.starts &= u64::MAX << (at % Block::LEN);
        }
    }
}

impl Iterator for Words<'_> {
    type Item = Word;

    #[inline]
    fn next(&mut self) -> Option<Word> {
        while self.starts == 0 {
            self.block += Block::LEN;
            if self.block >= self.bytes.len() {
                return None;
            }
            self.classify();
        }
        let place = self.starts.trailing_zeros();
        let start = self.block + place as usize;
        let length = (self.continues >> place).trailing_ones();
        if place + length >= u64::BITS {
            let word = word_at(self.bytes, start)?;
            self.skip_to(word.end);
            return Some(word);
        }
        self.starts &= u64::MAX << (place + length);
        let others = self.others >> place & ((1 << length) - 1);
        let rest = self.bytes.get(start..)?;
        let word = rest.get(..length as usize)?;
        let hash = if others == 0 { hash_ascii(word, rest) } else { hash_folded(word) };
        Some(Word { start, end: start + word.len(), hash })
    }
}

/// The next word from `at` on. A word is letters (ASCII, and those of Latin, Greek and Cyrillic script) and the digits after
/// them.
pub(super) fn next_word(bytes: &[u8], at: usize) -> Option<Word> {
    let rest = bytes.get(at..)?;
    word_at(bytes, at + rest.iter().position(|byte| is(*byte, STARTS))?)
}

/// The word of letters and digits that begins at `start`. `None` if there is none.
pub(super) fn word_at(bytes: &[u8], start: usize) -> Option<Word> {
    let rest = bytes.get(start..)?;
    let (mut length, mut all) = (0, 0);
    for byte in rest {
        if !is(*byte, CONTINUES) {
            break;
        }
        all |= byte;
        length += 1;
    }
    let word = rest.get(..length).filter(|word| !word.is_empty())?;
    let hash = if all.is_ascii() { hash_ascii(word, rest) } else { hash_folded(word) };
    Some(Word { start, end: start + length, hash })
}

const STARTS: u8 = 1;
const CONTINUES: u8 = 2;

/// What each byte may do in a word.
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0_u8;
    loop {
        let starts = byte.is_ascii_alphabetic() || (byte >= 0xc3 && byte <= 0xd3);
        let continues = starts || byte.is_ascii_digit() || (byte >= 0x80 && byte <= 0xbf);
        #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler; a byte is below 256")]
        {
            classes[byte as usize] = if starts { STARTS } else { 0 } | if continues { CONTINUES } else { 0 };
        }
        if byte == u8::MAX {
            break classes;
        }
        byte += 1;
    }
};

fn is(byte: u8, class: u8) -> bool {
    CLASSES.get(usize::from(byte)).is_some_and(|classes| classes & class != 0)
}

/// Eight bytes more of a word, the first one lowest, zeros after its end.
fn mix(hash: u64, eight: u64) -> u64 {
    let product = (hash ^ eight).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    // The high bits are mixed best.
    product ^ (product >> 32)
}

/// The hash of a word of ASCII letters and digits in lower case. `rest` begins with the word and may go on after it, so that
/// eight bytes can be read at once.
fn hash_ascii(word: &[u8], rest: &[u8]) -> u64 {
    // Sets the bit that makes a letter small, which digits have too.
    const SMALL: u64 = 0x2020_2020_2020_2020;
    let (mut hash, mut at) = (0, 0);
    while at < word.len() {
        let left = word.len() - at;
        let mask = if left < 8 { (1_u64 << (8 * left)) - 1 } else { u64::MAX };
        let eight = match rest.get(at..).and_then(<[u8]>::first_chunk::<8>) {
            Some(eight) => u64::from_le_bytes(*eight),
            None => word.iter().skip(at).rev().fold(0, |eight, byte| eight << 8 | u64::from(*byte)),
        };
        hash = mix(hash, (eight | SMALL) & mask);
        at += 8;
    }
    hash
}

/// The same of any word: of Latin-1 the capitals too are folded, and equal words of ASCII have equal hashes.
pub(super) fn hash_folded(word: &[u8]) -> u64 {
    let mut last = 0;
    let folded = word.iter().map(|byte| {
        let folded = match *byte {
            b @ b'A'..=b'Z' => b | 0x20,
            // The capitals of Latin-1, as their second byte.
            b @ 0x80..=0x9e if last == 0xc3 && b != 0x97 => b | 0x20,
            b => b,
        };
        last = *byte;
        folded
    });
    let (mut hash, mut eight, mut bits) = (0, 0, 0);
    for byte in folded {
        eight |= u64::from(byte) << bits;
        bits += 8;
        if bits == 64 {
            hash = mix(hash, eight);
            (eight, bits) = (0, 0);
        }
    }
    if bits > 0 { mix(hash, eight) } else { hash }
}

#[cfg(test)]
mod tests {
    use super::{Words, hash_folded, next_word};

    #[test]
    fn all_words_are_found_wherever_a_block_ends() {
        let unit = "Ab 12cd, é ÜBER-x1 (naïve) \u{2013} 9 Москва a\u{e9}\u{301} z.";
        for shift in 0..130 {
            let text = format!("{}{}{}", ".".repeat(shift), unit.repeat(4), "w".repeat(shift));
            let (mut words, mut at) = (Words::new(text.as_bytes()), 0);
            while let Some(expected) = next_word(text.as_bytes(), at) {
                assert_eq!(words.next(), Some(expected), "{shift}");
                at = expected.end;
            }
            assert_eq!(words.next(), None, "{shift}");
        }
    }

    #[test]
    fn words_that_are_skipped_are_not_found() {
        let text = "one two three ".repeat(20);
        for at in 0..text.len() {
            let mut words = Words::new(text.as_bytes());
            words.next();
            words.skip_to(at.max(3));
            assert_eq!(words.next(), next_word(text.as_bytes(), at.max(3)), "{at}");
        }
    }

    #[test]
    fn a_word_has_one_hash_whatever_its_case_and_whatever_follows() {
        let letters = "Abcdefgh1JKLMNopqrstuvwxyz9";
        let mut seen = std::collections::HashSet::new();
        for length in 1..=letters.len() {
            let word = letters.get(..length).unwrap();
            let expected = hash_folded(word.to_lowercase().as_bytes());
            assert!(seen.insert(expected), "{word} has the hash of a shorter one");
            for text in [
                word.to_owned(),
                format!("{word} and more words"),
                format!("{word}. Or"),
                word.to_uppercase(),
            ] {
                let found = next_word(text.as_bytes(), 0).unwrap();
                assert_eq!((found.start, found.end, found.hash), (0, length, expected), "{text:?}");
            }
        }
        let hash = |text: &str| next_word(text.as_bytes(), 0).unwrap().hash;
        assert_eq!(hash("ÜBERMÜDUNG"), hash("übermüdung"));
        assert_ne!(hash("übermüdung"), hash("ubermudung"));
    }
}
