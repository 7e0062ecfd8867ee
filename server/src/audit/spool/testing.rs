//! Spools for tests.

use std::path::Path;
use std::time::Duration;

use bailiwick_ledger::{Draft, Kind, LogId, Section};

use super::{Frame, Spool, SpoolConfig};
use crate::store::budgets::BudgetId;
use crate::store::commit::{NewRecord, NewSpend};
use crate::store::replicas::ReplicaNumber;
use crate::store::sections;

pub(crate) const LOG: &str = "log.example/test";

fn record(sequence: u64) -> NewRecord {
    let draft = Draft::new(Kind::Outcome, 1_700_000_000_000)
        .scope("/acme")
        .id("decision", format!("d{sequence}"))
        .section(Section::new("usage", &serde_json::json!({ "cost_nano": 7 }), [7; 32]).unwrap());
    let record = draft.seal(&LogId::new(LOG).unwrap(), "r.1", sequence).unwrap();
    NewRecord {
        replica_sequence: sequence,
        time_ms: 1_700_000_000_000,
        kind: "outcome",
        scope: Some(String::from("/acme")),
        decision: Some(format!("d{sequence}")),
        leaf_hash: record.leaf_hash.0,
        sections: sections::pack(&record.sections).unwrap(),
        leaf_bytes: record.leaf,
        index_update: Some(b"{}".to_vec()),
    }
}

/// So many records from `first` on, which book 7 on a budget.
pub(crate) fn frame_on(budget: BudgetId, first: u64, count: u64) -> Frame {
    let spend = NewSpend { budget, window_start_ms: -5, replica: ReplicaNumber::new(1), delta_nano: 7 };
    Frame {
        first,
        time_ms: 1_700_000_000_000,
        records: (first..first + count).map(record).collect(),
        spend: vec![spend],
    }
}

/// A frame that a test only reads.
pub(crate) fn frame(first: u64, count: u64) -> Frame {
    frame_on(BudgetId(3), first, count)
}

pub(crate) fn config(folder: &Path) -> SpoolConfig {
    SpoolConfig { path: folder.join("spool"), bytes: 1 << 20, bound: Duration::from_secs(10) }
}

/// What a replica left in `folder` that was killed.
pub(crate) async fn left_in(folder: &Path, replica: ReplicaNumber, frames: &[Frame]) {
    let mut spool = Spool::create(&config(folder), LOG, replica).unwrap();
    for frame in frames {
        spool.append(frame).await.unwrap();
    }
}
