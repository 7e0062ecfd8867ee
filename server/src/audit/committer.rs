//! The group commit: one task that makes everything durable that came in while the commit before was under way.
//!
//! There is no artificial delay: alone, an append is a batch of one. Where this replica is the only one, the
//! committer is also the sequencer, and a record gets its leaf in the transaction that stores it. Where there may
//! be others, the batch leaves the tree alone, and [`Sequencer`](super::sequencer) takes the records from there.
//!
//! When a commit fails and was not refused, the database is asked what it holds before anybody is told: the answer
//! alone may have been lost. As long as it does not say, whose entries were in the batch wait, and new ones are refused without being
//! tried. If it is neither the state before nor the state after the failed commit, somebody else has written, and the
//! log stays shut until a person has looked. Where there is a [`spool`](super::spool), nobody waits: what the database
//! does not take at once goes there.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bailiwick_ledger::LogId;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::{Instant, timeout};

use super::checkpoints::Checkpoints;
use super::pending::{AttemptChange, INDEX_ROWS, OpenAttempts, PendingIndex};
use super::sequencer::Asked;
use super::spool::{Spool, Worked, worked};
use super::state::{Command, Effects, End, Failed, Reply, State, refuse, unavailable};
use super::{Appended, AuditUnavailable, Entry, recover};
use crate::clock::Clock;
use crate::store::commit::{self, Batch, NewRecord, NewSpend, TreeStep};
use crate::store::decisions::DecisionRow;
use crate::store::replicas::{self, Registered, ReplicaNumber};
use crate::store::{Store, StoreError, sections};

/// Most entries of one commit.
const MAX_BATCH: usize = 512;
/// How long the committer sleeps where nothing is due.
const IDLE: Duration = Duration::from_secs(60);
/// How long it waits before it asks a database again that refused, where nobody appends.
pub(super) const RETRY: Duration = Duration::from_millis(500);
/// How long a commit may take before it goes into the spool too.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a batch books: budget, start of the bucket, by which replica, and how much.
pub(super) type Spent = HashMap<(super::BudgetId, i64, ReplicaNumber), i64>;

/// What wakes the committer.
enum Event {
    Received(usize),
    Due,
    Worked(Worked),
}

#[derive(Debug)]
pub(super) struct Committer {
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) log: LogId,
    pub(super) log_text: Arc<str>,
    pub(super) replica: Arc<str>,
    pub(super) registered: Registered,
    pub(super) checkpoints: Checkpoints,
    /// Whether the last commit failed. Then it is tried, with nothing to write if need be, until one succeeds.
    pub(super) failing: Arc<AtomicBool>,
    /// Who signs, where that is not the committer.
    pub(super) sequencer: Option<mpsc::Sender<Asked>>,
    pub(super) pending: PendingIndex,
    pub(super) open: OpenAttempts,
    pub(super) live: broadcast::Sender<Arc<DecisionRow>>,
    /// Who waits until the list of decisions holds every record below theirs.
    pub(super) waiting: Vec<(u64, Reply<()>)>,
    /// Where records go that the database does not take, and for how long new ones do.
    pub(super) spool: Option<(Spool, Duration)>,
    /// Whether the spool would take something, and the others know.
    pub(super) spools: Arc<AtomicBool>,
}

impl Committer {
    /// Runs until the log is closed or nobody can append any more.
    pub(super) async fn run(mut self, end: End, mut commands: mpsc::Receiver<Command>) {
        let mut state = State::Ready(end);
        let mut closing = Vec::new();
        let mut batch = Vec::with_capacity(MAX_BATCH);
        loop {
            let due = self.due(&state);
            let waits = matches!(&state, State::Cut(cut) if cut.waits());
            let event = tokio::select! {
                received = commands.recv_many(&mut batch, MAX_BATCH), if !waits => Event::Received(received),
                () = tokio::time::sleep_until(due) => Event::Due,
                done = worked(&mut state) => Event::Worked(done),
            };
            match event {
                Event::Received(0) => break,
                Event::Received(_) | Event::Due => {}
                Event::Worked(done) => {
                    state = match state {
                        State::Cut(cut) => self.cut_worked(cut, done).await,
                        other => other,
                    };
                    continue;
                }
            }
            let mut effects = Effects::default();
            let mut abandoned = Vec::new();
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
                    Command::Abandon(reply) => abandoned.push(reply),
                }
            }
            state = self.round(state, entries, effects, false).await;
            if !abandoned.is_empty() {
                state = self.abandon(state);
            }
            for reply in abandoned {
                let _ = reply.send(Ok(()));
            }
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
            State::Cut(cut) => self.spool.as_ref().and_then(|(_, bound)| cut.due(*bound)).unwrap_or(idle),
            State::Shut(_) => idle,
            State::Unsure(_) => now + RETRY,
            State::Ready(_) if self.failing.load(Ordering::Relaxed) => now + RETRY,
            State::Ready(end) => {
                let checkpoint = self.checkpoints.due(end.size(), now);
                [checkpoint, self.pending.due()].into_iter().flatten().min().unwrap_or(idle)
            }
        }
    }

    /// One batch, from wherever the log is to wherever it then is.
    async fn round(
        &mut self,
        state: State,
        entries: Vec<(Box<Entry>, Reply<Appended>)>,
        mut effects: Effects,
        closing: bool,
    ) -> State {
        let end = match state {
            State::Ready(end) => end,
            State::Cut(cut) => return self.cut_round(cut, entries, effects).await,
            State::Shut(why) => {
                refuse(entries.into_iter().map(|(_, reply)| reply), &why);
                self.refuse_readers(&mut effects, &why);
                return State::Shut(why);
            }
            State::Unsure(failed) => match self.resync(&failed).await {
                Ok((end, there)) => {
                    failed.conclude(there);
                    end
                }
                Err(err) => {
                    refuse(entries.into_iter().map(|(_, reply)| reply), &err);
                    self.refuse_readers(&mut effects, &err);
                    return State::Unsure(failed);
                }
            },
        };
        self.commit(end, entries, effects, closing).await
    }

    async fn commit(
        &mut self,
        mut end: End,
        entries: Vec<(Box<Entry>, Reply<Appended>)>,
        mut effects: Effects,
        closing: bool,
    ) -> State {
        let now = Instant::now();
        let now_ms = self.clock.now_ms();
        let from = end.next_sequence;
        let (old_size, old) = (end.size(), end.head());
        let mut batch = Batch {
            replica: self.registered.number,
            epoch: self.registered.epoch,
            time_ms: now_ms,
            indexed_to: 0,
            settled_to: self.open.settled_to(from),
            records: Vec::with_capacity(entries.len()),
            spend: Vec::new(),
            decisions: Vec::new(),
            tree: end.tail.is_some().then(|| TreeStep::new(&self.log_text, old_size, old.clone())),
        };
        // A checkpoint signs what is committed, so the tree as it is before this batch.
        let due = self.checkpoints.due(old_size, now).is_some_and(|due| due <= now);
        if let (Some(tail), Some(tree)) = (&end.tail, &mut batch.tree)
            && (due || (!effects.checkpoint.is_empty() && self.checkpoints.behind(old_size)))
        {
            effects.signed = self.checkpoints.sign(&tail.frontier, now_ms).map(|(signed, new)| {
                tree.checkpoint = Some(new);
                (signed, now_ms)
            });
        }
        self.waiting.extend(effects.flush.drain(..).map(|reply| (from, reply)));
        // Never fewer than come in, or the list would fall behind for ever.
        let most = INDEX_ROWS.max(entries.len().saturating_mul(2));
        effects.flushed = self.pending.take(now, !self.waiting.is_empty() || closing, most);
        batch.decisions = PendingIndex::rows(&effects.flushed);
        batch.indexed_to = self.pending.indexed_to(from);
        // Others may do it too, so nobody may come with it later.
        let for_another = entries.iter().any(|(entry, _)| entry.spent_by.is_some());
        let mut spend = Spent::new();
        for (entry, reply) in entries {
            if let Err((reply, err)) =
                self.seal(*entry, reply, &mut end, &mut batch, &mut spend, &mut effects)
            {
                let _ = reply.send(Err(err));
            }
        }
        batch.spend = booked(spend);
        let new = end.head();
        let mut nothing = batch.records.is_empty() && batch.decisions.is_empty();
        if let Some(tree) = &mut batch.tree {
            tree.new_size = end.size();
            tree.new_frontier.clone_from(&new);
            nothing &= tree.checkpoint.is_none();
        }

        let batch = Arc::new(batch);
        let spools = self.spool.is_some() && self.spools.load(Ordering::Relaxed);
        let kept = (spools && !for_another).then(|| Arc::clone(&batch));
        let (committed, under_way) = if nothing && !self.failing.load(Ordering::Relaxed) {
            (Ok(()), None)
        } else {
            let mut committing = Box::pin(commit::commit(self.store.clone(), batch));
            match &kept {
                None => (committing.await, None),
                Some(_) => match timeout(PATIENCE, committing.as_mut()).await {
                    Ok(committed) => (committed, None),
                    Err(_) => {
                        let silent = StoreError::Unavailable("the database is silent".into());
                        (Err(silent), Some(tokio::spawn(committing)))
                    }
                },
            }
        };
        self.failing.store(committed.is_err(), Ordering::Relaxed);
        let mut err = match committed {
            Ok(()) => {
                self.apply(effects, now, end.next_sequence).await;
                return State::Ready(end);
            }
            Err(err) => err,
        };
        if let Some(batch) = kept
            && err.is_transient()
        {
            match self.cut_off(&batch, (from, end.next_sequence), effects, under_way, err).await {
                Ok(cut) => return State::Cut(cut),
                Err((back, why)) => (effects, err) = (back, why),
            }
        }
        tracing::warn!(%err, entries = effects.replies.len(), "the audit log could not be written");
        self.pending.restore(std::mem::take(&mut effects.flushed));
        effects.signed = None;
        let entries = std::mem::take(&mut effects.replies);
        self.refuse_readers(&mut effects, &err);
        let mut failed = Failed { old, new, from, to: end.next_sequence, why: err, entries };
        if matches!(failed.why, StoreError::Conflict(_)) {
            // The database has refused it, so nothing of it can be there.
            refuse(failed.entries.drain(..).map(|(reply, _)| reply), &failed.why);
        }
        match self.resync(&failed).await {
            // Where it is there, only the answer to the commit was lost.
            Ok((end, there)) => {
                failed.conclude(there);
                State::Ready(end)
            }
            Err(resync) => {
                tracing::warn!(err = %resync, "the audit log cannot be read either");
                State::Unsure(failed)
            }
        }
    }

    /// Gives an entry its place. An entry that cannot be a record fails alone.
    pub(super) fn seal(
        &self,
        entry: Entry,
        reply: Reply<Appended>,
        end: &mut End,
        batch: &mut Batch,
        spend: &mut Spent,
        effects: &mut Effects,
    ) -> Result<(), (Reply<Appended>, AuditUnavailable)> {
        let Entry { draft, bookings, spent_by, index } = entry;
        let spent_by = spent_by.unwrap_or(self.registered.number);
        let leaf = end.tail.as_ref().map(|tail| tail.frontier.size());
        let appended = Appended { leaf, replica_sequence: end.next_sequence };
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
        let id = match self.registered.number.record(appended.replica_sequence) {
            Ok(id) => id,
            Err(err) => return Err((reply, unavailable(&err))),
        };
        if let (Some(tail), Some(tree)) = (&mut end.tail, &mut batch.tree) {
            tail.push(id, record.leaf_hash, time_ms, tree);
        }
        // A restart raises the clock to this.
        batch.time_ms = batch.time_ms.max(time_ms);
        end.next_sequence = end.next_sequence.saturating_add(1);
        for booking in bookings {
            let sum: &mut i64 = spend.entry((booking.budget, booking.window_start_ms, spent_by)).or_default();
            *sum = sum.saturating_add(booking.delta_nano);
        }
        batch.records.push(NewRecord {
            replica_sequence: appended.replica_sequence,
            time_ms,
            kind,
            scope,
            decision,
            leaf_bytes: record.leaf,
            leaf_hash: record.leaf_hash.0,
            sections: packed,
            index_update,
        });
        effects.rows.extend(index.map(|row| (appended.replica_sequence, row)));
        effects.attempts.extend(attempt.map(|change| (appended.replica_sequence, change)));
        effects.replies.push((reply, appended));
        Ok(())
    }

    /// The batch is durable.
    pub(super) async fn apply(&mut self, mut effects: Effects, now: Instant, next: u64) {
        for (sequence, change) in effects.attempts.drain(..) {
            self.open.apply(sequence, change);
        }
        for (sequence, row) in effects.rows.drain(..) {
            if self.live.receiver_count() > 0 {
                let _ = self.live.send(Arc::new(row.clone()));
            }
            self.pending.add(sequence, row, now);
        }
        let indexed_to = self.pending.indexed_to(next);
        for (_, reply) in self.waiting.extract_if(.., |(sequence, _)| *sequence <= indexed_to) {
            let _ = reply.send(Ok(()));
        }
        let signed = effects.signed.take();
        for (reply, appended) in effects.replies {
            let _ = reply.send(Ok(appended));
        }
        if let Some((signed, time_ms)) = signed {
            self.checkpoints.committed(signed, time_ms).await;
        }
        for reply in effects.checkpoint {
            let Some(sequencer) = &self.sequencer else {
                let _ = reply.send(self.checkpoints.last().cloned().ok_or(AuditUnavailable::Closed));
                continue;
            };
            // Dropped, the reply says that the log is closed.
            let _ = sequencer.send(reply).await;
        }
    }

    /// Who asked for what the log holds has to ask again.
    pub(super) fn refuse_readers(&mut self, effects: &mut Effects, err: &StoreError) {
        refuse(effects.flush.drain(..), err);
        refuse(self.waiting.drain(..).map(|(_, reply)| reply), err);
        refuse(effects.checkpoint.drain(..), err);
    }

    /// Records nothing more, and lets go of the spool.
    fn abandon(&mut self, state: State) -> State {
        if let State::Cut(cut) = state {
            cut.abandon();
        }
        self.spool = None;
        self.spools.store(false, Ordering::Relaxed);
        self.failing.store(true, Ordering::Relaxed);
        State::Shut(StoreError::Unavailable(
            "this replica was stopped, and another one goes on for it".into(),
        ))
    }

    /// Reads where the log is after a failed commit; `true` where that commit is there after all.
    async fn resync(&mut self, failed: &Failed) -> Result<(End, bool), StoreError> {
        self.store.settle_commits().await?;
        let replica = self.registered.number;
        let (end, there) = match &self.sequencer {
            None => {
                let head = recover::head(&self.store, &self.log_text).await?;
                let there = head.frontier == failed.new && failed.new != failed.old;
                let here = there || head.frontier == failed.old;
                let end = match here {
                    true => recover::end(&self.store, &head, replica).await?,
                    false => End { tail: None, next_sequence: u64::MAX },
                };
                (end, there)
            }
            Some(_) => {
                let next_sequence = replicas::next_sequence(&self.store, replica).await?;
                (End { tail: None, next_sequence }, next_sequence == failed.to && failed.to != failed.from)
            }
        };
        if end.next_sequence != if there { failed.to } else { failed.from } {
            return Err(StoreError::Corrupt(
                "the audit log is not where this server left it: another server writes to this database, or it \
                 was changed or put back while the server ran. Stop one of the two, or compare the database with \
                 the last export, then restart"
                    .into(),
            ));
        }
        if there {
            recover::replay(&self.store, replica, failed.from, &mut self.pending, &mut self.open).await?;
        }
        Ok((end, there))
    }

    /// Writes what is left: the list of decisions, and a checkpoint of everything.
    async fn finish(&mut self, mut state: State) -> Result<(), AuditUnavailable> {
        loop {
            state = match state {
                State::Cut(cut) => self.cut_end(cut).await.map_err(|err| unavailable(&err))?,
                State::Shut(err) => return Err(unavailable(&err)),
                other => other,
            };
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

pub(super) fn booked(spend: Spent) -> Vec<NewSpend> {
    spend
        .into_iter()
        .map(|((budget, window_start_ms, replica), delta_nano)| NewSpend {
            budget,
            window_start_ms,
            replica,
            delta_nano,
        })
        .collect()
}
