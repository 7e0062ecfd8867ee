//! What one asks for and another approves.

use bailiwick::identity::create_token;
use bailiwick::store;
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{TestApp, stored};
use crate::identity::{browse, person};
use crate::reply::{Reply, read};

const PATH: &str = "/api/v1/requests";

async fn token(app: &TestApp, role: &str, scope: &str) -> String {
    let now_ms = app.app().gateway.clock.now_ms();
    create_token(&app.app().store, role, scope, &[role], now_ms).await.unwrap().reveal()
}

async fn post(app: &TestApp, token: &str, path: &str, body: &Value) -> Reply {
    read(app.client.post(format!("{}{path}", app.url())).bearer_auth(token).json(body).send().await.unwrap())
        .await
}

async fn ask(app: &TestApp, token: &str, kind: &str, wanted: Value) -> Value {
    let body = json!({ "kind": kind, "reason": "Because it is needed", "wanted": wanted });
    post(app, token, PATH, &body).await.is(201).json()
}

async fn decide(app: &TestApp, token: &str, request: &Value, how: &str) -> Reply {
    let path = format!("{PATH}/{}/{how}", request["id"].as_str().unwrap());
    post(app, token, &path, &json!({ "reason": "Looked at" })).await
}

fn hours(from_now: i64) -> Value {
    json!(chrono::Utc::now() + chrono::TimeDelta::hours(from_now))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_works_once_somebody_else_has_approved_it() {
    let app = TestApp::start().await;
    let developer = token(&app, "developer", "/acme/research").await;
    let approver = token(&app, "approver", "/acme/research").await;
    let wanted = json!({ "scope": "/acme/research", "name": "asked for", "budget_usd": "5", "requests_per_minute": 7 });
    let asked = ask(&app, &developer, "key", wanted.clone()).await;
    let key = asked["key"].as_str().unwrap().to_owned();
    assert!(asked["wanted"].get("secret_hash").is_none(), "{asked}");
    assert_eq!(app.get("/v1/models", &key).await.status, 401, "not yet");
    decide(&app, &developer, &asked, "approve").await.is(403);
    let approved = decide(&app, &approver, &asked, "approve").await.is(200);
    assert!(!approved.text().contains(&key) && approved.json()["state"] == "approved");
    app.get("/v1/models", &key).await.is(200);
    decide(&app, &approver, &asked, "approve").await.is(409);
    let id = approved.json()["made"]["key"].as_str().unwrap().to_owned();
    let budgets = app.admin(Method::GET, "/api/v1/budgets", None).await.json();
    assert!(budgets["budgets"].as_array().unwrap().iter().any(|budget| budget["key"] == id), "{budgets}");
    // What is not right any more is not carried out: the name is taken.
    let twin = json!({ "scope": "/acme/research", "name": "taken meanwhile" });
    let asked = ask(&app, &developer, "key", twin.clone()).await;
    app.create_key(twin).await;
    decide(&app, &approver, &asked, "approve").await.is(409);
    let listed = app.get(PATH, &developer).await.is(200).json();
    assert_eq!(listed["requests"].as_array().unwrap().len(), 2, "one's own");
    assert_eq!((&listed["requests"][0]["state"], &listed["next"]), (&json!("open"), &Value::Null));
    let first = app.get(&format!("{PATH}?limit=1"), &developer).await.is(200).json();
    assert_eq!(first["requests"], json!([listed["requests"][0]]), "newest first");
    let next = format!("{PATH}?limit=1&cursor={}", first["next"].as_str().unwrap());
    let second = app.get(&next, &developer).await.is(200).json();
    assert_eq!((&second["requests"], &second["next"]), (&json!([listed["requests"][1]]), &Value::Null));
    let other = token(&app, "developer", "/acme/research").await;
    assert_eq!(app.get(PATH, &other).await.is(200).json()["requests"], json!([]));
    let open = app.get(&format!("{PATH}?state=open&kind=key"), &approver).await.is(200).json();
    assert_eq!(open["requests"].as_array().unwrap().len(), 1);
    for (body, says) in [
        (json!({ "kind": "key", "reason": " ", "wanted": wanted }), "/reason"),
        (json!({ "kind": "planet", "reason": "x", "wanted": {} }), "/kind"),
        (json!({ "kind": "key", "reason": "x", "wanted": { "scope": "/acme/research" } }), "/wanted/name"),
        (json!({ "kind": "key", "reason": "x", "wanted": { "scope": "x", "name": "x" } }), "/wanted/scope"),
        (
            json!({ "kind": "key", "reason": "x", "wanted": wanted, "expires": "2001-01-01T00:00:00Z" }),
            "/expires",
        ),
        (
            json!({ "kind": "key", "reason": "x", "wanted": {
                "scope": "/acme/research", "name": "long", "expires": hours(24 * 366) } }),
            "/wanted/expires",
        ),
        (
            json!({ "kind": "key", "reason": "x", "wanted": {
                "scope": "/acme/research", "name": "gone", "expires": hours(-1) } }),
            "/wanted/expires",
        ),
    ] {
        let refused = post(&app, &developer, PATH, &body).await.is(400);
        assert_eq!(refused.json()["errors"][0]["pointer"], says, "{body}: {}", refused.text());
    }
    post(
        &app,
        &developer,
        PATH,
        &json!({ "kind": "key", "reason": "x", "wanted": { "scope": "/acme/clinic", "name": "x" } }),
    )
    .await
    .is(404);
    let folder = app.finish().await;
    let secret = key.rsplit('_').next().unwrap();
    assert_eq!(stored(folder.path(), secret).await, Vec::<String>::new());
}

/// Where who asks says no end, there is the usual one: who approves sees it, and the key has it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_asked_for_has_an_end() {
    const DAY_MS: i64 = 86_400_000;
    let app = TestApp::start().await;
    let developer = token(&app, "developer", "/acme/research").await;
    let approver = token(&app, "approver", "/acme/research").await;
    let end = |at: &Value| {
        let at = chrono::DateTime::parse_from_rfc3339(at.as_str().unwrap_or_else(|| panic!("{at}")));
        at.unwrap().timestamp_millis()
    };
    for (name, expires, days) in [
        ("unsaid", None, 90),
        ("null", Some(Value::Null), 90),
        ("said", Some(hours(24 * 7)), 7),
        ("longest", Some(hours(24 * 365 - 1)), 365),
    ] {
        let mut wanted = json!({ "scope": "/acme/research", "name": name });
        if let Some(expires) = expires {
            wanted["expires"] = expires;
        }
        let asked = ask(&app, &developer, "key", wanted).await;
        let seen = app.get(&format!("{PATH}?state=open"), &approver).await.is(200).json();
        let seen_ms = end(&seen["requests"][0]["wanted"]["key"]["expires"]);
        let approved = decide(&app, &approver, &asked, "approve").await.is(200).json();
        assert_eq!(approved["until_ms"], seen_ms, "{name}: {approved}");
        let id = approved["made"]["key"].as_str().unwrap();
        let key = app.admin(Method::GET, &format!("/api/v1/keys/{id}"), None).await.is(200).json();
        assert_eq!(key["expires_ms"], seen_ms, "{name}: {key}");
        let ahead_ms = seen_ms - app.app().gateway.clock.now_ms();
        assert!((ahead_ms - days * DAY_MS).abs() < 2 * 3_600_000, "{name}: {ahead_ms}");
    }
    // Asked by a version that knew of no end: it gets one when it is approved.
    let asked = ask(&app, &developer, "key", json!({ "scope": "/acme/research", "name": "old" })).await;
    let id = asked["id"].as_str().unwrap();
    let mut row = store::requests::get(&app.app().store, id).await.unwrap();
    row.wanted["key"].as_object_mut().unwrap().remove("expires");
    let set = format!("UPDATE requests SET wanted = '{}' WHERE id = '{id}'", row.wanted);
    crate::acts::sql(&app.data(), &set).await;
    let approved = decide(&app, &approver, &asked, "approve").await.is(200).json();
    let ahead_ms = approved["until_ms"].as_i64().unwrap() - app.app().gateway.clock.now_ms();
    assert!((ahead_ms - 90 * DAY_MS).abs() < 3_600_000, "{approved}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_decides_what_they_asked_for_and_of_two_approvers_one_does() {
    let app = TestApp::start().await;
    let budgets = app.admin(Method::GET, "/api/v1/budgets", None).await.json();
    let clinic = |budgets: &Value| {
        let mut all = budgets["budgets"].as_array().unwrap().iter();
        all.find(|budget| budget["scope"] == "/acme/clinic").unwrap().clone()
    };
    let budget = clinic(&budgets);
    let raise = json!({ "budget": budget["id"], "amount_usd": "10" });
    let owner = token(&app, "owner", "/").await;
    let asked = ask(&app, &owner, "budget_raise", raise.clone()).await;
    let own = decide(&app, &owner, &asked, "approve").await.is(403).json();
    assert_eq!(own["code"], "own_request");
    // Nor through a token that they made, nor with one that made theirs.
    let made =
        json!({ "name": "straw man", "scope": "/acme", "roles": ["approver", "developer", "finance"] });
    let made = post(&app, &owner, "/api/v1/service-tokens", &made).await.is(201).json();
    let straw = made["token"].as_str().unwrap();
    assert_eq!(decide(&app, straw, &asked, "approve").await.is(403).json()["code"], "own_request");
    let by_straw = ask(&app, straw, "budget_raise", raise.clone()).await;
    assert_eq!(decide(&app, &owner, &by_straw, "refuse").await.is(403).json()["code"], "own_request");

    let approvers = [token(&app, "approver", "/acme").await, token(&app, "approver", "/").await];
    let both = approvers.iter().map(|approver| decide(&app, approver, &asked, "approve"));
    let mut statuses: Vec<u16> =
        futures::future::join_all(both).await.iter().map(|reply| reply.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    let after = clinic(&app.admin(Method::GET, "/api/v1/budgets", None).await.json());
    assert_eq!(after["top_ups"].as_array().unwrap().len(), 1, "{after}");
    let records = app.records().await;
    let act = |name: &str| {
        let found =
            records.iter().filter(|record| record.sections.get("act").is_some_and(|act| act["act"] == name));
        found.map(|record| record.sections["act"]["what"].clone()).collect::<Vec<_>>()
    };
    let approved = act("request_approved");
    assert_eq!(approved[0]["before"]["limit_usd"], budget["limit_usd"], "{approved:?}");
    assert_eq!(approved[0]["after"]["limit_usd"], after["limit_usd"], "{approved:?}");
    assert_eq!(act("request_asked").len(), 2);

    // Elsewhere it is not there; who has lost the role is nobody.
    let elsewhere = token(&app, "approver", "/acme/research").await;
    decide(&app, &elsewhere, &by_straw, "approve").await.is(404);
    let lost = store::service_tokens::list(&app.app().store).await.unwrap();
    let lost = lost.iter().find(|token| token.name == "approver" && token.scope == "/acme").unwrap();
    app.admin(Method::POST, &format!("/api/v1/service-tokens/{}/revoke", lost.id), None).await.is(200);
    decide(&app, &approvers[0], &by_straw, "approve").await.is(401);
    // Who asked and is gone gets nothing.
    let id = made["id"].as_str().unwrap();
    app.admin(Method::POST, &format!("/api/v1/service-tokens/{id}/revoke"), None).await.is(200);
    decide(&app, &approvers[1], &by_straw, "approve").await.is(409);
    decide(&app, &approvers[1], &by_straw, "refuse").await.is(200);
    let always = json!({ "kind": "budget_raise", "reason": "x", "wanted": { "budget": budget["id"], "amount_usd": "1", "until": "always" } });
    post(&app, &owner, PATH, &always).await.is(400);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exception_is_a_file_and_access_to_content_ends_by_itself() {
    let app = TestApp::start().await;
    let author = token(&app, "policy-author", "/acme").await;
    let approver = token(&app, "approver", "/").await;
    let rule = app.app().gateway.snapshot.load().policy.bundle().rules[0].id.clone();
    let wanted = json!({ "rule": rule, "scope": "/acme/research", "until": hours(24) });
    let asked = ask(&app, &author, "exception", wanted.clone()).await;
    let approved = decide(&app, &approver, &asked, "approve").await.is(200).json();
    let path = approved["made"]["path"].as_str().unwrap();
    let mut source = bailiwick_policy::BundleSource::starter();
    source.files.insert(path.to_owned(), approved["made"]["yaml"].as_str().unwrap().to_owned());
    let bundle = bailiwick_policy::Bundle::load(&source).unwrap_or_else(|problems| panic!("{problems:?}"));
    let exception = bundle.exceptions.iter().find(|exception| exception.file == path).unwrap();
    assert_eq!((exception.rule.as_str(), exception.scope.as_str()), (rule.as_str(), "/acme/research"));
    for (change, value) in [("rule", json!("no such rule")), ("until", hours(24 * 400)), ("until", hours(-1))]
    {
        let mut wanted = wanted.clone();
        wanted[change] = value;
        let body = json!({ "kind": "exception", "reason": "x", "wanted": wanted });
        post(&app, &author, PATH, &body).await.is(400);
    }

    let content = json!({ "scope": "/acme/clinic", "until": hours(2) });
    let asked = ask(&app, &author, "content_access", content.clone()).await;
    let principal = asked["asked_by"].as_str().unwrap();
    let store = &app.app().store;
    let now_ms = app.app().gateway.clock.now_ms();
    let may = async |at_ms| store::requests::content_access(store, principal, at_ms).await.unwrap();
    assert!(may(now_ms).await.is_empty());
    decide(&app, &approver, &asked, "approve").await.is(200);
    assert_eq!(may(now_ms).await, ["/acme/clinic"]);
    assert!(may(now_ms + 3 * 3_600_000).await.is_empty());
    let long = json!({ "kind": "content_access", "reason": "x", "wanted": { "scope": "/acme", "until": hours(200) } });
    post(&app, &author, PATH, &long).await.is(400);

    // Refused with a reason, withdrawn by who asked, expired by itself.
    let asked = ask(&app, &author, "content_access", content.clone()).await;
    let id = asked["id"].as_str().unwrap();
    post(&app, &approver, &format!("{PATH}/{id}/refuse"), &json!({})).await.is(400);
    assert_eq!(decide(&app, &approver, &asked, "refuse").await.is(200).json()["state"], "refused");
    let asked = ask(&app, &author, "content_access", content.clone()).await;
    decide(&app, &approver, &asked, "withdraw").await.is(404);
    assert_eq!(decide(&app, &author, &asked, "withdraw").await.is(200).json()["state"], "withdrawn");
    decide(&app, &approver, &asked, "approve").await.is(409);
    let asked = ask(&app, &author, "content_access", content).await;
    let id = asked["id"].as_str().unwrap();
    crate::acts::sql(&app.data(), &format!("UPDATE requests SET expires_ms = 2 WHERE id = '{id}'")).await;
    decide(&app, &approver, &asked, "approve").await.is(409);
    let listed = app.get(&format!("{PATH}?state=expired"), &author).await.is(200).json();
    assert_eq!(listed["requests"].as_array().unwrap().len(), 1, "{listed}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_behind_both_tokens_does_not_approve_with_the_other() {
    let app = TestApp::start().await;
    let made = async |by: &str, name: &str| {
        let body = json!({ "name": name, "scope": "/", "roles": ["owner"] });
        let made = post(&app, by, "/api/v1/service-tokens", &body).await.is(201).json();
        (made["id"].as_str().unwrap().to_owned(), made["token"].as_str().unwrap().to_owned())
    };
    let (first, other) = (token(&app, "owner", "/").await, token(&app, "owner", "/").await);
    let wanted = |name: &str| json!({ "scope": "/acme/research", "name": name });
    let ((_, one), (_, two)) = (made(&first, "one").await, made(&first, "two").await);
    let asked = ask(&app, &one, "key", wanted("of siblings")).await;
    assert_eq!(decide(&app, &two, &asked, "approve").await.is(403).json()["code"], "own_request");
    assert_eq!(decide(&app, &first, &asked, "approve").await.is(403).json()["code"], "own_request");
    // However often it replaces itself.
    let (mut id, mut last) = made(&first, "long").await;
    for _ in 0..22 {
        let path = format!("/api/v1/service-tokens/{id}/rotate");
        let next = post(&app, &last, &path, &json!({})).await.is(200).json();
        id = next["id"].as_str().unwrap().to_owned();
        last = next["token"].as_str().unwrap().to_owned();
    }
    assert_eq!(decide(&app, &last, &asked, "approve").await.is(403).json()["code"], "own_request");
    decide(&app, &other, &asked, "approve").await.is(200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_does_not_approve_what_they_asked_for_in_any_way() {
    const TOKENS: &str = "/api/v1/service-tokens";
    let app = TestApp::start().await;
    let (ada, bo) = (person(&app, "ada", &["owner"]).await, person(&app, "bo", &["owner"]).await);
    let new = |name: &str| json!({ "name": name, "scope": "/", "roles": ["owner"] });
    let of =
        |made: Value| (made["id"].as_str().unwrap().to_owned(), made["token"].as_str().unwrap().to_owned());
    let by_person = async |cookie: &str, name: &str| {
        of(browse(&app, Method::POST, TOKENS, cookie, Some(&new(name))).await.is(201).json())
    };
    let claim = |id: &str| format!("{TOKENS}/{id}/claim");
    let (_, hers) = by_person(&ada, "hers").await;
    let (_, second) = by_person(&ada, "second").await;
    let (_, of_hers) = of(post(&app, &hers, TOKENS, &new("of hers")).await.is(201).json());
    let (of_bo, claimed) = by_person(&bo, "bo's, and claimed by her").await;
    browse(&app, Method::POST, &claim(&of_bo), &ada, None).await.is(200);
    let (given, given_away) = by_person(&ada, "hers, and claimed by bo").await;
    browse(&app, Method::POST, &claim(&given), &bo, None).await.is(200);

    let ask = json!({ "kind": "key", "reason": "x", "wanted": { "scope": "/acme/research", "name": "x" } });
    let asked = browse(&app, Method::POST, PATH, &ada, Some(&ask)).await.is(201).json();
    let path = format!("{PATH}/{}/approve", asked["id"].as_str().unwrap());
    let own = browse(&app, Method::POST, &path, &ada, None).await.is(403).json();
    assert_eq!(own["code"], "own_request");
    for token in [&hers, &second, &of_hers, &claimed, &given_away] {
        assert_eq!(decide(&app, token, &asked, "approve").await.is(403).json()["code"], "own_request");
    }
    // Nor do two tokens of one person decide for each other.
    let by_hers = self::ask(&app, &hers, "key", json!({ "scope": "/acme/research", "name": "y" })).await;
    for token in [&second, &given_away] {
        assert_eq!(decide(&app, token, &by_hers, "approve").await.is(403).json()["code"], "own_request");
    }
    let why = json!({ "reason": "no" });
    let refuse = format!("{PATH}/{}/refuse", by_hers["id"].as_str().unwrap());
    browse(&app, Method::POST, &refuse, &ada, Some(&why)).await.is(403);
    browse(&app, Method::POST, &refuse, &bo, Some(&why)).await.is(200);
    browse(&app, Method::POST, &path, &bo, None).await.is(200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_ask_any_more_gets_nothing() {
    let app = TestApp::start().await;
    let (dev, owner) = (person(&app, "dev", &["developer"]).await, person(&app, "owner", &["owner"]).await);
    let wanted = |name: &str| json!({ "kind": "key", "reason": "x", "wanted": { "scope": "/acme/research", "name": name } });
    let ask =
        async |wanted: &Value| browse(&app, Method::POST, PATH, &dev, Some(wanted)).await.is(201).json();
    let approve = async |asked: &Value| {
        let path = format!("{PATH}/{}/approve", asked["id"].as_str().unwrap());
        browse(&app, Method::POST, &path, &owner, None).await
    };
    let role = async |role: &str| {
        let sql = format!("UPDATE people SET roles = '[\"{role}\"]' WHERE id = 'dev'");
        crate::acts::sql(&app.data(), &sql).await;
    };
    let asked = ask(&wanted("one")).await;
    // They may sign in, and not ask.
    role("viewer").await;
    let refused = approve(&asked).await.is(409);
    assert!(refused.text().contains("may not ask"), "{}", refused.text());
    role("developer").await;
    approve(&asked).await.is(200);
    // A token that has replaced itself asks on.
    let robot = token(&app, "owner", "/").await;
    let asked = self::ask(&app, &robot, "key", json!({ "scope": "/acme/research", "name": "two" })).await;
    let id = robot.split('_').nth(1).unwrap();
    let path = format!("/api/v1/service-tokens/{id}/rotate");
    let next = post(&app, &robot, &path, &json!({ "overlap_hours": 0 })).await.is(200).json();
    app.get(PATH, &robot).await.is(401);
    approve(&asked).await.is(200);
    let asked = self::ask(
        &app,
        next["token"].as_str().unwrap(),
        "key",
        json!({ "scope": "/acme/research", "name": "three" }),
    )
    .await;
    let path = format!("/api/v1/service-tokens/{}/revoke", next["id"].as_str().unwrap());
    app.admin(Method::POST, &path, None).await.is(200);
    approve(&asked).await.is(409);
    // What they were granted to read, and what nobody has decided, ends with them.
    let content = json!({ "kind": "content_access", "reason": "x", "wanted": { "scope": "/acme/research", "until": hours(24) } });
    let content = ask(&content).await;
    approve(&content).await.is(200);
    let open = ask(&wanted("four")).await;
    let store = &app.app().store;
    let reads = async || {
        let now_ms = app.app().gateway.clock.now_ms();
        store::requests::content_access(store, "user:dev", now_ms).await.unwrap()
    };
    assert_eq!(reads().await, ["/acme/research"]);
    let why = json!({ "reason": "left" });
    let gone = app.admin(Method::POST, "/api/v1/people/dev/disable", Some(&why)).await.is(200).json();
    assert_eq!(gone["ended"]["requests_ended"].as_array().unwrap().len(), 2, "{gone}");
    assert_eq!(
        gone["ended"]["keys_disabled"].as_array().unwrap().len(),
        1,
        "the key that they were granted: {gone}"
    );
    assert!(reads().await.is_empty());
    let withdrawn = app.admin(Method::GET, &format!("{PATH}?state=withdrawn"), None).await.is(200).json();
    assert_eq!(withdrawn["requests"][0]["id"], open["id"], "{withdrawn}");
    app.finish().await;
}
