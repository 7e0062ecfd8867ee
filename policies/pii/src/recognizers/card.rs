//! Payment card numbers.
//!
//! Source: ISO/IEC 7812-1 (structure, Luhn check in annex B); issuer ranges as listed at
//! <https://en.wikipedia.org/wiki/Payment_card_number#Issuer_identification_number_(IIN)>. Validator: issuer
//! range, length for that issuer, Luhn. Not found: numbers glued to letters, groups of unusual sizes,
//! numbers of 12
//! or 13 digits without a word for a card before them. A word for something else (`order`) lowers the
//! confidence, but never so far that a number with a valid check is not reported.

use super::numbers::{Numbers, Separator};
use super::{Candidates, Input, luhn};
use crate::EntityType;

/// First and last prefix of an issuer's range, both of the same number of digits, and the lengths it issues.
pub(crate) const ISSUERS: &[(u32, u32, u32, &[usize])] = &[
    (4, 4, 1, &[13, 16, 19]),                       // Visa
    (51, 55, 2, &[16]),                             // Mastercard
    (2221, 2720, 4, &[16]),                         // Mastercard
    (34, 34, 2, &[15]),                             // American Express
    (37, 37, 2, &[15]),                             // American Express
    (300, 305, 3, &[14, 16, 19]),                   // Diners Club
    (3095, 3095, 4, &[14, 16, 19]),                 // Diners Club
    (36, 36, 2, &[14, 16, 19]),                     // Diners Club
    (38, 39, 2, &[14, 16, 19]),                     // Diners Club
    (6011, 6011, 4, &[16, 19]),                     // Discover
    (644, 659, 3, &[16, 19]),                       // Discover, RuPay, Troy
    (3528, 3589, 4, &[16, 17, 18, 19]),             // JCB
    (62, 62, 2, &[16, 17, 18, 19]),                 // UnionPay
    (81, 82, 2, &[16, 17, 18, 19]),                 // UnionPay, RuPay
    (2200, 2204, 4, &[16, 17, 18, 19]),             // Mir
    (9792, 9792, 4, &[16]),                         // Troy
    (50, 50, 2, &[12, 13, 14, 15, 16, 17, 18, 19]), // Maestro, RuPay
    (56, 61, 2, &[12, 13, 14, 15, 16, 17, 18, 19]), // Maestro
    (63, 63, 2, &[12, 13, 14, 15, 16, 17, 18, 19]), // Maestro
    (66, 69, 2, &[12, 13, 14, 15, 16, 17, 18, 19]), // Maestro
];

fn is_issued(digits: &[u8]) -> bool {
    let prefix = |len: u32| digits.iter().take(len as usize).fold(0, |n, d| n * 10 + u32::from(d - b'0'));
    ISSUERS.iter().any(|(first, last, len, lengths)| {
        lengths.contains(&digits.len()) && (*first..=*last).contains(&prefix(*len))
    })
}

/// How people group a number.
fn is_usual(shape: &[usize]) -> bool {
    matches!(
        shape,
        [_] | [4, 4, 4, 4]
            | [4, 4, 4, 4, 1..=3]
            | [4, 6, 5]
            | [4, 6, 4]
            | [4, 4, 4, 1..=3]
            | [4, 4, 5]
            | [8, 8]
    )
}

/// Looks for a card number at the first group of `numbers`.
pub(crate) fn at(input: &Input<'_>, numbers: &Numbers, found: &mut Candidates) {
    if !numbers.begins || numbers.digits.len() < 12 {
        return;
    }
    for groups in (1..=numbers.groups.len()).rev() {
        let digits = numbers.digits_of(groups);
        if !(12..=19).contains(&digits.len()) || !is_issued(digits) || !luhn(digits.iter().copied()) {
            continue;
        }
        let Some(end) = numbers.end_of(input, groups) else { continue };
        let shape = numbers.shape(groups);
        let uniform = numbers.uniform(groups);
        if !is_usual(&shape)
            || !matches!(uniform, Some(Separator::None | Separator::Space | Separator::Dash | Separator::Dot))
        {
            continue;
        }
        let says = input.context.says(input, numbers.start(), EntityType::Card);
        let base = match (groups > 1, digits.len()) {
            (_, ..14) => 45,
            (true, _) => 85,
            (false, _) => 75,
        };
        let confidence = base
            + if says.yes {
                13
            } else if says.no {
                -15
            } else {
                0
            };
        found.add(EntityType::Card, numbers.start(), end, confidence);
        return;
    }
}

#[cfg(test)]
mod tests {
    use crate::EntityType::Card;
    use crate::recognizers::table::{finds, finds_not};

    #[test]
    fn examples() {
        finds(
            Card,
            &[
                ("my card is [4111 1111 1111 1111], thanks", 98),
                ("[4111-1111-1111-1111]", 85),
                ("pay with [5555555555554444].", 75),
                ("[378282246310005] amex", 75),
                ("Kreditkarte: [3782 822463 10005]", 98),
                ("[4111 1111 1111 1111] 12/27", 85),
                ("12 [4111 1111 1111 1111]", 85),
                ("[4111\u{a0}1111\u{a0}1111\u{a0}1111]", 85),
                ("[4111\u{202f}1111\u{202f}1111\u{202f}1111]", 85),
                ("[4111\u{200b}1111\u{200b}1111\u{200b}1111]", 75),
                ("[４１１１１１１１１１１１１１１１]", 75),
                ("{\"pan\":[2223003122003222]}", 88),
                ("\\n[4242424242424242]\\n", 75),
                ("[30569309025904]", 75),
                ("order [4111111111111111]", 60),
                ("[6011111111111117]", 75),
                ("[4111111111111111.0]", 75),
                ("card [4111111111111111.00].", 88),
                ("[4.111111111111111e15]", 75),
                ("{\"n\":[4.111111111111111E+15]}", 75),
                ("-[411111111111111100e-2]", 75),
                ("[0.4111111111111111e16]", 75),
                ("[4111111111111111e0], then", 75),
                ("[4111111111111111.000000000000000000000000]", 75),
            ],
        );
    }

    #[test]
    fn counter_examples() {
        finds_not(
            Card,
            &[
                "4111 1111 1111 1112",
                "1763832740123",
                "1763832740123456",
                "978-3-16-148410-0",
                "550e8400-e29b-41d4-a716-446655440000",
                "a4111111111111111f",
                "0000 0000 0000 0000",
                "9999999999999995",
                "1.4111111111111111",
                "4.111111111111111e14",
                "4.111111111111111e9999",
                "0.4111111111111111",
                "4.111111111111112e15",
                "41111111111111111111111111",
            ],
        );
    }
}
