//! What is held. It ends in exactly one of three ways: settled, released, or dropped. Dropped before anything was sent it
//! goes back; dropped afterwards it is booked whole, because nobody knows what the provider will charge.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use smallvec::SmallVec;

use super::ledger::Shared;
use super::{Cost, Unit};

/// What one reservation holds of one budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hold {
    pub(super) budget: i64,
    pub(super) window_start_ms: i64,
    pub(super) unit: Unit,
    /// In that unit.
    pub(super) held: i64,
}

/// What becomes of a part of what is held on one budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Closing {
    pub(super) budget: i64,
    pub(super) window_start_ms: i64,
    /// Held no longer.
    pub(super) held: i64,
    /// Booked in its place.
    pub(super) cost: i64,
}

impl Hold {
    const fn closing(&self, held: i64, cost: i64) -> Closing {
        Closing { budget: self.budget, window_start_ms: self.window_start_ms, held, cost }
    }
}

/// What is held for one attempt on every budget up its chain.
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
    /// What it counts.
    pub unit: Unit,
    /// In that unit; nano-dollars, where it counts those.
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
    surplus: SmallVec<[Closing; 6]>,
    durable: AtomicBool,
}

impl Settlement {
    /// What is to be booked with the outcome's record.
    #[must_use]
    pub fn booked(&self) -> &[Settled] {
        &self.booked
    }

    /// The outcome is durable: what was held beyond the true cost is free again.
    pub fn durable(&self) {
        if !self.durable.swap(true, Ordering::Relaxed) && !self.surplus.is_empty() {
            self.shared.close(&self.surplus);
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
        self.booked(|hold| hold.held)
    }

    /// The attempt is about to go out: from here on doubt is booked.
    pub fn sent(&mut self) {
        self.sent = true;
    }

    /// Books the true cost, more than was held if it must be. The rest comes back once that is durable.
    pub fn settle(self, cost_nano: i64) -> Settlement {
        self.settle_for(Cost { nano: cost_nano, tokens: None })
    }

    /// As [`settle`](Self::settle), with the true count of tokens.
    pub fn settle_for(mut self, cost: Cost) -> Settlement {
        let of = |hold: &Hold| cost.of(hold.unit, hold.held);
        let surplus = |hold: &Hold| hold.held.saturating_sub(of(hold)).max(0);
        if std::mem::replace(&mut self.open, false) {
            let now: SmallVec<[Closing; 6]> = self
                .holds
                .iter()
                .map(|hold| hold.closing(hold.held.saturating_sub(surplus(hold)), of(hold)))
                .collect();
            self.shared.close(&now);
        }
        let later = self.holds.iter().map(|hold| hold.closing(surplus(hold), 0));
        Settlement {
            shared: Arc::clone(&self.shared),
            booked: self.booked(of),
            surplus: later.filter(|closing| closing.held > 0).collect(),
            durable: AtomicBool::new(false),
        }
    }

    /// Returns all of it: only for an attempt of which no byte was sent.
    pub fn release(mut self) {
        self.close(false);
    }

    /// What is under way is no spend, and is not booked.
    fn booked(&self, cost: impl Fn(&Hold) -> i64) -> SmallVec<[Settled; 6]> {
        let spent = self.holds.iter().filter(|hold| hold.unit != Unit::Concurrent);
        let settled = |hold: &Hold| Settled {
            budget: hold.budget,
            window_start_ms: hold.window_start_ms,
            unit: hold.unit,
            cost_nano: cost(hold),
        };
        spent.map(settled).collect()
    }

    fn close(&mut self, booked: bool) {
        if std::mem::replace(&mut self.open, false) {
            let cost = |hold: &Hold| if booked && hold.unit != Unit::Concurrent { hold.held } else { 0 };
            let all: SmallVec<[Closing; 6]> =
                self.holds.iter().map(|hold| hold.closing(hold.held, cost(hold))).collect();
            self.shared.close(&all);
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.close(self.sent);
    }
}
