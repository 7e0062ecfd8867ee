//! What this replica may spend of one budget in the bucket that is open, and what it holds and has spent of it. Pure:
//! it says what to ask ([`Slice::ask`]) and takes the answer.
//!
//! In memory, settled + reserved <= granted, and granted here is never more than granted in the database: it is
//! raised after the database has raised it and lowered before the database is told.

use smallvec::SmallVec;

use super::lease::{Answer, Ask, Kept};
use super::{Bucket, Budget, Rate};

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
    /// What the database had settled in which bucket when the budget was put here: to show, as long as nothing was
    /// asked.
    seen: Vec<(i64, i64)>,
    /// What was carried over into this window.
    carried: i64,
    /// The limit stands until then, Unix milliseconds, and so does the bucket.
    until_ms: i64,
    /// Whether `settled` has in it what an earlier process settled under this replica's number.
    based: bool,
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
    based: bool,
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
    /// `seen` says what the database has settled in which bucket, by its start, from the window before on.
    pub(super) fn new(budget: Budget, seen: &[(i64, i64)], now_ms: i64) -> Self {
        let bucket = budget.window.bucket(now_ms);
        let mut slice = Self {
            budget,
            bucket,
            granted: 0,
            settled: 0,
            reserved: 0,
            seen: seen.to_vec(),
            carried: 0,
            until_ms: 0,
            based: false,
            known: None,
            older: SmallVec::new(),
            others_short: false,
            wished: false,
            unsure: false,
            changed: false,
        };
        slice.refresh(now_ms);
        slice
    }

    /// Changes the terms; the window is the same. What was granted under the old ones and is not in use is given back.
    pub(super) fn put(&mut self, budget: Budget, now_ms: i64) {
        self.roll(now_ms);
        let terms = |budget: &Budget| (budget.limit_at(now_ms), budget.hard, budget.carry_over_nano);
        if terms(&budget) != terms(&self.budget) {
            self.reconsider();
        }
        self.budget = budget;
        self.refresh(now_ms);
    }

    /// Takes over from itself under another window. What is open goes on in the bucket that it was reserved in.
    pub(super) fn replace(&mut self, budget: Budget, seen: &[(i64, i64)], now_ms: i64) {
        let new = Self::new(budget, seen, now_ms);
        let old = std::mem::replace(self, new);
        self.others_short = old.others_short;
        self.wished = old.wished;
        self.older = old.older;
        self.older.push(Older {
            start_ms: old.bucket.start_ms,
            settled: old.settled,
            reserved: old.reserved,
            based: old.based,
            excess: true,
        });
        // Where the two windows share a bucket it is open still.
        if let Some(at) = self.older.iter().position(|older| older.start_ms == self.bucket.start_ms) {
            let open = self.older.remove(at);
            (self.settled, self.reserved, self.based) = (open.settled, open.reserved, open.based);
        }
        (self.unsure, self.changed) = (true, true);
    }

    /// Begins the bucket that holds `now_ms` if another one is still open, and looks at the limit again where it has
    /// changed. Time handed in never goes backwards (`clock`), but a request may carry a slightly older instant than
    /// one before it: the later bucket stays.
    pub(super) fn roll(&mut self, now_ms: i64) {
        if now_ms < self.until_ms {
            return;
        }
        if self.bucket.end_ms.is_none_or(|end| now_ms < end) {
            // A top-up begins or ends.
            self.reconsider();
            self.refresh(now_ms);
            return;
        }
        self.older.push(Older {
            start_ms: self.bucket.start_ms,
            settled: self.settled,
            reserved: self.reserved,
            based: self.based,
            excess: self.budget.hard,
        });
        self.bucket = self.budget.window.bucket(now_ms);
        let oldest_ms = self.oldest_ms();
        self.older.retain(|older| older.start_ms >= oldest_ms);
        self.seen.retain(|(start_ms, _)| *start_ms >= oldest_ms);
        (self.granted, self.settled, self.reserved) = (0, 0, 0);
        self.known = None;
        (self.based, self.unsure, self.changed) = (false, false, false);
        self.refresh(now_ms);
    }

    fn refresh(&mut self, now_ms: i64) {
        let changes = [self.bucket.end_ms, self.budget.limit_changes(now_ms)];
        self.until_ms = changes.into_iter().flatten().min().unwrap_or(i64::MAX);
        if self.known.is_none() {
            let before = self.budget.window.bucket_before(self.bucket.start_ms);
            let spent = before.map_or(0, |before| {
                let older = self.older.iter().filter(|older| older.start_ms == before.start_ms);
                older.fold(self.seen_in(before.start_ms, before.start_ms), |sum, older| {
                    sum.saturating_add(older.settled).saturating_add(older.reserved)
                })
            });
            self.carried = self.budget.carried_nano(before, spent);
        }
    }

    fn reconsider(&mut self) {
        self.changed = true;
        self.granted = self.granted.min(self.in_use());
    }

    /// The start of the earliest bucket that counts against the limit.
    fn counts_from(&self) -> i64 {
        if self.budget.window.rolls() {
            self.budget.window.counts_from(self.bucket.start_ms)
        } else {
            self.bucket.start_ms
        }
    }

    /// The start of the earliest bucket that matters in any way.
    fn oldest_ms(&self) -> i64 {
        let before = self.budget.window.bucket_before(self.bucket.start_ms);
        match before.filter(|_| self.budget.carries_over()) {
            Some(before) => before.start_ms,
            None => self.counts_from(),
        }
    }

    fn seen_in(&self, from_ms: i64, to_ms: i64) -> i64 {
        let seen = self.seen.iter().filter(|(start_ms, _)| (from_ms..=to_ms).contains(start_ms));
        seen.fold(0, |sum, (_, nano)| sum.saturating_add(*nano))
    }

    /// What may be spent in the window now, as far as this replica knows.
    pub(super) fn limit(&self, now_ms: i64) -> i64 {
        self.budget.limit_at(now_ms).saturating_add(self.carried)
    }

    /// What of it was carried over.
    pub(super) fn carried(&self) -> i64 {
        self.carried
    }

    /// Held by open reservations of this replica in the window.
    pub(super) fn reserved_in_window(&self) -> i64 {
        self.counting().fold(self.reserved, |sum, older| sum.saturating_add(older.reserved))
    }

    fn counting(&self) -> impl Iterator<Item = &Older> {
        let from_ms = self.counts_from();
        self.older.iter().filter(move |older| older.start_ms >= from_ms)
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
        let unspent = known.limit.saturating_sub(known.elsewhere_settled).saturating_sub(self.own_settled());
        let held = if self.budget.unit.comes_back() { 0 } else { self.reserved_in_window() };
        Some(unspent.saturating_sub(held))
    }

    /// How it stands, for those who send requests.
    pub(super) fn rate(&self, now_ms: i64) -> Rate {
        let limit = self.limit(now_ms);
        let used = self.settled_in_window().saturating_add(self.reserved_in_window());
        let last = self.used().max().or(Some(self.bucket.start_ms));
        let forgotten = last.and_then(|start_ms| self.budget.window.forgets_at(start_ms));
        Rate {
            limit,
            remaining: limit.saturating_sub(used).max(0),
            resets_in_ms: match forgotten {
                Some(at) if used > 0 => at.saturating_sub(now_ms).max(0),
                _ => 0,
            },
        }
    }

    /// In how many milliseconds something that is used now counts no longer, as far as this replica knows.
    pub(super) fn frees_in_ms(&self, now_ms: i64) -> Option<i64> {
        let first = self.used().min();
        let at = match first {
            Some(start_ms) => self.budget.window.forgets_at(start_ms),
            None => self.bucket.end_ms,
        };
        at.map(|at| at.saturating_sub(now_ms).max(0))
    }

    /// The starts of the buckets that count and in which this replica used something.
    fn used(&self) -> impl Iterator<Item = i64> {
        let older = self.counting().filter(|older| older.settled.saturating_add(older.reserved) > 0);
        let open = (self.in_use() > 0).then_some(self.bucket.start_ms);
        older.map(|older| older.start_ms).chain(open)
    }

    /// Settled in the window by all replicas, as far as this one knows.
    pub(super) fn settled_in_window(&self) -> i64 {
        let elsewhere = match self.known {
            Some(known) => known.elsewhere_settled,
            None => self.seen_in(self.counts_from(), self.bucket.start_ms),
        };
        elsewhere.saturating_add(self.own_settled())
    }

    /// Settled in the window by this replica.
    fn own_settled(&self) -> i64 {
        self.counting().fold(self.settled, |sum, older| sum.saturating_add(older.settled))
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
        let from_ms = self.counts_from();
        Some(Ask {
            budget: self.budget.id,
            window: self.budget.window,
            oldest_ms: self.oldest_ms(),
            bucket_ms: self.bucket.start_ms,
            from_ms,
            to_ms: if self.budget.window.rolls() { i64::MAX } else { from_ms },
            first: !self.based,
            keep,
            need,
            want,
            older: self
                .older
                .iter()
                .map(|older| Kept {
                    bucket_ms: older.start_ms,
                    settled: older.settled,
                    in_use: older.settled.saturating_add(older.reserved),
                    based: older.based,
                })
                .collect(),
            now_ms,
        })
    }

    /// Takes the answer to the last ask. Without one, what was asked for is not held, and what was to be kept is.
    pub(super) fn answered(&mut self, ask: &Ask, answer: &Answer) {
        for older in &mut self.older {
            let told = ask.older.iter().find(|kept| kept.bucket_ms == older.start_ms);
            if told.is_some_and(|kept| kept.in_use == older.settled.saturating_add(older.reserved)) {
                older.excess = false;
            }
        }
        self.others_short = answer.others_short;
        self.wished = answer.short > 0;
        if ask.first {
            // It was counted among what was seen.
            for (_, nano) in self.seen.iter_mut().filter(|(start_ms, _)| *start_ms == ask.bucket_ms) {
                *nano = nano.saturating_sub(answer.settled);
            }
        }
        if ask.bucket_ms != self.bucket.start_ms {
            // It was rolled meanwhile, and nothing of what came is needed any more.
            let matters = ask.bucket_ms >= self.oldest_ms();
            match self.older.iter_mut().find(|older| older.start_ms == ask.bucket_ms) {
                Some(older) => {
                    older.excess = true;
                    if ask.first && !older.based {
                        older.settled = older.settled.saturating_add(answer.settled);
                        older.based = true;
                    }
                }
                None if matters => self.older.push(Older {
                    start_ms: ask.bucket_ms,
                    settled: answer.settled,
                    reserved: 0,
                    based: true,
                    excess: true,
                }),
                None => {}
            }
            return;
        }
        match (ask.first, self.based) {
            (true, false) => {
                self.settled = self.settled.saturating_add(answer.settled);
                self.based = true;
            }
            // The budget was forgotten and declared again meanwhile: this was asked by one who knew more.
            (false, false) => return,
            (_, true) => {}
        }
        self.carried = answer.carried;
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
            older.excess = self.budget.hard;
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
