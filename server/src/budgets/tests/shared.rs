//! Several replicas on one database.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc;

use super::*;
use crate::store::commit::{self, Batch, NewSpend};
use crate::store::{budgets::BudgetId, replicas};

/// Carries notes between replicas of one process.
#[derive(Debug, Default)]
struct Wire {
    replicas: Mutex<HashMap<usize, Budgets>>,
}

#[derive(Debug)]
struct Plug {
    at: usize,
    wire: Arc<Wire>,
}

impl Bus for Plug {
    fn tell(&self, note: Note) {
        let replicas = self.wire.replicas.lock().unwrap();
        for (_, budgets) in replicas.iter().filter(|(at, _)| **at != self.at) {
            let budgets = budgets.clone();
            tokio::spawn(async move { budgets.heard(note) });
        }
    }
}

/// A replica that settles as the gateway does: in memory, and with a group commit in the database.
#[derive(Clone)]
pub(super) struct Replica {
    pub(super) budgets: Budgets,
    lessee: Lessee,
    pub(super) book: mpsc::UnboundedSender<Settlement>,
}

impl Replica {
    async fn new(shared: &Shared, name: &str, patience: Patience, bus: Arc<dyn Bus>) -> Self {
        let lessee = Lessee::register(shared.store.clone(), name, NOW).await.unwrap();
        let budgets = Budgets::new(lessee.clone(), patience, bus);
        for budget in &shared.budgets {
            budgets.put(budget.clone(), &[], NOW);
        }
        let (book, mut booked) = mpsc::unbounded_channel();
        let committer = lessee.clone();
        tokio::spawn(async move {
            let mut batch = Vec::new();
            while booked.recv_many(&mut batch, 512).await > 0 {
                let booked: Vec<Settled> = batch.iter().flat_map(Settlement::booked).copied().collect();
                committer.book(&booked).await.unwrap();
                batch.drain(..).for_each(|settled: Settlement| settled.durable());
            }
        });
        Self { budgets, lessee, book }
    }

    /// A call: reserved, sent, settled.
    async fn call(&self, chain: &[i64], amount: Amount, cost: i64) -> Result<i64, NotReserved> {
        let mut held = self.budgets.reserve_between(chain, amount, NOW).await?;
        let nano = held.amount_nano();
        held.sent();
        tokio::time::sleep(Duration::from_millis(2)).await;
        self.book.send(held.settle(cost.min(nano))).unwrap();
        Ok(nano)
    }
}

impl Lessee {
    /// What the group commit does with spend.
    pub(super) async fn book(&self, settled: &[Settled]) -> Result<(), store::StoreError> {
        let mut sums: HashMap<(i64, i64), i64> = HashMap::new();
        for one in settled {
            *sums.entry((one.budget, one.window_start_ms)).or_default() += one.cost_nano;
        }
        let (store, replica, epoch) = self.parts();
        let spend = sums.into_iter().map(|((budget, window_start_ms), delta_nano)| NewSpend {
            budget: BudgetId(budget),
            window_start_ms,
            replica,
            delta_nano,
        });
        let batch = Batch {
            replica,
            epoch,
            time_ms: NOW,
            indexed_to: 0,
            settled_to: 0,
            records: Vec::new(),
            spend: spend.collect(),
            decisions: Vec::new(),
            tree: None,
        };
        commit::commit(store.clone(), Arc::new(batch)).await
    }
}

pub(super) async fn replicas(shared: &Shared, count: usize, patience: Patience, wired: bool) -> Vec<Replica> {
    let wire = Arc::new(Wire::default());
    let mut all = Vec::new();
    for at in 0..count {
        let bus: Arc<dyn Bus> =
            if wired { Arc::new(Plug { at, wire: Arc::clone(&wire) }) } else { Arc::new(NoBus) };
        let replica = Replica::new(shared, &format!("r{at}"), patience, bus).await;
        wire.replicas.lock().unwrap().insert(at, replica.budgets.clone());
        all.push(replica);
    }
    all
}

/// Granted and settled of a budget, over all replicas.
pub(super) async fn rows(store: &Store, budget: i64) -> Vec<(i64, i64)> {
    store::leases::granted(store, budget).await.unwrap()
}

pub(super) const LONG: Patience = Patience {
    wait: Duration::from_secs(5),
    limit_wait: Duration::from_secs(1),
    waiters: 1_000,
    look: Duration::from_millis(50),
};

/// 400 calls at once on a budget for 100, on this many replicas: how many were served.
async fn wave(replicas: &[Replica], store: &Store, id: i64, amount: Amount, cost: i64) -> usize {
    let limit = 100 * cost;
    let served = Arc::new(AtomicUsize::new(0));
    let mut calls = Vec::new();
    for call in 0..400 {
        let (replica, served) = (replicas[call % replicas.len()].clone(), Arc::clone(&served));
        calls.push(tokio::spawn(async move {
            match replica.call(&[id], amount, cost).await {
                Ok(_) => {
                    served.fetch_add(1, Ordering::Relaxed);
                }
                Err(NotReserved::Exhausted(_)) => {}
                Err(other) => panic!("{other}"),
            }
        }));
    }
    let watch = tokio::spawn({
        let store = store.clone();
        async move {
            loop {
                let sum: i64 =
                    rows(&store, id).await.iter().map(|(granted, settled)| granted.max(settled)).sum();
                assert!(sum <= limit, "{sum} of {limit} is granted");
                tokio::time::sleep(Duration::from_millis(3)).await;
            }
        }
    });
    for call in calls {
        call.await.unwrap();
    }
    assert!(!watch.is_finished(), "the limit held all the time");
    watch.abort();
    served.load(Ordering::Relaxed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_many_as_are_affordable_and_no_more() {
    let limits: Vec<(i64, i64, bool)> = (1..=20).map(|id| (id, 100_000, true)).collect();
    let shared = Shared::new(&limits, Window::DAY).await;
    for (count, wired) in [(3, true), (1, false)] {
        let replicas = replicas(&shared, count, LONG, wired).await;
        let ids = if count == 3 { 1..=17 } else { 18..=20 };
        for id in ids {
            let served = wave(&replicas, &shared.store, id, Amount::exactly(1_000), 1_000).await;
            assert_eq!(served, 100, "budget {id} on {count} replicas");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn estimates_of_ten_times_the_cost_are_in_nobodys_way() {
    let limits: Vec<(i64, i64, bool)> = (1..=4).map(|id| (id, 100_000, true)).collect();
    let shared = Shared::new(&limits, Window::DAY).await;
    for (id, count, wired) in [(1, 1, false), (2, 3, true), (3, 3, true), (4, 3, false)] {
        let replicas = replicas(&shared, count, LONG, wired).await;
        let amount = Amount { most: 10_000, least: 1_000 };
        let served = wave(&replicas, &shared.store, id, amount, 1_000).await;
        assert!((98..=100).contains(&served), "{served} of 100 on {count} replicas");
    }
}

#[tokio::test]
async fn nobody_is_refused_while_another_replica_holds_idle_parts() {
    let shared = Shared::new(&[(1, 100, true), (2, 100, true)], Window::DAY).await;
    for (id, wired) in [(1, true), (2, false)] {
        let replicas = replicas(&shared, 2, LONG, wired).await;
        let [one, two] = replicas.as_slice() else { panic!("two replicas") };
        one.call(&[id], Amount::exactly(30), 30).await.unwrap();
        two.call(&[id], Amount::exactly(30), 30).await.unwrap();
        // Neither has this alone, whatever the two were granted.
        two.call(&[id], Amount::exactly(40), 40).await.unwrap();
        let started = std::time::Instant::now();
        assert!(one.call(&[id], Amount::exactly(1), 1).await.is_err());
        assert!(started.elapsed() < LONG.wait, "what is spent is not waited for");
    }
}

#[tokio::test]
async fn what_a_dead_replica_held_comes_back_and_it_spends_nothing_more() {
    let shared = Shared::new(&[(1, 100, true)], Window::DAY).await;
    let replicas = replicas(&shared, 2, LONG, true).await;
    let [one, two] = replicas.as_slice() else { panic!("two replicas") };
    one.call(&[1], Amount::exactly(10), 10).await.unwrap();
    // Paused, with a reservation that is not recorded.
    let held = one.budgets.reserve(&[1], 60, NOW).await.unwrap();
    let waiting = tokio::spawn({
        let two = two.clone();
        async move { two.call(&[1], Amount::exactly(80), 80).await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!waiting.is_finished());
    let (store, number, _) = one.lessee.parts();
    // An epoch that nobody raised takes nothing away.
    let epoch = one.lessee.parts().2 + 1;
    assert!(!store::leases::reclaim(store, number, epoch).await.unwrap());
    let (declared, _) = replicas::register(store, "r0", NOW).await.unwrap();
    assert!(store::leases::reclaim(store, number, declared.epoch).await.unwrap());
    assert_eq!(waiting.await.unwrap().unwrap(), 80);
    // It wakes: what it holds it can neither record nor book, and it is told that it may lease nothing more.
    let settled = held.settle(60);
    assert!(one.lessee.book(settled.booked()).await.is_err());
    assert_eq!(one.call(&[1], Amount::exactly(20), 20).await, Err(NotReserved::Fenced));
    assert!(one.budgets.lost().is_cancelled());
    assert_eq!(one.call(&[1], Amount::exactly(1), 1).await, Err(NotReserved::Fenced));
}

#[tokio::test]
async fn in_steady_state_nobody_asks_the_database() {
    let shared = Shared::new(&[(1, 1_000_000, true), (2, 1_000_000, true)], Window::DAY).await;
    let replica = Replica::new(&shared, "r0", LONG, Arc::new(NoBus)).await;
    replica.call(&[1, 2], Amount::exactly(1), 1).await.unwrap();
    // Whoever asked now would not be answered.
    shared.store.sql("ALTER TABLE budgets RENAME TO hidden").await;
    for _ in 0..200 {
        replica.budgets.reserve(&[1, 2], 1_000, NOW).await.unwrap().settle(900).durable();
    }
    let refused = replica.budgets.reserve(&[1, 2], 990_000, NOW).await;
    assert!(matches!(refused, Err(NotReserved::Exhausted(_))), "{refused:?}");
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_told_from_a_budget_that_is_spent() {
    let (shared, budgets) = budgets(&[(1, 100, true)]).await;
    shared.store.sql("ALTER TABLE budgets RENAME TO hidden").await;
    let refused = budgets.reserve(&[1], 10, NOW).await;
    assert!(matches!(refused, Err(NotReserved::Unavailable { .. })), "{refused:?}");
    shared.store.sql("ALTER TABLE hidden RENAME TO budgets").await;
    budgets.reserve(&[1], 10, NOW).await.unwrap().release();
}

#[tokio::test]
async fn limits_that_change_hold_on_every_replica() {
    let shared = Shared::new(&[(1, 100, true)], Window::DAY).await;
    let replicas = replicas(&shared, 2, LONG, true).await;
    let both = [&replicas[0].budgets, &replicas[1].budgets];
    replicas[0].call(&[1], Amount::exactly(10), 10).await.unwrap();
    shared.limit(1, 40, &both).await;
    let refused = replicas[0].call(&[1], Amount::exactly(31), 31).await;
    assert_eq!(refusal(refused.unwrap_err()).free_nano, 30);
    replicas[1].call(&[1], Amount::exactly(30), 30).await.unwrap();
    assert!(replicas[1].call(&[1], Amount::exactly(1), 1).await.is_err());
    shared.limit(1, 45, &both).await;
    replicas[0].call(&[1], Amount::exactly(5), 5).await.unwrap();
}

#[tokio::test]
async fn a_rolling_window_counts_what_other_replicas_spent_before() {
    let shared = Shared::new(&[(1, 100, true)], "last 2 hours".parse().unwrap()).await;
    let replicas = replicas(&shared, 2, PATIENCE, true).await;
    let [one, two] = replicas.as_slice() else { panic!("two replicas") };
    one.call(&[1], Amount::exactly(60), 60).await.unwrap();
    let hour = 3_600_000;
    // What the first was granted in its hour and did not spend comes back in the next.
    let held = two.budgets.reserve(&[1], 40, NOW + hour).await.unwrap();
    assert!(two.budgets.reserve(&[1], 1, NOW + hour).await.is_err());
    held.release();
    // And what it spent counts no longer an hour later.
    two.budgets.reserve(&[1], 100, NOW + 2 * hour).await.unwrap().release();
}

#[tokio::test]
async fn a_budget_that_is_deleted_holds_nobody() {
    let (shared, budgets) = budgets(&[(1, 100, true), (2, 100, true)]).await;
    let held = budgets.reserve(&[1, 2], 100, NOW).await.unwrap();
    store::budgets::delete(&shared.store, BudgetId(2)).await.unwrap();
    let settled = held.settle(50);
    budgets.keep_only(&[1].into());
    let lessee = Lessee::register(shared.store.clone(), "r1", NOW).await.unwrap();
    // Its spend is booked nowhere, and the rest of the commit is not in its way.
    lessee.book(settled.booked()).await.unwrap();
    settled.durable();
    assert_eq!(rows(&shared.store, 2).await, []);
    assert_eq!(rows(&shared.store, 1).await.iter().map(|(_, settled)| settled).sum::<i64>(), 50);
    budgets.reserve(&[1, 2], 50, NOW).await.unwrap().release();
}

#[tokio::test]
async fn another_window_and_a_budget_declared_again_lose_nothing_that_is_held() {
    let shared = Shared::new(&[(1, 100, true)], Window::Total).await;
    let replica = Replica::new(&shared, "r0", PATIENCE, Arc::new(NoBus)).await;
    replica.call(&[1], Amount::exactly(10), 10).await.unwrap();
    let held = replica.budgets.reserve(&[1], 60, NOW).await.unwrap();
    // The same bucket under another window: what was spent and is held counts on.
    let mut row = store::budgets::get(&shared.store, BudgetId(1)).await.unwrap();
    row.window = String::from("day");
    store::budgets::update(&shared.store, row.clone()).await.unwrap();
    replica.budgets.put(Budget::new(1, Window::DAY, 100), &[], NOW);
    let today = replica.budgets.reserve(&[1], 100, NOW).await.unwrap();
    today.release();
    row.window = String::from("total");
    store::budgets::update(&shared.store, row).await.unwrap();
    replica.budgets.put(Budget::new(1, Window::Total, 100), &[], NOW);
    assert!(replica.budgets.reserve(&[1], 31, NOW).await.is_err());
    replica.budgets.reserve(&[1], 30, NOW).await.unwrap().release();
    held.settle(60).durable();
    assert_eq!(standing(&replica.budgets, 1), (70, 0));
    // Forgotten and declared again: what is in the database counts.
    let book = Settled { budget: 1, window_start_ms: 0, unit: Unit::Usd, cost_nano: 60 };
    replica.lessee.book(&[book]).await.unwrap();
    replica.budgets.keep_only(&[].into());
    replica.budgets.reserve(&[1], 1_000, NOW).await.unwrap().release();
    replica.budgets.put(Budget::new(1, Window::Total, 100), &[], NOW);
    assert!(replica.budgets.reserve(&[1], 31, NOW).await.is_err());
    replica.budgets.reserve(&[1], 30, NOW).await.unwrap().release();
}

#[tokio::test]
async fn who_waits_is_in_nobodys_way_on_a_soft_budget() {
    let (_shared, budgets) = budgets(&[(1, 100, false), (2, 100, true)]).await;
    let held = budgets.reserve(&[1, 2], 100, NOW).await.unwrap();
    let waiting = tokio::spawn({
        let budgets = budgets.clone();
        async move { budgets.reserve(&[1, 2], 50, NOW).await }
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    let started = std::time::Instant::now();
    budgets.reserve(&[1], 50, NOW).await.unwrap().release();
    assert!(started.elapsed() < Duration::from_millis(100));
    held.release();
    waiting.await.unwrap().unwrap().release();
}
