//! This replica as a lessee: who asks the database for slices, hears who is short, and gives back.
//!
//! One task at most tends a budget at a time, and only while there is something to ask: in steady state nobody does.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use metrics::counter;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::ledger::Shared;
use crate::store::leases::{self, Lease};
use crate::store::replicas::{self, ReplicaNumber};
use crate::store::{Store, StoreError};

/// How long who is short waits before it asks again, unless it hears that there is room.
const AGAIN: Duration = Duration::from_millis(100);
/// How long the database may take to answer. What became of an ask without an answer is asked for with the next one.
const PATIENCE: Duration = Duration::from_secs(8);
/// The least time between two statements about one budget while somebody is short of it.
const BREATH: Duration = Duration::from_millis(10);

/// What a replica asked the database about its budgets; bookings ride on the commit of the records.
pub(crate) const STATEMENTS: &str = "bailiwick_budget_statements_total";

/// The database, as what a replica may do there.
#[derive(Debug, Clone)]
pub struct Lessee {
    store: Store,
    replica: ReplicaNumber,
    epoch: i64,
}

/// Something that replicas tell one another about a budget. Notes may be lost, late, or told twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// Somebody is short of this budget: who holds idle parts gives them back.
    Short(i64),
    /// There may be room again on this budget: who is short asks again.
    Room(i64),
}

/// Tells notes to all other replicas, without waiting. What the others are told comes back through `Budgets::heard`.
pub trait Bus: fmt::Debug + Send + Sync {
    /// Tells it.
    fn tell(&self, note: Note);
}

/// Tells nobody: replicas then find out by looking.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoBus;

impl Bus for NoBus {
    fn tell(&self, _: Note) {}
}

impl Lessee {
    pub(crate) fn new(store: Store, replica: ReplicaNumber, epoch: i64) -> Self {
        Self { store, replica, epoch }
    }

    /// Registers the replica called `name` anew, and takes back what a process before it held under that name.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn register(store: Store, name: &str, now_ms: i64) -> Result<Self, StoreError> {
        let (registered, _) = replicas::register(&store, name, now_ms).await?;
        let lessee = Self::new(store, registered.number, registered.epoch);
        lessee.begin().await?;
        Ok(lessee)
    }

    /// Takes back what a process before this one held under this replica's name, once its attempts without an outcome
    /// are booked and before anything is leased.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn begin(&self) -> Result<(), StoreError> {
        leases::reclaim(&self.store, self.replica, self.epoch).await.map(|_| ())
    }

    #[cfg(test)]
    pub(super) fn parts(&self) -> (&Store, ReplicaNumber, i64) {
        (&self.store, self.replica, self.epoch)
    }

    pub(super) async fn lease(&self, ask: &super::lease::Ask) -> Result<Lease, StoreError> {
        counter!(STATEMENTS, "statement" => "lease").increment(1);
        let leased = timeout(PATIENCE, leases::lease(&self.store, self.replica, self.epoch, ask)).await;
        leased.unwrap_or_else(|_| Err(StoreError::Unavailable("the database is silent".into())))
    }

    pub(super) async fn short(&self) -> Result<Vec<i64>, StoreError> {
        counter!(STATEMENTS, "statement" => "look").increment(1);
        let short = timeout(PATIENCE, leases::short(&self.store, self.replica)).await;
        short.unwrap_or_else(|_| Err(StoreError::Unavailable("the database is silent".into())))
    }
}

/// Asks for one budget until there is nothing to ask.
pub(super) async fn tend(shared: Weak<Shared>, budget: i64, wake: Arc<Notify>) {
    loop {
        let pause = {
            let Some(shared) = shared.upgrade() else { return };
            let Some(ask) = shared.ask(budget) else { return };
            let answer = shared.lessee.lease(&ask).await;
            shared.answered(&ask, answer)
        };
        match pause {
            Pause::None => {}
            Pause::Breath => tokio::time::sleep(BREATH).await,
            Pause::UntilWoken => {
                tokio::time::sleep(BREATH).await;
                let _ = tokio::time::timeout(AGAIN.saturating_sub(BREATH), wake.notified()).await;
            }
        }
    }
}

/// What to do before the next ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pause {
    None,
    Breath,
    UntilWoken,
}

/// Looks now and then who is short, for where nobody tells.
pub(super) async fn look(shared: Weak<Shared>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        let Some(shared) = shared.upgrade() else { return };
        if !shared.holds_idle() {
            continue;
        }
        match shared.lessee.short().await {
            Ok(short) => short.into_iter().for_each(|budget| shared.heard(Note::Short(budget))),
            Err(error) => tracing::debug!(%error, "nobody knows who is short of a budget"),
        }
    }
}
