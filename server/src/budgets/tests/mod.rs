mod limits;
mod model;
mod shared;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use super::lease::{Row, divide};
use super::slice::{Demand, Slice};
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
        let budget = |(id, limit_nano, hard): &(i64, i64, bool)| Budget {
            name: format!("budget-{id}"),
            hard: *hard,
            ..Budget::new(*id, window, *limit_nano)
        };
        Self::of(limits.iter().map(budget).collect()).await
    }

    async fn of(budgets: Vec<Budget>) -> Self {
        let folder = TempDir::new().unwrap();
        let store = open(folder.path()).await;
        store::scopes::put(&store, "/", serde_json::json!({}), 0).await.unwrap();
        for budget in &budgets {
            let row = store::budgets::Budget {
                id: 0,
                scope: Some(String::from("/")),
                key_id: None,
                owner: None,
                model_group: None,
                window: budget.window.to_string(),
                unit: budget.unit.to_string(),
                limit_nano: budget.limit_nano,
                hard: budget.hard,
                thresholds: serde_json::json!([]),
                settings: serde_json::json!({ "carry_over_nano": budget.carry_over_nano }),
                created_ms: budget.created_ms,
            };
            assert_eq!(store::budgets::create(&store, row).await.unwrap().0, budget.id);
        }
        Self { _folder: folder, store, budgets }
    }

    /// Books what was spent before, as this replica or another did, and gives what the database then has seen.
    async fn spent(&self, replica: &str, spent: &[(i64, i64)]) {
        let lessee = Lessee::register(self.store.clone(), replica, NOW).await.unwrap();
        let settled = |(window_start_ms, cost_nano): &(i64, i64)| Settled {
            budget: self.budgets[0].id,
            window_start_ms: *window_start_ms,
            unit: Unit::Usd,
            cost_nano: *cost_nano,
        };
        lessee.book(&spent.iter().map(settled).collect::<Vec<_>>()).await.unwrap();
    }

    async fn replica(&self, name: &str, patience: Patience, bus: Arc<dyn Bus>) -> Budgets {
        let budgets = self.empty(name, patience, bus).await;
        for budget in &self.budgets {
            budgets.put(budget.clone(), &[], NOW);
        }
        budgets
    }

    async fn empty(&self, name: &str, patience: Patience, bus: Arc<dyn Bus>) -> Budgets {
        let lessee = Lessee::register(self.store.clone(), name, NOW).await.unwrap();
        Budgets::new(lessee, patience, bus)
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
            budgets.put(budget.clone(), &[], NOW);
        }
    }
}

async fn open(folder: &Path) -> Store {
    Store::open_in(folder).await.unwrap()
}

const PATIENCE: Patience = Patience {
    wait: Duration::from_millis(200),
    limit_wait: Duration::from_millis(100),
    waiters: 100,
    look: Duration::from_millis(20),
};

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
    let settled = held.settle(20);
    assert_eq!(settled.booked().len(), 2);
    // Until the outcome is durable, all that was held is.
    assert_eq!(standing(&budgets, 1), (20, 30));
    settled.durable();
    settled.durable();
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
    held.settle(10).durable();
    waiting.await.unwrap().unwrap().settle(50).durable();
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
    budgets.reserve(&[1], 50, NOW).await.unwrap().settle(50).durable();
    assert_eq!(standing(&budgets, 1), (50, 0));
}

#[tokio::test]
async fn a_new_window_starts_empty_and_late_settlements_stay_in_theirs() {
    let (_shared, budgets) = budgets(&[(1, 100, true)]).await;
    let late = budgets.reserve(&[1], 100, NOW).await.unwrap();
    let tomorrow = NOW + 86_400_000;
    let held = budgets.reserve(&[1], 100, tomorrow).await.unwrap();
    let settled = late.settle(70);
    settled.durable();
    assert_eq!(settled.booked()[0].window_start_ms, Window::DAY.bucket(NOW).start_ms);
    let standings = budgets.standings(tomorrow);
    assert_eq!((standings[0].settled_nano, standings[0].reserved_nano), (0, 100));
    held.release();
}

const HOUR: i64 = 3_600_000;

#[tokio::test]
async fn a_rolling_window_counts_its_earlier_buckets_until_they_expire() {
    let window: Window = "last 3 hours".parse().unwrap();
    let start = window.bucket(NOW).start_ms;
    // From the database: one bucket that has expired and two that count.
    let spent = [(start - 3 * HOUR, 1_000), (start - 2 * HOUR, 30), (start - HOUR, 20)];
    let shared = Shared::of(vec![Budget::new(1, window, 100)]).await;
    shared.spent("r1", &spent[..2]).await;
    shared.spent("r2", &spent[2..]).await;
    let budgets = shared.empty("r1", PATIENCE, Arc::new(NoBus)).await;
    budgets.put(shared.budgets[0].clone(), &spent, NOW);
    assert_eq!(standing(&budgets, 1), (50, 0));
    assert!(budgets.reserve(&[1], 51, NOW).await.is_err());
    let held = budgets.reserve(&[1], 50, NOW).await.unwrap();
    // An hour on, 30 are forgotten; what is held from before still counts, and is settled where it was held.
    let later = NOW + HOUR;
    assert!(budgets.reserve(&[1], 31, later).await.is_err());
    let next = budgets.reserve(&[1], 30, later).await.unwrap();
    let settled = held.settle(10);
    settled.durable();
    assert_eq!(settled.booked()[0].window_start_ms, start);
    let at = |now_ms| {
        let standing = &budgets.standings(now_ms)[0];
        (standing.settled_nano, standing.reserved_nano)
    };
    assert_eq!(at(later), (30, 30));
    next.settle(30).durable();
    assert_eq!(at(later + HOUR), (40, 0));
    assert_eq!(at(later + 2 * HOUR), (30, 0));
    assert_eq!(at(later + 3 * HOUR), (0, 0));
    // Time that jumps ahead forgets all; a request that carries an older instant opens no earlier window.
    let far = later + 90 * 24 * HOUR;
    budgets.reserve(&[1], 100, far).await.unwrap().settle(100).durable();
    assert!(budgets.reserve(&[1], 1, later).await.is_err());
}

#[tokio::test]
async fn top_ups_and_what_was_carried_over_count() {
    let day = Window::DAY.bucket(NOW);
    let (start, end) = (day.start_ms, day.end_ms.unwrap());
    let top_up = TopUp { amount_nano: 40, from_ms: NOW + 10, until_ms: Some(NOW + 20) };
    let budget = Budget { carry_over_nano: 25, ..Budget::new(1, Window::DAY, 100) };
    // Yesterday 90 of 100 were spent.
    let shared = Shared::of(vec![budget.clone()]).await;
    shared.spent("r2", &[(start - 24 * HOUR, 90)]).await;
    let budgets = shared.empty("r1", PATIENCE, Arc::new(NoBus)).await;
    budgets.put(budget.clone(), &[(start - 24 * HOUR, 90)], NOW);
    assert_eq!(budgets.standings(NOW)[0].limit_nano, 110);
    assert!(budgets.reserve(&[1], 111, NOW).await.is_err());
    let row = store::budgets::TopUp {
        id: String::from("t"),
        budget_id: 1,
        amount_nano: top_up.amount_nano,
        from_ms: top_up.from_ms,
        until_ms: top_up.until_ms,
        reason: String::from("a campaign"),
        principal: String::from("p"),
        created_ms: NOW,
    };
    store::budgets::top_up(&shared.store, row).await.unwrap();
    budgets.put(Budget { top_ups: [top_up].into(), ..budget }, &[], NOW);
    let limit = |now_ms| budgets.standings(now_ms)[0].limit_nano;
    assert_eq!([NOW, NOW + 10].map(limit), [110, 150]);
    // What is topped up can be spent at once, and no longer than it holds.
    budgets.reserve(&[1], 150, NOW + 15).await.unwrap().release();
    assert!(budgets.reserve(&[1], 111, NOW + 20).await.is_err());
    assert_eq!(limit(NOW + 20), 110);
    // 30 of today's own 100 are spent and 60 are held: 10 are certainly unused.
    budgets.reserve(&[1], 30, NOW + 21).await.unwrap().settle(30).durable();
    let held = budgets.reserve(&[1], 60, NOW + 21).await.unwrap();
    let tomorrow = &budgets.standings(end)[0];
    assert_eq!((tomorrow.limit_nano, tomorrow.carried_nano, tomorrow.settled_nano), (110, 10, 0));
    held.release();
    // Nobody spent anything for a week: only the cap is carried.
    assert_eq!(budgets.standings(end + 7 * 24 * HOUR)[0].limit_nano, 125);
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
                    1 => held.settle(1).durable(),
                    _ => held.settle(3).durable(),
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

#[tokio::test]
async fn a_team_that_waits_for_its_own_budget_is_in_nobodys_way_under_the_common_one() {
    let patience = Patience { wait: Duration::from_secs(5), waiters: 1, ..PATIENCE };
    let shared = Shared::new(&[(1, 1_000, true), (2, 100, true), (3, 100, true)], Window::DAY).await;
    let budgets = shared.replica("r1", patience, Arc::new(NoBus)).await;
    let held = budgets.reserve(&[1, 2], 80, NOW).await.unwrap();
    let waiting = tokio::spawn({
        let budgets = budgets.clone();
        async move { budgets.reserve(&[1, 2], 50, NOW).await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!waiting.is_finished());
    // As many wait for the team's budget as may; that is no reason to refuse the neighbour, nor to have him wait.
    let crowded = budgets.reserve(&[1, 2], 50, NOW).await.unwrap_err();
    assert_eq!(crowded, NotReserved::Crowded { name: String::from("budget-2") });
    let neighbour = tokio::time::timeout(Duration::from_secs(1), budgets.reserve(&[1, 3], 90, NOW)).await;
    neighbour.expect("the neighbour waits").unwrap().settle(90).durable();
    // Of its own budget nobody overtakes it, also where there would be room.
    assert_eq!(budgets.reserve(&[1, 2], 10, NOW).await.unwrap_err(), crowded);
    held.settle(10).durable();
    waiting.await.unwrap().unwrap().settle(50).durable();
    assert_eq!((standing(&budgets, 1), standing(&budgets, 2)), ((150, 0), (60, 0)));
}

#[test]
fn what_is_settled_while_the_database_is_asked_counts() {
    let budget = Budget::new(1, Window::LAST_MINUTE, 100);
    let mut slice = Slice::new(budget.clone(), &[], NOW);
    let demand = Demand { first: 10, all: 10, promised: 0 };
    let ask = slice.ask(demand, NOW).unwrap();
    let granted = divide(&ask, 1, &budget, &[], 1);
    slice.answered(&ask, &granted);
    slice.reserved += 10;
    let earlier = slice.bucket.start_ms;
    let later = slice.bucket.end_ms.unwrap();
    slice.roll(later);
    let ask = slice.ask(demand, later).unwrap();
    let row = Row { bucket_ms: earlier, replica: 1, granted: granted.granted, settled: 0, short: 0 };
    let answer = divide(&ask, 1, &budget, &[row], 1);
    assert_eq!(answer.granted, 90, "what is held in the earlier bucket is nobody else's");
    slice.close(earlier, 10, 7);
    slice.answered(&ask, &answer);
    assert_eq!((slice.settled_in_window(), slice.unspent()), (7, Some(93)));
}
