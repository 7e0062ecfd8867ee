//! The United Kingdom and Ireland.

use super::Row;
use super::checks::{Check, Own, Rule, sum, value};
use crate::EntityType as E;

pub(crate) const ROWS: &[Row] = &[
    Row {
        entity: E::UkNino,
        forms: &[("@@ ## ## ## @", 88), ("@@######@", 75), ("@@ ###### @", 80)],
        check: Check::Own(Own("nino", nino)),
        worded: 97,
        words: &["nino", "national insurance", "ni number", "ni no", "insurance number"],
        source: "https://www.gov.uk/hmrc-internal-manuals/national-insurance-manual/nim39110",
        examples: &["NI number [AB 12 34 56 C]", "[JG103759A] please", "nino: [ab123456c]"],
        others: &["BG 12 34 56 A", "AB 12 34 56 E", "DA123456A", "ab123456c", "AO123456A"],
    },
    Row {
        entity: E::UkNhs,
        forms: &[("### ### ####", 55), ("##########", 0)],
        check: Check::All(&[
            Check::Varied,
            Check::Weighted(&[10, 9, 8, 7, 6, 5, 4, 3, 2], 11, Rule::Complement),
        ]),
        worded: 95,
        words: &["nhs", "health service", "patient"],
        source: "https://www.datadictionary.nhs.uk/attributes/nhs_number.html",
        examples: &["NHS number: [155 940 7816]", "nhs [0106513338]"],
        others: &["NHS 155 940 7817", "0106513338", "NHS 0000000000"],
    },
    Row {
        entity: E::UkUtr,
        forms: &[("##########", 0), ("##### #####", 0)],
        check: Check::Own(Own("utr", |of| {
            let sum = sum(of, &[0, 6, 7, 8, 9, 10, 5, 4, 3, 2]) % 11;
            let want = b"21987654321".get(usize::try_from(sum).unwrap_or(99));
            want.is_some() && of.first() == want
        })),
        worded: 88,
        words: &["utr", "taxpayer reference", "tax reference", "self assessment"],
        source: "https://www.gov.uk/find-utr-number",
        examples: &["UTR [1080132677]", "taxpayer reference: [81219 13619]"],
        others: &["UTR 2080132677", "1080132677"],
    },
    Row {
        entity: E::IePps,
        forms: &[("#######@", 55), ("#######@@", 65)],
        check: Check::Own(Own("pps", pps)),
        worded: 95,
        words: &["pps", "ppsn", "personal public service", "upsp"],
        source: "https://www.gov.ie/en/department-of-social-protection/services/get-a-personal-public-service-pps-number/",
        examples: &["PPS number [1617723P]", "[2815978AA]"],
        others: &["PPS 1617723Q", "1617723p", "16177231P"],
    },
];

/// Prefixes that are not issued: the letters D, F, I, Q, U, V in either place, O in the second, and some pairs.
fn nino(of: &[u8]) -> bool {
    let [first, second, .., last] = of else { return false };
    let unused = |c: &u8| b"DFIQUV".contains(c);
    let pair = [*first, *second];
    !unused(first)
        && !unused(second)
        && *second != b'O'
        && ![*b"BG", *b"GB", *b"KN", *b"NK", *b"NT", *b"TN", *b"ZZ"].contains(&pair)
        && (b'A'..=b'D').contains(last)
}

pub(super) fn pps(of: &[u8]) -> bool {
    let second = match of.get(8) {
        None | Some(b'W') => 0,
        Some(letter) => value(*letter) - 9,
    };
    let sum = (sum(of, &[8, 7, 6, 5, 4, 3, 2]) + 9 * second) % 23;
    let want = b"WABCDEFGHIJKLMNOPQRSTUV".get(usize::try_from(sum).unwrap_or(99));
    want.is_some() && of.get(7) == want
}
