//! `If-Match` on every route that its description gives it to: what was changed meanwhile is not changed, and what was not is.

use std::collections::BTreeSet;

use bailiwick::identity::create_token;
use bailiwick::store;
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::reply::{Reply, read};

/// Changes of one thing for which no tag can be asked, and why.
const WITHOUT: [(&str, &str); 3] = [
    ("DELETE /api/v1/sessions/{id}", "a session is ended, and nothing else of it can be changed"),
    ("POST /api/v1/replicas/{number}/lost", "the same, and it is looked whether it is missing"),
    ("POST /api/v1/credentials/{name}/test", "nothing is changed"),
];

struct Walk {
    app: TestApp,
    walked: BTreeSet<String>,
}

impl Walk {
    async fn send(&self, token: &str, method: &Method, path: &str, tag: &str, body: &Value) -> Reply {
        let request = self.app.client.request(method.clone(), format!("{}{path}", self.app.url()));
        let request = request.bearer_auth(token).header("if-match", tag);
        let request = if body.is_null() { request } else { request.json(body) };
        read(request.send().await.unwrap()).await
    }

    async fn tag(&self, path: &str) -> String {
        let reply = self.app.admin(Method::GET, path, None).await.is(200);
        reply.header("etag").unwrap_or_else(|| panic!("{path} has no tag")).to_owned()
    }

    /// Changes the thing that the route's first name stands for: not with a tag that it never had, and with its own.
    async fn changes(&mut self, token: &str, method: Method, route: &str, name: &str, body: Value) -> Reply {
        let (thing, path) = match route.split_once('}') {
            None => (String::from("/api/v1/organisation"), route.to_owned()),
            Some((_, rest)) => {
                let thing = format!("{}{name}", route.split('{').next().unwrap());
                (thing.clone(), format!("{thing}{rest}"))
            }
        };
        let tag = self.tag(&thing).await;
        assert_eq!(self.tag(&thing).await, tag, "{thing}: nothing was changed");
        let stale = self.send(token, &method, &path, "\"stale\"", &body).await.is(412).json();
        assert_eq!(stale["code"], "changed", "{method} {path}");
        assert_eq!(self.tag(&thing).await, tag, "{method} {path}: something came of it");
        let both = format!("\"stale\", {tag}");
        let done = self.send(token, &method, &path, &both, &body).await;
        assert!([200, 201].contains(&done.status), "{method} {path}: {} {}", done.status, done.text());
        self.walked.insert(format!("{method} {route}"));
        done
    }

    async fn own(&mut self, method: Method, route: &str, name: &str, body: Value) -> Reply {
        let token = self.app.token().to_owned();
        self.changes(&token, method, route, name, body).await
    }

    /// Makes something, and tells its id.
    async fn made(&self, path: &str, body: &Value) -> String {
        let made = self.app.admin(Method::POST, path, Some(body)).await.is(201).json();
        made["id"].as_str().map_or_else(|| made["id"].to_string(), str::to_owned)
    }

    async fn told(&self, path: &str) -> Value {
        self.app.admin(Method::GET, path, None).await.is(200).json()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_change_of_anything_goes_by_a_tag_that_it_has_no_more() {
    let mut walk = Walk { app: TestApp::start().await, walked: BTreeSet::new() };
    let (post, put, delete) = (Method::POST, Method::PUT, Method::DELETE);
    let why = || json!({ "reason": "x" });

    // Declarations, one at a time and all.
    let endpoint = json!({
        "name": "tagged", "scope": "/acme/later", "dialect": "vllm", "base_url": "http://127.0.0.1:9",
        "models": [{ "alias": "tagged", "upstream": "tagged" }],
        "profile": { "name": "tagged", "operator": "self", "service": "vllm", "model": "tagged" },
    });
    let workload = json!({
        "name": "tagged", "scope": "/acme", "issuer": "https://id.example", "audience": "b",
        "claims": { "sub": "x" },
    });
    let group = json!({ "name": "tagged", "models": ["tagged"] });
    walk.app
        .apply(json!({
            "scopes": [{ "path": "/acme/later" }], "endpoints": [endpoint], "workloads": [workload],
            "model_groups": [group],
        }))
        .await;
    for (list, key, value) in [
        ("endpoints", "first_byte_timeout_s", json!(7)),
        ("workloads", "audience", json!("c")),
        ("model-groups", "models", json!(["tagged", "other"])),
    ] {
        let (route, path) = (format!("/api/v1/{list}/{{name}}"), format!("/api/v1/{list}/tagged"));
        let mut declared = walk.told(&path).await;
        declared[key] = value;
        walk.own(put.clone(), &route, "tagged", declared).await;
        walk.own(delete.clone(), &route, "tagged", Value::Null).await;
    }
    let (route, later) = ("/api/v1/scopes/{path}", "%2Facme%2Flater");
    let scope = json!({ "path": "/acme/later", "controller": "FR" });
    walk.own(put.clone(), route, later, scope).await;
    walk.own(delete.clone(), route, later, Value::Null).await;
    let mut whole = walk.told("/api/v1/organisation").await;
    whole["scopes"].as_array_mut().unwrap().push(json!({ "path": "/acme/new" }));
    walk.own(post.clone(), "/api/v1/apply", "", whole).await;

    // Budgets and limits.
    let budget = json!({ "scope": "/acme/research", "window": "day", "limit_usd": "50" });
    let limit = json!({ "scope": "/acme/research", "requests": 999, "per": "hour" });
    for (list, thing, key, value) in
        [("budgets", budget, "limit_usd", json!("60")), ("limits", limit, "requests", json!(1_000))]
    {
        let path = format!("/api/v1/{list}");
        let id = walk.made(&path, &thing).await;
        let mut declared = walk.told(&format!("{path}/{id}")).await["declared"].clone();
        declared[key] = value;
        let route = format!("{path}/{{id}}");
        if list == "budgets" {
            let more = json!({ "amount_usd": "1", "reason": "x" });
            walk.own(post.clone(), "/api/v1/budgets/{id}/top-ups", &id, more).await;
        }
        walk.own(put.clone(), &route, &id, declared).await;
        walk.own(delete.clone(), &route, &id, Value::Null).await;
    }

    // Keys, each act on what the one before has left.
    let key = walk.made("/api/v1/keys", &json!({ "scope": "/acme/research", "name": "tagged" })).await;
    let mut declared = walk.told(&format!("/api/v1/keys/{key}")).await["declared"].clone();
    declared["environment"] = json!("staging");
    walk.own(put.clone(), "/api/v1/keys/{id}", &key, declared).await;
    walk.own(post.clone(), "/api/v1/keys/{id}/disable", &key, why()).await;
    walk.own(post.clone(), "/api/v1/keys/{id}/enable", &key, Value::Null).await;
    let next = walk.own(post.clone(), "/api/v1/keys/{id}/rotate", &key, Value::Null).await.json();
    walk.own(post.clone(), "/api/v1/keys/{id}/revoke", next["id"].as_str().unwrap(), why()).await;

    // Service tokens.
    let new = json!({ "name": "tagged", "scope": "/acme", "roles": ["viewer"] });
    let token = walk.made("/api/v1/service-tokens", &new).await;
    let now_ms = walk.app.app().gateway.clock.now_ms();
    let token_of = async |walk: &Walk, role: &str| {
        create_token(&walk.app.app().store, role, "/", &[role], now_ms).await.unwrap().reveal()
    };
    let (claims, approver) = (token_of(&walk, "owner").await, token_of(&walk, "approver").await);
    let route = "/api/v1/service-tokens/{id}/claim";
    walk.changes(&claims, post.clone(), route, &token, Value::Null).await;
    let route = "/api/v1/service-tokens/{id}/rotate";
    let next = walk.own(post.clone(), route, &token, Value::Null).await.json();
    let route = "/api/v1/service-tokens/{id}/revoke";
    walk.own(post.clone(), route, next["id"].as_str().unwrap(), Value::Null).await;

    // People.
    let person = store::people::Person {
        id: String::from("tagged"),
        subject: None,
        email: None,
        display_name: None,
        roles: json!([]),
        created_ms: 1,
        joined_into: None,
        disabled_ms: None,
        erased_ms: None,
        deprovisioned_ms: None,
    };
    store::people::create(&walk.app.app().store, person).await.unwrap();
    walk.own(post.clone(), "/api/v1/people/{id}/disable", "tagged", why()).await;
    walk.own(post.clone(), "/api/v1/people/{id}/enable", "tagged", Value::Null).await;
    walk.own(post.clone(), "/api/v1/people/{id}/erase", "tagged", why()).await;

    // Credentials, kill switches, alerts.
    let secret = json!({ "name": "tagged", "scope": "/acme", "value": "sk-one", "test": false });
    walk.app.admin(Method::POST, "/api/v1/credentials", Some(&secret)).await.is(201);
    let secret = json!({ "value": "sk-two", "test": false });
    walk.own(post.clone(), "/api/v1/credentials/{name}/rotate", "tagged", secret).await;
    walk.own(delete.clone(), "/api/v1/credentials/{name}", "tagged", Value::Null).await;
    let switch = json!({
        "kind": "transfer_mechanism", "target": "bcr", "scope": "/acme/clinic", "reason": "x",
        "expires": chrono::Utc::now() + chrono::TimeDelta::hours(1),
    });
    let switch = walk.made("/api/v1/kill-switches", &switch).await;
    walk.own(delete.clone(), "/api/v1/kill-switches/{id}", &switch, why()).await;
    let alert = store::alerts::Alert {
        id: String::from("al_tagged"),
        kind: String::from("break_glass"),
        severity: String::from("critical"),
        scope: String::from("/acme/clinic"),
        subject: String::from("tagged"),
        facts: json!({}),
        raised_ms: 1,
        last_ms: now_ms,
        repeats: 0,
        told_ms: 1,
        acknowledged_ms: None,
        acknowledged_by: None,
        note: None,
        closed_ms: None,
    };
    let raise = store::alerts::Raise { alert, again: store::alerts::Again::Once, messages: Vec::new() };
    store::alerts::raise(&walk.app.app().store, "log", None, &[raise], 1).await.unwrap();
    walk.own(post.clone(), "/api/v1/alerts/{id}/acknowledge", "al_tagged", json!({ "note": "x" })).await;

    // Requests: somebody else decides.
    for (name, end) in [("a", "approve"), ("b", "refuse"), ("c", "withdraw")] {
        let wanted = json!({ "scope": "/acme/research", "name": format!("asked {name}") });
        let ask = json!({ "kind": "key", "reason": "x", "wanted": wanted });
        let asked = walk.made("/api/v1/requests", &ask).await;
        let by = if end == "withdraw" { walk.app.token().to_owned() } else { approver.clone() };
        let body = if end == "withdraw" { Value::Null } else { why() };
        let route = format!("/api/v1/requests/{{id}}/{end}");
        walk.changes(&by, post.clone(), &route, &asked, body).await;
    }

    let told = walk.app.get("/api/openapi.json", "").await.is(200).json();
    let mut untold = Vec::new();
    for (path, operations) in told["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let route = format!("{} {path}", method.to_uppercase());
            let parameters = operation["parameters"].as_array().unwrap();
            let asks = parameters.iter().any(|it| it["$ref"] == "#/components/parameters/IfMatch");
            let changes = method != "get" && (path.contains('{') || path == "/api/v1/apply");
            let without = WITHOUT.iter().any(|(other, _)| *other == route);
            if asks != walk.walked.contains(&route) || changes != (asks || without) || (asks && without) {
                untold.push(route);
            }
        }
    }
    assert!(untold.is_empty(), "a tag can be asked for, or not, and nobody has looked: {untold:?}");
    walk.app.finish().await;
}
