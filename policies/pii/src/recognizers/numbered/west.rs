//! France, Belgium, the Netherlands, Luxembourg.

use super::Row;
use super::checks::{Check, Order, Own, number};
use crate::EntityType as E;

pub(crate) const ROWS: &[Row] = &[
    Row {
        entity: E::FrNir,
        forms: &[
            ("# ## ## ## ### ### ##", 90),
            ("# ## ## #* ### ### ##", 90),
            ("###############", 70),
            ("######@########", 70),
            ("############# ##", 75),
        ],
        check: Check::All(&[Check::At(0, b"123478"), Check::Own(Own("nir", nir))]),
        worded: 97,
        words: &[
            "nir",
            "sécurité sociale",
            "securite sociale",
            "numéro de sécu",
            "numero de secu",
            "insee",
            "carte vitale",
        ],
        source: "https://www.insee.fr/fr/metadonnees/definition/c1409",
        examples: &[
            "numéro de sécurité sociale [2 67 08 75 815 061 85]",
            "[272117527403344]",
            "NIR: [185052A00402161]",
        ],
        others: &["2 67 08 75 815 061 86", "272117527403345", "572117527403344"],
    },
    Row {
        entity: E::FrTaxId,
        forms: &[("#############", 0), ("## ## ### ### ###", 60)],
        check: Check::All(&[
            Check::At(0, b"0123"),
            Check::Own(Own("spi", |of| {
                let Some((body, check)) = of.split_last_chunk::<3>() else {
                    return false;
                };
                number(body).zip(number(check)).is_some_and(|(n, check)| n % 511 == check)
            })),
        ]),
        worded: 92,
        words: &["fiscal", "numéro fiscal", "spi", "impôt", "impot", "contribuable"],
        source: "https://www.impots.gouv.fr/particulier/questions/comment-puis-je-retrouver-mon-numero-fiscal",
        examples: &["numéro fiscal [3230659400381]", "[31 78 295 988 161]"],
        others: &["numéro fiscal 3230659400382", "3230659400381"],
    },
    Row {
        entity: E::BeNrn,
        forms: &[("##.##.##-###.##", 92), ("## ## ## ### ##", 80), ("###########", 60)],
        check: Check::All(&[
            Check::Date(0, Order::Ymd, &[0, 20, 40], &[0]),
            Check::Own(Own("nrn", |of| {
                let Some((body, check)) = of.split_last_chunk::<2>() else { return false };
                let holds = |n: u64, check: u64| check == 97 - n % 97;
                // Born in 2000 or later: with a 2 before.
                number(body)
                    .zip(number(check))
                    .is_some_and(|(n, check)| holds(n, check) || holds(n + 2_000_000_000, check))
            })),
        ]),
        worded: 97,
        words: &[
            "rijksregister",
            "registre national",
            "nationalregister",
            "insz",
            "niss",
            "nationaal nummer",
        ],
        source: "https://www.ibz.rrn.fgov.be/fileadmin/user_upload/nl/rr/instructies/IT-lijst/IT000_Rijksregisternummer.pdf",
        examples: &["Rijksregisternummer [54.12.15-213.70]", "[86111393375]"],
        others: &["54.12.15-213.71", "54.13.15-213.70"],
    },
    Row {
        entity: E::NlBsn,
        forms: &[("#########", 0), ("####.##.###", 60), ("### ### ###", 0), ("#### ## ###", 0)],
        check: Check::All(&[
            Check::Varied,
            // The last digit counts -1, so ten of eleven times.
            Check::Multiple(&[9, 8, 7, 6, 5, 4, 3, 2, 10], 11),
        ]),
        worded: 92,
        words: &["bsn", "burgerservice", "sofinummer", "sofi-nummer", "citizen service"],
        source: "https://wetten.overheid.nl/BWBR0022428",
        examples: &["BSN [567098667]", "burgerservicenummer: [8851.68.203]"],
        others: &["BSN 567098668", "567098667"],
    },
    Row {
        entity: E::LuNin,
        forms: &[("#############", 70), ("#### ## ## #####", 80)],
        check: Check::All(&[
            Check::Date(2, Order::Ymd, &[0], &[0]),
            Check::Own(Own("century", |of| of.starts_with(b"19") || of.starts_with(b"20"))),
            Check::Part(0, 12, &Check::Luhn),
            Check::Own(Own("matricule", |of| match of {
                [body @ .., _, last] => {
                    let digits: Vec<u8> = body.iter().chain([last]).copied().collect();
                    super::checks::verhoeff(&digits)
                }
                _ => false,
            })),
        ]),
        worded: 97,
        words: &["matricule", "cns", "identification national", "numéro d'identification"],
        source: "https://legilux.public.lu/eli/etat/leg/loi/2013/06/19/n1/jo",
        examples: &["matricule [1985031412382]", "[1985 03 14 12382]"],
        others: &["1985031412383", "1985131412382"],
    },
];

/// Key of two digits: 97 less the remainder of the number, in which Corsica's 2A and 2B are 19 and 18.
fn nir(of: &[u8]) -> bool {
    let digits: Vec<u8> = match of.get(5..7) {
        Some(b"2A") => [of.get(..5).unwrap_or_default(), b"19", of.get(7..).unwrap_or_default()].concat(),
        Some(b"2B") => [of.get(..5).unwrap_or_default(), b"18", of.get(7..).unwrap_or_default()].concat(),
        _ => of.to_vec(),
    };
    let month = digits.get(3..5).and_then(number);
    digits.len() == 15 && matches!(month, Some(1..=12 | 20..)) && Check::Missing(2, 97).holds(&digits)
}
