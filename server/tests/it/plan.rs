//! What another bundle would have changed: recorded decisions, decided again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bailiwick::plan::{FactChanges, Plan, PlanReport, Prices, Traffic, plan};
use bailiwick_compliance_db::Database;
use bailiwick_policy::{Bundle, BundleSource, Change, run_tests};
use reqwest::Method;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::acts::sql as sql_of;
use crate::app::{TestApp, message};

/// The files of the bundle in force, with one more.
fn with(rule: Option<&str>) -> BTreeMap<String, String> {
    let mut files = BundleSource::starter().files;
    if let Some(rule) = rule {
        files.insert(String::from("rules/new.yaml"), rule.to_owned());
    }
    files
}

async fn planned(app: &TestApp, files: &BTreeMap<String, String>, scope: &str) -> PlanReport {
    let body = json!({ "bundle": files, "from": "2020-01-01T00:00:00Z", "scope": scope });
    let reply = app.admin(Method::POST, "/api/v1/policy:plan", Some(&body)).await.is(200);
    serde_json::from_value(reply.json()).unwrap()
}

/// Traffic of every kind: allowed, refused by a rule, by access control, streamed, with data, tools and regions.
async fn traffic(app: &TestApp) -> u64 {
    let mut asked = 0;
    for (key, model, text) in [
        ("support", "assistant", "Jane Roe, jane.roe@kunde.example, asks for her balance"),
        ("support", "gpt-4.1-mini", "jane.roe@kunde.example"),
        ("clinic", "assistant", "The patient, 219-09-9999, has a cough"),
        ("research", "assistant", "Public knowledge"),
        ("research", "assistant", "my card is 4012888888881881"),
        ("research", "no-such-model", "x"),
    ] {
        app.ask(key, model, text).await;
        asked += 1;
    }
    let mut body = message("assistant", "Look it up");
    body["tools"] = json!([{ "type": "function", "function": { "name": "shell" } }]);
    app.chat(&app.key("research"), &body).await.is(200);
    app.settled().await;
    asked + 1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_bundle_reproduces_every_decision_and_changes_none() {
    let app = TestApp::start().await;
    let asked = traffic(&app).await;
    // Under another catalog of endpoints and a kill switch, too.
    let order = json!({ "kind": "endpoint", "target": "openai-us", "reason": "incident 7",
        "expires": (chrono::Utc::now() + chrono::TimeDelta::hours(1)).to_rfc3339() });
    app.admin(Method::POST, "/api/v1/kill-switches", Some(&order)).await.is(201);
    let more = traffic(&app).await;
    app.edit_endpoint("mistral-eu", |endpoint| endpoint["profile"]["source_region"] = Value::Null).await;
    let still = traffic(&app).await;
    let report = planned(&app, &with(None), "/").await;
    assert_eq!(report.decisions, asked + more + still, "{report:?}");
    assert_eq!((report.reproduced, report.same), (report.decisions, report.decisions), "{report:?}");
    assert_eq!(report.counts, Default::default());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_tells_what_changes_by_which_rule_and_where() {
    let app = TestApp::start().await;
    traffic(&app).await;
    let rule = "id: no-shell\ntitle: No model runs a shell\nbecause: [house policy]\nscope: /acme/research\ndeny_tools: [shell]\n---\n\
                id: support-hosted\ntitle: Support keeps our machines free\nbecause: [house policy]\nscope: /acme/retail\n\
                require: { hosting: [dedicated, shared] }\n";
    let before = planned(&app, &with(None), "/").await;
    let report = planned(&app, &with(Some(rule)), "/").await;
    assert_eq!((report.decisions, report.reproduced), (before.decisions, before.decisions));
    assert_eq!((report.counts.newly_refused, report.counts.newly_allowed), (1, 0), "{report:?}");
    assert_eq!((report.counts.rerouted, report.counts.handled), (1, 0), "{report:?}");
    let by = |rule: &str| report.by_rule.iter().find(|by| by.rule == rule).unwrap();
    assert_eq!(by("no-shell").counts.newly_refused, 1);
    let example = by("no-shell").examples.first().unwrap();
    let records = app.records_of(example).await;
    assert_eq!(records[0].sections["facts"]["tools"], json!(["shell"]));
    assert_eq!(by("support-hosted").counts.rerouted, 1);
    let told = report.examples.iter().find(|one| one.change == Change::NewlyRefused).unwrap();
    assert!(told.why.contains("No model runs a shell"), "{told:?}");
    let scope = report.by_scope.iter().find(|by| by.scope == "/acme/research").unwrap();
    assert_eq!(scope.counts.newly_refused, 1);
    // Our own machines cost nothing.
    assert!(report.cost.difference_nano > 0 && report.cost.unknown == 0, "{report:?}");

    // The other way round: a bundle without a rule that refused.
    let mut files = with(None);
    files.retain(|path, _| path != "rules/eu-personal-data.yaml" && !path.starts_with("tests/"));
    files.remove("exceptions/sample.yaml");
    let report = planned(&app, &files, "/").await;
    assert!(report.counts.newly_allowed > 0, "{report:?}");
    assert_eq!(report.cost.unknown, report.counts.newly_allowed);

    // A scope sees its own decisions.
    let report = planned(&app, &with(None), "/acme/clinic").await;
    assert_eq!(report.by_scope.iter().map(|by| by.scope.as_str()).collect::<Vec<_>>(), ["/acme/clinic"]);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_decision_is_explained_and_becomes_a_test_that_its_bundle_passes() {
    let app = TestApp::start().await;
    let asked = traffic(&app).await;
    let listed = app.admin(Method::GET, "/api/v1/decisions", None).await.is(200).json();
    let decisions = listed["decisions"].as_array().unwrap();
    assert_eq!(u64::try_from(decisions.len()).unwrap(), asked);
    let mut refused = 0;
    for decision in decisions {
        let id = decision["id"].as_str().unwrap();
        let path = format!("/api/v1/decisions/{id}/explanation");
        let explained = app.admin(Method::GET, &path, None).await.is(200).json();
        let allowed = explained["allowed"].as_bool().unwrap();
        // A refusal by the rules leads to a page of the provider, or to what is missing.
        for endpoint in explained["explanation"]["endpoints"].as_array().unwrap() {
            for reason in
                endpoint["reasons"].as_array().unwrap().iter().filter(|one| !one["attribute"].is_null())
            {
                let facts = reason["facts"].as_array().unwrap().iter();
                let page = facts.flat_map(|fact| fact["evidence"].as_array().unwrap()).any(|page| {
                    page["url"].as_str().unwrap().starts_with("https://")
                        && !page["says"].as_str().unwrap().is_empty()
                });
                assert!(page || reason["missing"].is_string(), "{reason}");
            }
        }
        refused += u32::from(!allowed);
        let mut files = with(None);
        files.retain(|path, _| !path.starts_with("tests/"));
        files.insert(String::from("tests/endpoints.yaml"), explained["endpoints"].to_string());
        files.insert(String::from("tests/one.yaml"), explained["test"].to_string());
        let bundle = Arc::new(Bundle::load(&BundleSource { files }).unwrap());
        let database = Arc::new(Database::embedded().unwrap());
        let results = run_tests(&bundle, &database, &bundle.test_endpoints).unwrap();
        assert_eq!(results.len(), 1);
        assert!(results[0].passed(), "{:?} {explained}", results[0]);
    }
    assert!(refused > 0);
    let none = "/api/v1/decisions/dec_00000000000000000000000000000000/explanation";
    app.admin(Method::GET, none, None).await.is(404);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_decided_again_is_told_and_not_guessed() {
    let app = TestApp::start().await;
    app.ask("research", "assistant", "Public knowledge").await.is(200);
    app.settled().await;
    // What it was decided with is gone; a snapshot that was under way at that instant keeps it once more.
    let gone = "DELETE FROM settings WHERE key LIKE 'archive/endpoints/%'";
    let began = Instant::now();
    let report = loop {
        sql_of(&app.data(), gone).await;
        let report = planned(&app, &with(None), "/").await;
        if report.same == 0 || began.elapsed() > Duration::from_secs(10) {
            break report;
        }
    };
    assert_eq!((report.decisions, report.counts.undecidable, report.same), (1, 1, 0), "{report:?}");
    assert_eq!(
        report.undecidable_because.keys().collect::<Vec<_>>(),
        ["the endpoints that it was decided with: not kept"]
    );
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_looked_for_is_not_planned_as_absent() {
    let app = TestApp::start().await;
    app.ask("research", "assistant", "Please summarise what Jane Roe said to Peter Smith").await.is(200);
    app.ask("clinic", "assistant", "Nothing in particular").await.is(200);
    app.settled().await;
    let names = "id: no-names\ntitle: No names\nbecause: [house policy]\nscope: /acme/research\nwhen: { entities: [PERSON] }\ndeny: true\n";
    let report = planned(&app, &with(Some(names)), "/").await;
    assert_eq!((report.decisions, report.reproduced), (2, 2), "{report:?}");
    assert_eq!((report.counts.undecidable, report.same), (1, 1), "the other scope is not asked: {report:?}");
    assert_eq!(
        report.undecidable_because.keys().collect::<Vec<_>>(),
        ["a rule asks about findings of PERSON, which were not looked for"]
    );
    // What was looked for and not found is absent, and what is absent cannot be redacted.
    let mail = "id: mail\ntitle: Mail\nbecause: [house policy]\nscope: /acme/research\nredact: { entities: [EMAIL], how: drop, direction: request }\n";
    let report = planned(&app, &with(Some(mail)), "/").await;
    assert_eq!((report.counts.handled, report.counts.undecidable, report.same), (0, 0, 2), "{report:?}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_plan_is_refused_with_the_way_out() {
    let app = TestApp::start().await;
    let ask = async |body: Value| app.admin(Method::POST, "/api/v1/policy:plan", Some(&body)).await;
    let from = "2026-01-01T00:00:00Z";
    let reply = ask(json!({ "bundle": { "bundle.yaml": "nam: x" }, "from": from })).await.is(400);
    assert!(
        reply.text().contains("bundle.yaml") && reply.text().contains("policy check"),
        "{}",
        reply.text()
    );
    ask(json!({ "bundle": with(None), "from": "yesterday" })).await.is(400);
    ask(json!({ "from": from })).await.is(400);
    for (fact, said) in [
        ("vllm/hosting", "FACT=VALUE"),
        ("no/such=true", "no/such"),
        ("about: x\nfacts: [{ id: nonsense }]\n", "missing field"),
    ] {
        let reply = ask(json!({ "facts": ["vllm/hosting=shared", fact], "from": from })).await.is(400);
        assert!(reply.text().contains("facts[1]") && reply.text().contains(said), "{}", reply.text());
    }
    // Facts of one's own are looked at before anything is decided with them.
    let mut files = with(None);
    files.insert(String::from("compliance/own.yaml"), String::from("about: x\nfacts: [{ id: nonsense }]\n"));
    let reply = ask(json!({ "bundle": files, "from": from })).await.is(400);
    assert!(reply.text().contains("compliance/own.yaml"), "{}", reply.text());
    ask(json!({ "bundle": with(None), "from": from, "until": from })).await.is(400);
    ask(json!({ "bundle": with(None), "from": from, "scope": "acme" })).await.is(404);
    let large = "x".repeat(9 * 1024 * 1024);
    let status = ask(json!({ "bundle": { "bundle.yaml": large }, "from": from })).await.status;
    assert!([400, 413].contains(&status), "{status}");
    // One that is under way ends when the server does.
    let bundle = Arc::new(Bundle::load(&BundleSource::starter()).unwrap());
    let stop = CancellationToken::new();
    stop.cancel();
    let asked = Plan {
        bundle: Some(bundle),
        database: None,
        facts: FactChanges::default(),
        scope: String::from("/"),
    };
    let store = &app.app().store;
    let traffic = Traffic::log(store.clone(), 0, i64::MAX);
    assert!(plan(traffic, store, Prices::default(), asked, &stop).await.is_err());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fact_that_changes_is_planned_with_each_decisions_own_bundle() {
    let app = TestApp::start().await;
    let asked = traffic(&app).await;
    let planned = async |facts: &[&str]| -> PlanReport {
        let body = json!({ "facts": facts, "from": "2020-01-01T00:00:00Z" });
        let reply = app.admin(Method::POST, "/api/v1/policy:plan", Some(&body)).await.is(200);
        serde_json::from_value(reply.json()).unwrap()
    };
    // What goes on in Germany today goes on in the United States, too: nothing else differs.
    let report = planned(&["processing_countries={countries: [US]}@self/vllm"]).await;
    assert_eq!((report.decisions, report.reproduced), (asked, asked), "{report:?}");
    assert_eq!((&report.bundle, report.facts.len()), (&None, 1));
    assert!(report.counts.rerouted > 0, "{report:?}");
    let example = report.examples.iter().find(|one| one.change == Change::Rerouted).unwrap();
    assert_eq!(example.went_to.as_deref(), Some("vllm-germany"));
    assert!(!example.eligible.contains(&String::from("vllm-germany")), "{example:?}");
    assert_eq!(example.rules, ["eu-personal-data-stays-in-the-eu"]);
    // In place of a fact it can be for the better, which one that only comes to the others never is.
    let claim = "about: x\nfacts:\n- id: own/better\n  scope: { operator: [openai], service: [openai-api] }\n  \
                 attribute: processing_countries\n  value: { countries: [DE] }\n  \
                 evidence: [{ url: contract, says: Germany, observed_from: 2026-01-01, observed_to: 2026-11-01, kind: operator_declaration, confidence: sourced }]\n";
    let report = planned(&[claim]).await;
    assert_eq!(report.counts.newly_allowed, 0, "{report:?}");
    assert!(report.facts[0].contains("openai/openai-api"), "{report:?}");
    app.finish().await;
}

/// The command line in a thread of its own.
async fn command(words: Vec<String>, server: Option<(String, String)>) -> crate::process::Ended {
    let run = move || {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let server = server.as_ref().map(|(url, token)| (url.as_str(), token.as_str()));
        crate::process::run(&words, server, "")
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_is_planned_against_without_a_server_once_what_it_names_is_kept() {
    let app = TestApp::start().await;
    let asked = traffic(&app).await;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("export.jsonl"), app.export().await).unwrap();
    std::fs::write(path("log.pub"), app.public_key().to_string()).unwrap();
    let rule = "id: no-shell\ntitle: No model runs a shell\nbecause: [house policy]\nscope: /acme/research\ndeny_tools: [shell]\n";
    for (name, text) in with(Some(rule)) {
        let file = folder.path().join("bundle").join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    let words = |more: &[&str]| -> Vec<String> {
        let mut words: Vec<String> = ["policy", "plan", "--json", "--against"].map(String::from).to_vec();
        words.push(path("export.jsonl"));
        words.extend(more.iter().map(|word| (*word).to_owned()));
        words
    };
    let read = |said: crate::process::Ended| -> PlanReport { serde_json::from_str(&said.is(0).out).unwrap() };
    let (bundle, kept, key) = (path("bundle"), path("kept"), path("log.pub"));

    // Nobody says what the digests stand for: told, and not guessed.
    let alone = command(words(&[&bundle, "--public-key", &key]), None).await;
    assert!(alone.err.contains("--kept"), "{alone:?}");
    let report = read(alone);
    assert_eq!((report.decisions, report.counts.undecidable), (asked, asked), "{report:?}");

    // A server says it; then its word is kept, and is what the digests name or counts for nothing.
    let server = Some((app.url().to_owned(), app.token().to_owned()));
    let report = read(command(words(&[&bundle, "--kept", &kept]), server).await);
    let there = planned(&app, &with(Some(rule)), "/").await;
    assert_eq!(
        (report.decisions, report.reproduced, report.counts),
        (there.decisions, there.reproduced, there.counts)
    );
    assert_eq!(report.counts.newly_refused, 1);
    assert_eq!(report.by_rule, there.by_rule);
    let offline = read(command(words(&[&bundle, "--kept", &kept, "--public-key", &key]), None).await);
    assert_eq!(offline, report);
    let facts = ["--fact", "processing_countries={countries: [US]}@self/vllm", "--kept", &kept];
    let report = read(command(words(&facts), None).await);
    assert!(report.counts.rerouted > 0 && report.cost.unknown == report.counts.rerouted, "{report:?}");
    let endpoints = folder.path().join("kept/endpoints");
    let file = std::fs::read_dir(&endpoints).unwrap().next().unwrap().unwrap().path();
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("\"DE\"", "\"FR\"").replace("vllm", "wllm")).unwrap();
    let report = read(command(words(&[&bundle, "--kept", &kept]), None).await);
    assert_eq!(report.counts.undecidable, asked, "{report:?}");
    std::fs::write(&file, text).unwrap();

    // A part of the log: what is a hash alone is told; and what was changed is no export.
    let part = app.admin(Method::GET, "/api/v1/audit/export?scope=/acme/research", None).await.is(200).body;
    std::fs::write(path("export.jsonl"), &part).unwrap();
    let report = read(command(words(&[&bundle, "--kept", &kept]), None).await);
    assert!(
        report.only_hashes > 0 && report.decisions < asked && report.counts.newly_refused == 1,
        "{report:?}"
    );
    let forged = String::from_utf8(part.to_vec()).unwrap().replacen("shell", "shelf", 1);
    std::fs::write(path("export.jsonl"), forged).unwrap();
    let refused = command(words(&[&bundle, "--kept", &kept]), None).await.is(1);
    assert!(refused.err.contains("does not verify"), "{refused:?}");
    app.get(&format!("/api/v1/policy/kept/bundle/{}", there.digest.unwrap()), "").await.is(401);
    app.admin(Method::GET, "/api/v1/policy/kept/settings/log_id", None).await.is(404);
    app.finish().await;
}
