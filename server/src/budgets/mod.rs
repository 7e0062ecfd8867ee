//! Budgets: money held before an attempt, its true cost booked after it.
//!
//! At every instant, on every budget: admitted reservations + settled spend <= limit. The two stated exceptions are a
//! call that costs more than its own reservation, and a limit that was lowered below what is spent; both are booked
//! and shown. A reservation is all or nothing over the budgets up the scope chain. Doubt never refunds: a reservation
//! that is dropped without a word after its attempt was sent is booked whole.
//!
//! What a replica may spend is here, in memory, and what it has spent is in the database, moved there by the same
//! transaction that makes the outcome's record durable. Each replica leases a *slice* of a budget's remainder from
//! the database (`lease.rs`), spends it without asking, and gives back what is idle when another one is short. With one
//! replica its slice is the whole remainder.
//!
//! A limit of requests, tokens, spend or concurrency is a budget of another unit with a short window, and one
//! reservation holds on all of them: one way to be admitted, one way to be booked.

use std::sync::Arc;

mod claim;
mod declared;
mod hash;
pub(crate) mod lease;
mod ledger;
mod lessee;
mod limit;
mod price;
mod queue;
mod reservation;
mod room;
mod slice;
#[cfg(test)]
mod tests;
mod window;

pub use claim::{Claim, Cost, Rate, Rates, Unit};
pub use ledger::{Budgets, Patience, Standing};
pub(crate) use lessee::STATEMENTS;
pub use lessee::{Bus, Lessee, NoBus, Note};
pub use limit::{TopUp, reached, read_thresholds};
pub use price::{LongContext, Price, Prices, WorstCase, day_of, format_usd, parse_markup, parse_usd};
pub use reservation::{Reservation, Settled, Settlement};
pub use room::{Exhausted, NotReserved};
pub use window::{Bucket, Calendar, Period, Rolling, Window};

/// What an attempt asks for, in nano-dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amount {
    /// Its worst case.
    pub most: i64,
    /// What it can be cut down to where the budgets do not have that much; the same where it can't be.
    pub least: i64,
}

impl Amount {
    /// An amount that can't be cut down.
    #[must_use]
    pub const fn exactly(nano: i64) -> Self {
        Self { most: nano, least: nano }
    }
}

/// Whether there is room for an amount on a chain of budgets, and for how much of it.
#[derive(Debug)]
enum Assessed {
    Fits(i64),
    /// Perhaps there is, once reservations came back or the database was asked.
    Waits(i64),
    Refused(Exhausted),
}

/// One budget, as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// The database's id.
    pub id: i64,
    /// What people call it, in refusals and lists.
    pub name: String,
    /// What it counts.
    pub unit: Unit,
    /// Up to this much a window; nano-dollars, where it counts those.
    pub limit_nano: i64,
    /// When it starts again.
    pub window: Window,
    /// A hard budget refuses; a soft one only counts.
    pub hard: bool,
    /// Whether a request's `max_tokens` is lowered to what is affordable rather than refused.
    pub lower_output: bool,
    /// What was added to the limit, and for how long.
    pub top_ups: Arc<[TopUp]>,
    /// Up to this much of what a window leaves unused is carried over to the next, in nano-dollars.
    pub carry_over_nano: i64,
    /// Shares of the limit at which somebody is told, in per cent, ascending.
    pub thresholds: Vec<u16>,
    /// When it was created, Unix milliseconds: it left nothing unused before.
    pub created_ms: i64,
}

impl Budget {
    /// A hard budget with nothing but a limit.
    #[must_use]
    pub fn new(id: i64, window: Window, limit_nano: i64) -> Self {
        Self {
            id,
            name: format!("budget {id}"),
            unit: Unit::Usd,
            limit_nano,
            window,
            hard: true,
            lower_output: false,
            top_ups: Arc::default(),
            carry_over_nano: 0,
            thresholds: Vec::new(),
            created_ms: 0,
        }
    }
}
