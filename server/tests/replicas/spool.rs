//! Servers that are cut off from the database: they go on from their spool for a while, spend only what they hold, and
//! what they recorded comes into the log, whatever becomes of them.

use std::time::{Duration, Instant};

use bailiwick::demo::simulator::Behaviour;
use reqwest::Method;
use serde_json::{Value, json};

use crate::fleet::{Fleet, Purse, a_call, dollars, until};
use crate::proxy::Wire;

/// For how long a server that is cut off lets requests in.
const BOUND: Duration = Duration::from_secs(5);
const LIMITS: &str = "staleness_seconds = 5\n";

pub(crate) async fn ask(fleet: &Fleet, at: usize, purse: &Purse) -> u16 {
    fleet.ask(at, &purse.key, &json!({})).await.map_or(0, |(status, _)| status)
}

/// Each server holds a part of the budget once it has served.
pub(crate) async fn all_serve(fleet: &Fleet, purse: &Purse) {
    for at in 0..fleet.replicas.len() {
        until("it serves", || async { ask(fleet, at, purse).await == 200 }).await;
    }
}

pub(crate) fn wire(fleet: &Fleet, at: usize, wire: Wire) {
    fleet.replicas[at].wire.as_ref().unwrap().set(wire);
}

pub(crate) fn spool(fleet: &Fleet, at: usize) -> std::path::PathBuf {
    fleet.data(at).join("spool")
}

/// Serves from the spool of the replica number `at` until that holds something; how many requests that were.
pub(crate) async fn spooled(fleet: &Fleet, at: usize, purse: &Purse) -> u64 {
    let empty = std::fs::metadata(spool(fleet, at)).unwrap().len();
    wire(fleet, at, Wire::Cut);
    let before = fleet.provider.received_count();
    for _ in 0..5 {
        assert_eq!(ask(fleet, at, purse).await, 200, "{}", fleet.replicas[at].said());
    }
    assert!(std::fs::metadata(spool(fleet, at)).unwrap().len() > empty, "it is in the spool");
    fleet.provider.received_count() - before
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_that_lose_the_database_go_on_for_a_while_and_hand_in_what_they_did() {
    if Fleet::size() == 1 {
        return;
    }
    let mut fleet = Fleet::start_with(3, &a_call("0.01"), LIMITS).await;
    let purse = fleet.purse("shared", "100", false).await;
    for cut in [Wire::Cut, Wire::Silent] {
        all_serve(&fleet, &purse).await;
        (0..3).for_each(|at| wire(&fleet, at, cut));
        let began = Instant::now();
        let before = fleet.provider.received_count();
        let mut served = 0;
        while began.elapsed() < BOUND / 2 {
            for at in 0..3 {
                served += u64::from(ask(&fleet, at, &purse).await == 200);
            }
        }
        assert!(served > 6, "{cut:?}: {served}");
        assert_eq!(fleet.provider.received_count(), before + served);
        tokio::time::sleep((BOUND + Duration::from_millis(500)).saturating_sub(began.elapsed())).await;
        for at in 0..3 {
            assert_eq!(ask(&fleet, at, &purse).await, 503, "{cut:?}: it knows too little by now");
            let ready = fleet.client.get(format!("{}/readyz", fleet.replicas[at].url())).send().await;
            assert_eq!(ready.unwrap().status(), 503);
        }
        assert_eq!(fleet.provider.received_count(), before + served, "nothing more is sent");
        (0..3).for_each(|at| wire(&fleet, at, Wire::Works));
        all_serve(&fleet, &purse).await;
    }
    // Every answer has its record, and every call is booked once.
    fleet.settled().await;
    let calls = i64::try_from(fleet.provider.received_count()).unwrap();
    assert_eq!(fleet.spent(purse.budget).await, calls * dollars(1) / 100);
    fleet.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_killed_with_a_spool_loses_nothing_and_its_part_stays_its_own() {
    if Fleet::size() == 1 {
        return;
    }
    let mut fleet = Fleet::start_with(3, &a_call("0.01"), LIMITS).await;
    let purse = fleet.purse("shared", "1", false).await;
    all_serve(&fleet, &purse).await;
    // A request that is under way when it is killed, too.
    assert_eq!(spooled(&fleet, 0, &purse).await, 5);
    fleet.provider.set_behaviour(Behaviour::SlowTokens { delay: Duration::from_millis(200) });
    let asker = crate::fleet::Asker::new(&fleet, 0);
    let _under_way = asker.send(&purse.key, &json!({ "stream": true })).await;
    fleet.replicas[0].kill();
    fleet.provider.set_behaviour(Behaviour::Normal);
    until("it is missed", || async { fleet.states().await.iter().any(|state| state == "fenced") }).await;
    // The others spend all that there is for them, and nothing of what it may have spent.
    let mut refused = 0;
    while refused < 6 {
        for at in [1, 2] {
            match ask(&fleet, at, &purse).await {
                200 => {}
                429 => refused += 1,
                other => panic!("{other}"),
            }
        }
    }
    assert!(fleet.provider.received_count() < 100, "what it holds is not free");
    let replicas: Value = fleet.admin(1, Method::GET, "/api/v1/replicas", None).await.json().await.unwrap();
    let missing: Vec<&Value> = replicas["replicas"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|replica| replica["state"] == "missing")
        .collect();
    assert_eq!(missing.len(), 1, "{replicas}");
    assert!(missing[0]["holds"][0]["amount"].as_i64().unwrap() > 0, "{replicas}");

    wire(&fleet, 0, Wire::Works);
    fleet.replicas[0].start();
    assert!(fleet.replicas[0].said().contains("left in its spool is in the log"));
    until("all of it is spent", || async {
        for at in 0..3 {
            ask(&fleet, at, &purse).await;
        }
        fleet.spent(purse.budget).await == dollars(1)
    })
    .await;
    fleet.settled().await;
    assert_eq!(fleet.provider.received_count(), 100, "to the last cent, and not beyond it");
    assert_eq!(fleet.spent(purse.budget).await, dollars(1));
    fleet.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_cut_off_while_the_others_go_on_spends_only_what_it_holds() {
    if Fleet::size() == 1 {
        return;
    }
    let mut fleet = Fleet::start_with(3, &a_call("0.01"), "staleness_seconds = 20\n").await;
    let purse = fleet.purse("shared", "3", false).await;
    all_serve(&fleet, &purse).await;
    let load = fleet.load(&purse, 4);
    load.more(200, 30).await;
    wire(&fleet, 0, Wire::Cut);
    // It is declared dead, and serves on; then it has the database again, and learns that.
    until("it is missed", || async { fleet.states().await.iter().any(|state| state == "fenced") }).await;
    wire(&fleet, 0, Wire::Works);
    until("it begins anew with what was in its spool", || async {
        // In this order: the one that it was may have been ready just before.
        let said = fleet.replicas[0].said();
        let ready = fleet.client.get(format!("{}/readyz", fleet.replicas[0].url())).send().await;
        said.contains("it begins again as a new one")
            && said.contains("left in its spool is in the log")
            && ready.is_ok_and(|answer| answer.status() == 200)
    })
    .await;
    until("all of it is spent", || async { fleet.spent(purse.budget).await >= dollars(3) }).await;
    load.more(429, 6).await;
    let statuses = load.stop().await;
    assert!(statuses.keys().all(|status| [0, 200, 429, 503].contains(status)), "{statuses:?}");
    fleet.settled().await;
    assert_eq!(fleet.spent(purse.budget).await, dollars(3), "{statuses:?}");
    assert!(fleet.provider.received_count() <= 300);
    fleet.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spool_that_is_full_refuses_and_what_was_under_way_is_booked() {
    if Fleet::size() == 1 {
        return;
    }
    let limits = "staleness_seconds = 60\nspool_bytes = 20000\n";
    let mut fleet = Fleet::start_with(1, &a_call("0.01"), limits).await;
    let purse = fleet.purse("shared", "100", false).await;
    all_serve(&fleet, &purse).await;
    wire(&fleet, 0, Wire::Cut);
    let mut served = 0;
    let refused = loop {
        match ask(&fleet, 0, &purse).await {
            200 => served += 1,
            other => break other,
        }
    };
    assert_eq!(refused, 503);
    assert!(served > 1, "{served}");
    assert!(std::fs::metadata(spool(&fleet, 0)).unwrap().len() <= 20_000);
    let ready = fleet.client.get(format!("{}/readyz", fleet.replicas[0].url())).send().await;
    assert_eq!(ready.unwrap().status(), 503, "a load balancer goes elsewhere");
    wire(&fleet, 0, Wire::Works);
    all_serve(&fleet, &purse).await;
    fleet.settled().await;
    let calls = i64::try_from(fleet.provider.received_count()).unwrap();
    assert_eq!(fleet.spent(purse.budget).await, calls * dollars(1) / 100);
    fleet.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_spool_is_not_dropped_and_one_that_is_lost_has_to_be_said_to_be() {
    if Fleet::size() == 1 {
        return;
    }
    let fleet_limits = LIMITS;
    let mut fleet = Fleet::start_with(2, &a_call("0.01"), fleet_limits).await;
    let purse = fleet.purse("shared", "1", false).await;
    all_serve(&fleet, &purse).await;
    spooled(&fleet, 0, &purse).await;
    fleet.replicas[0].kill();
    wire(&fleet, 0, Wire::Works);
    let path = spool(&fleet, 0);
    let whole = std::fs::read(&path).unwrap();
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    std::fs::write(&path, &damaged).unwrap();
    let said = fleet.replicas[0].refuses_to_start(&[]);
    assert!(said.contains("is damaged at byte") && said.contains("bailiwick replicas lost"), "{said}");
    assert_eq!(std::fs::read(&path).unwrap(), damaged, "it is left as it is");

    // Moved away, it is missed until somebody says that it is lost.
    std::fs::rename(&path, path.with_extension("damaged")).unwrap();
    fleet.replicas[0].start();
    assert!(fleet.replicas[0].said().contains("is not in this data directory"));
    let listed: Value = fleet.admin(1, Method::GET, "/api/v1/replicas", None).await.json().await.unwrap();
    let missing = listed["replicas"].as_array().unwrap().iter().find(|one| one["state"] == "missing");
    let number = missing.unwrap_or_else(|| panic!("{listed}"))["number"].as_i64().unwrap();
    let live = listed["replicas"][1]["number"].as_i64().unwrap();
    let say = |number: i64| format!("/api/v1/replicas/{number}/lost");
    let reason = json!({ "reason": "the disk is gone" });
    assert_eq!(fleet.admin(1, Method::POST, &say(live), Some(&reason)).await.status(), 409);
    assert_eq!(fleet.admin(1, Method::POST, &say(999), Some(&reason)).await.status(), 404);
    assert_eq!(fleet.admin(1, Method::POST, &say(number), Some(&json!({}))).await.status(), 400);
    assert_eq!(fleet.admin(1, Method::POST, &say(number), Some(&reason)).await.status(), 200);
    until("nobody waits for it", || async {
        fleet.states().await.iter().filter(|state| *state == "fenced").count() == 0
    })
    .await;
    let records = fleet.records(1).await;
    let told = records.iter().any(|record| {
        record.sections.get("act").is_some_and(|act| {
            act["act"] == "replica_lost"
                && act["what"]["replica"] == number
                && act["what"]["holds"][0]["amount"].as_i64() > Some(0)
                && act["what"]["before"] == json!({ "state": "missing" })
                && act["what"]["after"] == json!({ "state": "stopped" })
        })
    });
    assert!(told, "what was given up is in the log");

    // If it turns up after all, it does not come in by a back door, and nothing of it is dropped.
    fleet.replicas[0].end();
    std::fs::write(&path, &whole).unwrap();
    let said = fleet.replicas[0].refuses_to_start(&[]);
    assert!(said.contains("was declared lost"), "{said}");
    std::fs::remove_file(&path).unwrap();
    fleet.replicas[0].start();
    all_serve(&fleet, &purse).await;
}
