//! Admission: one short lock, never held across an await.
//!
//! A worst case is an over-estimate, so a request can be in the way of another for no good reason. One that only open
//! reservations, or what other replicas hold, stand in the way of therefore waits, in order and for a bounded time,
//! until they have come back; one that could not be admitted even if all of them did is refused at once.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use smallvec::SmallVec;
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

use super::hash::ById;
use super::lease::Ask;
use super::lessee::{self, Bus, Lessee, Note, Pause};
use super::queue::{self, Waiter, admit, hand_over, overlaps, short_of};
use super::reservation::{Closing, Hold, Reservation};
use super::room::{NotReserved, assess, blocking, hard, lacking};
use super::slice::Slice;
use super::{Amount, Assessed, Budget, Claim, Rates, Unit};
use crate::store::StoreError;
use crate::store::leases::Lease;

/// All budgets, as this replica may spend of them.
#[derive(Debug, Clone)]
pub struct Budgets {
    shared: Arc<Shared>,
    patience: Patience,
}

/// How long is waited, and how many may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How long a request waits for others' settlement.
    pub wait: Duration,
    /// How long where a limit of requests or concurrency stands in the way: an application that sends too much is
    /// better told soon.
    pub limit_wait: Duration,
    /// How many requests wait so for one budget.
    pub waiters: usize,
    /// How often it is looked whether other replicas are short of what is idle here. Nothing is lost by looking
    /// seldom where a [`Bus`] tells.
    pub look: Duration,
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
    /// Settled in its window by all replicas, as far as this one knows, nano-dollars.
    pub settled_nano: i64,
    /// Held by open reservations of this replica, nano-dollars.
    pub reserved_nano: i64,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) lessee: Lessee,
    bus: Arc<dyn Bus>,
    state: Mutex<State>,
    lost: CancellationToken,
    /// Where tasks run; a reservation may be dropped outside of it.
    runtime: Option<Handle>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) accounts: ById<Account>,
    pub(super) waiting: VecDeque<Waiter>,
    /// The budgets about which a task asks the database, and what wakes it. Not with the account: a budget that is
    /// forgotten and declared again must not be asked about twice at once.
    tended: ById<Arc<Notify>>,
    /// The latest time that anybody told.
    now_ms: i64,
    fenced: bool,
}

#[derive(Debug)]
pub(super) struct Account {
    pub(super) slice: Slice,
    /// Why the database could not be asked the last time.
    pub(super) failed: Option<String>,
}

impl Budgets {
    /// No budgets yet. Has to be called inside a runtime.
    #[must_use]
    pub fn new(lessee: Lessee, patience: Patience, bus: Arc<dyn Bus>) -> Self {
        let shared = Arc::new(Shared {
            lessee,
            bus,
            state: Mutex::default(),
            lost: CancellationToken::new(),
            runtime: Handle::try_current().ok(),
        });
        if let Some(runtime) = &shared.runtime {
            runtime.spawn(lessee::look(Arc::downgrade(&shared), patience.look));
        }
        Self { shared, patience }
    }

    /// Adds a budget or changes its terms. `seen` says what the database has booked in which bucket, by its start, from
    /// the window before that of `now_ms` on: to show, until the database is asked.
    pub fn put(&self, budget: Budget, seen: &[(i64, i64)], now_ms: i64) {
        let id = budget.id;
        let mut state = self.shared.lock();
        state.now_ms = state.now_ms.max(now_ms);
        match state.accounts.get_mut(&id) {
            Some(account) if account.slice.budget.window == budget.window => {
                account.slice.put(budget, now_ms);
            }
            Some(account) => account.slice.replace(budget, seen, now_ms),
            None => {
                let slice = Slice::new(budget, seen, now_ms);
                state.accounts.insert(id, Account { slice, failed: None });
            }
        }
        self.shared.settle_down(state, &[id]);
    }

    /// Forgets budgets that are no longer declared. What is held on them is booked all the same.
    pub fn keep_only(&self, ids: &BTreeSet<i64>) {
        let mut state = self.shared.lock();
        state.accounts.retain(|id, _| ids.contains(id));
        self.shared.settle_down(state, &[]);
    }

    /// Whether a budget along the chain asks for `max_tokens` to be lowered to what is affordable.
    #[must_use]
    pub fn lowers_output(&self, chain: &[i64]) -> bool {
        let state = self.shared.lock();
        chain.iter().filter_map(|id| state.accounts.get(id)).any(|account| account.slice.budget.lower_output)
    }

    /// Holds `amount_nano` on every budget of the chain, or on none.
    ///
    /// # Errors
    /// [`NotReserved`].
    pub async fn reserve(
        &self,
        chain: &[i64],
        amount_nano: i64,
        now_ms: i64,
    ) -> Result<Reservation, NotReserved> {
        self.reserve_between(chain, Amount::exactly(amount_nano), now_ms).await
    }

    /// Holds as much of `amount` as the tightest budget of the chain has, the same on all of them; or nothing, where
    /// that is less than the least. What others hold is waited for before less than the most is taken.
    ///
    /// # Errors
    /// [`NotReserved`].
    pub async fn reserve_between(
        &self,
        chain: &[i64],
        amount: Amount,
        now_ms: i64,
    ) -> Result<Reservation, NotReserved> {
        self.claim(chain, Claim::money(amount), now_ms).await
    }

    /// As [`reserve_between`](Self::reserve_between), with what limits of other units count.
    ///
    /// # Errors
    /// [`NotReserved`].
    pub async fn claim(&self, chain: &[i64], claim: Claim, now_ms: i64) -> Result<Reservation, NotReserved> {
        let (wait, patience) = {
            let mut state = self.shared.lock();
            if state.fenced {
                return Err(NotReserved::Fenced);
            }
            state.now_ms = state.now_ms.max(now_ms);
            let behind = is_behind(&state, chain);
            match assess(&mut state, chain, claim, now_ms) {
                Assessed::Refused(exhausted) => return Err(exhausted.into()),
                Assessed::Fits(nano) if !behind => {
                    return Ok(hold(&self.shared, &mut state, chain, claim, nano, now_ms));
                }
                Assessed::Fits(nano) | Assessed::Waits(nano) => {
                    let short = short_of(&state, chain, claim, nano);
                    if let Some(name) = crowded(&state, &short, self.patience.waiters) {
                        return Err(NotReserved::Crowded { name });
                    }
                    let (admit, wait) = oneshot::channel();
                    let hard = hard(&state, chain).map(|account| account.slice.budget.id).collect();
                    let patience = match lacking(&state, chain, claim).map(|slice| slice.budget.unit) {
                        Some(Unit::Requests | Unit::Concurrent) => self.patience.limit_wait,
                        _ => self.patience.wait,
                    };
                    let chain = SmallVec::from_slice(chain);
                    state.waiting.push_back(Waiter { chain, hard, short, claim, now_ms, admit });
                    (wait, patience)
                }
            }
        };
        self.shared.stir(self.shared.lock(), chain);
        match tokio::time::timeout(patience, wait).await {
            Ok(Ok(reservation)) => Ok(reservation),
            // Timed out, or refused while waiting because others' true cost used up the room.
            _ => self.give_up(chain, claim, now_ms),
        }
    }

    /// The end of a wait: what is free now, if that is enough.
    fn give_up(&self, chain: &[i64], claim: Claim, now_ms: i64) -> Result<Reservation, NotReserved> {
        let mut state = self.shared.lock();
        state.waiting.retain(|waiter| !waiter.admit.is_closed());
        let behind = is_behind(&state, chain);
        let money = hard(&state, chain).filter(|account| account.slice.budget.unit.is_money());
        let free = money.map(|account| account.slice.free()).min().unwrap_or(i64::MAX);
        let done = if state.fenced {
            Err(NotReserved::Fenced)
        } else if !behind && lacking(&state, chain, claim).is_none() {
            Ok(hold(&self.shared, &mut state, chain, claim, claim.money.most.min(free), now_ms))
        } else {
            Err(blocking(&state, chain, claim, now_ms))
        };
        self.shared.settle_down(state, chain);
        done
    }

    /// How the tightest limits of the chain stand.
    #[must_use]
    pub fn rates(&self, chain: &[i64], now_ms: i64) -> Rates {
        let mut state = self.shared.lock();
        let mut rates = Rates::default();
        for id in chain {
            let Some(Account { slice, .. }) = state.accounts.get_mut(id) else { continue };
            if slice.budget.unit.is_limit() && slice.budget.hard {
                slice.roll(now_ms);
                rates.add(slice.budget.unit, slice.rate(now_ms));
            }
        }
        rates
    }

    /// The smallest limit of tokens along the chain: no request can have more.
    #[must_use]
    pub fn most_tokens(&self, chain: &[i64], now_ms: i64) -> Option<i64> {
        let state = self.shared.lock();
        hard(&state, chain)
            .filter(|account| account.slice.budget.unit == Unit::Tokens)
            .map(|account| account.slice.limit(now_ms))
            .min()
    }

    /// What another replica told.
    pub fn heard(&self, note: Note) {
        self.shared.heard(note);
    }

    /// Stops spending: this replica's epoch is over. Reservations that are open stay as they are, and can be neither
    /// recorded nor booked by this replica.
    pub fn fence(&self) {
        let mut state = self.shared.lock();
        self.shared.fence(&mut state);
    }

    /// Is cancelled once this replica's epoch is over.
    #[must_use]
    pub fn lost(&self) -> &CancellationToken {
        &self.shared.lost
    }

    /// Where every budget stands, by id.
    #[must_use]
    pub fn standings(&self, now_ms: i64) -> Vec<Standing> {
        let mut state = self.shared.lock();
        let mut standings: Vec<Standing> = state
            .accounts
            .values_mut()
            .map(|Account { slice, .. }| {
                slice.roll(now_ms);
                Standing {
                    budget: slice.budget.clone(),
                    window_start_ms: slice.bucket.start_ms,
                    limit_nano: slice.limit(now_ms),
                    carried_nano: slice.carried(),
                    settled_nano: slice.settled_in_window(),
                    reserved_nano: slice.reserved_in_window(),
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

    pub(super) fn close(self: &Arc<Self>, closings: &[Closing]) {
        let mut state = self.lock();
        let mut give_back = false;
        for closing in closings {
            if let Some(account) = state.accounts.get_mut(&closing.budget) {
                account.slice.close(closing.window_start_ms, closing.held, closing.cost);
                give_back |= account.slice.gives_back();
            }
        }
        if give_back || !state.waiting.is_empty() {
            let chain: SmallVec<[i64; 8]> = closings.iter().map(|closing| closing.budget).collect();
            self.settle_down(state, &chain);
        }
    }

    /// After a change on the budgets `of`: admits who fits, and asks the database where that helps.
    fn settle_down(self: &Arc<Self>, mut state: MutexGuard<'_, State>, of: &[i64]) {
        let admitted = admit(self, &mut state);
        self.stir(state, of);
        hand_over(admitted);
    }

    /// Sees that the budgets `of` are tended that should be.
    fn stir(self: &Arc<Self>, mut state: MutexGuard<'_, State>, of: &[i64]) {
        for id in of {
            let demand = queue::demand(&mut state, *id);
            let now_ms = state.now_ms;
            let Some(Account { slice, .. }) = state.accounts.get(id) else { continue };
            let hopes = demand.first > 0 && slice.hopes(demand.first, now_ms);
            if !hopes && !slice.gives_back() {
                continue;
            }
            match (state.tended.get(id), &self.runtime) {
                (Some(wake), _) => wake.notify_one(),
                (None, Some(runtime)) => {
                    let wake = Arc::new(Notify::new());
                    state.tended.insert(*id, Arc::clone(&wake));
                    runtime.spawn(lessee::tend(Arc::downgrade(self), *id, wake));
                }
                (None, None) => {}
            }
        }
    }

    /// What to ask about a budget; `None` ends the task that asks.
    pub(super) fn ask(&self, budget: i64) -> Option<Ask> {
        let mut state = self.lock();
        let demand = queue::demand(&mut state, budget);
        let (now_ms, fenced) = (state.now_ms, state.fenced);
        let ask = match state.accounts.get_mut(&budget) {
            Some(account) if !fenced => account.slice.ask(demand, now_ms),
            _ => None,
        };
        if ask.is_none() {
            state.tended.remove(&budget);
        }
        ask
    }

    pub(super) fn answered(self: &Arc<Self>, ask: &Ask, answer: Result<Lease, StoreError>) -> Pause {
        let mut state = self.lock();
        let mut notes: SmallVec<[Note; 2]> = SmallVec::new();
        let mut pause = Pause::None;
        match (answer, state.accounts.get_mut(&ask.budget)) {
            (Ok(Lease::Granted(answer)), Some(account)) => {
                account.failed = None;
                account.slice.answered(ask, &answer);
                if answer.short > 0 {
                    notes.push(Note::Short(ask.budget));
                }
                if answer.others_short {
                    notes.push(Note::Room(ask.budget));
                    pause = Pause::Breath;
                }
            }
            (Ok(Lease::Gone), _) => {
                state.accounts.remove(&ask.budget);
            }
            (Ok(Lease::Fenced), _) => self.fence(&mut state),
            (Err(error), Some(account)) => {
                tracing::warn!(budget = ask.budget, %error, "a budget's remainder could not be asked for");
                account.failed = Some(error.to_string());
                pause = Pause::UntilWoken;
            }
            (Ok(Lease::Granted(_)) | Err(_), None) => {}
        }
        let admitted = admit(self, &mut state);
        let demand = queue::demand(&mut state, ask.budget);
        let now_ms = state.now_ms;
        let hopes = |account: &Account| demand.first > 0 && account.slice.hopes(demand.first, now_ms);
        if state.accounts.get(&ask.budget).is_some_and(hopes) {
            pause = Pause::UntilWoken;
        }
        drop(state);
        hand_over(admitted);
        for note in notes {
            self.bus.tell(note);
        }
        pause
    }

    pub(super) fn heard(self: &Arc<Self>, note: Note) {
        let mut state = self.lock();
        match note {
            Note::Short(budget) => {
                if let Some(account) = state.accounts.get_mut(&budget) {
                    account.slice.others_short = true;
                }
                self.stir(state, &[budget]);
            }
            Note::Room(budget) => {
                if let Some(wake) = state.tended.get(&budget) {
                    wake.notify_one();
                }
            }
        }
    }

    /// Whether anything is held that another replica could use.
    pub(super) fn holds_idle(&self) -> bool {
        self.lock().accounts.values().any(|account| account.slice.is_idle())
    }

    fn fence(&self, state: &mut State) {
        state.fenced = true;
        for account in state.accounts.values_mut() {
            account.slice.fence();
        }
        // Dropping the senders tells those who wait.
        state.waiting.clear();
        self.lost.cancel();
    }
}

/// Whether somebody waits already for a budget of the chain.
fn is_behind(state: &State, chain: &[i64]) -> bool {
    state.waiting.iter().any(|waiter| !waiter.admit.is_closed() && overlaps(&waiter.short, chain))
}

/// The name of a budget that as many wait for already as may.
fn crowded(state: &State, short: &[i64], waiters: usize) -> Option<String> {
    let waits = |id: &i64| {
        let waiting = state.waiting.iter().filter(|waiter| !waiter.admit.is_closed());
        waiting.filter(|waiter| waiter.short.contains(id)).count() >= waiters
    };
    let full = short.iter().find(|id| waits(id))?;
    state.accounts.get(full).map(|account| account.slice.budget.name.clone())
}

pub(super) fn hold(
    shared: &Arc<Shared>,
    state: &mut State,
    chain: &[i64],
    claim: Claim,
    amount_nano: i64,
    now_ms: i64,
) -> Reservation {
    let mut holds = SmallVec::new();
    for id in chain {
        if let Some(account) = state.accounts.get_mut(id) {
            let slice = &mut account.slice;
            let unit = slice.budget.unit;
            if claim.passes(unit) {
                continue;
            }
            let held = claim.of(unit, amount_nano);
            slice.roll(now_ms);
            slice.reserved = slice.reserved.saturating_add(held);
            holds.push(Hold { budget: *id, window_start_ms: slice.bucket.start_ms, unit, held });
        }
    }
    Reservation { shared: Arc::clone(shared), holds, amount_nano, open: true, sent: false }
}
