//! The example's audit log: real records in a real tree, under a key that everyone knows.

use bailiwick_ledger::merkle::{MemoryTree, inclusion_plan};
use bailiwick_ledger::{
    Checkpoint, Draft, Kind, LogId, Receipt, ReceiptRecord, Record, Section, SignedCheckpoint, Signer,
};
use bailiwick_ui::view::{CheckpointView, DecisionRow, Outcome, RecordView, SectionView};
use ed25519_dalek::SigningKey;
use serde_json::json;

struct Entry {
    decision: String,
    kind: Kind,
    time_ms: i64,
    index: u64,
    record: Record,
}

/// Records in one tree under one signed checkpoint.
pub(crate) struct Log {
    entries: Vec<Entry>,
    tree: MemoryTree,
    head: Checkpoint,
    signed: SignedCheckpoint,
    key: bailiwick_ledger::PublicKey,
}

impl Log {
    /// The records of these decisions, oldest first.
    pub(crate) fn of(rows: &[DecisionRow]) -> Self {
        let id = LogId::new("bailiwick.example/acme").expect("a log id");
        let mut entries: Vec<Entry> = Vec::new();
        for row in rows.iter().rev() {
            let kinds: &[Kind] = match row.outcome {
                Outcome::Denied => &[Kind::Refusal],
                Outcome::Running => &[Kind::Decision, Kind::Attempt],
                _ => &[Kind::Decision, Kind::Attempt, Kind::Outcome],
            };
            for kind in kinds {
                let index = entries.len() as u64;
                let record = draft(row, *kind, index).seal(&id, "r1", index).expect("a record");
                entries.push(Entry {
                    decision: row.id.clone(),
                    kind: *kind,
                    time_ms: row.time_ms + 1,
                    index,
                    record,
                });
            }
        }
        let tree: MemoryTree = entries.iter().map(|entry| entry.record.leaf_hash).collect();
        let root = tree.root(tree.size()).expect("a root");
        let head = Checkpoint { origin: id.clone(), size: tree.size(), root };
        let signer = Signer::new(id, SigningKey::from_bytes(&[7; 32]));
        let signed = head.sign(&signer).expect("a signature");
        Self { entries, tree, head, signed, key: signer.public().clone() }
    }

    pub(crate) fn size(&self) -> u64 {
        self.tree.size()
    }

    pub(crate) fn verifier_key(&self) -> String {
        self.key.to_string()
    }

    pub(crate) fn checkpoint(&self, time_ms: i64) -> CheckpointView {
        CheckpointView {
            origin: self.head.origin.to_string(),
            size: self.head.size,
            root: self.head.root.to_string(),
            time_ms,
        }
    }

    pub(crate) fn records(&self, decision: &str) -> Vec<RecordView> {
        self.of_decision(decision)
            .map(|entry| RecordView {
                kind: entry.kind.as_str().to_owned(),
                time_ms: entry.time_ms,
                leaf_index: Some(entry.index),
                leaf_hash: entry.record.leaf_hash.to_string(),
                sections: entry
                    .record
                    .sections
                    .iter()
                    .map(|section| SectionView {
                        name: section.name.to_string(),
                        commitment: section.commitment().to_string(),
                        disclosed: section.name != "principal",
                    })
                    .collect(),
            })
            .collect()
    }

    pub(crate) fn receipt(&self, decision: &str) -> Option<Vec<u8>> {
        let records: Vec<ReceiptRecord> = self
            .of_decision(decision)
            .map(|entry| {
                let plan = inclusion_plan(entry.index, self.tree.size()).expect("a leaf of the tree");
                let proof = plan.build(&self.tree).expect("a proof");
                let shown = entry.record.sections.iter().filter(|section| section.name != "principal");
                ReceiptRecord::new(entry.index, &entry.record.leaf, proof, shown).expect("a record")
            })
            .collect();
        (!records.is_empty())
            .then(|| Receipt::new(&self.signed, self.key.clone(), records).to_bytes().expect("a receipt"))
    }

    fn of_decision<'a>(&'a self, decision: &'a str) -> impl Iterator<Item = &'a Entry> {
        self.entries.iter().filter(move |entry| entry.decision == decision)
    }
}

fn draft(row: &DecisionRow, kind: Kind, index: u64) -> Draft {
    let salt = |n: u8| [n.wrapping_add(u8::try_from(index % 251).unwrap_or(0)); 32];
    let section = |name: &'static str, value: serde_json::Value, n: u8| {
        Section::new(name, &value, salt(n)).expect("a section")
    };
    let draft = Draft::new(kind, row.time_ms + 1).scope(row.scope.clone()).id("decision", row.id.clone());
    match kind {
        Kind::Attempt => draft.section(section("attempt", json!({ "endpoint": row.endpoint }), 3)),
        Kind::Outcome => draft.section(section("usage", json!({ "cost_nanos": row.cost_nanos }), 4)),
        _ => draft
            .digest("bundle", super::DIGEST)
            .section(section("facts", json!({ "data_classes": row.data_classes, "model": row.model }), 1))
            .section(section("principal", json!({ "key": row.key }), 2)),
    }
}
