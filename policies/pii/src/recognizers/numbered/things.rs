//! Numbers of things that belong to somebody.

use super::Row;
use super::checks::{Check, Own, number};
use crate::EntityType as E;

pub(crate) const ROWS: &[Row] = &[Row {
    entity: E::Imei,
    forms: &[("###############", 0), ("##-######-######-#", 85), ("## ###### ###### #", 75)],
    check: Check::All(&[
        Check::Luhn,
        Check::Varied,
        // The reporting body, the first two digits: 01, 10, 30 to 35, 44 to 46, 49 to 54, 86, 91, 98, 99.
        Check::Own(Own("reporting body", |of| {
            let body = of.get(..2).and_then(number);
            matches!(body, Some(1 | 10 | 30..=35 | 44..=46 | 49..=54 | 86 | 91 | 98 | 99))
        })),
    ]),
    worded: 95,
    words: &["imei", "handset", "device", "gerät", "téléphone", "dispositivo", "toestel"],
    source: "https://www.gsma.com/newsroom/wp-content/uploads/TS.06-v25.0.pdf",
    examples: &["IMEI [353083892449009]", "[35-487453-401074-9]", "imei: [354874534010749]"],
    others: &["IMEI 353083892449008", "353083892449009", "IMEI 223083892449004"],
}];
