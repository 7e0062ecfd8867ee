//! What goes into the spool at once.

use std::sync::Arc;

use bailiwick_ledger::Header;
use bailiwick_ledger::merkle::leaf_hash;
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde::{Deserialize, Serialize};

use crate::store::budgets::BudgetId;
use crate::store::commit::{Batch, NewRecord, NewSpend};
use crate::store::replicas::ReplicaNumber;

/// Consecutive records of a replica, with the spend that they explain: durable together, or not at all.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// The sequence of the first record.
    pub(super) first: u64,
    /// The time of the latest one.
    pub(super) time_ms: i64,
    pub(super) records: Vec<NewRecord>,
    pub(super) spend: Vec<NewSpend>,
}

/// A frame as it is written. What the header of a record says is not said again.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    records: Vec<WrittenRecord>,
    /// Budget, start of the bucket, by which replica, amount.
    spend: Vec<(i64, i64, i64, i64)>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRecord {
    /// The exact bytes that are hashed, in Base64.
    leaf: String,
    /// As they are packed, in Base64.
    sections: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    row: Option<String>,
}

impl Frame {
    /// What `batch` would make durable, but for the list of decisions, which its records tell too.
    pub(super) fn of(first: u64, batch: &Batch) -> Self {
        Self { first, time_ms: batch.time_ms, records: batch.records.clone(), spend: batch.spend.clone() }
    }

    /// The sequence of the record after the last.
    pub(crate) fn next(&self) -> u64 {
        self.first.saturating_add(u64::try_from(self.records.len()).unwrap_or(u64::MAX))
    }

    /// How many records it holds.
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    pub(super) fn encode(&self) -> Result<Vec<u8>, String> {
        let record = |record: &NewRecord| {
            let row = record.index_update.clone().map(String::from_utf8).transpose();
            Ok(WrittenRecord {
                leaf: BASE64.encode(&record.leaf_bytes),
                sections: BASE64.encode(&record.sections),
                row: row.map_err(|error| error.to_string())?,
            })
        };
        let records: Result<_, String> = self.records.iter().map(record).collect();
        let spend =
            |spend: &NewSpend| (spend.budget.0, spend.window_start_ms, spend.replica.get(), spend.delta_nano);
        let written = Written { records: records?, spend: self.spend.iter().map(spend).collect() };
        serde_json::to_vec(&written).map_err(|error| error.to_string())
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, String> {
        let written: Written = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let mut records: Vec<NewRecord> = Vec::with_capacity(written.records.len());
        for record in written.records {
            let record = record.read()?;
            if records.last().is_some_and(|last| last.replica_sequence + 1 != record.replica_sequence) {
                return Err(String::from("its records do not follow one another"));
            }
            records.push(record);
        }
        let (Some(first), Some(time_ms)) =
            (records.first(), records.iter().map(|record| record.time_ms).max())
        else {
            return Err(String::from("it holds no record"));
        };
        let spend = |(budget, window_start_ms, replica, delta_nano)| NewSpend {
            budget: BudgetId(budget),
            window_start_ms,
            replica: ReplicaNumber::new(replica),
            delta_nano,
        };
        let spend = written.spend.into_iter().map(spend).collect();
        Ok(Self { first: first.replica_sequence, time_ms, records, spend })
    }
}

impl WrittenRecord {
    fn read(self) -> Result<NewRecord, String> {
        let bytes = |text: &str| BASE64.decode(text).map_err(|error| error.to_string());
        let (leaf_bytes, sections) = (bytes(&self.leaf)?, bytes(&self.sections)?);
        let header = Header::parse(&leaf_bytes).map_err(|error| error.to_string())?;
        let kind = header.known_kind().ok_or("a record of a kind that this version does not know")?;
        crate::store::sections::unpack(&sections).map_err(|error| error.to_string())?;
        Ok(NewRecord {
            replica_sequence: header.replica_sequence,
            time_ms: header.time,
            kind: kind.as_str(),
            scope: header.scope,
            decision: header.ids.get("decision").cloned(),
            leaf_hash: leaf_hash(&leaf_bytes).0,
            leaf_bytes,
            sections,
            index_update: self.row.map(String::into_bytes),
        })
    }
}

/// Those of `frames` that the database does not have, whose next record of the replica is the one number `next`; with
/// the number after the last.
///
/// # Errors
/// In words, where they do not go on from there.
pub(super) fn missing(frames: &[Arc<Frame>], mut next: u64) -> Result<Vec<Arc<Frame>>, String> {
    let mut missing = Vec::new();
    for frame in frames.iter().filter(|frame| frame.next() > next).cloned().collect::<Vec<_>>() {
        if frame.first != next {
            return Err(format!(
                "the database goes on with record number {next} of this replica, and the spool with {}",
                frame.first
            ));
        }
        next = frame.next();
        missing.push(frame);
    }
    Ok(missing)
}
