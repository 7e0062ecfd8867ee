//! What is changed on one server is in force on all of them within a second.

use std::time::{Duration, Instant};

use bailiwick::clock::Clock;
use bailiwick::identity::{NewSession, SessionConfig, SessionCookie};
use reqwest::Method;
use serde_json::{Value, json};

use crate::fleet::{Fleet, a_call};

const A_SECOND: Duration = Duration::from_secs(1);

/// Waits until every replica answers with this status; how long the last one took.
async fn everywhere(fleet: &Fleet, key: &str, status: u16) -> Duration {
    let began = Instant::now();
    for at in 0..fleet.replicas.len() {
        while fleet.ask(at, key, &json!({})).await.map(|(status, _)| status) != Some(status) {
            assert!(began.elapsed() < Duration::from_secs(10), "replica {at} never answers {status}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_key_and_a_kill_switch_hold_everywhere_within_a_second() {
    let fleet = Fleet::start(Fleet::size(), &a_call("0.01")).await;
    let lasting = fleet.purse("lasting", "100", false).await;
    let last = fleet.replicas.len() - 1;
    for round in 0..3 {
        let short = fleet.purse(&format!("short-{round}"), "1", false).await;
        everywhere(&fleet, &short.key, 200).await;
        let path = format!("/api/v1/keys/{}/revoke", short.id);
        assert_eq!(fleet.admin(round % (last + 1), Method::POST, &path, None).await.status(), 200);
        let took = everywhere(&fleet, &short.key, 401).await;
        assert!(took < A_SECOND, "{took:?}");

        let expires = chrono::DateTime::from_timestamp_millis(Clock::new().now_ms() + 3_600_000).unwrap();
        let order =
            json!({ "kind": "endpoint", "target": "own", "reason": "incident 7", "expires": expires });
        let thrown = fleet.admin(last, Method::POST, "/api/v1/kill-switches", Some(&order)).await;
        assert_eq!(thrown.status(), 201);
        let took = everywhere(&fleet, &lasting.key, 403).await;
        assert!(took < A_SECOND, "{took:?}");
        let thrown: Value = thrown.json().await.unwrap();
        let path = format!("/api/v1/kill-switches/{}", thrown["id"].as_str().unwrap());
        let mended = json!({ "reason": "mended" });
        assert_eq!(fleet.admin(0, Method::DELETE, &path, Some(&mended)).await.status(), 200);
        let took = everywhere(&fleet, &lasting.key, 200).await;
        assert!(took < A_SECOND, "{took:?}");
    }
    fleet.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_whom_the_provider_takes_away_is_out_everywhere_within_a_second() {
    let provider =
        "[[identity.provider]]\nid = 'corp'\nissuer = 'https://id.example'\nclient_id = 'b'\nscim = {}\n";
    let fleet = Fleet::start_with(Fleet::size(), &a_call("0.01"), provider).await;
    let last = fleet.replicas.len() - 1;
    let scim = async |at: usize, method: Method, path: &str, body: &Value| {
        let answer = fleet.admin(at, method, &format!("/scim/v2{path}"), Some(body)).await;
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.json::<Value>().await.unwrap_or_default()
    };
    for round in 0..3 {
        let name = format!("owner-{round}");
        let user = scim(0, Method::POST, "/Users", &json!({ "userName": name })).await;
        let id = user["id"].as_str().unwrap();
        let group = json!({ "displayName": format!("group-{round}"), "members": [{ "value": id }] });
        let group = scim(last, Method::POST, "/Groups", &group).await;
        let purse = fleet.purse(&name, "1", false).await;
        everywhere(&fleet, &purse.key, 200).await;
        let now_ms = Clock::new().now_ms();
        let session = NewSession {
            id: "cs_test",
            person: id,
            method: "oidc",
            expires_ms: now_ms + 3_600_000,
            provider: Some(String::from("corp")),
            ..NewSession::default()
        };
        let cookie = SessionCookie::begin(fleet.store(), session, now_ms).await.unwrap();
        let cookie = cookie.set(&SessionConfig::default()).unwrap();
        let cookie = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
        let me = async |at: usize| {
            let request = fleet.client.get(format!("{}/api/v1/me", fleet.replicas[at].url()));
            request.header("cookie", &cookie).send().await.unwrap()
        };
        for at in 0..=last {
            assert_eq!(
                me(at).await.json::<Value>().await.unwrap()["groups"],
                json!([format!("corp:group-{round}")])
            );
        }
        let path = format!("/Groups/{}", group["id"].as_str().unwrap());
        let out =
            json!({ "Operations": [{ "op": "remove", "path": "members", "value": [{ "value": id }] }] });
        scim(round % (last + 1), Method::PATCH, &path, &out).await;
        for at in 0..=last {
            assert_eq!(me(at).await.json::<Value>().await.unwrap()["groups"], json!([]), "on {at}, at once");
        }
        let path = format!("/Users/{id}");
        let off = json!({ "Operations": [{ "op": "Replace", "path": "active", "value": "False" }] });
        let began = Instant::now();
        scim(round % (last + 1), Method::PATCH, &path, &off).await;
        for at in 0..=last {
            assert_eq!(me(at).await.status(), 401, "on {at}, at once");
        }
        everywhere(&fleet, &purse.key, 401).await;
        // From when it was asked for.
        let took = began.elapsed();
        assert!(took < A_SECOND, "{took:?}");
    }
    fleet.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_lacks_what_somebody_saw_signed_is_not_served() {
    let checkpoint = async |fleet: &Fleet, name: &str| {
        let answer = fleet.admin(0, Method::GET, "/api/v1/audit/checkpoint", None).await;
        let path = fleet.data(0).join(name);
        std::fs::write(&path, answer.bytes().await.unwrap()).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (mut fleet, other) = (Fleet::start(1, &a_call("0.01")).await, Fleet::start(1, &a_call("0.01")).await);
    let (own, others) = (checkpoint(&fleet, "own").await, checkpoint(&other, "others").await);
    fleet.replicas[0].end();
    let said = fleet.replicas[0].refuses_to_start(&["--checkpoint", &own, "--checkpoint", &others]);
    assert!(said.contains(&others) && said.contains("is not signed by the key of this log"), "{said}");
    let nothing = fleet.data(0).join("bailiwick.toml");
    std::fs::write(&nothing, "nothing").unwrap();
    let said = fleet.replicas[0].refuses_to_start(&["--checkpoint", nothing.to_str().unwrap()]);
    assert!(said.contains("holds no signed checkpoint"), "{said}");
    fleet.replicas[0].start_with(&["--checkpoint", &own]);
    fleet.finish().await;
}
