//! Limits of requests, tokens and concurrency, beside budgets in one chain.

use std::sync::atomic::{AtomicI64, Ordering};

use proptest::prelude::*;

use super::shared::{LONG, replicas, rows};
use super::*;

const MONEY: i64 = 1;
const REQUESTS: i64 = 2;
const TOKENS: i64 = 3;
const CONCURRENT: i64 = 4;
const ALL: [i64; 4] = [MONEY, REQUESTS, TOKENS, CONCURRENT];

fn limit(id: i64, unit: Unit, window: Window, amount: i64) -> Budget {
    Budget { unit, ..Budget::new(id, window, amount) }
}

async fn limited(money: i64, requests: i64, tokens: i64, concurrent: i64) -> Shared {
    Shared::of(vec![
        Budget::new(MONEY, Window::DAY, money),
        limit(REQUESTS, Unit::Requests, Window::LAST_MINUTE, requests),
        limit(TOKENS, Unit::Tokens, Window::LAST_HOUR, tokens),
        limit(CONCURRENT, Unit::Concurrent, Window::Total, concurrent),
    ])
    .await
}

fn claim(nano: i64, tokens: i64) -> Claim {
    Claim { money: Amount::exactly(nano), tokens, requests: 1, concurrent: 1 }
}

fn cost(nano: i64, tokens: i64) -> Cost {
    Cost { nano, tokens: Some(tokens) }
}

#[tokio::test]
async fn one_reservation_holds_on_all_of_them_or_on_none() {
    let shared = limited(1_000, 3, 100, 2).await;
    let budgets = shared.replica("r1", PATIENCE, Arc::new(NoBus)).await;
    let one = budgets.claim(&ALL, claim(10, 40), NOW).await.unwrap();
    assert_eq!(ALL.map(|id| standing(&budgets, id)), [(0, 10), (0, 1), (0, 40), (0, 1)]);
    // What is under way is never booked, not even by a crash.
    let units: Vec<Unit> = one.worst_case().iter().map(|held| held.unit).collect();
    assert_eq!(units, [Unit::Usd, Unit::Requests, Unit::Tokens]);
    let refused = refusal(budgets.claim(&ALL, claim(10, 101), NOW).await.unwrap_err());
    assert_eq!((refused.unit, refused.limit_nano, refused.asked_nano), (Unit::Tokens, 100, 101));
    assert_eq!(ALL.map(|id| standing(&budgets, id)), [(0, 10), (0, 1), (0, 40), (0, 1)]);

    let settled = one.settle_for(cost(7, 25));
    settled.durable();
    settled.durable();
    assert_eq!(ALL.map(|id| standing(&budgets, id)), [(7, 0), (1, 0), (25, 0), (0, 0)]);
    // A second attempt of the same request is no second request.
    let again = Claim { requests: 0, ..claim(10, 40) };
    budgets.claim(&ALL, again, NOW).await.unwrap().settle_for(cost(0, 0)).durable();
    assert_eq!(standing(&budgets, REQUESTS), (1, 0));

    let two = budgets.claim(&ALL, claim(1, 1), NOW).await.unwrap();
    let three = budgets.claim(&ALL, claim(1, 1), NOW).await.unwrap();
    let refused = refusal(budgets.claim(&ALL, claim(1, 1), NOW).await.unwrap_err());
    assert_eq!(refused.unit, Unit::Requests, "what is under way was made");
    two.release();
    let three = {
        let mut three = three;
        three.sent();
        three
    };
    drop(three);
    assert_eq!(ALL.map(|id| standing(&budgets, id)), [(8, 0), (2, 0), (26, 0), (0, 0)]);
    let third = budgets.claim(&ALL, claim(1, 1), NOW).await.unwrap();
    third.settle_for(cost(1, 1)).durable();

    // The window goes on, and what was used long enough ago is forgotten.
    assert!(budgets.claim(&ALL, claim(1, 1), NOW + 30_000).await.is_err());
    budgets.claim(&ALL, claim(1, 1), NOW + 60_000).await.unwrap().release();
    let rates = budgets.rates(&ALL, NOW + 60_000);
    assert_eq!(rates.requests.map(|rate| (rate.limit, rate.remaining, rate.resets_in_ms)), Some((3, 3, 0)));
    assert_eq!(rates.tokens.map(|rate| (rate.limit, rate.remaining)), Some((100, 73)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_hold_over_replicas() {
    for count in [1_usize, 3] {
        let shared = limited(1_000_000, 60, 1_000_000, 7).await;
        let replicas = replicas(&shared, count, LONG, true).await;
        let (open, most, served) =
            (Arc::new(AtomicI64::new(0)), Arc::new(AtomicI64::new(0)), Arc::new(AtomicI64::new(0)));
        let mut calls = Vec::new();
        for call in 0..240 {
            let replica = replicas[call % replicas.len()].clone();
            let (open, most, served) = (Arc::clone(&open), Arc::clone(&most), Arc::clone(&served));
            calls.push(tokio::spawn(async move {
                let Ok(mut held) = replica.budgets.claim(&ALL, claim(10, 100), NOW).await else { return };
                most.fetch_max(open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                held.sent();
                tokio::time::sleep(Duration::from_millis(3)).await;
                served.fetch_add(1, Ordering::SeqCst);
                open.fetch_sub(1, Ordering::SeqCst);
                replica.book.send(held.settle_for(cost(5, 50))).unwrap();
            }));
        }
        for call in calls {
            call.await.unwrap();
        }
        assert_eq!(served.load(Ordering::SeqCst), 60, "on {count}");
        assert!(most.load(Ordering::SeqCst) <= 7, "{most:?} at one time on {count}");
        tokio::time::sleep(Duration::from_millis(100)).await;
        let settled =
            async |id| rows(&shared.store, id).await.iter().map(|(_, settled)| settled).sum::<i64>();
        assert_eq!(settled(REQUESTS).await, 60);
        assert_eq!(settled(TOKENS).await, 60 * 50);
        assert_eq!(settled(CONCURRENT).await, 0);
    }
}

#[tokio::test]
async fn a_budget_of_money_is_not_asked_about_by_limits_alone() {
    let shared = limited(0, 5, 100, 5).await;
    let budgets = shared.replica("r1", PATIENCE, Arc::new(NoBus)).await;
    budgets.claim(&[REQUESTS, TOKENS], claim(1_000, 1), NOW).await.unwrap().release();
    assert_eq!(refusal(budgets.claim(&ALL, claim(1, 1), NOW).await.unwrap_err()).unit, Unit::Usd);
    budgets.claim(&ALL, Claim::ONE_REQUEST, NOW).await.unwrap().settle(0).durable();
    assert_eq!(ALL.map(|id| standing(&budgets, id)), [(0, 0), (1, 0), (0, 0), (0, 0)]);
}

#[test]
fn units_are_read_as_they_are_written() {
    for unit in Unit::ALL {
        assert_eq!(unit.as_str().parse(), Ok(unit));
    }
    for wrong in ["", "Usd", "watts", &"x".repeat(1_000)] {
        let error = wrong.parse::<Unit>().unwrap_err();
        assert!(error.contains("requests") && error.len() < 200, "{error}");
    }
}

proptest! {
    #[test]
    fn what_is_booked_never_wraps_and_is_never_less_than_nothing(
        nano: i64,
        tokens in prop::option::of(any::<i64>()),
        held in 0..i64::MAX,
    ) {
        for unit in Unit::ALL {
            let booked = Cost { nano, tokens }.of(unit, held);
            prop_assert!(booked >= 0);
            prop_assert!(unit != Unit::Concurrent || booked == 0);
            prop_assert!(unit != Unit::Requests || booked == held);
        }
    }

    #[test]
    fn the_tightest_rate_is_told(rates in prop::collection::vec((1..1_000_i64, 0..1_000_i64, 0..100_000_i64), 1..6)) {
        let mut told = Rates::default();
        for (limit, remaining, resets_in_ms) in &rates {
            told.add(Unit::Requests, Rate { limit: *limit, remaining: *remaining, resets_in_ms: *resets_in_ms });
        }
        let least = rates.iter().map(|(_, remaining, _)| *remaining).min();
        prop_assert_eq!(told.requests.map(|rate| rate.remaining), least);
        prop_assert_eq!(told.tokens, None);
    }
}
