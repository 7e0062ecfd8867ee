//! Germany, Austria, Switzerland, Liechtenstein.

use super::Row;
use super::checks::{Check, Order, Own, Rule, cross, value};
use crate::EntityType as E;

pub(crate) const ROWS: &[Row] = &[
    Row {
        entity: E::DeSocialInsurance,
        forms: &[("## ###### @ ###", 88), ("########@###", 80), ("## ###### @###", 88)],
        check: Check::All(&[
            Check::Date(2, Order::Dmy, &[0], &[0, 50]),
            Check::Own(Own("rvnr", |of| {
                let digits = spelled(of);
                let weights = [2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1];
                let sum: u32 = digits.iter().zip(weights).map(|(d, w)| cross(d * w)).sum();
                digits.last() == Some(&(sum % 10))
            })),
        ]),
        worded: 97,
        words: &[
            "rentenversicherung",
            "sozialversicherung",
            "rvnr",
            "svnr",
            "versicherungsnummer",
            "sv-nummer",
        ],
        source: "https://www.gesetze-im-internet.de/vkvv/__4.html",
        examples: &["Sozialversicherungsnummer [15 070649 C 103]", "[15070649C103]"],
        others: &["15 070649 C 104", "15 074049 C 103", "15070649c103"],
    },
    Row {
        entity: E::DeIdCard,
        forms: &[("@#*******#", 0), ("@@#******#", 0), ("@@@#*****#", 0), ("@@@@#****#", 0)],
        check: Check::All(&[Check::At(0, b"LMNPRTVWXY"), Check::Own(Own("icao", icao))]),
        worded: 92,
        words: &["personalausweis", "ausweis", "identity card", "id card", "ausweisnummer"],
        source: "https://www.personalausweisportal.de/Webs/PA/DE/buergerinnen-und-buerger/der-personalausweis/der-personalausweis-node.html",
        examples: &[
            "Personalausweis Nr. [L01X00T471]",
            "ausweisnummer: [LZ6311T475]",
            "Ausweis [T220001293]",
        ],
        others: &["Personalausweis L01X00T472", "L01X00T471"],
    },
    Row {
        entity: E::DeHealthInsurance,
        forms: &[("@#########", 75), ("@### ### ###", 75)],
        check: Check::Own(Own("kvnr", |of| {
            let digits = spelled(of);
            let sum: u32 = digits.iter().zip([1, 2, 1, 2, 1, 2, 1, 2, 1, 2]).map(|(d, w)| cross(d * w)).sum();
            digits.last() == Some(&(sum % 10))
        })),
        worded: 95,
        words: &["krankenversicher", "krankenkasse", "kvnr", "versichertennummer", "gesundheitskarte", "egk"],
        source: "https://www.gesetze-im-internet.de/sgb_5/__290.html",
        examples: &["Versichertennummer [A123456780]", "KVNR: [M310119802]"],
        others: &["A123456781", "a123456780", "1A23456780"],
    },
    Row {
        entity: E::AtSvnr,
        forms: &[("#### ######", 60), ("##########", 0)],
        check: Check::All(&[
            Check::Date(4, Order::Dmy, &[0, 3], &[0]),
            Check::At(0, b"123456789"),
            Check::Own(Own("svnr", |of| {
                let sum = super::checks::sum(of, &[3, 7, 9, 0, 5, 8, 4, 2, 1, 6]) % 11;
                of.get(3).is_some_and(|check| value(*check) == sum)
            })),
        ]),
        worded: 95,
        words: &["sozialversicherung", "svnr", "sv-nr", "versicherungsnummer", "e-card"],
        source: "https://www.sozialversicherung.at/cdscontent/?contentid=10007.820902",
        examples: &["Sozialversicherungsnummer [2442 030281]", "SVNR [5361160176]"],
        others: &["2443 030281", "2442 034081", "5361160176"],
    },
    Row {
        entity: E::ChAhv,
        forms: &[("756.####.####.##", 96), ("756 #### #### ##", 90), ("756##########", 75)],
        check: Check::Weighted(&[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3], 10, Rule::Complement),
        worded: 98,
        words: &["ahv", "avs", "avn", "sozialversicherung", "assurance sociale", "assicurazione"],
        source: "https://www.zas.admin.ch/zas/en/home/partenaires-et-institutions-/navs13.html",
        examples: &["AHV-Nummer [756.4117.3098.50]", "[7568217195535]"],
        others: &["756.4117.3098.51", "757.4117.3098.50"],
    },
];

/// The digits, letters as the two digits of their place in the alphabet.
fn spelled(of: &[u8]) -> Vec<u32> {
    let mut digits = Vec::with_capacity(of.len() + 1);
    for byte in of {
        if byte.is_ascii_digit() {
            digits.push(value(*byte));
        } else {
            let place = value(*byte).saturating_sub(9);
            digits.extend([place / 10, place % 10]);
        }
    }
    digits
}

/// The check digit of machine readable documents: weights 7, 3, 1 (ICAO Doc 9303, part 3, section 4.9).
pub(crate) fn icao(of: &[u8]) -> bool {
    let Some((check, body)) = of.split_last() else { return false };
    let sum: u32 = body.iter().zip([7, 3, 1].into_iter().cycle()).map(|(c, w)| value(*c) * w).sum();
    check.is_ascii_digit() && value(*check) == sum % 10
}
