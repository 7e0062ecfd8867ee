//! Which of the eligible endpoints is tried first. It sees nothing that the decision excluded.

mod health;

pub use health::Health;

use crate::snapshot::{Place, Route};

/// An endpoint on a request's way, with the route to the model asked for.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Its index in the compiled policy.
    pub index: usize,
    /// The endpoint.
    pub place: &'a Place,
    /// The model there.
    pub route: &'a Route,
}

/// Puts healthy endpoints first, then cheaper ones, then by name. An endpoint that has been failing is tried last and
/// not left out: where every one of them fails, trying still beats refusing.
pub fn order(candidates: &mut [Candidate<'_>], now_ms: i64) {
    candidates.sort_by(|one, other| {
        let rank = |candidate: &Candidate<'_>| {
            let price = candidate
                .route
                .prices
                .at(now_ms)
                .map_or(i64::MAX, |price| price.input.saturating_add(price.output));
            (candidate.place.health.is_resting(now_ms), price)
        };
        rank(one).cmp(&rank(other)).then_with(|| one.place.name.cmp(&other.place.name))
    });
}
