//! What this replica may spend of one budget in the bucket that is open, and what it holds and has spent of it. Pure:
//! it says what to ask ([`Slice::ask`]) and takes the answer.
//!
//! In memory, settled + reserved <= granted, and granted here is never more than granted in the database: it is
//! raised after the database has raised it and lowered before the database is told.

use smallvec::SmallVec;

use super::lease::{Answer, Ask};
use super::{Bucket, Budget};

/// How long an answer tells that there is no room, in milliseconds; then it is asked for again.
const FRESH_MS: i64 = 1_000;

/// The state of one budget on this replica.
#[derive(Debug, Clone)]
pub(super) struct Slice {
    pub(super) budget: Budget,
    pub(super) bucket: Bucket,
    /// May be spent in this bucket, nano-dollars.
    pub(super) granted: i64,
    /// Settled in this bucket, nano-dollars.
    pub(super) settled: i64,
    /// Held by open reservations of this bucket, nano-dollars.
    pub(super) reserved: i64,
    /// Settled by everybody when the bucket was first seen: to show, as long as nothing was asked.
    pub(super) before: i64,
    /// How the budget stood when the database was last asked.
    pub(super) known: Option<Known>,
    /// Earlier buckets that count still.
    older: SmallVec<[Older; 1]>,
    /// Another replica is short of this budget.
    pub(super) others_short: bool,
    /// The database may keep a wish of this replica.
    wished: bool,
    /// An ask was not answered (yet): the database may grant more than is held here.
    unsure: bool,
    /// The terms have changed: what is idle goes back, and the rest is asked for anew.
    changed: bool,
}

/// How a budget stands elsewhere.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    limit: i64,
    most: i64,
    elsewhere_settled: i64,
    others_hold: i64,
    at_ms: i64,
}

#[derive(Debug, Clone, Copy)]
struct Older {
    start_ms: i64,
    settled: i64,
    reserved: i64,
    /// The database may grant more than is in use.
    excess: bool,
}

/// What waits for a budget on this replica.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Demand {
    /// What the first that waits needs from this budget, where this budget is what it waits for.
    pub(super) first: i64,
    /// What all that wait could use.
    pub(super) all: i64,
    /// What the first that waits has here already, while it waits for another budget.
    pub(super) promised: i64,
}

impl Slice {
    pub(super) fn new(budget: Budget, bucket: Bucket, before: i64) -> Self {
        Self {
            budget,
            bucket,
            granted: 0,
            settled: 0,
            reserved: 0,
            before,
            known: None,
            older: SmallVec::new(),
            others_short: false,
            wished: false,
            unsure: false,
            changed: false,
        }
    }

    /// Changes the terms. What was granted under the old ones and is not in use is given back.
    pub(super) fn put(&mut self, budget: Budget) {
        if budget.limit_nano != self.budget.limit_nano || budget.hard != self.budget.hard {
            self.changed = true;
            self.granted = self.granted.min(self.in_use());
        }
        self.budget = budget;
    }

    /// Begins the bucket that holds `now_ms` if another one is still open. Time handed in never goes backwards
    /// (`clock`), but a request may carry a slightly older instant than one before it: the later bucket stays.
    pub(super) fn roll(&mut self, now_ms: i64) {
        if self.bucket.end_ms.is_none_or(|end| now_ms < end) {
            return;
        }
        let window = self.budget.window;
        if window.rolls() {
            let from_ms = window.counts_from(now_ms);
            self.older.push(Older {
                start_ms: self.bucket.start_ms,
                settled: self.settled,
                reserved: self.reserved,
                excess: true,
            });
            self.older.retain(|older| older.start_ms >= from_ms);
        }
        self.bucket = window.bucket(now_ms);
        (self.granted, self.settled, self.reserved, self.before) = (0, 0, 0, 0);
        self.known = None;
        (self.unsure, self.changed) = (false, false);
    }

    pub(super) fn in_use(&self) -> i64 {
        self.settled.saturating_add(self.reserved)
    }

    /// Left for this replica to reserve without asking.
    pub(super) fn free(&self) -> i64 {
        self.granted.saturating_sub(self.in_use())
    }

    /// Left of the limit if everything that is reserved anywhere came back, as far as this replica knows.
    pub(super) fn unspent(&self) -> Option<i64> {
        let known = self.known?;
        Some(known.limit.saturating_sub(known.elsewhere_settled).saturating_sub(self.settled))
    }

    /// Settled in this bucket and those that count with it, by all replicas, as far as this one knows.
    pub(super) fn settled_in_all(&self) -> i64 {
        match self.known {
            Some(known) if self.budget.hard => self.settled.saturating_add(known.elsewhere_settled),
            _ => self.before.saturating_add(self.settled),
        }
    }

    /// Whether what is known of the budget is so new that a refusal can rest on it.
    pub(super) fn is_fresh(&self, now_ms: i64) -> bool {
        !self.changed && self.known.is_some_and(|known| fresh(known, now_ms))
    }

    /// Whether the database could have more for this replica than it holds.
    fn could_grow(&self, amount: i64, now_ms: i64) -> bool {
        let Some(known) = self.known else { return true };
        self.changed
            || known.others_hold > 0
            || known.most.saturating_sub(self.in_use()) >= amount
            || self.has_excess()
            || (self.unspent().is_some_and(|unspent| amount > unspent) && !fresh(known, now_ms))
    }

    /// What to tell and ask the database now, if anything. Gives up what it gives back before it says so.
    pub(super) fn ask(&mut self, demand: Demand, now_ms: i64) -> Option<Ask> {
        let in_use = self.in_use();
        let short = self.budget.hard
            && demand.first > 0
            && self.free() < demand.first
            && self.could_grow(demand.first, now_ms);
        let promised = in_use.saturating_add(demand.promised);
        let (keep, need, want) = if short {
            let need = in_use.saturating_add(demand.first);
            (in_use, need, in_use.saturating_add(demand.all).max(need))
        } else if self.changed || (self.others_short && (self.granted > promised || self.has_excess())) {
            // What was promised can't be more than what is granted.
            let keep = self.granted.min(promised);
            (keep, keep, keep)
        } else if self.wished && demand.first == 0 {
            (self.granted, self.granted, self.granted)
        } else {
            return None;
        };
        self.granted = keep;
        self.wished |= short;
        self.unsure = true;
        let window = self.budget.window;
        let from_ms = match self.bucket.start_ms {
            start if window.rolls() => window.counts_from(start),
            start => start,
        };
        Some(Ask {
            budget: self.budget.id,
            bucket_ms: self.bucket.start_ms,
            from_ms,
            to_ms: if window.rolls() { i64::MAX } else { self.bucket.start_ms },
            first: self.known.is_none(),
            keep,
            need,
            want,
            older: self
                .older
                .iter()
                .map(|older| (older.start_ms, older.settled.saturating_add(older.reserved)))
                .collect(),
            now_ms,
        })
    }

    /// Takes the answer to the last ask. Without one, what was asked for is not held, and what was to be kept is.
    pub(super) fn answered(&mut self, ask: &Ask, answer: &Answer) {
        for older in &mut self.older {
            let told = ask.older.iter().find(|(start, _)| *start == older.start_ms);
            if told.is_some_and(|(_, keep)| *keep == older.settled.saturating_add(older.reserved)) {
                older.excess = false;
            }
        }
        self.others_short = answer.others_short;
        self.wished = answer.short > 0;
        if ask.bucket_ms != self.bucket.start_ms {
            // It was rolled meanwhile, and nothing of what came is needed any more.
            match self.older.iter_mut().find(|older| older.start_ms == ask.bucket_ms) {
                Some(older) => {
                    older.excess = true;
                    if ask.first {
                        older.settled = older.settled.saturating_add(answer.settled);
                    }
                }
                None if self.budget.window.rolls() => self.older.push(Older {
                    start_ms: ask.bucket_ms,
                    settled: answer.settled,
                    reserved: 0,
                    excess: true,
                }),
                None => {}
            }
            return;
        }
        if ask.first && self.known.is_none() {
            self.settled = self.settled.saturating_add(answer.settled);
        }
        self.granted = answer.granted;
        (self.unsure, self.changed) = (false, false);
        self.known = Some(Known {
            limit: answer.limit,
            most: answer.most,
            elsewhere_settled: answer.elsewhere_settled,
            others_hold: answer.others_hold,
            at_ms: ask.now_ms,
        });
    }

    /// Books `cost` where `held` was reserved, in the bucket that began at `start_ms`.
    pub(super) fn close(&mut self, start_ms: i64, held: i64, cost: i64) {
        if self.bucket.start_ms == start_ms {
            self.reserved = self.reserved.saturating_sub(held);
            self.settled = self.settled.saturating_add(cost);
        } else if let Some(older) = self.older.iter_mut().find(|older| older.start_ms == start_ms) {
            // A bucket that no longer counts takes nothing from the one that is open; the database books it there.
            older.reserved = older.reserved.saturating_sub(held);
            older.settled = older.settled.saturating_add(cost);
            older.excess = true;
        }
    }

    /// Whether something could be given back that another replica is short of.
    pub(super) fn gives_back(&self) -> bool {
        self.changed || (self.others_short && (self.free() > 0 || self.has_excess()))
    }

    /// Whether it may hold something in the database that nobody here uses.
    pub(super) fn is_idle(&self) -> bool {
        self.free() > 0 || self.has_excess()
    }

    fn has_excess(&self) -> bool {
        self.unsure || self.older.iter().any(|older| older.excess)
    }

    /// Whether it is worth asking again and again while somebody waits for `amount`.
    pub(super) fn hopes(&self, amount: i64, now_ms: i64) -> bool {
        self.free() < amount && self.could_grow(amount, now_ms)
    }

    /// Everything is void: the replica is held to be dead.
    pub(super) fn fence(&mut self) {
        self.granted = self.granted.min(self.in_use());
        self.others_short = false;
    }
}

fn fresh(known: Known, now_ms: i64) -> bool {
    now_ms.saturating_sub(known.at_ms) < FRESH_MS
}
