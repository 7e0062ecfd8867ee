//! Opening a log: what the database holds is checked against itself and against what was signed before.
//!
//! Checked at every start: the head, the tiles and the records at the end of the tree agree; the bytes of the
//! last records have their hashes; the last checkpoint in the database and the one beside the key are signed by
//! this log's key and are earlier states of this very tree. A change of an older record's bytes leaves all of
//! that intact; it is found by verifying an export.

use std::path::Path;
use std::sync::Arc;

use bailiwick_ledger::merkle::{Frontier, leaf_hash};
use bailiwick_ledger::{PublicKey, SignedCheckpoint};
use tokio::time::Instant;

use super::AuditOpenError;
use super::nodes::Tree;
use super::pending::{AttemptChange, OpenAttempts, PendingIndex};
use super::state::End;
use super::tail::Tail;
use crate::clock::Clock;
use crate::store::entities::checkpoints;
use crate::store::replicas::{self, Registered, ReplicaNumber};
use crate::store::tree::TreeHead;
use crate::store::{Store, StoreError, decisions::DecisionRow, records, runs, tree};

/// Records that one read brings.
const PAGE: u64 = 256;

/// A log that was checked.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) replica: Registered,
    /// The name that its records carry.
    pub(super) name: Arc<str>,
    pub(super) end: End,
    pub(super) last: Option<(SignedCheckpoint, i64)>,
    pub(super) pending: PendingIndex,
    pub(super) open: OpenAttempts,
}

/// Whether the log of `key` is as it was signed; changes nothing.
pub(super) async fn check(
    store: &Store,
    key: &PublicKey,
    file: Option<&Path>,
    held: &[(String, SignedCheckpoint)],
) -> Result<(), AuditOpenError> {
    let log = key.name().as_str();
    let beside = read_file(file)?;
    let size = match tree::is_empty(store).await? {
        true => 0,
        false => {
            Tail::load(store, &head(store, log).await.map_err(broken)?).await.map_err(broken)?.frontier.size()
        }
    };
    signed(store, size, key, beside.as_deref(), held).await
}

/// A log of `size` leaves is a later state of what others hold of it.
async fn signed(
    store: &Store,
    size: u64,
    key: &PublicKey,
    beside: Option<&str>,
    held: &[(String, SignedCheckpoint)],
) -> Result<(), AuditOpenError> {
    if let Some(note) = beside {
        let signed = parse(note, "the checkpoint beside the key")?;
        check_checkpoint(store, size, key, &signed, "the checkpoint beside the key").await?;
    }
    for (which, signed) in held {
        check_checkpoint(store, size, key, signed, which).await?;
    }
    Ok(())
}

/// Checks `log` and reads what goes on from it; creates it in an empty database. Where the log is `shared`, records
/// of other replicas, and of this one before it stopped, may not be in the tree yet.
pub(super) async fn open(
    store: &Store,
    key: &PublicKey,
    replica: &str,
    file: Option<&Path>,
    held: &[(String, SignedCheckpoint)],
    clock: &Clock,
    shared: bool,
) -> Result<Recovered, AuditOpenError> {
    let log = key.name().as_str();
    if let Some(other) = tree::other_log(store, log).await? {
        return Err(AuditOpenError::Broken(format!("the database belongs to the log {other}, not to {log}")));
    }
    if tree::is_empty(store).await? {
        tree::create(store, log, Frontier::new().to_bytes(), clock.now_ms()).await?;
    }
    // Before the head: others may go on signing and growing, and what was signed is never above what is there then.
    let stored = tree::last_checkpoint(store, log).await?;
    let beside = read_file(file)?;
    let before = head(store, log).await.map_err(broken)?;
    let last_time = replicas::last_heartbeat(store).await?.unwrap_or(0);
    clock.raise_to(before.time_ms.max(last_time));
    let (replica, name) = match shared {
        false => replicas::register(store, replica, clock.now_ms()).await?,
        true => replicas::join(store, replica, clock.now_ms()).await?,
    };
    // Only now: a commit of the process that ran under this name before may have been under way in the database when
    // that process died, and has either happened by now or never will.
    let head = head(store, log).await.map_err(broken)?;
    let end = match shared {
        false => end(store, &head, replica.number).await.map_err(broken)?,
        true => {
            let tail = Tail::load(store, &head).await.map_err(broken)?;
            let next_sequence = replicas::next_sequence(store, replica.number).await?;
            End { tail: Some(tail), next_sequence }
        }
    };
    let size = end.size();
    check_end(store, size).await?;

    if let Some(stored) = &stored {
        let signed = parse(&stored.note, "the last checkpoint in the database")?;
        check_checkpoint(store, size, key, &signed, "the last checkpoint in the database").await?;
    }
    signed(store, size, key, beside.as_deref(), held).await?;
    let last = match stored {
        Some(stored) => Some((parse(&stored.note, "the last checkpoint")?, stored.time_ms)),
        None => None,
    };

    let (mut pending, mut open) = (PendingIndex::default(), OpenAttempts::default());
    let from = replica.indexed_to.min(replica.settled_to);
    replay(store, replica.number, from, &mut pending, &mut open).await?;
    Ok(Recovered { replica, name: name.into(), end, last, pending, open })
}

/// The head of the log, which must exist.
pub(super) async fn head(store: &Store, log: &str) -> Result<TreeHead, StoreError> {
    tree::head(store, log).await?.ok_or_else(|| {
        StoreError::Corrupt(format!(
            "the head of the log {log} is missing from a database that holds records"
        ))
    })
}

/// Where the next record of `replica` goes, which writes alone: all of its records are in the tree.
pub(super) async fn end(store: &Store, head: &TreeHead, replica: ReplicaNumber) -> Result<End, StoreError> {
    let tail = Tail::load(store, head).await?;
    let next = replicas::next_sequence(store, replica).await?;
    let sequenced = runs::sequenced_to(store, replica).await?;
    if next != sequenced {
        return Err(StoreError::Corrupt(format!(
            "the tree has the leaves of {sequenced} records of this replica, and it wrote {next}"
        )));
    }
    Ok(End { tail: Some(tail), next_sequence: next })
}

/// Reads the records of `replica` from the sequence `from` on into what the committer remembers. Reading one twice changes nothing.
pub(super) async fn replay(
    store: &Store,
    replica: ReplicaNumber,
    from: u64,
    pending: &mut PendingIndex,
    open: &mut OpenAttempts,
) -> Result<(), StoreError> {
    let now = Instant::now();
    let mut next = from;
    loop {
        let page = records::updates(store, replica, next, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        next = last.sequence.saturating_add(1);
        for update in page {
            if let Some(row) = update.index_update {
                let row: DecisionRow = serde_json::from_slice(&row).map_err(|err| {
                    StoreError::Corrupt(format!("what record {} changes in the list: {err}", update.sequence))
                })?;
                pending.add(update.sequence, row, now);
            }
            if let Some(change) = AttemptChange::of_header(&update.header) {
                open.apply(update.sequence, change);
            }
        }
    }
}

/// The bytes of the last records have the hashes that the tree holds.
async fn check_end(store: &Store, size: u64) -> Result<(), AuditOpenError> {
    for record in records::range(store, size.saturating_sub(PAGE), size, PAGE).await? {
        if leaf_hash(&record.leaf_bytes) != record.leaf_hash {
            let leaf = record.leaf.unwrap_or_default();
            return Err(AuditOpenError::Broken(format!("the record of leaf {leaf} was changed")));
        }
    }
    Ok(())
}

pub(super) async fn check_checkpoint(
    store: &Store,
    size: u64,
    key: &PublicKey,
    signed: &SignedCheckpoint,
    which: &str,
) -> Result<(), AuditOpenError> {
    let checkpoint = signed.verify(key).map_err(|err| {
        AuditOpenError::Broken(format!(
            "{which} is not signed by the key of this log ({err}); is the key file the right one?"
        ))
    })?;
    if checkpoint.size > size {
        return Err(AuditOpenError::Broken(format!(
            "{which} signs {} leaves, and the database holds {size}: its end is missing, or an older copy was put back",
            checkpoint.size
        )));
    }
    let then = Tree::new(store, size).frontier(checkpoint.size).await;
    let then = then.map_err(|err| AuditOpenError::Broken(err.to_string()))?;
    if then.root() != checkpoint.root {
        return Err(AuditOpenError::Broken(format!(
            "the first {} leaves are not those that {which} signs: records were changed",
            checkpoint.size
        )));
    }
    Ok(())
}

fn read_file(file: Option<&Path>) -> Result<Option<String>, AuditOpenError> {
    let Some(file) = file else { return Ok(None) };
    match std::fs::read_to_string(file) {
        Ok(note) => Ok(Some(note)),
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(err) => Err(AuditOpenError::Broken(format!("{}: {err}", file.display()))),
    }
}

/// The checkpoint that a row of the database holds.
pub(super) fn stored(row: &checkpoints::Model) -> Result<SignedCheckpoint, StoreError> {
    SignedCheckpoint::parse(&row.note)
        .map_err(|err| StoreError::Corrupt(format!("the last checkpoint in the database: {err}")))
}

fn parse(note: &str, which: &str) -> Result<SignedCheckpoint, AuditOpenError> {
    SignedCheckpoint::parse(note).map_err(|err| AuditOpenError::Broken(format!("{which}: {err}")))
}

/// Whether the database answers something impossible or does not answer is all the difference to a person.
pub(super) fn broken(err: StoreError) -> AuditOpenError {
    match err {
        StoreError::Corrupt(what) => AuditOpenError::Broken(what),
        other => other.into(),
    }
}
