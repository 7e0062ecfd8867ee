//! Estonia, Latvia, Lithuania.

use super::Row;
use super::checks::{Check, Order, Own, sum, value};
use crate::EntityType as E;

pub(crate) const ROWS: &[Row] = &[
    Row {
        entity: E::EeIdCode,
        forms: &[("###########", 0)],
        check: CODE,
        worded: 93,
        words: &["isikukood", "isikukoodi", "personal identification code"],
        source: "https://www.riigiteataja.ee/en/eli/522032023002/consolide",
        examples: &["isikukood [36602085039]"],
        others: &["isikukood 36602085038", "36602085039"],
    },
    Row {
        entity: E::LtPersonalCode,
        forms: &[("###########", 0)],
        check: CODE,
        worded: 93,
        words: &["asmens koda", "asmens kod", "a.k."],
        source: "https://www.registrucentras.lt/p/853",
        examples: &["asmens kodas [37410258568]"],
        others: &["asmens kodas 37410258569", "37410258568"],
    },
    Row {
        entity: E::LvPersonalCode,
        forms: &[("######-#####", 62), ("###########", 0)],
        check: Check::Any(&[
            Check::All(&[
                Check::Date(0, Order::Dmy, &[0], &[0]),
                Check::At(6, b"012"),
                Check::Own(Own("lv", |of| {
                    let sum = sum(of, &[1, 6, 3, 7, 9, 10, 5, 8, 4, 2]) % 11;
                    of.last().is_some_and(|check| value(*check) == (12 - sum) % 11 % 10)
                })),
            ]),
            // Since 2017, without a date.
            Check::All(&[Check::At(0, b"3"), Check::At(1, b"23456789")]),
        ]),
        worded: 93,
        words: &["personas kod", "personas kods", "personal code"],
        source: "https://likumi.lv/ta/id/49641-iedzivotaju-registra-likums",
        examples: &["personas kods [150385-12346]", "[327654-32109]"],
        others: &["personas kods 150385-12347", "15038512346"],
    },
];

/// Sex and century, a date, and a check digit with a second row of weights where the first gives ten.
const CODE: Check = Check::All(&[
    Check::At(0, b"123456789"),
    Check::Date(1, Order::Ymd, &[0], &[0]),
    Check::Own(Own("two rows", |of| {
        let first = sum(of, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) % 11;
        let second = sum(of, &[3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) % 11;
        let want = if first == 10 { second % 10 } else { first };
        of.last().is_some_and(|check| value(*check) == want)
    })),
]);
