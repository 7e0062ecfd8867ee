//! International Bank Account Numbers.
//!
//! Source: ISO 13616-1 and the SWIFT IBAN registry
//! (<https://www.swift.com/standards/data-standards/iban-international-bank-account-number>). Validator:
//! `iban_validate` (MOD 97-10 of ISO/IEC 7064, length and structure for the country). Not found: IBANs whose
//! groups are split by anything but one space, dash, dot or slash.

use iban::Iban;
use smallvec::SmallVec;

use super::{Candidates, Input};
use crate::EntityType;

/// The longest IBAN.
const LEN_MAX: usize = 34;

/// The shortest IBAN (Norway).
const LEN_MIN: usize = 15;

/// Looks at the digits at `at`, which may be an IBAN's check digits; where it ends if it is one.
pub(crate) fn at(input: &Input<'_>, at: usize, found: &mut Candidates) -> Option<usize> {
    let start = at.checked_sub(2)?;
    let country = input.span(start, at);
    if !country.iter().all(u8::is_ascii_alphabetic) || !input.begins(start) {
        return None;
    }
    input.byte(at + 1).filter(u8::is_ascii_digit)?;
    let mut compact: SmallVec<[u8; LEN_MAX]> = SmallVec::new();
    // Where the number could end: length so far, and place in the text.
    let mut ends: SmallVec<[(usize, usize); 16]> = SmallVec::new();
    let mut place = start;
    while compact.len() < LEN_MAX {
        match input.byte(place) {
            Some(b) if b.is_ascii_alphanumeric() => {
                compact.push(b.to_ascii_uppercase());
                if input.ends(place + 1) {
                    ends.push((compact.len(), place + 1));
                }
            }
            Some(b' ' | b'-' | b'.' | b'/')
                if input.byte(place + 1).is_some_and(|b| b.is_ascii_alphanumeric()) => {}
            _ => break,
        }
        place += 1;
    }
    for (len, end) in ends.into_iter().rev().take_while(|(len, _)| *len >= LEN_MIN) {
        let text = compact.get(..len).and_then(|b| std::str::from_utf8(b).ok())?;
        if text.parse::<Iban>().is_ok() {
            let says = input.says(start, EntityType::Iban);
            found.add(EntityType::Iban, start, end, if says.yes { 99 } else { 95 });
            return Some(end);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use crate::EntityType::Iban;
    use crate::recognizers::table::{finds, finds_not};

    #[test]
    fn examples() {
        finds(
            Iban,
            &[
                ("IBAN [DE89370400440532013000]", 99),
                ("bitte auf [DE89 3704 0044 0532 0130 00] is my", 95),
                ("[GB82 WEST 1234 5698 7654 32].", 95),
                ("[gb82west12345698765432]", 95),
                ("Konto: [FR14-2004-1010-0505-0001-3M02-606]", 99),
                ("[NO93 8601 1117 947]", 95),
                ("[DE89\u{a0}3704\u{a0}0044\u{a0}0532\u{a0}0130\u{a0}00]", 95),
                ("\\n[DE89370400440532013000]\\n", 95),
            ],
        );
    }

    #[test]
    fn counter_examples() {
        finds_not(
            Iban,
            &[
                "DE88370400440532013000",
                "XX89370400440532013000",
                "DE8937040044053201300",
                "RE12 is a train",
                "A4",
            ],
        );
    }
}
