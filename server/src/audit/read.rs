//! Reading the log: the list of decisions, one decision, its receipt.

use std::collections::HashSet;

use bailiwick_ledger::{Receipt, ReceiptRecord};
use tokio::time::Instant;

use super::nodes::Tree;
use super::pending::{AttemptChange, OpenAttempts, PendingIndex};
use super::state::Command;
use super::{Audit, AuditError, DecisionFilter, recover};
use crate::store::decisions::{self, DecisionRow};
use crate::store::records::{self, StoredRecord};
use crate::store::replicas::Peer;
use crate::store::traffic::{self, Tally};

impl Audit {
    /// Up to `limit` decisions, newest first, older than the one with the id `before`. Holds everything that
    /// was appended before the call; where the log cannot be written, what the list holds so far.
    ///
    /// # Errors
    /// [`AuditError::Store`].
    pub async fn decisions(
        &self,
        filter: &DecisionFilter,
        before: Option<&str>,
        limit: u64,
    ) -> Result<Vec<DecisionRow>, AuditError> {
        if let Err(err) = self.ask(Command::Flush).await {
            tracing::debug!(%err, "the list of decisions is behind");
        }
        Ok(decisions::list(&self.inner.store, filter, before, limit).await?)
    }

    /// Decisions in numbers, made at or after one instant and before another, by steps of `step_ms`. Holds what
    /// [`Audit::decisions`] does.
    ///
    /// # Errors
    /// [`AuditError::Store`].
    pub async fn traffic(&self, from_ms: i64, to_ms: i64, step_ms: i64) -> Result<Vec<Tally>, AuditError> {
        if let Err(err) = self.ask(Command::Flush).await {
            tracing::debug!(%err, "the list of decisions is behind");
        }
        Ok(traffic::count(&self.inner.store, from_ms, to_ms, step_ms).await?)
    }

    /// The id of the decision that stands `rows` places below the one with the id `before`, newest first; none where there are
    /// fewer. Up to there a question can be bounded.
    ///
    /// # Errors
    /// [`AuditError::Store`].
    pub async fn decision_below(
        &self,
        before: Option<&str>,
        rows: u64,
    ) -> Result<Option<String>, AuditError> {
        Ok(decisions::below(&self.inner.store, before, rows).await?)
    }

    /// Those of these decisions that are in the list. Holds what [`Audit::decisions`] does.
    ///
    /// # Errors
    /// [`AuditError::Store`].
    pub async fn decision_rows(&self, ids: &[String]) -> Result<Vec<DecisionRow>, AuditError> {
        if let Err(err) = self.ask(Command::Flush).await {
            tracing::debug!(%err, "the list of decisions is behind");
        }
        Ok(decisions::several(&self.inner.store, ids).await?)
    }

    /// The row of one decision in the list.
    ///
    /// # Errors
    /// [`AuditError::Store`].
    pub async fn decision_row(&self, id: &str) -> Result<Option<DecisionRow>, AuditError> {
        if let Err(err) = self.ask(Command::Flush).await {
            tracing::debug!(%err, "the list of decisions is behind");
        }
        Ok(decisions::get(&self.inner.store, id).await?)
    }

    /// The records of one decision, in order, with the sections that still exist.
    ///
    /// # Errors
    /// [`AuditError::NotFound`], [`AuditError::Store`].
    pub async fn decision(&self, id: &str) -> Result<Vec<StoredRecord>, AuditError> {
        let found = records::of_decision(&self.inner.store, id).await?;
        if found.is_empty() { Err(AuditError::NotFound(id.to_owned())) } else { Ok(found) }
    }

    /// The records of one decision with their proofs and a fresh checkpoint, every section disclosed that still
    /// exists; [`Receipt::withhold`] narrows it.
    ///
    /// # Errors
    /// [`AuditError::NotFound`], or why it cannot be proved.
    pub async fn receipt(&self, decision: &str) -> Result<Receipt, AuditError> {
        let mut found = self.decision(decision).await?;
        let checkpoint = self.checkpoint().await?;
        if found.iter().any(|record| record.leaf.is_none()) {
            found = self.decision(decision).await?;
        }
        let size = checkpoint.unverified().size;
        let mut tree = Tree::new(&self.inner.store, size);
        let mut proved = Vec::with_capacity(found.len());
        for record in &found {
            let Some(leaf) = record.leaf.filter(|leaf| *leaf < size) else { continue };
            let proof = tree.inclusion(leaf).await?;
            proved.push(ReceiptRecord::new(leaf, &record.leaf_bytes, proof, &record.sections)?);
        }
        Ok(Receipt::new(&checkpoint, self.public_key().clone(), proved))
    }

    /// The attempts that were recorded before this start and still have no outcome: the server died between.
    /// Whoever books them appends the outcome.
    ///
    /// # Errors
    /// [`AuditError::Store`].
    pub async fn unsettled(&self) -> Result<Vec<StoredRecord>, AuditError> {
        let mut unsettled = Vec::new();
        for id in &self.inner.unsettled {
            if let Some(record) = records::get(&self.inner.store, *id).await?
                && !self.has_outcome(&record).await?
            {
                unsettled.push(record);
            }
        }
        Ok(unsettled)
    }

    /// What the replica `peer` left open, which is stopped: its rows of the list of decisions are written, and its
    /// attempts and acts without an outcome are returned. Whoever books them appends the outcome.
    ///
    /// # Errors
    /// [`AuditError::Store`].
    pub(crate) async fn adopt(&self, peer: Peer) -> Result<Vec<StoredRecord>, AuditError> {
        let store = &self.inner.store;
        let (mut rows, mut open) = (PendingIndex::default(), OpenAttempts::default());
        recover::replay(store, peer.number, peer.done_to, &mut rows, &mut open).await?;
        let rows = rows.take(Instant::now(), true, usize::MAX);
        decisions::adopt(store, peer.number, PendingIndex::rows(&rows)).await?;
        let mut unsettled = Vec::new();
        for sequence in open.sequences() {
            if let Some(record) = records::get(store, peer.number.record(sequence)?).await?
                && !self.has_outcome(&record).await?
            {
                unsettled.push(record);
            }
        }
        Ok(unsettled)
    }

    async fn has_outcome(&self, record: &StoredRecord) -> Result<bool, AuditError> {
        let header = record.header()?;
        let Some(AttemptChange::Opened(attempt)) = AttemptChange::of_header(&header) else { return Ok(true) };
        let Some(decision) = header.ids.get("decision") else { return Ok(false) };
        let mut closed = HashSet::new();
        for other in records::of_decision(&self.inner.store, decision).await? {
            if let Some(AttemptChange::Closed(key)) = AttemptChange::of_header(&other.header()?) {
                closed.insert(key);
            }
        }
        Ok(closed.contains(&attempt))
    }
}
