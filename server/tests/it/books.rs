//! The log's records, and whether budgets are what they say.

use std::collections::{BTreeMap, HashMap};

use bailiwick_ledger::disclosure::SectionState;
use bailiwick_ledger::verify::verify_export_with;
use bailiwick_ledger::{Header, PublicKey, Report};
use serde_json::Value;

/// One record of the log, with its sections.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) header: Header,
    pub(crate) sections: HashMap<String, Value>,
}

impl Record {
    pub(crate) fn id(&self, name: &str) -> Option<&str> {
        self.header.ids.get(name).map(String::as_str)
    }
}

/// Reads an export; panics unless it verifies.
pub(crate) fn read_export(bytes: &[u8], key: Option<&PublicKey>) -> (Report, Vec<Record>) {
    let mut records = Vec::new();
    let report = verify_export_with(bytes, key, |record| {
        let sections = record
            .sections
            .iter()
            .filter_map(|(name, state)| match state {
                SectionState::Disclosed(bytes) => Some((name.clone(), serde_json::from_str(bytes).unwrap())),
                SectionState::Withheld => None,
            })
            .collect();
        records.push(Record { header: record.header, sections });
    })
    .unwrap();
    assert!(report.verified(), "{report}");
    (report, records)
}

/// Panics where an attempt has no outcome, or two, or where a budget is not the sum of the outcomes.
pub(crate) fn check_books(records: &[Record], spend: &HashMap<i64, i64>) {
    let mut open = BTreeMap::new();
    let mut expected: HashMap<i64, i64> = HashMap::new();
    for record in records {
        let attempt = (record.id("decision").unwrap_or_default(), record.id("attempt").unwrap_or_default());
        match record.header.kind.as_str() {
            "decision" | "attempt" => {
                let holds = record.sections["attempt"]["holds"].clone();
                assert!(open.insert(attempt, holds).is_none(), "{attempt:?} twice");
            }
            "outcome" => {
                let holds =
                    open.remove(&attempt).unwrap_or_else(|| panic!("an outcome of nothing: {attempt:?}"));
                let cost = record.sections["usage"]["cost_nano"].as_i64();
                for hold in holds.as_array().unwrap() {
                    *expected.entry(hold["budget"].as_i64().unwrap()).or_default() += cost.unwrap();
                }
            }
            _ => {}
        }
    }
    assert!(open.is_empty(), "attempts without an outcome: {open:?}");
    expected.retain(|_, nano| *nano != 0);
    let mut spend = spend.clone();
    spend.retain(|_, nano| *nano != 0);
    assert_eq!(spend, expected, "budgets (nano-dollars) and the outcomes that explain them");
}
