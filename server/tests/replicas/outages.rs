//! The database goes away, falls silent, becomes slow: clear refusals meanwhile where there is no spool, and afterwards
//! everything goes on by itself.

use std::time::{Duration, Instant};

use bailiwick::demo::simulator::Behaviour;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::fleet::{Fleet, PATIENCE, Purse, a_call, dollars, rounds, until};
use crate::proxy::Wire;

/// How long a refusal may take while the database says nothing at all.
const REFUSED: Duration = Duration::from_secs(16);
/// Within which a server serves again.
const BACK: Duration = Duration::from_secs(12);
/// What a statement takes in a database that is hardly there, and how long an answer and the way back may take then.
const A_STATEMENT: Duration = Duration::from_secs(3);
const CRAWLED: Duration = Duration::from_secs(24);

const NO_SPOOL: &str = "spool_bytes = 0\n";

fn set(fleet: &Fleet, wire: Wire) {
    fleet.replicas.iter().for_each(|replica| replica.wire.as_ref().unwrap().set(wire));
}

/// Every replica refuses, in good form, and nothing gets to the provider.
async fn refused(fleet: &Fleet, purse: &Purse, at: impl IntoIterator<Item = usize>) {
    for at in at {
        assert_eq!(answered(fleet, purse, at, REFUSED).await, 503, "replica {at}");
    }
}

/// What a replica answers, in time: an answer of a model's, or a refusal in good form.
async fn answered(fleet: &Fleet, purse: &Purse, at: usize, within: Duration) -> u16 {
    let nothing_more = json!({});
    let asked = fleet.ask(at, &purse.key, &nothing_more);
    let (status, body) = tokio::time::timeout(within, asked).await.expect("in time").expect("an answer");
    if status == 200 {
        return status;
    }
    assert_eq!(status, 503, "replica {at}: {}", String::from_utf8_lossy(&body));
    let body: Value = serde_json::from_slice(&body).unwrap();
    let code = body["error"]["code"].as_str().unwrap();
    assert!(["audit_unavailable", "unavailable"].contains(&code), "{body}");
    assert!(body["bailiwick"]["fix"].is_string(), "{body}");
    status
}

async fn served(fleet: &Fleet, purse: &Purse, at: usize) -> Duration {
    until(&format!("replica {at} serves"), || async {
        let answer = tokio::time::timeout(PATIENCE, fleet.ask(at, &purse.key, &json!({}))).await;
        matches!(answer, Ok(Some((200, _))))
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_cut_off_or_silent_or_slow_is_survived_without_help() {
    if Fleet::size() == 1 {
        return;
    }
    let mut fleet = Fleet::start_with(3, &a_call("0.01"), NO_SPOOL).await;
    let purse = fleet.purse("shared", "100", false).await;
    for wire in [Wire::Cut, Wire::Silent] {
        for at in 0..3 {
            served(&fleet, &purse, at).await;
        }
        set(&fleet, wire);
        tokio::time::sleep(Duration::from_millis(100)).await;
        let before = fleet.provider.received_count();
        let began = Instant::now();
        refused(&fleet, &purse, 0..3).await;
        // Longer than a replica may be silent.
        tokio::time::sleep(Duration::from_secs(8).saturating_sub(began.elapsed())).await;
        refused(&fleet, &purse, 0..3).await;
        assert_eq!(fleet.provider.received_count(), before, "{wire:?}: nothing leaves without a record");
        set(&fleet, Wire::Works);
        for at in 0..3 {
            let back = served(&fleet, &purse, at).await;
            assert!(back < BACK, "{wire:?}: {back:?}");
        }
        for replica in &fleet.replicas {
            assert!(
                !replica.said().contains("a silent replica was stopped"),
                "{wire:?}: all of them were silent"
            );
        }
    }
    set(&fleet, Wire::Slow(Duration::from_millis(100)));
    for at in 0..3 {
        served(&fleet, &purse, at).await;
    }
    set(&fleet, Wire::Works);
    fleet.settled().await;
    fleet.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_takes_three_seconds_for_a_statement_is_survived_without_help() {
    if Fleet::size() == 1 {
        return;
    }
    let limits = "spool_bytes = 0\nstaleness_seconds = 5\n";
    let mut fleet = Fleet::start_with(3, &a_call("0.01"), limits).await;
    let purse = fleet.purse("shared", "100", false).await;
    for at in 0..3 {
        served(&fleet, &purse, at).await;
    }
    // As long on the way there as on the way back.
    set(&fleet, Wire::Slow(A_STATEMENT / 2));
    let began = Instant::now();
    // What a record can still be written for is served. For longer than the bound nobody knows what is in force.
    loop {
        let late = began.elapsed() > Duration::from_secs(6);
        let all = join_all((0..3).map(|at| answered(&fleet, &purse, at, CRAWLED))).await;
        eprintln!("{all:?} after {:?}", began.elapsed());
        if late && all == [503, 503, 503] {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "{all:?}");
    }
    let before = fleet.provider.received_count();
    let all = join_all((0..3).map(|at| answered(&fleet, &purse, at, CRAWLED))).await;
    assert_eq!(all, [503, 503, 503]);
    assert_eq!(fleet.provider.received_count(), before, "nothing leaves without a record");
    set(&fleet, Wire::Works);
    for at in 0..3 {
        let back = served(&fleet, &purse, at).await;
        assert!(back < CRAWLED, "{back:?}");
    }
    fleet.settled().await;
    fleet.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wire_that_is_cut_again_and_again_under_load_loses_and_doubles_nothing() {
    if Fleet::size() == 1 {
        return;
    }
    let fleet = Fleet::start(3, &a_call("0.01")).await;
    fleet.provider.set_behaviour(Behaviour::SlowTokens { delay: Duration::from_millis(8) });
    let purse = fleet.purse("shared", "1000", false).await;
    let load = fleet.load(&purse, 4);
    for round in 0..rounds(10, 100) {
        load.more(200, 10).await;
        let wire = fleet.replicas[round % 3].wire.as_ref().unwrap();
        wire.set(Wire::Cut);
        // Longer than the database needs to be asked what became of a commit.
        tokio::time::sleep(Duration::from_millis(300 + 130 * (round as u64 % 7))).await;
        wire.set(Wire::Works);
    }
    let statuses = load.stop().await;
    assert!(statuses.keys().all(|status| [0, 200, 503].contains(status)), "{statuses:?}");
    fleet.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_died_without_a_word_are_given_up() {
    if Fleet::size() == 1 {
        return;
    }
    let fleet = Fleet::start(3, &a_call("0.01")).await;
    let purse = fleet.purse("shared", "100", false).await;
    for at in 0..3 {
        served(&fleet, &purse, at).await;
    }
    fleet.replicas.iter().for_each(|replica| replica.wire.as_ref().unwrap().lose());
    for at in 0..3 {
        served(&fleet, &purse, at).await;
    }
    until("all of it is booked", || async {
        let calls = i64::try_from(fleet.provider.received_count()).unwrap();
        fleet.spent(purse.budget).await == calls * dollars(1) / 100
    })
    .await;
    until("nobody is missing", || async {
        fleet.states().await.iter().filter(|state| *state == "live").count() == 3
    })
    .await;
    fleet.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_loses_the_database_is_replaced_and_comes_back_by_itself() {
    if Fleet::size() == 1 {
        return;
    }
    let fleet = Fleet::start_with(3, &a_call("0.01"), NO_SPOOL).await;
    let purse = fleet.purse("shared", "100", false).await;
    let wire = fleet.replicas[0].wire.as_ref().unwrap();
    wire.set(Wire::Cut);
    tokio::time::sleep(Duration::from_millis(100)).await;
    refused(&fleet, &purse, [0]).await;
    until("it is stopped", || async { fleet.states().await.iter().any(|state| state == "gone") }).await;
    for at in [1, 2] {
        let back = served(&fleet, &purse, at).await;
        assert!(back < Duration::from_secs(1), "the others did not notice: {back:?}");
    }
    refused(&fleet, &purse, [0]).await;
    wire.set(Wire::Works);
    let back = served(&fleet, &purse, 0).await;
    assert!(back < BACK, "{back:?}");
    fleet.finish().await;
}
