//! Credentials over several servers: a new value is in force everywhere within a second, the master key is replaced under
//! load, and a workload's key works everywhere.

use std::time::{Duration, Instant};

use bailiwick::clock::Clock;
use reqwest::Method;
use serde_json::{Value, json};

use crate::fleet::{Fleet, a_call, until};
use crate::idp::{Idp, Signature};

const PATH: &str = "/api/v1/credentials";

/// What the provider was last sent.
fn sent(fleet: &Fleet) -> String {
    let received = fleet.provider.received();
    received.last().and_then(|last| last.header("authorization")).unwrap_or_default().to_owned()
}

async fn post(fleet: &Fleet, at: usize, path: &str, body: &Value) -> (u16, Value) {
    let answer = fleet.admin(at, Method::POST, path, Some(body)).await;
    (answer.status().as_u16(), answer.json().await.unwrap())
}

fn write_keys(fleet: &Fleet, at: usize, keys: &[&str]) {
    std::fs::write(fleet.data(at).join("master.key"), keys.join("\n")).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_master_key_is_replaced_on_every_server_under_load() {
    let mut fleet = Fleet::start(Fleet::size(), &a_call("0.01")).await;
    let (all, last) = (0..fleet.replicas.len(), fleet.replicas.len() - 1);
    let purse = fleet.purse("load", "1000", false).await;
    let first = std::fs::read_to_string(fleet.data(0).join("master.key")).unwrap();
    let value = |text: &str| json!({ "name": "kept", "scope": "/acme", "value": text });
    if last > 0 {
        // Each has made a key of its own, and nobody seals what another cannot open.
        let (status, refused) = post(&fleet, 0, PATH, &value("sk-one")).await;
        assert_eq!((status, &refused["code"]), (409, &json!("not_sealed")), "{refused}");
        assert!(refused["detail"].as_str().unwrap().contains("replica-"), "{refused}");
    }
    for at in all.clone() {
        write_keys(&fleet, at, &[first.trim()]);
    }
    until("all have the key", || async { post(&fleet, last, PATH, &value("sk-one")).await.0 == 201 }).await;
    let declared: Value =
        fleet.admin(0, Method::GET, "/api/v1/organisation", None).await.json().await.unwrap();
    let mut endpoint = declared["endpoints"][0].clone();
    endpoint["credential"] = json!("kept");
    fleet.apply(json!({ "endpoints": [endpoint] })).await;
    for at in all.clone() {
        until("it is used", || async {
            fleet.ask(at, &purse.key, &json!({})).await.is_some_and(|(status, _)| status == 200)
                && sent(&fleet) == "Bearer sk-one"
        })
        .await;
    }

    let load = fleet.load(&purse, 2);
    load.more(200, 20).await;
    let second = "5a".repeat(32);
    for at in all.clone() {
        if last > 0 {
            // While one lacks it, it is not taken up.
            write_keys(&fleet, 0, &[second.as_str(), first.trim()]);
            let (status, refused) = post(&fleet, 0, "/api/v1/credentials:reseal", &json!({})).await;
            assert_eq!(status, 409, "{refused}");
        }
        if at > 0 || last == 0 {
            write_keys(&fleet, at, &[second.as_str(), first.trim()]);
        }
    }
    let resealed = Instant::now();
    let done = loop {
        let (status, done) = post(&fleet, 0, "/api/v1/credentials:reseal", &json!({})).await;
        if status == 200 {
            break done;
        }
        assert!(resealed.elapsed() < Duration::from_secs(30), "{done}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(done["lost"], json!([]), "{done}");
    load.more(200, 20).await;
    for at in all.clone() {
        write_keys(&fleet, at, &[second.as_str()]);
    }
    tokio::time::sleep(Duration::from_secs(4)).await;
    load.more(200, 20).await;
    // Another value, in force everywhere within a second of the answer.
    let rotated = post(&fleet, last, &format!("{PATH}/kept/rotate"), &json!({ "value": "sk-two" })).await;
    assert_eq!(rotated.0, 200, "{}", rotated.1);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let statuses = load.stop().await;
    assert_eq!(statuses.keys().copied().collect::<Vec<_>>(), [200], "{statuses:?}");
    for at in all.clone() {
        fleet.ask(at, &purse.key, &json!({})).await.unwrap();
        assert_eq!(sent(&fleet), "Bearer sk-two", "replica {at}");
    }
    // One that lacks the key does not start beside others that have it.
    if last > 0 {
        fleet.replicas[last].end();
        write_keys(&fleet, last, &["77".repeat(32).as_str()]);
        let said = fleet.replicas[last].refuses_to_start(&[]);
        assert!(said.contains("does not have the master key") && said.contains("replica-0"), "{said}");
        write_keys(&fleet, last, &[second.as_str()]);
        fleet.replicas[last].start();
        fleet.ask(last, &purse.key, &json!({})).await.unwrap();
        assert_eq!(sent(&fleet), "Bearer sk-two");
    }
    fleet.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workloads_key_works_on_every_server_within_a_second_and_is_given_once() {
    let idp = Idp::start().await;
    let fleet = Fleet::start(Fleet::size(), &a_call("0.01")).await;
    fleet
        .apply(json!({ "workloads": [{
            "name": "ci", "scope": "/acme", "issuer": idp.url, "audience": "bailiwick",
            "claims": { "sub": "job" }, "lifetime_s": 600,
        }] }))
        .await;
    let exchange = async |at: usize, token: &str| {
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("subject_token", token),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
        ];
        let url = format!("{}/auth/token", fleet.replicas[at].url());
        let form = reqwest::Url::parse_with_params("http://form", form).unwrap();
        let request = fleet.client.post(url).body(form.query().unwrap().to_owned());
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let all = 0..fleet.replicas.len();
    for round in all.clone() {
        let now_s = Clock::new().now_ms() / 1_000;
        let claims = json!({
            "iss": idp.url, "aud": "bailiwick", "sub": "job", "iat": now_s, "exp": now_s + 300,
            "jti": format!("job-{round}"),
        });
        let token = idp.sign(&Signature::Key(String::from("k1")), "JWT", &claims);
        // The same token is brought to every server at once, twice.
        let brought = all.clone().chain(all.clone()).map(|at| exchange(at, &token));
        let answers = futures::future::join_all(brought).await;
        let given = Instant::now();
        let (taken, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|(status, _)| *status == 200);
        assert_eq!(taken.len(), 1, "{answers:?}");
        assert!(refused.iter().all(|(_, body)| body["error"] == "invalid_request"), "{answers:?}");
        let key = taken[0].1["access_token"].as_str().unwrap();
        for at in all.clone() {
            until("the key works", || async {
                fleet.ask(at, key, &json!({})).await.is_some_and(|(status, _)| status == 200)
            })
            .await;
        }
        assert!(given.elapsed() < Duration::from_secs(1), "{:?}", given.elapsed());
    }
    fleet.finish().await;
}
