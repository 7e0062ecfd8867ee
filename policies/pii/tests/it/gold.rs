//! The labelled texts in `tests/gold`: own texts in six languages, with near misses.

use std::fmt::Write as _;

use bailiwick_pii::eval::{Report, read_gold};

use crate::text::detector;

const GOLD: &str = include_str!("../gold/six-languages.jsonl");

/// The least F2 of a kind, in thousandths.
const LEAST: u64 = 930;

#[test]
fn labelled_texts_are_understood() {
    let examples = read_gold(GOLD).unwrap();
    let report = Report::of(&detector(), &examples);
    let (mut table, mut poor) = (String::new(), Vec::new());
    for (entity, tally) in report.iter() {
        writeln!(table, "{entity:24} {} {} {}", tally.precision(), tally.recall(), tally.f2()).unwrap();
        if tally.f2().thousandths().unwrap() < LEAST {
            poor.push(entity);
        }
    }
    let languages: std::collections::BTreeSet<_> =
        examples.iter().filter_map(|e| e.lang.as_deref()).collect();
    assert_eq!(languages.len(), 6);
    assert!(examples.iter().filter(|example| example.entities.is_empty()).count() >= 12, "few near misses");
    assert!(poor.is_empty(), "{poor:?}\n{table}");
    assert!(report.total().precision().thousandths().unwrap() >= 970, "{table}");
}
