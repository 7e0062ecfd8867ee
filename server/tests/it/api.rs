//! The control plane's API as a whole: pages, what is sent again, what was changed meanwhile, what is wrong with a field.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::lists::walk;
use crate::reply::{Reply, read};

async fn keys(app: &TestApp, count: usize, prefix: &str) -> Vec<String> {
    let wanted: Vec<Value> =
        (0..count).map(|at| json!({ "scope": "/acme/research", "name": format!("{prefix}-{at}") })).collect();
    let made = app.admin(Method::POST, "/api/v1/keys:bulk", Some(&json!(wanted))).await.is(201).json();
    made["keys"].as_array().unwrap().iter().map(|key| key["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_come_in_pages_that_stay_right_while_things_change() {
    let app = TestApp::start().await;
    let made: BTreeSet<String> = keys(&app, 23, "paged").await.into_iter().collect();
    let all: Vec<String> = walk(&app, "/api/v1/keys?limit=1000", "keys", async |_| ()).await;
    for limit in [1, 4, 23] {
        let path = format!("/api/v1/keys?limit={limit}&scope=/acme/research");
        let seen = walk(&app, &path, "keys", async |page| {
            // New ones come while somebody reads; whether they are seen is chance.
            if page % 5 == 0 {
                keys(&app, 1, &format!("between-{limit}-{page}")).await;
            }
        })
        .await;
        let distinct: BTreeSet<String> = seen.iter().cloned().collect();
        assert_eq!(seen.len(), distinct.len(), "{limit}: one was given twice");
        assert!(distinct.is_superset(&made), "{limit}: one was left out");
        assert!(seen.is_sorted());
    }
    // A filter that leaves out nearly all goes on to the end.
    let one = all.iter().find(|id| made.contains(*id)).unwrap();
    app.admin(Method::POST, &format!("/api/v1/keys/{one}/disable"), Some(&json!({ "reason": "x" })))
        .await
        .is(200);
    let disabled = walk(&app, "/api/v1/keys?state=disabled&limit=2", "keys", async |_| ()).await;
    assert_eq!(disabled, std::slice::from_ref(one));
    app.finish().await;
}

async fn post(app: &TestApp, token: &str, path: &str, key: &str, body: &Value) -> Reply {
    let request = app.client.post(format!("{}{path}", app.url())).bearer_auth(token);
    read(request.header("idempotency-key", key).json(body).send().await.unwrap()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_sent_again_acts_once() {
    let app = TestApp::start().await;
    let body = json!({ "scope": "/acme/research", "name": "once" });
    let (path, key) = ("/api/v1/keys", "5f0e1c6e-6d53-4a51-a4b7-1f5b9f0a0001");
    let first = post(&app, app.token(), path, key, &body).await.is(201);
    assert_eq!(first.header("idempotency-replayed"), None);
    let again = post(&app, app.token(), path, key, &body).await.is(201);
    assert_eq!((again.json(), again.header("idempotency-replayed")), (first.json(), Some("true")));
    assert_eq!(again.header("content-type"), Some("application/json"));
    let listed = app.admin(Method::GET, "/api/v1/keys?scope=/acme/research", None).await.is(200).json();
    let same = listed["keys"].as_array().unwrap().iter().filter(|key| key["name"] == "once");
    assert_eq!(same.count(), 1);
    // Another request, or another's, is another matter.
    let other = post(&app, app.token(), path, key, &json!({ "scope": "/acme/research", "name": "two" }))
        .await
        .is(422);
    assert_eq!(other.json()["code"], "idempotency_key_reused");
    let made = json!({ "name": "ci", "scope": "/acme/research", "roles": ["admin"] });
    let token = app.admin(Method::POST, "/api/v1/service-tokens", Some(&made)).await.is(201).json();
    let stranger = post(&app, token["token"].as_str().unwrap(), path, key, &body).await.is(409).json();
    assert_eq!(stranger["code"], "conflict", "the name is taken: the key is not theirs");
    // What did nothing can be mended and sent again.
    let bad = json!({ "scope": "/acme/research", "name": "mended", "expires": "2020-01-01T00:00:00Z" });
    let key = "5f0e1c6e-6d53-4a51-a4b7-1f5b9f0a0002";
    let refused = post(&app, app.token(), path, key, &bad).await.is(400).json();
    assert_eq!(refused["errors"][0]["pointer"], "/expires");
    post(&app, app.token(), path, key, &json!({ "scope": "/acme/research", "name": "mended" })).await.is(201);
    for wrong in ["short", &"x".repeat(256), "has a space in it somewhere"] {
        let told = post(&app, app.token(), path, wrong, &body).await.is(400).json();
        assert_eq!(told["errors"][0]["parameter"], "idempotency-key");
    }
    // The secret that was answered stands nowhere.
    let secret = first.json()["key"].as_str().unwrap().to_owned();
    assert!(crate::app::stored(&app.data(), &secret).await.is_empty());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_the_same_request_many_times_at_once_one_acts() {
    let app = TestApp::start().await;
    let body = json!({ "scope": "/acme/research", "name": "at-once" });
    let key = "5f0e1c6e-6d53-4a51-a4b7-1f5b9f0a0003";
    let asked = (0..12).map(|_| post(&app, app.token(), "/api/v1/keys", key, &body));
    let answers = futures::future::join_all(asked).await;
    let made: BTreeSet<String> = answers
        .iter()
        .filter(|answer| answer.status == 201)
        .map(|answer| answer.json()["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(made.len(), 1, "one key");
    for answer in &answers {
        assert!([201, 409].contains(&answer.status), "{}", answer.text());
        assert!(answer.status == 201 || answer.json()["code"] == "idempotency_unknown", "{}", answer.text());
    }
    let last = post(&app, app.token(), "/api/v1/keys", key, &body).await.is(201).json();
    assert!(made.contains(last["id"].as_str().unwrap()));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_problem_names_the_field() {
    let app = TestApp::start().await;
    let wrong = async |method: Method, path: &str, body: Value| {
        let reply = app.admin(method, path, Some(&body)).await.is(400);
        assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{path}");
        reply.json()["errors"][0]["pointer"].as_str().unwrap_or_default().to_owned()
    };
    for (path, body, pointer) in [
        ("/api/v1/keys", json!({ "name": "x" }), "/scope"),
        ("/api/v1/keys", json!({ "scope": "/acme", "name": "x", "tagz": [] }), "/tagz"),
        ("/api/v1/keys", json!({ "scope": "acme", "name": "x" }), "/scope"),
        ("/api/v1/keys", json!({ "scope": "/acme", "name": "x", "budget_usd": "much" }), "/budget_usd"),
        (
            "/api/v1/keys",
            json!({ "scope": "/acme", "name": "x", "requests_per_minute": 0 }),
            "/requests_per_minute",
        ),
        (
            "/api/v1/keys:bulk",
            json!([{ "scope": "/acme", "name": "x" }, { "scope": "acme", "name": "x" }]),
            "/1/scope",
        ),
        ("/api/v1/service-tokens", json!({ "name": "", "roles": ["admin"] }), "/name"),
        ("/api/v1/service-tokens", json!({ "name": "x", "roles": ["nobody"] }), "/roles"),
        (
            "/api/v1/kill-switches",
            json!({ "kind": "model", "target": "x", "reason": "x", "expires": "soon" }),
            "/expires",
        ),
        ("/api/v1/apply", json!({ "scopes": [{ "path": "/a" }, { "path": 7 }] }), "/scopes/1"),
    ] {
        let told = wrong(Method::POST, path, body.clone()).await;
        assert!(told.starts_with(pointer), "{path} {body}: {told}");
    }
    let unsaid = app.client.post(format!("{}/api/v1/keys", app.url())).bearer_auth(app.token()).body("{}");
    assert_eq!(read(unsaid.send().await.unwrap()).await.is(415).json()["code"], "not_json");
    app.admin(Method::POST, "/api/v1/budgets/x/top-ups", Some(&json!({}))).await.is(404);
    app.finish().await;
}

/// Somebody who begins sign-ins without end is told to wait, whatever header they send along.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sign_ins_are_counted_by_address() {
    let app = TestApp::with(|config| {
        let written = "[[provider]]\nid = 'corp'\nissuer = 'http://127.0.0.1:9'\nclient_id = 'b'\n";
        config.identity = toml::from_str(written).unwrap();
    })
    .await;
    let begin = async |at: usize| {
        let request = app.client.get(format!("{}/auth/start?provider=corp", app.url()));
        let answer = request.header("x-forwarded-for", format!("192.0.2.{at}")).send().await.unwrap();
        read(answer).await
    };
    let mut statuses = Vec::new();
    for at in 0..62 {
        statuses.push(begin(at).await.status);
    }
    assert!(statuses[..60].iter().all(|status| *status == statuses[0]), "{statuses:?}");
    assert!(statuses[0] != 429 && statuses[60..] == [429, 429], "{statuses:?}");
    app.finish().await;
}

/// What is changed is what was seen, on every server of the database.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_something_that_was_changed_meanwhile_is_refused() {
    let app = TestApp::start().await;
    let change = async |method: Method, path: &str, tag: Option<&str>, body: &Value| {
        let request = app.client.request(method, format!("{}{path}", app.url())).bearer_auth(app.token());
        let request = if let Some(tag) = tag { request.header("if-match", tag) } else { request };
        read(request.json(body).send().await.unwrap()).await
    };
    let tag = async |path: &str| {
        let reply = app.admin(Method::GET, path, None).await.is(200);
        reply.header("etag").unwrap().to_owned()
    };
    let (key, _) = app.create_key(json!({ "scope": "/acme/research", "name": "tagged" })).await;
    let path = format!("/api/v1/keys/{key}");
    let first = tag(&path).await;
    assert_eq!(tag(&path).await, first, "nothing was changed");
    let why = json!({ "reason": "x" });
    change(Method::POST, &format!("{path}/disable"), Some(&first), &why).await.is(200);
    let second = tag(&path).await;
    assert_ne!(first, second);
    for what in ["enable", "revoke", "disable", "rotate"] {
        let body = if what == "rotate" || what == "enable" { json!({}) } else { why.clone() };
        let refused =
            change(Method::POST, &format!("{path}/{what}"), Some(&first), &body).await.is(412).json();
        assert_eq!(refused["code"], "changed", "{what}");
    }
    assert_eq!(tag(&path).await, second, "nothing came of it");
    change(Method::POST, &format!("{path}/enable"), Some(&format!("\"x\", {second}")), &json!({}))
        .await
        .is(200);
    change(Method::POST, &format!("{path}/revoke"), Some("*"), &why).await.is(200);
    change(Method::POST, &format!("{path}/revoke"), Some("nonsense"), &why).await.is(400);

    let made = json!({ "name": "ci", "scope": "/acme/research", "roles": ["viewer"] });
    let made = app.admin(Method::POST, "/api/v1/service-tokens", Some(&made)).await.is(201).json();
    let path = format!("/api/v1/service-tokens/{}", made["id"].as_str().unwrap());
    let first = tag(&path).await;
    app.get("/api/v1/me", made["token"].as_str().unwrap()).await.is(200);
    assert_eq!(tag(&path).await, first, "a use is no change");
    change(Method::POST, &format!("{path}/rotate"), Some(&first), &json!({})).await.is(200);
    change(Method::POST, &format!("{path}/revoke"), Some(&first), &json!({})).await.is(412);
    change(Method::POST, &format!("{path}/revoke"), Some(&tag(&path).await), &json!({})).await.is(200);

    let expires = chrono::Utc::now() + chrono::TimeDelta::hours(1);
    let switch = json!({
        "kind": "transfer_mechanism", "target": "bcr", "scope": "/acme/clinic", "reason": "x", "expires": expires,
    });
    let switch = app.admin(Method::POST, "/api/v1/kill-switches", Some(&switch)).await.is(201).json();
    let path = format!("/api/v1/kill-switches/{}", switch["id"].as_str().unwrap());
    let first = tag(&path).await;
    change(Method::DELETE, &path, Some("\"other\""), &why).await.is(412);
    change(Method::DELETE, &path, Some(&first), &why).await.is(200);
    assert_ne!(tag(&path).await, first);

    // The database looks once more, in the change's own transaction: what came between is not overwritten.
    let store = &app.app().store;
    let (key, _) = app.create_key(json!({ "scope": "/acme/research", "name": "raced" })).await;
    let seen = bailiwick::store::keys::get(store, &key).await.unwrap();
    bailiwick::store::keys::disable(store, &[&key], "first", 5, None).await.unwrap();
    let late = bailiwick::store::keys::revoke(store, &[&key], None, 6, Some(&seen)).await;
    assert!(matches!(late, Err(bailiwick::store::StoreError::Changed)), "{late:?}");
    assert_eq!(bailiwick::store::keys::get(store, &key).await.unwrap().revoked_ms, None);
    app.app().reload().await.unwrap();
    app.finish().await;
}
