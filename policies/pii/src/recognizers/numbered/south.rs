//! Spain, Portugal, Italy, Greece, Malta, Cyprus.

use super::Row;
use super::checks::{Check, Order, Own, Rule, cross, number, value};
use crate::EntityType as E;

pub(crate) const ROWS: &[Row] = &[
    Row {
        entity: E::EsNif,
        forms: &[
            ("########@", 70),
            ("########-@", 80),
            ("##.###.###-@", 90),
            ("##.###.###@", 85),
            ("@#######@", 78),
            ("@-#######-@", 88),
            ("@#######-@", 85),
        ],
        check: Check::Own(Own("nif", nif)),
        worded: 97,
        words: &[
            "dni",
            "nif",
            "nie",
            "identidad",
            "identificación fiscal",
            "extranjero",
            "documento nacional",
        ],
        source: "https://www.interior.gob.es/opencms/es/servicios-al-ciudadano/tramites-y-gestiones/dni/calculo-del-digito-de-control-del-nif-nie/",
        examples: &["DNI [65148111J]", "NIE: [X4105882Z]", "[08.231.961-P]", "[Y-1134148-D]"],
        others: &["65148111K", "X4105882A", "65148111j", "W4105882Z"],
    },
    Row {
        entity: E::EsSsn,
        forms: &[("############", 0), ("## ######## ##", 60)],
        check: Check::Own(Own("naf", |of| {
            let part = |from: usize, to: usize| of.get(from..to).and_then(number);
            let (Some(province), Some(n), Some(check)) = (part(0, 2), part(2, 10), part(10, 12)) else {
                return false;
            };
            let whole = if n < 10_000_000 { province * 10_000_000 + n } else { province * 100_000_000 + n };
            whole % 97 == check
        })),
        worded: 92,
        words: &["seguridad social", "naf", "nss", "nuss", "afiliación"],
        source: "https://www.seg-social.es/wps/portal/wss/internet/Trabajadores/Afiliacion",
        examples: &["número de la Seguridad Social [281234567840]", "[28/12345678/40]"],
        others: &["Seguridad Social 281234567841", "281234567840"],
    },
    Row {
        entity: E::PtNif,
        forms: &[("#########", 0), ("### ### ###", 0)],
        check: Check::All(&[
            Check::At(0, b"1235689"),
            Check::Varied,
            Check::Weighted(&[9, 8, 7, 6, 5, 4, 3, 2], 11, Rule::ComplementZero),
        ]),
        worded: 92,
        words: &["nif", "contribuinte", "fiscal", "finanças"],
        source: "https://info.portaldasfinancas.gov.pt/pt/apoio_contribuinte/NIF/Pages/default.aspx",
        examples: &["NIF [278011047]", "contribuinte n.º [200 746 723]"],
        others: &["NIF 278011048", "278011047"],
    },
    Row {
        entity: E::PtCitizenCard,
        forms: &[("######## # @@#", 90), ("#########@@#", 75), ("######## # @*#", 90)],
        check: Check::Own(Own("cc", |of| {
            let sum: u32 = of
                .iter()
                .rev()
                .enumerate()
                .map(|(place, c)| {
                    let value = value(*c);
                    let doubled = if value > 4 { value * 2 - 9 } else { value * 2 };
                    if place % 2 == 1 { doubled } else { value }
                })
                .sum();
            of.len() == 12 && sum.is_multiple_of(10)
        })),
        worded: 96,
        words: &["cartão de cidadão", "cartao de cidadao", "cidadão", "documento de identificação"],
        source: "https://www.autenticacao.gov.pt/documents/20126/115760/Valida%C3%A7%C3%A3o+de+N%C3%BAmero+de+Documento+do+Cart%C3%A3o+de+Cidad%C3%A3o.pdf",
        examples: &["Cartão de Cidadão [63255861 3 GX3]", "[235960658KL2]"],
        others: &["63255861 3 GX4", "235960658KL3"],
    },
    Row {
        entity: E::ItFiscalCode,
        forms: &[("@@@@@@##@##@***@", 95), ("@@@@@@##@*#@***@", 90)],
        check: Check::All(&[Check::At(8, b"ABCDEHLMPRST"), Check::Own(Own("codice fiscale", fiscal_code))]),
        worded: 99,
        words: &["codice fiscale", "cod. fisc", "c.f.", "fiscale"],
        source: "https://www.agenziaentrate.gov.it/portale/web/guest/schede/istanze/richiesta-ts_cf/informazioni-codificazione-pf",
        examples: &["codice fiscale [RSSMRA85T10A562S]", "[RCCMNL83S18D969H],", "c.f. [rssmra85t10a562s]"],
        others: &["RSSMRA85T10A562T", "RSSMRA85Z10A562S", "rssmra85t10a562s"],
    },
    Row {
        entity: E::GrAfm,
        forms: &[("#########", 0)],
        check: Check::All(&[
            Check::Varied,
            Check::Weighted(&[256, 128, 64, 32, 16, 8, 4, 2], 11, Rule::RemainderZero),
        ]),
        worded: 90,
        words: &["αφμ", "α.φ.μ", "afm", "tax id"],
        source: "https://www.aade.gr/en/get-tin-individuals",
        examples: &["ΑΦΜ [096572728]", "AFM: [062380267]"],
        others: &["AFM 096572729", "096572728"],
    },
    Row {
        entity: E::GrAmka,
        forms: &[("###########", 55)],
        check: Check::All(&[Check::Date(0, Order::Dmy, &[0], &[0]), Check::Luhn]),
        worded: 92,
        words: &["αμκα", "α.μ.κ.α", "amka"],
        source: "https://www.amka.gr/tieinai.html",
        examples: &["ΑΜΚΑ [14086586675]", "amka [23038103224]"],
        others: &["AMKA 14086586676", "AMKA 14136586675"],
    },
    Row {
        entity: E::MtIdCard,
        forms: &[("#######@", 0), ("######@", 0)],
        check: Check::Own(Own("mt", |of| of.last().is_some_and(|c| b"MGAPLHBZ".contains(c)))),
        worded: 75,
        words: &["identity card", "id card", "karta tal-identità", "karta tal-identita", "malta"],
        source: "https://legislation.mt/eli/cap/258",
        examples: &["karta tal-identità [0123456M]"],
        others: &["0123456M", "id card 0123456X"],
    },
    Row {
        entity: E::CyTic,
        forms: &[("########@", 60)],
        check: CYPRUS,
        worded: 92,
        words: &["tic", "tax identification", "φορολογικ", "cyprus"],
        source: "https://www.mof.gov.cy/mof/tax/taxdep.nsf/index_en/index_en",
        examples: &["TIC [14538455J]", "[10958720F]"],
        others: &["TIC 14538455K", "14538455j"],
    },
];

/// The letter of a Cypriot number: values of the digits in odd and even places, by 26.
pub(super) const CYPRUS: Check = Check::Own(Own("tic", |of| {
    let odd: u32 = of
        .iter()
        .step_by(2)
        .take(4)
        .map(|c| [1, 0, 5, 7, 9, 13, 15, 17, 19, 21].get(value(*c) as usize).copied().unwrap_or(99))
        .sum();
    let even: u32 = of.iter().skip(1).step_by(2).take(4).map(|c| value(*c)).sum();
    of.get(8).is_some_and(|check| value(*check) == 10 + (odd + even) % 26)
}));

/// The letter of a DNI or NIE: the remainder of the number by 23, X, Y and Z counting as 0, 1 and 2.
pub(super) fn nif(of: &[u8]) -> bool {
    let mut digits = of.to_vec();
    let (Some(first), Some(last)) = (digits.first_mut(), of.last()) else { return false };
    *first = match *first {
        b'X' => b'0',
        b'Y' => b'1',
        b'Z' => b'2',
        other => other,
    };
    digits.pop();
    number(&digits)
        .and_then(|n| usize::try_from(n % 23).ok())
        .is_some_and(|n| b"TRWAGMYFPDXBNJZSQVHLCKE".get(n) == Some(last))
}

/// The last letter: values of the characters in odd and even places, by 26. Letters may stand for digits where two people
/// would have the same code.
fn fiscal_code(of: &[u8]) -> bool {
    const ODD: [u32; 26] =
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    let Some((last, body)) = of.split_last() else { return false };
    let sum: u32 = body
        .iter()
        .enumerate()
        .map(|(place, c)| {
            let value = if c.is_ascii_digit() { value(*c) } else { value(*c) - 10 };
            if place % 2 == 1 { value } else { ODD.get(value as usize).copied().unwrap_or(99) }
        })
        .sum();
    let number = |at: usize| of.get(at).is_some_and(|c| c.is_ascii_digit() || b"LMNPQRSTUV".contains(c));
    of.len() == 16 && [6, 7, 9, 10, 12, 13, 14].into_iter().all(number) && value(*last) == 10 + sum % 26
}

/// The check digit of an Italian VAT number: Luhn.
pub(super) fn partita_iva(of: &[u8]) -> bool {
    let sum: u32 = of
        .iter()
        .enumerate()
        .map(|(place, c)| if place % 2 == 1 { cross(value(*c) * 2) } else { value(*c) })
        .sum();
    of.len() == 11 && sum.is_multiple_of(10)
}

/// Spain's number of a business: digits in odd places doubled, the check a digit or the letter of that place.
pub(super) fn cif(of: &[u8]) -> bool {
    let digits = of.get(1..8).unwrap_or_default();
    let sum: u32 = digits.iter().zip([2, 1, 2, 1, 2, 1, 2]).map(|(c, w)| cross(value(*c) * w)).sum();
    let want = (10 - sum % 10) % 10;
    let letter = b"JABCDEFGHI".get(want as usize);
    of.first().is_some_and(|c| b"ABCDEFGHJNPQRSUVW".contains(c))
        && digits.iter().all(u8::is_ascii_digit)
        && of
            .last()
            .is_some_and(|last| (last.is_ascii_digit() && value(*last) == want) || Some(last) == letter)
}
