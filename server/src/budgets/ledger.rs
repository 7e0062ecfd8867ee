//! Admission: one short lock, never held across an await.
//!
//! A worst case is an over-estimate, so a request can be in the way of another for no good reason. One that only open
//! reservations stand in the way of therefore waits, in order and for a bounded time, for their settlement; one that
//! could not be admitted even if all of them came back is refused at once.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use smallvec::SmallVec;
use tokio::sync::oneshot;

use super::reservation::{Hold, Reservation};
use super::slice::Slice;
use super::{Budget, Window};

/// All budgets of this replica.
#[derive(Debug, Clone)]
pub struct Budgets {
    shared: Arc<Shared>,
    max_wait: Duration,
    max_waiters: usize,
}

/// A budget that has no room for an attempt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("budget `{name}` has {free_nano} nano-dollars left {} and the request could cost {asked_nano}", window.in_words())]
pub struct Exhausted {
    /// The budget's name.
    pub name: String,
    /// Its window.
    pub window: Window,
    /// Left, not counting open reservations.
    pub free_nano: i64,
    /// The attempt's worst case.
    pub asked_nano: i64,
}

/// Where a budget stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The budget.
    pub budget: Budget,
    /// Start of the open window's last bucket, Unix milliseconds.
    pub window_start_ms: i64,
    /// What may be spent in it, nano-dollars: the limit, what was topped up and what was carried over.
    pub limit_nano: i64,
    /// What of it was carried over from the window before.
    pub carried_nano: i64,
    /// Settled in it, nano-dollars.
    pub settled_nano: i64,
    /// Held by open reservations, nano-dollars.
    pub reserved_nano: i64,
}

#[derive(Debug, Default)]
pub(super) struct Shared {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    slices: HashMap<i64, Slice>,
    waiting: VecDeque<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    chain: SmallVec<[i64; 4]>,
    amount_nano: i64,
    now_ms: i64,
    admit: oneshot::Sender<Reservation>,
}

enum Room {
    Yes,
    Later,
    No(Exhausted),
}

impl Budgets {
    /// No budgets yet. A request waits at most `max_wait` for others' settlement, and at most `max_waiters` wait.
    #[must_use]
    pub fn new(max_wait: Duration, max_waiters: usize) -> Self {
        Self { shared: Arc::default(), max_wait, max_waiters }
    }

    /// Adds a budget or changes its terms. `spent` says what the database has booked in which bucket, by its start,
    /// from the window before that of `now_ms` on; it counts only for a budget that is new here.
    pub fn put(&self, budget: Budget, spent: &[(i64, i64)], now_ms: i64) {
        let mut state = self.shared.lock();
        match state.slices.get_mut(&budget.id) {
            Some(slice) if slice.budget.window == budget.window => slice.declare(budget, now_ms),
            _ => {
                state.slices.insert(budget.id, Slice::new(budget, spent, now_ms));
            }
        }
        admit_waiting(&self.shared, state);
    }

    /// Forgets budgets that are no longer declared. What is held on them is booked all the same.
    pub fn keep_only(&self, ids: &BTreeSet<i64>) {
        let mut state = self.shared.lock();
        state.slices.retain(|id, _| ids.contains(id));
        admit_waiting(&self.shared, state);
    }

    /// The smallest remainder along a chain, in nano-dollars; `None` where no hard budget limits it.
    #[must_use]
    pub fn free_nano(&self, chain: &[i64], now_ms: i64) -> Option<i64> {
        let mut state = self.shared.lock();
        hard(&mut state, chain, now_ms).map(|slice| slice.free()).min()
    }

    /// Whether a budget along the chain asks for `max_tokens` to be lowered to what is affordable.
    #[must_use]
    pub fn lowers_output(&self, chain: &[i64]) -> bool {
        let state = self.shared.lock();
        chain.iter().filter_map(|id| state.slices.get(id)).any(|slice| slice.budget.lower_output)
    }

    /// Holds `amount_nano` on every budget of the chain, or on none.
    pub async fn reserve(
        &self,
        chain: &[i64],
        amount_nano: i64,
        now_ms: i64,
    ) -> Result<Reservation, Exhausted> {
        let wait = {
            let mut state = self.shared.lock();
            let behind = state.waiting.iter().any(|waiter| overlaps(&waiter.chain, chain));
            match room(&mut state, chain, amount_nano, now_ms) {
                Room::No(exhausted) => return Err(exhausted),
                Room::Yes if !behind => {
                    return Ok(hold(&self.shared, &mut state, chain, amount_nano, now_ms));
                }
                _ if state.waiting.len() >= self.max_waiters => {
                    return Err(blocking(&mut state, chain, amount_nano, now_ms));
                }
                _ => {
                    let (admit, wait) = oneshot::channel();
                    state.waiting.push_back(Waiter {
                        chain: SmallVec::from_slice(chain),
                        amount_nano,
                        now_ms,
                        admit,
                    });
                    wait
                }
            }
        };
        match tokio::time::timeout(self.max_wait, wait).await {
            Ok(Ok(reservation)) => Ok(reservation),
            // Timed out, or refused while waiting because others' true cost used up the room.
            _ => {
                let mut state = self.shared.lock();
                state.waiting.retain(|waiter| !waiter.admit.is_closed());
                let exhausted = blocking(&mut state, chain, amount_nano, now_ms);
                admit_waiting(&self.shared, state);
                Err(exhausted)
            }
        }
    }

    /// Where every budget stands, by id.
    #[must_use]
    pub fn standings(&self, now_ms: i64) -> Vec<Standing> {
        let mut state = self.shared.lock();
        let mut standings: Vec<Standing> = state
            .slices
            .values_mut()
            .map(|slice| {
                slice.roll(now_ms);
                Standing {
                    budget: slice.budget.clone(),
                    window_start_ms: slice.bucket.start_ms,
                    limit_nano: slice.limit(),
                    carried_nano: slice.carried(),
                    settled_nano: slice.settled(),
                    reserved_nano: slice.reserved(),
                }
            })
            .collect();
        standings.sort_by_key(|standing| standing.budget.id);
        standings
    }
}

impl Shared {
    /// A poisoned lock means that a thread died between two assignments of integers; the numbers are still whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn close(self: &Arc<Self>, holds: &[Hold], held_nano: i64, cost_nano: i64) {
        let mut state = self.lock();
        for hold in holds {
            if let Some(slice) = state.slices.get_mut(&hold.budget) {
                slice.close(hold.window_start_ms, held_nano, cost_nano);
            }
        }
        admit_waiting(self, state);
    }
}

fn overlaps(one: &[i64], other: &[i64]) -> bool {
    one.iter().any(|id| other.contains(id))
}

fn hard<'a>(state: &'a mut State, chain: &'a [i64], now_ms: i64) -> impl Iterator<Item = &'a Slice> {
    for id in chain {
        if let Some(slice) = state.slices.get_mut(id) {
            slice.roll(now_ms);
        }
    }
    chain.iter().filter_map(|id| state.slices.get(id)).filter(|slice| slice.budget.hard)
}

fn room(state: &mut State, chain: &[i64], amount_nano: i64, now_ms: i64) -> Room {
    let mut room = Room::Yes;
    for slice in hard(state, chain, now_ms) {
        if slice.unspent() < amount_nano {
            return Room::No(exhausted(slice, amount_nano));
        }
        if slice.free() < amount_nano {
            room = Room::Later;
        }
    }
    room
}

/// The tightest budget of the chain, for the refusal's text.
fn blocking(state: &mut State, chain: &[i64], amount_nano: i64, now_ms: i64) -> Exhausted {
    hard(state, chain, now_ms).min_by_key(|slice| slice.free()).map_or(
        Exhausted { name: String::new(), window: Window::Total, free_nano: 0, asked_nano: amount_nano },
        |slice| exhausted(slice, amount_nano),
    )
}

fn exhausted(slice: &Slice, asked_nano: i64) -> Exhausted {
    Exhausted {
        name: slice.budget.name.clone(),
        window: slice.budget.window,
        free_nano: slice.unspent().max(0),
        asked_nano,
    }
}

fn hold(
    shared: &Arc<Shared>,
    state: &mut State,
    chain: &[i64],
    amount_nano: i64,
    now_ms: i64,
) -> Reservation {
    let mut holds = SmallVec::new();
    for id in chain {
        if let Some(slice) = state.slices.get_mut(id) {
            slice.roll(now_ms);
            slice.hold(amount_nano);
            holds.push(Hold { budget: *id, window_start_ms: slice.bucket.start_ms });
        }
    }
    Reservation { shared: Arc::clone(shared), holds, amount_nano, open: true, sent: false }
}

/// Admits whoever fits now, in order; nobody overtakes an earlier one with whom they share a budget. Takes the guard so
/// that reservations whose owner has gone are dropped, and thereby closed, after the lock is free.
fn admit_waiting(shared: &Arc<Shared>, mut state: MutexGuard<'_, State>) {
    if state.waiting.is_empty() {
        return;
    }
    let mut blocked: SmallVec<[i64; 16]> = SmallVec::new();
    let mut admitted = Vec::new();
    let mut still = VecDeque::new();
    while let Some(waiter) = state.waiting.pop_front() {
        if waiter.admit.is_closed() {
            continue;
        }
        if overlaps(&waiter.chain, &blocked) {
            still.push_back(waiter);
            continue;
        }
        match room(&mut state, &waiter.chain, waiter.amount_nano, waiter.now_ms) {
            Room::Yes => {
                let reservation = hold(shared, &mut state, &waiter.chain, waiter.amount_nano, waiter.now_ms);
                admitted.push((waiter.admit, reservation));
            }
            Room::Later => {
                blocked.extend(waiter.chain.iter().copied());
                still.push_back(waiter);
            }
            // Dropping the sender tells the waiter.
            Room::No(_) => {}
        }
    }
    state.waiting = still;
    drop(state);
    for (admit, reservation) in admitted {
        if let Err(unwanted) = admit.send(reservation) {
            // Its owner left between the check and here: nothing was sent for it.
            unwanted.release();
        }
    }
}
