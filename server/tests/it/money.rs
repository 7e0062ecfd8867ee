//! What a call costs and which budgets it is held on, through the whole server.

use std::time::{Duration, Instant};

use bailiwick::demo::simulator::Behaviour;
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{TestApp, logs, message, metrics};
use crate::books::Record;

const MODEL: &str = "gpt-4.1-mini";
/// The list's price of a million tokens of it, in nano-dollars.
const INPUT: i64 = 400_000_000;
const OUTPUT: i64 = 1_600_000_000;

/// The name of the act that a record begins.
fn act_of(record: &Record) -> &str {
    record.sections.get("act").and_then(|act| act["act"].as_str()).unwrap_or_default()
}

async fn standing(app: &TestApp, id: i64) -> Value {
    let budgets = app.admin(Method::GET, "/api/v1/budgets?reason=test", None).await.is(200).json();
    let mut budgets = budgets["budgets"].as_array().unwrap().iter();
    budgets.find(|budget| budget["id"] == id).unwrap().clone()
}

async fn budget_where(app: &TestApp, field: &str, value: &str) -> Value {
    let budgets = app.admin(Method::GET, "/api/v1/budgets?reason=test", None).await.is(200).json();
    let mut budgets = budgets["budgets"].as_array().unwrap().iter();
    budgets.find(|budget| budget[field] == value).unwrap_or_else(|| panic!("{field} {value}")).clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_token_is_booked_at_the_endpoints_own_price() {
    let app = TestApp::start().await;
    app.edit_endpoint("openai-us", |endpoint| {
        endpoint["price"] = json!({
            "input": "1", "cached_input": "2", "cache_write": "3", "image_input": "4", "audio_input": "5",
            "output": "6", "reasoning": "7", "image_output": "8", "audio_output": "9", "requests": "1000",
        });
        endpoint["markup_percent"] = json!("50");
        endpoint["price_changes"] = json!([{ "from": "2099-01-01", "markup_percent": "900" }]);
    })
    .await;
    let usage = json!({
        "prompt_tokens": 15, "completion_tokens": 40, "total_tokens": 55,
        "prompt_tokens_details":
            { "cached_tokens": 2, "cache_write_tokens": 3, "image_tokens": 4, "audio_tokens": 5 },
        "completion_tokens_details": { "reasoning_tokens": 10, "image_tokens": 10, "audio_tokens": 10 },
    });
    app.simulator("openai-us").set_behaviour(Behaviour::ReportUsage(usage));
    let plain: i64 = (1 + 4 + 9 + 16 + 25 + 60 + 70 + 80 + 90) * 1_000 + 1_000_000;
    for stream in [false, true] {
        let mut body = message(MODEL, "What is left?");
        body["stream"] = json!(stream);
        let reply = app.chat("research", &body).await.is(200);
        let booked = app.outcome(&reply.decision()).await.sections["usage"].clone();
        assert_eq!(booked["cost_nano"], json!(plain * 3 / 2), "{booked}");
        assert_eq!(booked["source"], "reported");
        assert_eq!(booked["doubts"], Value::Null);
        assert_eq!((&booked["cache_write_tokens"], &booked["audio_output_tokens"]), (&json!(3), &json!(10)));
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn absurd_or_missing_usage_is_booked_at_the_reservation_and_marked() {
    let app = TestApp::start().await;
    for (usage, doubts) in [
        (Some(json!({ "prompt_tokens": -5, "completion_tokens": 7 })), json!(["negative"])),
        (
            Some(json!({ "prompt_tokens": 5, "completion_tokens": 9_007_199_254_740_993_u64 })),
            json!(["too_large"]),
        ),
        (Some(json!({ "prompt_tokens": 5, "completion_tokens": 1e300 })), json!(["too_large"])),
        (Some(json!({ "prompt_tokens": 5, "completion_tokens": 0.5 })), json!(["fractional"])),
        (Some(json!({ "prompt_tokens": 5, "completion_tokens": "7" })), json!(["not_a_number"])),
        (
            Some(json!({ "prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 2 })),
            json!(["contradictory"]),
        ),
        // More than the request could use by far, though a request of another kind could.
        (Some(json!({ "prompt_tokens": 5, "completion_tokens": 90_000_000 })), json!(["absurd"])),
        (Some(json!({ "prompt_tokens": 90_000_000, "completion_tokens": 5 })), json!(["absurd"])),
        (Some(json!("plenty")), json!(["missing"])),
        (None, json!(["missing"])),
    ] {
        let behaviour = usage.clone().map_or(Behaviour::OmitUsage, Behaviour::ReportUsage);
        app.simulator("openai-us").set_behaviour(behaviour);
        for stream in [false, true] {
            let mut body = message(MODEL, "What is left?");
            body["max_tokens"] = json!(40);
            body["stream"] = json!(stream);
            let reply = app.chat("research", &body).await.is(200);
            let records = app.records_of(&reply.decision()).await;
            let held = records[0].sections["attempt"]["reserved_nano"].as_i64().unwrap();
            let booked = &records.last().unwrap().sections["usage"];
            assert_eq!(booked["cost_nano"], json!(held), "{usage:?}: {booked}");
            assert_eq!(booked["source"], "reservation");
            assert_eq!(booked["doubts"], doubts, "{usage:?}");
        }
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_touches_the_budgets_of_its_user_and_of_its_models_group() {
    let app = TestApp::start().await;
    app.apply(json!({
        "model_groups": [{ "name": "small", "models": ["gpt-4.1-m*", "ministral"] }],
        "keys": [
            { "scope": "/acme/research", "name": "one", "owner": "alice" },
            { "scope": "/acme/research", "name": "two", "owner": "bob" },
        ],
        "budgets": [
            { "user": "alice", "window": "day in Asia/Tokyo", "limit_usd": "5" },
            { "scope": "/acme/research", "models": "small", "window": "last 24 hours", "limit_usd": "0.001" },
        ],
    }))
    .await;
    let (_, alice) =
        app.create_key(json!({ "scope": "/acme/research", "name": "three", "owner": "alice" })).await;
    let (_, bob) = app.create_key(json!({ "scope": "/acme/research", "name": "four", "owner": "bob" })).await;
    let user = budget_where(&app, "user", "alice").await["id"].as_i64().unwrap();
    let group = budget_where(&app, "models", "small").await["id"].as_i64().unwrap();
    let touched = async |key: &str, model: &str| {
        let mut body = message(model, "What is left?");
        body["max_tokens"] = json!(20);
        let reply = app.chat(key, &body).await.is(200);
        let records = app.records_of(&reply.decision()).await;
        let holds = records[0].sections["attempt"]["holds"].as_array().unwrap();
        let ids: Vec<i64> = holds.iter().map(|hold| hold["budget"].as_i64().unwrap()).collect();
        (ids.contains(&user), ids.contains(&group))
    };
    assert_eq!(touched(&alice, MODEL).await, (true, true));
    assert_eq!(touched(&bob, MODEL).await, (false, true));
    assert_eq!(touched(&alice, "assistant").await, (true, false));
    assert_eq!(standing(&app, user).await["window"], "day in Asia/Tokyo");
    // The group's budget is used up by what is too dear for it; other models go on.
    let mut dear = message(MODEL, "What is left?");
    dear["max_tokens"] = json!(30_000);
    let refused = app.chat(&bob, &dear).await.refused(429, "budget_exceeded");
    let text = refused.text();
    assert!(text.contains("for models small") && text.contains("in the last 24 hours"), "{text}");
    app.ask(&bob, "assistant", "What is left?").await.is(200);
    // Nobody's name is in the log.
    let export = app.export().await;
    assert!(memchr::memmem::find(&export, b"alice").is_none());
    assert!(memchr::memmem::find(&export, b"usr_").is_some());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_output_limit_that_a_budget_lowers_is_told() {
    let app = TestApp::start().await;
    let key = app.apply(json!({
        "keys": [{ "scope": "/acme/research", "name": "thrifty" }],
        "budgets": [{ "key": "thrifty", "window": "month", "limit_usd": "0.002", "lower_output": true }],
    }));
    let key = key.await["created_keys"][0]["key"].as_str().unwrap().to_owned();
    for stream in [false, true] {
        let mut body = message(MODEL, "What is left?");
        body["max_tokens"] = json!(30_000);
        body["stream"] = json!(stream);
        app.forget();
        let reply = app.chat(&key, &body).await.is(200);
        let told: u64 = reply.header("x-bailiwick-output-limit").unwrap().parse().unwrap();
        let sent: Value = serde_json::from_str(&app.only_body("openai-us")).unwrap();
        let sent = sent["max_completion_tokens"].as_u64().or(sent["max_tokens"].as_u64()).unwrap();
        assert_eq!(told, sent);
        assert!(told > 100 && told < 1_250, "{told}");
        let attempt = &app.records_of(&reply.decision()).await[0].sections["attempt"];
        assert_eq!((&attempt["output_limit"], &attempt["lowered"]), (&json!(told), &json!(true)));
        let reserved = attempt["reserved_nano"].as_i64().unwrap();
        assert!(reserved <= 2_000_000 && reserved > 1_000_000, "{reserved}");
    }
    // What can afford all that it asks for is told nothing.
    let mut body = message(MODEL, "What is left?");
    body["max_tokens"] = json!(5);
    assert_eq!(app.chat(&key, &body).await.is(200).header("x-bailiwick-output-limit"), None);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_top_up_is_in_force_at_once_and_in_the_log() {
    let app = TestApp::start().await;
    let (id, key) =
        app.create_key(json!({ "scope": "/acme/research", "name": "poor", "budget_usd": "0.000001" })).await;
    let budget = budget_where(&app, "key", &id).await["id"].as_i64().unwrap();
    app.ask(&key, MODEL, "What is left?").await.refused(429, "budget_exceeded");
    let path = format!("/api/v1/budgets/{budget}/top-ups");
    for (wrong, says) in [
        (json!({ "amount_usd": "-5", "reason": "x" }), "not an amount"),
        (json!({ "amount_usd": "0", "reason": "x" }), "above zero"),
        (
            json!({ "amount_usd": "9223372036.854775807", "reason": "x" }),
            "more US dollars than can be counted",
        ),
        (json!({ "amount_usd": "5", "reason": " " }), "needs a `reason`"),
        (json!({ "amount_usd": "5", "reason": "x", "until": "tomorrow" }), "is no end"),
        (json!({ "amount_usd": "5", "reason": "x", "until": "2020-01-01T00:00:00Z" }), "not after `from`"),
        (json!({ "amount_usd": "5", "reason": "x", "from": "2020-01-01T00:00:00Z" }), "in the past"),
        (json!({ "amount_usd": "5" }), "reason"),
    ] {
        let reply = app.admin(Method::POST, &path, Some(&wrong)).await;
        assert!((400..=422).contains(&reply.status), "{wrong}: {}", reply.status);
        assert!(reply.text().contains(says), "{wrong}: {}", reply.text());
    }
    let body = json!({ "amount_usd": "5", "reason": "launch week" });
    app.admin(Method::POST, "/api/v1/budgets/4711/top-ups", Some(&body)).await.is(404);
    let made = app.admin(Method::POST, &path, Some(&body)).await.is(201).json();
    app.ask(&key, MODEL, "What is left?").await.is(200);
    let now = standing(&app, budget).await;
    assert_eq!((&now["limit_usd"], &now["declared_usd"]), (&json!("5.000001"), &json!("0.000001")));
    assert_eq!(now["top_ups"][0]["id"], made["id"]);
    assert_eq!(made["until_ms"], now["forgets_ms"], "to the end of the window, where nothing else is said");
    let records = app.records().await;
    let act = records.iter().find(|record| act_of(record) == "budget_topped_up").unwrap();
    assert_eq!(act.sections["act"]["what"]["reason"], "launch week");
    assert!(act.id("principal").unwrap().starts_with("token:"));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_threshold_is_noted_once_a_window() {
    let app = TestApp::start().await;
    app.apply(json!({ "budgets": [
        { "scope": "/acme/research", "window": "year", "limit_usd": "0.01", "hard": false, "thresholds": [100, 1] },
    ]}))
    .await;
    let mut told = app.app().thresholds.subscribe();
    // Input and output of this cost more than a hundredth and less than a half.
    let usage = json!({ "prompt_tokens": 1_000, "completion_tokens": 500, "total_tokens": 1_500 });
    app.simulator("openai-us").set_behaviour(Behaviour::ReportUsage(usage));
    let cost = (1_000 * INPUT + 500 * OUTPUT) / 1_000_000;
    for _ in 0..3 {
        app.ask("research", MODEL, "What is left?").await.is(200);
    }
    let event = tokio::time::timeout(Duration::from_secs(10), told.recv()).await.unwrap().unwrap();
    assert_eq!((event.percent, event.budget.hard), (1, false));
    assert!(event.settled_nano >= cost);
    // More of the same is no news, and a soft budget lets it pass.
    for _ in 0..7 {
        app.ask("research", MODEL, "What is left?").await.is(200);
    }
    app.settled().await;
    let began = Instant::now();
    let event = tokio::time::timeout(Duration::from_secs(10), told.recv()).await.unwrap().unwrap();
    assert_eq!(event.percent, 100, "after {:?}", began.elapsed());
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert!(told.try_recv().is_err(), "once");
    let id = event.budget.id;
    assert_eq!(standing(&app, id).await["reached"], json!([1, 100]));
    let records = app.records().await;
    let noted = records.iter().filter(|record| act_of(record) == "budget_threshold_reached");
    let noted: Vec<&Value> = noted.map(|record| &record.sections["act"]["what"]["percent"]).collect();
    assert_eq!(noted, [&json!(1), &json!(100)]);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_jumps_ahead_and_back_opens_one_window_and_stands_still() {
    let app = TestApp::start().await;
    app.apply(json!({ "budgets": [{ "scope": "/acme", "window": "hour", "limit_usd": "100" }] })).await;
    let budget = budget_where(&app, "window", "hour").await["id"].as_i64().unwrap();
    let ask = async || app.outcome(&app.ask("research", MODEL, "Hello").await.is(200).decision()).await;
    // The window that is open, and what is settled in it.
    let stands = async || {
        let standing = standing(&app, budget).await;
        let settled: f64 = standing["settled_usd"].as_str().unwrap().parse().unwrap();
        (standing["window_start_ms"].as_i64().unwrap(), settled)
    };
    let before = ask().await.header.time;
    let (window, spent) = stands().await;
    assert!(spent > 0.0);
    // Ahead: the windows in between begin and end without anything in them.
    const AHEAD_MS: i64 = 5 * 3_600_000;
    let clock = app.app().gateway.clock.clone();
    clock.raise_to(clock.now_ms() + AHEAD_MS);
    let ahead = ask().await;
    assert!(ahead.header.time >= before + AHEAD_MS);
    let (later_window, once) = stands().await;
    assert!(later_window >= window + AHEAD_MS, "{window} {later_window}");
    assert!(once > 0.0 && once < spent * 1.5, "what was spent before does not count there: {spent} {once}");
    // And back, where the system clock is all the time: nothing goes back with it, and somebody is told.
    assert_eq!(ask().await.header.time, ahead.header.time, "time stands still");
    let (same_window, twice) = stands().await;
    assert!(same_window == later_window && twice > once, "{same_window} {once} {twice}");
    let began = Instant::now();
    let behind = || {
        let told = metrics();
        let line = told.lines().find_map(|line| line.strip_prefix("bailiwick_clock_behind_seconds "));
        line.is_some_and(|seconds| seconds.parse::<f64>().unwrap() > 17_000.0)
    };
    while !(behind() && logs().contains("the system clock was set back")) {
        assert!(began.elapsed() < Duration::from_secs(10), "nobody is told: {}", metrics());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_of_single_people_need_a_right_and_a_reason() {
    let app = TestApp::start().await;
    app.apply(json!({
        "budgets": [{ "user": "u-1", "window": "month", "limit_usd": "9" }],
        "limits": [{ "user": "u-1", "requests": 2, "per": "hour" }],
    }))
    .await;
    let owned = json!({ "scope": "/acme/research", "name": "hers", "owner": "u-1", "budget_usd": "3" });
    let (owned, _) = app.create_key(owned).await;
    let (plain, _) =
        app.create_key(json!({ "scope": "/acme/research", "name": "of all", "budget_usd": "3" })).await;
    let token = async |role: &str| {
        let now_ms = app.app().gateway.clock.now_ms();
        let token = bailiwick::identity::create_token(&app.app().store, role, "/", &[role], now_ms).await;
        token.unwrap().reveal()
    };
    let list = async |token: &str, what: &str, reason: &str| {
        let told = app.get(&format!("/api/v1/{what}{reason}"), token).await.is(200).json();
        let rows = told[what].as_array().unwrap().clone();
        let of = |field: &str, is: &str| rows.iter().any(|row| row[field] == is);
        let shown = [of("user", "u-1"), of("key", &owned), of("key", &plain)];
        (shown, told["of_people_withheld"].as_u64().unwrap())
    };
    const WHY: &str = "?reason=Agreed%20on%20with%20the%20works%20council";
    let (owner, finance) = (token("owner").await, token("finance").await);
    let figures = token("people-figures").await;
    for token in [&owner, &finance, &figures] {
        assert_eq!(list(token, "budgets", "").await, ([false, false, true], 2), "nobody's in passing");
        assert_eq!(list(token, "limits", "").await, ([false; 3], 1));
    }
    let told =
        |records: &[Record]| records.iter().filter(|record| act_of(record) == "people_figures_read").count();
    assert_eq!(told(&app.records().await), 0);
    // A reason alone is none.
    for what in ["budgets", "limits"] {
        app.get(&format!("/api/v1/{what}{WHY}"), &finance).await.is(403);
        let empty = app.get(&format!("/api/v1/{what}?reason=%20"), &figures).await.is(400).json();
        assert_eq!(empty["errors"][0]["parameter"], "reason", "{empty}");
    }
    for token in [&owner, &figures] {
        assert_eq!(list(token, "budgets", WHY).await, ([true, true, true], 0));
        assert_eq!(list(token, "limits", WHY).await, ([true, false, false], 0));
    }
    let records = app.records().await;
    assert_eq!(told(&records), 4, "each look is in the log");
    let record = records.iter().find(|record| act_of(record) == "people_figures_read").unwrap();
    let what = &record.sections["act"]["what"];
    assert_eq!(
        (&what["reason"], &what["list"]),
        (&json!("Agreed on with the works council"), &json!("budgets"))
    );
    assert_eq!(what["ids"].as_array().unwrap().len(), 2, "{what}");
    // Elsewhere it is no right: a scope's figures are those of its keys.
    let now_ms = app.app().gateway.clock.now_ms();
    let clinic =
        bailiwick::identity::create_token(&app.app().store, "c", "/acme/clinic", &["people-figures"], now_ms);
    let clinic = clinic.await.unwrap().reveal();
    assert_eq!(list(&clinic, "budgets", WHY).await.0, [false; 3]);
    app.finish().await;
}

/// Every attempt is held at its own endpoint's price, on what the attempts before it left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dearer_fallback_is_tried_only_where_the_budget_holds_its_price() {
    const CHEAP: i64 = 1_000_000;
    const DEAR: i64 = 100_000_000;
    let app = TestApp::start().await;
    let usage = json!({ "prompt_tokens": 10, "completion_tokens": 100, "total_tokens": 110 });
    for (name, output) in [("openai-us", "10"), ("azure-sweden", "1000")] {
        app.edit_endpoint(name, |endpoint| {
            endpoint["price"] = json!({ "input": "0", "output": output });
        })
        .await;
        app.simulator(name).set_behaviour(Behaviour::ReportUsage(usage.clone()));
    }
    let new = json!({ "scope": "/acme/research", "name": "two", "endpoints": ["openai-us", "azure-sweden"],
        "budget_usd": "0.002" });
    let (id, key) = app.create_key(new).await;
    let budget = budget_where(&app, "key", &id).await["id"].as_i64().unwrap();
    let mut body = message("assistant", "What is left?");
    body["max_tokens"] = json!(100);
    let spent = async || {
        app.settled().await;
        app.spend().await.get(&budget).copied().unwrap_or(0)
    };
    let dear = || app.simulator("azure-sweden").received_count();
    let fails = |code| {
        app.simulator("openai-us").push_behaviour(Behaviour::Status { code, retry_after: None });
    };
    let held = async |decision: &str| {
        let records = app.records_of(decision).await;
        let attempts = records.iter().filter_map(|record| record.sections.get("attempt"));
        let held = attempts.filter(|attempt| attempt["endpoint"].is_string());
        held.map(|attempt| attempt["reserved_nano"].as_i64().unwrap()).collect::<Vec<i64>>()
    };
    let top_up = async || {
        let path = format!("/api/v1/budgets/{budget}/top-ups");
        let more = json!({ "amount_usd": "0.1", "reason": "one dear call" });
        app.admin(Method::POST, &path, Some(&more)).await.is(201);
    };

    // There is room for two cheap calls, and never for a dear one. A model may have run: the first is booked.
    fails(500);
    let reply = app.chat(&key, &body).await.refused(502, "upstream_failed");
    assert!(reply.text().contains("openai-us"), "{}", reply.text());
    assert_eq!(held(&reply.decision()).await, [CHEAP]);
    assert_eq!((dear(), spent().await), (0, CHEAP));
    // None ran: what was held comes back, and the same money serves the next one.
    fails(404);
    let reply = app.chat(&key, &body).await.refused(502, "upstream_model_unknown");
    assert_eq!(held(&reply.decision()).await, [CHEAP]);
    assert_eq!((dear(), spent().await), (0, CHEAP));
    assert_eq!(app.chat(&key, &body).await.is(200).endpoint(), "openai-us");
    assert_eq!((dear(), spent().await), (0, 2 * CHEAP));
    app.chat(&key, &body).await.refused(429, "budget_exceeded");

    // Just enough for the dear one: it is held at its own price.
    top_up().await;
    fails(404);
    let reply = app.chat(&key, &body).await.is(200);
    assert_eq!(reply.endpoint(), "azure-sweden");
    assert_eq!(held(&reply.decision()).await, [CHEAP, DEAR]);
    assert_eq!((dear(), spent().await), (1, 2 * CHEAP + DEAR));
    // As much again, but what the first attempt may have cost is missing for the second.
    top_up().await;
    fails(500);
    let reply = app.chat(&key, &body).await.refused(502, "upstream_failed");
    assert_eq!(held(&reply.decision()).await, [CHEAP]);
    assert_eq!((dear(), spent().await), (1, 3 * CHEAP + DEAR));
    app.finish().await;
}
