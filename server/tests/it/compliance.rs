//! The compliance database in a running server: endpoints against regulations, an organisation's own facts, and what a
//! request uses.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use bailiwick::app::{App, ComplianceConfig, Config, StartError};
use bailiwick::release::Release;
use bailiwick::store::{self, alerts::Filter};
use bailiwick_compliance_db::Database;
use bailiwick_ledger::{LogId, Signer};
use ed25519_dalek::SigningKey;

use crate::app::{TestApp, message};
use crate::process::run;
use crate::support::database;

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
    // RFC 4180: each line ends with CR LF, and nothing stands for them.
    assert!(csv.split_inclusive('\n').all(|line| line.ends_with("\r\n")) && !csv.contains('\\'), "{csv:?}");
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

fn signer(seed: u8) -> Signer {
    Signer::new(LogId::new("compliance.example").unwrap(), SigningKey::from_bytes(&[seed; 32]))
}

/// The files of the database with another version, and with another subprocessor of Mistral where one is named.
fn files(version: &str, subprocessor: Option<&str>) -> BTreeMap<String, String> {
    let mut files: BTreeMap<String, String> = Database::embedded_files().collect();
    files.insert(String::from("database.yaml"), format!("version: \"{version}\"\n"));
    if let Some(name) = subprocessor {
        let mistral = files.get_mut("mistral-api.yaml").unwrap();
        assert!(mistral.contains("name: Brave\n"));
        *mistral = mistral.replace("name: Brave\n", &format!("name: {name}\n"));
    }
    files
}

#[test]
fn a_bundle_is_judged_by_the_release_that_will_decide_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (old, new, key, other) = (path("old"), path("new"), path("key"), path("other"));
    std::fs::write(&old, Release::sign(&files("2098.1.1", None), &signer(1)).unwrap()).unwrap();
    // The machine's own service is said to process anywhere.
    let mut worse = files("2098.2.1", None);
    let vllm = worse.get_mut("vllm.yaml").unwrap();
    let declared = "attribute: processing_countries\n    value: declared";
    assert!(vllm.contains(declared));
    *vllm = vllm.replace(declared, "attribute: processing_countries\n    value: worldwide");
    std::fs::write(&new, Release::sign(&worse, &signer(1)).unwrap()).unwrap();
    std::fs::write(&key, signer(1).public().to_string()).unwrap();
    std::fs::write(&other, signer(2).public().to_string()).unwrap();
    let with = |words: &[&str], release: &str, key: &str| {
        let all: Vec<&str> =
            words.iter().copied().chain(["--release", release, "--release-key", key]).collect();
        run(&all, None, "")
    };

    with(&["policy", "test", STARTER], &old, &key).is(0);
    let failed = with(&["policy", "test", STARTER], &new, &key).is(1);
    assert!(failed.out.contains("vllm-germany") && failed.out.contains("worldwide"), "{failed:?}");
    let explained = with(&["policy", "explain", STARTER], &new, &key).is(0);
    assert!(explained.out.contains("vllm-germany: processing_countries is worldwide"), "{explained:?}");
    assert!(with(&["policy", "check", STARTER], &new, &other).is(1).err.contains("not signed by the key"));
    run(&["policy", "check", STARTER, "--release", &new], None, "").is(2);

    // A fact that the release does not have cannot be replaced in it.
    let mut fewer = files("2098.3.1", None);
    let vllm = fewer.get_mut("vllm.yaml").unwrap();
    *vllm = vllm.replace("id: vllm/hosting\n", "id: vllm/hosted\n");
    std::fs::write(&old, Release::sign(&fewer, &signer(1)).unwrap()).unwrap();
    let bundle = folder.path().join("bundle");
    bundle_with(&bundle, "compliance/nimbus.yaml", OWN);
    let dir = bundle.to_str().unwrap();
    run(&["policy", "check", dir], None, "").is(0);
    let refused = with(&["policy", "check", dir], &old, &key).is(1);
    assert!(refused.out.contains("vllm/hosting, which does not exist"), "{refused:?}");

    let verify = ["compliance", "verify", "--public-key", &key, &new, "--json"];
    let binary = run(&verify, None, "").is(0).json();
    assert_eq!(binary["changes"]["from"], Database::embedded().unwrap().version());
    let in_force = with(&verify, &old, &key).is(0).json();
    assert_eq!(in_force["changes"]["from"], "2098.3.1");
    assert_ne!(in_force["changes"]["added"], binary["changes"]["added"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_shows_what_it_would_change_for_the_servers_own_endpoints_and_requests() {
    let app = TestApp::start().await;
    let asked = 3;
    for _ in 0..asked {
        // Only the own machine serves it.
        let reply = app.ask("support", "gpt-oss-120b", "Write to zoe.quill@kunde.example").await.is(200);
        assert_eq!(reply.endpoint(), "vllm-germany");
    }
    app.settled().await;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (same, worse, key) = (path("same"), path("worse"), path("key"));
    std::fs::write(&key, signer(1).public().to_string()).unwrap();
    std::fs::write(&same, Release::sign(&files("2098.1.1", None), &signer(1)).unwrap()).unwrap();
    let mut other = files("2098.2.1", None);
    for (file, from, to) in [
        (
            "vllm.yaml",
            "attribute: processing_countries\n    value: declared",
            "attribute: processing_countries\n    value: worldwide",
        ),
        (
            "amazon-bedrock.yaml",
            "attribute: hipaa_eligible\n    value: true",
            "attribute: hipaa_eligible\n    value: false",
        ),
    ] {
        let text = other.get_mut(file).unwrap();
        assert!(text.contains(from), "{file}");
        *text = text.replace(from, to);
    }
    std::fs::write(&worse, Release::sign(&other, &signer(1)).unwrap()).unwrap();
    let (url, token) = (app.url().to_owned(), app.token().to_owned());
    let verify = async |release: &str, more: &[&str]| {
        let words = ["compliance", "verify", "--public-key", &key, release];
        let words: Vec<String> = words.iter().chain(more).map(|word| (*word).to_owned()).collect();
        let (url, token) = (url.clone(), token.clone());
        let run = move || {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            run(&words, Some((&url, &token)), "")
        };
        tokio::task::spawn_blocking(run).await.unwrap()
    };

    let told = verify(&same, &["--against", "1h", "--json"]).await.is(0).json();
    assert_eq!((&told["answers"], &told["plan"]["same"]), (&json!([]), &json!(asked)), "{told}");
    let told = verify(&worse, &["--against", "1h", "--json"]).await.is(0).json();
    assert_eq!(told["changes"]["from"], Database::embedded().unwrap().version());
    let answers = told["answers"].as_array().unwrap();
    let of = |endpoint: &str, attribute: &str| {
        answers.iter().find(|it| it["endpoint"] == endpoint && it["attribute"] == attribute)
    };
    let vllm = of("vllm-germany", "processing_countries").unwrap_or_else(|| panic!("{told}"));
    assert_eq!((&vllm["scope"], &vllm["after"]), (&json!("/"), &json!("worldwide")), "{vllm}");
    // Only the clinic has an agreement that made it so.
    let bedrock = of("bedrock-us-east-1", "hipaa_eligible").unwrap_or_else(|| panic!("{told}"));
    assert_eq!((&bedrock["scope"], &bedrock["after"]), (&json!("/acme/clinic"), &json!("no")), "{bedrock}");
    let plan = &told["plan"];
    assert_eq!((&plan["database"], &plan["decisions"]), (&json!("2098.2.1"), &json!(asked)), "{plan}");
    assert_eq!(plan["reproduced"], plan["decisions"], "{plan}");
    let changed = |of: &str| plan[of].as_u64().unwrap();
    assert_eq!((changed("newly_refused"), changed("undecidable")), (asked, 0), "{plan}");
    let text = verify(&worse, &["--scope", "/acme/clinic"]).await.is(0).out;
    assert!(text.contains("vllm-germany") && !text.contains("against"), "{text}");

    // Files of no database, of a bundle, or that nobody can have meant.
    for (files, said) in [
        (json!({}), "version"),
        (json!({ "compliance/own.yaml": "about: x\nfacts: []\n" }), "a bundle's"),
        (json!({ "x.yaml": "[".repeat(100_000) }), "nests deeper"),
    ] {
        for path in ["/api/v1/compliance:impact", "/api/v1/policy:plan"] {
            let mut body = json!({ "database": files });
            if path.ends_with("plan") {
                body["from"] = json!("2026-01-01T00:00:00Z");
            }
            let refused = app.admin(reqwest::Method::POST, path, Some(&body)).await.is(400).json();
            assert!(refused["detail"].as_str().unwrap().contains(said), "{path}: {refused}");
        }
    }
    let wrong = verify(&worse, &["--against", "soon"]).await.is(1);
    assert!(wrong.err.contains("`soon` is no time"), "{wrong:?}");
    app.finish().await;
}

/// A release in a folder, and the configuration that takes it.
fn release(folder: &Path, text: &str) -> ComplianceConfig {
    let (release, public_key) = (folder.join("db.release"), folder.join("db.pub"));
    std::fs::write(&release, text).unwrap();
    std::fs::write(&public_key, signer(1).public().to_string()).unwrap();
    ComplianceConfig { release, public_key, allow_older: false }
}

async fn opened(folder: &Path, compliance: Option<ComplianceConfig>) -> Result<Arc<App>, StartError> {
    let mut config = Config::at("127.0.0.1:0".parse().unwrap(), folder.join("data"));
    config.database_url = database::postgres_in(folder).await.map(Into::into);
    config.compliance = compliance;
    App::open(config, None).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_is_taken_if_it_is_signed_whole_and_newer_and_what_it_changes_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let compliance = release(folder.path(), &Release::sign(&files("2098.1.1", None), &signer(1)).unwrap());
    let config = compliance.clone();
    let app = TestApp::with(|config_of_app| config_of_app.compliance = Some(config)).await;
    let status = async |app: &TestApp| {
        app.admin(reqwest::Method::GET, "/api/v1/compliance", None).await.is(200).json()
    };
    let began = Instant::now();
    while status(&app).await["version"].is_null() {
        assert!(began.elapsed() < Duration::from_secs(20), "nobody says what is in force");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let told = status(&app).await;
    assert_eq!((&told["source"], &told["version"]), (&json!("release"), &json!("2098.1.1")));
    assert_eq!(told["changes"], Value::Null, "{told}");
    app.ask("research", "assistant", "Hello").await.is(200);
    app.get("/api/v1/compliance", "").await.is(401);
    let data = app.finish().await;

    // What is not signed by the key that is trusted, not whole, or older keeps the server from starting.
    let newer = Release::sign(&files("2098.2.1", Some("Duck")), &signer(1)).unwrap();
    for (text, said) in [
        (Release::sign(&files("2098.2.1", None), &signer(2)).unwrap(), "not signed by the key"),
        (newer.replacen("name: Duck", "name: Drake", 1), "do not have the digest"),
        (newer[..newer.len() / 2].to_owned(), "not a JSON object"),
        (String::from("2098.2.1"), "no signed head"),
        (Release::sign(&files("2097.12.31", None), &signer(1)).unwrap(), "older than 2098.1.1"),
    ] {
        let refused = opened(data.path(), Some(release(folder.path(), &text))).await.unwrap_err();
        assert!(
            matches!(refused, StartError::Compliance(_)) && refused.to_string().contains(said),
            "{said}: {refused}"
        );
    }
    std::fs::remove_file(&compliance.release).unwrap();
    assert!(opened(data.path(), Some(compliance.clone())).await.is_err(), "a release that is gone");

    // A newer one is taken, and who does part of the work is told, once.
    for _ in 0..2 {
        let app = opened(data.path(), Some(release(folder.path(), &newer))).await.unwrap();
        let began = Instant::now();
        loop {
            let told = json!(app.compliance_status("/").await.unwrap());
            if told["version"] == "2098.2.1" {
                let changes = &told["changes"];
                assert_eq!(changes["from"], "2098.1.1");
                let words = changes["subprocessors"]["mistral-api"].to_string();
                assert!(words.contains("Duck is new") && words.contains("Brave is gone"), "{told}");
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "{told}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        app.close(Duration::from_secs(5)).await;
    }
    let older = Release::sign(&files("2097.12.31", Some("Duck")), &signer(1)).unwrap();
    let older = ComplianceConfig { allow_older: true, ..release(folder.path(), &older) };
    let app = opened(data.path(), Some(older)).await.unwrap();
    let mut acts: Vec<(String, Value)> = Vec::new();
    let began = Instant::now();
    while acts.iter().filter(|(name, _)| name == "compliance_database_in_force").count() < 3 {
        assert!(began.elapsed() < Duration::from_secs(20), "{acts:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
        let (export, _) =
            app.gateway.audit.export(bailiwick::audit::ExportRequest::default(), Vec::new()).await.unwrap();
        let records = crate::books::read_export(&export, None).1;
        let act = |record: &crate::books::Record| {
            let act = record.sections.get("act")?;
            Some((act["act"].as_str()?.to_owned(), act["what"].clone()))
        };
        acts = records.iter().filter_map(act).collect();
    }
    let changed: Vec<&Value> =
        acts.iter().filter(|(name, _)| name == "subprocessors_changed").map(|(_, what)| what).collect();
    assert_eq!(changed.len(), 1, "{acts:?}");
    assert_eq!(
        (&changed[0]["service"], &changed[0]["database"]),
        (&json!("mistral-api"), &json!("2098.2.1"))
    );
    // And is an alert, with what has changed.
    let filter = Filter { kind: Some(String::from("subprocessors_changed")), ..Filter::default() };
    let began = Instant::now();
    let raised = loop {
        let raised = store::alerts::page(&app.store, &filter, None, 10).await.unwrap();
        if !raised.is_empty() {
            break raised;
        }
        assert!(began.elapsed() < Duration::from_secs(40), "nobody is alerted");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(raised.len(), 1, "{raised:?}");
    let facts = &raised[0].facts;
    assert_eq!((&facts["service"], &facts["database"]), (&json!("mistral-api"), &json!("2098.2.1")));
    let words = facts["changes"].to_string();
    assert!(words.contains("Duck is new") && words.contains("Brave is gone"), "{facts}");
    app.close(Duration::from_secs(5)).await;
}
