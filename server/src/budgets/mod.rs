//! Budgets: money held before an attempt, its true cost booked after it.
//!
//! At every instant, on every budget: admitted reservations + settled spend <= limit. The two stated exceptions are a
//! call that costs more than its own reservation, and a limit that was lowered below what is spent; both are booked
//! and shown. A reservation is all or nothing over the budgets up the scope chain. Doubt never refunds: a reservation
//! that is dropped without a word after its attempt was sent is booked whole.
//!
//! What a replica may spend is here, in memory, and what it has spent is in the database, moved there by the same
//! transaction that makes the outcome's record durable. With one replica its slice of every budget is the whole
//! remainder; a `Slice` (`slice.rs`) is what several replicas would lease.

mod ledger;
mod price;
mod reservation;
mod slice;
#[cfg(test)]
mod tests;
mod window;

pub use ledger::{Budgets, Exhausted, Standing};
pub use price::{Price, format_usd, parse_usd};
pub use reservation::{Reservation, Settled};
pub use window::{Bucket, Calendar, Period, Rolling, Window};

/// One budget, as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// The database's id.
    pub id: i64,
    /// What people call it, in refusals and lists.
    pub name: String,
    /// Up to this much, in nano-dollars a window.
    pub limit_nano: i64,
    /// When it starts again.
    pub window: Window,
    /// A hard budget refuses; a soft one only counts.
    pub hard: bool,
    /// Whether a request's `max_tokens` is lowered to what is affordable rather than refused.
    pub lower_output: bool,
}
