//! Denmark, Sweden, Norway, Finland, Iceland.

use super::Row;
use super::checks::{Check, Order, Own, Rule, number};
use crate::EntityType as E;

pub(crate) const ROWS: &[Row] = &[
    Row {
        entity: E::DkCpr,
        forms: &[("######-####", 55), ("##########", 0)],
        // Since 2007 numbers are issued without a check digit.
        check: Check::Date(0, Order::Dmy, &[0], &[0]),
        worded: 92,
        words: &["cpr", "personnummer", "cpr-nr", "sundhedskort"],
        source: "https://cpr.dk/cpr-systemet/opbygning-af-cpr-nummeret",
        examples: &["CPR [211062-5629]", "cpr-nr. [2110625629]", "[211062-5629]"],
        others: &["CPR 321062-5629", "2110625629"],
    },
    Row {
        entity: E::SePersonnummer,
        forms: &[
            ("######-####", 75),
            ("######+####", 80),
            ("########-####", 85),
            ("##########", 0),
            ("############", 0),
        ],
        check: Check::Own(Own("personnummer", |of| {
            let short = if of.len() == 12 { of.get(2..).unwrap_or_default() } else { of };
            let century = of.len() == 10 || of.starts_with(b"19") || of.starts_with(b"20");
            century && Check::Date(0, Order::Ymd, &[0], &[0, 60]).holds(short) && Check::Luhn.holds(short)
        })),
        worded: 96,
        words: &["personnummer", "samordningsnummer", "pnr", "personnr"],
        source: "https://www.skatteverket.se/privat/folkbokforing/personnummer.4.3810a01c150939e893f18c29.html",
        examples: &["personnummer [931112-5471]", "[19861018-3918]", "pnr [8610183918]"],
        others: &["931112-5472", "931312-5471", "8610183918"],
    },
    Row {
        entity: E::NoFodselsnummer,
        forms: &[("###########", 65), ("###### #####", 80)],
        check: Check::All(&[
            Check::Date(0, Order::Dmy, &[0, 40], &[0, 40]),
            Check::Weighted(&[3, 7, 6, 1, 8, 9, 4, 5, 2], 11, Rule::Complement),
            Check::Weighted(&[5, 4, 3, 2, 7, 6, 5, 4, 3, 2], 11, Rule::Complement),
        ]),
        worded: 97,
        words: &["fødselsnummer", "fodselsnummer", "personnummer", "fnr", "d-nummer"],
        source: "https://www.skatteetaten.no/en/person/national-registry/identitetsnummer/fodselsnummer/",
        examples: &["fødselsnummer [15026711212]", "[101295 46455]"],
        others: &["15026711213", "15136711212"],
    },
    Row {
        entity: E::FiHetu,
        forms: &[("######-###*", 90), ("######+###*", 90), ("######@###*", 80)],
        check: Check::All(&[Check::Date(0, Order::Dmy, &[0], &[0]), Check::Own(Own("hetu", hetu))]),
        worded: 97,
        words: &["hetu", "henkilötunnus", "henkilotunnus", "personbeteckning"],
        source: "https://dvv.fi/en/personal-identity-code",
        examples: &["henkilötunnus [050498-0711]", "[130476-6805]", "[131052A308T]"],
        others: &["050498-0712", "051398-0711", "131052Z308T"],
    },
    Row {
        entity: E::IsKennitala,
        forms: &[("######-####", 68), ("##########", 0)],
        check: Check::All(&[
            Check::Date(0, Order::Dmy, &[0], &[0, 40]),
            Check::Weighted(&[3, 2, 7, 6, 5, 4, 3, 2], 11, Rule::Complement),
            Check::At(9, b"089"),
        ]),
        worded: 95,
        words: &["kennitala", "kennitölu", "kt."],
        source: "https://www.skra.is/english/individuals/me-and-my-family/my-registration/id-numbers/",
        examples: &["kennitala [260256-5219]", "kt. [2107770409]"],
        others: &["kennitala 260256-5229", "2107770409"],
    },
];

/// The check character: the date and serial number as one number, by 31.
fn hetu(of: &[u8]) -> bool {
    let (sign, body) = match of.len() {
        10 => (None, of.get(6..9)),
        11 => (of.get(6), of.get(7..10)),
        _ => return false,
    };
    let digits: Vec<u8> = of.iter().take(6).chain(body.unwrap_or_default()).copied().collect();
    let century = sign.is_none_or(|c| b"ABCDEFYXWVU".contains(c));
    let check = number(&digits).and_then(|n| usize::try_from(n % 31).ok());
    century && check.is_some_and(|n| b"0123456789ABCDEFHJKLMNPRSTUVWXY".get(n) == of.last())
}
