//! What is given to the log, and what it answers.

use bailiwick_ledger::{Draft, RecordError};
use smallvec::SmallVec;

pub use crate::store::budgets::BudgetId;
pub use crate::store::decisions::DecisionRow as IndexUpdate;
use crate::store::replicas::ReplicaNumber;

/// Something to record, with what has to become durable in the same transaction.
#[derive(Debug)]
pub struct Entry {
    /// The record.
    pub draft: Draft,
    /// Spend that the record explains.
    pub bookings: SmallVec<[Booking; 4]>,
    /// The replica that the bookings are by, where it is another one: who books for a replica that is dead spends
    /// what was granted to that one, not to itself. Such an entry is never spooled.
    pub(crate) spent_by: Option<ReplicaNumber>,
    /// The row of the list of decisions as it stands after this record; it replaces the one before.
    pub index: Option<IndexUpdate>,
}

impl Entry {
    /// A record alone.
    pub fn new(draft: Draft) -> Self {
        Self { draft, bookings: SmallVec::new(), spent_by: None, index: None }
    }
}

/// A change of what is settled on a budget in one window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Booking {
    /// The budget.
    pub budget: BudgetId,
    /// Start of the window, Unix milliseconds.
    pub window_start_ms: i64,
    /// What is added, nano-dollars; negative corrects an earlier booking.
    pub delta_nano: i64,
}

/// A record that is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Its place in the tree, from 0, where the commit gave it one; else a sequencer soon will.
    pub leaf: Option<u64>,
    /// Its number among this replica's records.
    pub replica_sequence: u64,
}

/// The log did not take the entry, as far as is known: nothing that depends on it may happen.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AuditUnavailable {
    /// The queue stayed full for as long as an append waits.
    #[error("the audit log cannot keep up: {0} entries wait to be written")]
    Busy(usize),
    /// The database refused.
    #[error("the audit log cannot be written: {reason}")]
    Database {
        /// What the database said.
        reason: String,
    },
    /// The database went away while it wrote, and has not told yet what became of it.
    #[error("the audit log has no answer from its database")]
    Unknown,
    /// The entry cannot be a record; others are not affected.
    #[error("the entry cannot be recorded: {0}")]
    Invalid(#[from] RecordError),
    /// The log is shut, or its writer has stopped.
    #[error("the audit log is closed")]
    Closed,
}
