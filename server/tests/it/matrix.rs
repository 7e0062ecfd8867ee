//! The authorisation matrix: every route, for every role, at the scope, above it, beside it, and for nobody.
//!
//! What a role may do is written here a second time, by hand: a change of the starter bundle that gives somebody more is
//! seen.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick::identity::{Needs, ROUTES, Route, create_token};
use bailiwick::store;
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::TestApp;

const ROLES: [&str; 13] = [
    "owner",
    "admin",
    "policy-author",
    "approver",
    "auditor",
    "finance",
    "developer",
    "viewer",
    "application",
    "provisioner",
    "lead",
    "compliance",
    "people-figures",
];

/// Who has which right.
const RIGHTS: [(&str, &str, &[&str]); 39] = [
    ("console:alerts", "read", &["owner", "admin", "auditor", "finance", "compliance"]),
    ("console:alerts", "acknowledge", &["owner", "admin", "compliance"]),
    ("console:alerts", "test", &["owner", "admin", "compliance"]),
    ("console:audit", "read", &["owner", "admin", "auditor", "compliance"]),
    ("console:audit", "export", &["owner", "admin", "auditor", "compliance"]),
    (
        "console:budgets",
        "read",
        &["owner", "admin", "approver", "auditor", "finance", "developer", "lead", "people-figures"],
    ),
    ("console:budgets", "top_up", &["owner", "admin", "finance", "lead"]),
    (
        "console:decisions",
        "read",
        &[
            "owner",
            "admin",
            "policy-author",
            "approver",
            "auditor",
            "developer",
            "viewer",
            "lead",
            "compliance",
        ],
    ),
    (
        "console:endpoints",
        "read",
        &[
            "owner",
            "admin",
            "policy-author",
            "approver",
            "auditor",
            "developer",
            "viewer",
            "lead",
            "compliance",
        ],
    ),
    (
        "console:policy",
        "read",
        &[
            "owner",
            "admin",
            "policy-author",
            "approver",
            "auditor",
            "developer",
            "viewer",
            "lead",
            "compliance",
        ],
    ),
    ("console:keys", "read", &["owner", "admin", "approver", "auditor", "finance", "developer", "lead"]),
    ("console:keys", "create", &["owner", "admin", "lead"]),
    ("console:keys", "rotate", &["owner", "admin", "lead"]),
    ("console:keys", "revoke", &["owner", "admin", "lead"]),
    ("console:kill-switches", "read", &["owner", "admin", "approver", "auditor", "compliance"]),
    ("console:kill-switches", "throw", &["owner", "admin"]),
    ("console:kill-switches", "lift", &["owner", "admin"]),
    ("console:organisation", "apply", &["owner", "admin"]),
    ("console:organisation", "read", &["owner", "admin", "auditor"]),
    ("console:credentials", "read", &["owner", "admin", "auditor"]),
    ("console:credentials", "write", &["owner", "admin"]),
    ("console:credentials", "test", &["owner", "admin"]),
    ("console:people", "read", &["owner", "admin", "auditor"]),
    ("console:people", "disable", &["owner", "admin"]),
    ("console:people", "enable", &["owner", "admin"]),
    ("console:people", "erase", &["owner", "admin"]),
    ("console:replicas", "read", &["owner", "admin", "auditor"]),
    ("console:replicas", "lose", &["owner", "admin"]),
    ("console:roles", "read", &["owner", "admin", "auditor"]),
    ("console:tokens", "read", &["owner", "admin", "auditor"]),
    ("console:tokens", "create", &["owner", "admin"]),
    ("console:tokens", "revoke", &["owner", "admin"]),
    ("console:requests", "read", &["owner", "admin", "policy-author", "approver", "auditor", "compliance"]),
    (
        "console:requests",
        "ask",
        &["owner", "admin", "policy-author", "finance", "developer", "lead", "compliance"],
    ),
    ("console:requests", "approve", &["owner", "approver", "compliance"]),
    ("scim:directory", "read", &["owner", "provisioner"]),
    ("scim:directory", "write", &["owner", "provisioner"]),
    ("console:sessions", "read", &["owner", "admin", "auditor"]),
    ("console:sessions", "revoke", &["owner", "admin"]),
];

/// A request that shows whether a route lets somebody through, and does no harm where it does.
pub(crate) struct Probe {
    pub(crate) path: String,
    pub(crate) body: Option<Value>,
    /// Whether it is about a thing of `/acme/clinic`, which is not there for whoever is elsewhere.
    names: bool,
}

/// What the probes are about.
pub(crate) struct Things {
    key: String,
    switch: String,
    budget: i64,
    limit: i64,
    token: String,
    credential: String,
    person: String,
    request: String,
    alert: String,
    pushed: String,
    group: String,
    decision: String,
    digest: String,
}

pub(crate) async fn things(app: &TestApp) -> Things {
    let (key, _) = app.create_key(json!({ "scope": "/acme/clinic", "name": "probed" })).await;
    let expires = chrono::Utc::now() + chrono::TimeDelta::hours(1);
    let switch = json!({
        "kind": "transfer_mechanism", "target": "bcr", "scope": "/acme/clinic", "reason": "x", "expires": expires,
    });
    let switch = app.admin(Method::POST, "/api/v1/kill-switches", Some(&switch)).await.is(201).json();
    let budgets = app.admin(Method::GET, "/api/v1/budgets", None).await.is(200).json();
    let budget =
        budgets["budgets"].as_array().unwrap().iter().find(|budget| budget["scope"] == "/acme/clinic");
    let token = json!({ "name": "probed", "scope": "/acme/clinic", "roles": ["viewer"] });
    let token = app.admin(Method::POST, "/api/v1/service-tokens", Some(&token)).await.is(201).json();
    let credential = json!({ "name": "probed", "scope": "/acme/clinic", "value": "sk-probed" });
    app.admin(Method::POST, "/api/v1/credentials", Some(&credential)).await.is(201);
    app.apply(json!({ "endpoints": [{
        "name": "probed", "scope": "/acme/clinic", "dialect": "vllm", "base_url": "http://127.0.0.1:9",
        "models": [{ "alias": "probed", "upstream": "probed" }], "credential": "probed",
        "profile": { "name": "probed", "operator": "self", "service": "vllm", "model": "probed" },
    }], "workloads": [{
        "name": "probed", "scope": "/acme/clinic", "issuer": "https://id.example", "audience": "b",
        "claims": { "sub": "x" },
    }], "model_groups": [{ "name": "probed", "models": ["probed"] }],
        "limits": [{ "scope": "/acme/clinic", "concurrent": 999 }] }))
        .await;
    let limits = app.admin(Method::GET, "/api/v1/limits?scope=/acme/clinic", None).await.is(200).json();
    let person = store::people::Person {
        id: String::from("probed"),
        subject: None,
        email: None,
        display_name: None,
        roles: json!([]),
        created_ms: 1,
        disabled_ms: None,
        erased_ms: None,
        deprovisioned_ms: None,
        joined_into: None,
    };
    store::people::create(&app.app().store, person).await.unwrap();
    let request =
        json!({ "kind": "key", "reason": "x", "wanted": { "scope": "/acme/clinic", "name": "asked" } });
    let request = app.admin(Method::POST, "/api/v1/requests", Some(&request)).await.is(201).json();
    let user = json!({ "userName": "pushed" });
    let user = app.admin(Method::POST, "/scim/v2/Users", Some(&user)).await.is(201).json();
    let group = json!({ "displayName": "pushed" });
    let group = app.admin(Method::POST, "/scim/v2/Groups", Some(&group)).await.is(201).json();
    let decision = app.ask("clinic", "assistant", "A cough").await.is(200).decision();
    app.settled().await;
    let alert = store::alerts::Alert {
        id: String::from("al_probed"),
        kind: String::from("break_glass"),
        severity: String::from("critical"),
        scope: String::from("/acme/clinic"),
        subject: String::from("probed"),
        facts: json!({}),
        raised_ms: 1,
        last_ms: app.app().gateway.clock.now_ms(),
        repeats: 0,
        told_ms: 1,
        acknowledged_ms: None,
        acknowledged_by: None,
        note: None,
        closed_ms: None,
    };
    let raise = store::alerts::Raise { alert, again: store::alerts::Again::Once, messages: Vec::new() };
    store::alerts::raise(&app.app().store, "log", None, &[raise], 1).await.unwrap();
    Things {
        key,
        switch: switch["id"].as_str().unwrap().to_owned(),
        budget: budget.unwrap()["id"].as_i64().unwrap(),
        limit: limits["limits"][0]["id"].as_i64().unwrap(),
        token: token["id"].as_str().unwrap().to_owned(),
        credential: String::from("probed"),
        person: String::from("probed"),
        request: request["id"].as_str().unwrap().to_owned(),
        alert: String::from("al_probed"),
        pushed: user["id"].as_str().unwrap().to_owned(),
        group: group["id"].as_str().unwrap().to_owned(),
        decision,
        digest: app.app().gateway.snapshot.load().bundle_digest.clone(),
    }
}

/// `None`: nobody has thought of the route yet.
pub(crate) fn probe(route: &Route, of: &Things) -> Option<Probe> {
    let bad = || Some(json!({ "no such field": 1 }));
    let past = "2001-01-01T00:00:00Z";
    let (path, body, names) = match (route.method, route.path) {
        ("POST", "/api/v1/keys") => (
            None,
            Some(json!({ "scope": "/acme/clinic", "name": "x", "models": ["nobody serves it"] })),
            true,
        ),
        ("POST", "/api/v1/keys:bulk") => (
            None,
            Some(json!([{ "scope": "/acme/clinic", "name": "x", "models": ["nobody serves it"] }])),
            true,
        ),
        ("GET", "/api/v1/keys/{id}") => (Some(route.path.replace("{id}", &of.key)), None, true),
        ("GET", "/api/v1/alerts/{id}") => (Some(route.path.replace("{id}", &of.alert)), None, true),
        ("POST", "/api/v1/alerts/{id}/acknowledge") => {
            (Some(route.path.replace("{id}", &of.alert)), bad(), true)
        }
        ("POST", "/api/v1/alerts:test") => (None, bad(), false),
        ("GET", "/api/v1/kill-switches/{id}") => (Some(route.path.replace("{id}", &of.switch)), None, true),
        ("GET", "/api/v1/service-tokens/{id}") => (Some(route.path.replace("{id}", &of.token)), None, true),
        ("GET", "/api/v1/people/{id}") => (Some(route.path.replace("{id}", &of.person)), None, false),
        ("POST", "/api/v1/keys/{id}/rotate") => {
            (Some(route.path.replace("{id}", &of.key)), Some(json!({ "expires": past })), true)
        }
        ("POST", "/api/v1/keys/{id}/enable") => (Some(route.path.replace("{id}", &of.key)), None, true),
        ("POST", path) if path.starts_with("/api/v1/keys/{id}/") => {
            (Some(path.replace("{id}", &of.key)), bad(), true)
        }
        ("POST", "/api/v1/kill-switches") => {
            let body = json!({
                "kind": "transfer_mechanism", "target": "bcr", "scope": "/acme/clinic", "reason": "x",
                "expires": past,
            });
            (None, Some(body), true)
        }
        ("DELETE", "/api/v1/kill-switches/{id}") => {
            (Some(route.path.replace("{id}", &of.switch)), bad(), true)
        }
        (
            "POST",
            "/api/v1/policy:plan" | "/api/v1/compliance:impact" | "/api/v1/apply" | "/api/v1/audit/pseudonym",
        ) => (None, bad(), false),
        ("POST", "/api/v1/credentials") => {
            (None, Some(json!({ "name": "", "scope": "/acme/clinic", "value": "x" })), true)
        }
        ("GET", "/api/v1/credentials/{name}") => {
            (Some(route.path.replace("{name}", &of.credential)), None, true)
        }
        ("POST", "/api/v1/credentials/{name}/rotate") => {
            (Some(route.path.replace("{name}", &of.credential)), Some(json!({ "value": "" })), true)
        }
        ("POST", "/api/v1/credentials/{name}/test") => {
            (Some(route.path.replace("{name}", &of.credential)), None, true)
        }
        // The one that an endpoint of the clinic uses stays.
        ("DELETE", "/api/v1/credentials/{name}") => {
            (Some(route.path.replace("{name}", &of.credential)), None, true)
        }
        ("POST", "/api/v1/credentials:reseal") => (None, None, false),
        ("POST", "/auth/token") => (None, bad(), false),
        ("POST", "/api/v1/replicas/{number}/lost") => {
            (Some(route.path.replace("{number}", "1")), bad(), false)
        }
        ("GET", "/api/v1/endpoints/explain") => {
            (Some(format!("{}?name=openai-us&scope=/acme/clinic", route.path)), None, true)
        }
        ("GET", "/api/v1/endpoints/matrix" | "/api/v1/decisions" | "/api/v1/audit/export") => {
            (Some(format!("{}?scope=/acme/clinic", route.path)), None, true)
        }
        ("GET", "/api/v1/reached") => {
            let asked = "endpoint=openai-us&from=2026-01-01T00:00:00Z&to=2030-01-01T00:00:00Z";
            (Some(format!("{}?{asked}&scope=/acme/clinic", route.path)), None, true)
        }
        ("GET", "/api/v1/budgets/{id}") => {
            (Some(route.path.replace("{id}", &of.budget.to_string())), None, true)
        }
        ("GET", "/api/v1/limits/{id}") => {
            (Some(route.path.replace("{id}", &of.limit.to_string())), None, true)
        }
        ("POST", "/api/v1/budgets" | "/api/v1/limits") => (None, bad(), false),
        ("PUT", "/api/v1/keys/{id}") => (Some(route.path.replace("{id}", &of.key)), bad(), false),
        (method, "/api/v1/budgets/{id}") => {
            let path = route.path.replace("{id}", &of.budget.to_string());
            (Some(path), (method == "PUT").then(bad).flatten(), false)
        }
        (method, "/api/v1/limits/{id}") => {
            let path = route.path.replace("{id}", &of.limit.to_string());
            (Some(path), (method == "PUT").then(bad).flatten(), false)
        }
        (method, "/api/v1/scopes/{path}") => (
            Some(String::from("/api/v1/scopes/%2Facme%2Fclinic")),
            (method == "PUT").then(bad).flatten(),
            false,
        ),
        (method, "/api/v1/endpoints/{name}" | "/api/v1/workloads/{name}" | "/api/v1/model-groups/{name}") => {
            (Some(route.path.replace("{name}", "probed")), (method == "PUT").then(bad).flatten(), false)
        }
        ("POST", "/api/v1/budgets/{id}/top-ups") => {
            (Some(route.path.replace("{id}", &of.budget.to_string())), bad(), true)
        }
        ("GET", "/keys/{id}") => (Some(route.path.replace("{id}", &of.key)), None, true),
        ("GET", "/budgets/{id}") => (Some(route.path.replace("{id}", &of.budget.to_string())), None, true),
        ("GET", "/endpoints/{name}") => {
            (Some(String::from("/endpoints/openai-us?scope=/acme/clinic")), None, true)
        }
        ("GET", "/endpoints") => (Some(String::from("/endpoints?scope=/acme/clinic")), None, true),
        // A body that is no form is looked at after the right.
        ("POST", "/keys/new" | "/requests/new" | "/kill-switches") => (None, bad(), false),
        ("POST", path) if path.starts_with("/keys/") => (Some(path.replace("{id}", &of.key)), bad(), false),
        ("POST", path) if path.starts_with("/budgets/") => {
            (Some(path.replace("{id}", &of.budget.to_string())), bad(), false)
        }
        ("POST", path) if path.starts_with("/requests/") => {
            (Some(path.replace("{id}", &of.request)), bad(), false)
        }
        ("POST", path) if path.starts_with("/people/") => {
            (Some(path.replace("{id}", &of.person)), bad(), false)
        }
        ("POST", path) if path.starts_with("/sessions/") => {
            (Some(path.replace("{id}", "cs_none")), bad(), false)
        }
        ("POST", path) if path.starts_with("/kill-switches/") => {
            (Some(path.replace("{id}", &of.switch)), bad(), false)
        }
        ("GET", "/api/v1/decisions/{id}/explanation" | "/v1/decisions/{id}" | "/decisions/{id}") => {
            (Some(route.path.replace("{id}", &of.decision)), None, true)
        }
        (
            "POST",
            "/api/v1/people/{id}/disable" | "/api/v1/people/{id}/enable" | "/api/v1/people/{id}/erase",
        ) => (Some(route.path.replace("{id}", &of.person)), bad(), false),
        ("POST", "/api/v1/requests") => {
            let wanted = json!({ "scope": "/acme/clinic", "name": "x", "models": ["nobody serves it"] });
            (None, Some(json!({ "kind": "key", "reason": "x", "wanted": wanted })), true)
        }
        ("GET", "/api/v1/requests/{id}") => (Some(route.path.replace("{id}", &of.request)), None, true),
        ("POST", path) if path.starts_with("/api/v1/requests/{id}/") => {
            (Some(path.replace("{id}", &of.request)), bad(), true)
        }
        ("GET", "/api/v1/policy/kept/{kind}/{digest}") => {
            (Some(format!("/api/v1/policy/kept/bundle/{}", of.digest)), None, false)
        }
        ("DELETE", "/api/v1/sessions/{id}") => (Some(route.path.replace("{id}", "cs_none")), None, false),
        ("POST", "/api/v1/service-tokens") => {
            (None, Some(json!({ "name": "", "scope": "/acme/clinic", "roles": ["viewer"] })), true)
        }
        ("POST", "/api/v1/service-tokens/{id}/rotate") => {
            (Some(route.path.replace("{id}", &of.token)), Some(json!({ "expires": past })), true)
        }
        // It is nobody's, so whoever may claims it, and it goes on as it is.
        ("POST", "/api/v1/service-tokens/{id}/claim" | "/api/v1/service-tokens/{id}/revoke") => {
            (Some(route.path.replace("{id}", &of.token)), None, true)
        }
        ("GET", "/api/v1/roles/explain") => {
            let question = "subject=role:viewer&action=console:keys/read&scope=/acme/clinic";
            (Some(format!("{}?{question}", route.path)), None, true)
        }
        ("GET", "/scim/v2/ResourceTypes/{id}") => (Some(route.path.replace("{id}", "User")), None, false),
        ("GET", "/scim/v2/Schemas/{id}") => {
            let schema = "urn:ietf:params:scim:schemas:core:2.0:User";
            (Some(route.path.replace("{id}", schema)), None, false)
        }
        (_, "/scim/v2/Users/{id}") => (Some(route.path.replace("{id}", &of.pushed)), bad(), false),
        (_, "/scim/v2/Groups/{id}") => (Some(route.path.replace("{id}", &of.group)), bad(), false),
        ("POST", path) if path.starts_with("/scim/v2/") => (None, bad(), false),
        ("GET", path) if path.starts_with("/scim/v2/") => (None, None, false),
        ("GET", "/auth/callback/{provider}") | ("POST", "/auth/back-channel-logout/{provider}") => {
            (Some(route.path.replace("{provider}", "none")), None, false)
        }
        ("GET", "/assets/{name}") => (Some(String::from("/assets/none")), None, false),
        ("POST", "/api/v1/keys:revoke-presented" | "/api/v1/policy:notify") => (None, bad(), false),
        ("POST", "/preferences" | "/auth/sign-out" | "/auth/break-glass")
        | (
            "GET" | "HEAD",
            "/api/v1/me"
            | "/api/v1/keys"
            | "/api/v1/alerts"
            | "/api/v1/kill-switches"
            | "/api/v1/policy"
            | "/api/v1/policy/rules"
            | "/api/v1/replicas"
            | "/api/v1/endpoints"
            | "/api/v1/organisation"
            | "/api/v1/scopes"
            | "/api/v1/workloads"
            | "/api/v1/model-groups"
            | "/api/v1/credentials"
            | "/api/v1/compliance"
            | "/api/v1/budgets"
            | "/api/v1/limits"
            | "/api/v1/decisions/stream"
            | "/api/v1/audit/checkpoint"
            | "/api/v1/audit/public-key"
            | "/api/v1/people"
            | "/api/v1/requests"
            | "/api/v1/sessions"
            | "/api/v1/service-tokens"
            | "/api/openapi.json"
            | "/"
            | "/decisions"
            | "/reached"
            | "/keys"
            | "/keys/new"
            | "/budgets"
            | "/requests"
            | "/requests/new"
            | "/kill-switches"
            | "/policies"
            | "/people"
            | "/sessions"
            | "/audit"
            | "/audit/export"
            | "/audit/verify"
            | "/auth/sign-in"
            | "/auth/setup"
            | "/auth/start"
            | "/auth/step-up"
            | "/livez"
            | "/readyz"
            | "/metrics",
        ) => (None, None, false),
        _ => return None,
    };
    Some(Probe { path: path.unwrap_or_else(|| route.path.to_owned()), body, names })
}

/// The status alone: a stream has no end.
async fn status(app: &TestApp, route: &Route, probe: &Probe, token: Option<&str>) -> u16 {
    let method = Method::from_bytes(route.method.as_bytes()).unwrap();
    let mut request = app.client.request(method, format!("{}{}", app.url(), probe.path));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if let Some(body) = &probe.body {
        request = request.json(body);
    }
    if probe.path.starts_with("/scim/") {
        // Of a version that there never was.
        request = request.header("if-match", "W/\"0\"");
    }
    let declared = [
        "/api/v1/scopes/",
        "/api/v1/endpoints/probed",
        "/api/v1/workloads/",
        "/api/v1/model-groups/",
        "/api/v1/budgets/",
        "/api/v1/limits/",
    ];
    if declared.iter().any(|at| probe.path.starts_with(at)) {
        // As it never was.
        request = request.header("if-match", "\"none\"");
    }
    request.send().await.unwrap().status().as_u16()
}

fn has(role: &str, right: (&str, &str)) -> bool {
    let row = RIGHTS.iter().find(|(object, action, _)| (*object, *action) == right);
    row.unwrap_or_else(|| panic!("nobody says who has {right:?}")).2.contains(&role)
}

/// What a route answers to a role that is held `held`: refused with this status, or let through.
fn expected(route: &Route, probe: &Probe, role: &str, held: &str) -> Option<u16> {
    let right = route.needs.right()?;
    let (may, at_root) = (has(role, right), held == "/");
    let elsewhere = held == "/acme/research";
    match route.needs {
        Needs::Own(..) => None,
        Needs::Root(..) => (!(may && at_root)).then_some(403),
        // A scope above or below is told of; one beside it is not.
        Needs::Or(..) if route.path == "/metrics" => (!(may && at_root)).then_some(403),
        // People are of no scope: the page asks the API, which asks at the root.
        Needs::Page(..) if (route.method, route.path) == ("GET", "/people") => {
            (!(may && at_root)).then_some(403)
        }
        Needs::Or(..) if elsewhere => Some(404),
        _ if !may => Some(403),
        _ if elsewhere && probe.names => Some(404),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_asks_every_role() {
    let app = TestApp::with(|config| {
        config.metrics = bailiwick::app::MetricsAccess::Token;
        let provider = "[[provider]]\nid = 'corp'\nissuer = 'https://id.example'\nclient_id = 'b'\nscim = {}";
        config.identity = toml::from_str(provider).unwrap();
    })
    .await;
    let things = things(&app).await;
    let uncovered: Vec<String> = ROUTES
        .iter()
        .filter(|route| probe(route, &things).is_none())
        .map(|route| format!("{} {}", route.method, route.path))
        .collect();
    assert!(uncovered.is_empty(), "no probe: {uncovered:?}");
    let mut wrong = Vec::new();
    let mut tokens: BTreeMap<(&str, &str), String> = BTreeMap::new();
    for role in ROLES {
        for scope in ["/", "/acme/clinic", "/acme/research"] {
            let now_ms = app.app().gateway.clock.now_ms();
            let token = create_token(&app.app().store, role, scope, &[role], now_ms).await.unwrap();
            tokens.insert((role, scope), token.reveal());
        }
    }
    for route in ROUTES {
        let probe = probe(route, &things).unwrap();
        // Nobody, and somebody who makes a token up.
        let made_up = format!("bwt_{}_{}", "a".repeat(12), "b".repeat(43));
        for token in [None, Some(made_up.as_str())] {
            let status = status(&app, route, &probe, token).await;
            let refused = match route.needs {
                Needs::Page(..) | Needs::KnownPage => status == 303,
                Needs::Nothing | Needs::Guest => status != 401,
                Needs::Known | Needs::Own(..) | Needs::Scoped(..) | Needs::Root(..) | Needs::Or(..) => {
                    status == 401
                }
            };
            if !refused {
                wrong.push(format!("{} {} for nobody: {status}", route.method, route.path));
            }
        }
        if matches!(route.needs, Needs::Nothing | Needs::Guest) {
            continue;
        }
        for ((role, held), token) in &tokens {
            let status = status(&app, route, &probe, Some(token)).await;
            let right = match expected(route, &probe, role, held) {
                Some(refused) => status == refused,
                // The session that is to be ended is nobody's.
                None if matches!(route.needs, Needs::Known | Needs::Own(..)) => [200, 404].contains(&status),
                None => ![401, 403, 404].contains(&status) && status < 500,
            };
            if !right {
                wrong.push(format!("{} {} for {role} at {held}: {status}", route.method, route.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));

    // The gateway's routes are for virtual keys: no role opens one.
    for (method, path, _) in bailiwick::gateway::api::ROUTES {
        if path.contains("{id}") {
            continue;
        }
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        for token in tokens.values() {
            let request =
                app.client.request(method.clone(), format!("{}{path}", app.url())).bearer_auth(token);
            assert_eq!(request.send().await.unwrap().status(), 401, "{method} {path}");
        }
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_that_is_served_is_in_a_table() {
    let app = TestApp::start().await;
    let router = format!("{:?}", bailiwick::app::router(app.app(), app.url(), None));
    let served: BTreeSet<&str> =
        router.split('"').filter(|text| text.starts_with('/') && !text.contains("__private")).collect();
    let keys = bailiwick::gateway::api::ROUTES.iter().map(|(_, path, _)| *path);
    let told: BTreeSet<&str> = ROUTES.iter().map(|route| route.path).chain(keys).collect();
    assert_eq!(served, told);
    let pairs: BTreeSet<(&str, &str)> = ROUTES.iter().map(|route| (route.method, route.path)).collect();
    assert_eq!(pairs.len(), ROUTES.len(), "a route is told twice");
    // What changes something is never by mistake for anybody.
    for route in ROUTES.iter().filter(|route| route.method != "GET" && route.path.starts_with("/api/")) {
        let open = ["/api/v1/keys:revoke-presented", "/api/v1/policy:notify"].contains(&route.path);
        assert_eq!(route.needs == Needs::Nothing, open, "{route:?}");
    }
    app.finish().await;
}
