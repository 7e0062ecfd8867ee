//! An order over the eligible endpoints, and only those.

use super::decide::Decided;
use crate::router::{self, Candidate};

/// The most endpoints that one request is tried at.
pub(super) const MAX_ATTEMPTS: usize = 4;

/// A decided request with the order in which to try its eligible endpoints.
#[derive(Debug)]
pub struct Routed {
    pub(super) decided: Decided,
    /// Indexes into the snapshot's places.
    order: Vec<usize>,
}

/// Orders the eligible endpoints of an allowed request.
#[must_use]
pub fn route(decided: Decided) -> Routed {
    let auth = &decided.classified.read.auth;
    let mut candidates: Vec<Candidate<'_>> = decided
        .decision
        .eligible
        .iter()
        .filter_map(|index| {
            let place = auth.snapshot.place(index)?;
            Some(Candidate { index, place, route: place.routes.get(&decided.facts.model)? })
        })
        .collect();
    router::order(&mut candidates, auth.now_ms);
    let order = candidates.iter().map(|candidate| candidate.index).collect();
    Routed { decided, order }
}

impl Routed {
    /// The endpoints that may be tried, best first.
    pub(super) fn candidates(&self) -> impl Iterator<Item = Candidate<'_>> {
        let decided = &self.decided;
        let snapshot = &decided.classified.read.auth.snapshot;
        self.order
            .iter()
            // INVARIANT: what is not eligible is not in the order. Checked again here because everything that leaves
            // passes here.
            .filter(|index| decided.decision.eligible.contains(**index))
            .filter_map(|index| {
                let place = snapshot.place(*index)?;
                Some(Candidate { index: *index, place, route: place.routes.get(&decided.facts.model)? })
            })
    }

    /// Names of the endpoints to try first, best first.
    pub(super) fn names(&self) -> Vec<String> {
        self.candidates().take(MAX_ATTEMPTS).map(|candidate| candidate.place.name.clone()).collect()
    }
}
