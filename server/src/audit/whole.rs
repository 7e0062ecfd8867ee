//! Verifying a whole stored log: every leaf hashed again, every tile and every checkpoint compared with the tree that
//! the leaves make.
//!
//! A start looks at the end of the log alone; this reads all of it. It is for a database that was copied or put back.

use bailiwick_ledger::merkle::{Frontier, leaf_hash};
use bailiwick_ledger::{Hash, PublicKey, SignedCheckpoint};

use super::AuditOpenError;
use super::recover::{broken, head};
use super::tail::Tail;
use crate::store::commit::TreeStep;
use crate::store::{Store, records, tree};

/// Records that one read brings.
const PAGE: u64 = 256;

/// A checkpoint that the log must hold, and who holds it.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    /// In words: "the checkpoint beside the key".
    pub(crate) which: String,
    /// As it was signed.
    pub(crate) signed: SignedCheckpoint,
}

/// What was verified.
#[derive(Debug)]
pub(crate) struct Whole {
    /// Its leaves.
    pub(crate) size: u64,
    /// Their root.
    pub(crate) root: Hash,
    /// How many checkpoints were compared.
    pub(crate) checkpoints: usize,
}

/// A head that was signed.
struct Mark {
    which: String,
    size: u64,
    root: Hash,
}

/// Verifies the log of `key` in `store`, and that it holds what `held` sign. Nobody may write to it meanwhile.
///
/// # Errors
/// [`AuditOpenError::Broken`] says what is not as it was signed.
pub(crate) async fn verify(store: &Store, key: &PublicKey, held: &[Held]) -> Result<Whole, AuditOpenError> {
    let log = key.name().as_str();
    if let Some(other) = tree::other_log(store, log).await? {
        return Err(AuditOpenError::Broken(format!("the database belongs to the log {other}, not to {log}")));
    }
    let head = head(store, log).await.map_err(broken)?;
    let size = tree::to_u64(head.size)?;
    let mut marks = Vec::new();
    for row in tree::checkpoints(store, log).await? {
        let signed = super::recover::stored(&row).map_err(broken)?;
        marks.push(mark(key, &signed, &format!("the database's checkpoint of {} leaves", row.size))?);
    }
    for held in held {
        marks.push(mark(key, &held.signed, &held.which)?);
    }
    if let Some(above) = marks.iter().find(|mark| mark.size > size) {
        return Err(AuditOpenError::Broken(format!(
            "{} signs {} leaves, and the database holds {size}: its end is missing, or an older copy was put back",
            above.which, above.size
        )));
    }
    marks.sort_by_key(|mark| mark.size);
    let checkpoints = marks.len();
    let mut marks = marks.into_iter().peekable();
    let mut tail = Tail::empty();
    check(&mut marks, &tail.frontier)?;
    let log_text = log.into();
    while tail.frontier.size() < size {
        let from = tail.frontier.size();
        let mut step = TreeStep::new(&log_text, from, Vec::new());
        let page = records::range(store, from, size, PAGE).await.map_err(broken)?;
        for (leaf, record) in (from..).zip(page) {
            if record.leaf != Some(leaf) {
                return Err(AuditOpenError::Broken(format!("the record of leaf {leaf} is missing")));
            }
            if leaf_hash(&record.leaf_bytes) != record.leaf_hash {
                return Err(AuditOpenError::Broken(format!("the record of leaf {leaf} was changed")));
            }
            tail.push(record.id, record.leaf_hash, record.time_ms, &mut step);
            check(&mut marks, &tail.frontier)?;
        }
        if tail.frontier.size() == from {
            return Err(AuditOpenError::Broken(format!("the record of leaf {from} is missing")));
        }
        for tile in step.tiles {
            let stored = tree::tile(store, tile.level, tile.position).await.map_err(broken)?;
            if stored.iter().flat_map(|hash| hash.0).ne(tile.hashes) {
                let (level, position) = (tile.level, tile.position);
                return Err(AuditOpenError::Broken(format!("tile {position} of level {level} was changed")));
            }
        }
    }
    if tail.frontier.to_bytes() != head.frontier {
        return Err(AuditOpenError::Broken(format!(
            "the {size} leaves do not have the root that the head of the log says"
        )));
    }
    Ok(Whole { size, root: tail.frontier.root(), checkpoints })
}

fn mark(key: &PublicKey, signed: &SignedCheckpoint, which: &str) -> Result<Mark, AuditOpenError> {
    let checkpoint = signed.verify(key).map_err(|err| {
        AuditOpenError::Broken(format!("{which} is not signed by the key of this log ({err})"))
    })?;
    Ok(Mark { which: which.to_owned(), size: checkpoint.size, root: checkpoint.root })
}

/// The heads that were signed at this size have this root.
fn check(
    marks: &mut std::iter::Peekable<std::vec::IntoIter<Mark>>,
    frontier: &Frontier,
) -> Result<(), AuditOpenError> {
    while let Some(mark) = marks.next_if(|mark| mark.size == frontier.size()) {
        if mark.root != frontier.root() {
            return Err(AuditOpenError::Broken(format!(
                "the first {} leaves are not those that {} signs: records were changed",
                mark.size, mark.which
            )));
        }
    }
    Ok(())
}
