//! Who waits, in order.

use std::collections::VecDeque;
use std::sync::Arc;

use smallvec::SmallVec;
use tokio::sync::oneshot;

use super::ledger::{Shared, State, hold};
use super::reservation::Reservation;
use super::room::{assess, hard};
use super::slice::Demand;
use super::{Assessed, Claim};

#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) chain: SmallVec<[i64; 6]>,
    /// Those of the chain that can refuse.
    pub(super) hard: SmallVec<[i64; 6]>,
    /// Those of them that it waits for: it is in the way of others there, and nowhere else.
    pub(super) short: Short,
    pub(super) claim: Claim,
    pub(super) now_ms: i64,
    pub(super) admit: oneshot::Sender<Reservation>,
}

/// Budgets that somebody waits for.
pub(super) type Short = SmallVec<[i64; 4]>;

/// Those of a chain that have no room for a claim of `nano`, and those that others wait for already.
pub(super) fn short_of(state: &State, chain: &[i64], claim: Claim, nano: i64) -> Short {
    let lacks = lacks(state, chain, claim, nano);
    let taken =
        |id: i64| state.waiting.iter().any(|waiter| !waiter.admit.is_closed() && waiter.short.contains(&id));
    let hard = hard(state, chain).map(|account| account.slice.budget.id);
    hard.filter(|id| lacks.contains(id) || taken(*id)).collect()
}

/// Those of a chain that have no room for a claim of `nano`.
fn lacks(state: &State, chain: &[i64], claim: Claim, nano: i64) -> Short {
    let slices = hard(state, chain).map(|account| &account.slice);
    let lack = slices.filter(|slice| {
        let unit = slice.budget.unit;
        !claim.passes(unit) && slice.free() < claim.of(unit, nano)
    });
    lack.map(|slice| slice.budget.id).collect()
}

pub(super) fn overlaps(one: &[i64], other: &[i64]) -> bool {
    one.iter().any(|id| other.contains(id))
}

/// Admits whoever fits now, in order; nobody overtakes an earlier one at a budget that this one waits
/// for. What it returns
/// is to be handed to [`hand_over`] once the lock is free: reservations whose owner has gone are closed there.
#[must_use]
pub(super) fn admit(shared: &Arc<Shared>, state: &mut State) -> Admitted {
    let mut admitted = SmallVec::new();
    if state.waiting.is_empty() {
        return admitted;
    }
    // Budgets that an earlier one waits for. Where it lacks nothing it lets others pass: a team's queue must not hold up
    // everybody under the budget of all.
    let mut blocked: SmallVec<[i64; 16]> = SmallVec::new();
    let mut still = VecDeque::with_capacity(state.waiting.len());
    while let Some(mut waiter) = state.waiting.pop_front() {
        if waiter.admit.is_closed() {
            continue;
        }
        if overlaps(&waiter.hard, &blocked) {
            waiter.short = waiter.hard.iter().copied().filter(|id| blocked.contains(id)).collect();
            still.push_back(waiter);
            continue;
        }
        match assess(state, &waiter.chain, waiter.claim, waiter.now_ms) {
            Assessed::Fits(nano) => {
                let reservation = hold(shared, state, &waiter.chain, waiter.claim, nano, waiter.now_ms);
                admitted.push((waiter.admit, reservation));
            }
            Assessed::Waits(nano) => {
                waiter.short = lacks(state, &waiter.hard, waiter.claim, nano);
                blocked.extend(waiter.short.iter().copied());
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
    let lacks = lacks(state, &chain, claim, nano);
    if lacks.contains(&budget) {
        demand.first = claim.of(unit, nano);
    } else if !lacks.iter().any(|id| *id < budget) {
        demand.promised = claim.of(unit, nano);
    }
    demand
}
