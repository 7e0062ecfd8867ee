//! A small log to test with. Salts and keys are fixed so that files come out the same every time.

use bailiwick_ledger::{
    Checkpoint, Draft, ExportWriter, Hash, Kind, LogId, PublicKey, Receipt, ReceiptRecord, Record, Section,
    SignedCheckpoint, Signer,
    merkle::{MemoryTree, consistency_plan, inclusion_plan},
};
use serde_json::json;

pub(crate) const LOG: &str = "audit.example.org/acme";

pub(crate) fn signer() -> Signer {
    signer_of(LOG, 7)
}

pub(crate) fn signer_of(log: &str, seed: u8) -> Signer {
    Signer::new(LogId::new(log).unwrap(), ed25519_dalek::SigningKey::from_bytes(&[seed; 32]))
}

pub(crate) struct Log {
    pub(crate) signer: Signer,
    pub(crate) records: Vec<Record>,
    pub(crate) tree: MemoryTree,
}

pub(crate) fn draft(number: u64) -> Draft {
    let salt = |section: u8| *Hash::of(&[number.to_be_bytes().as_slice(), &[section]].concat()).as_bytes();
    let kinds = [Kind::Start, Kind::Decision, Kind::Attempt, Kind::Outcome];
    let facts = json!({"classes": ["personal"], "sensitivity": "internal", "tokens": number, "text": "Grüße \u{1f600}\n"});
    let usage = json!({"cost_nano": 1_234_500, "ratio": 0.25, "big": 1e21, "none": null});
    Draft::new(
        kinds[usize::try_from(number % 4).unwrap()],
        1_763_800_000_000 + i64::try_from(number).unwrap(),
    )
    .scope("/acme/retail/support")
    .id("decision", format!("dec_{}", number / 4))
    .id("key", "bwk_support \"quoted\"")
    .digest("policy", "sha256:00ff")
    .section(Section::new("facts", &facts, salt(1)).unwrap())
    .section(Section::new("usage", &usage, salt(2)).unwrap())
}

impl Log {
    /// A log of `size` records by two replicas in turn.
    pub(crate) fn new(size: u64) -> Self {
        Self::of(size, signer())
    }

    pub(crate) fn of(size: u64, signer: Signer) -> Self {
        let replica = |number: u64| if number.is_multiple_of(2) { "one" } else { "two" };
        let records: Vec<_> =
            (0..size).map(|n| draft(n).seal(signer.public().name(), replica(n), n / 2).unwrap()).collect();
        let tree = records.iter().map(|record| record.leaf_hash).collect();
        Self { signer, records, tree }
    }

    pub(crate) fn key(&self) -> &PublicKey {
        self.signer.public()
    }

    pub(crate) fn checkpoint(&self, size: u64) -> SignedCheckpoint {
        let (origin, root) = (self.key().name().clone(), self.tree.root(size).unwrap());
        Checkpoint { origin, size, root }.sign(&self.signer).unwrap()
    }

    /// Exports `from..to` against the whole tree; every third record is a stub where `stubs`, and the
    /// section `usage` is withheld from every fourth.
    pub(crate) fn export(&self, from: u64, to: u64, stubs: bool) -> Vec<u8> {
        let prefix = self.tree.frontier(from).unwrap();
        let mut export =
            ExportWriter::begin(Vec::new(), &self.signer, 1_763_900_000_000, "scope=/acme", prefix, to)
                .unwrap();
        for index in from..to {
            let record = &self.records[usize::try_from(index).unwrap()];
            if stubs && index % 3 == 1 {
                export.stub(record.leaf_hash).unwrap();
            } else {
                let shown =
                    record.sections.iter().filter(|section| index % 4 != 3 || section.name != "usage");
                export.record(&record.leaf, shown).unwrap();
            }
        }
        let proof = consistency_plan(to, self.tree.size()).unwrap().build(&self.tree).unwrap();
        export.finish(&self.checkpoint(self.tree.size()), proof, &self.signer).unwrap().0
    }

    pub(crate) fn receipt(&self, indexes: &[u64]) -> Receipt {
        let size = self.tree.size();
        let record = |&index: &u64| {
            let record = &self.records[usize::try_from(index).unwrap()];
            let proof = inclusion_plan(index, size).unwrap().build(&self.tree).unwrap();
            ReceiptRecord::new(index, &record.leaf, proof, &record.sections).unwrap()
        };
        let records = indexes.iter().map(record).collect();
        Receipt::new(&self.checkpoint(size), self.key().clone(), records)
    }
}
