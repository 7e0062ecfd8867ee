//! The committer while its replica is cut off: it spools what comes, and hands it in beside that.
//!
//! A commit that does not succeed is spooled as it is, under the numbers that it has: whether or not the database has
//! taken it after all, the spool goes on behind it. So nobody waits for a database that is away, and nobody is told
//! anything that may turn out otherwise. To hand in is a task of its own, one at a time, which begins again until it
//! has caught up; for the last step new entries wait, so that it comes to an end under load.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::Frame;
use super::hand_in::{By, hand_in};
use crate::app::{BEGUN, PHASE};
use crate::audit::committer::{Committer, RETRY, Spent, booked};
use crate::audit::pending::AttemptChange;
use crate::audit::state::{Effects, End, Reply, State, refuse};
use crate::audit::{Appended, Entry};
use crate::store::StoreError;
use crate::store::commit::Batch;

/// How long new entries wait for the last step.
const CATCH_UP: Duration = Duration::from_secs(1);
/// Records that are so few that the next step is the last.
const FEW: usize = 512;

/// What there is to do with the database.
#[derive(Debug)]
pub(in crate::audit) enum Work {
    /// A commit, or a handing-in: the number of the replica's next record when it is done.
    Running(JoinHandle<Result<u64, StoreError>>),
    /// It is tried again then.
    Again(Instant),
}

/// A log that is cut off from its database.
#[derive(Debug)]
pub(in crate::audit) struct Cut {
    /// Since when the database has taken nothing.
    since: Instant,
    /// The sequence of the next record.
    next: u64,
    /// What is in the spool and not known to be in the database.
    frames: VecDeque<Arc<Frame>>,
    by: By,
    work: Work,
    /// New entries wait until then.
    waits: Option<Instant>,
    /// Why the database is not asked.
    why: StoreError,
}

/// What came of the work.
pub(in crate::audit) type Worked = Result<u64, StoreError>;

/// Waits for the work that is under way.
pub(in crate::audit) async fn worked(state: &mut State) -> Worked {
    let State::Cut(Cut { work: Work::Running(task), .. }) = state else {
        return std::future::pending().await;
    };
    let done = task.await;
    done.unwrap_or_else(|error| Err(StoreError::Unavailable(error.to_string())))
}

impl Cut {
    /// When something is to be done that nobody asked for.
    pub(in crate::audit) fn due(&self, bound: Duration) -> Option<Instant> {
        let again = match &self.work {
            Work::Again(at) => Some(*at),
            Work::Running(_) => None,
        };
        let now = Instant::now();
        let later = [self.since.checked_add(bound), self.waits].into_iter().flatten();
        later.filter(|at| *at > now).chain(again).min()
    }

    /// Whether new entries have to wait.
    pub(in crate::audit) fn waits(&self) -> bool {
        self.waits.is_some_and(|until| Instant::now() < until)
    }

    /// Asks the database nothing more.
    pub(in crate::audit) fn abandon(self) {
        if let Work::Running(task) = self.work {
            task.abort();
        }
    }

    fn records(&self) -> usize {
        self.frames.iter().map(|frame| frame.records.len()).sum()
    }
}

impl Committer {
    /// Goes on without the database after `batch`, which it has not confirmed, and may still be at: `under_way`. Where
    /// that cannot be spooled, `effects` come back.
    pub(in crate::audit) async fn cut_off(
        &mut self,
        batch: &Batch,
        (from, to): (u64, u64),
        mut effects: Effects,
        under_way: Option<JoinHandle<Result<(), StoreError>>>,
        why: StoreError,
    ) -> Result<Cut, (Effects, StoreError)> {
        self.pending.restore(std::mem::take(&mut effects.flushed));
        let mut frames = VecDeque::new();
        if to != from {
            let frame = Frame::of(from, batch);
            let spooled = match &mut self.spool {
                Some((spool, _)) => spool.append(&frame).await.map_err(|error| error.to_string()),
                None => Err(String::from("there is no spool")),
            };
            if let Err(error) = spooled {
                tracing::warn!(error, "the spool does not take what the database does not");
                // Whoever asks next what came of it waits until it has ended.
                if let Some(task) = under_way {
                    task.abort();
                }
                return Err((effects, why));
            }
            frames.push_back(Arc::new(frame));
        }
        tracing::warn!(%why, "the database is away: records go into the spool");
        self.refuse_readers(&mut effects, &why);
        let now = Instant::now();
        self.apply(effects, now, to).await;
        let work = match under_way {
            // It is asked in any case what became of it.
            Some(task) => Work::Running(tokio::spawn(async move {
                let committed = task.await.map_err(|error| StoreError::Unavailable(error.to_string()))?;
                committed.map(|()| to)
            })),
            None => Work::Again(now),
        };
        let by = By {
            replica: self.registered.number,
            epoch: self.registered.epoch,
            // Not what the batch says: the rows of the list that it had are not in the spool.
            indexed_to: self.pending.indexed_to(from),
            settled_to: batch.settled_to,
        };
        let cut = Cut { since: now, next: to, frames, by, work, waits: None, why };
        self.tell(&cut);
        Ok(cut)
    }

    /// Something has come, or it is time.
    pub(in crate::audit) async fn cut_round(
        &mut self,
        mut cut: Cut,
        entries: Vec<(Box<Entry>, Reply<Appended>)>,
        mut effects: Effects,
    ) -> State {
        self.refuse_readers(&mut effects, &cut.why);
        self.spool_entries(&mut cut, entries).await;
        if let Work::Again(at) = cut.work
            && at <= Instant::now()
        {
            self.work(&mut cut);
        }
        self.tell(&cut);
        State::Cut(cut)
    }

    fn work(&self, cut: &mut Cut) {
        let (store, by, frames) =
            (self.store.clone(), cut.by, cut.frames.iter().cloned().collect::<Vec<_>>());
        let next = cut.next;
        cut.work = Work::Running(tokio::spawn(async move {
            let done = hand_in(&store, by, &frames).await?;
            // Of what is not in the spool there is nothing to be certain of.
            if frames.is_empty() && done != next {
                return Err(elsewhere(&format!("it goes on with record number {done} of this replica")));
            }
            Ok(done)
        }));
    }

    /// The work has ended.
    pub(in crate::audit) async fn cut_worked(&mut self, mut cut: Cut, worked: Worked) -> State {
        cut.waits = None;
        let next = match worked {
            Ok(next) => next,
            Err(err @ (StoreError::Unavailable(_) | StoreError::Contended(_))) => {
                tracing::debug!(%err, "what is in the spool cannot be handed in yet");
                cut.work = Work::Again(Instant::now() + RETRY);
                cut.why = err;
                self.tell(&cut);
                return State::Cut(cut);
            }
            Err(err) => {
                tracing::error!(%err, "what is in the spool cannot be handed in: this server records nothing more");
                self.failing.store(true, Ordering::Relaxed);
                self.spools.store(false, Ordering::Relaxed);
                return State::Shut(err);
            }
        };
        // The database was there just now, be it slow.
        cut.since = Instant::now();
        while cut.frames.front().is_some_and(|frame| frame.next() <= next) {
            cut.frames.pop_front();
        }
        if cut.frames.is_empty() && next == cut.next {
            if let Some((spool, _)) = &mut self.spool {
                spool.clear().await;
            }
            tracing::info!("what was in the spool is in the database");
            self.failing.store(false, Ordering::Relaxed);
            let usable = self.spool.as_ref().is_some_and(|(spool, _)| spool.is_usable());
            self.spools.store(usable, Ordering::Relaxed);
            return State::Ready(End { tail: None, next_sequence: cut.next });
        }
        if cut.records() <= FEW {
            cut.waits = Instant::now().checked_add(CATCH_UP);
        }
        self.work(&mut cut);
        State::Cut(cut)
    }

    /// Hands in all of it, or says why that cannot be now.
    pub(in crate::audit) async fn cut_end(&mut self, mut cut: Cut) -> Result<State, StoreError> {
        loop {
            if let Work::Again(_) = cut.work {
                self.work(&mut cut);
            }
            let mut state = State::Cut(cut);
            let done = worked(&mut state).await;
            let State::Cut(ended) = state else { return Ok(state) };
            cut = match self.cut_worked(ended, done).await {
                State::Cut(Cut { work: Work::Again(_), why, .. }) => return Err(why),
                State::Cut(cut) => cut,
                State::Shut(why) => return Err(why),
                state => return Ok(state),
            };
        }
    }

    /// Makes `entries` durable in the spool. After the bound only the ends of what was begun are taken.
    async fn spool_entries(&mut self, cut: &mut Cut, mut entries: Vec<(Box<Entry>, Reply<Appended>)>) {
        let Some((_, bound)) = &self.spool else {
            return refuse(entries.into_iter().map(|(_, reply)| reply), &cut.why);
        };
        let over = cut.since.elapsed() >= *bound;
        let refused: Vec<_> = entries.extract_if(.., |(entry, _)| !may_be_spooled(entry, over)).collect();
        refuse(refused.into_iter().map(|(_, reply)| reply), &cut.why);
        if entries.is_empty() {
            return;
        }
        let now_ms = self.clock.now_ms();
        let mut end = End { tail: None, next_sequence: cut.next };
        let mut batch = Batch {
            replica: self.registered.number,
            epoch: self.registered.epoch,
            time_ms: now_ms,
            indexed_to: 0,
            settled_to: 0,
            records: Vec::with_capacity(entries.len()),
            spend: Vec::new(),
            decisions: Vec::new(),
            tree: None,
        };
        let (mut spend, mut effects) = (Spent::new(), Effects::default());
        for (entry, reply) in entries {
            let sealed = self.seal(*entry, reply, &mut end, &mut batch, &mut spend, &mut effects);
            if let Err((reply, err)) = sealed {
                let _ = reply.send(Err(err));
            }
        }
        if batch.records.is_empty() {
            return;
        }
        batch.spend = booked(spend);
        let frame =
            Frame { first: cut.next, time_ms: batch.time_ms, records: batch.records, spend: batch.spend };
        let Some((spool, _)) = &mut self.spool else { return };
        match spool.append(&frame).await {
            Ok(()) => {
                cut.next = end.next_sequence;
                cut.frames.push_back(Arc::new(frame));
                self.apply(effects, Instant::now(), cut.next).await;
            }
            Err(error) => {
                tracing::warn!(%error, "the spool takes nothing more");
                let err = StoreError::Unavailable(format!("{}; {error}", cut.why));
                refuse(effects.replies.into_iter().map(|(reply, _)| reply), &err);
            }
        }
    }

    /// Says whether anything new is taken.
    fn tell(&self, cut: &Cut) {
        let takes = self
            .spool
            .as_ref()
            .is_some_and(|(spool, bound)| spool.is_usable() && cut.since.elapsed() < *bound);
        self.failing.store(!takes, Ordering::Relaxed);
        self.spools.store(takes, Ordering::Relaxed);
    }
}

/// Whether an entry is taken while the database is away, for so long or `over` the bound.
fn may_be_spooled(entry: &Entry, over: bool) -> bool {
    // What is booked for another replica, whoever leads books again if the database does not tell of it.
    if entry.spent_by.is_some() {
        return false;
    }
    let begun = entry.draft.ids.get(PHASE).is_some_and(|phase| phase == BEGUN);
    match AttemptChange::of_draft(&entry.draft) {
        Some(AttemptChange::Closed(_)) => true,
        // An act changes the database, which is away.
        _ => !over && !begun,
    }
}

fn elsewhere(what: &str) -> StoreError {
    StoreError::Corrupt(format!("the audit log is not where this server left it: {what}"))
}
