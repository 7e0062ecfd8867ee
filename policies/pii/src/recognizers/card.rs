//! Payment card numbers.
//!
//! Source: ISO/IEC 7812-1 (structure, Luhn check in annex B); issuer ranges as listed at
//! <https://en.wikipedia.org/wiki/Payment_card_number#Issuer_identification_number_(IIN)>. Validator: issuer
//! range, length for that issuer, Luhn. A letter before `-./_` is a border like a space, and so is a sign with few
//! digits on its other side (`4111…1111/123`); 14 digits or more in a row may be glued to a word. Not found: numbers
//! glued to letters that could be hexadecimal with them (`a4111…`, `0x4111…`), groups of unusual sizes, groups over line
//! breaks or wide gaps within a longer table without a word for a card before them, nor two halves over one; digits after
//! `1.`; without such a word, numbers of 12 or 13 digits, of 17 or more in a row (UnionPay's only right after `_` or `-`), and
//! Maestro's in a row with other than 16. A word for something else (`order`) lowers the confidence, but never so far that a
//! number with a valid check is not reported.

use super::numbers::{ASIDE_MAX, After, Before, Numbers, Separator};
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

/// Whether numbers in a row of these digits are hardly ever cards: issuers whose cards have 16 digits and that may issue others
/// as well. Ids of 64 bits and of parcels begin alike, and one in ten of them passes the check.
fn is_rare(digits: &[u8]) -> bool {
    let prefix = digits.first_chunk::<2>();
    let maestro =
        matches!(prefix, Some([b'5', b'0' | b'6'..=b'9'] | [b'6', b'0' | b'1' | b'3' | b'6'..=b'9']));
    match digits.len() {
        // UnionPay issues cards of 19 digits.
        17.. => prefix != Some(b"62"),
        len => maestro && len != 16,
    }
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

/// Whether a number may begin and end where it does.
fn is_bordered(input: &Input<'_>, numbers: &Numbers, groups: usize, end: usize, after: After) -> bool {
    let one = groups == 1;
    let dashed = numbers.uniform(groups) == Some(Separator::Dash);
    let glued = one && numbers.digits_of(1).len() > 13 && Numbers::is_in_a_word(input, numbers.start(), end);
    let begins = match numbers.before {
        Before::Clear => true,
        Before::Sign(b'-') => one || numbers.is_after_few(input),
        Before::Sign(_) => true,
        Before::Letter => glued,
        Before::Dot => false,
    };
    let ends = match after {
        After::Clear | After::Sign(Separator::Slash, _) => true,
        After::Sign(Separator::Dash, len) => one || !dashed || len <= ASIDE_MAX,
        After::Sign(..) => numbers.uniform(groups) != Some(Separator::Dot),
        After::Letter => glued,
    };
    begins && ends
}

/// The confidence in a number for the way it is grouped, without what the words before it say.
fn base(input: &Input<'_>, numbers: &Numbers, groups: usize, worded: bool) -> Option<i32> {
    use Separator::{Break, Dash, Dot, None as Single, Space, Wide};
    if !is_usual(&numbers.shape(groups)) {
        return None;
    }
    let start = numbers.start();
    let is_named = input.run_back(start, 1, |b| matches!(b, b'_' | b'-')) < start;
    let grouped = match (numbers.uniform(groups), numbers.digits_of(groups).len()) {
        // `blk_8291449241650212794`: names of things with a number of 64 bits.
        (Some(Single), 17..) if !worded && is_named => return None,
        (Some(Single), 14..) if !worded && is_rare(numbers.digits_of(groups)) => return Some(45),
        (Some(Single), 14..) => return Some(75),
        (Some(Single | Space | Dash | Dot), ..14) => return Some(45),
        (Some(Space | Dash | Dot), _) => return Some(85),
        _ => numbers.separators(groups).all(|s| matches!(s, Space | Dash | Wide | Break)),
    };
    // Four cells of a table are no number.
    let apart = numbers.separators(groups).all(|s| matches!(s, Wide | Break));
    let blank = |b: u8| b.is_ascii_whitespace();
    let gap = start - input.run_back(start, 8, blank);
    let cell = gap < start && input.run_back(gap, 5, |b| b.is_ascii_digit()) == 4;
    let goes_on = cell || numbers.groups.get(groups).is_some_and(|next| next.len == 4);
    let long = numbers.digits_of(groups).len() > 13;
    // A number at the end of a line and a date of eight digits at the beginning of the next.
    let halves = matches!(numbers.shape(groups).as_slice(), [8, 8]);
    (grouped && long && (worded || !apart || !(goes_on || halves))).then_some(65)
}

/// Looks for a card number at the first group of `numbers`.
pub(crate) fn at(input: &Input<'_>, numbers: &Numbers, found: &mut Candidates) {
    if numbers.before == Before::Dot || numbers.digits.len() < 12 {
        return;
    }
    for groups in (1..=numbers.groups.len()).rev() {
        let digits = numbers.digits_of(groups);
        if !(12..=19).contains(&digits.len()) || !is_issued(digits) || !luhn(digits.iter().copied()) {
            continue;
        }
        let Some((end, after)) = numbers.end_and_after(input, groups) else { continue };
        if !is_bordered(input, numbers, groups, end, after) {
            continue;
        }
        let says = input.says(numbers.start(), EntityType::Card);
        let Some(base) = base(input, numbers, groups, says.yes) else { continue };
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
                ("[4111111111111111e0000]", 75),
                ("[4.1111111111111110000e+0015]", 75),
                ("{\"n\":[41111111111111110000000000000000000000000000000000e-0034]}", 75),
                ("[0.00000000000000000000000000000000004111111111111111e50]", 75),
                ("Visa-[4111 1111 1111 1111]", 98),
                ("card-[4111111111111111]", 88),
                ("[4111111111111111]/123", 75),
                ("[4111111111111111]-12/27", 75),
                ("[4111-1111-1111-1111]-123", 85),
                ("12-[4111-1111-1111-1111]", 85),
                ("12/27/[4111111111111111]", 75),
                ("2024_[4111111111111111]_1", 75),
                ("Ende.[4111 1111 1111 1111].", 85),
                ("pay/[4111111111111111]", 75),
                ("https://shop.example/c/[4111111111111111].png", 75),
                ("https://shop.example/c?pan=[4111111111111111]&x=1", 88),
                ("[4111111111111111].50", 75),
                ("PAN[4111111111111111]", 88),
                ("[4111111111111111]EUR", 75),
                ("x[4111111111111111]y", 75),
                ("[4111 1111\n1111 1111]", 65),
                ("[4111\r\n1111\r\n1111\r\n1111]\n", 65),
                ("[4111  1111  1111  1111]", 65),
                ("card [4111 - 1111 - 1111 - 1111] 12/27", 78),
                ("[4111-1111 1111-1111]", 65),
                ("[6222021234567890128]", 75),
                ("Visa [4539123456789012340]", 88),
                ("[4539 1234 5678 9012 340]", 85),
                ("Maestro [675911112222338]", 88),
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
                "4.111111111111111e99999999999999999999",
                "0e15",
                "0x4111111111111111",
                "1-2-4111-1111-1111-1111",
                "4111-1111-1111-1111-11111",
                "9000\n4111\n1111\n1111\n1111\n",
                "4111  1111  1111  1111  2345",
                "block blk_8291449241650212794 of size",
                "block blk_-4980916519894289629",
                "##13406##27180468\n20171223-22:15:36",
                "4111  1111  1111  1111\n2345",
                "trace=4539123456789012340",
                "parcel 675911112222338",
                "v1.4111111111111111",
                "0.4111111111111111",
                "4.111111111111112e15",
                "41111111111111111111111111",
            ],
        );
    }
}
