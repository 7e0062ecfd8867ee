//! What else can happen to a server that is cut off: it dies at any instant, another process comes into its directory,
//! the database comes back as an older copy of itself, or there are servers beside it that know nothing of spools.

use std::time::Duration;

use bailiwick::demo::simulator::Behaviour;

use crate::fleet::{Fleet, a_call, dollars, rounds, until};
use crate::proxy::Wire;
use crate::spool::{all_serve, ask, spool, spooled, wire};
use crate::support::database;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_any_state_of_being_cut_off_nothing_is_lost_or_booked_twice() {
    if Fleet::size() == 1 {
        return;
    }
    let mut fleet = Fleet::start_with(3, &a_call("0.001"), "staleness_seconds = 30\n").await;
    fleet.provider.set_behaviour(Behaviour::SlowTokens { delay: Duration::from_millis(8) });
    let purse = fleet.purse("shared", "1000", false).await;
    let load = fleet.load(&purse, 6);
    let mut wait = 0x9e37_79b9_7f4a_7c15_u64 ^ u64::from(std::process::id());
    for round in 0..rounds(8, 150) {
        wait ^= wait << 13;
        wait ^= wait >> 7;
        wait ^= wait << 17;
        load.more(200, 10).await;
        let victim = (wait >> 50) as usize % 3;
        wire(&fleet, victim, if wait & 1 == 0 { Wire::Cut } else { Wire::Silent });
        tokio::time::sleep(Duration::from_millis((wait >> 8) % 2_500)).await;
        // Two of three die when the database is there again: while they hand in, or just after.
        if round % 3 != 0 {
            wire(&fleet, victim, Wire::Works);
            tokio::time::sleep(Duration::from_millis((wait >> 24) % 120 * (1 + round as u64 % 8))).await;
        }
        fleet.replicas[victim].kill();
        wire(&fleet, victim, Wire::Works);
        fleet.replicas[victim].start();
        if round % 25 == 3 {
            fleet.records(victim).await;
        }
    }
    let statuses = load.stop().await;
    assert!(statuses.keys().all(|status| [0, 200, 503].contains(status)), "{statuses:?}");
    let said: String = fleet.replicas.iter().map(|replica| replica.said()).collect();
    assert!(
        said.contains("what the process before left in its spool is in the log"),
        "none died with a spool"
    );
    let handed_in = said.matches("what was in the spool is in the database").count();
    let records = fleet.finish().await;
    eprintln!("{statuses:?}, {handed_in} came back alive, {} records", records.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_process_does_not_take_the_directory_of_one_that_spools() {
    if Fleet::size() == 1 {
        return;
    }
    let mut fleet = Fleet::start_with(2, &a_call("0.01"), "staleness_seconds = 30\n").await;
    let purse = fleet.purse("shared", "100", false).await;
    all_serve(&fleet, &purse).await;
    spooled(&fleet, 0, &purse).await;
    let held = std::fs::read(spool(&fleet, 0)).unwrap();
    let said = fleet.replicas[0].refuses_to_start(&[]);
    assert!(said.contains("another server has it open"), "{said}");
    assert!(std::fs::read(spool(&fleet, 0)).unwrap().starts_with(&held), "it is left as it was");
    // A copy of the directory is no way around that: its server does not hand in for one that runs.
    assert_eq!(ask(&fleet, 0, &purse).await, 200);
    wire(&fleet, 0, Wire::Works);
    until("it hands in", || async {
        fleet.replicas[0].said().contains("what was in the spool is in the database")
    })
    .await;
    std::fs::write(spool(&fleet, 0).with_extension("copy"), &held).unwrap();
    fleet.replicas[1].end();
    std::fs::rename(spool(&fleet, 0).with_extension("copy"), spool(&fleet, 1)).unwrap();
    let said = fleet.replicas[1].refuses_to_start(&[]);
    assert!(said.contains("it is a copy"), "{said}");
    std::fs::remove_file(spool(&fleet, 1)).unwrap();
    fleet.replicas[1].start();
    all_serve(&fleet, &purse).await;
    fleet.finish().await;
}

async fn rename(from: &str, to: &str) {
    database::administer(&format!("ALTER DATABASE {from} RENAME TO {to}")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_comes_back_as_an_older_one_gets_nothing_and_the_right_one_gets_everything() {
    if Fleet::size() == 1 {
        return;
    }
    let mut fleet = Fleet::start_with(2, &a_call("0.01"), "staleness_seconds = 30\n").await;
    let purse = fleet.purse("shared", "100", false).await;
    all_serve(&fleet, &purse).await;
    let url = fleet.database_url().await;
    let name = database::name_of(&url);
    let (older, newer) = (format!("{name}_older"), format!("{name}_newer"));
    database::shut(name).await;
    database::create(&older, name, fleet.folder()).await;
    database::let_in(name).await;
    // Both of them write what the copy does not have.
    let empty = |fleet: &Fleet| (0..2).all(|at| std::fs::metadata(spool(fleet, at)).unwrap().len() < 200);
    until("both have it again", || async {
        all_serve(&fleet, &purse).await;
        empty(&fleet)
    })
    .await;
    // This one gets a number that the copy has not given yet.
    fleet.replicas[1].end();
    fleet.replicas[1].start();
    all_serve(&fleet, &purse).await;
    assert!(empty(&fleet));
    // One of them has something in its spool, and the other one nothing.
    spooled(&fleet, 0, &purse).await;
    let held = std::fs::metadata(spool(&fleet, 0)).unwrap().len();
    database::shut(name).await;
    rename(name, &newer).await;
    rename(&older, name).await;
    wire(&fleet, 0, Wire::Works);
    until("it says what is wrong", || async {
        fleet.replicas[0].said().contains("what is in the spool cannot be handed in")
    })
    .await;
    // The other one learns that nobody knows it, and that it is not to begin anew there either.
    until("the other one has ended", || async {
        ask(&fleet, 1, &purse).await == 0 && fleet.replicas[1].said().contains("an older copy was put back")
    })
    .await;
    let before = fleet.provider.received_count();
    let records = "SELECT count(*) FROM records";
    let count = database::number(&url, records).await;
    for _ in 0..5 {
        for at in 0..2 {
            assert_ne!(ask(&fleet, at, &purse).await, 200, "replica {at}");
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert_eq!(fleet.provider.received_count(), before, "nothing leaves");
    assert_eq!(database::number(&url, records).await, count, "nothing is mixed into the older one");
    assert!(std::fs::metadata(spool(&fleet, 0)).unwrap().len() >= held);
    // Who signed last, or has something in its spool, is not the same each time.
    let why = ["the database goes on with record number", "an older copy was put back"];
    for replica in &mut fleet.replicas {
        replica.kill();
        let said = replica.refuses_to_start(&[]);
        assert!(why.iter().any(|why| said.contains(why)), "{said}");
    }
    assert_eq!(database::number(&url, records).await, count);
    database::shut(name).await;
    rename(name, &older).await;
    rename(&newer, name).await;
    database::let_in(name).await;
    fleet.replicas.iter_mut().for_each(crate::fleet::Replica::start);
    assert!(fleet.replicas[0].said().contains("left in its spool is in the log"));
    all_serve(&fleet, &purse).await;
    fleet.settled().await;
    let calls = i64::try_from(fleet.provider.received_count()).unwrap();
    assert_eq!(fleet.spent(purse.budget).await, calls * dollars(1) / 100);
    fleet.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beside_an_older_version_nothing_is_spooled_until_that_has_left() {
    if Fleet::size() == 1 {
        return;
    }
    let mut fleet = Fleet::start_with(1, &a_call("0.01"), "staleness_seconds = 30\n").await;
    // A server of before: it says that it is there, and nothing of spools.
    fleet
        .sql(
            "INSERT INTO replicas (number, name, epoch, state, seen_ms, heartbeat_ms, indexed_to, settled_to) \
             VALUES (900, 'older.900', 1, 'live', 9000000000000, 0, 0, 0)",
        )
        .await;
    fleet.replicas[0].end();
    fleet.replicas[0].start();
    assert!(fleet.replicas[0].said().contains("a server of an older version runs"));
    let purse = fleet.purse("shared", "100", false).await;
    all_serve(&fleet, &purse).await;
    let empty = std::fs::metadata(spool(&fleet, 0)).unwrap().len();
    wire(&fleet, 0, Wire::Cut);
    // One that is thought dead is booked at once by such a one, so it must not have done anything.
    let before = fleet.provider.received_count();
    assert_eq!(ask(&fleet, 0, &purse).await, 503, "{}", fleet.replicas[0].said());
    assert_eq!(
        (fleet.provider.received_count(), std::fs::metadata(spool(&fleet, 0)).unwrap().len()),
        (before, empty)
    );
    wire(&fleet, 0, Wire::Works);
    all_serve(&fleet, &purse).await;
    fleet.sql("UPDATE replicas SET state = 'gone', epoch = epoch + 1 WHERE number = 900").await;
    until("it may spool", || async { fleet.spooling().await == 1 }).await;
    spooled(&fleet, 0, &purse).await;
    wire(&fleet, 0, Wire::Works);
    all_serve(&fleet, &purse).await;
    // One that comes late, because it had opened the database before, does not stay.
    fleet
        .sql(
            "INSERT INTO replicas (number, name, epoch, state, seen_ms, heartbeat_ms, indexed_to, settled_to) \
             VALUES (990, 'older.990', 1, 'live', 9000000000000, 0, 0, 0)",
        )
        .await;
    until("it is stopped", || async {
        fleet.replicas[0].said().contains("a server of an older version was stopped")
    })
    .await;
    fleet.finish().await;
}
