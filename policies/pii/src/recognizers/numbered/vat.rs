//! VAT identification numbers, with the prefix of their country.

use super::Row;
use super::checks::{Check, Own, Rule, cross, number, sum, value};
use crate::EntityType::VatNumber;

const WORDS: &[&str] = &[
    "vat",
    "ust",
    "umsatzsteuer",
    "uid",
    "tva",
    "iva",
    "btw",
    "mwst",
    "moms",
    "dph",
    "alv",
    "mva",
    "nip",
    "kmkr",
    "pvm",
];

/// The structures of the member states' numbers.
const VIES: &str = "https://ec.europa.eu/taxation_customs/vies/#/faq";

pub(super) const ROWS: &[Row] = &[
    // Austria.
    Row {
        entity: VatNumber,
        forms: &[("ATU########", 85), ("AT U########", 80)],
        check: Check::Part(
            3,
            11,
            &Check::Own(Own("at", |of| {
                let sum: u32 = of.iter().zip([1, 2, 1, 2, 1, 2, 1]).map(|(c, w)| cross(value(*c) * w)).sum();
                of.last().is_some_and(|check| value(*check) == (10 - (sum + 4) % 10) % 10)
            })),
        ),
        worded: 97,
        words: WORDS,
        source: VIES,
        examples: &["VAT [ATU84745705]", "[ATU84745705],"],
        others: &["VAT ATU84745706", "atu84745705"],
    },
    // Belgium.
    Row {
        entity: VatNumber,
        forms: &[
            ("BE##########", 85),
            ("BE ##########", 80),
            ("BE####.###.###", 85),
            ("BE ####.###.###", 80),
            ("BE ####.###.###", 90),
        ],
        check: Check::Part(2, 12, &Check::Missing(2, 97)),
        worded: 97,
        words: WORDS,
        source: VIES,
        examples: &["VAT [BE0460653493]", "[BE0460653493],"],
        others: &["VAT BE0460653494", "be0460653493"],
    },
    // Bulgaria.
    Row {
        entity: VatNumber,
        forms: &[("BG#########", 85), ("BG #########", 80)],
        check: Check::Part(
            2,
            11,
            &Check::Own(Own("bg", |of| {
                let first = sum(of, &[1, 2, 3, 4, 5, 6, 7, 8]) % 11;
                let second = sum(of, &[3, 4, 5, 6, 7, 8, 9, 10]) % 11;
                let want = if first == 10 { second % 10 } else { first };
                of.last().is_some_and(|check| value(*check) == want)
            })),
        ),
        worded: 97,
        words: WORDS,
        source: VIES,
        examples: &["VAT [BG607094195]", "[BG607094195],"],
        others: &["VAT BG607094196", "bg607094195"],
    },
    // Cyprus.
    Row {
        entity: VatNumber,
        forms: &[("CY########@", 85), ("CY ########@", 80)],
        check: Check::Part(2, 11, &super::south::CYPRUS),
        worded: 97,
        words: WORDS,
        source: VIES,
        examples: &["VAT [CY14538455J]", "[CY14538455J],"],
        others: &["VAT CY14538455K", "cy14538455j"],
    },
    // The Czech Republic.
    Row {
        entity: VatNumber,
        forms: &[("CZ########", 85), ("CZ ########", 80)],
        check: Check::Part(
            2,
            10,
            &Check::Own(Own("cz", |of| {
                let sum = sum(of, &[8, 7, 6, 5, 4, 3, 2]) % 11;
                let want = match (11 - sum) % 11 {
                    0 => 1,
                    10 => 0,
                    n => n,
                };
                of.last().is_some_and(|check| value(*check) == want)
            })),
        ),
        worded: 97,
        words: WORDS,
        source: VIES,
        examples: &["VAT [CZ26303078]", "[CZ26303078],"],
        others: &["VAT CZ26303079", "cz26303078"],
    },
    // Germany.
    Row {
        entity: VatNumber,
        forms: &[("DE#########", 85), ("DE #########", 80), ("DE ### ### ###", 90)],
        check: Check::Part(2, 11, &Check::Mod11With10),
        worded: 97,
        words: WORDS,
        source: VIES,
        examples: &["VAT [DE844446306]", "[DE844446306],"],
        others: &["VAT DE844446307", "de844446306"],
    },
    // Denmark.
    Row {
        entity: VatNumber,
        forms: &[("DK########", 85), ("DK ########", 80), ("DK ## ## ## ##", 90)],
        check: Check::Part(2, 10, &Check::Multiple(&[2, 7, 6, 5, 4, 3, 2, 1], 11)),
        worded: 97,
        words: WORDS,
        source: VIES,
        examples: &["VAT [DK24571955]", "[DK24571955],"],
        others: &["VAT DK24571956", "dk24571955"],
    },
    // Estonia.
    Row {
        entity: VatNumber,
        forms: &[("EE#########", 85), ("EE #########", 80)],
        check: Check::Part(2, 11, &Check::Weighted(&[3, 7, 1, 3, 7, 1, 3, 7], 10, Rule::Complement)),
        worded: 97,
        words: WORDS,
        source: VIES,
        examples: &["VAT [EE747611558]", "[EE747611558],"],
        others: &["VAT EE747611559", "ee747611558"],
    },
    // Greece.
    Row {
        entity: VatNumber,
        forms: &[("EL#########", 85), ("EL #########", 80)],
        check: Check::Part(
            2,
            11,
            &Check::Weighted(&[256, 128, 64, 32, 16, 8, 4, 2], 11, Rule::RemainderZero),
        ),
        worded: 97,
        words: WORDS,
        source: VIES,
        examples: &["VAT [EL096572728]", "[EL096572728],"],
        others: &["VAT EL096572729", "el096572728"],
    },
    // Spain.
    Row {
        entity: VatNumber,
        forms: &[
            ("ES@########", 85),
            ("ES @########", 80),
            ("ES########@", 85),
            ("ES ########@", 80),
            ("ES@#######@", 85),
            ("ES @#######@", 80),
        ],
        check: Check::Part(
            2,
            11,
            &Check::Any(&[
                Check::Own(Own("nif", super::south::nif)),
                Check::Own(Own("cif", super::south::cif)),
            ]),
        ),
        worded: 97,
        words: WORDS,
        source: VIES,
        examples: &["VAT [ESA68926583]", "[ESA68926583],"],
        others: &["VAT ESA68926584", "esa68926583"],
    },
    // Finland.
    Row {
        entity: VatNumber,
        forms: &[("FI########", 85), ("FI ########", 80)],
        check: Check::Part(2, 10, &Check::Weighted(&[7, 9, 10, 5, 8, 4, 2], 11, Rule::Complement)),
        worded: 97,
        words: WORDS,
        source: VIES,
        examples: &["VAT [FI36151003]", "[FI36151003],"],
        others: &["VAT FI36151004", "fi36151003"],
    },
    // France.
    Row {
        entity: VatNumber,
        forms: &[("FR###########", 85), ("FR ###########", 80), ("FR ## ### ### ###", 90)],
        check: Check::Part(
            2,
            13,
            &Check::Own(Own("fr", |of| {
                let Some((check, siren)) = of.split_at_checked(2) else { return false };
                number(siren).zip(number(check)).is_some_and(|(n, check)| (12 + 3 * (n % 97)) % 97 == check)
            })),
        ),
        worded: 97,
        words: WORDS,
        source: VIES,
        examples: &["VAT [FR92127462133]", "[FR92127462133],"],
        others: &["VAT FR92127462134", "fr92127462133"],
    },
    // Croatia.
    Row {
        entity: VatNumber,
        forms: &[("HR###########", 85), ("HR ###########", 80)],
        check: Check::Part(2, 13, &Check::Mod11With10),
        worded: 97,
        words: WORDS,
        source: VIES,
        examples: &["VAT [HR86523204204]", "[HR86523204204],"],
        others: &["VAT HR86523204205", "hr86523204204"],
    },
    // Hungary.
    Row {
        entity: VatNumber,
        forms: &[("HU########", 85), ("HU ########", 80)],
        check: Check::Part(2, 10, &Check::Weighted(&[9, 7, 3, 1, 9, 7, 3], 10, Rule::Complement)),
        worded: 97,
        words: WORDS,
        source: VIES,
        examples: &["VAT [HU74908574]", "[HU74908574],"],
        others: &["VAT HU74908575", "hu74908574"],
    },
    // Ireland.
    Row {
        entity: VatNumber,
        forms: &[("IE#######@", 85), ("IE #######@", 80), ("IE#######@@", 85), ("IE #######@@", 80)],
        check: Check::Own(Own("ie", |of| of.get(2..).is_some_and(super::islands::pps))),
        worded: 97,
        words: WORDS,
        source: VIES,
        examples: &["VAT [IE1617723P]", "[IE1617723P],"],
        others: &["VAT IE1617723Q", "ie1617723p"],
    },
    // Italy.
    Row {
        entity: VatNumber,
        forms: &[("IT###########", 85), ("IT ###########", 80)],
        check: Check::Part(2, 13, &Check::Own(Own("it", super::south::partita_iva))),
        worded: 97,
        words: WORDS,
        source: VIES,
        examples: &["VAT [IT41048820645]", "[IT41048820645],"],
        others: &["VAT IT41048820646", "it41048820645"],
    },
    // Lithuania.
    Row {
        entity: VatNumber,
        forms: &[("LT#########", 85), ("LT #########", 80)],
        check: Check::Part(
            2,
            11,
            &Check::Own(Own("lt", |of| {
                let first = sum(of, &[1, 2, 3, 4, 5, 6, 7, 8]) % 11;
                let second = sum(of, &[3, 4, 5, 6, 7, 8, 9, 1]) % 11;
                let want = if first == 10 { second % 10 } else { first };
                of.last().is_some_and(|check| value(*check) == want)
            })),
        ),
        worded: 97,
        words: WORDS,
        source: VIES,
        examples: &["VAT [LT401973111]", "[LT401973111],"],
        others: &["VAT LT401973112", "lt401973111"],
    },
    // Luxembourg.
    Row {
        entity: VatNumber,
        forms: &[("LU########", 85), ("LU ########", 80)],
        check: Check::Part(
            2,
            10,
            &Check::Own(Own("lu", |of| {
                let Some((body, check)) = of.split_at_checked(6) else { return false };
                number(body).zip(number(check)).is_some_and(|(n, check)| n % 89 == check)
            })),
        ),
        worded: 97,
        words: WORDS,
        source: VIES,
        examples: &["VAT [LU86429617]", "[LU86429617],"],
        others: &["VAT LU86429618", "lu86429617"],
    },
    // Latvia.
    Row {
        entity: VatNumber,
        forms: &[("LV###########", 85), ("LV ###########", 80)],
        check: Check::Part(
            2,
            13,
            &Check::Own(Own("lv", |of| {
                let sum = sum(of, &[9, 1, 4, 8, 3, 10, 2, 5, 7, 6]) % 11;
                let want = if sum == 4 {
                    99
                } else if sum > 4 {
                    14 - sum
                } else {
                    3 - sum
                };
                of.last().is_some_and(|check| value(*check) == want)
            })),
        ),
        worded: 97,
        words: WORDS,
        source: VIES,
        examples: &["VAT [LV43982597915]", "[LV43982597915],"],
        others: &["VAT LV43982597916", "lv43982597915"],
    },
    // Malta.
    Row {
        entity: VatNumber,
        forms: &[("MT########", 85), ("MT ########", 80)],
        check: Check::Part(2, 10, &Check::Multiple(&[3, 4, 6, 7, 8, 9, 10, 1], 37)),
        worded: 97,
        words: WORDS,
        source: VIES,
        examples: &["VAT [MT72481870]", "[MT72481870],"],
        others: &["VAT MT72481871", "mt72481870"],
    },
    // The Netherlands.
    Row {
        entity: VatNumber,
        forms: &[("NL#########B##", 85), ("NL #########B##", 80)],
        check: Check::Own(Own("nl", |of| {
            Check::Part(2, 11, &Check::Multiple(&[9, 8, 7, 6, 5, 4, 3, 2, 10], 11)).holds(of) || mod_97(of)
        })),
        worded: 97,
        words: WORDS,
        source: VIES,
        examples: &["VAT [NL426839699B01]", "[NL426839699B01],"],
        others: &["VAT NL426839690B01", "nl426839699b01"],
    },
    // Poland.
    Row {
        entity: VatNumber,
        forms: &[("PL##########", 85), ("PL ##########", 80)],
        check: Check::Part(2, 12, &Check::Weighted(&[6, 5, 7, 2, 3, 4, 5, 6, 7], 11, Rule::Remainder)),
        worded: 97,
        words: WORDS,
        source: VIES,
        examples: &["VAT [PL9966272507]", "[PL9966272507],"],
        others: &["VAT PL9966272508", "pl9966272507"],
    },
    // Portugal.
    Row {
        entity: VatNumber,
        forms: &[("PT#########", 85), ("PT #########", 80), ("PT ### ### ###", 90)],
        check: Check::Part(2, 11, &Check::Weighted(&[9, 8, 7, 6, 5, 4, 3, 2], 11, Rule::ComplementZero)),
        worded: 97,
        words: WORDS,
        source: VIES,
        examples: &["VAT [PT278011047]", "[PT278011047],"],
        others: &["VAT PT278011048", "pt278011047"],
    },
    // Romania.
    Row {
        entity: VatNumber,
        forms: &[
            ("RO######", 0),
            ("RO ######", 0),
            ("RO#######", 0),
            ("RO #######", 0),
            ("RO########", 60),
            ("RO ########", 0),
            ("RO#########", 60),
            ("RO #########", 0),
            ("RO##########", 60),
            ("RO ##########", 0),
        ],
        check: Check::Own(Own("ro", |of| {
            let Some((check, body)) = of.get(2..).and_then(|of| of.split_last()) else { return false };
            let sum: u32 =
                body.iter().rev().zip([2, 3, 5, 7, 1, 2, 3, 5, 7]).map(|(c, w)| value(*c) * w).sum();
            value(*check) == sum * 10 % 11 % 10
        })),
        worded: 97,
        words: WORDS,
        source: VIES,
        examples: &["VAT [RO93359242]", "[RO93359242],"],
        others: &["VAT RO93359243", "ro93359242"],
    },
    // Sweden.
    Row {
        entity: VatNumber,
        forms: &[("SE##########01", 85), ("SE ##########01", 80)],
        check: Check::Part(2, 12, &Check::Luhn),
        worded: 97,
        words: WORDS,
        source: VIES,
        examples: &["VAT [SE552912381101]", "[SE552912381101],"],
        others: &["VAT SE552912382101", "se552912381101"],
    },
    // Slovenia.
    Row {
        entity: VatNumber,
        forms: &[("SI########", 85), ("SI ########", 80)],
        check: Check::Part(2, 10, &Check::Weighted(&[8, 7, 6, 5, 4, 3, 2], 11, Rule::ComplementZero)),
        worded: 97,
        words: WORDS,
        source: VIES,
        examples: &["VAT [SI37861204]", "[SI37861204],"],
        others: &["VAT SI37861205", "si37861204"],
    },
    // Slovakia.
    Row {
        entity: VatNumber,
        forms: &[("SK##########", 85), ("SK ##########", 80)],
        check: Check::Part(2, 12, &Check::Modulo(11, 0)),
        worded: 97,
        words: WORDS,
        source: VIES,
        examples: &["VAT [SK8598646848]", "[SK8598646848],"],
        others: &["VAT SK8598646849", "sk8598646848"],
    },
    // The United Kingdom.
    Row {
        entity: VatNumber,
        forms: &[("GB#########", 85), ("GB #########", 80), ("GB ### #### ##", 90)],
        check: Check::Part(2, 11, &Check::Own(Own("gb", gb))),
        worded: 97,
        words: WORDS,
        source: "https://www.gov.uk/guidance/vat-eu-country-codes-vat-numbers-and-vat-in-other-languages",
        examples: &["VAT [GB399091699]", "[GB399091699],"],
        others: &["VAT GB399091690", "gb399091699"],
    },
    // Northern Ireland.
    Row {
        entity: VatNumber,
        forms: &[("XI#########", 85), ("XI #########", 80)],
        check: Check::Part(2, 11, &Check::Own(Own("gb", gb))),
        worded: 97,
        words: WORDS,
        source: "https://www.gov.uk/guidance/vat-eu-country-codes-vat-numbers-and-vat-in-other-languages",
        examples: &["VAT [XI116719022]", "[XI116719022],"],
        others: &["VAT XI116719023", "xi116719022"],
    },
    // Norway.
    Row {
        entity: VatNumber,
        forms: &[("NO#########MVA", 85), ("NO #########MVA", 80), ("NO ### ### ### MVA", 90)],
        check: Check::Part(2, 11, &Check::Weighted(&[3, 2, 7, 6, 5, 4, 3, 2], 11, Rule::Complement)),
        worded: 97,
        words: WORDS,
        source: "https://www.brreg.no/en/about-us-2/our-registers/about-the-central-coordinating-register-for-legal-entities-ccr/about-the-organisation-number/",
        examples: &["VAT [NO993478776MVA]", "[NO993478776MVA],"],
        others: &["VAT NO993478777MVA", "no993478776mva"],
    },
    // Switzerland.
    Row {
        entity: VatNumber,
        forms: &[("CHE-###.###.###", 90), ("CHE#########", 85)],
        check: Check::Part(3, 12, &Check::Weighted(&[5, 4, 3, 2, 7, 6, 5, 4], 11, Rule::Complement)),
        worded: 97,
        words: WORDS,
        source: "https://www.bfs.admin.ch/bfs/en/home/registers/enterprise-register/enterprise-identification.html",
        examples: &["VAT [CHE-375.374.584]", "[CHE-375.374.584],"],
        others: &["VAT CHE-375.374.585", "che-375.374.584"],
    },
];

/// The United Kingdom's: the weighted sum and the last two digits, perhaps with 55 more, by 97.
fn gb(of: &[u8]) -> bool {
    let sum = sum(of, &[8, 7, 6, 5, 4, 3, 2, 10, 1]);
    of.len() == 9 && (sum.is_multiple_of(97) || (sum + 55).is_multiple_of(97))
}

/// ISO/IEC 7064 MOD 97-10 over letters and digits, as the Netherlands have it since 2020.
fn mod_97(of: &[u8]) -> bool {
    let remainder = of.iter().fold(0, |rest, c| {
        let value = value(*c);
        (rest * if value > 9 { 100 } else { 10 } + value) % 97
    });
    remainder == 1
}
