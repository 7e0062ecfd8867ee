//! Servers that are killed, paused and started again under load.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bailiwick::demo::simulator::Behaviour;

use crate::fleet::{Fleet, a_call, dollars, rounds, until};

/// Within which another replica has to have taken over.
pub(crate) const TAKEN_OVER: Duration = Duration::from_secs(10);

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
    load.more(200, 4).await;
    // What the two had under way in the database has happened by now.
    let (sequenced, there) = fleet.sequenced().await;
    assert!(sequenced < there, "the one that was killed did not lead");
    load.more(200, 16).await;
    until("another one sequences", || async { fleet.sequenced().await.0 >= there }).await;
    let sequenced = began.elapsed();
    assert!(sequenced < TAKEN_OVER, "{sequenced:?}");
    until("both are stopped and booked", || async {
        fleet.states().await.iter().filter(|state| *state == "gone").count() == 2
    })
    .await;
    let taken_over = began.elapsed();
    assert!(taken_over < TAKEN_OVER, "{taken_over:?}");
    eprintln!("sequenced again after {sequenced:?}, all booked after {taken_over:?}");
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

/// Kills after which the log is looked at.
const A_PART: usize = 20;

/// Numbers that no two runs have in common.
struct Dice(u64);

impl Dice {
    fn of(seed: usize) -> Self {
        let seed = (seed as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self(seed ^ 0x2545_f491_4f6c_dd1d ^ u64::from(std::process::id()))
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) % bound
    }
}

/// A hundred on each kind of database, and a thousand in the long tier: each while clients wait for the server's answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_instant_under_load_nothing_is_lost_or_booked_twice() {
    let kills = rounds(100, 1_000);
    let mut fleet = Fleet::start(Fleet::size(), &a_call("0.001")).await;
    fleet.provider.set_behaviour(Behaviour::SlowTokens { delay: Duration::from_millis(8) });
    let purse = fleet.purse("shared", "1000", false).await;
    let load = fleet.load(&purse, 3);
    let (killed, before_it_served) = (AtomicUsize::new(0), AtomicUsize::new(0));
    for part in 0..kills.div_ceil(A_PART) {
        let (of_part, begun) = (A_PART.min(kills - part * A_PART), AtomicUsize::new(0));
        // Of three, two die beside one another: whoever leads is among them two times in three, and nothing is awaited
        // but that the one that dies has served.
        let spared = (fleet.replicas.len() > 1).then(|| part % fleet.replicas.len());
        std::thread::scope(|scope| {
            for (at, replica) in fleet.replicas.iter_mut().enumerate() {
                if spared == Some(at) {
                    continue;
                }
                let (load, begun, killed, before_it_served) = (&load, &begun, &killed, &before_it_served);
                scope.spawn(move || {
                    let mut dice = Dice::of(part * 8 + at);
                    while begun.fetch_add(1, Ordering::Relaxed) < of_part {
                        load.wait_until_served(at, 1 + dice.below(3) as usize);
                        std::thread::sleep(Duration::from_micros(dice.below(120_000)));
                        replica.kill();
                        killed.fetch_add(1, Ordering::Relaxed);
                        // Now and then once more, in the middle of making good what the first time left.
                        if dice.below(8) == 0 {
                            replica.die_while_it_starts(Duration::from_millis(dice.below(400)));
                            before_it_served.fetch_add(1, Ordering::Relaxed);
                        }
                        replica.start();
                    }
                });
            }
        });
        // To verify the log takes longer the longer it is.
        if part < 5 || part % 5 == 4 {
            fleet.records(spared.unwrap_or(0)).await;
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
    let (killed, before_it_served) = (killed.into_inner(), before_it_served.into_inner());
    eprintln!(
        "{killed} killed under load and {before_it_served} while they started; {statuses:?}, {interrupted} booked for the \
         dead, of {} records",
        records.len()
    );
    assert_eq!(killed, kills);
    assert!(interrupted > 0, "nobody waited for an answer of a server that was killed");
}
