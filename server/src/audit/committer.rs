//! The group commit: one task that makes everything durable that came in while the commit before was under way.
//!
//! There is no artificial delay: alone, an append is a batch of one. On one replica the committer is also the
//! sequencer, so a record gets its leaf in the transaction that stores it; with several, another task will give
//! leaves to the records that have none (`leaf IS NULL`) and only the call of [`Tail::push`] moves there.
//!
//! When a commit fails, nobody's entry is durable and everybody in the batch is told so. What the database then
//! holds is read again before the next batch; if it is neither the state before nor the state after the failed
//! commit, somebody else has written, and the log stays shut until a person has looked.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bailiwick_ledger::{LogId, SignedCheckpoint};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::Instant;

use super::checkpoints::Checkpoints;
use super::pending::{AttemptChange, INDEX_ROWS, OpenAttempts, Pending, PendingIndex};
use super::tail::Tail;
use super::{Appended, AuditUnavailable, Entry, recover};
use crate::clock::Clock;
use crate::store::commit::{self, Batch, NewRecord, NewSpend};
use crate::store::decisions::DecisionRow;
use crate::store::replicas::ReplicaNumber;
use crate::store::{Store, StoreError, sections};

/// Most entries of one commit.
const MAX_BATCH: usize = 512;
/// How long the committer sleeps where nothing is due.
const IDLE: Duration = Duration::from_secs(60);
/// How long it waits before it asks a database again that refused, where nobody appends.
const RETRY: Duration = Duration::from_millis(500);

/// What the committer is asked to do.
#[derive(Debug)]
pub(super) enum Command {
    Append(Box<Entry>, Reply<Appended>),
    /// Write the list of decisions up to what is appended before.
    Flush(Reply<()>),
    /// A checkpoint of everything that is appended before.
    Checkpoint(Reply<SignedCheckpoint>),
    Close(Reply<()>),
}

pub(super) type Reply<T> = oneshot::Sender<Result<T, AuditUnavailable>>;

/// Where the log is.
#[derive(Debug)]
enum State {
    Ready(Tail),
    /// A commit failed: the database holds the head `old` or `new`, which began at `old_size`.
    Unsure {
        old: Vec<u8>,
        new: Vec<u8>,
        old_size: u64,
    },
}

#[derive(Debug)]
pub(super) struct Committer {
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) log: LogId,
    pub(super) log_text: Arc<str>,
    pub(super) replica: Arc<str>,
    pub(super) number: ReplicaNumber,
    pub(super) checkpoints: Checkpoints,
    pub(super) pending: PendingIndex,
    pub(super) open: OpenAttempts,
    pub(super) live: broadcast::Sender<Arc<DecisionRow>>,
    /// Who waits until the list of decisions holds every leaf below theirs.
    pub(super) waiting: Vec<(u64, Reply<()>)>,
}

/// What must happen once the batch is durable.
#[derive(Debug, Default)]
struct Effects {
    replies: Vec<(Reply<Appended>, Appended)>,
    rows: Vec<(u64, DecisionRow)>,
    attempts: Vec<(u64, AttemptChange)>,
    flushed: Vec<(u64, Pending)>,
    signed: Option<(SignedCheckpoint, i64)>,
    flush: Vec<Reply<()>>,
    checkpoint: Vec<Reply<SignedCheckpoint>>,
}

impl Committer {
    /// Runs until the log is closed or nobody can append any more.
    pub(super) async fn run(mut self, tail: Tail, mut commands: mpsc::Receiver<Command>) {
        let mut state = State::Ready(tail);
        let mut closing = Vec::new();
        let mut batch = Vec::with_capacity(MAX_BATCH);
        loop {
            let due = self.due(&state);
            let received = tokio::select! {
                received = commands.recv_many(&mut batch, MAX_BATCH) => Some(received),
                () = tokio::time::sleep_until(due) => None,
            };
            if received == Some(0) {
                break;
            }
            let mut effects = Effects::default();
            let mut entries = Vec::with_capacity(batch.len());
            for command in batch.drain(..) {
                match command {
                    Command::Append(entry, reply) => entries.push((entry, reply)),
                    Command::Flush(reply) => effects.flush.push(reply),
                    Command::Checkpoint(reply) => effects.checkpoint.push(reply),
                    Command::Close(reply) => {
                        commands.close();
                        closing.push(reply);
                    }
                }
            }
            state = self.round(state, entries, effects, false).await;
        }
        let result = self.finish(state).await;
        for reply in closing {
            let _ = reply.send(result.clone());
        }
    }

    /// When something is to be done that nobody asked for.
    fn due(&self, state: &State) -> Instant {
        let now = Instant::now();
        let idle = now + IDLE;
        if !self.waiting.is_empty() {
            return now;
        }
        match state {
            State::Unsure { .. } => now + RETRY,
            State::Ready(tail) => {
                let checkpoint = self.checkpoints.due(tail.frontier.size(), now);
                [checkpoint, self.pending.due()].into_iter().flatten().min().unwrap_or(idle)
            }
        }
    }

    /// One batch, from wherever the log is to wherever it then is.
    async fn round(
        &mut self,
        state: State,
        entries: Vec<(Box<Entry>, Reply<Appended>)>,
        effects: Effects,
        closing: bool,
    ) -> State {
        let tail = match state {
            State::Ready(tail) => tail,
            State::Unsure { old, new, old_size } => match self.resync(&old, &new, old_size).await {
                Ok((tail, _)) => tail,
                Err(err) => {
                    refuse(entries.into_iter().map(|(_, reply)| reply), &err);
                    refuse(effects.flush, &err);
                    refuse(effects.checkpoint, &err);
                    return State::Unsure { old, new, old_size };
                }
            },
        };
        self.commit(tail, entries, effects, closing).await
    }

    async fn commit(
        &mut self,
        mut tail: Tail,
        entries: Vec<(Box<Entry>, Reply<Appended>)>,
        mut effects: Effects,
        closing: bool,
    ) -> State {
        let now = Instant::now();
        let now_ms = self.clock.now_ms();
        let old_size = tail.frontier.size();
        let old = tail.frontier.to_bytes();
        let mut batch = Batch {
            log: Arc::clone(&self.log_text),
            replica: self.number,
            old_frontier: old.clone(),
            old_size,
            new_frontier: Vec::new(),
            new_size: 0,
            time_ms: now_ms,
            indexed_to: 0,
            settled_to: self.open.settled_to(old_size),
            records: Vec::with_capacity(entries.len()),
            tiles: Vec::new(),
            spend: Vec::new(),
            decisions: Vec::new(),
            checkpoint: None,
        };
        // A checkpoint signs what is committed, so the tree as it is before this batch.
        let due = self.checkpoints.due(old_size, now).is_some_and(|due| due <= now);
        if due || (!effects.checkpoint.is_empty() && self.checkpoints.behind(old_size)) {
            effects.signed = self.checkpoints.sign(&tail.frontier, now_ms).map(|(signed, new)| {
                batch.checkpoint = Some(new);
                (signed, now_ms)
            });
        }
        self.waiting.extend(effects.flush.drain(..).map(|reply| (old_size, reply)));
        // Never fewer than come in, or the list would fall behind for ever.
        let most = INDEX_ROWS.max(entries.len().saturating_mul(2));
        effects.flushed = self.pending.take(now, !self.waiting.is_empty() || closing, most);
        batch.decisions = PendingIndex::rows(&effects.flushed);
        batch.indexed_to = self.pending.indexed_to(old_size);
        let mut spend = HashMap::new();
        for (entry, reply) in entries {
            if let Err((reply, err)) =
                self.seal(*entry, reply, &mut tail, &mut batch, &mut spend, &mut effects)
            {
                let _ = reply.send(Err(err));
            }
        }
        batch.spend = spend
            .into_iter()
            .map(|((budget, window_start_ms), delta_nano)| NewSpend { budget, window_start_ms, delta_nano })
            .collect();
        batch.new_size = tail.frontier.size();
        batch.new_frontier = tail.frontier.to_bytes();
        let new = batch.new_frontier.clone();

        let nothing = batch.records.is_empty() && batch.decisions.is_empty() && batch.checkpoint.is_none();
        let committed = if nothing { Ok(()) } else { commit::commit(&self.store, batch).await };
        let err = match committed {
            Ok(()) => {
                self.apply(effects, now, tail.frontier.size()).await;
                return State::Ready(tail);
            }
            Err(err) => err,
        };
        tracing::warn!(%err, entries = effects.replies.len(), "the audit log could not be written");
        self.pending.restore(std::mem::take(&mut effects.flushed));
        effects.signed = None;
        match self.resync(&old, &new, old_size).await {
            // The answer to the commit was lost, the commit was not.
            Ok((tail, true)) => {
                self.answer(effects);
                State::Ready(tail)
            }
            Ok((tail, false)) => {
                self.refuse_all(effects, &err);
                State::Ready(tail)
            }
            Err(resync) => {
                tracing::warn!(err = %resync, "the audit log cannot be read either");
                self.refuse_all(effects, &err);
                State::Unsure { old, new, old_size }
            }
        }
    }

    /// Gives an entry its place. An entry that cannot be a record fails alone.
    fn seal(
        &self,
        entry: Entry,
        reply: Reply<Appended>,
        tail: &mut Tail,
        batch: &mut Batch,
        spend: &mut HashMap<(super::BudgetId, i64), i64>,
        effects: &mut Effects,
    ) -> Result<(), (Reply<Appended>, AuditUnavailable)> {
        let Entry { draft, bookings, index } = entry;
        let appended = Appended { leaf: tail.frontier.size(), replica_sequence: tail.next_sequence };
        let (time_ms, kind) = (draft.time_ms, draft.kind.as_str());
        let (scope, decision) = (draft.scope.clone(), draft.ids.get("decision").cloned());
        let attempt = AttemptChange::of_draft(&draft);
        let record = match draft.seal(&self.log, &self.replica, appended.replica_sequence) {
            Ok(record) => record,
            Err(err) => return Err((reply, err.into())),
        };
        let packed = match sections::pack(&record.sections) {
            Ok(packed) => packed,
            Err(err) => return Err((reply, unavailable(&err))),
        };
        let index_update = match index.as_ref().map(serde_json::to_vec).transpose() {
            Ok(update) => update,
            Err(err) => return Err((reply, AuditUnavailable::Database { reason: err.to_string() })),
        };
        tail.push(record.leaf_hash, time_ms, &mut batch.tiles);
        // A restart raises the clock to this.
        batch.time_ms = batch.time_ms.max(time_ms);
        tail.next_sequence = tail.next_sequence.saturating_add(1);
        for booking in bookings {
            let sum: &mut i64 = spend.entry((booking.budget, booking.window_start_ms)).or_default();
            *sum = sum.saturating_add(booking.delta_nano);
        }
        batch.records.push(NewRecord {
            replica_sequence: appended.replica_sequence,
            leaf: appended.leaf,
            time_ms,
            kind,
            scope,
            decision,
            leaf_bytes: record.leaf,
            leaf_hash: record.leaf_hash.0,
            sections: packed,
            index_update,
        });
        effects.rows.extend(index.map(|row| (appended.leaf, row)));
        effects.attempts.extend(attempt.map(|change| (appended.leaf, change)));
        effects.replies.push((reply, appended));
        Ok(())
    }

    /// The batch is durable.
    async fn apply(&mut self, mut effects: Effects, now: Instant, size: u64) {
        for (leaf, change) in effects.attempts.drain(..) {
            self.open.apply(leaf, change);
        }
        for (leaf, row) in effects.rows.drain(..) {
            if self.live.receiver_count() > 0 {
                let _ = self.live.send(Arc::new(row.clone()));
            }
            self.pending.add(leaf, row, now);
        }
        let indexed_to = self.pending.indexed_to(size);
        for (_, reply) in self.waiting.extract_if(.., |(leaf, _)| *leaf <= indexed_to) {
            let _ = reply.send(Ok(()));
        }
        let signed = effects.signed.take();
        let asked = std::mem::take(&mut effects.checkpoint);
        self.answer(effects);
        if let Some((signed, time_ms)) = signed {
            self.checkpoints.committed(signed, time_ms).await;
        }
        for reply in asked {
            let _ = reply.send(self.checkpoints.last().cloned().ok_or(AuditUnavailable::Closed));
        }
    }

    /// Answers who appended. Who asked for a checkpoint is answered by [`Committer::apply`] or has to ask again.
    fn answer(&self, effects: Effects) {
        for (reply, appended) in effects.replies {
            let _ = reply.send(Ok(appended));
        }
        let err = AuditUnavailable::Database { reason: "the checkpoint was not committed: ask again".into() };
        for reply in effects.checkpoint {
            let _ = reply.send(Err(err.clone()));
        }
    }

    fn refuse_all(&mut self, effects: Effects, err: &StoreError) {
        refuse(effects.replies.into_iter().map(|(reply, _)| reply), err);
        refuse(effects.flush, err);
        refuse(self.waiting.drain(..).map(|(_, reply)| reply), err);
        refuse(effects.checkpoint, err);
    }

    /// Reads where the log is after a failed commit; `true` where that commit is there after all.
    async fn resync(&mut self, old: &[u8], new: &[u8], old_size: u64) -> Result<(Tail, bool), StoreError> {
        self.store.settle_commits().await?;
        let head = recover::head(&self.store, &self.log_text).await?;
        let there = head.frontier == new && new != old;
        if head.frontier != old && !there {
            return Err(StoreError::Corrupt(
                "the audit log is not where this server left it: another server writes to this database, or it \
                 was changed or put back while the server ran. Stop one of the two, or compare the database with \
                 the last export, then restart"
                    .into(),
            ));
        }
        let tail = Tail::load(&self.store, &head, self.number).await?;
        if there {
            recover::replay(&self.store, old_size, &mut self.pending, &mut self.open).await?;
        }
        Ok((tail, there))
    }

    /// Writes what is left: the list of decisions, and a checkpoint of everything.
    async fn finish(&mut self, mut state: State) -> Result<(), AuditUnavailable> {
        loop {
            let (checkpoint, signed) = oneshot::channel();
            let effects = Effects { checkpoint: vec![checkpoint], ..Effects::default() };
            state = self.round(state, Vec::new(), effects, true).await;
            signed.await.unwrap_or(Err(AuditUnavailable::Closed))?;
            if self.pending.is_empty() {
                return Ok(());
            }
        }
    }
}

fn unavailable(err: &StoreError) -> AuditUnavailable {
    AuditUnavailable::Database { reason: err.to_string() }
}

fn refuse<T>(replies: impl IntoIterator<Item = Reply<T>>, err: &StoreError) {
    let err = unavailable(err);
    for reply in replies {
        let _ = reply.send(Err(err.clone()));
    }
}
