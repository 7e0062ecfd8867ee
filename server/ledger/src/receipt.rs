//! Receipts: records with the proofs that they are in the log, in one self-contained document.
//!
//! Unlike an export a receipt needs no key to be made narrower: whoever holds one can withhold a section or
//! drop a record and pass the rest on. It proves that what it shows is in the log, not that it is all.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    Checkpoint, Hash, PublicKey, Section, SignedCheckpoint, canonical,
    canonical::CanonicalError,
    disclosure::{Mismatch, Sections, VerifiedRecord, disclose},
    merkle::{ProofError, leaf_hash, verify_inclusion},
    note::NoteError,
    record::RecordError,
};

/// What `type` says in a receipt.
const RECEIPT_TYPE: &str = "bailiwick-audit-receipt";

/// The version of the receipt format.
const RECEIPT_VERSION: u64 = 1;

/// The longest receipt that is read, in bytes.
pub const MAX_RECEIPT: usize = 64 * 1024 * 1024;

/// Why a receipt cannot be read or does not verify.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiptError {
    /// Not a receipt in canonical form.
    #[error("not a receipt: {0}")]
    Form(String),
    /// The receipt names another key.
    #[error("the receipt names the key {0}, which is not the expected public key")]
    Key(String),
    /// The checkpoint does not hold.
    #[error("the checkpoint: {0}")]
    Checkpoint(#[from] NoteError),
    /// A record and its sections do not fit together.
    #[error("leaf {index}: {source}")]
    Record {
        /// The record's place in the log.
        index: u64,
        /// What does not fit.
        source: Mismatch,
    },
    /// A record is not in the log.
    #[error("leaf {index}: {source}")]
    Proof {
        /// The place in the log that is claimed.
        index: u64,
        /// What the proof shows.
        source: ProofError,
    },
    /// A record of another log.
    #[error("leaf {0} names another log than the checkpoint")]
    Log(u64),
    /// No record, or records out of order.
    #[error("a receipt holds one or more records in ascending order of their leaves")]
    Order,
}

/// A record as a receipt carries it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptRecord {
    /// Its leaf's index in the log.
    pub index: u64,
    /// The exact bytes of the leaf.
    pub leaf: String,
    /// The inclusion proof to the checkpoint, from the leaf upwards.
    pub proof: Vec<Hash>,
    /// The disclosed sections.
    pub sections: Sections,
}

impl ReceiptRecord {
    /// A record with its inclusion proof and the sections to disclose.
    ///
    /// # Errors
    ///
    /// [`RecordError`] where leaf or sections are not UTF-8.
    pub fn new<'a>(
        index: u64,
        leaf: &[u8],
        proof: Vec<Hash>,
        sections: impl IntoIterator<Item = &'a Section>,
    ) -> Result<Self, RecordError> {
        let leaf =
            str::from_utf8(leaf).map_err(|_| RecordError::Header(format!("leaf {index} is not UTF-8")))?;
        Ok(Self { index, leaf: leaf.to_owned(), proof, sections: disclose(sections)? })
    }
}

/// Records with proofs to one signed checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    checkpoint: String,
    key: PublicKey,
    records: Vec<ReceiptRecord>,
    #[serde(rename = "type")]
    kind: String,
    v: u64,
}

/// What a receipt that verifies shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedReceipt {
    /// The signed tree head that the records are in.
    pub checkpoint: Checkpoint,
    /// The key that signed it.
    pub key: PublicKey,
    /// Whether the key was compared with one from outside the receipt.
    pub key_expected: bool,
    /// The decision that all records name, if they name one and the same.
    pub decision: Option<String>,
    /// The records, in the order of the log.
    pub records: Vec<VerifiedRecord>,
}

impl Receipt {
    /// A receipt for `records`, whose proofs lead to `checkpoint`, signed with `key`.
    #[must_use]
    pub fn new(checkpoint: &SignedCheckpoint, key: PublicKey, mut records: Vec<ReceiptRecord>) -> Self {
        records.sort_by_key(|record| record.index);
        let (kind, v) = (RECEIPT_TYPE.to_owned(), RECEIPT_VERSION);
        Self { checkpoint: checkpoint.to_string(), key, records, kind, v }
    }

    /// Reads a receipt, strictly; one newline may follow it. Nothing is verified yet.
    ///
    /// # Errors
    ///
    /// [`ReceiptError::Form`] says what is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, ReceiptError> {
        if bytes.len() > MAX_RECEIPT {
            return Err(ReceiptError::Form(format!("it is longer than {MAX_RECEIPT} bytes")));
        }
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        canonical::check(bytes).map_err(|error| ReceiptError::Form(error.to_string()))?;
        let receipt: Self =
            serde_json::from_slice(bytes).map_err(|error| ReceiptError::Form(error.to_string()))?;
        if receipt.kind != RECEIPT_TYPE || receipt.v != RECEIPT_VERSION {
            let what = format!("it is not of a version that this verifier knows ({RECEIPT_VERSION})");
            return Err(ReceiptError::Form(what));
        }
        Ok(receipt)
    }

    /// The receipt's bytes: canonical JSON.
    ///
    /// # Errors
    ///
    /// [`CanonicalError::Integer`] where a leaf's index is beyond 2^53 - 1.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CanonicalError> {
        canonical::to_vec(self)
    }

    /// The records, not verified.
    #[must_use]
    pub fn records(&self) -> &[ReceiptRecord] {
        &self.records
    }

    /// Withholds the section `name` of the record at leaf `index`; tells whether it was there. The receipt
    /// still verifies.
    pub fn withhold(&mut self, index: u64, name: &str) -> bool {
        let record = self.records.iter_mut().find(|record| record.index == index);
        record.is_some_and(|record| record.sections.remove(name).is_some())
    }

    /// Verifies the checkpoint's signature, every record's place in the tree, and every disclosed section.
    /// `expected` is the log's public key as got from elsewhere; without it the receipt is only consistent
    /// with the key that it names itself.
    ///
    /// # Errors
    ///
    /// [`ReceiptError`] names the first thing that does not hold.
    pub fn verify(&self, expected: Option<&PublicKey>) -> Result<VerifiedReceipt, ReceiptError> {
        if expected.is_some_and(|expected| *expected != self.key) {
            return Err(ReceiptError::Key(self.key.to_string()));
        }
        let checkpoint = SignedCheckpoint::parse(&self.checkpoint)?.verify(&self.key)?.clone();
        let ascending = self.records.is_sorted_by(|a, b| a.index < b.index);
        if self.records.is_empty() || !ascending {
            return Err(ReceiptError::Order);
        }
        let records = self.records.iter().map(|record| check(record, &checkpoint));
        let records: Vec<_> = records.collect::<Result<_, _>>()?;
        let decisions: BTreeMap<_, ()> =
            records.iter().map(|record| (record.header.ids.get("decision"), ())).collect();
        let decision = match decisions.into_keys().collect::<Vec<_>>().as_slice() {
            [Some(decision)] => Some((*decision).clone()),
            _ => None,
        };
        let (key, key_expected) = (self.key.clone(), expected.is_some());
        Ok(VerifiedReceipt { checkpoint, key, key_expected, decision, records })
    }
}

fn check(record: &ReceiptRecord, head: &Checkpoint) -> Result<VerifiedRecord, ReceiptError> {
    let index = record.index;
    let hash = leaf_hash(record.leaf.as_bytes());
    verify_inclusion(&hash, index, head.size, &record.proof, &head.root)
        .map_err(|source| ReceiptError::Proof { index, source })?;
    let verified = VerifiedRecord::check(index, &record.leaf, record.sections.clone())
        .map_err(|source| ReceiptError::Record { index, source })?;
    if verified.header.log == head.origin { Ok(verified) } else { Err(ReceiptError::Log(index)) }
}
