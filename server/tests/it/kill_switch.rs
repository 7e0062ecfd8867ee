//! A kill switch stops what it names, at once, everywhere on a request's way, and nothing else.

use std::time::{Duration, Instant};

use bailiwick::clock::Clock;
use bailiwick::demo::simulator::Behaviour;
use bailiwick::gateway::record::read_facts;
use bailiwick::snapshot::Archive;
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{TestApp, message};

const PATH: &str = "/api/v1/kill-switches";

fn in_ms(ms: i64) -> String {
    chrono::DateTime::from_timestamp_millis(Clock::new().now_ms() + ms).unwrap().to_rfc3339()
}

fn in_hours(hours: i64) -> String {
    in_ms(hours * 3_600_000)
}

fn order(kind: &str, target: &str) -> Value {
    json!({ "kind": kind, "target": target, "reason": "incident 7", "expires": in_hours(1) })
}

async fn throw(app: &TestApp, body: &Value) -> String {
    let thrown = app.admin(Method::POST, PATH, Some(body)).await.is(201).json();
    assert_eq!((&thrown["state"], &thrown["asks_again"]), (&json!("in_force"), &json!(false)));
    thrown["id"].as_str().unwrap().to_owned()
}

async fn lift(app: &TestApp, id: &str) -> Value {
    let body = json!({ "reason": "mended" });
    app.admin(Method::DELETE, &format!("{PATH}/{id}"), Some(&body)).await.is(200).json()
}

/// Where a dry run of a request for `assistant` would go, in order.
async fn planned(app: &TestApp, key: &str) -> Vec<String> {
    let body = message("assistant", "Hello").to_string();
    let told = app.post(key, "/v1/decisions:explain", &[], body).await.is(200).json();
    let order = told["decision"]["order"].as_array().unwrap();
    order.iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_switch_stops_gets_nothing() {
    let app = TestApp::start().await;
    let before = planned(&app, "research").await;
    // Kind, target, and who is stopped by it.
    let cases: &[(&str, &str, &[&str])] = &[
        ("endpoint", "openai-us", &["openai-us"]),
        ("endpoint", "bedrock-*", &["bedrock-us-east-1", "bedrock-eu"]),
        ("provider", "aws", &["bedrock-us-east-1", "bedrock-eu"]),
        ("model", "mistral-large-2512", &["mistral-eu"]),
    ];
    for (kind, target, stopped) in cases {
        let id = throw(&app, &order(kind, target)).await;
        let rule = format!("kill-switch:{id}");
        app.forget();
        for (name, model) in app.endpoints() {
            let stops = stopped.contains(&name.as_str());
            let reply = app.ask("research", &model, "Public knowledge").await;
            let streamed = {
                let mut body = message(&model, "Public knowledge");
                body["stream"] = json!(true);
                app.chat("research", &body).await
            };
            if !stops {
                assert_eq!((reply.status, streamed.status), (200, 200), "{kind} {target}: {name}");
                continue;
            }
            streamed.refused(403, "no_eligible_endpoint");
            let reply = reply.refused(403, "no_eligible_endpoint");
            let told = reply.json();
            assert_eq!(told["bailiwick"]["rules"], json!([rule]), "{told}");
            assert_eq!(told["bailiwick"]["excluded"][0]["endpoint"], name.as_str());
            assert_eq!(told["bailiwick"]["excluded"][0]["rule"], rule.as_str());
            assert!(told["error"]["message"].as_str().unwrap().contains("incident 7"), "{told}");
            let record = app.records_of(&reply.decision()).await.swap_remove(0);
            assert_eq!(record.sections["decision"]["kill_switches"], json!([id]));
            assert!(record.header.digests.contains_key("kill_switches"));
        }
        // What everybody serves goes elsewhere, by itself and in a dry run.
        app.ask("research", "assistant", "Hello").await.is(200);
        let left = planned(&app, "research").await;
        assert!(!left.is_empty() && left.iter().all(|name| !stopped.contains(&name.as_str())), "{left:?}");
        let received = app.received();
        assert!(stopped.iter().all(|name| !received.contains_key(*name)), "{received:?}");
        let models = app.get("/v1/models", "research").await.json().to_string();
        for (name, model) in app.endpoints() {
            let listed = models.contains(&format!("\"id\":\"{model}\""));
            assert_eq!(listed, !stopped.contains(&name.as_str()), "{model}");
        }
        let lifted = lift(&app, &id).await;
        assert_eq!((&lifted["state"], &lifted["lifted_because"]), (&json!("lifted"), &json!("mended")));
        assert_eq!(planned(&app, "research").await, before);
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_transfer_mechanism_stops_who_relies_on_it_and_who_is_unknown() {
    let app = TestApp::start().await;
    let explained = async |name: &str| {
        let path = format!("/api/v1/endpoints/explain?name={name}&scope=/acme/research");
        app.admin(Method::GET, &path, None).await.is(200).text().to_owned()
    };
    throw(&app, &order("transfer_mechanism", "scc")).await;
    let mut stopped = 0;
    for (name, model) in app.endpoints() {
        let told: Value = serde_json::from_str(&explained(&name).await).unwrap();
        let models = told["models"].as_array().unwrap();
        let own = models.iter().find(|one| one["model"] == model.as_str()).unwrap();
        let attributes = own["attributes"].as_array().unwrap();
        let mechanism = attributes.iter().find(|one| one["attribute"] == "transfer_mechanism").unwrap();
        let value = mechanism["value"].as_str().unwrap();
        let relies = value.contains("scc") || value == "unknown";
        let status = app.ask("research", &model, "Public knowledge").await.status;
        assert_eq!(status, if relies { 403 } else { 200 }, "{name}: {mechanism}");
        stopped += u32::from(relies);
    }
    assert!(stopped > 0);
    assert!(stopped < u32::try_from(app.endpoints().len()).unwrap());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switch_holds_for_its_scope_and_below() {
    let app = TestApp::start().await;
    let mut body = order("endpoint", "*");
    body["scope"] = json!("/acme/retail");
    throw(&app, &body).await;
    app.ask("support", "assistant", "Hello").await.refused(403, "no_eligible_endpoint");
    app.ask("research", "assistant", "Hello").await.is(200);
    app.ask("clinic", "assistant", "A cough").await.is(200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switch_thrown_while_a_request_waits_stops_its_next_attempt() {
    let app = TestApp::start().await;
    app.impatient().await;
    let order_before = planned(&app, "research").await;
    let (first, second) = (order_before[0].clone(), order_before[1].clone());
    app.simulator(&first).set_behaviour(Behaviour::Hang);
    let waiting = app.ask("research", "assistant", "Hello");
    let throwing = async {
        while app.simulator(&first).received_count() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        throw(&app, &order("endpoint", &second)).await
    };
    let (reply, id) = tokio::join!(waiting, throwing);
    let reply = reply.is(200);
    assert!(![&first, &second].contains(&&reply.endpoint().to_owned()), "{}", reply.endpoint());
    assert_eq!(app.simulator(&second).received_count(), 0);

    // Where nothing else is left, it is refused, and the record says by what.
    lift(&app, &id).await;
    app.forget();
    let waiting = app.ask("research", "assistant", "Hello");
    let throwing = async {
        while app.simulator(&first).received_count() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        throw(&app, &order("endpoint", "*")).await
    };
    // The one that hangs rests after its failure, so that it may not come first.
    app.simulators().for_each(|simulator| simulator.set_behaviour(Behaviour::Hang));
    let (reply, id) = tokio::join!(waiting, throwing);
    assert_ne!(reply.status, 200);
    let rule = format!("kill-switch:{id}");
    assert!(
        reply.json()["bailiwick"]["rules"].as_array().unwrap().contains(&json!(rule)),
        "{}",
        reply.text()
    );
    let last = app.records_of(&reply.decision()).await.pop().unwrap();
    assert!(last.sections["refusal"]["rules"].to_string().contains(&rule), "{last:?}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_under_a_switch_can_be_decided_again_when_it_is_lifted() {
    let app = TestApp::start().await;
    let id = throw(&app, &order("endpoint", "openai-us")).await;
    let reply = app.ask("research", "assistant", "Hello").await.is(200);
    let refused = app.ask("research", "gpt-4.1-mini", "Hello").await.is(403);
    lift(&app, &id).await;
    for (decision, allowed) in [(reply.decision(), true), (refused.decision(), false)] {
        let record = app.records_of(&decision).await.swap_remove(0);
        let facts = read_facts(record.sections["facts"].to_string().as_bytes()).unwrap();
        let digests = record.header.digests.clone();
        let policy = Archive::recall(&app.app().store, &digests, facts.time_ms).await.unwrap().unwrap();
        let again = policy.decide(&facts);
        assert_eq!(again.is_allowed(), allowed);
        let names: Vec<&str> = policy.names(&again.eligible).collect();
        assert_eq!(json!(names), record.sections["decision"]["eligible"]);
        assert!(!names.contains(&"openai-us"));
        assert_eq!(record.sections["decision"]["kill_switches"], json!([id]));
    }
    let page = app.get(&format!("/decisions/{}", refused.decision()), "").await;
    assert!(page.status < 500);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_switch_stops_nothing_and_asks_again() {
    let app = TestApp::start().await;
    let mut body = order("endpoint", "openai-us");
    body["expires"] = json!(in_ms(1500));
    let id = throw(&app, &body).await;
    app.ask("research", "gpt-4.1-mini", "Hello").await.is(403);
    let began = Instant::now();
    while app.ask("research", "gpt-4.1-mini", "Hello").await.status != 200 {
        assert!(began.elapsed() < Duration::from_secs(6), "it never expires");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let listed = app.admin(Method::GET, PATH, None).await.is(200).json();
    let listed = &listed["kill_switches"][0];
    assert_eq!(
        (&listed["id"], &listed["state"], &listed["asks_again"]),
        (&json!(id), &json!("expired"), &json!(true))
    );
    lift(&app, &id).await;
    app.admin(Method::DELETE, &format!("{PATH}/{id}"), Some(&json!({ "reason": "again" }))).await.is(409);
    let records = app.records().await;
    let acts: Vec<(&Value, &Value)> = records
        .iter()
        .filter(|record| record.header.kind == "kill_switch" && record.id("phase") == Some("begun"))
        .map(|record| (&record.sections["act"]["act"], &record.sections["act"]["what"]["kill_switch"]))
        .collect();
    let id = json!(id);
    assert_eq!(
        acts[..3],
        [
            (&json!("kill_switch_thrown"), &id),
            (&json!("kill_switch_expired"), &id),
            (&json!("kill_switch_lifted"), &id)
        ]
    );
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switch_that_would_stop_nothing_or_for_ever_is_refused() {
    let app = TestApp::start().await;
    let with = |name: &str, value: Value| {
        let mut body = order("endpoint", "openai-us");
        body[name] = value;
        body
    };
    for (wrong, says) in [
        (with("kind", json!("planet")), "kind"),
        (with("target", json!("openai-uk")), "did you mean `openai-us`"),
        (with("target", json!("a*b")), "not at its end"),
        (with("target", json!("")), "empty"),
        (with("reason", json!("  ")), "reason"),
        (with("reason", json!("x".repeat(501))), "500"),
        (with("scope", json!("acme")), "scope"),
        (with("expires", json!(in_hours(-1))), "in the past"),
        (with("expires", json!(in_hours(721))), "30 days"),
        (with("expires", json!("soon")), "expires"),
        (with("more", json!(1)), "more"),
        (order("transfer_mechanism", "none"), "none to stop"),
        (order("transfer_mechanism", "trust"), "transfer_mechanism"),
        (json!({ "kind": "endpoint", "target": "openai-us", "reason": "x" }), "expires"),
    ] {
        let reply = app.admin(Method::POST, PATH, Some(&wrong)).await;
        assert_eq!(reply.status, 400, "{wrong}: {}", reply.text());
        assert!(reply.text().contains(says), "{wrong}: {}", reply.text());
    }
    app.admin(Method::POST, PATH, Some(&with("scope", json!("/nowhere")))).await.is(404);
    app.admin(Method::DELETE, &format!("{PATH}/ks_none"), Some(&json!({ "reason": "x" }))).await.is(404);
    // A key is nobody here, and neither is who has no role for it.
    app.post("research", PATH, &[], order("endpoint", "*").to_string()).await.is(401);
    app.get(PATH, "").await.is(401);
    let now_ms = app.app().gateway.clock.now_ms();
    let lead = bailiwick::identity::create_token(&app.app().store, "lead", "/acme", &["lead"], now_ms)
        .await
        .unwrap();
    app.post(&lead.reveal(), PATH, &[], order("endpoint", "*").to_string()).await.is(403);
    let admin =
        bailiwick::identity::create_token(&app.app().store, "admin", "/acme/clinic", &["admin"], now_ms)
            .await
            .unwrap();
    app.post(&admin.reveal(), PATH, &[], order("endpoint", "*").to_string()).await.is(403);
    let mut own = order("endpoint", "*");
    own["scope"] = json!("/acme/clinic");
    app.post(&admin.reveal(), PATH, &[], own.to_string()).await.is(201);
    let listed = app.admin(Method::GET, PATH, None).await.is(200).json();
    assert_eq!(listed["kill_switches"].as_array().unwrap().len(), 1);
    app.ask("clinic", "assistant", "A cough").await.is(403);
    app.ask("research", "assistant", "Hello").await.is(200);
    app.finish().await;
}
