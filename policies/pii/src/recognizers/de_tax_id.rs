//! German tax identification numbers (steuerliche Identifikationsnummer, IdNr).
//!
//! Source: § 139b AO (<https://www.gesetze-im-internet.de/ao_1977/__139b.html>) and the BZSt's description of
//! the check digit. Validator: ISO/IEC 7064 MOD 11,10; eleven digits, the first not 0; among the first ten one digit
//! occurs twice or three times (three times not in a row), the others at most once. Not found: the older
//! Steuernummer, and the VAT number.

use super::numbered::mod_11_10;
use super::numbers::{ASIDE_MAX, After, Before, Numbers, Separator};
use super::{Candidates, Input};
use crate::EntityType;

fn repeats(digits: &[u8]) -> bool {
    let body = digits.get(..10).unwrap_or_default();
    let count = |digit: u8| body.iter().filter(|d| **d == digit).count();
    let repeated: Vec<(u8, usize)> = (b'0'..=b'9').map(|d| (d, count(d))).filter(|(_, n)| *n > 1).collect();
    match repeated.as_slice() {
        [(_, 2)] => true,
        [(digit, 3)] => !body.windows(3).any(|three| three == [*digit; 3]),
        _ => false,
    }
}

/// Looks for a number at the first group of `numbers`.
pub(crate) fn at(input: &Input<'_>, numbers: &Numbers, found: &mut Candidates) {
    let compact = numbers.has_shape(&[11]);
    let grouped = numbers.has_shape(&[2, 3, 3, 3]);
    let groups = if compact { 1 } else { 4 };
    let digits = numbers.digits_of(groups);
    if !(compact || grouped) || digits.first() == Some(&b'0') || !repeats(digits) || !mod_11_10(digits) {
        return;
    }
    let uniform = numbers.uniform(groups);
    if !matches!(
        uniform,
        Some(Separator::None | Separator::Space | Separator::Dash | Separator::Slash | Separator::Wide)
    ) {
        return;
    }
    let Some((end, after)) = numbers.end_and_after(input, groups) else { return };
    let says = input.says(numbers.start(), EntityType::DeTaxId);
    let begins = match numbers.before {
        Before::Clear => true,
        Before::Sign(_) => compact,
        Before::Letter => says.yes && Numbers::is_in_a_word(input, numbers.start(), end),
        Before::Dot => false,
    };
    let ends = match after {
        After::Clear => true,
        After::Sign(Separator::Dot, _) | After::Letter => false,
        After::Sign(sign, len) => uniform != Some(sign) && len <= ASIDE_MAX,
    };
    if !begins || !ends {
        return;
    }
    let base = if grouped { 75 } else { 60 };
    let confidence = if says.yes {
        base + 22
    } else if says.no {
        base - 30
    } else {
        base
    };
    found.add(EntityType::DeTaxId, numbers.start(), end, confidence);
}

#[cfg(test)]
mod tests {
    use crate::EntityType::DeTaxId;
    use crate::recognizers::table::{finds, finds_not};

    #[test]
    fn examples() {
        finds(
            DeTaxId,
            &[
                ("Steuer-ID: [86095742719]", 82),
                ("Steueridentifikationsnummer [47 036 892 816] bitte", 97),
                ("[65929970489]", 60),
                ("tax id [57549285017]", 82),
                ("tax-[86095742719]", 60),
                ("tax-id/[86095742719]/2024", 82),
                ("IdNr[86095742719]", 82),
                ("[86095742719]-1", 60),
                ("[47 - 036 - 892 - 816]", 75),
                ("tax id [57549285017.0]", 82),
                ("[6.5929970489e10]", 60),
            ],
        );
    }

    #[test]
    fn counter_examples() {
        finds_not(
            DeTaxId,
            &[
                "86095742718",
                "06095742718",
                "12345678901",
                "11111111111",
                "Rechnung 65929970489",
                "x86095742719",
            ],
        );
    }
}
