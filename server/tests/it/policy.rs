//! A bundle of one's own in a running server.

use std::path::Path;
use std::time::{Duration, Instant};

use bailiwick::demo::DECIDE_AT_MS;
use bailiwick_policy::BundleSource;
use serde_json::json;

use crate::app::{TestApp, metrics};

/// The starter bundle with other files, in a folder.
fn bundle(folder: &Path, more: &[(&str, String)]) {
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
async fn an_attestation_that_ends_soon_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let ends = chrono::DateTime::from_timestamp_millis(DECIDE_AT_MS).unwrap() + chrono::TimeDelta::days(20);
    let attestation = format!(
        "id: soon-over\nkind: dpa\noperator: openai\nservices: [openai-api]\ndocument: dpa.pdf\n\
         valid_from: 2026-01-01\nvalid_to: {}\n",
        ends.to_rfc3339()
    );
    bundle(folder.path(), &[("attestations/soon.yaml", attestation)]);
    let app = TestApp::with(|config| config.bundle = Some(folder.path().to_owned())).await;
    let told = async || {
        let records = app.records().await;
        let acts = records.iter().filter(|record| {
            record.sections.get("act").is_some_and(|act| act["act"] == json!("attestation_ends_soon"))
        });
        acts.map(|record| record.sections["act"]["what"].clone()).collect::<Vec<_>>()
    };
    let began = Instant::now();
    while told().await.is_empty() {
        assert!(began.elapsed() < Duration::from_secs(20), "it is never told");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let told = told().await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((&told[0]["attestation"], &told[0]["days"]), (&json!("soon-over"), &json!(30)));
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
