//! The audit log: append, prove, export.
//!
//! An append returns when its record is on the disk and in the tree, together with the spend that it explains,
//! or it fails and nothing of it is there. Many appends share one commit. The list of decisions
//! trails the log: a row is written with a later commit, by default within half a second, and whoever
//! reads the list through [`Audit::decisions`] first has it brought up to date.

mod checkpoints;
mod committer;
mod entry;
mod error;
mod export;
mod key;
mod nodes;
mod pending;
mod prune;
mod read;
mod recover;
pub(crate) mod sequencer;
pub(crate) mod spool;
mod state;
mod tail;
pub(crate) mod whole;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bailiwick_ledger::{LogId, PublicKey, SignedCheckpoint, Signer};
use ed25519_dalek::SigningKey;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use self::committer::Committer;
use self::sequencer::Sequencer;
use self::spool::Spool;
use self::state::Command;
use crate::budgets::Lessee;
use crate::clock::Clock;
use crate::store::Store;
use crate::store::decisions::DecisionRow;
use crate::store::replicas::Registered;

pub use self::entry::{Appended, AuditUnavailable, Booking, BudgetId, Entry, IndexUpdate};
pub use self::error::{AuditError, AuditOpenError};
pub use self::export::ExportRequest;
pub use self::key::load_or_create as load_or_create_key;
pub use self::prune::{PruneRequest, Pruned};
pub use self::spool::{SpoolConfig, SpoolError};
pub use crate::store::decisions::DecisionFilter;
pub(crate) use crate::store::records::RETAIN_DAYS;
pub use crate::store::records::StoredRecord;

/// Entries that wait for the commit under way; more wait to be let in.
const QUEUE: usize = 4096;
/// How long an append waits to be let in.
const WAIT: Duration = Duration::from_secs(2);
/// How long an append waits for its answer where nobody has to know for sure.
const ANSWER: Duration = Duration::from_secs(8);
/// Rows that a slow reader of the live list may fall behind.
const LIVE: usize = 1024;

/// What a log is opened with.
#[derive(Debug)]
pub struct AuditConfig {
    /// The log's id, which is in every record; a database holds one log.
    pub log: LogId,
    /// This server's name among those that write to the log. Where it is the only one, it keeps it over restarts;
    /// among several, each start adds a number of its own.
    pub replica: String,
    /// The log's signing key; see [`load_or_create_key`].
    pub key: SigningKey,
    /// Where the last checkpoint is kept outside the database, such as beside the key. Without it, a database
    /// that was put back from an old copy is not noticed.
    pub checkpoint_file: Option<PathBuf>,
    /// Checkpoints that somebody else holds, with words for each: the log must still have all that they sign.
    pub held: Vec<(String, SignedCheckpoint)>,
    /// Where other replicas may write to the log too: whether this one has the duty to sequence what all of them
    /// wrote. `None` where it is the only one; then a commit gives its records their places itself.
    pub duty: Option<watch::Receiver<bool>>,
    /// Where records are made durable while the database is away; without it, nothing is recorded then. Only where
    /// other replicas may write too.
    pub spool: Option<SpoolConfig>,
}

/// The audit log. Cheap to clone; the last clone to go ends it, as [`Audit::close`] does.
#[derive(Clone, Debug)]
pub struct Audit {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    failing: Arc<AtomicBool>,
    spools: Arc<AtomicBool>,
    replica: Registered,
    store: Store,
    clock: Clock,
    signer: Arc<Signer>,
    commands: mpsc::Sender<Command>,
    live: broadcast::Sender<Arc<DecisionRow>>,
    /// Ids of records.
    unsettled: Vec<i64>,
}

impl Audit {
    /// Opens the log in `store`, or creates it in an empty one, and checks that it continues what was signed
    /// before. Raises `clock` to the time of the last record.
    ///
    /// # Errors
    /// [`AuditOpenError::Broken`] where the log was changed, cut, or put back from an older copy;
    /// [`AuditOpenError::Store`] where the database does not answer.
    pub async fn open(store: Store, config: AuditConfig, clock: Clock) -> Result<Self, AuditOpenError> {
        let AuditConfig { log, replica, key, checkpoint_file, held, duty, spool } = config;
        let signer = Arc::new(Signer::new(log.clone(), key));
        let file = checkpoint_file.as_deref();
        let recovered =
            recover::open(&store, signer.public(), &replica, file, &held, &clock, duty.is_some()).await?;
        let unsettled: Result<Vec<i64>, _> =
            recovered.open.sequences().map(|sequence| recovered.replica.number.record(sequence)).collect();
        let (commands, receiver) = mpsc::channel(QUEUE);
        let (live, _) = broadcast::channel(LIVE);
        let log_text: Arc<str> = log.as_str().into();
        let checkpoints = || {
            checkpoints::Checkpoints::new(
                Arc::clone(&signer),
                checkpoint_file.clone(),
                recovered.last.clone(),
            )
        };
        let mut end = recovered.end;
        let sequencer = duty.map(|duty| {
            end.tail = None;
            let (ask, asked) = mpsc::channel(QUEUE);
            let sequencer = Sequencer {
                store: store.clone(),
                clock: clock.clone(),
                log: Arc::clone(&log_text),
                checkpoints: checkpoints(),
                known: None,
            };
            tokio::spawn(sequencer.run(asked, duty));
            ask
        });
        let spool = match spool.filter(|_| sequencer.is_some()) {
            Some(config) => {
                Some((Spool::create(&config, &log_text, recovered.replica.number)?, config.bound))
            }
            None => None,
        };
        let spools = Arc::new(AtomicBool::new(spool.is_some()));
        let failing = Arc::new(AtomicBool::new(false));
        let committer = Committer {
            failing: Arc::clone(&failing),
            store: store.clone(),
            clock: clock.clone(),
            log_text,
            log,
            replica: recovered.name,
            registered: recovered.replica,
            checkpoints: checkpoints(),
            sequencer,
            pending: recovered.pending,
            open: recovered.open,
            live: live.clone(),
            waiting: Vec::new(),
            spool,
            spools: Arc::clone(&spools),
        };
        tokio::spawn(committer.run(end, receiver));
        let replica = recovered.replica;
        let inner =
            Inner { failing, spools, replica, store, clock, signer, commands, live, unsettled: unsettled? };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Makes `entry` durable. What it announces may happen only after this has returned `Ok`. An entry that
    /// was let in is written even if the caller does not wait for it.
    ///
    /// # Errors
    /// [`AuditUnavailable`]: nothing of the entry is durable, or, with [`AuditUnavailable::Unknown`], that may be.
    pub async fn append(&self, entry: Entry) -> Result<Appended, AuditUnavailable> {
        let known = tokio::time::timeout(ANSWER, self.append_for_sure(entry));
        known.await.unwrap_or(Err(AuditUnavailable::Unknown))
    }

    /// As [`Audit::append`], but waits until it is known whether the entry is durable, as long as that takes: for what
    /// must not be recorded twice, or has to be settled if it is recorded.
    ///
    /// # Errors
    /// [`AuditUnavailable`]: nothing of the entry is durable, or the log was closed.
    pub async fn append_for_sure(&self, entry: Entry) -> Result<Appended, AuditUnavailable> {
        self.ask(|reply| Command::Append(Box::new(entry), reply)).await
    }

    /// A signed checkpoint of everything that was appended before the call.
    ///
    /// # Errors
    /// [`AuditUnavailable`] where it cannot be stored.
    pub async fn checkpoint(&self) -> Result<SignedCheckpoint, AuditUnavailable> {
        self.ask(Command::Checkpoint).await
    }

    /// When the last stored checkpoint was signed, Unix milliseconds.
    ///
    /// # Errors
    /// [`AuditError::Store`].
    pub async fn checkpoint_ms(&self) -> Result<Option<i64>, AuditError> {
        let log = self.inner.signer.public().name().as_str();
        let stored = crate::store::tree::last_checkpoint(&self.inner.store, log).await?;
        Ok(stored.map(|stored| stored.time_ms))
    }

    /// Whether the last commit succeeded or was spooled, or none was tried yet. One that failed is tried again twice a
    /// second.
    pub fn is_writable(&self) -> bool {
        !self.inner.failing.load(Ordering::Relaxed)
    }

    /// Whether records can be made durable without the database, for a while.
    pub fn can_spool(&self) -> bool {
        self.inner.spools.load(Ordering::Relaxed)
    }

    /// Says to the others that from now on there may be records here that the database has not got. Before that nothing
    /// may be appended.
    pub(crate) async fn begin_spool(&self) -> Result<(), crate::store::StoreError> {
        match self.can_spool() {
            true => crate::store::replicas::spools(&self.inner.store, self.inner.replica).await,
            false => Ok(()),
        }
    }

    /// Records nothing more, and lets go of the spool, for another replica that goes on in the same place. What is
    /// appended from now on is refused.
    pub async fn abandon(&self) {
        if let Err(err) = self.ask(Command::Abandon).await {
            tracing::debug!(%err, "the log that was to be abandoned has ended");
        }
    }

    /// This server as one that leases parts of budgets, in the epoch in which it commits.
    pub fn lessee(&self) -> Lessee {
        Lessee::new(self.inner.store.clone(), self.inner.replica.number, self.inner.replica.epoch)
    }

    /// This server among the replicas.
    pub(crate) fn replica(&self) -> Registered {
        self.inner.replica
    }

    /// The log's public key; its text form is what an auditor is given.
    pub fn public_key(&self) -> &PublicKey {
        self.inner.signer.public()
    }

    /// The rows of the list of decisions, as they change, once what changed them is durable. A receiver that
    /// falls more than 1,024 rows behind is told how many it missed.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<DecisionRow>> {
        self.inner.live.subscribe()
    }

    /// Writes what is queued, brings the list of decisions up to date, signs a last checkpoint and takes no
    /// more entries. A second call does nothing.
    ///
    /// # Errors
    /// [`AuditUnavailable`] where the end could not be written; the next start writes it.
    pub async fn close(&self) -> Result<(), AuditUnavailable> {
        match self.ask(Command::Close).await {
            Err(AuditUnavailable::Closed) => Ok(()),
            other => other,
        }
    }

    async fn ask<T>(&self, command: impl FnOnce(state::Reply<T>) -> Command) -> Result<T, AuditUnavailable> {
        let (reply, answer) = oneshot::channel();
        self.inner.commands.send_timeout(command(reply), WAIT).await.map_err(|err| match err {
            mpsc::error::SendTimeoutError::Timeout(_) => AuditUnavailable::Busy(QUEUE),
            mpsc::error::SendTimeoutError::Closed(_) => AuditUnavailable::Closed,
        })?;
        answer.await.unwrap_or(Err(AuditUnavailable::Closed))
    }
}

#[cfg(test)]
mod tests;
