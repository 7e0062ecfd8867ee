//! Who waits, in order.

use std::collections::VecDeque;
use std::sync::Arc;

use smallvec::SmallVec;
use tokio::sync::oneshot;

use super::ledger::{Shared, State, hold};
use super::reservation::Reservation;
use super::room::assess;
use super::slice::Demand;
use super::{Assessed, Budget, Claim};

#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) chain: SmallVec<[i64; 6]>,
    /// Those of the chain that can refuse: who waits for one of them is in the way of others there, and nowhere else.
    pub(super) hard: SmallVec<[i64; 6]>,
    pub(super) claim: Claim,
    pub(super) now_ms: i64,
    pub(super) admit: oneshot::Sender<Reservation>,
}

pub(super) fn overlaps(one: &[i64], other: &[i64]) -> bool {
    one.iter().any(|id| other.contains(id))
}

/// Admits whoever fits now, in order; nobody overtakes an earlier one with whom they share a budget. What it returns
/// is to be handed to [`hand_over`] once the lock is free: reservations whose owner has gone are closed there.
#[must_use]
pub(super) fn admit(shared: &Arc<Shared>, state: &mut State) -> Admitted {
    let mut admitted = SmallVec::new();
    if state.waiting.is_empty() {
        return admitted;
    }
    let mut blocked: SmallVec<[i64; 16]> = SmallVec::new();
    let mut still = VecDeque::with_capacity(state.waiting.len());
    while let Some(waiter) = state.waiting.pop_front() {
        if waiter.admit.is_closed() {
            continue;
        }
        if overlaps(&waiter.hard, &blocked) {
            still.push_back(waiter);
            continue;
        }
        match assess(state, &waiter.chain, waiter.claim, waiter.now_ms) {
            Assessed::Fits(nano) => {
                let reservation = hold(shared, state, &waiter.chain, waiter.claim, nano, waiter.now_ms);
                admitted.push((waiter.admit, reservation));
            }
            Assessed::Waits(_) => {
                blocked.extend(waiter.hard.iter().copied());
                still.push_back(waiter);
            }
            // Dropping the sender tells the waiter.
            Assessed::Refused(_) => {}
        }
    }
    state.waiting = still;
    admitted
}

pub(super) type Admitted = SmallVec<[(oneshot::Sender<Reservation>, Reservation); 2]>;

/// Gives the admitted what they waited for.
pub(super) fn hand_over(admitted: Admitted) {
    for (admit, reservation) in admitted {
        if let Err(unwanted) = admit.send(reservation) {
            // Its owner left between the check and here: nothing was sent for it.
            unwanted.release();
        }
    }
}

/// What those who wait need of one budget.
///
/// The first of them has a claim to what is there already of the budgets before the first one (by id) that lacks:
/// were it to give up none, two replicas could each hold what the other needs; were it to give up all, they could
/// for ever hand each other what neither can use.
pub(super) fn demand(state: &mut State, budget: i64) -> Demand {
    let mut demand = Demand::default();
    let mut first = None;
    let Some(unit) = state.accounts.get(&budget).map(|account| account.slice.budget.unit) else {
        return demand;
    };
    for waiter in &state.waiting {
        if waiter.admit.is_closed() || !waiter.hard.contains(&budget) {
            continue;
        }
        demand.all = demand.all.saturating_add(waiter.claim.of(unit, waiter.claim.money.most));
        if first.is_none() {
            first = Some((waiter.chain.clone(), waiter.claim, waiter.now_ms));
        }
    }
    let Some((chain, claim, now_ms)) = first else { return demand };
    let Assessed::Waits(nano) = assess(state, &chain, claim, now_ms) else { return demand };
    let lacks = |id: &i64| {
        state.accounts.get(id).is_some_and(|account| {
            let Budget { hard, unit, .. } = account.slice.budget;
            hard && !claim.passes(unit) && account.slice.free() < claim.of(unit, nano)
        })
    };
    if lacks(&budget) {
        demand.first = claim.of(unit, nano);
    } else if !chain.iter().any(|id| *id < budget && lacks(id)) {
        demand.promised = claim.of(unit, nano);
    }
    demand
}
