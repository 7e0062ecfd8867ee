//! What this replica may spend of one budget in one window, and what it holds and has spent of it.

use std::collections::VecDeque;

use super::{Bucket, Budget};

/// The state of one budget on this replica.
#[derive(Debug, Clone)]
pub(super) struct Slice {
    pub(super) budget: Budget,
    pub(super) bucket: Bucket,
    /// In this bucket.
    money: Money,
    /// Earlier buckets of a rolling window that still count, oldest first, by their start.
    earlier: VecDeque<(i64, Money)>,
    /// The sum of `earlier`.
    earlier_sum: Money,
    /// What may be spent in the window now: limit, top-ups, what was carried over.
    limit_nano: i64,
    /// What was carried over from the window before.
    carried_nano: i64,
    /// All of this stands until then, Unix milliseconds.
    until_ms: i64,
}

/// Nano-dollars of one bucket.
#[derive(Debug, Clone, Copy, Default)]
struct Money {
    settled: i64,
    /// Held by open reservations.
    reserved: i64,
}

impl Slice {
    /// `spent` says what was settled in which bucket, by its start, from the window before on.
    pub(super) fn new(budget: Budget, spent: &[(i64, i64)], now_ms: i64) -> Self {
        let bucket = budget.window.bucket(now_ms);
        let counts_from = budget.window.counts_from(now_ms);
        let before = budget.window.bucket_before(now_ms);
        let sum = |is: &dyn Fn(i64) -> bool| {
            let of = spent.iter().filter(|(start, _)| is(*start));
            of.fold(0_i64, |sum, (_, nano)| sum.saturating_add(*nano))
        };
        let settled = sum(&|start| start == bucket.start_ms);
        let spent_before = sum(&|start| before.is_some_and(|before| before.start_ms == start));
        let mut earlier: VecDeque<(i64, Money)> = spent
            .iter()
            .filter(|(start, _)| (counts_from..bucket.start_ms).contains(start))
            .map(|(start, nano)| (*start, Money { settled: *nano, reserved: 0 }))
            .collect();
        earlier.make_contiguous().sort_unstable_by_key(|(start, _)| *start);
        let carried_nano = budget.carried_nano(before, spent_before);
        let money = Money { settled, reserved: 0 };
        let mut slice = Self {
            budget,
            bucket,
            money,
            earlier,
            earlier_sum: Money::default(),
            limit_nano: 0,
            carried_nano,
            until_ms: 0,
        };
        slice.refresh(now_ms);
        slice
    }

    /// Takes over what changed in the declaration. The window is the same.
    pub(super) fn declare(&mut self, budget: Budget, now_ms: i64) {
        self.roll(now_ms);
        self.budget = budget;
        self.refresh(now_ms);
    }

    /// Begins the bucket that holds `now_ms` if another one is still open, and looks at the limit again where it has
    /// changed. Time handed in never goes backwards (`clock`), but a request may carry a slightly older instant than
    /// one before it: the later bucket stays.
    pub(super) fn roll(&mut self, now_ms: i64) {
        if now_ms < self.until_ms {
            return;
        }
        if self.bucket.end_ms.is_some_and(|end| now_ms >= end) {
            let bucket = self.budget.window.bucket(now_ms);
            // What is still held counts as spent: it may be.
            let spent = self.money.settled.saturating_add(self.money.reserved);
            let before = self.budget.window.bucket_before(now_ms);
            let spent = if before == Some(self.bucket) { spent } else { 0 };
            self.carried_nano = self.budget.carried_nano(before, spent);
            self.earlier.push_back((self.bucket.start_ms, self.money));
            self.bucket = bucket;
            self.money = Money::default();
            let counts_from = self.budget.window.counts_from(now_ms);
            self.earlier.retain(|(start, _)| *start >= counts_from);
        }
        self.refresh(now_ms);
    }

    fn refresh(&mut self, now_ms: i64) {
        self.limit_nano = self.budget.limit_at(now_ms).saturating_add(self.carried_nano);
        let changes = [self.bucket.end_ms, self.budget.limit_changes(now_ms)];
        self.until_ms = changes.into_iter().flatten().min().unwrap_or(i64::MAX);
        self.earlier_sum = self.earlier.iter().fold(Money::default(), |sum, (_, money)| Money {
            settled: sum.settled.saturating_add(money.settled),
            reserved: sum.reserved.saturating_add(money.reserved),
        });
    }

    /// Holds an amount in the open bucket.
    pub(super) fn hold(&mut self, amount_nano: i64) {
        self.money.reserved = self.money.reserved.saturating_add(amount_nano);
    }

    /// Gives back what was held in a bucket and books what it cost. A bucket that no longer counts takes nothing from
    /// the window that is open; the database books it where it belongs.
    pub(super) fn close(&mut self, start_ms: i64, held_nano: i64, cost_nano: i64) {
        let money = if start_ms == self.bucket.start_ms {
            [Some(&mut self.money), None]
        } else {
            let earlier = self.earlier.iter_mut().find(|(start, _)| *start == start_ms);
            let Some((_, money)) = earlier else { return };
            [Some(money), Some(&mut self.earlier_sum)]
        };
        for money in money.into_iter().flatten() {
            money.reserved = money.reserved.saturating_sub(held_nano);
            money.settled = money.settled.saturating_add(cost_nano);
        }
    }

    /// What may be spent in the window now.
    pub(super) fn limit(&self) -> i64 {
        self.limit_nano
    }

    /// What of it was carried over.
    pub(super) fn carried(&self) -> i64 {
        self.carried_nano
    }

    /// Settled in the window.
    pub(super) fn settled(&self) -> i64 {
        self.money.settled.saturating_add(self.earlier_sum.settled)
    }

    /// Held by open reservations of the window.
    pub(super) fn reserved(&self) -> i64 {
        self.money.reserved.saturating_add(self.earlier_sum.reserved)
    }

    /// Left if nothing that is reserved came back.
    pub(super) fn free(&self) -> i64 {
        self.unspent().saturating_sub(self.reserved())
    }

    /// Left if everything that is reserved came back.
    pub(super) fn unspent(&self) -> i64 {
        self.limit_nano.saturating_sub(self.settled())
    }
}
