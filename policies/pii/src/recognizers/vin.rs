//! Vehicle identification numbers.
//!
//! Source: ISO 3779 and 49 CFR 565.15 (<https://www.ecfr.gov/current/title-49/section-565.15>): 17 letters and digits without
//! I, O and Q; the ninth is a check digit in North America, and the last four are digits everywhere. Validator: alphabet,
//! check digit; without a valid one only after a word such as *VIN*. Not found: numbers in lower case without such a word,
//! numbers with blanks.

use super::{Candidates, Input};
use crate::EntityType;

/// The weights of the places.
const WEIGHTS: [u32; 17] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];

/// Looks at a word of letters and digits.
pub(crate) fn at(input: &Input<'_>, start: usize, end: usize, found: &mut Candidates) {
    let word = input.span(start, end);
    if word.len() != 17 || word.iter().any(|c| b"IOQioq".contains(c)) {
        return;
    }
    let serial = word.iter().skip(13).all(u8::is_ascii_digit);
    let letters = word.iter().filter(|c| c.is_ascii_alphabetic()).count();
    let upper = !word.iter().any(u8::is_ascii_lowercase);
    if !serial || letters < 3 {
        return;
    }
    let says = input.says(start, EntityType::Vin);
    let confidence = match (says.yes, checked(word)) {
        (true, true) => 97,
        (true, false) => 85,
        (false, true) if upper && !says.no => 72,
        _ => 0,
    };
    found.add(EntityType::Vin, start, end, confidence);
}

/// Whether the ninth character is the check digit of the others.
fn checked(word: &[u8]) -> bool {
    let value = |c: &u8| match c.to_ascii_uppercase() {
        c @ b'0'..=b'9' => u32::from(c - b'0'),
        c @ b'A'..=b'H' => u32::from(c - b'A') + 1,
        c @ b'J'..=b'R' => u32::from(c - b'J') + 1,
        c @ b'S'..=b'Z' => u32::from(c - b'S') + 2,
        _ => 0,
    };
    let sum: u32 = word.iter().zip(WEIGHTS).map(|(c, weight)| value(c) * weight).sum();
    match (sum % 11, word.get(8)) {
        (10, Some(b'X' | b'x')) => true,
        (rest, Some(digit @ b'0'..=b'9')) => rest == u32::from(digit - b'0'),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::EntityType::Vin;
    use crate::recognizers::table::{finds, finds_not};

    #[test]
    fn examples() {
        finds(
            Vin,
            &[
                ("VIN [1HGCM82633A004352].", 97),
                ("[1HGCM82633A004352]", 72),
                ("Fahrgestellnummer: [WVWZZZ1JZXW000001]", 85),
                ("vin=[1hgcm82633a004352]", 97),
            ],
        );
        finds_not(
            Vin,
            &[
                "1HGCM82633A004353",
                "1hgcm82633a004352",
                "1HGCM82633A00435",
                "WVWZZZ1JZXW000001",
                "VIN 1HGCM82633A0O4352",
            ],
        );
    }
}
