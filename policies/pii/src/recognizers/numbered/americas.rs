//! The United States, Canada and Brazil.

use super::Row;
use super::checks::{Check, Rule};
use crate::EntityType as E;

pub(crate) const ROWS: &[Row] = &[
    Row {
        entity: E::UsItin,
        forms: &[("9##-##-####", 75), ("9## ## ####", 60), ("9########", 0)],
        check: ITIN_GROUP,
        worded: 92,
        words: &["itin", "individual taxpayer", "taxpayer identification", "tax id", "tin"],
        source: "https://www.irs.gov/irm/part3/irm_03-021-263r",
        examples: &["ITIN: [910-92-4332]", "filed under [918-70-9600].", "itin [910924332]"],
        others: &["910-93-4332", "910924332", "810-92-4332", "910-49-4332"],
    },
    Row {
        entity: E::UsEin,
        forms: &[("##-#######", 0), ("#########", 0)],
        check: Check::Varied,
        worded: 80,
        words: &["ein", "fein", "employer identification", "employer id", "federal tax id"],
        source: "https://www.irs.gov/businesses/small-businesses-self-employed/how-eins-are-assigned-and-valid-ein-prefixes",
        examples: &["EIN [12-3389083]", "employer identification number: [838637940]"],
        others: &["12-3389083", "EIN 12-338908", "ein 111111111"],
    },
    Row {
        entity: E::CaSin,
        forms: &[("###-###-###", 55), ("### ### ###", 0), ("#########", 20)],
        check: Check::All(&[Check::Luhn, Check::At(0, b"12345679"), Check::Varied]),
        worded: 92,
        words: &["sin", "social insurance", "assurance sociale", "nas"],
        source: "https://www.canada.ca/en/employment-social-development/services/sin.html",
        examples: &["SIN [103-415-949]", "numéro d'assurance sociale [130 337 991]", "sin: [103415949]"],
        others: &["SIN 103-415-948", "103415949", "SIN 803-415-949"],
    },
    Row {
        entity: E::BrCpf,
        forms: &[("###.###.###-##", 90), ("#########-##", 75), ("###########", 0)],
        check: Check::All(&[
            Check::Varied,
            Check::Weighted(&[10, 9, 8, 7, 6, 5, 4, 3, 2], 11, Rule::ComplementZero),
            Check::Weighted(&[11, 10, 9, 8, 7, 6, 5, 4, 3, 2], 11, Rule::ComplementZero),
        ]),
        worded: 97,
        words: &["cpf", "contribuinte", "cadastro de pessoas"],
        source: "https://www.gov.br/receitafederal/pt-br/assuntos/meu-cpf",
        examples: &["CPF [545.806.187-00]", "[576.913.647-25]", "cpf: [57691364725]"],
        others: &["545.806.187-01", "111.111.111-11", "57691364725"],
    },
    Row {
        entity: E::BrCnpj,
        forms: &[("##.###.###/####-##", 90), ("##############", 0)],
        check: Check::All(&[
            Check::Varied,
            Check::Weighted(&[5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2], 11, Rule::ComplementZero),
            Check::Weighted(&[6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2], 11, Rule::ComplementZero),
        ]),
        worded: 97,
        words: &["cnpj"],
        source: "https://www.gov.br/receitafederal/pt-br/assuntos/orientacao-tributaria/cadastros/cnpj",
        examples: &["CNPJ [32.900.889/0001-50]", "cnpj [33654531000157]"],
        others: &["32.900.889/0001-51", "33654531000157"],
    },
];

/// The fourth and fifth digit of an ITIN: 50 to 65, 70 to 88, 90 to 92, 94 to 99.
const ITIN_GROUP: Check = Check::Own(super::checks::Own("itin", |of| {
    let group = of.get(3..5).and_then(super::checks::number);
    matches!(group, Some(50..=65 | 70..=88 | 90..=92 | 94..=99))
}));
