//! A bundle of one's own in a running server.

use std::path::Path;
use std::time::{Duration, Instant};

use bailiwick::demo::DECIDE_AT_MS;
use bailiwick_policy::BundleSource;
use serde_json::json;

use crate::alerts::until_listed;
use crate::app::{TestApp, message, metrics};

/// The starter bundle with other files, in a folder.
pub(crate) fn bundle(folder: &Path, more: &[(&str, String)]) {
    let mut files = BundleSource::starter().files;
    files.extend(more.iter().map(|(path, text)| ((*path).to_owned(), text.clone())));
    for (path, text) in files {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_in_shadow_mode_changes_nothing_and_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let rules = "id: shadow-deny\ntitle: No\nbecause: [house policy]\nmode: shadow\nscope: /acme/research\ndeny: true\n---\n\
                 id: shadow-exclude\ntitle: Ours\nbecause: [house policy]\nmode: shadow\nscope: /acme/research\n\
                 require: { hosting: on_premises }\n";
    bundle(folder.path(), &[("rules/shadow.yaml", rules.to_owned())]);
    let app = TestApp::with(|config| config.bundle = Some(folder.path().to_owned())).await;
    let reply = app.ask("research", "assistant", "Public knowledge").await.is(200);
    let record = app.records_of(&reply.decision()).await.swap_remove(0);
    let shadow = record.sections["decision"]["shadow"].as_array().unwrap().clone();
    assert_eq!(shadow.len(), 2, "{shadow:?}");
    assert_eq!(shadow[0], json!({ "rule": "shadow-deny", "would_deny": true, "would_exclude": [] }));
    assert_eq!((&shadow[1]["rule"], &shadow[1]["would_deny"]), (&json!("shadow-exclude"), &json!(false)));
    let excluded = shadow[1]["would_exclude"].as_array().unwrap();
    assert!(
        excluded.contains(&json!("openai-us")) && !excluded.contains(&json!("vllm-germany")),
        "{excluded:?}"
    );
    let told = metrics();
    for line in [
        r#"bailiwick_shadow_total{rule="shadow-deny",effect="deny"}"#,
        r#"bailiwick_shadow_total{rule="shadow-exclude",effect="exclude"}"#,
    ] {
        assert!(told.contains(line), "{told}");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_use_of_an_exception_is_recorded_and_explained() {
    let folder = tempfile::tempdir().unwrap();
    let rule = "id: nothing-leaves\ntitle: No\nbecause: [house policy]\nscope: /acme\ndeny: true\n";
    let exception = "id: rivers\nrule: nothing-leaves\nscope: /acme/research\nreason: Rivers are public\n\
                     approved_by: dpo@acme.example\napproved_on: 2026-11-01\nfrom: 2026-11-02\nuntil: 2026-12-01\n";
    let files = [("rules/nothing.yaml", rule.to_owned()), ("exceptions/rivers.yaml", exception.to_owned())];
    bundle(folder.path(), &files);
    let app = TestApp::with(|config| config.bundle = Some(folder.path().to_owned())).await;
    app.ask("support", "assistant", "Rivers").await.refused(403, "policy_denied");
    let used = json!([{ "rule": "nothing-leaves", "exception": "rivers" }]);
    for _ in 0..2 {
        let decision = app.ask("research", "assistant", "Rivers").await.is(200).decision();
        let record = app.records_of(&decision).await.swap_remove(0);
        assert_eq!(record.sections["decision"]["waived"], used);
        let path = format!("/api/v1/decisions/{decision}/explanation");
        let told = app.admin(reqwest::Method::GET, &path, None).await.is(200).text().to_owned();
        assert!(told.contains("rivers") && told.contains("nothing-leaves"), "{told}");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_shadow_rule_would_redact_limit_or_oblige_to_is_told_too() {
    let folder = tempfile::tempdir().unwrap();
    let rules = "id: shadow-redact\ntitle: No mail\nbecause: [house policy]\nmode: shadow\nscope: /acme/research\n\
                 redact: { entities: [EMAIL], how: drop, direction: request }\n---\n\
                 id: shadow-limit\ntitle: Short\nbecause: [house policy]\nmode: shadow\nscope: /acme/research\n\
                 limit_output_tokens: 7\nobligations: { cache: deny, retain_days: 4000 }\n";
    bundle(folder.path(), &[("rules/shadow.yaml", rules.to_owned())]);
    let app = TestApp::with(|config| config.bundle = Some(folder.path().to_owned())).await;
    let told = async |text: &str| {
        let reply = app.ask("research", "assistant", text).await.is(200);
        let record = app.records_of(&reply.decision()).await.swap_remove(0);
        let limit = record.sections["decision"]["obligations"]["max_output_tokens"].clone();
        assert_ne!(limit, json!(7), "it is only watched");
        record.sections["decision"]["shadow"].clone()
    };
    let limits = json!({ "rule": "shadow-limit", "would_deny": false, "would_exclude": [],
        "would_change": ["output_limit", "obligations"] });
    assert_eq!(told("Public knowledge").await, json!([limits]), "there is nothing to redact");
    let redacts = json!({ "rule": "shadow-redact", "would_deny": false, "would_exclude": [],
        "would_change": ["request_redactions"] });
    assert_eq!(told("Write to zoe.quill@kunde.example").await, json!([redacts, limits]));
    let told = metrics();
    for line in [
        r#"bailiwick_shadow_total{rule="shadow-redact",effect="request_redactions"}"#,
        r#"bailiwick_shadow_total{rule="shadow-limit",effect="output_limit"}"#,
        r#"bailiwick_shadow_total{rule="shadow-limit",effect="obligations"}"#,
    ] {
        assert!(told.contains(line), "{told}");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_a_shadow_rule_asks_about_gives_a_request_no_class() {
    let asked = async |more: &[(&str, String)]| {
        let folder = tempfile::tempdir().unwrap();
        bundle(folder.path(), more);
        let app = TestApp::with(|config| config.bundle = Some(folder.path().to_owned())).await;
        let text = "Please summarise what Jane Roe said to Peter Smith about the contract";
        let reply = app.ask("research", "assistant", text).await.is(200);
        let record = app.records_of(&reply.decision()).await.swap_remove(0);
        app.finish().await;
        record.sections
    };
    let watches = |scope: &str, mode: &str| {
        let rule = format!(
            "id: names\ntitle: Names\nbecause: [x]\nmode: {mode}\nscope: {scope}\nwhen: {{ entities: [PERSON] }}\nlimit_output_tokens: 9\n"
        );
        [("rules/names.yaml", rule)]
    };
    let without = asked(&[]).await;
    assert_eq!(without["facts"]["entities"], json!({}), "names are not looked for unless a rule asks");
    for scope in ["/acme/research", "/elsewhere"] {
        let with = asked(&watches(scope, "shadow")).await;
        assert_eq!(with["facts"]["classes"], without["facts"]["classes"], "{scope}");
        assert_eq!(with["decision"]["eligible"], without["decision"]["eligible"], "{scope}");
        assert_eq!(with["decision"]["class_sources"], without["decision"]["class_sources"], "{scope}");
        assert_eq!(with["facts"]["entities"], json!({ "PERSON": 2 }), "and yet it is found, for the rule");
        let told = with["decision"]["shadow"].as_array().unwrap();
        assert_eq!(told.iter().any(|one| one["rule"] == "names"), scope == "/acme/research", "{told:?}");
    }
    // In force it does.
    let enforced = asked(&watches("/acme/research", "enforce")).await;
    assert_ne!(enforced["facts"]["classes"], without["facts"]["classes"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_of_a_body_that_nobody_knows_counts_as_every_feature() {
    let app = TestApp::start().await;
    let patient = |member: serde_json::Value| {
        let mut body = message("assistant", "Patient Jane Roe has a cough.");
        body.as_object_mut().unwrap().extend(member.as_object().unwrap().clone());
        body
    };
    for known in
        [json!({}), json!({ "temperature": 0.5, "seed": 7, "user": "u" }), json!({ "plugins": null })]
    {
        app.chat(&app.key("clinic"), &patient(known)).await.is(200);
    }
    for (member, told) in [
        (json!({ "plugins": [{ "id": "web" }] }), "web_search"),
        (json!({ "search_parameters": { "mode": "on" } }), "web_search"),
        (json!({ "data_sources": [{ "type": "azure_search" }] }), "files"),
        (json!({ "jane_roe_plugin": true }), "a member that is not known here"),
    ] {
        let reply = app.chat(&app.key("clinic"), &patient(member)).await.refused(403, "no_eligible_endpoint");
        let text = reply.text();
        assert!(text.contains(told) && !text.contains("jane_roe_plugin"), "{text}");
    }
    // Where no rule asks for what a feature changes, it goes through as it came.
    let mut body = message("assistant", "Public knowledge");
    body["live_browsing"] = json!({ "depth": 2 });
    app.chat(&app.key("research"), &body).await.is(200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_inference_profile_that_is_sent_is_the_one_that_is_decided_about() {
    let app = TestApp::start().await;
    let reaches = async || {
        let reply = app.ask("support", "anthropic.claude-haiku-4-5", "Hello").await;
        let received = app.received();
        (reply.status, received.get("bedrock-eu").copied().unwrap_or_default())
    };
    assert_eq!(reaches().await, (200, 1));
    let send = |upstream: &str, profile: serde_json::Value| {
        let upstream = upstream.to_owned();
        move |endpoint: &mut serde_json::Value| {
            for model in endpoint["models"].as_array_mut().unwrap() {
                model["upstream"] = json!(upstream);
            }
            endpoint["profile"]["profile"] = profile;
        }
    };
    // Nothing is declared, or a region alone: the name says that it may go anywhere.
    let global = "global.anthropic.claude-haiku-4-5-20251001-v1:0";
    app.edit_endpoint("bedrock-eu", send(global, json!(null))).await;
    assert_eq!(reaches().await, (403, 1), "it would have left the Union");
    // What was declared otherwise before it was looked at is not used, and that is said.
    app.edit_endpoint("bedrock-eu", send(global, json!("eu"))).await;
    assert_eq!(reaches().await.1, 1);
    let listed = app.admin(reqwest::Method::GET, "/api/v1/endpoints", None).await.is(200).json();
    assert!(listed["unusable"].to_string().contains("names the inference profile `global`"), "{listed}");
    // And it cannot be declared.
    let mut declared = app.endpoint("bedrock-eu").await;
    declared["models"][0]["upstream"] = json!(global);
    let refused = app
        .admin(reqwest::Method::POST, "/api/v1/apply", Some(&json!({ "endpoints": [declared] })))
        .await
        .is(400);
    assert!(refused.text().contains("names the inference profile `global`"), "{}", refused.text());
    // The same profile by name and by declaration is what it was.
    let eu = "eu.anthropic.claude-haiku-4-5-20251001-v1:0";
    app.edit_endpoint("bedrock-eu", send(eu, json!("eu"))).await;
    assert_eq!(
        reaches().await.1,
        2,
        "it is sent there again, where this simulator has the model by another name"
    );
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attestation_that_ends_soon_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let attestation = |id: &str, days: i64| {
        let now = chrono::DateTime::from_timestamp_millis(DECIDE_AT_MS).unwrap();
        let ends = now + chrono::TimeDelta::days(days);
        let text = format!(
            "id: {id}\nkind: dpa\noperator: openai\nservices: [openai-api]\ndocument: {id}.pdf\n\
             parties: [Acme, OpenAI]\nvalid_from: 2026-01-01\nvalid_to: {}\n",
            ends.to_rfc3339()
        );
        (format!("attestations/{id}.yaml"), text)
    };
    // By its days left: the step that it is told at, and how much it matters.
    let all = [
        ("far-off", 70, None),
        ("in-two-months", 50, Some((60, "info"))),
        ("soon-over", 20, Some((30, "warning"))),
        ("nearly-over", 5, Some((7, "warning"))),
        ("over", -1, Some((0, "critical"))),
    ];
    let files: Vec<(String, String)> = all.iter().map(|(id, days, _)| attestation(id, *days)).collect();
    let files: Vec<(&str, String)> = files.iter().map(|(path, text)| (path.as_str(), text.clone())).collect();
    bundle(folder.path(), &files);
    let app = TestApp::with(|config| config.bundle = Some(folder.path().to_owned())).await;
    let told = async || {
        let records = app.records().await;
        let acts = records.iter().filter(|record| {
            let act = record.sections.get("act").map(|act| act["act"].clone()).unwrap_or_default();
            ["attestation_ends_soon", "attestation_ended"].contains(&act.as_str().unwrap_or_default())
        });
        let mut acts: Vec<_> = acts.map(|record| record.sections["act"]["what"].clone()).collect();
        acts.sort_by_key(|what| std::cmp::Reverse(what["days"].as_i64()));
        acts
    };
    let began = Instant::now();
    while told().await.len() < 4 {
        assert!(began.elapsed() < Duration::from_secs(20), "they are never told");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let told = told().await;
    assert_eq!(told.len(), 4, "{told:?}");
    let mut open = until_listed(&app, "?kind=attestation_ends_soon", 3).await;
    open.extend(until_listed(&app, "?kind=attestation_ended", 1).await);
    assert_eq!(open.len(), 4, "{open:#?}");
    let ending = all.iter().filter_map(|(id, _, step)| step.map(|step| (*id, step)));
    for ((id, (days, severity)), what) in ending.zip(&told) {
        assert_eq!((&what["attestation"], &what["days"]), (&json!(id), &json!(days)));
        assert_eq!(what["parties"], json!(["Acme", "OpenAI"]));
        let alert = open.iter().find(|alert| alert["facts"]["attestation"] == id);
        let alert = alert.unwrap_or_else(|| panic!("nobody is alerted of {id}: {open:#?}"));
        assert_eq!(alert["severity"], severity, "{alert}");
        assert_eq!(
            (&alert["facts"]["document"], &alert["facts"]["ends"]),
            (&what["document"], &what["ends"])
        );
    }
    let status = app.admin(reqwest::Method::GET, "/api/v1/compliance", None).await.is(200).json();
    let mut ends: Vec<&str> = status["attestations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["attestation"].as_str().unwrap())
        .collect();
    ends.sort_unstable();
    assert_eq!(ends, ["in-two-months", "nearly-over", "over", "soon-over"]);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn obligations_are_carried_out() {
    let folder = tempfile::tempdir().unwrap();
    let rules = "id: kept\ntitle: Kept\nbecause: [house policy]\nscope: /acme/research\n\
                 when: { model: [assistant, gpt-4.1-mini] }\n\
                 obligations: { cache: deny, log_content: deny, retain_days: 400 }\n---\n\
                 id: kept-longer\ntitle: Kept longer\nbecause: [house policy]\nscope: /acme/research\n\
                 when: { model: [gpt-4.1-mini] }\nobligations: { retain_days: 800 }\n---\n\
                 id: short\ntitle: Short answers\nbecause: [house policy]\nscope: /acme/research\n\
                 limit_output_tokens: 50\n";
    bundle(folder.path(), &[("rules/obliged.yaml", rules.to_owned())]);
    let app = TestApp::with(|config| config.bundle = Some(folder.path().to_owned())).await;
    let said = "a sentence that nobody logs, 7741";
    let plain = app.ask("research", "assistant", said).await.is(200);
    let mut body = crate::app::message("gpt-4.1-mini", said);
    body["stream"] = json!(true);
    body["max_tokens"] = json!(500);
    let streamed = app.chat("research", &body).await.is(200);
    let other = app.ask("research", "gpt-oss-120b", "Public knowledge").await.is(200);
    app.settled().await;

    for (reply, days) in [(&plain, "400"), (&streamed, "800")] {
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        let records = app.records_of(&reply.decision()).await;
        let kinds: Vec<&str> = records.iter().map(|record| record.header.kind.as_str()).collect();
        assert_eq!(kinds, ["decision", "outcome"]);
        for record in &records {
            assert_eq!(record.id("retain_days"), Some(days), "{record:?}");
        }
        let held = &records[0].sections["decision"]["obligations"];
        assert_eq!((&held["cache_denied"], &held["log_content_denied"]), (&json!(true), &json!(true)));
    }
    assert_ne!(other.header("cache-control"), Some("no-store"));
    // Nothing asked for an output of any length, or for a longer one: the provider is asked for no more than the rule says.
    for simulator in app.simulators() {
        for received in simulator.received() {
            let body: serde_json::Value = serde_json::from_slice(&received.body).unwrap();
            if body.to_string().contains(said) {
                let limits = ["max_tokens", "max_completion_tokens"].map(|name| body[name].as_u64());
                assert_eq!(limits.into_iter().flatten().max(), Some(50), "{body}");
            }
        }
    }
    assert!(!crate::app::logs().contains(said));
    let folder = app.finish().await;
    assert_eq!(crate::app::stored(folder.path(), said).await, Vec::<String>::new());
}
