//! Other detectors, where a rule asks for one: what they get, what becomes of what they find, and that nothing leaves where they
//! cannot be asked.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use bailiwick::git::GitConfig;
use reqwest::Method;
use sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};

use crate::app::{TestApp, message, stored};
use crate::books::Record;
use crate::git::{following, follows};
use crate::invariants::lock;
use crate::repository::Repository;

/// A name that no list has: only the detector knows it.
const NAME: &str = "oskar wolkenbein";
const MAIL: &str = "tannenhaeher@kunde.example";
/// The same as the name of a tool.
const TOOL: &str = "ask_oskar_wolkenbein";

/// How the detector of a test behaves.
#[derive(Clone, Copy, Debug)]
enum Does {
    /// Finds every [`NAME`].
    Reads,
    /// Answers after that many milliseconds.
    Waits(u64),
    /// Answers with this status.
    Status(u16),
    /// Answers with this.
    Says(&'static str),
}

struct Detector {
    url: String,
    seen: Arc<Mutex<Vec<Value>>>,
    does: Arc<Mutex<Does>>,
}

type Shared = (Arc<Mutex<Vec<Value>>>, Arc<Mutex<Does>>);

async fn analyze(State((seen, does)): State<Shared>, body: String) -> (StatusCode, String) {
    let asked: Value = serde_json::from_str(&body).unwrap();
    let text = asked["text"].as_str().unwrap().to_owned();
    seen.lock().unwrap().push(asked);
    let does = *does.lock().unwrap();
    match does {
        Does::Reads => {
            let found: Vec<Value> = text
                .match_indices(NAME)
                .chain(text.match_indices(TOOL))
                .map(|(at, name)| {
                    let start = text[..at].chars().count();
                    json!({ "entity_type": "PERSON", "start": start, "end": start + name.chars().count(), "score": 0.85 })
                })
                .collect();
            (StatusCode::OK, Value::from(found).to_string())
        }
        Does::Waits(ms) => {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            (StatusCode::OK, String::from("[]"))
        }
        Does::Status(code) => (StatusCode::from_u16(code).unwrap(), String::from("[]")),
        Does::Says(text) => (StatusCode::OK, text.to_owned()),
    }
}

impl Detector {
    async fn start() -> Self {
        let (seen, does) = (Arc::default(), Arc::new(Mutex::new(Does::Reads)));
        let router =
            Router::new().route("/analyze", post(analyze)).with_state((Arc::clone(&seen), Arc::clone(&does)));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, seen, does }
    }

    fn seen(&self) -> Vec<Value> {
        self.seen.lock().unwrap().clone()
    }

    fn does(&self, does: Does) {
        *self.does.lock().unwrap() = does;
    }
}

const RULE: &str = "id: names-are-found
title: Names are found by a detector and replaced
because: [House policy]
scope: /acme/retail/support
analyze: names
redact: { entities: [PERSON], how: token, direction: request, restore: { text: true } }
";

/// A server whose rules ask for a detector for the key `support`, and the detector's endpoint in a country.
async fn asking(url: &str, country: &str) -> (TestApp, Repository) {
    let repository = Repository::new();
    let git = GitConfig { require_signature: false, allowed_signers: None, ..repository.config() };
    let app = following(git).await;
    app.apply(json!({ "endpoints": [{
        "name": "presidio-own", "scope": "/acme", "dialect": "vllm", "base_url": url,
        "models": [{ "alias": "names", "upstream": "presidio" }], "operations": ["analyze"],
        "analyzer": { "deadline_ms": 600, "at_once": 2 },
        "profile": { "name": "presidio-own", "operator": "self", "service": "presidio", "model": "presidio",
            "declared": { "countries": [country], "hosting": "on_premises", "retention_days": 0 } },
    }] }))
    .await;
    repository.write("rules/names.yaml", RULE);
    // The bundle's own tests say what is replaced.
    let tests = std::fs::read_to_string(repository.path().join("policy/tests/eu.yaml")).unwrap();
    let with_names = tests.replace("{ identifiers: token,", "{ identifiers: token, PERSON: token,");
    assert_ne!(with_names, tests);
    repository.write("tests/eu.yaml", &with_names);
    follows(&app, &repository.commit_unsigned("Names are found")).await;
    (app, repository)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_detector_finds_is_redacted_and_what_is_redacted_it_does_not_see() {
    let detector = Detector::start().await;
    let (app, _repository) = asking(&detector.url, "DE").await;
    let text = format!("Grüße an {NAME}, {MAIL}. Ja, {NAME}!");
    for stream in [false, true] {
        app.forget();
        let mut body = message("assistant", &text);
        body["stream"] = json!(stream);
        let reply = app.chat("support", &body).await.is(200);
        assert_eq!(reply.header("x-bailiwick-redactions"), Some("EMAIL=1,PERSON=2"));
        let said = if stream { reply.streamed() } else { reply.said() };
        assert!(said.contains(NAME) && said.contains(MAIL), "{said}");
        let sent: String = app
            .simulators()
            .flat_map(|simulator| simulator.received())
            .map(|got| String::from_utf8_lossy(&got.body).into_owned())
            .collect();
        assert!(sent.contains("<PERSON_") && !sent.contains(NAME) && !sent.contains(MAIL), "{sent}");
        let decision = reply.decision();
        let records = app.records_of(&decision).await;
        let kinds: Vec<&str> = records.iter().map(|record| record.header.kind.as_str()).collect();
        assert_eq!(kinds, ["analysis", "decision", "outcome"]);
        let analysis = &records[0].sections["analysis"];
        assert_eq!(
            (&analysis["detector"], &analysis["endpoint"], &analysis["rules"], &analysis["eligible"]),
            (&json!("names"), &json!("presidio-own"), &json!(["names-are-found"]), &json!(["presidio-own"]))
        );
        assert_eq!(records[1].sections["facts"]["entities"], json!({ "EMAIL": 1, "PERSON": 2 }));
    }
    let seen = detector.seen();
    assert_eq!(seen.len(), 2);
    for asked in &seen {
        let shown = asked["text"].as_str().unwrap();
        assert!(shown.contains(NAME) && !shown.contains(MAIL) && shown.contains("*****"), "{shown}");
        assert_eq!((&asked["language"], &asked["score_threshold"]), (&json!("en"), &json!(0.5)));
        assert!(asked["entities"].as_array().unwrap().contains(&json!("PERSON")));
    }
    // Keys that the rule is not about ask nobody, and neither does a dry run.
    app.ask("research", "assistant", &text).await.is(200);
    let dry = message("assistant", &text).to_string();
    app.post("support", "/v1/chat/completions", &[("x-bailiwick-dry-run", "1")], dry).await.is(200);
    assert_eq!(detector.seen().len(), 2);
    let folder = app.finish().await;
    assert_eq!(stored(folder.path(), NAME).await, Vec::<String>::new());
}

/// What was found here and is not replaced is in nobody's way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_detector_finds_within_something_else_is_found_all_the_same() {
    let detector = Detector::start().await;
    let (app, _repository) = asking(&detector.url, "DE").await;
    let reply =
        app.ask("support", "assistant", &format!("see https://x.example/{NAME}, please")).await.is(200);
    assert_eq!(reply.header("x-bailiwick-redactions"), Some("PERSON=1"));
    let sent: String = app
        .simulators()
        .flat_map(|simulator| simulator.received())
        .map(|got| String::from_utf8_lossy(&got.body).into_owned())
        .collect();
    assert!(sent.contains("https://x.example/<PERSON_") && !sent.contains("oskar"), "{sent}");
    let records = app.records_of(&reply.decision()).await;
    assert_eq!(records[1].sections["facts"]["entities"], json!({ "PERSON": 1, "URL": 1 }));
    // A name that only the detector knows is in no record as the name of a tool either.
    let mut body = message("assistant", "x");
    let function = json!({ "name": TOOL, "parameters": { "type": "object", "properties": {} } });
    body["tools"] = json!([{ "type": "function", "function": function }]);
    let reply = app.chat("support", &body).await;
    let records = app.records_of(&reply.decision()).await;
    let decided = records.iter().find(|record| record.header.kind == "decision").unwrap();
    assert_eq!(decided.sections["facts"]["tools"], json!(["[withheld]"]));
    app.finish().await;
}

/// Every section that says who had what read, on which facts.
fn read_by(record: &Record) -> [&Value; 4] {
    ["analysis", "facts", "principal", "network"].map(|name| &record.sections[name])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_a_detector_read_a_request_is_known_with_who_asked_and_why_it_could() {
    let detector = Detector::start().await;
    let (app, _repository) = asking(&detector.url, "DE").await;
    let reply = app.ask("support", "assistant", &format!("{NAME}, {MAIL}")).await.is(200);
    let records = app.records_of(&reply.decision()).await;
    let [analysis, facts, principal, network] = read_by(&records[0]);
    assert_eq!((&facts["operation"], &facts["model"]), (&json!("analyze"), &json!("names")));
    // What was known before the detector read it.
    assert_eq!(facts["entities"], json!({ "EMAIL": 1 }));
    assert_eq!(principal["name"], "support");
    assert_eq!(network["route"], "POST /v1/chat/completions");
    // So it can be decided again.
    let snapshot = app.app().gateway.snapshot.load_full();
    let facts = bailiwick::gateway::record::read_facts(facts.to_string().as_bytes()).unwrap();
    let again = snapshot.policy.decide(&facts);
    let eligible: Vec<&str> = snapshot.policy.names(&again.eligible).collect();
    assert_eq!(json!(eligible), analysis["eligible"]);
    for (name, digest) in &snapshot.digests {
        assert_eq!(records[0].header.digests.get(*name), Some(digest), "{name}");
    }

    // What was decided in the end is what is explained.
    let path = format!("/api/v1/decisions/{}/explanation", reply.decision());
    let explained = app.admin(Method::GET, &path, None).await.is(200).json();
    assert_eq!(explained["facts"]["entities"], json!({ "EMAIL": 1, "PERSON": 1 }), "{explained}");

    // A client that leaves while the detector reads changes nothing of that, and its request is refused.
    detector.does(Does::Waits(400));
    app.forget();
    let asked = app.ask("support", "assistant", NAME);
    assert!(tokio::time::timeout(Duration::from_millis(150), asked).await.is_err(), "it was answered");
    app.settled().await;
    assert_eq!(detector.seen().len(), 2);
    let records = app.records().await;
    let analysis = records.iter().rfind(|record| record.header.kind == "analysis").unwrap();
    let decision = &analysis.header.ids["decision"];
    let of_it = app.records_of(decision).await;
    let kinds: Vec<&str> = of_it.iter().map(|record| record.header.kind.as_str()).collect();
    assert_eq!(kinds, ["analysis", "refusal"]);
    assert!(read_by(&of_it[0]).iter().all(|section| section.is_object()));
    assert_eq!(of_it[1].sections["refusal"]["code"], "client_gone");
    assert!(app.received().is_empty());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_paid_for_is_shown_to_no_detector() {
    let detector = Detector::start().await;
    let (app, _repository) = asking(&detector.url, "DE").await;
    let scope = "/acme/retail/support";
    app.apply(json!({ "limits": [{ "scope": scope, "requests": 3, "per": "day" }] })).await;
    // A request is one, whether its end is an answer, a refusal or a client that has left.
    app.ask("support", "assistant", NAME).await.is(200);
    detector.does(Does::Status(500));
    app.ask("support", "assistant", NAME).await.refused(503, "unavailable");
    detector.does(Does::Waits(300));
    let asked = app.ask("support", "assistant", NAME);
    assert!(tokio::time::timeout(Duration::from_millis(100), asked).await.is_err(), "it was answered");
    app.settled().await;
    detector.does(Does::Reads);
    let reply = app.ask("support", "assistant", NAME).await.refused(429, "rate_limited");
    assert_eq!(detector.seen().len(), 3);
    let records = app.records_of(&reply.decision()).await;
    let kinds: Vec<&str> = records.iter().map(|record| record.header.kind.as_str()).collect();
    assert_eq!(kinds, ["refusal"]);
    let limits = app.admin(Method::GET, "/api/v1/limits", None).await.is(200).json();
    assert_eq!(limits["limits"][0]["held"], 0, "{limits}");

    // The same of money: what has none left is read by nobody.
    app.apply(json!({ "limits": [{ "scope": scope, "requests": 1000, "per": "day" }] })).await;
    app.apply(json!({ "budgets": [{ "scope": scope, "limit_usd": "0.000001", "window": "day" }] })).await;
    app.ask("support", "anthropic.claude-haiku-4-5", NAME).await.refused(429, "budget_exceeded");
    assert_eq!(detector.seen().len(), 3);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_detector_that_may_not_read_a_request_gets_nothing_of_it() {
    let detector = Detector::start().await;
    let (app, _repository) = asking(&detector.url, "US").await;
    // Someone in the EU, and a detector in the United States.
    let reply = app.ask("support", "assistant", MAIL).await.refused(403, "no_eligible_endpoint").json();
    let excluded = reply["bailiwick"]["excluded"].as_array().unwrap();
    assert!(excluded.iter().all(|one| one["endpoint"] == "presidio-own") && !excluded.is_empty(), "{reply}");
    let rules = reply["bailiwick"]["rules"].as_array().unwrap();
    assert!(rules.contains(&json!("eu-personal-data-stays-in-the-eu")), "{reply}");
    assert!(detector.seen().is_empty() && app.received().is_empty());
    app.finish().await;

    // A kill switch stops it as it stops any endpoint.
    let (app, _repository) = asking(&detector.url, "DE").await;
    let until = chrono::Utc::now() + chrono::TimeDelta::hours(1);
    let order = json!({ "kind": "endpoint", "target": "presidio-*", "reason": "incident 7", "expires": until.to_rfc3339() });
    app.admin(Method::POST, "/api/v1/kill-switches", Some(&order)).await.is(201);
    app.ask("support", "assistant", MAIL).await.refused(403, "no_eligible_endpoint");
    assert!(detector.seen().is_empty() && app.received().is_empty());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_a_detector_fails_nothing_is_sent() {
    let detector = Detector::start().await;
    let (app, _repository) = asking(&detector.url, "DE").await;
    for does in [
        Does::Waits(5_000),
        Does::Status(500),
        Does::Status(302),
        Does::Says("{}"),
        Does::Says("[{\"entity_type\":\"PERSON\",\"start\":0,\"end\":9999,\"score\":1}]"),
        Does::Says("[{\"entity_type\":\"UNHEARD_OF\",\"start\":0,\"end\":1,\"score\":1}]"),
    ] {
        detector.does(does);
        let reply = app.ask("support", "assistant", NAME).await.refused(503, "unavailable");
        assert!(!reply.text().contains(NAME), "{does:?}: {}", reply.text());
        let records = app.records_of(&reply.decision()).await;
        let kinds: Vec<&str> = records.iter().map(|record| record.header.kind.as_str()).collect();
        assert_eq!(kinds, ["analysis", "refusal"], "{does:?}");
    }
    // More than may ask at once wait their turn, within the time that they have.
    detector.does(Does::Waits(150));
    let asked = (0..6).map(|_| app.ask("support", "assistant", NAME));
    for reply in futures::future::join_all(asked).await {
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    detector.does(Does::Waits(500));
    let asked = (0..6).map(|_| app.ask("support", "assistant", NAME));
    let replies = futures::future::join_all(asked).await;
    let refused = replies.iter().filter(|reply| reply.status == 503).count();
    assert_eq!(refused, 4, "two at once, and no third in time");
    app.forget();
    // Nobody is there.
    app.edit_endpoint("presidio-own", |definition| definition["base_url"] = json!("http://127.0.0.1:9"))
        .await;
    app.ask("support", "assistant", NAME).await.refused(503, "unavailable");
    assert!(app.received().is_empty(), "{:?}", app.received());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_detector_gets_nothing_before_its_record_is_durable() {
    let detector = Detector::start().await;
    let (app, _repository) = asking(&detector.url, "DE").await;
    let other = lock(&app).await;
    app.ask("support", "assistant", NAME).await.refused(503, "audit_unavailable");
    assert!(detector.seen().is_empty() && app.received().is_empty());
    other.execute_unprepared("ROLLBACK").await.unwrap();
    app.ask("support", "assistant", NAME).await.is(200);
    assert_eq!(detector.seen().len(), 1);
    app.finish().await;
}

/// The real presidio-analyzer out of PyPI, over HTTP.
struct Presidio {
    child: Child,
    url: String,
}

impl Presidio {
    /// `None` where `cargo xtask test` has not installed it.
    fn start() -> Option<Self> {
        let Some(python) = std::env::var_os("BAILIWICK_TEST_PRESIDIO") else {
            let strict = std::env::var_os("BAILIWICK_TEST_STRICT").is_some_and(|value| value == "1");
            assert!(!strict, "BAILIWICK_TEST_PRESIDIO is not set");
            eprintln!("SKIPPED: BAILIWICK_TEST_PRESIDIO is not set, so presidio-analyzer was not tried");
            return None;
        };
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../xtask/presidio/presidio.py");
        let mut command = Command::new(python);
        let mut child = command.arg(program).args(["serve", "0"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port: u16 = line.trim().rsplit(' ').next().unwrap().parse().expect(&line);
        Some(Self { child, url: format!("http://127.0.0.1:{port}") })
    }
}

impl Drop for Presidio {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn presidio_analyzer_is_asked_over_its_own_api() {
    let Some(presidio) = tokio::task::spawn_blocking(Presidio::start).await.unwrap() else { return };
    let (app, _repository) = asking(&presidio.url, "DE").await;
    // A kind of Presidio's own that is looked for by form there and by a word here.
    app.edit_endpoint("presidio-own", |definition| {
        definition["analyzer"] = json!({
            "deadline_ms": 20_000, "min_confidence": 10,
            "kinds": { "US_PASSPORT": "PASSPORT", "EMAIL_ADDRESS": "EMAIL" },
        });
    })
    .await;
    let value = "K12803456";
    let reply = app.ask("support", "assistant", &format!("Größe 3: {value}, {MAIL}")).await.is(200);
    let record = app.records_of(&reply.decision()).await.swap_remove(1);
    assert_eq!(record.sections["facts"]["entities"], json!({ "EMAIL": 1, "PASSPORT": 1 }));
    app.finish().await;
}
