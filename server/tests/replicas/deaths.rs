//! Servers that are killed, paused and started again under load.

use std::time::{Duration, Instant};

use bailiwick::demo::simulator::Behaviour;

use crate::fleet::{Fleet, a_call, dollars, rounds, until};

/// Within which another replica has to have taken over.
const TAKEN_OVER: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_is_killed_and_one_paused_and_woken_and_nothing_is_lost_or_spent_twice() {
    if Fleet::size() == 1 {
        return;
    }
    const CALLS: i64 = 1_200;
    // What one that may spool held would come back only with its next start.
    let mut fleet = Fleet::start_with(3, &a_call("0.01"), "spool_bytes = 0\n").await;
    fleet.provider.set_behaviour(Behaviour::SlowTokens { delay: Duration::from_millis(5) });
    let purse = fleet.purse("shared", "12", false).await;
    let load = fleet.load(&purse, 4);
    load.more(200, 60).await;
    // The first one leads.
    let began = Instant::now();
    fleet.replicas[0].kill();
    fleet.replicas[1].running().signal("-STOP");
    load.more(200, 20).await;
    until("both are stopped and booked", || async {
        fleet.states().await.iter().filter(|state| *state == "gone").count() == 2
    })
    .await;
    let taken_over = began.elapsed();
    assert!(taken_over < TAKEN_OVER, "{taken_over:?}");
    let before = fleet.records(2).await.len();
    load.more(200, 20).await;
    assert!(fleet.records(2).await.len() > before, "another one leads");
    if rounds(1, 60) > 1 {
        // A minute in all.
        tokio::time::sleep(Duration::from_secs(60).saturating_sub(began.elapsed())).await;
    }
    fleet.replicas[1].running().signal("-CONT");
    until("the paused one is back", || async {
        fleet.states().await.iter().filter(|state| *state == "live").count() == 2
    })
    .await;
    assert!(fleet.replicas[1].said().contains("it begins again as a new one"));
    fleet.replicas[0].start();
    // What the two held has come back: the last call is affordable.
    until("all of it is spent", || async { fleet.spent(purse.budget).await >= dollars(12) }).await;
    load.more(429, 3).await;
    let statuses = load.stop().await;
    fleet.settled().await;
    assert_eq!(fleet.spent(purse.budget).await, dollars(12), "{statuses:?}");
    assert!(fleet.provider.received_count() <= CALLS as u64);
    fleet.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_instant_under_load_nothing_is_lost_or_booked_twice() {
    let mut fleet = Fleet::start(Fleet::size(), &a_call("0.001")).await;
    fleet.provider.set_behaviour(Behaviour::SlowTokens { delay: Duration::from_millis(8) });
    let purse = fleet.purse("shared", "1000", false).await;
    let load = fleet.load(&purse, 4);
    let mut wait = 0x2545_f491_4f6c_dd1d_u64 ^ std::process::id() as u64;
    for round in 0..rounds(6, 850) {
        wait ^= wait << 13;
        wait ^= wait >> 7;
        wait ^= wait << 17;
        load.more(200, 5).await;
        tokio::time::sleep(Duration::from_millis(wait % 600)).await;
        let victim = (wait >> 20) as usize % fleet.replicas.len();
        fleet.replicas[victim].kill();
        fleet.replicas[victim].start();
        // To verify the log takes longer the longer it is.
        if round == 2 || round % 40 == 39 {
            fleet.records(round % fleet.replicas.len()).await;
        }
    }
    let statuses = load.stop().await;
    assert!(statuses.keys().all(|status| [0, 200, 503].contains(status)), "{statuses:?}");
    let records = fleet.finish().await;
    let interrupted = records
        .iter()
        .filter(|record| {
            record.header.kind == "outcome" && record.sections["outcome"]["result"] == "server_stopped"
        })
        .count();
    eprintln!("{statuses:?}, {interrupted} booked for the dead, of {} records", records.len());
}
