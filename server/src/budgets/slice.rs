//! What this replica may spend of one budget in one window, and what it holds and has spent of it.

use super::{Bucket, Budget};

/// The state of one budget on this replica.
#[derive(Debug, Clone)]
pub(super) struct Slice {
    pub(super) budget: Budget,
    pub(super) bucket: Bucket,
    /// Settled in this window, in nano-dollars.
    pub(super) settled: i64,
    /// Held by open reservations of this window, in nano-dollars.
    pub(super) reserved: i64,
}

impl Slice {
    pub(super) fn new(budget: Budget, bucket: Bucket, settled: i64) -> Self {
        Self { budget, bucket, settled, reserved: 0 }
    }

    /// Begins the window that holds `now_ms` if another one is still open. Time handed in never goes backwards
    /// (`clock`), but a request may carry a slightly older instant than one before it: the later window stays.
    pub(super) fn roll(&mut self, now_ms: i64) {
        if self.bucket.end_ms.is_some_and(|end| now_ms >= end) {
            self.bucket = self.budget.window.bucket(now_ms);
            self.settled = 0;
            self.reserved = 0;
        }
    }

    /// Left if nothing that is reserved came back.
    pub(super) fn free(&self) -> i64 {
        self.budget.limit_nano.saturating_sub(self.settled).saturating_sub(self.reserved)
    }

    /// Left if everything that is reserved came back.
    pub(super) fn unspent(&self) -> i64 {
        self.budget.limit_nano.saturating_sub(self.settled)
    }
}
