//! Limits of requests, tokens, spend and concurrency.

use std::time::{Duration, Instant};

use bailiwick::demo::simulator::Behaviour;
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{TestApp, message};
use crate::reply::Reply;

fn number(reply: &Reply, header: &str) -> i64 {
    let text = reply.header(header).unwrap_or_else(|| panic!("no {header}: {:?}", reply.headers));
    text.parse().unwrap_or_else(|_| panic!("{header}: {text}"))
}

/// A duration as OpenAI writes it, in seconds.
fn seconds(text: &str) -> f64 {
    let mut seconds = 0.0;
    let mut digits = String::new();
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        if character.is_ascii_digit() || character == '.' {
            digits.push(character);
            rest = &rest[1..];
            continue;
        }
        let value: f64 = digits.parse().unwrap_or_else(|_| panic!("{text}"));
        digits.clear();
        let (unit, length) = if rest.starts_with("ms") {
            (0.001, 2)
        } else {
            (
                match character {
                    'h' => 3_600.0,
                    'm' => 60.0,
                    's' => 1.0,
                    _ => panic!("{text}"),
                },
                1,
            )
        };
        seconds += value * unit;
        rest = &rest[length..];
    }
    assert!(digits.is_empty(), "{text}");
    seconds
}

async fn declare(app: &TestApp, limits: Value) {
    app.apply(json!({ "limits": limits })).await;
}

async fn standing(app: &TestApp, counts: &str) -> Value {
    app.settled().await;
    let limits = app.admin(Method::GET, "/api/v1/limits?reason=test", None).await.is(200).json();
    let found = limits["limits"].as_array().unwrap().iter().find(|limit| limit["counts"] == counts);
    found.unwrap_or_else(|| panic!("{limits}")).clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_400_calls_at_once_a_limit_of_100_lets_100_through() {
    let app = TestApp::start().await;
    declare(&app, json!([{ "scope": "/acme/research", "requests": 100, "per": "minute" }])).await;
    let began = Instant::now();
    let bodies = [false, true].map(|stream| {
        let mut body = message("assistant", "x");
        body["stream"] = json!(stream);
        body.to_string()
    });
    let calls = (0..400).map(|call| {
        let body = bodies[call % 2].clone();
        app.post("research", "/v1/chat/completions", &[], body)
    });
    let replies = futures::future::join_all(calls).await;
    assert!(began.elapsed() < Duration::from_secs(45), "too slow to tell");
    let (served, refused): (Vec<&Reply>, Vec<&Reply>) = replies.iter().partition(|reply| reply.status == 200);
    assert_eq!(served.len(), 100);
    for reply in &refused {
        let reply = (*reply).clone().refused(429, "rate_limited");
        assert!((1..=60).contains(&number(&reply, "retry-after")), "{:?}", reply.headers);
        assert_eq!(reply.header("x-should-retry"), Some("true"));
        assert_eq!(number(&reply, "x-ratelimit-limit-requests"), 100);
        assert!(number(&reply, "x-ratelimit-remaining-requests") < 100);
        assert!(seconds(reply.header("x-ratelimit-reset-requests").unwrap()) <= 61.0);
        assert_eq!(reply.json()["error"]["type"], "rate_limit_error");
    }
    app.settled().await;
    assert_eq!(app.received().values().sum::<u64>(), 100);
    let limit = standing(&app, "requests").await;
    assert_eq!((&limit["used"], &limit["limit"], &limit["held"]), (&json!(100), &json!(100), &json!(0)));
    let last = refused[0].decision();
    let records = app.records_of(&last).await;
    assert_eq!(records[0].sections["refusal"]["code"], "rate_limited");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_tell_how_the_tightest_limits_stand() {
    let app = TestApp::start().await;
    declare(
        &app,
        json!([
            { "scope": "/acme/research", "requests": 5, "per": "minute" },
            { "scope": "/acme", "requests": 1_000, "per": "day" },
            { "scope": "/acme/research", "tokens": 50_000, "per": "hour" },
        ]),
    )
    .await;
    let mut used = 0;
    for (call, stream) in [false, true, false].into_iter().enumerate() {
        let mut body = message("assistant", "x");
        body["stream"] = json!(stream);
        body["max_tokens"] = json!(100);
        let reply = app.post("research", "/v1/chat/completions", &[], body.to_string()).await.is(200);
        assert_eq!(number(&reply, "x-ratelimit-limit-requests"), 5);
        assert_eq!(number(&reply, "x-ratelimit-remaining-requests"), 4 - i64::try_from(call).unwrap());
        assert_eq!(number(&reply, "x-ratelimit-limit-tokens"), 50_000);
        let remaining = number(&reply, "x-ratelimit-remaining-tokens");
        assert!(remaining < 50_000 - used && remaining > 50_000 - used - 500, "{remaining}, {used}");
        let reset = seconds(reply.header("x-ratelimit-reset-requests").unwrap());
        assert!(reset > 40.0 && reset <= 60.0, "{reset}");
        app.settled().await;
        let outcome = app.outcome(&reply.decision()).await;
        let usage = &outcome.sections["usage"];
        used += usage["input_tokens"].as_i64().unwrap() + usage["output_tokens"].as_i64().unwrap();
        assert_eq!(standing(&app, "tokens").await["used"], used, "the true count is booked");
    }
    let explained =
        app.post("research", "/v1/decisions:explain", &[], message("assistant", "x").to_string()).await;
    explained.is(200);
    let dry = [("x-bailiwick-dry-run", "1")];
    app.post("research", "/v1/chat/completions", &dry, message("assistant", "x").to_string()).await.is(200);
    let body = message("assistant", "x").to_string();
    app.post("research", "/v1/chat/completions", &dry, body).await.refused(429, "rate_limited");
    app.ask("research", "assistant", "x").await.refused(429, "rate_limited");
    // Who has no limit is told of none.
    let free = app.ask("support", "assistant", "x").await.is(200);
    assert!(free.header("x-ratelimit-limit-requests").is_some(), "the day's limit of /acme holds for it");
    assert_eq!(free.header("x-ratelimit-limit-tokens"), None);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_are_held_at_worst_and_booked_as_they_were() {
    let app = TestApp::start().await;
    declare(&app, json!([{ "scope": "/acme/research", "tokens": 2_000, "per": "hour" }])).await;
    let mut body = message("gpt-oss-120b", "x");
    // More than there ever is: no waiting helps.
    body["max_tokens"] = json!(5_000);
    let reply = app.chat("research", &body).await.refused(429, "rate_limited");
    assert_eq!((reply.header("retry-after"), reply.header("x-should-retry")), (None, Some("false")));
    assert!(reply.text().contains("max_tokens"), "{}", reply.text());
    assert!(app.received().is_empty());
    // Who names no limit gets one that has room.
    body.as_object_mut().unwrap().remove("max_tokens");
    let reply = app.chat("research", &body).await.is(200);
    let sent: Value = serde_json::from_str(&app.only_body("vllm-germany")).unwrap();
    let named =
        sent["max_tokens"].as_i64().or(sent["max_completion_tokens"].as_i64()).expect("an output limit");
    assert!((1..=2_000).contains(&named), "{named}");
    app.settled().await;
    assert_eq!(reply.json()["usage"]["total_tokens"], standing(&app, "tokens").await["used"]);
    let attempt = app.records_of(&reply.decision()).await[0].sections["attempt"].clone();
    assert_eq!(attempt["limits"].as_array().unwrap().len(), 1, "{attempt}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_are_under_way_than_may_be() {
    let app = TestApp::start().await;
    declare(&app, json!([{ "scope": "/acme/research", "concurrent": 2 }])).await;
    for simulator in app.simulators() {
        simulator.set_behaviour(Behaviour::SlowTokens { delay: Duration::from_secs(3) });
    }
    let calls = (0..6).map(|_| app.ask("research", "gpt-oss-120b", "x"));
    let replies = futures::future::join_all(calls).await;
    let served = replies.iter().filter(|reply| reply.status == 200).count();
    assert_eq!(served, 2);
    for reply in replies.into_iter().filter(|reply| reply.status != 200) {
        let reply = reply.refused(429, "rate_limited");
        assert_eq!(reply.header("retry-after"), Some("1"));
    }
    assert_eq!(standing(&app, "concurrent").await["held"], 0);
    for simulator in app.simulators() {
        simulator.set_behaviour(Behaviour::Normal);
    }
    for _ in 0..5 {
        app.ask("research", "gpt-oss-120b", "x").await.is(200);
        app.settled().await;
    }
    // A client that leaves frees its place when the attempt has ended.
    let body = message("gpt-oss-120b", "x").to_string();
    for _ in 0..4 {
        let call = app.post("research", "/v1/chat/completions", &[], body.clone());
        let _ = tokio::time::timeout(Duration::from_millis(1), call).await;
    }
    app.settled().await;
    app.ask("research", "gpt-oss-120b", "x").await.is(200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_hold_for_users_models_and_money_too() {
    let app = TestApp::start().await;
    let (_, one) = app.create_key(json!({ "scope": "/acme/research", "name": "one", "owner": "u-1" })).await;
    let (_, two) = app.create_key(json!({ "scope": "/acme/research", "name": "two", "owner": "u-1" })).await;
    let (_, other) = app.create_key(json!({ "scope": "/acme/research", "name": "other" })).await;
    let declaration = json!({
        "model_groups": [{ "name": "big", "models": ["gpt-4.1"] }],
        "limits": [
            { "user": "u-1", "requests": 2, "per": "hour" },
            { "scope": "/acme/research", "models": "big", "spend_usd": "0.01", "per": "minute" },
        ],
    });
    app.apply(declaration.clone()).await;
    app.ask(&one, "gpt-oss-120b", "x").await.is(200);
    app.ask(&two, "gpt-oss-120b", "x").await.is(200);
    for key in [&one, &two] {
        let reply = app.ask(key, "gpt-oss-120b", "x").await.refused(429, "rate_limited");
        assert!(reply.text().contains("the key's user") && !reply.text().contains("u-1"), "{}", reply.text());
        assert!((1..=3_600).contains(&number(&reply, "retry-after")));
    }
    app.ask(&other, "gpt-oss-120b", "x").await.is(200);
    let mut dear = message("gpt-4.1", "x");
    dear["max_tokens"] = json!(10_000);
    let reply = app.chat(&other, &dear).await.refused(429, "rate_limited");
    assert!(reply.text().contains('$'), "{}", reply.text());
    dear["max_tokens"] = json!(100);
    app.chat(&other, &dear).await.is(200);
    app.settled().await;
    let spent = standing(&app, "spend").await;
    let path = format!("/api/v1/budgets/{}/top-ups", spent["id"]);
    let more = json!({ "amount_usd": "1", "reason": "more" });
    let refused = app.admin(Method::POST, &path, Some(&more)).await.is(400).json();
    assert!(refused["detail"].as_str().unwrap().contains("limit of a rate"), "{refused}");
    let spent = spent["used"].as_str().unwrap();
    assert!(spent.starts_with("0.00") && spent != "0.00", "{spent}");
    let records = app.records().await;
    let acts: Vec<&Value> = records.iter().filter_map(|record| record.sections.get("act")).collect();
    let changes = |act: &&Value| act["what"]["changes"].as_array().cloned().unwrap_or_default();
    let mut changes = acts.iter().flat_map(changes);
    assert!(changes.any(|it| it["kind"] == "limit" && it["fields"]["requests"] == json!([null, 2])));
    assert!(!acts.iter().any(|act| act.to_string().contains("u-1")), "people are pseudonyms");
    // Applied again nothing changes; what is retired holds no longer.
    app.apply(declaration).await;
    app.ask(&one, "gpt-oss-120b", "x").await.refused(429, "rate_limited");
    declare(&app, json!([{ "user": "u-1", "requests": 2, "per": "hour", "retired": true }])).await;
    app.ask(&one, "gpt-oss-120b", "x").await.is(200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limit_of_a_key_follows_its_line_and_its_declaration() {
    let app = TestApp::start().await;
    let declare = |limit: Value| {
        let mut key = json!({ "scope": "/acme/research", "name": "mine" });
        if !limit.is_null() {
            key["requests_per_minute"] = limit;
        }
        json!({ "keys": [key] })
    };
    let applied = app.apply(declare(json!(2))).await;
    let (id, key) = (&applied["created_keys"][0]["id"], applied["created_keys"][0]["key"].as_str().unwrap());
    app.ask(key, "assistant", "x").await.is(200);
    let path = format!("/api/v1/keys/{}/rotate", id.as_str().unwrap());
    let new = app.admin(Method::POST, &path, None).await.is(200).json();
    let new = new["key"].as_str().unwrap();
    app.ask(new, "assistant", "x").await.is(200);
    for key in [key, new] {
        app.ask(key, "assistant", "x").await.refused(429, "rate_limited");
    }
    app.apply(declare(json!(3))).await;
    app.ask(new, "assistant", "x").await.is(200);
    app.ask(key, "assistant", "x").await.refused(429, "rate_limited");
    app.apply(declare(Value::Null)).await;
    for _ in 0..4 {
        app.ask(new, "assistant", "x").await.is(200);
    }
    let limits = app.admin(Method::GET, "/api/v1/limits?reason=test", None).await.is(200).json();
    assert_eq!(limits["limits"], json!([]));
    let budgets = app.admin(Method::GET, "/api/v1/budgets", None).await.is(200);
    assert!(!budgets.text().contains("last 60 seconds"), "{}", budgets.text());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_that_makes_no_sense_is_refused_with_what_is_wrong() {
    let app = TestApp::start().await;
    for (limit, says) in [
        (json!({ "scope": "/acme", "requests": -1, "per": "minute" }), "at least one"),
        (json!({ "scope": "/acme", "requests": 0, "per": "minute" }), "at least one"),
        (json!({ "scope": "/acme", "tokens": i64::MAX, "per": "day" }), "more than can be counted"),
        (json!({ "scope": "/acme", "tokens": u64::MAX, "per": "day" }), "i64"),
        (json!({ "scope": "/acme", "spend_usd": "99999999999", "per": "day" }), "US dollars"),
        (json!({ "scope": "/acme", "requests": 1, "per": "second" }), "`minute`, `hour`, `day`"),
        (json!({ "scope": "/acme", "requests": 1, "models": "none", "per": "minute" }), "model group"),
        (json!({ "scope": "acme", "requests": 1, "per": "minute" }), "acme"),
        (json!({ "requests": 1, "per": "minute" }), "name one of them"),
    ] {
        let body = json!({ "limits": [limit] });
        let refused = app.admin(Method::POST, "/api/v1/apply", Some(&body)).await.is(400);
        assert!(refused.text().contains(says), "{body}: {}", refused.text());
    }
    let limits = app.admin(Method::GET, "/api/v1/limits?reason=test", None).await.is(200).json();
    assert_eq!(limits["limits"], json!([]));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_sent_for_a_client_that_left_while_it_waited() {
    let app = TestApp::start().await;
    declare(&app, json!([{ "scope": "/acme/research", "concurrent": 1 }])).await;
    for simulator in app.simulators() {
        simulator.set_behaviour(Behaviour::SlowTokens { delay: Duration::from_millis(700) });
    }
    let first = app.ask("research", "gpt-oss-120b", "x");
    let left = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let waiting = app.ask("research", "gpt-oss-120b", "y");
        tokio::time::timeout(Duration::from_millis(200), waiting).await
    };
    let (served, left) = tokio::join!(first, left);
    served.is(200);
    assert!(left.is_err(), "it was answered");
    app.settled().await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(app.received().values().sum::<u64>(), 1);
    let records = app.records().await;
    let refusals: Vec<_> = records.iter().filter_map(|record| record.sections.get("refusal")).collect();
    assert_eq!(refusals.len(), 1, "{refusals:?}");
    assert_eq!((&refusals[0]["code"], &refusals[0]["status"]), (&json!("client_gone"), &json!(499)));
    assert_eq!(standing(&app, "concurrent").await["held"], 0);
    app.finish().await;
}

/// Whom a limit holds for, which keys with which models it counts, and one that it does not.
struct Subject {
    limit: Value,
    held: Vec<(String, &'static str)>,
    free: (String, &'static str),
}

/// A call that costs a tenth of a cent and 110 tokens, to its end.
async fn call(app: &TestApp, key: &str, model: &str) -> Reply {
    let mut body = message(model, "x");
    body["max_tokens"] = json!(100);
    let reply = app.chat(key, &body).await;
    app.settled().await;
    reply
}

async fn subjects(app: &TestApp) -> Vec<Subject> {
    let owned = |name: &str| json!({ "scope": "/acme/research", "name": name, "owner": "u-1" });
    let (id, mine) = app.create_key(owned("mine")).await;
    let (_, sister) = app.create_key(owned("sister")).await;
    let (_, loner) = app.create_key(json!({ "scope": "/acme/research", "name": "loner" })).await;
    app.apply(json!({ "model_groups": [{ "name": "big", "models": ["gpt-4.1"] }] })).await;
    let both = || vec![(mine.clone(), "gpt-4.1"), (sister.clone(), "gpt-4.1")];
    vec![
        Subject {
            limit: json!({ "scope": "/acme/research" }),
            held: both(),
            free: (String::from("support"), "assistant"),
        },
        Subject {
            limit: json!({ "key": id }),
            held: vec![(mine.clone(), "gpt-4.1"), (mine.clone(), "gpt-4.1-mini")],
            free: (sister.clone(), "gpt-4.1"),
        },
        Subject { limit: json!({ "user": "u-1" }), held: both(), free: (loner, "gpt-4.1") },
        Subject {
            limit: json!({ "scope": "/acme/research", "models": "big" }),
            held: both(),
            free: (mine.clone(), "gpt-4.1-mini"),
        },
    ]
}

/// Azure and OpenAI cost the same and always answer with the same usage.
async fn at_one_price(app: &TestApp) {
    let usage = json!({ "prompt_tokens": 10, "completion_tokens": 100, "total_tokens": 110 });
    for name in ["azure-sweden", "openai-us"] {
        app.edit_endpoint(name, |endpoint| {
            endpoint["price"] = json!({ "input": "0", "output": "10" });
        })
        .await;
        app.simulator(name).set_behaviour(Behaviour::ReportUsage(usage.clone()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_unit_is_limited_for_every_subject_in_every_span() {
    let app = TestApp::start().await;
    at_one_price(&app).await;
    for subject in subjects(&app).await {
        // Of each there is room for two calls at most.
        for (unit, most) in [("requests", json!(2)), ("tokens", json!(340)), ("spend_usd", json!("0.0025"))] {
            for (per, span) in [("minute", 60), ("hour", 3_600), ("day", 86_400)] {
                let mut limit = subject.limit.clone();
                limit[unit] = most.clone();
                limit["per"] = json!(per);
                declare(&app, json!([limit])).await;
                let mut replies = Vec::new();
                for (key, model) in subject.held.iter().cycle().take(3) {
                    replies.push(call(&app, key, model).await);
                }
                let refused = replies.pop().unwrap();
                assert_eq!(refused.status, 429, "{limit}: {}", refused.text());
                let refused = refused.refused(429, "rate_limited");
                assert_eq!(replies[0].status, 200, "{limit}: {}", replies[0].text());
                assert_eq!(replies[1].status, 200, "{limit}: {}", replies[1].text());
                // What was used just now counts until the span is nearly over.
                let retry = number(&refused, "retry-after");
                assert!(retry > span * 2 / 3 && retry <= span, "{limit}: {retry}");
                assert_eq!(refused.header("x-should-retry"), Some("true"), "{limit}");
                for (of, limited) in [("requests", 2), ("tokens", 340)] {
                    let header = |what: &str| format!("x-ratelimit-{what}-{of}");
                    if of != unit {
                        assert_eq!(refused.header(&header("limit")), None, "{limit}");
                        continue;
                    }
                    assert_eq!(number(&refused, &header("limit")), limited, "{limit}");
                    let left = number(&refused, &header("remaining"));
                    assert!(
                        if of == "requests" { left == 0 } else { (0..200).contains(&left) },
                        "{limit}: {left}"
                    );
                    let reset = seconds(refused.header(&header("reset")).unwrap());
                    let span: f64 = f64::from(i32::try_from(span).unwrap());
                    assert!(reset > span / 2.0 && reset <= span + 1.0, "{limit}: {reset}");
                }
                assert_eq!(refused.text().contains('$'), unit == "spend_usd", "{limit}: {}", refused.text());
                let (key, model) = &subject.free;
                let free = call(&app, key, model).await;
                assert_eq!(free.status, 200, "{limit}: {}", free.text());
                for of in ["requests", "tokens"] {
                    assert_eq!(free.header(&format!("x-ratelimit-limit-{of}")), None, "{limit}");
                }
                // It was this limit and nothing else.
                limit["retired"] = json!(true);
                declare(&app, json!([limit])).await;
                let (key, model) = &subject.held[0];
                let reply = call(&app, key, model).await;
                assert_eq!(reply.status, 200, "{limit}: {}", reply.text());
            }
        }
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_under_way_is_limited_for_every_subject() {
    let app = TestApp::start().await;
    at_one_price(&app).await;
    for subject in subjects(&app).await {
        let mut limit = subject.limit.clone();
        limit["concurrent"] = json!(1);
        declare(&app, json!([limit])).await;
        let slow = Behaviour::SlowTokens { delay: Duration::from_secs(3) };
        app.simulator("azure-sweden").push_behaviour(slow);
        let at_once = async |number: usize| {
            let (key, model) = &subject.held[number];
            // The first one is under way when the second and the free one come.
            tokio::time::sleep(Duration::from_millis(if number == 0 { 0 } else { 300 })).await;
            let mut body = message(model, "x");
            body["max_tokens"] = json!(100);
            app.chat(key, &body).await
        };
        let beside = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let (key, model) = &subject.free;
            app.ask(key, model, "x").await
        };
        let (first, second, free) = tokio::join!(at_once(0), at_once(1), beside);
        assert_eq!((first.status, free.status), (200, 200), "{limit}: {} {}", first.text(), free.text());
        assert_eq!(second.status, 429, "{limit}: {}", second.text());
        assert_eq!(second.refused(429, "rate_limited").header("retry-after"), Some("1"), "{limit}");
        app.settled().await;
        for (key, model) in &subject.held {
            let reply = call(&app, key, model).await;
            assert_eq!(reply.status, 200, "{limit}: {}", reply.text());
        }
        limit["retired"] = json!(true);
        declare(&app, json!([limit])).await;
    }
    app.finish().await;
}
