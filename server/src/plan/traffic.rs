//! Recorded decisions, page by page: each page holds all the records of its decisions, in order.

use tokio_util::sync::CancellationToken;

use super::PlanError;
use super::exported::Exported;
use crate::store::Store;
use crate::store::replay::{self, DecisionRecord};

/// Records read at a time: about 10 MB.
const PAGE: u64 = 4_000;
/// The kinds of records that tell of a request that was to be served, and of what came of it.
pub(super) const KINDS: [&str; 3] = ["decision", "refusal", "outcome"];

/// Where recorded decisions come from.
#[derive(Debug)]
pub struct Traffic(Source);

#[derive(Debug)]
enum Source {
    Log {
        store: Store,
        from_ms: i64,
        until_ms: i64,
        /// The decision that the next page begins after.
        after: String,
        before: String,
        done: bool,
    },
    Export(Box<Exported>),
}

impl Traffic {
    /// Decisions made at or after one instant and before another, in Unix milliseconds, out of the log.
    #[must_use]
    pub fn log(store: Store, from_ms: i64, until_ms: i64) -> Self {
        let (after, before) = (replay::first_decision_of(from_ms), replay::first_decision_of(until_ms));
        Self(Source::Log { store, from_ms, until_ms, after, before, done: false })
    }

    /// All decisions of an export.
    #[must_use]
    pub fn export(exported: Exported) -> Self {
        Self(Source::Export(Box::new(exported)))
    }

    /// From when on, and until when.
    pub(super) fn span_ms(&self) -> (i64, i64) {
        match &self.0 {
            Source::Log { from_ms, until_ms, .. } => (*from_ms, *until_ms),
            Source::Export(exported) => exported.span_ms(),
        }
    }

    /// Records of which nothing is known but that they are there.
    pub(super) fn only_hashes(&self) -> u64 {
        match &self.0 {
            Source::Log { .. } => 0,
            Source::Export(exported) => exported.only_hashes(),
        }
    }

    /// The next page; empty at the end.
    pub(super) async fn next<E: std::error::Error>(
        &mut self,
        stop: &CancellationToken,
    ) -> Result<Vec<DecisionRecord>, PlanError<E>> {
        match &mut self.0 {
            Source::Export(exported) => Ok(exported.page(PAGE)?),
            Source::Log { done: true, .. } => Ok(Vec::new()),
            Source::Log { store, after, before, done, .. } => {
                let mut limit = PAGE;
                loop {
                    if stop.is_cancelled() {
                        return Err(PlanError::Stopping);
                    }
                    let mut page = replay::page(store, &KINDS, after, before, limit).await?;
                    let full = u64::try_from(page.len()).unwrap_or(u64::MAX) >= limit;
                    if full {
                        // The last decision may have records beyond the page.
                        let last = page.last().map(|record| record.decision.clone()).unwrap_or_default();
                        let whole = page.partition_point(|record| record.decision < last);
                        if whole == 0 {
                            limit = limit.saturating_mul(2);
                            continue;
                        }
                        page.truncate(whole);
                    }
                    *done = !full;
                    if let Some(last) = page.last() {
                        after.clone_from(&last.decision);
                    }
                    return Ok(page);
                }
            }
        }
    }
}
