//! The invariants of the architecture, each with a test that its breach would fail.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bailiwick::demo::simulator::Behaviour;
use bailiwick::gateway::api::ROUTES;
use bailiwick::gateway::record::read_facts;
use reqwest::Method;
use sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};

use crate::app::{TestApp, logs, message, metrics, stored};

/// Values that occur nowhere else in this binary.
const VALUES: [&str; 8] = [
    "wolke.siebenschlaefer@kunde.example",
    "spielbein.vogelfrei@kunde.example",
    "DE02120300000000202051",
    "4012888888881881",
    "6011000990139424",
    "78.142.211.97",
    "AKIAQ4WTR7ZMX2PLN5VB",
    "funkenflug.abendrot@kunde.example",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redacted_value_is_in_no_byte_anywhere() {
    let app = TestApp::start().await;
    let [person, key, iban, number, spaced, address, credential, tool] = VALUES;
    let body = format!(
        r#"{{"model":"assistant","messages":[
            {{"role":"system","content":"{person} and {iban}","x-unknown":[[{{"{key}":"{person}"}}]]}},
            {{"role":"user","content":[{{"type":"text","text":"{person} \u0077olke.siebenschlaefer@kunde.example from {address}"}}]}},
            {{"role":"assistant","content":null,"tool_calls":[{{"id":"c","type":"function","function":{{"name":"f","arguments":"{{\"a\":\"{person}\"}}"}}}}]}},
            {{"role":"tool","tool_call_id":"c","content":"{credential}"}}],
            "tools":[{{"type":"function","function":{{"name":"ask {tool}","description":"{iban}"}}}}],
            "metadata":{{"{key}":"x","n":{number},"card":"{spaced}"}}}}"#
    );
    for stream in [false, true] {
        let body = if stream { body.replacen('{', "{\"stream\":true,", 1) } else { body.clone() };
        app.post("support", "/v1/chat/completions", &[], body).await.is(200);
    }
    let embed = json!({ "model": "embedder", "input": [person, iban] });
    app.post("support", "/v1/embeddings", &[], embed.to_string()).await.is(200);
    // Ways into an error text: a refusal, a failing provider, a name that nobody knows, JSON that breaks.
    let refused = [
        app.chat("support", &message("gpt-4.1-mini", person)).await.is(403),
        app.chat("support", &message(person, person)).await.is(404),
        app.post("support", "/v1/chat/completions", &[], format!(r#"{{"model":"assistant","{key}":"#))
            .await
            .is(400),
        app.post("support", "/v1/chat/completions", &[], format!(r#"{{"{key}":1,"{key}":2}}"#)).await,
    ];
    for name in ["vllm-germany", "bedrock-eu"] {
        app.simulator(name).set_behaviour(Behaviour::Status { code: 400, retry_after: None });
    }
    let failed = app.ask("support", "assistant", person).await.is(400);
    for reply in refused.iter().take(3).chain([&failed]) {
        assert!(VALUES.iter().all(|value| !reply.text().contains(value)), "{}", reply.text());
    }
    let mut got = 0;
    for simulator in app.simulators() {
        for request in simulator.received() {
            got += 1;
            for value in VALUES {
                assert!(!request.contains(value), "{value} reached {}: {request:?}", simulator.config().name);
            }
        }
    }
    assert!(got >= 4);
    tracing::info!("the log is listened to");
    let (logs, metrics) = (logs(), metrics());
    assert!(logs.contains("the log is listened to"), "an empty log would prove nothing");
    assert!(metrics.contains("bailiwick_attempts_total"), "{metrics}");
    for value in VALUES {
        assert!(!logs.contains(value), "{value} was logged");
        assert!(!metrics.contains(value), "{value} is in a metric");
    }
    let export = app.export().await;
    let folder = app.finish().await;
    for value in VALUES {
        assert!(memchr::memmem::find(&export, value.as_bytes()).is_none(), "{value} is in the log");
        assert_eq!(stored(folder.path(), value).await, Vec::<String>::new(), "{value}");
    }
    assert!(
        !stored(folder.path(), "eu-personal-data-is-tokenised").await.is_empty(),
        "the search looks into the database"
    );
}

/// What a client calls people and conversations may be anything, so it is kept nowhere; a pseudonym is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_of_people_are_in_no_record_and_can_be_asked_for() {
    let app = TestApp::start().await;
    let names = [
        ("user", "usr_", "tannenhaeher.wipfel@kunde.example"),
        ("subject", "sub_", "512-63-8847 eichelhaeher"),
        ("session", "ses_", "DE75512108001245126199"),
    ];
    let headers = names.map(|(kind, _, name)| (format!("x-bailiwick-{kind}"), name));
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let ask = |body: Value| app.post("support", "/v1/chat/completions", &headers, body.to_string());
    let answered = ask(message("assistant", "x")).await.is(200).decision();
    let again = ask(message("assistant", "y")).await.is(200).decision();
    let refused = ask(message("gpt-4.1-mini", "x")).await.is(403).decision();
    for decision in [&answered, &again, &refused] {
        let principal = app.records_of(decision).await.swap_remove(0).sections["principal"].clone();
        for (kind, prefix, name) in names {
            let asked = json!({ "kind": kind, "name": name });
            let told =
                app.admin(reqwest::Method::POST, "/api/v1/audit/pseudonym", Some(&asked)).await.is(200);
            assert_eq!(told.json()["pseudonym"], principal[kind], "{principal}");
            assert!(principal[kind].as_str().unwrap().starts_with(prefix), "{principal}");
        }
    }
    app.post("support", "/api/v1/audit/pseudonym", &[], r#"{"kind":"user","name":"x"}"#).await.is(401);
    let bad = json!({ "kind": names[0].2 });
    let refusal = app.admin(reqwest::Method::POST, "/api/v1/audit/pseudonym", Some(&bad)).await.is(400);
    assert!(!refusal.text().contains(names[0].2));
    let page = app.get(&format!("/v1/decisions/{answered}"), "support").await.is(200).body;
    let (logs, metrics, export) = (logs(), metrics(), app.export().await);
    let folder = app.finish().await;
    for (_, _, name) in names {
        assert!(!logs.contains(name) && !metrics.contains(name), "{name}");
        for bytes in [&page, &export] {
            assert!(memchr::memmem::find(bytes, name.as_bytes()).is_none(), "{name}");
        }
        assert_eq!(stored(folder.path(), name).await, Vec::<String>::new(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_and_numbers_are_scanned() {
    let app = TestApp::start().await;
    let body = r#"{"model":"assistant","messages":[{"role":"user","content":"x"}],"max_tokens":9,"metadata":{"lena.fink@kunde.example":4111111111111111,"z":0}}"#;
    let reply = app.post("support", "/v1/chat/completions", &[], body).await.is(200);
    assert_eq!(reply.header("x-bailiwick-redactions"), Some("EMAIL=1,CARD=1"));
    let got: Value = serde_json::from_str(&app.only_body("vllm-germany")).unwrap();
    let metadata = got["metadata"].as_object().unwrap();
    assert!(metadata.keys().any(|key| key.starts_with("<EMAIL_")), "{got}");
    assert!(metadata.values().any(Value::is_string) && got["metadata"]["z"] == 0, "{got}");
    // The same holds for a number at a schema's place that is no such number.
    app.forget();
    let body = r#"{"model":"assistant","messages":[{"role":"user","content":"x"}],"max_tokens":9,"seed":4111111111111111}"#;
    app.post("support", "/v1/chat/completions", &[], body).await.is(200);
    assert!(!app.only_body("vllm-germany").contains("4111"));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn request_headers_reach_a_provider_only_by_allow_list() {
    let app = TestApp::start().await;
    let value = "zaunkoenig-7731";
    let headers = [
        ("cookie", value),
        ("x-forwarded-for", value),
        ("user-agent", value),
        ("openai-organization", value),
        ("x-api-version", value),
        ("accept", value),
        ("referer", value),
        ("traceparent", value),
        ("api-key", value),
        ("x-bailiwick-user", value),
        ("x-bailiwick-subject", value),
        ("x-bailiwick-session", value),
    ];
    for model in ["gpt-4.1", "gpt-4.1-mini", "gpt-oss-120b", "mistral-large", "anthropic.claude-haiku-4-5"] {
        app.post("research", "/v1/chat/completions", &headers, message(model, "x").to_string()).await.is(200);
    }
    let allowed: BTreeSet<&str> = [
        "content-type",
        "accept",
        "accept-encoding",
        "user-agent",
        "host",
        "content-length",
        "authorization",
        "api-key",
    ]
    .into();
    let research = app.key("research");
    for request in app.simulators().flat_map(|simulator| simulator.received()) {
        assert!(!request.contains(value) && !request.contains(&research), "{request:?}");
        let names: BTreeSet<&str> = request.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert!(names.is_subset(&allowed), "{names:?}");
    }
    app.finish().await;
}

/// Keeps the log from taking records until it is rolled back.
pub(crate) async fn lock(app: &TestApp) -> sea_orm::DatabaseConnection {
    let url = app.app().config.database_url.as_ref().map(|url| url.as_str().to_owned());
    let lock = match url {
        Some(_) => "BEGIN; SELECT * FROM replicas FOR UPDATE",
        None => "BEGIN IMMEDIATE",
    };
    let mut options = sea_orm::ConnectOptions::new(
        url.unwrap_or_else(|| format!("sqlite://{}", app.data().join("bailiwick.db").display())),
    );
    options.max_connections(1).min_connections(1).test_before_acquire(false);
    let other = sea_orm::Database::connect(options).await.unwrap();
    other.execute_unprepared(lock).await.unwrap();
    other
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_leaves_before_its_record_is_durable() {
    let app = TestApp::start().await;
    let other = lock(&app).await;
    let asked = [
        app.ask("support", "assistant", "x"),
        app.ask("clinic", "assistant", "x"),
        // A refusal, too, is told only once it is recorded.
        app.ask("support", "gpt-4.1-mini", "x"),
    ];
    for reply in futures::future::join_all(asked).await {
        let reply = reply.refused(503, "audit_unavailable");
        assert_eq!(reply.header("x-should-retry"), Some("true"));
    }
    assert!(app.received().is_empty(), "{:?}", app.received());
    other.execute_unprepared("ROLLBACK").await.unwrap();
    app.ask("support", "assistant", "x").await.is(200);
    app.ask("support", "gpt-4.1-mini", "x").await.refused(403, "no_eligible_endpoint");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_leaves_that_was_stopped_while_the_log_was_waited_for() {
    let app = TestApp::start().await;
    // Leases are in hand before the log stands still.
    app.ask("research", "assistant", "x").await.is(200);
    app.settled().await;
    let before = app.app().gateway.snapshot.load_full();
    let in_an_hour = chrono::Utc::now() + chrono::TimeDelta::hours(1);
    let order = json!({ "kind": "endpoint", "target": "*", "reason": "incident 7", "expires": in_an_hour.to_rfc3339() });
    let thrown = app.admin(Method::POST, "/api/v1/kill-switches", Some(&order)).await.is(201).json();
    let stopped = app.app().gateway.snapshot.load_full();
    app.app().gateway.snapshot.store(before);
    app.forget();
    let other = lock(&app).await;
    let stopping = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        app.app().gateway.snapshot.store(stopped);
        other.execute_unprepared("ROLLBACK").await.unwrap();
    };
    let (reply, ()) = tokio::join!(app.ask("research", "assistant", "x"), stopping);
    let reply = reply.refused(403, "no_eligible_endpoint");
    assert!(app.received().is_empty(), "{:?}", app.received());
    let rule = format!("kill-switch:{}", thrown["id"].as_str().unwrap());
    assert!(
        reply.json()["bailiwick"]["rules"].as_array().unwrap().contains(&json!(rule)),
        "{}",
        reply.text()
    );
    // What was held for the attempt has gone back, and the log says that it was not sent.
    app.settled().await;
    let records = app.records_of(&reply.decision()).await;
    let outcome =
        records.iter().find(|record| record.header.kind == "outcome").expect("the attempt has an end");
    assert_eq!(outcome.sections["outcome"]["result"], json!("not_sent"));
    assert_eq!(outcome.sections["usage"]["cost_nano"], json!(0));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn budgets_hold_under_concurrent_requests() {
    let app = Arc::new(TestApp::start().await);
    app.simulator("openai-us").set_behaviour(Behaviour::SlowTokens { delay: Duration::from_millis(3) });
    let (_, key) =
        app.create_key(json!({ "scope": "/acme/research", "name": "poor", "budget_usd": "0.001" })).await;
    let limit = 1_000_000;
    let watch = Arc::new(AtomicBool::new(true));
    let watcher = {
        let (app, watch) = (Arc::clone(&app), Arc::clone(&watch));
        tokio::spawn(async move {
            let mut most = 0;
            while watch.load(Ordering::Relaxed) {
                let gateway = &app.app().gateway;
                for standing in gateway.budgets.standings(gateway.clock.now_ms()) {
                    assert!(
                        standing.settled_nano + standing.reserved_nano <= standing.budget.limit_nano,
                        "{standing:?}"
                    );
                    if standing.budget.limit_nano == limit {
                        most = most.max(standing.settled_nano + standing.reserved_nano);
                    }
                }
                tokio::time::sleep(Duration::from_micros(200)).await;
            }
            most
        })
    };
    let workers: Vec<_> = (0..64)
        .map(|worker| {
            let (app, key) = (Arc::clone(&app), key.clone());
            tokio::spawn(async move {
                let mut body = message("gpt-4.1-mini", "What is left?");
                body["max_tokens"] = json!(40);
                body["stream"] = json!(worker % 2 == 0);
                app.chat(&key, &body).await
            })
        })
        .collect();
    let (mut answered, mut refused) = (0, 0);
    for worker in workers {
        let reply = worker.await.unwrap();
        if reply.status == 200 {
            answered += 1;
        } else {
            let reply = reply.refused(429, "budget_exceeded");
            assert_eq!(reply.header("x-should-retry"), Some("false"));
            refused += 1;
        }
    }
    app.settled().await;
    watch.store(false, Ordering::Relaxed);
    let most = watcher.await.unwrap();
    assert!(answered > 5 && refused > 0, "{answered} answered, {refused} refused");
    assert!(most > limit / 2 && most <= limit, "{most}");
    assert_eq!(app.received().get("openai-us"), Some(&answered));
    // What was not spent can still be.
    let mut body = message("gpt-4.1-mini", "x");
    body["max_tokens"] = json!(1);
    let last = app.chat(&key, &body).await;
    assert!(last.status == 200 || last.status == 429);
    Arc::into_inner(app).unwrap().finish().await;
}

/// The table of routes and stages is the router's: no route is missing, none is invented.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_is_in_the_table() {
    let app = TestApp::start().await;
    let router = format!("{:?}", bailiwick::app::router(app.app(), app.url(), None));
    let served: BTreeSet<&str> = router.split('"').filter(|text| text.starts_with("/v1/")).collect();
    let told: BTreeSet<&str> = ROUTES.iter().map(|(_, path, _)| *path).collect();
    assert_eq!(served, told);
    let all = [
        "authenticate",
        "read",
        "classify",
        "decide",
        "route",
        "fund",
        "record",
        "forward",
        "respond",
        "settle",
    ];
    for (method, path, stages) in ROUTES {
        assert_eq!(stages[0], "authenticate");
        if path.starts_with("/v1/messages")
            || matches!(*path, "/v1/chat/completions" | "/v1/responses" | "/v1/embeddings")
        {
            assert_eq!(*stages, all, "{path}");
        }
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let address = format!("{}{}", app.url(), path.replace("{id}", "dec_none"));
        let reply = app.client.request(method, address).send().await.unwrap();
        assert!(matches!(reply.status().as_u16(), 401 | 404), "{path} without a key: {}", reply.status());
    }
    assert!(app.received().is_empty());
    app.finish().await;
}

/// What is recorded suffices to decide again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recorded_decision_can_be_decided_again() {
    let app = TestApp::start().await;
    let asked = [
        app.ask("support", "assistant", "Write to a@kunde.example").await,
        app.ask("clinic", "assistant", "A cough").await,
        app.ask("research", "assistant", "x").await,
        app.ask("support", "gpt-4.1", "x").await,
    ];
    let snapshot = app.app().gateway.snapshot.load_full();
    for reply in asked {
        let record = app.records_of(&reply.decision()).await.swap_remove(0);
        let facts = read_facts(record.sections["facts"].to_string().as_bytes()).unwrap();
        let again = snapshot.policy.decide(&facts);
        let eligible: Vec<&str> =
            again.eligible.iter().filter_map(|index| Some(snapshot.place(index)?.name.as_str())).collect();
        let recorded: Vec<&str> = record.sections["decision"]["eligible"]
            .as_array()
            .unwrap()
            .iter()
            .map(|name| name.as_str().unwrap())
            .collect();
        assert_eq!(eligible, recorded);
        assert_eq!(again.is_allowed(), reply.status == 200);
        for (name, digest) in &snapshot.digests {
            assert_eq!(record.header.digests.get(*name), Some(digest), "{name}");
        }
        assert!(record.header.digests.len() >= 3, "{:?}", record.header.digests);
    }
    app.finish().await;
}

/// What nobody knows counts as no: an endpoint without facts, a bundle that does not load, a prompt that cannot be read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_means_no() {
    let app = TestApp::start().await;
    for key in ["support", "clinic"] {
        let refused = app.ask(key, "nimbus-1", "x").await.refused(403, "no_eligible_endpoint").json();
        assert!(
            refused["bailiwick"]["excluded"]
                .as_array()
                .unwrap()
                .iter()
                .all(|one| one["endpoint"] == "mystery")
        );
    }
    // An image may hold anything, health data included, and nothing about vLLM says that it may have that.
    let (_, plain) = app.create_key(json!({ "scope": "/acme", "name": "plain" })).await;
    app.ask(&plain, "gpt-oss-120b", "x").await.is(200);
    let parts = json!([{ "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA" } }]);
    let body = json!({ "model": "gpt-oss-120b", "messages": [{ "role": "user", "content": parts }] });
    app.chat(&plain, &body).await.refused(403, "no_eligible_endpoint");
    assert_eq!(app.received().values().sum::<u64>(), 1);
    app.finish().await;

    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("bundle.yaml"), "name: [broken").unwrap();
    let mut config = bailiwick::app::Config::at("127.0.0.1:0".parse().unwrap(), folder.path().join("data"));
    config.bundle = Some(folder.path().to_path_buf());
    let error = bailiwick::app::App::open(config, None).await.unwrap_err().to_string();
    assert!(error.contains("bundle.yaml"), "{error}");
}
