//! Whether a chain of budgets has room for a claim, and which of them stands in the way.

use super::ledger::{Account, State};
use super::slice::Slice;
use super::{Assessed, Claim, Unit, Window};

/// Why an attempt was not admitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotReserved {
    /// A budget has no room.
    #[error(transparent)]
    Exhausted(#[from] Exhausted),
    /// What this replica holds of a budget does not suffice, and the database can't be asked for more.
    #[error("nobody can say what is left of budget `{name}`: {why}")]
    Unavailable {
        /// The budget's name.
        name: String,
        /// What the database said.
        why: String,
    },
    /// As many requests as may wait for it already wait for others' settlement.
    #[error("too many requests wait for budget `{name}`")]
    Crowded {
        /// The budget's name.
        name: String,
    },
    /// This replica is held to be dead: others may spend what it held.
    #[error(
        "this replica may spend nothing any more: it was declared dead, or another one runs under its name"
    )]
    Fenced,
}

/// A budget that has no room for an attempt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("budget `{name}` has {free_nano} ({unit}) left {} and the request could need {asked_nano}", window.in_words())]
pub struct Exhausted {
    /// The budget's name.
    pub name: String,
    /// What it counts.
    pub unit: Unit,
    /// Its window.
    pub window: Window,
    /// The limit.
    pub limit_nano: i64,
    /// Left, not counting open reservations.
    pub free_nano: i64,
    /// The attempt's worst case, or the least that it can be cut down to.
    pub asked_nano: i64,
    /// In how many milliseconds something comes back by itself, as far as this replica knows.
    pub frees_in_ms: Option<i64>,
}

pub(super) fn hard<'a>(state: &'a State, chain: &'a [i64]) -> impl Iterator<Item = &'a Account> {
    chain.iter().filter_map(|id| state.accounts.get(id)).filter(|account| account.slice.budget.hard)
}

/// Whether there is room on a chain: for all that is asked for, or for what the tightest budget would have if
/// everything came back.
pub(super) fn assess(state: &mut State, chain: &[i64], claim: Claim, now_ms: i64) -> Assessed {
    let mut nano = claim.money.most;
    for id in chain {
        let Some(account) = state.accounts.get_mut(id) else { continue };
        let slice = &mut account.slice;
        slice.roll(now_ms);
        let unit = slice.budget.unit;
        if !slice.budget.hard || claim.passes(unit) {
            continue;
        }
        match slice.unspent() {
            Some(unspent) if unspent < claim.of(unit, claim.money.least) && slice.is_fresh(now_ms) => {
                return Assessed::Refused(exhausted(slice, claim, now_ms));
            }
            Some(unspent) if unit.is_money() => nano = nano.min(unspent).max(claim.money.least),
            Some(_) | None => {}
        }
    }
    let fits = |slice: &Slice| {
        let unit = slice.budget.unit;
        claim.passes(unit) || slice.free() >= claim.of(unit, nano)
    };
    if hard(state, chain).all(|account| fits(&account.slice)) {
        Assessed::Fits(nano)
    } else {
        Assessed::Waits(nano)
    }
}

/// The first of the chain that has not even the least of what is asked for.
pub(super) fn lacking<'a>(state: &'a State, chain: &'a [i64], claim: Claim) -> Option<&'a Slice> {
    hard(state, chain).map(|account| &account.slice).find(|slice| {
        let unit = slice.budget.unit;
        !claim.passes(unit) && slice.free() < claim.of(unit, claim.money.least)
    })
}

/// What stands in the way on the chain, for the refusal's text.
pub(super) fn blocking(state: &State, chain: &[i64], claim: Claim, now_ms: i64) -> NotReserved {
    let slices = || hard(state, chain).map(|account| &account.slice);
    let unit = |slice: &&Slice| slice.budget.unit;
    // What has no room even if everything came back; a limit that lacks; the tightest budget.
    let over = slices().find(|slice| {
        let least = claim.of(unit(slice), claim.money.least);
        !claim.passes(unit(slice)) && slice.unspent().is_some_and(|unspent| unspent < least)
    });
    let slice = over
        .or_else(|| lacking(state, chain, claim).filter(|slice| !unit(slice).is_money()))
        .or_else(|| slices().filter(|slice| unit(slice).is_money()).min_by_key(|slice| slice.free()));
    let Some(slice) = slice.or_else(|| slices().next()) else {
        return NotReserved::Fenced;
    };
    match state.accounts.get(&slice.budget.id).and_then(|account| account.failed.clone()) {
        Some(why) => NotReserved::Unavailable { name: slice.budget.name.clone(), why },
        None => exhausted(slice, claim, now_ms).into(),
    }
}

fn exhausted(slice: &Slice, claim: Claim, now_ms: i64) -> Exhausted {
    Exhausted {
        name: slice.budget.name.clone(),
        unit: slice.budget.unit,
        window: slice.budget.window,
        limit_nano: slice.limit(now_ms),
        free_nano: slice.unspent().unwrap_or(slice.budget.limit_nano).max(0),
        asked_nano: claim.of(slice.budget.unit, claim.money.least),
        frees_in_ms: slice.frees_in_ms(now_ms),
    }
}
