//! Poland, the Czech Republic, Slovakia, Hungary, Romania, Bulgaria, Croatia, Slovenia.

use super::Row;
use super::checks::{Check, Order, Own, Rule, sum, value};
use crate::EntityType as E;

pub(crate) const ROWS: &[Row] = &[
    Row {
        entity: E::PlPesel,
        forms: &[("###########", 52)],
        check: Check::All(&[
            Check::Varied,
            Check::Date(0, Order::Ymd, &[0, 20, 40, 60, 80], &[0]),
            Check::Weighted(&[1, 3, 7, 9, 1, 3, 7, 9, 1, 3], 10, Rule::Complement),
        ]),
        worded: 96,
        words: &["pesel"],
        source: "https://www.gov.pl/web/gov/czym-jest-numer-pesel",
        examples: &["PESEL [82100747649]", "[67081544995]"],
        others: &["82100747648", "82130747649"],
    },
    Row {
        entity: E::PlNip,
        forms: &[("##########", 0), ("###-###-##-##", 80), ("###-##-##-###", 80)],
        check: Check::All(&[
            Check::Varied,
            Check::Weighted(&[6, 5, 7, 2, 3, 4, 5, 6, 7], 11, Rule::Remainder),
        ]),
        worded: 93,
        words: &["nip", "podatk"],
        source: "https://www.podatki.gov.pl/e-deklaracje/numer-nip/",
        examples: &["NIP [9966272507]", "[734-053-86-76]"],
        others: &["NIP 9966272508", "9966272507"],
    },
    Row {
        entity: E::PlIdCard,
        forms: &[("@@@######", 55), ("@@@ ######", 55)],
        check: Check::Own(Own("dowód", |of| {
            let sum = sum(of, &[7, 3, 1, 0, 7, 3, 1, 7, 3]);
            of.get(3).is_some_and(|check| value(*check) == sum % 10)
        })),
        worded: 93,
        words: &["dowód", "dowod", "dowodu", "identity card"],
        source: "https://www.gov.pl/web/gov/dowod-osobisty-informacje",
        examples: &["dowód osobisty [ABC412345]", "[CEK 648213]"],
        others: &["dowód osobisty ABC512345", "abc412345"],
    },
    Row {
        entity: E::CzBirthNumber,
        forms: &[("######/####", 85), ("######/###", 0), ("##########", 0)],
        check: Check::All(&[
            Check::Date(0, Order::Ymd, &[0, 20, 50, 70], &[0]),
            // Nine digits, without a check, until 1953.
            Check::Any(&[Check::Own(Own("nine", |of| of.len() == 9)), Check::Modulo(11, 0)]),
        ]),
        worded: 95,
        words: &["rodné číslo", "rodne cislo", "rodného čísla", "r.č.", "rč", "birth number"],
        source: "https://www.zakonyprolidi.cz/cs/2000-133",
        examples: &["rodné číslo [771024/7083]", "[900711/5898]", "r.č. [9007115898]"],
        others: &["771024/7084", "771324/7083", "9007115898"],
    },
    Row {
        entity: E::HuTaxId,
        forms: &[("##########", 0)],
        check: Check::All(&[
            Check::At(0, b"8"),
            Check::Weighted(&[1, 2, 3, 4, 5, 6, 7, 8, 9], 11, Rule::Remainder),
        ]),
        worded: 93,
        words: &["adóazonosító", "adoazonosito", "adószám", "adóazonosító jel"],
        source: "https://net.jogtar.hu/jogszabaly?docid=99600020.tv",
        examples: &["adóazonosító jel: [8352471031]"],
        others: &["adóazonosító jel: 8352471032", "8352471031"],
    },
    Row {
        entity: E::HuTaj,
        forms: &[("### ### ###", 0), ("#########", 0)],
        check: Check::All(&[Check::Varied, Check::Weighted(&[3, 7, 3, 7, 3, 7, 3, 7], 10, Rule::Remainder)]),
        worded: 92,
        words: &["taj", "taj-szám", "társadalombiztosítási"],
        source: "https://net.jogtar.hu/jogszabaly?docid=99600020.tv",
        examples: &["TAJ [111 222 337]"],
        others: &["TAJ 111 222 338", "111 222 337"],
    },
    Row {
        entity: E::RoCnp,
        forms: &[("#############", 0)],
        check: Check::All(&[
            Check::At(0, b"123456789"),
            Check::Date(1, Order::Ymd, &[0], &[0]),
            Check::Own(Own("cnp", |of| {
                let sum = sum(of, &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11;
                of.last().is_some_and(|check| value(*check) == if sum == 10 { 1 } else { sum })
            })),
        ]),
        worded: 96,
        words: &["cnp", "numeric personal", "cod numeric"],
        source: "https://legislatie.just.ro/Public/DetaliiDocument/65351",
        examples: &["CNP [1890808403247]"],
        others: &["CNP 1890808403248", "1890808403247", "CNP 1891308403247"],
    },
    Row {
        entity: E::BgEgn,
        forms: &[("##########", 0)],
        check: Check::All(&[
            Check::Date(0, Order::Ymd, &[0, 20, 40], &[0]),
            Check::Weighted(&[2, 4, 8, 5, 10, 9, 7, 3, 6], 11, Rule::RemainderZero),
        ]),
        worded: 94,
        words: &["егн", "egn", "единен граждански"],
        source: "https://www.grao.bg/esgraon.html",
        examples: &["ЕГН [7901099193]", "EGN: [7009069989]"],
        others: &["EGN 7901099194", "7901099193"],
    },
    Row {
        entity: E::HrOib,
        forms: &[("###########", 0)],
        check: Check::All(&[Check::Varied, Check::Mod11With10]),
        worded: 94,
        words: &["oib", "osobni identifikacijski"],
        source: "https://www.porezna-uprava.hr/HR_OIB/Stranice/default.aspx",
        examples: &["OIB [86523204204]", "OIB: [91809817455]"],
        others: &["OIB 86523204205"],
    },
    Row {
        entity: E::SiEmso,
        forms: &[("#############", 0)],
        check: Check::All(&[
            Check::Date(0, Order::Dmy, &[0], &[0]),
            Check::Weighted(&[7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2], 11, Rule::Complement),
        ]),
        worded: 95,
        words: &["emšo", "emso", "jmbg", "matična številka"],
        source: "https://pisrs.si/pregledPredpisa?id=ZAKO1241",
        examples: &["EMŠO [2603985502076]"],
        others: &["EMŠO 2603985502077", "2603985502076"],
    },
    Row {
        entity: E::SiTaxId,
        forms: &[("########", 0)],
        check: Check::All(&[
            Check::At(0, b"123456789"),
            Check::Weighted(&[8, 7, 6, 5, 4, 3, 2], 11, Rule::ComplementZero),
        ]),
        worded: 90,
        words: &["davčna", "davcna", "davčne"],
        source: "https://www.fu.gov.si/davki_in_druge_dajatve/poslovanje_z_nami/vpis_v_davcni_register/",
        examples: &["davčna številka [37861204]"],
        others: &["davčna številka 37861205", "37861204"],
    },
];
