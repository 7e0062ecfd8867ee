//! The compliance database in a running server: endpoints against regulations, an organisation's own facts, and what a
//! request uses.

use std::path::Path;

use serde_json::{Value, json};

use crate::app::{TestApp, message};
use crate::process::run;

const STARTER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../policies/starter");

/// The starter bundle with one more file.
fn bundle_with(folder: &Path, path: &str, text: &str) {
    copy(Path::new(STARTER), folder);
    let path = folder.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() { copy(&path, &to) } else { std::fs::copy(&path, &to).map(drop).unwrap() }
    }
}

async fn command(app: &TestApp, words: &'static [&'static str]) -> String {
    let (url, token) = (app.url().to_owned(), app.token().to_owned());
    tokio::task::spawn_blocking(move || run(words, Some((&url, &token)), "").is(0).out).await.unwrap()
}

fn judged<'v>(matrix: &'v Value, endpoint: &str, regulation: &str) -> &'v Value {
    let row = matrix["rows"].as_array().unwrap().iter().find(|row| row["endpoint"] == endpoint).unwrap();
    let judgements = row["judgements"].as_array().unwrap();
    judgements.iter().find(|one| one["regulation"] == regulation).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_matrix_answers_for_every_endpoint_and_scope() {
    let app = TestApp::start().await;
    let told = command(&app, &["endpoints", "matrix", "--json"]).await;
    let matrix: Value = serde_json::from_str(&told).unwrap();
    for (name, model) in app.endpoints() {
        let rows = matrix["rows"].as_array().unwrap();
        assert!(rows.iter().any(|row| row["endpoint"] == name && row["model"] == model), "{name} {model}");
    }
    let residency = |endpoint| judged(&matrix, endpoint, "eu_residency")["answer"].clone();
    assert_eq!((residency("bedrock-eu"), residency("vllm-germany")), (json!("yes"), json!("yes")));
    assert_eq!((residency("azure-sweden"), residency("openai-us")), (json!("no"), json!("no")));
    assert_eq!(residency("mystery"), "unknown");
    // The clinic's agreement is the clinic's alone.
    let hipaa = judged(&matrix, "bedrock-us-east-1", "hipaa");
    assert_eq!((&hipaa["answer"], &hipaa["because"]), (&json!("only_if"), &json!("baa")));
    let clinic = command(&app, &["endpoints", "matrix", "--scope", "/acme/clinic", "--json"]).await;
    let clinic: Value = serde_json::from_str(&clinic).unwrap();
    assert_eq!(judged(&clinic, "bedrock-us-east-1", "hipaa")["answer"], "yes");

    let table = command(&app, &["endpoints", "matrix"]).await;
    let line = table.lines().find(|line| line.starts_with("bedrock-us-east-1")).unwrap();
    assert!(line.contains("only if baa") && table.contains("no (EEA and CH)"), "{table}");
    let csv = command(&app, &["endpoints", "matrix", "--csv"]).await;
    let answers: usize = matrix["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["judgements"].as_array().unwrap().len())
        .sum();
    assert_eq!(csv.trim_end().lines().count(), answers + 1, "a row an answer, and the head");
    assert!(csv.contains("bedrock-eu,") && csv.contains(",hipaa,only if,baa,"), "{csv}");
    app.admin(reqwest::Method::GET, "/api/v1/endpoints/matrix?scope=/nowhere/else", None).await.is(200);
    app.get("/api/v1/endpoints/matrix", "").await.is(401);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feature_outside_the_agreement_is_refused_for_that_request() {
    let app = TestApp::start().await;
    let plain = message("assistant", "Patient Jane Roe has a cough.");
    app.chat("clinic", &plain).await.is(200);
    app.forget();
    let mut remote = plain.clone();
    remote["tools"] =
        json!([{ "type": "mcp", "server_label": "notes", "server_url": "https://mcp.example.org" }]);
    let refused = app.chat("clinic", &remote).await.refused(403, "no_eligible_endpoint").json();
    let excluded = refused["bailiwick"]["excluded"].as_array().unwrap().clone();
    for endpoint in ["azure-sweden", "bedrock-us-east-1"] {
        let reasons: Vec<&str> = excluded
            .iter()
            .filter(|one| one["endpoint"] == endpoint)
            .map(|one| one["reason"].as_str().unwrap())
            .collect();
        assert!(reasons.iter().any(|reason| reason.contains("remote_mcp")), "{endpoint}: {excluded:?}");
    }
    assert!(app.received().is_empty(), "{:?}", app.received());
    app.chat("clinic", &plain).await.is(200);
    app.finish().await;
}

/// What the organisation has found out about a provider that the database does not know.
const OWN: &str = "
about: What we know of Nimbus from our contract.
facts:
  - id: own/nimbus/processing
    scope: &nimbus { operator: [nimbus-ai], service: [nimbus-api] }
    attribute: processing_countries
    value: { countries: [FI] }
    evidence: &contract
      - { url: contracts/2026-77, says: Finland alone., observed_from: 2026-06-01, observed_to: 2026-06-01, kind: operator_declaration, confidence: sourced }
  - { id: own/nimbus/storage, scope: *nimbus, attribute: storage_countries, value: { countries: [FI] }, evidence: *contract }
  - { id: own/nimbus/training, scope: *nimbus, attribute: trains_on_inputs, value: false, evidence: *contract }
  - { id: own/nimbus/operator, scope: *nimbus, attribute: operator_countries, value: { countries: [FI] }, evidence: *contract }
  - id: own/vllm/hosting
    scope: { operator: [self], service: [vllm] }
    attribute: hosting
    value: dedicated
    replaces: { fact: vllm/hosting, because: the machines are rented }
    evidence: *contract
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_facts_decide_and_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    bundle_with(folder.path(), "compliance/nimbus.yaml", OWN);
    let app = TestApp::with(|config| config.bundle = Some(folder.path().to_owned())).await;
    let explained = command(&app, &["endpoints", "explain", "mystery"]).await;
    assert!(
        explained.contains("processing_countries: {FI}") && explained.contains("own/nimbus/processing"),
        "{explained}"
    );
    assert!(explained.contains("contracts/2026-77"), "{explained}");
    let replaced = command(&app, &["endpoints", "explain", "vllm-germany"]).await;
    assert!(replaced.contains("hosting: dedicated"), "{replaced}");
    assert!(replaced.contains("in place of vllm/hosting: the machines are rented"), "{replaced}");
    let told = command(&app, &["endpoints", "matrix", "--json"]).await;
    let matrix: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(judged(&matrix, "mystery", "no_training")["answer"], "yes");

    // The rule about unknown providers no longer meets it: its places are known.
    let reply = app.ask("support", "nimbus-1", "Hello").await;
    assert_eq!(reply.is(200).endpoint(), "mystery");
    app.finish().await;
}

#[test]
fn own_facts_are_checked_with_the_bundle() {
    let folder = tempfile::tempdir().unwrap();
    bundle_with(folder.path(), "compliance/nimbus.yaml", OWN);
    let dir = folder.path().to_str().unwrap();
    run(&["policy", "check", dir], None, "").is(0);
    let linted =
        run(&["compliance", "lint", "--bundle", dir, "--at", "2026-11-22", "--json"], None, "").is(0).json();
    let shipped = run(&["compliance", "lint", "--at", "2026-11-22", "--json"], None, "").is(0).json();
    assert_eq!(
        linted["facts"].as_u64().unwrap(),
        shipped["facts"].as_u64().unwrap() + 4,
        "one of five replaces"
    );
    assert_ne!(linted["digest"], shipped["digest"]);

    bundle_with(
        folder.path(),
        "compliance/nimbus.yaml",
        &OWN.replace("fact: vllm/hosting", "fact: vllm/hostings"),
    );
    let failed = run(&["policy", "check", dir], None, "").is(1);
    assert!(
        failed.out.contains("compliance/nimbus.yaml") && failed.out.contains("vllm/hostings"),
        "{failed:?}"
    );
}

#[test]
fn a_database_in_a_folder_is_linted_and_reported() {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in bailiwick_compliance_db::Database::embedded_files() {
        std::fs::write(folder.path().join(path), text).unwrap();
    }
    let dir = folder.path().to_str().unwrap();
    let report =
        run(&["compliance", "report", "--data", dir, "--at", "2026-11-22", "--json"], None, "").is(0).json();
    assert!(report["facts"].as_u64().unwrap() >= 300 && report["services"].as_array().unwrap().len() > 20);
    let table = run(&["compliance", "report", "--at", "2026-11-22"], None, "").is(0).out;
    assert!(table.contains("amazon-bedrock") && table.contains("only if"), "{table}");
    let aged = run(&["compliance", "lint", "--data", dir, "--at", "2029-01-01"], None, "").is(1);
    assert!(aged.out.contains("over_age"), "{aged:?}");
    std::fs::write(folder.path().join("vllm.yaml"), "about: x\nfacts: [").unwrap();
    let broken = run(&["compliance", "lint", "--data", dir], None, "").is(1);
    assert!(broken.err.contains("vllm.yaml"), "{broken:?}");
}
