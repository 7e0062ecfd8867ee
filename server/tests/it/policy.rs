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
