//! Budgets under a wave of requests: as many as are affordable, and no more.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bailiwick::demo::simulator::Behaviour;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::books::Record;
use crate::fleet::{Asker, Fleet, Purse, a_call, dollars, rounds};

/// Requests of a wave, all at once.
const WAVE: usize = 400;

/// The statuses of a wave of requests, every other one a stream, over all replicas. Of `leaving` ones the client goes
/// away before the answer.
async fn wave(fleet: &Fleet, purse: &Purse, more: &Value, leaving: bool) -> Vec<u16> {
    let asked = (0..WAVE).map(|at| {
        let asker = Asker::new(fleet, at % fleet.replicas.len());
        let (key, mut more) = (purse.key.clone(), more.clone());
        more["stream"] = json!(at % 2 == 0);
        tokio::spawn(async move {
            if !(leaving && at % 5 == 0) {
                return asker.ask(&key, &more).await.expect("an answer").0;
            }
            let patience = Duration::from_millis(20 + 7 * (at as u64 % 40));
            let answer = tokio::time::timeout(patience, asker.send(&key, &more)).await;
            answer.ok().flatten().map_or(0, |answer| answer.status().as_u16())
        })
    });
    join_all(asked).await.into_iter().map(Result::unwrap).collect()
}

async fn exactly_a_hundred(count: usize, rounds: usize) {
    let mut fleet = Fleet::start(count, &a_call("0.01")).await;
    for round in 0..rounds {
        let purse = fleet.purse(&format!("wave-{round}"), "1", false).await;
        fleet.provider.clear();
        let leaving = round % 2 == 1;
        let statuses = wave(&fleet, &purse, &json!({}), leaving).await;
        let others: Vec<u16> =
            statuses.iter().copied().filter(|status| ![0, 200, 429].contains(status)).collect();
        assert!(others.is_empty(), "{others:?}");
        fleet.settled().await;
        let served = statuses.iter().filter(|status| **status == 200).count();
        assert_eq!(fleet.provider.received_count(), 100, "round {round}: {served} answers");
        assert_eq!(fleet.spent(purse.budget).await, dollars(1), "round {round}");
        if !leaving {
            assert_eq!(served, 100, "round {round}");
        }
    }
    fleet.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_400_at_once_a_budget_for_100_lets_exactly_100_through() {
    exactly_a_hundred(1, rounds(2, 20)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_400_at_once_over_three_servers_a_budget_for_100_lets_exactly_100_through() {
    if Fleet::size() == 3 {
        exactly_a_hundred(3, rounds(2, 20)).await;
    }
}

/// A call has 100 tokens of output at a dollar each 100.
const TOKENS: u64 = 100;
/// What is held for where the provider bills half more.
const HALF_MORE: u64 = TOKENS * 2 / 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn none_is_refused_needlessly() {
    let price = json!({ "input": "0", "output": "10000" });
    let mut fleet = Fleet::start(Fleet::size(), &price).await;
    for (name, more, billed) in [
        ("exact", json!({ "max_tokens": TOKENS }), TOKENS),
        ("none", json!({}), TOKENS),
        ("tenfold", json!({ "max_tokens": 10 * TOKENS }), TOKENS),
        ("half more", json!({ "max_tokens": HALF_MORE }), TOKENS),
    ] {
        let usage = json!({ "prompt_tokens": 10, "completion_tokens": billed, "total_tokens": 10 + billed });
        fleet.provider.set_behaviour(Behaviour::ReportUsage(usage));
        // Whoever lets `max_tokens` be lowered is served to the last cent.
        let purse = fleet.purse(&name.replace(' ', "-"), "100", true).await;
        let statuses = wave(&fleet, &purse, &more, false).await;
        let records = fleet.settled().await;
        let served = statuses.iter().filter(|status| **status == 200).count();
        eprintln!("{name}: {served} of {WAVE} are served");
        assert!(served >= 98, "{name}: {served} of 100 affordable ones are served");
        let (held, excess) = held_and_excess(&records, purse.budget);
        let over = fleet.spent(purse.budget).await - dollars(100);
        assert!(over <= excess, "{name}: {served} served, {over} nano-dollars over");
        if name == "half more" {
            // A call costs more than was held for it, so nothing of what is held comes back: no more are let through than
            // the budget holds worst cases, and on each server one for what is left then.
            assert!(held <= dollars(100), "{held} nano-dollars were held in all");
            let most = 100 * TOKENS / HALF_MORE;
            assert!(served as u64 <= most + fleet.replicas.len() as u64, "{served} of at most {most}");
        }
    }
    fleet.finish().await;
}

/// What was held for calls on a budget in all, and what they cost beyond what was held for each.
fn held_and_excess(records: &[Record], budget: i64) -> (i64, i64) {
    let mut held = HashMap::new();
    let (mut all, mut excess) = (0, 0);
    for record in records {
        let attempt = (record.id("decision"), record.id("attempt"));
        if let Some(section) = record.sections.get("attempt")
            && section["holds"]
                .as_array()
                .is_some_and(|holds| holds.iter().any(|hold| hold["budget"] == budget))
        {
            let reserved = section["reserved_nano"].as_i64().unwrap();
            all += reserved;
            held.insert(attempt, reserved);
        } else if let Some(held) = held.get(&attempt)
            && record.header.kind == "outcome"
        {
            excess += (record.sections["usage"]["cost_nano"].as_i64().unwrap() - held).max(0);
        }
    }
    (all, excess)
}

/// Requests of which it is counted how often they ask the database about budgets.
const STEADY: usize = 1_500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_steady_state_hardly_a_request_asks_the_database_about_budgets() {
    let mut fleet = Fleet::start(Fleet::size(), &a_call("0.0001")).await;
    let purse = fleet.purse("shared", "1000", false).await;
    let load = fleet.load(&purse, 6);
    load.more(200, 200).await;
    let (before, began) = (statements(&fleet, "lease").await, Instant::now());
    let looks = statements(&fleet, "look").await;
    let from = load.seen(200);
    while load.seen(200) < from + STEADY {
        load.more(200, 100).await;
    }
    let asked = statements(&fleet, "lease").await - before;
    let served = load.seen(200) - from;
    let (looked, seconds) = (statements(&fleet, "look").await - looks, began.elapsed().as_secs() + 1);
    load.stop().await;
    assert!(asked * 100 < served as u64, "{asked} statements for {served} requests");
    // Whether another one is short is looked for by the clock, not by the request.
    let most = fleet.replicas.len() as u64 * 4 * seconds;
    assert!(looked <= most, "{looked} looks in {seconds} s");
    eprintln!("{asked} leases for {served} requests, {looked} looks in {seconds} s");
    fleet.settled().await;
    fleet.finish().await;
}

/// How many statements about budgets of this kind there were on all servers.
async fn statements(fleet: &Fleet, kind: &str) -> u64 {
    let line = format!("bailiwick_budget_statements_total{{statement=\"{kind}\"}} ");
    let mut sum = 0;
    for replica in &fleet.replicas {
        let told = fleet.client.get(format!("{}/metrics", replica.url())).send().await.unwrap();
        let told = told.text().await.unwrap();
        sum += told
            .lines()
            .filter_map(|told| told.strip_prefix(&line))
            .map(|count| count.parse::<u64>().unwrap())
            .sum::<u64>();
    }
    sum
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rate_limit_holds_over_all_servers_together() {
    let mut fleet = Fleet::start(Fleet::size(), &a_call("0.01")).await;
    let purse = fleet.purse("shared", "1000", false).await;
    // A window that does not end meanwhile.
    fleet.apply(json!({ "limits": [{ "scope": "/acme", "requests": 100, "per": "day" }] })).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    fleet.provider.clear();
    let statuses = wave(&fleet, &purse, &json!({}), false).await;
    let served = statuses.iter().filter(|status| **status == 200).count();
    let refused = statuses.iter().filter(|status| **status == 429).count();
    assert_eq!((served, refused), (100, WAVE - 100));
    assert_eq!(fleet.provider.received_count(), 100);
    fleet.replicas.iter_mut().for_each(crate::fleet::Replica::end);
}
