//! What the committer is asked, and where the log is for it.

use bailiwick_ledger::SignedCheckpoint;
use tokio::sync::oneshot;

use super::pending::{AttemptChange, Pending};
use super::spool::Cut;
use super::tail::Tail;
use super::{Appended, AuditUnavailable, Entry};
use crate::store::StoreError;
use crate::store::decisions::DecisionRow;

/// What the committer is asked to do.
#[derive(Debug)]
pub(super) enum Command {
    Append(Box<Entry>, Reply<Appended>),
    /// Write the list of decisions up to what is appended before.
    Flush(Reply<()>),
    /// A checkpoint of everything that is appended before.
    Checkpoint(Reply<SignedCheckpoint>),
    Close(Reply<()>),
    /// Record nothing more, and let go of the spool: another process goes on with what is in it.
    Abandon(Reply<()>),
}

pub(super) type Reply<T> = oneshot::Sender<Result<T, AuditUnavailable>>;

/// Where the next record goes: its sequence, and the end of the tree where the committer is the sequencer.
#[derive(Clone, Debug)]
pub(super) struct End {
    pub(super) tail: Option<Tail>,
    pub(super) next_sequence: u64,
}

impl End {
    pub(super) fn size(&self) -> u64 {
        self.tail.as_ref().map_or(0, |tail| tail.frontier.size())
    }

    pub(super) fn head(&self) -> Vec<u8> {
        self.tail.as_ref().map(|tail| tail.frontier.to_bytes()).unwrap_or_default()
    }
}

/// A commit that failed: the database holds the head `old` or `new`, and the replica's next record is the one number
/// `from` or `to`.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) old: Vec<u8>,
    pub(super) new: Vec<u8>,
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) why: StoreError,
    /// Whose entries are durable, or not.
    pub(super) entries: Vec<(Reply<Appended>, Appended)>,
}

impl Failed {
    pub(super) fn conclude(self, there: bool) {
        if there {
            for (reply, appended) in self.entries {
                let _ = reply.send(Ok(appended));
            }
        } else {
            refuse(self.entries.into_iter().map(|(reply, _)| reply), &self.why);
        }
    }
}

/// Where the log is.
#[derive(Debug)]
pub(super) enum State {
    Ready(End),
    Unsure(Failed),
    /// The database is away, and the spool takes its place.
    Cut(Cut),
    /// Nothing is recorded any more.
    Shut(StoreError),
}

/// What must happen once the batch is durable.
#[derive(Debug, Default)]
pub(super) struct Effects {
    pub(super) replies: Vec<(Reply<Appended>, Appended)>,
    pub(super) rows: Vec<(u64, DecisionRow)>,
    pub(super) attempts: Vec<(u64, AttemptChange)>,
    pub(super) flushed: Vec<(u64, Pending)>,
    pub(super) signed: Option<(SignedCheckpoint, i64)>,
    pub(super) flush: Vec<Reply<()>>,
    pub(super) checkpoint: Vec<Reply<SignedCheckpoint>>,
}

pub(super) fn unavailable(err: &StoreError) -> AuditUnavailable {
    AuditUnavailable::Database { reason: err.to_string() }
}

pub(super) fn refuse<T>(replies: impl IntoIterator<Item = Reply<T>>, err: &StoreError) {
    let err = unavailable(err);
    for reply in replies {
        let _ = reply.send(Err(err.clone()));
    }
}
