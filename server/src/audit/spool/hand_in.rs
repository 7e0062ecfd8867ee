//! Handing in: what a spool holds becomes part of the log.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::frame::{Frame, missing};
use crate::store::commit::{self, Batch};
use crate::store::replicas::{self, ReplicaNumber};
use crate::store::{Store, StoreError};

/// Records of one commit.
const RECORDS: usize = 512;
/// How long the database may take to tell where the replica's records end.
const ANSWER: Duration = Duration::from_secs(5);

/// Whose records are handed in, and what its row says meanwhile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct By {
    pub(crate) replica: ReplicaNumber,
    /// The epoch that its row has: its own, or the one that it was stopped with.
    pub(crate) epoch: i64,
    /// Its records below this sequence are in the list of decisions.
    pub(crate) indexed_to: u64,
    /// No attempt of its below this sequence is without an outcome.
    pub(crate) settled_to: u64,
}

/// Commits what the database does not have of `frames`; the number of the replica's next record then.
///
/// # Errors
/// [`StoreError::Conflict`] where the replica has another epoch; [`StoreError::Corrupt`] where the frames do not go on
/// from what is there; [`StoreError::Unavailable`].
pub(crate) async fn hand_in(store: &Store, by: By, frames: &[Arc<Frame>]) -> Result<u64, StoreError> {
    // A commit that nobody knows the end of has ended when this returns.
    store.settle_commits().await?;
    // A connection of the pool may be dead without knowing it.
    let next = timeout(ANSWER, replicas::next_sequence(store, by.replica)).await;
    let mut next = next.unwrap_or_else(|_| Err(StoreError::Unavailable("the database is silent".into())))?;
    let missing = missing(frames, next).map_err(StoreError::Corrupt)?;
    same(store, by.replica, frames, next).await?;
    let mut rest = missing.as_slice();
    while !rest.is_empty() {
        let mut batch = Batch {
            replica: by.replica,
            epoch: by.epoch,
            time_ms: i64::MIN,
            indexed_to: by.indexed_to,
            settled_to: by.settled_to,
            records: Vec::new(),
            spend: Vec::new(),
            decisions: Vec::new(),
            tree: None,
        };
        while let Some((frame, after)) = rest.split_first() {
            if !batch.records.is_empty() && batch.records.len().saturating_add(frame.records.len()) > RECORDS
            {
                break;
            }
            batch.time_ms = batch.time_ms.max(frame.time_ms);
            batch.records.extend(frame.records.iter().cloned());
            for spend in &frame.spend {
                let same = batch.spend.iter_mut().find(|other| {
                    (other.budget, other.window_start_ms, other.replica)
                        == (spend.budget, spend.window_start_ms, spend.replica)
                });
                match same {
                    Some(same) => same.delta_nano = same.delta_nano.saturating_add(spend.delta_nano),
                    None => batch.spend.push(*spend),
                }
            }
            next = frame.next();
            rest = after;
        }
        commit::commit(store.clone(), Arc::new(batch)).await?;
    }
    Ok(next)
}

/// What the database has of `frames`, below the sequence `next`, must be what they hold: two lives of a database that
/// was put back may have numbered different records alike.
///
/// # Errors
/// [`StoreError::Corrupt`] where it is not.
pub(crate) async fn same(
    store: &Store,
    replica: ReplicaNumber,
    frames: &[Arc<Frame>],
    next: u64,
) -> Result<(), StoreError> {
    let there: Vec<_> = frames.iter().filter(|frame| frame.next() <= next).collect();
    let (Some(first), Some(last)) = (there.first(), there.last()) else { return Ok(()) };
    let known = replicas::leaf_hashes(store, replica, (first.first, last.next())).await?;
    let held = there.iter().flat_map(|frame| &frame.records);
    let held: Result<Vec<_>, StoreError> = held
        .map(|record| Ok((replica.record(record.replica_sequence)?, record.leaf_hash.to_vec())))
        .collect();
    if held? == known {
        return Ok(());
    }
    Err(StoreError::Corrupt(format!(
        "under the numbers {} to {} of replica {} the database has other records than the spool",
        first.first,
        last.next().saturating_sub(1),
        replica.get()
    )))
}
