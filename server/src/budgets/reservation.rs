//! Held money. It ends in exactly one of three ways: settled, released, or dropped. Dropped before anything was sent it
//! goes back; dropped afterwards it is booked whole, because nobody knows what the provider will charge.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use smallvec::SmallVec;

use super::ledger::Shared;

/// What one reservation holds of one budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hold {
    pub(super) budget: i64,
    pub(super) window_start_ms: i64,
}

/// Money held for one attempt on every budget up its chain.
#[must_use = "a reservation must be settled, or released if nothing was sent"]
#[derive(Debug)]
pub struct Reservation {
    pub(super) shared: Arc<Shared>,
    pub(super) holds: SmallVec<[Hold; 6]>,
    pub(super) amount_nano: i64,
    pub(super) open: bool,
    pub(super) sent: bool,
}

/// What a settlement books on one budget: goes into the database with the outcome's record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// The budget's id.
    pub budget: i64,
    /// Start of the window it was reserved in, Unix milliseconds.
    pub window_start_ms: i64,
    /// Nano-dollars.
    pub cost_nano: i64,
}

/// A true cost that is booked in memory, and not yet in the database.
///
/// What was held beyond it is still held: were it spent again before the outcome is durable, a crash would leave two
/// attempts without an outcome, and what would be booked for them could be more than the limit. Where nobody says
/// that it is durable, it stays held.
#[must_use = "what is settled has to be made durable"]
#[derive(Debug)]
pub struct Settlement {
    shared: Arc<Shared>,
    booked: SmallVec<[Settled; 6]>,
    surplus_nano: AtomicI64,
}

impl Settlement {
    /// What is to be booked with the outcome's record.
    #[must_use]
    pub fn booked(&self) -> &[Settled] {
        &self.booked
    }

    /// The outcome is durable: what was held beyond the true cost is free again.
    pub fn durable(&self) {
        let surplus_nano = self.surplus_nano.swap(0, Ordering::Relaxed);
        if surplus_nano > 0 {
            let holds: SmallVec<[Hold; 6]> = self
                .booked
                .iter()
                .map(|booked| Hold { budget: booked.budget, window_start_ms: booked.window_start_ms })
                .collect();
            self.shared.close(&holds, surplus_nano, 0);
        }
    }
}

impl Reservation {
    /// The worst case that is held, in nano-dollars.
    #[must_use]
    pub fn amount_nano(&self) -> i64 {
        self.amount_nano
    }

    /// The budgets and windows it is held on, with the whole amount: what a crash would book.
    #[must_use]
    pub fn worst_case(&self) -> SmallVec<[Settled; 6]> {
        self.booked(self.amount_nano)
    }

    /// The attempt is about to go out: from here on doubt is booked.
    pub fn sent(&mut self) {
        self.sent = true;
    }

    /// Books the true cost, more than was held if it must be. The rest comes back once that is durable.
    pub fn settle(mut self, cost_nano: i64) -> Settlement {
        let cost_nano = cost_nano.max(0);
        let surplus_nano = self.amount_nano.saturating_sub(cost_nano).max(0);
        if std::mem::replace(&mut self.open, false) {
            self.shared.close(&self.holds, self.amount_nano.saturating_sub(surplus_nano), cost_nano);
        }
        Settlement {
            shared: Arc::clone(&self.shared),
            booked: self.booked(cost_nano),
            surplus_nano: AtomicI64::new(surplus_nano),
        }
    }

    /// Returns all of it: only for an attempt of which no byte was sent.
    pub fn release(mut self) {
        self.close(0);
    }

    fn booked(&self, cost_nano: i64) -> SmallVec<[Settled; 6]> {
        self.holds
            .iter()
            .map(|hold| Settled { budget: hold.budget, window_start_ms: hold.window_start_ms, cost_nano })
            .collect()
    }

    fn close(&mut self, cost_nano: i64) {
        if std::mem::replace(&mut self.open, false) {
            self.shared.close(&self.holds, self.amount_nano, cost_nano);
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.close(if self.sent { self.amount_nano } else { 0 });
    }
}
