//! The group commit: everything that one batch of the audit log makes durable, in one transaction.
//!
//! This is the one write that every request waits for, so each database has the shortest way that it offers:
//! [`sqlite`] a few statements in one exchange with the driver's thread, [`postgres`] one statement in one round
//! trip. Both say the same of a batch: it is durable as a whole, or nothing of it is.

mod postgres;
mod sqlite;

use std::sync::Arc;

use super::budgets::BudgetId;
use super::connect::Backend;
use super::decisions::DecisionRow;
use super::replicas::ReplicaNumber;
use super::runs::Run;
use super::{Store, StoreError, retry};

/// A record in its place.
#[derive(Clone, Debug)]
pub(crate) struct NewRecord {
    pub(crate) replica_sequence: u64,
    pub(crate) time_ms: i64,
    pub(crate) kind: &'static str,
    pub(crate) scope: Option<String>,
    pub(crate) decision: Option<String>,
    pub(crate) leaf_bytes: Vec<u8>,
    pub(crate) leaf_hash: [u8; 32],
    pub(crate) sections: Vec<u8>,
    pub(crate) index_update: Option<Vec<u8>>,
}

/// A tile that became complete.
#[derive(Clone, Debug)]
pub(crate) struct NewTile {
    pub(crate) level: u8,
    pub(crate) position: u64,
    /// On level 0: the earliest and the latest time of its records.
    pub(crate) times: Option<(i64, i64)>,
    pub(crate) hashes: Vec<u8>,
    pub(crate) root: [u8; 32],
}

/// Spend of one budget in one bucket of its window, by the replica that it was granted to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewSpend {
    pub(crate) budget: BudgetId,
    pub(crate) window_start_ms: i64,
    pub(crate) replica: ReplicaNumber,
    pub(crate) delta_nano: i64,
}

/// A checkpoint, and the earlier one that it makes superfluous.
#[derive(Debug, Clone)]
pub(crate) struct NewCheckpoint {
    pub(crate) size: u64,
    pub(crate) note: String,
    pub(crate) time_ms: i64,
    pub(crate) replaces: Option<u64>,
}

/// What one transaction makes durable.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) replica: ReplicaNumber,
    /// The epoch that the replica runs in; the commit fails unless it still does.
    pub(crate) epoch: i64,
    pub(crate) time_ms: i64,
    pub(crate) indexed_to: u64,
    pub(crate) settled_to: u64,
    pub(crate) records: Vec<NewRecord>,
    pub(crate) spend: Vec<NewSpend>,
    /// Rows of the list of decisions, each with the sequence of the record that last changed it.
    pub(crate) decisions: Vec<(u64, DecisionRow)>,
    /// How the tree grows, where the replica is its own sequencer.
    pub(crate) tree: Option<TreeStep>,
}

/// How the tree grows.
#[derive(Clone, Debug)]
pub(crate) struct TreeStep {
    pub(crate) log: Arc<str>,
    /// The head that the step was built on; the commit fails unless it still stands.
    pub(crate) old_frontier: Vec<u8>,
    pub(crate) old_size: u64,
    pub(crate) new_frontier: Vec<u8>,
    pub(crate) new_size: u64,
    pub(crate) runs: Vec<Run>,
    pub(crate) tiles: Vec<NewTile>,
    pub(crate) checkpoint: Option<NewCheckpoint>,
}

impl TreeStep {
    /// From the head `old_frontier` on.
    pub(crate) fn new(log: &Arc<str>, old_size: u64, old_frontier: Vec<u8>) -> Self {
        Self {
            log: Arc::clone(log),
            old_frontier,
            old_size,
            new_frontier: Vec::new(),
            new_size: old_size,
            runs: Vec::new(),
            tiles: Vec::new(),
            checkpoint: None,
        }
    }

    /// Whether it is no more than a new head.
    fn is_plain(&self) -> bool {
        self.runs.is_empty() && self.tiles.is_empty() && self.checkpoint.is_none()
    }
}

/// Makes `batch` durable as a whole. On an error nothing of it is, unless the answer to the commit was lost: then
/// the head tells, once [`Store::settle_commits`] has returned.
///
/// # Errors
/// [`StoreError::Conflict`] where the head is not the one that the batch was built on, or another server runs in the
/// replica's name; [`StoreError::Unavailable`].
pub(crate) async fn commit(store: Store, batch: Arc<Batch>) -> Result<(), StoreError> {
    match &store.backend {
        // One writer at a time: nothing is ever undone for another.
        Backend::Sqlite => sqlite::commit(store.write.once()?, Arc::unwrap_or_clone(batch)).await,
        Backend::Postgres(writer) => retry::contended(|| postgres::commit(writer, &batch)).await,
    }
}

/// Two sequencers, or a database that was changed behind our back, can't both go on.
fn moved_away() -> StoreError {
    StoreError::Conflict(
        "the head of the audit log is not where this server left it: another server writes to this database, \
         or it was changed or restored while the server ran"
            .into(),
    )
}
