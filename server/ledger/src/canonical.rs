//! Canonical JSON (RFC 8785, the JSON Canonicalization Scheme): one value, one sequence of bytes.
//!
//! [`to_vec`] writes any `Serialize`; [`check`] tells whether bytes are already canonical, without building
//! a value, so that a reader can refuse duplicate keys, other spellings and stray white space before it
//! parses. Both refuse nesting deeper than [`MAX_DEPTH`].
//!
//! RFC 8785 writes every number as an IEEE 754 double, which silently changes integers beyond 2^53. The
//! writer refuses those instead: write them as strings.

mod check;
mod write;

pub use check::{NotCanonical, check, is_canonical};
pub use write::{CanonicalError, MAX_SAFE_INTEGER, to_vec, write};
pub(crate) use write::{write_string, write_u64};

use std::cmp::Ordering;

/// The deepest nesting of arrays and objects that is written or accepted.
pub const MAX_DEPTH: usize = 64;

/// Compares two object keys, given as canonically escaped text without quotes, by the UTF-16 code units of
/// what they spell (RFC 8785, section 3.2.3).
fn compare_keys(a: &[u8], b: &[u8]) -> Ordering {
    // Nearly all keys are plain ASCII, whose order the first differing byte decides.
    for (x, y) in a.iter().zip(b) {
        if !x.is_ascii() || !y.is_ascii() || *x == b'\\' || *y == b'\\' {
            return compare_units(a, b);
        }
        if x != y {
            return x.cmp(y);
        }
    }
    a.len().cmp(&b.len())
}

fn compare_units(a: &[u8], b: &[u8]) -> Ordering {
    match (std::str::from_utf8(a), std::str::from_utf8(b)) {
        (Ok(a), Ok(b)) => Units::new(a).cmp(Units::new(b)),
        _ => a.cmp(b),
    }
}

/// The UTF-16 code units that canonically escaped text spells.
struct Units<'a> {
    chars: std::str::Chars<'a>,
    low_surrogate: Option<u16>,
}

impl<'a> Units<'a> {
    fn new(escaped: &'a str) -> Self {
        Self { chars: escaped.chars(), low_surrogate: None }
    }

    fn escape(&mut self) -> u16 {
        match self.chars.next() {
            Some('b') => 8,
            Some('t') => 9,
            Some('n') => 10,
            Some('f') => 12,
            Some('r') => 13,
            Some('u') => self.chars.by_ref().take(4).fold(0, |value, digit| {
                value * 16 + u16::try_from(digit.to_digit(16).unwrap_or(0)).unwrap_or(0)
            }),
            Some(other) => u16::try_from(u32::from(other)).unwrap_or(u16::MAX),
            None => u16::from(b'\\'),
        }
    }
}

impl Iterator for Units<'_> {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        if let Some(low) = self.low_surrogate.take() {
            return Some(low);
        }
        let next = self.chars.next()?;
        if next == '\\' {
            return Some(self.escape());
        }
        let mut pair = [0; 2];
        let mut units = next.encode_utf16(&mut pair).iter().copied();
        let first = units.next();
        self.low_surrogate = units.next();
        first
    }
}
