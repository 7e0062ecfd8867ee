//! Telephone numbers.
//!
//! Source: ITU-T E.164 and E.123 (<https://www.itu.int/rec/T-REC-E.164>); the numbering plans as in Google's
//! libphonenumber metadata, by the `phonenumber` crate. Validator: the national patterns of the calling code.
//! A number that begins with `+` and a known calling code is reported even if its plan does not know it, with
//! less confidence: made-up numbers and new ranges look like that. An extension after the number (RFC 3966, section 5.3;
//! `x123` and `ext. 123` as people write it) belongs to it. Of regions that are declared, national numbers are known in any
//! grouping, also in a single run of digits, if the region's plan has them. Not found: national numbers of countries
//! other than [`NATIONAL`] and the declared ones without `+` or `00`, local numbers without an area code and without a word
//! for a phone before them, national numbers right after another number with only a space between, letters for digits.

mod pattern;
mod plans;

use super::context::Says;
use super::numbered::days_of;
use super::numbers::{Numbers, Separator};
use super::{Candidates, Input};
use crate::EntityType;
use crate::phone_regions::PhoneRegions;
pub(crate) use plans::Plans;

/// Calling codes whose national numbers, with their trunk prefix 0, are recognised.
pub(crate) const NATIONAL: [u16; 6] = [49, 43, 41, 44, 33, 31];

/// Looks for a phone number at the first group of `numbers`.
pub(crate) fn at(
    input: &Input<'_>,
    plans: &Plans,
    regions: &PhoneRegions,
    numbers: &Numbers,
    found: &mut Candidates,
) {
    if numbers.digits.len() < 7 {
        return;
    }
    let start = numbers.start();
    match input.before(start) {
        Some(b'+')
            if input
                .before(start - 1)
                .is_none_or(|b| !b.is_ascii_alphanumeric() || input.begins(start - 1)) =>
        {
            international(input, plans, numbers, start - 1, 0, found);
        }
        Some(b'(') => match input.before(start - 1) {
            Some(b'+') => {}
            _ => national(input, plans, regions, numbers, start - 1, found),
        },
        _ if numbers.begins => {
            if numbers.digits.starts_with(b"00") && numbers.digits.get(2) != Some(&b'0') {
                international(input, plans, numbers, start, 2, found);
            } else if numbers.fresh {
                national(input, plans, regions, numbers, start, found);
            }
        }
        _ => {}
    }
}

/// A number with calling code, after `skip` digits of an international prefix.
fn international(
    input: &Input<'_>,
    plans: &Plans,
    numbers: &Numbers,
    start: usize,
    skip: usize,
    found: &mut Candidates,
) {
    let says = input.says(start, EntityType::Phone);
    let mut shape_only = None;
    for groups in (1..=numbers.groups.len().min(8)).rev() {
        let Some(end) = end_of(input, numbers, groups) else { continue };
        let digits = international_digits(numbers, groups, skip);
        if !(8..=15).contains(&digits.len()) {
            continue;
        }
        let Some((code, national)) = plans.split(&digits) else { continue };
        if plans.knows(code, national) {
            let base = if skip == 0 { 90 } else { 70 };
            found.add(EntityType::Phone, start, end, weigh(base, 8, 15, says));
            return;
        }
        if skip == 0 && digits.len() >= 9 && national.len() >= 6 {
            shape_only = shape_only.or(Some(end));
        }
    }
    if let Some(end) = shape_only {
        found.add(EntityType::Phone, start, end, weigh(58, 12, 20, says));
    }
}

/// The digits without prefix, and without the trunk zero in `+49 (0)30`.
fn international_digits(numbers: &Numbers, groups: usize, skip: usize) -> String {
    let mut out = String::new();
    let mut at = 0;
    for (i, group) in numbers.groups.iter().take(groups).enumerate() {
        let digits = numbers.digits.get(at..at + group.len).unwrap_or_default();
        at += group.len;
        let trunk = i > 0 && digits == b"0" && group.separator == Separator::Parenthesis;
        if !trunk {
            out.extend(digits.iter().map(|d| char::from(*d)));
        }
    }
    out.split_off(skip.min(out.len()))
}

/// A number without calling code.
fn national(
    input: &Input<'_>,
    plans: &Plans,
    regions: &PhoneRegions,
    numbers: &Numbers,
    start: usize,
    found: &mut Candidates,
) {
    let says = input.says(start, EntityType::Phone);
    if is_stamp(numbers) && !says.yes {
        return;
    }
    usual(input, plans, numbers, start, says, found);
    // What a declared region has is surer; of two on one another the surer one stays.
    if !regions.is_empty() {
        declared(input, plans, regions, numbers, start, says, found);
    }
}

/// Digits without a word for a phone before them are a number of a declared region from this many on.
const ALONE_MIN: usize = 9;

/// A national number of a declared region.
fn declared(
    input: &Input<'_>,
    plans: &Plans,
    regions: &PhoneRegions,
    numbers: &Numbers,
    start: usize,
    says: Says,
    found: &mut Candidates,
) {
    for groups in (1..=numbers.groups.len().min(7)).rev() {
        let Some(end) = end_of(input, numbers, groups) else { continue };
        let digits = std::str::from_utf8(numbers.digits_of(groups)).unwrap_or_default();
        let least = if says.yes { 7 } else { ALONE_MIN };
        if !(least..=13).contains(&digits.len()) || is_date(numbers, groups) {
            continue;
        }
        if regions.iter().filter_map(|region| plans.region(region)).any(|region| region.knows(digits)) {
            let spaced = numbers.separators(groups).all(|s| s == Separator::Space);
            let base = if groups == 1 || spaced { 50 } else { 60 };
            found.add(EntityType::Phone, start, end, weigh(base, 25, 25, says));
            return;
        }
    }
}

/// Where the first `groups` groups end as a telephone number, with its extension.
fn end_of(input: &Input<'_>, numbers: &Numbers, groups: usize) -> Option<usize> {
    let end = numbers.groups.get(groups.checked_sub(1)?)?.end;
    extension(input, end).or_else(|| numbers.end_of(input, groups))
}

/// Where the extension ends that begins at `at`.
fn extension(input: &Input<'_>, at: usize) -> Option<usize> {
    const WORDS: [&str; 4] = ["x", "ext", "ext.", "extension"];
    const DIGITS_MAX: usize = 6;
    let blank = |at: usize| input.run(at, 1, |b| b == b' ');
    let word = at + blank(at);
    let after = word + input.run(word, 10, |b| b.is_ascii_alphabetic() || b == b'.');
    if !WORDS.iter().any(|known| known.eq_ignore_ascii_case(input.slice(word, after))) {
        return None;
    }
    let digits = after + blank(after);
    let end = digits + input.run(digits, DIGITS_MAX + 1, |b| b.is_ascii_digit());
    ((1..=DIGITS_MAX).contains(&(end - digits)) && input.ends(end)).then_some(end)
}

/// Whether groups of digits look like a date or a time.
fn is_date(numbers: &Numbers, groups: usize) -> bool {
    matches!(numbers.shape(groups).as_slice(), [2, 2, 4 | 2] | [4, 2, 2] | [1, ..])
}

/// Whether two groups of six digits are a date and a time, as logs write them: `081109 203615`.
fn is_stamp(numbers: &Numbers) -> bool {
    if !numbers.has_shape(&[6, 6]) || numbers.uniform(2) != Some(Separator::Space) {
        return false;
    }
    let two = |at: usize| match numbers.digits.get(at..at + 2) {
        Some([tens, ones]) => u32::from(tens - b'0') * 10 + u32::from(ones - b'0'),
        _ => u32::MAX,
    };
    let date = (1..=days_of(two(2))).contains(&two(4)) || (1..=days_of(two(2))).contains(&two(0));
    date && two(6) < 24 && two(8) < 60 && two(10) < 60
}

/// A number without calling code of North America or of [`NATIONAL`].
fn usual(
    input: &Input<'_>,
    plans: &Plans,
    numbers: &Numbers,
    start: usize,
    says: Says,
    found: &mut Candidates,
) {
    let parenthesis = start != numbers.start();
    if numbers.digits.first() == Some(&b'0') {
        trunk(input, plans, numbers, start, says, found);
        return;
    }
    // North America: NPA-NXX-XXXX, perhaps after a 1.
    for (shape, first) in [(&[3, 3, 4][..], 0), (&[1, 3, 3, 4], 1), (&[10], 0)] {
        if !numbers.has_shape(shape) {
            continue;
        }
        let Some(end) = end_of(input, numbers, shape.len()) else { continue };
        let digits = std::str::from_utf8(numbers.digits_of(shape.len())).unwrap_or_default();
        let national = digits.get(first..).unwrap_or_default();
        let numbering = |at: usize| matches!(national.as_bytes().get(at), Some(b'2'..=b'9'));
        if (first == 1 && !digits.starts_with('1')) || !numbering(0) || !numbering(3) {
            continue;
        }
        let spaced = numbers.groups.iter().take(shape.len()).skip(1).all(|g| g.separator == Separator::Space);
        let base = match (plans.knows(1, national), parenthesis, shape.len() == 1, spaced) {
            (_, _, true, _) => 40,
            (true, true, ..) => 80,
            (true, .., false) => 70,
            (true, ..) => 55,
            (false, .., false) => 60,
            (false, ..) => 40,
        };
        found.add(EntityType::Phone, start, end, weigh(base, 15, 25, says));
        return;
    }
    // A local number, only right after a word for a phone.
    let local = numbers.has_shape(&[3, 4]) && numbers.uniform(2) == Some(Separator::Dash);
    if let (true, true, Some(end)) = (local, says.yes, numbers.end_of(input, 2)) {
        found.add(EntityType::Phone, start, end, 60);
    }
}

/// A number that begins with the trunk prefix 0.
fn trunk(
    input: &Input<'_>,
    plans: &Plans,
    numbers: &Numbers,
    start: usize,
    says: Says,
    found: &mut Candidates,
) {
    for groups in (1..=numbers.groups.len().min(7)).rev() {
        let Some(end) = end_of(input, numbers, groups) else { continue };
        let digits = std::str::from_utf8(numbers.digits_of(groups)).unwrap_or_default();
        let shape = numbers.shape(groups);
        // Decimal fractions.
        let dotted =
            groups > 2 && numbers.uniform(groups) == Some(Separator::Dot) && shape.iter().all(|n| *n < 3);
        if is_date(numbers, groups) || !(8..=13).contains(&digits.len()) || (dotted && shape.len() != 5) {
            continue;
        }
        let national = digits.get(1..).unwrap_or_default();
        if national.starts_with('0') || !NATIONAL.iter().any(|code| plans.knows(*code, national)) {
            continue;
        }
        let german_mobile = matches!(digits.get(..3), Some("015" | "016" | "017")) && digits.len() >= 11;
        let base = match (groups, german_mobile) {
            (1, false) => 40,
            (1, true) => 55,
            (_, true) => 75,
            _ => 60,
        };
        found.add(EntityType::Phone, start, end, weigh(base, 25, 25, says));
        return;
    }
}

fn weigh(base: i32, up: i32, down: i32, says: Says) -> i32 {
    if says.yes {
        base + up
    } else if says.no {
        base - down
    } else {
        base
    }
}

#[cfg(test)]
mod tests {
    use crate::EntityType::Phone;
    use crate::recognizers::table::{finds, finds_not};
    use crate::{Detector, PhoneRegions};

    #[test]
    fn examples() {
        finds(
            Phone,
            &[
                ("call me at [+49 30 901820]", 98),
                ("[+49 (0)30 901820].", 90),
                ("Tel. [030/901820]", 85),
                ("Rückruf unter [0171 2345678] bitte", 100),
                ("meine Nummer: [0171-2345678]", 75),
                ("[01712345678] ist meine", 55),
                ("[+1 (415) 555-2671]", 90),
                ("[(415) 555-2671]", 80),
                ("phone: [415-555-2671]", 85),
                ("[415.555.2671]", 70),
                ("[+442079460123]", 90),
                ("[0044 20 7946 0123]", 70),
                ("fax [555-0123]", 60),
                ("[+33 1 42 68 53 00]", 90),
                ("tel:[+4930901820]", 98),
                ("[+49\u{a0}30\u{a0}901820]", 90),
                ("mobile [+1 555 123 4567]", 70),
                ("[415-555-2671x1234] or", 70),
                ("[+1-415-555-2671 ext. 12].", 90),
                ("Tel. [033203 123456]", 85),
            ],
        );
    }

    #[test]
    fn national_numbers_of_declared_regions() {
        let mut regions = PhoneRegions::NONE;
        assert!(["US", "IN", "BR", "DE", "FR", "IL"].iter().all(|region| regions.insert(region)));
        let detector = Detector::new().calling_from(regions);
        for (text, number, confidence) in [
            ("9876543210", "9876543210", 50),
            ("call 09876543210 now", "09876543210", 75),
            ("4155552671", "4155552671", 50),
            ("(11) 98765-4321", "(11) 98765-4321", 60),
            ("ligar 11 98765-4321", "11 98765-4321", 60),
            ("415-5552671", "415-5552671", 60),
            ("052-345-6789 x12", "052-345-6789 x12", 60),
        ] {
            let mut found = Vec::new();
            detector.scan(text, &mut found);
            let got: Vec<_> =
                found.iter().map(|f| (f.entity, f.value(text).unwrap(), f.confidence.percent())).collect();
            assert_eq!(got, [(Phone, number, confidence)], "{text}");
        }
        // Where numbers are written with a 0, those without it are none; and a word for something else counts.
        for text in ["1763832740", "30901820", "order 4155552671", "2024-01-02", "123456789"] {
            let mut found = Vec::new();
            detector.scan(text, &mut found);
            assert!(found.iter().all(|finding| finding.entity != Phone), "{text}: {found:?}");
        }
        assert_ne!(detector.digest(), Detector::new().digest());
    }

    #[test]
    fn counter_examples() {
        finds_not(
            Phone,
            &[
                "01.02.2024",
                "2024-01-02",
                "10.0.0.1",
                "1763832740",
                "4155552671",
                "12:30:45.123456",
                "550e8400-e29b-41d4-a716-446655440000",
                "order 415-555-2671-99",
                "978-3-16-148410-0",
                "a + 1234567",
                "1,234,567.89",
                "00000000",
                "0.123456789",
                "3 000 000 000",
                "9876543210",
                "11 98765-4321",
                "12345678",
                "9533 7411 0670 9433",
                "081109 203615 148 INFO dfs.DataNode",
                "010224 235959",
            ],
        );
    }
}
