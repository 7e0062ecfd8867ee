mod model;
mod shared;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::store::{self, Store};

const NOW: i64 = 1_795_000_000_000;

/// A database with budgets, for any number of replicas.
struct Shared {
    _folder: TempDir,
    store: Store,
    /// Id, limit, whether it is hard.
    budgets: Vec<Budget>,
}

impl Shared {
    async fn new(limits: &[(i64, i64, bool)], window: Window) -> Self {
        let folder = TempDir::new().unwrap();
        let store = open(folder.path()).await;
        store::scopes::put(&store, "/", serde_json::json!({}), 0).await.unwrap();
        let mut budgets = Vec::new();
        for (id, limit_nano, hard) in limits {
            let row = store::budgets::Budget {
                id: 0,
                scope: Some(String::from("/")),
                key_id: None,
                model_group: None,
                window: window.to_string(),
                limit_nano: *limit_nano,
                hard: *hard,
                thresholds: serde_json::json!([]),
                settings: serde_json::json!({}),
                created_ms: 0,
            };
            assert_eq!(store::budgets::create(&store, row).await.unwrap().0, *id);
            budgets.push(Budget {
                id: *id,
                name: format!("budget-{id}"),
                limit_nano: *limit_nano,
                window,
                hard: *hard,
                lower_output: false,
            });
        }
        Self { _folder: folder, store, budgets }
    }

    async fn replica(&self, name: &str, patience: Patience, bus: Arc<dyn Bus>) -> Budgets {
        let lessee = Lessee::register(self.store.clone(), name, NOW).await.unwrap();
        let budgets = Budgets::new(lessee, patience, bus);
        for budget in &self.budgets {
            budgets.put(budget.clone(), 0, NOW);
        }
        budgets
    }

    /// Changes a limit as an operator does: in the database, and then on every replica.
    async fn limit(&self, id: i64, limit_nano: i64, replicas: &[&Budgets]) {
        let mut rows = store::budgets::list(&self.store).await.unwrap();
        let mut row = rows.remove(rows.iter().position(|row| row.id == id).unwrap());
        row.limit_nano = limit_nano;
        store::budgets::update(&self.store, row).await.unwrap();
        let mut budget = self.budgets.iter().find(|budget| budget.id == id).unwrap().clone();
        budget.limit_nano = limit_nano;
        for budgets in replicas {
            budgets.put(budget.clone(), 0, NOW);
        }
    }
}

async fn open(folder: &Path) -> Store {
    Store::open_file(&folder.join("bailiwick.db")).await.unwrap()
}

const PATIENCE: Patience =
    Patience { wait: Duration::from_millis(200), waiters: 100, look: Duration::from_millis(20) };

async fn budgets(limits: &[(i64, i64, bool)]) -> (Shared, Budgets) {
    let shared = Shared::new(limits, Window::DAY).await;
    let budgets = shared.replica("r1", PATIENCE, Arc::new(NoBus)).await;
    (shared, budgets)
}

fn refusal(refused: NotReserved) -> Exhausted {
    match refused {
        NotReserved::Exhausted(exhausted) => exhausted,
        other => panic!("{other}"),
    }
}

fn standing(budgets: &Budgets, id: i64) -> (i64, i64) {
    let standings = budgets.standings(NOW);
    let standing = standings.iter().find(|standing| standing.budget.id == id).unwrap();
    (standing.settled_nano, standing.reserved_nano)
}

#[tokio::test]
async fn all_or_nothing_up_the_chain() {
    let (_shared, budgets) = budgets(&[(1, 100, true), (2, 50, true)]).await;
    assert_eq!(refusal(budgets.reserve(&[1, 2], 60, NOW).await.unwrap_err()).name, "budget-2");
    assert_eq!(standing(&budgets, 1), (0, 0));
    let held = budgets.reserve(&[1, 2], 50, NOW).await.unwrap();
    assert_eq!(standing(&budgets, 1), (0, 50));
    let booked = held.settle(20);
    assert_eq!(booked.len(), 2);
    assert_eq!(standing(&budgets, 1), (20, 0));
    assert_eq!(standing(&budgets, 2), (20, 0));
}

#[tokio::test]
async fn dropped_after_sending_is_booked_whole_and_before_it_goes_back() {
    let (_shared, budgets) = budgets(&[(1, 100, true)]).await;
    let mut sent = budgets.reserve(&[1], 40, NOW).await.unwrap();
    sent.sent();
    drop(sent);
    assert_eq!(standing(&budgets, 1), (40, 0));
    drop(budgets.reserve(&[1], 40, NOW).await.unwrap());
    assert_eq!(standing(&budgets, 1), (40, 0));
    budgets.reserve(&[1], 40, NOW).await.unwrap().release();
    assert_eq!(standing(&budgets, 1), (40, 0));
}

#[tokio::test]
async fn waits_for_others_reservations_but_not_for_money_that_is_gone() {
    let (_shared, budgets) = budgets(&[(1, 100, true)]).await;
    let held = budgets.reserve(&[1], 80, NOW).await.unwrap();
    let waiting = tokio::spawn({
        let budgets = budgets.clone();
        async move { budgets.reserve(&[1], 50, NOW).await }
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(!waiting.is_finished());
    held.settle(10);
    waiting.await.unwrap().unwrap().settle(50);
    assert_eq!(standing(&budgets, 1), (60, 0));
    let started = std::time::Instant::now();
    assert_eq!(refusal(budgets.reserve(&[1], 41, NOW).await.unwrap_err()).free_nano, 40);
    assert!(started.elapsed() < Duration::from_millis(150), "refused without waiting");
}

#[tokio::test]
async fn waiting_is_bounded_in_order_and_survives_a_waiter_who_leaves() {
    let (_shared, budgets) = budgets(&[(1, 100, true)]).await;
    let held = budgets.reserve(&[1], 100, NOW).await.unwrap();
    let leaves = tokio::spawn({
        let budgets = budgets.clone();
        async move { drop(budgets.reserve(&[1], 100, NOW).await) }
    });
    tokio::time::sleep(Duration::from_millis(10)).await;
    let stays = tokio::spawn({
        let budgets = budgets.clone();
        async move { budgets.reserve(&[1], 30, NOW).await }
    });
    tokio::time::sleep(Duration::from_millis(10)).await;
    leaves.abort();
    let _ = leaves.await;
    held.release();
    stays.await.unwrap().unwrap().release();
    assert_eq!(standing(&budgets, 1), (0, 0));

    let _held = budgets.reserve(&[1], 100, NOW).await.unwrap();
    assert!(budgets.reserve(&[1], 1, NOW).await.is_err(), "the wait has an end");
}

#[tokio::test]
async fn soft_budgets_count_and_never_refuse() {
    let (_shared, budgets) = budgets(&[(1, 10, false)]).await;
    budgets.reserve(&[1], 50, NOW).await.unwrap().settle(50);
    assert_eq!(standing(&budgets, 1), (50, 0));
}

#[tokio::test]
async fn a_new_window_starts_empty_and_late_settlements_stay_in_theirs() {
    let (_shared, budgets) = budgets(&[(1, 100, true)]).await;
    let late = budgets.reserve(&[1], 100, NOW).await.unwrap();
    let tomorrow = NOW + 86_400_000;
    let held = budgets.reserve(&[1], 100, tomorrow).await.unwrap();
    let booked = late.settle(70);
    assert_eq!(booked[0].window_start_ms, Window::DAY.bucket(NOW).start_ms);
    let standings = budgets.standings(tomorrow);
    assert_eq!((standings[0].settled_nano, standings[0].reserved_nano), (0, 100));
    held.release();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn never_over_the_limit_under_concurrency() {
    let (_shared, budgets) = budgets(&[(1, 1_000, true), (2, 700, true)]).await;
    let mut tasks = Vec::new();
    for task in 0..64_i64 {
        let budgets = budgets.clone();
        tasks.push(tokio::spawn(async move {
            for round in 0..50_i64 {
                let chain: &[i64] = if (task + round) % 2 == 0 { &[1, 2] } else { &[1] };
                let Ok(held) = budgets.reserve(chain, 10 + round % 7, NOW).await else { continue };
                for standing in budgets.standings(NOW) {
                    assert!(standing.settled_nano + standing.reserved_nano <= standing.budget.limit_nano);
                }
                tokio::task::yield_now().await;
                match round % 3 {
                    0 => held.release(),
                    1 => drop(held.settle(1)),
                    _ => drop(held.settle(3)),
                }
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    for standing in budgets.standings(NOW) {
        assert_eq!(standing.reserved_nano, 0);
        assert!(standing.settled_nano <= standing.budget.limit_nano);
    }
}
