//! The sequencer: gives the records of all replicas their places in the one tree, and signs it.
//!
//! Any replica may take a step at any time: a step holds the head of the tree and moves it by compare-and-set, so two
//! sequencers cannot fork it. One of them does it all the time (who holds the duty); the others only when somebody
//! asks them for a checkpoint. A replica's records are taken in the order of its sequence and never over a gap.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bailiwick_ledger::SignedCheckpoint;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, timeout};

use super::checkpoints::Checkpoints;
use super::tail::Tail;
use super::{AuditOpenError, AuditUnavailable, recover};
use crate::clock::Clock;
use crate::store::commit::TreeStep;
use crate::store::replicas::ReplicaNumber;
use crate::store::retry::Tries;
use crate::store::sequence::{self, Step};
use crate::store::{Store, StoreError, runs};

/// How often the sequencer on duty looks for records.
const INTERVAL: Duration = Duration::from_millis(20);
/// How long it waits where that failed.
const AGAIN: Duration = Duration::from_millis(500);
/// How long the database may take; a connection may be dead without knowing it.
const PATIENCE: Duration = Duration::from_secs(20);
/// Records of one replica that one step takes.
const RECORDS: u64 = 4096;

/// Who waits for a checkpoint of everything that is committed now.
pub(super) type Asked = oneshot::Sender<Result<SignedCheckpoint, AuditUnavailable>>;

#[derive(Debug)]
pub(super) struct Sequencer {
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) log: Arc<str>,
    pub(super) checkpoints: Checkpoints,
    /// What is known of the tree, until somebody else moves it.
    pub(super) known: Option<Known>,
}

/// The end of the tree, and for each replica the sequence of its first record that is not in it.
#[derive(Clone, Debug)]
pub(super) struct Known {
    tail: Tail,
    next: HashMap<i64, u64>,
    /// Whether it is known to continue what was signed here.
    continues: bool,
}

impl Sequencer {
    /// Takes steps while this replica has the duty, and answers who asks, until nobody can ask any more.
    pub(super) async fn run(mut self, mut asked: mpsc::Receiver<Asked>, mut duty: watch::Receiver<bool>) {
        let mut tick = tokio::time::interval(INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut watched = true;
        loop {
            let on_duty = *duty.borrow_and_update();
            tokio::select! {
                changed = duty.changed(), if watched => watched = changed.is_ok(),
                reply = asked.recv() => {
                    let Some(reply) = reply else { return };
                    let answer = timeout(PATIENCE, self.checkpoint_now()).await.unwrap_or_else(|_| Err(silent()));
                    let _ = reply.send(answer.map_err(|err| AuditUnavailable::Database { reason: err.to_string() }));
                }
                _ = tick.tick(), if on_duty => {
                    let done = timeout(PATIENCE, self.on_duty()).await.unwrap_or_else(|_| Err(silent()));
                    if let Err(err) = done {
                        tracing::warn!(%err, "the audit log could not be sequenced; it is tried again");
                        tick.reset_after(AGAIN);
                    }
                }
            }
        }
    }

    /// Everything that is committed gets its place, and a checkpoint where one is due.
    async fn on_duty(&mut self) -> Result<(), StoreError> {
        while self.step().await? {}
        let size = self.size();
        if self.checkpoints.due(size, Instant::now()).is_some_and(|due| due <= Instant::now()) {
            self.sign().await?;
        }
        Ok(())
    }

    /// A checkpoint of everything that is committed.
    pub(super) async fn checkpoint_now(&mut self) -> Result<SignedCheckpoint, StoreError> {
        while self.step().await? {}
        if self.checkpoints.behind(self.size()) {
            self.sign().await?;
        }
        self.checkpoints
            .last()
            .cloned()
            .ok_or_else(|| StoreError::Unavailable("the log has no checkpoint: it holds nothing yet".into()))
    }

    fn size(&self) -> u64 {
        self.known.as_ref().map_or(0, |known| known.tail.frontier.size())
    }

    /// Where the end of the tree was read anew, it must be that of a later state of what was signed here before: somebody
    /// may have put back an older copy of the database under the servers, and two trees must not be signed.
    async fn continues(&mut self) -> Result<(), StoreError> {
        let (Some(known), Some(last)) = (&mut self.known, self.checkpoints.last()) else { return Ok(()) };
        if known.continues {
            return Ok(());
        }
        let (size, key) = (known.tail.frontier.size(), self.checkpoints.key());
        let checked =
            recover::check_checkpoint(&self.store, size, key, last, "the last one of this server").await;
        checked.map_err(|error| match error {
            AuditOpenError::Store(error) => error,
            other => StoreError::Corrupt(other.to_string()),
        })?;
        known.continues = true;
        Ok(())
    }

    /// Takes one step; `true` where there may be more to take.
    pub(super) async fn step(&mut self) -> Result<bool, StoreError> {
        step(&self.store, &self.log, &mut self.known).await
    }

    /// Signs the tree, which is committed.
    async fn sign(&mut self) -> Result<(), StoreError> {
        self.continues().await?;
        // Another replica may have signed a later one.
        if let Some(last) = crate::store::tree::last_checkpoint(&self.store, &self.log).await? {
            self.checkpoints.learn(&recover::stored(&last)?, last.time_ms);
        }
        let now_ms = self.clock.now_ms();
        let Some(known) = &self.known else { return Ok(()) };
        let Some((signed, new)) = self.checkpoints.sign(&known.tail.frontier, now_ms) else { return Ok(()) };
        sequence::keep(&self.store, &self.log, new).await?;
        self.checkpoints.committed(signed, now_ms).await;
        Ok(())
    }
}

fn silent() -> StoreError {
    StoreError::Unavailable("the database is silent".into())
}

/// Gives everything that is committed its place, in a log that nobody serves.
pub(crate) async fn catch_up(store: &Store, log: &str) -> Result<(), StoreError> {
    let mut known = None;
    while step(store, &log.into(), &mut known).await? {}
    Ok(())
}

/// Takes one step from what is known of the tree; another one where the database undid it.
async fn step(store: &Store, log: &Arc<str>, memory: &mut Option<Known>) -> Result<bool, StoreError> {
    let mut tries = Tries::new();
    loop {
        match try_step(store, log, memory).await {
            Err(StoreError::Contended(why)) if tries.again(&why).await => {}
            done => return done,
        }
    }
}

async fn try_step(store: &Store, log: &Arc<str>, memory: &mut Option<Known>) -> Result<bool, StoreError> {
    let step = Step::begin(store, log).await?;
    let old_frontier = step.head().frontier.clone();
    let mut known = match memory.take() {
        Some(known) if known.tail.frontier.to_bytes() == old_frontier => known,
        // Somebody else moved the head. It stands still now, so the rest can be read beside the transaction.
        _ => Known { tail: Tail::load(store, step.head()).await?, next: HashMap::new(), continues: false },
    };
    let mut tree = TreeStep::new(log, known.tail.frontier.size(), old_frontier);
    let before = known.clone();
    let mut time_ms = step.head().time_ms;
    let mut more = false;
    for replica in step.replicas().await? {
        let next = match known.next.get(&replica.get()) {
            Some(next) => *next,
            None => runs::sequenced_to(store, replica).await?,
        };
        let (next, latest, full) = take(&step, replica, next, &mut known.tail, &mut tree).await?;
        known.next.insert(replica.get(), next);
        time_ms = time_ms.max(latest);
        more |= full;
    }
    tree.new_size = known.tail.frontier.size();
    tree.new_frontier = known.tail.frontier.to_bytes();
    if tree.new_size == tree.old_size {
        *memory = Some(before);
        return Ok(false);
    }
    // Where this fails, nothing is known any more: the next step reads it again.
    step.commit(tree, time_ms).await?;
    *memory = Some(known);
    Ok(more)
}

/// Appends what `replica` committed from `next` on: the sequence that comes then, the latest time, and whether there
/// may be more.
async fn take(
    step: &Step,
    replica: ReplicaNumber,
    mut next: u64,
    tail: &mut Tail,
    tree: &mut TreeStep,
) -> Result<(u64, i64, bool), StoreError> {
    let records = step.unsequenced(replica, next, RECORDS).await?;
    let full = u64::try_from(records.len()).is_ok_and(|count| count == RECORDS);
    let mut latest = i64::MIN;
    for record in records {
        if record.id != replica.record(next)? {
            return Err(StoreError::Corrupt(format!(
                "the record number {next} of replica {} is missing from the database: records were removed",
                replica.get()
            )));
        }
        tail.push(record.id, record.leaf_hash, record.time_ms, tree);
        next = next.saturating_add(1);
        latest = latest.max(record.time_ms);
    }
    Ok((next, latest, full))
}
