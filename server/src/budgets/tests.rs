use std::time::Duration;

use super::*;

const NOW: i64 = 1_795_000_000_000;

fn budgets(limits: &[(i64, i64, bool)]) -> Budgets {
    let budgets = Budgets::new(Duration::from_millis(200), 100);
    for (id, limit_nano, hard) in limits {
        let name = format!("budget-{id}");
        let budget = Budget { name, hard: *hard, ..Budget::new(*id, Window::DAY, *limit_nano) };
        budgets.put(budget, &[], NOW);
    }
    budgets
}

fn standing(budgets: &Budgets, id: i64) -> (i64, i64) {
    let standings = budgets.standings(NOW);
    let standing = standings.iter().find(|standing| standing.budget.id == id).unwrap();
    (standing.settled_nano, standing.reserved_nano)
}

#[tokio::test]
async fn all_or_nothing_up_the_chain() {
    let budgets = budgets(&[(1, 100, true), (2, 50, true)]);
    assert_eq!(budgets.reserve(&[1, 2], 60, NOW).await.unwrap_err().name, "budget-2");
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
    let budgets = budgets(&[(1, 100, true)]);
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
    let budgets = budgets(&[(1, 100, true)]);
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
    assert_eq!(budgets.reserve(&[1], 41, NOW).await.unwrap_err().free_nano, 40);
    assert!(started.elapsed() < Duration::from_millis(150), "refused without waiting");
}

#[tokio::test]
async fn waiting_is_bounded_in_order_and_survives_a_waiter_who_leaves() {
    let budgets = budgets(&[(1, 100, true)]);
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
    let budgets = budgets(&[(1, 10, false)]);
    budgets.reserve(&[1], 50, NOW).await.unwrap().settle(50);
    assert_eq!(standing(&budgets, 1), (50, 0));
}

#[tokio::test]
async fn a_new_window_starts_empty_and_late_settlements_stay_in_theirs() {
    let budgets = budgets(&[(1, 100, true)]);
    let late = budgets.reserve(&[1], 100, NOW).await.unwrap();
    let tomorrow = NOW + 86_400_000;
    let held = budgets.reserve(&[1], 100, tomorrow).await.unwrap();
    let booked = late.settle(70);
    assert_eq!(booked[0].window_start_ms, Window::DAY.bucket(NOW).start_ms);
    let standings = budgets.standings(tomorrow);
    assert_eq!((standings[0].settled_nano, standings[0].reserved_nano), (0, 100));
    held.release();
}

const HOUR: i64 = 3_600_000;

#[tokio::test]
async fn a_rolling_window_counts_its_earlier_buckets_until_they_expire() {
    let budgets = Budgets::new(Duration::from_millis(20), 100);
    let window: Window = "last 3 hours".parse().unwrap();
    let start = window.bucket(NOW).start_ms;
    // From the database: one bucket that has expired and two that count.
    let spent = [(start - 3 * HOUR, 1_000), (start - 2 * HOUR, 30), (start - HOUR, 20)];
    budgets.put(Budget::new(1, window, 100), &spent, NOW);
    assert_eq!(standing(&budgets, 1), (50, 0));
    assert!(budgets.reserve(&[1], 51, NOW).await.is_err());
    let held = budgets.reserve(&[1], 50, NOW).await.unwrap();
    // An hour on, 30 are forgotten; what is held from before still counts, and is settled where it was held.
    let later = NOW + HOUR;
    assert!(budgets.reserve(&[1], 31, later).await.is_err());
    let next = budgets.reserve(&[1], 30, later).await.unwrap();
    assert_eq!(held.settle(10)[0].window_start_ms, start);
    let at = |now_ms| {
        let standing = &budgets.standings(now_ms)[0];
        (standing.settled_nano, standing.reserved_nano)
    };
    assert_eq!(at(later), (30, 30));
    next.settle(30);
    assert_eq!(at(later + HOUR), (40, 0));
    assert_eq!(at(later + 2 * HOUR), (30, 0));
    assert_eq!(at(later + 3 * HOUR), (0, 0));
    // Time that jumps ahead forgets all; a request that carries an older instant opens no earlier window.
    let far = later + 90 * 24 * HOUR;
    budgets.reserve(&[1], 100, far).await.unwrap().settle(100);
    assert!(budgets.reserve(&[1], 1, later).await.is_err());
}

#[tokio::test]
async fn top_ups_and_what_was_carried_over_count() {
    let budgets = Budgets::new(Duration::from_millis(20), 100);
    let day = Window::DAY.bucket(NOW);
    let (start, end) = (day.start_ms, day.end_ms.unwrap());
    let top_up = TopUp { amount_nano: 40, from_ms: NOW + 10, until_ms: Some(NOW + 20) };
    let budget = Budget { carry_over_nano: 25, ..Budget::new(1, Window::DAY, 100) };
    // Yesterday 90 of 100 were spent.
    budgets.put(budget.clone(), &[(start - 24 * HOUR, 90)], NOW);
    assert_eq!(budgets.standings(NOW)[0].limit_nano, 110);
    assert!(budgets.reserve(&[1], 111, NOW).await.is_err());
    budgets.put(Budget { top_ups: [top_up].into(), ..budget }, &[], NOW);
    let limit = |now_ms| budgets.standings(now_ms)[0].limit_nano;
    assert_eq!([NOW, NOW + 10, NOW + 19, NOW + 20].map(limit), [110, 150, 150, 110]);
    // 30 of today's own 100 are spent and 60 are held: 10 are certainly unused.
    budgets.reserve(&[1], 30, NOW + 21).await.unwrap().settle(30);
    let held = budgets.reserve(&[1], 60, NOW + 21).await.unwrap();
    let tomorrow = &budgets.standings(end)[0];
    assert_eq!((tomorrow.limit_nano, tomorrow.carried_nano, tomorrow.settled_nano), (110, 10, 0));
    held.release();
    // Nobody spent anything for a week: only the cap is carried.
    assert_eq!(budgets.standings(end + 7 * 24 * HOUR)[0].limit_nano, 125);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn never_over_the_limit_under_concurrency() {
    let budgets = budgets(&[(1, 1_000, true), (2, 700, true)]);
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
