//! Numbers of health care: providers, prescribers, beneficiaries.

use super::Row;
use super::checks::{Check, Own, sum, value};
use crate::EntityType as E;

pub(crate) const ROWS: &[Row] = &[
    Row {
        entity: E::UsNpi,
        forms: &[("##########", 0)],
        check: Check::Own(Own("npi", npi)),
        worded: 92,
        words: &["npi", "national provider", "provider identifier", "provider id"],
        source: "https://www.cms.gov/Regulations-and-Guidance/Administrative-Simplification/NationalProvIdentStand/Downloads/NPIcheckdigit.pdf",
        examples: &["NPI [1025735972]", "national provider identifier: [1932516499]"],
        others: &["NPI 1025735973", "1025735972"],
    },
    Row {
        entity: E::UsDea,
        forms: &[("@@#######", 70)],
        check: Check::All(&[
            Check::At(0, b"ABCDEFGHJKLMPRSTUX"),
            Check::Own(Own("dea", |of| {
                let once = sum(of, &[0, 0, 1, 0, 1, 0, 1]);
                let twice = sum(of, &[0, 0, 0, 2, 0, 2, 0, 2]);
                // `KB3086255` is an update of Windows: https://support.microsoft.com/help/3086255
                let is_update = of.starts_with(b"KB");
                !is_update && of.get(8).is_some_and(|check| value(*check) == (once + twice) % 10)
            })),
        ]),
        worded: 95,
        words: &["dea", "prescriber", "controlled substance"],
        source: "https://www.deadiversion.usdoj.gov/drugreg/faq.html",
        examples: &["DEA [BJ1234563]", "prescriber [AB4455665]"],
        others: &["DEA BJ1234564", "BJ123456", "IJ1234563", "Package_for_KB3086255~31bf"],
    },
    Row {
        entity: E::UsMbi,
        forms: &[("#@*#-@*#-@@##", 92), ("#@*#@*#@@##", 75)],
        check: Check::Own(Own("mbi", |of| {
            let letters = [1, 2, 4, 5, 7, 8];
            let unused = |c: &u8| b"SLOIBZ".contains(c);
            of.first() != Some(&b'0') && !letters.iter().any(|at| of.get(*at).is_some_and(unused))
        })),
        worded: 97,
        words: &["mbi", "medicare", "beneficiary"],
        source: "https://www.cms.gov/medicare/new-medicare-card/understanding-the-mbi-with-format.pdf",
        examples: &["Medicare [1EG4-TE5-MK73]", "mbi [2CD5E67FG89]", "[3KN7-A83-HT12] is hers"],
        others: &["0EG4-TE5-MK73", "1SG4-TE5-MK73", "1EG4-TE5-MK7"],
    },
];

/// The Luhn check with the prefix 80840 that ISO gave the United States' health cards.
fn npi(of: &[u8]) -> bool {
    let digits: Vec<u8> = b"80840".iter().chain(of).copied().collect();
    matches!(of.first(), Some(b'1' | b'2')) && Check::Luhn.holds(&digits)
}
