//! A server's data moved with the real binary: to PostgreSQL, into a backup, out of one.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use bailiwick::app::{App, Config};
use bailiwick::audit::ExportRequest;
use bailiwick::store;
use bailiwick_ledger::SignedCheckpoint;
use bailiwick_ledger::merkle::Frontier;
use serde_json::Value;

use crate::app::message;
use crate::books::{check_books, read_export};
use crate::process::{DemoProcess, command, run, run_in};
use crate::support::database;

/// A folder for a test, with the data directory of a server that has served and was stopped.
struct Served {
    folder: tempfile::TempDir,
}

impl Served {
    /// On a file.
    async fn on_sqlite(requests: usize) -> Self {
        let served = Self { folder: tempfile::tempdir().unwrap() };
        served.serve(None, requests).await;
        served
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    async fn serve(&self, database_url: Option<String>, requests: usize) {
        let demo = DemoProcess::start_with(&self.data(), database_url);
        ask(&demo, requests).await;
        let code = tokio::task::spawn_blocking(move || demo.terminate()).await.unwrap();
        assert_eq!(code, Some(0));
    }
}

async fn ask(demo: &DemoProcess, requests: usize) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for at in 0..requests {
        let key = demo.key(["research", "clinic", "support"][at % 3]);
        let body = message("assistant", "How are you, a@kunde.example?");
        let sent =
            client.post(format!("{}/v1/chat/completions", demo.url())).bearer_auth(key).json(&body).send();
        assert_eq!(sent.await.unwrap().status(), 200);
    }
}

async fn open(data: &Path, database_url: Option<&str>) -> Result<Arc<App>, String> {
    let mut config = Config::at("127.0.0.1:0".parse().unwrap(), data.to_path_buf());
    config.database_url = database_url.map(|url| url.to_owned().into());
    App::open(config, None).await.map_err(|error| error.to_string())
}

/// Opens the folder as the next start would, verifies all of the log and the books; the last checkpoint.
async fn inspect(data: &Path, database_url: Option<&str>) -> SignedCheckpoint {
    let app = open(data, database_url).await.unwrap();
    let audit = &app.gateway.audit;
    let signed = audit.checkpoint().await.unwrap();
    let (written, _) = audit.export(ExportRequest::default(), Vec::new()).await.unwrap();
    let (_, records) = read_export(&written, Some(audit.public_key()));
    let mut spend = std::collections::HashMap::new();
    for row in store::budgets::spend_since(&app.store, 0).await.unwrap() {
        *spend.entry(row.budget.0).or_default() += row.settled_nano;
    }
    assert!(!spend.is_empty());
    check_books(&records, &spend);
    app.close(std::time::Duration::from_secs(5)).await;
    signed
}

/// All of the log.
async fn export(data: &Path, database_url: Option<&str>) -> Vec<u8> {
    let app = open(data, database_url).await.unwrap();
    let (written, _) = app.gateway.audit.export(ExportRequest::default(), Vec::new()).await.unwrap();
    app.close(std::time::Duration::from_secs(5)).await;
    written
}

/// The first leaves of an export are those that `signed` signs.
#[track_caller]
fn begins_with(export: &[u8], signed: &SignedCheckpoint) {
    let mut tree = Frontier::new();
    let hashes = export.split(|byte| *byte == b'\n').filter_map(|line| {
        let line: Value = serde_json::from_slice(line).ok()?;
        serde_json::from_value(line.get("hash")?.clone()).ok()
    });
    hashes.take(usize::try_from(signed.unverified().size).unwrap()).for_each(|hash| tree.push(hash));
    assert_eq!((tree.size(), tree.root()), (signed.unverified().size, signed.unverified().root));
}

fn last_checkpoint(data: &Path) -> SignedCheckpoint {
    SignedCheckpoint::parse(&std::fs::read_to_string(data.join("checkpoint")).unwrap()).unwrap()
}

/// An empty database in the run's cluster; none where the run is on SQLite.
async fn empty(folder: &Path, name: &str) -> Option<String> {
    database::postgres_in(&folder.join(name)).await
}

const TO: &str = "BAILIWICK_DATABASE_URL";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migrated_to_postgresql_the_log_has_the_same_root_and_goes_on() {
    if !database::on_postgres() {
        return;
    }
    let served = Served::on_sqlite(12).await;
    let url = empty(served.folder.path(), "new").await.unwrap();
    let data = served.data();
    let before = last_checkpoint(&data);
    let words = ["migrate", "--from", data.to_str().unwrap(), "--json"];
    let moved = run_in(&words, &[(TO, &url)]).is(0);
    let password = database::password_of(&url).unwrap();
    assert!(!moved.err.contains(password) && !moved.out.contains(password));
    assert!(moved.err.contains("records: "), "{moved:?}");
    let moved = moved.json();
    assert_eq!(moved["size"], before.unverified().size);
    assert_eq!(moved["root"], serde_json::to_value(before.unverified().root).unwrap());
    assert!(moved["rows"]["virtual_keys"].as_u64().unwrap() >= 3);
    // What was left behind is not served, and says where to.
    let refused = open(&data, None).await.unwrap_err();
    assert!(
        refused.contains("was moved to PostgreSQL at 127.0.0.1") && !refused.contains(password),
        "{refused}"
    );
    // The new one is filled and is not written over.
    let again = run_in(&words, &[(TO, &url)]).is(1);
    assert!(again.err.contains("not empty"), "{again:?}");
    // It goes on: later heads begin with what was signed before.
    served.serve(Some(url.clone()), 6).await;
    let after = inspect(&data, Some(&url)).await;
    assert!(after.unverified().size > before.unverified().size);
    begins_with(&export(&data, Some(&url)).await, &before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_it_migrates_the_new_database_is_not_served() {
    if !database::on_postgres() {
        return;
    }
    let served = Served::on_sqlite(6).await;
    let folder = served.folder.path();
    let url = empty(folder, "new").await.unwrap();
    let data = served.data();
    // The copy waits where it comes to the records.
    store::Store::open(&url).await.unwrap().close().await;
    let blocker = database::hold(&url, "LOCK TABLE records IN SHARE MODE").await;
    let mut migrating = command(&["migrate", "--from", data.to_str().unwrap()])
        .env(TO, &url)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let told = BufReader::new(migrating.stderr.take().unwrap());
    let reached = told.lines().map(Result::unwrap).find(|line| line.starts_with("replicas: "));
    assert!(reached.is_some(), "it never came to the records");
    migrating.kill().unwrap();
    migrating.wait().unwrap();
    drop(blocker);
    let refused = open(&data, Some(&url)).await.unwrap_err();
    assert!(refused.contains("must not be served") && refused.contains("`bailiwick migrate`"), "{refused}");
    let words = ["migrate", "--from", data.to_str().unwrap()];
    let again = run_in(&words, &[(TO, &url)]).is(1);
    assert!(again.err.contains("Drop this database"), "{again:?}");
    // As it says: the old one is as it was, and another new one takes it.
    let other = empty(folder, "other").await.unwrap();
    run_in(&words, &[(TO, &other)]).is(0);
    inspect(&data, Some(&other)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_migrated_is_refused_before_anything_is_written() {
    let served = Served::on_sqlite(2).await;
    let data = served.data();
    let from = data.to_str().unwrap();
    let nowhere = "postgres://u:s3cr3t@127.0.0.1:1/x";
    let refused = |words: &[&str], url: &str, told: &str| {
        let failed = run_in(words, &[(TO, url)]).is(1);
        assert!(failed.err.contains(told), "{failed:?}");
        assert!(!failed.err.contains("s3cr3t"));
    };
    refused(&["migrate", "--from", "/nowhere"], nowhere, "/nowhere/bailiwick.db");
    refused(&["migrate", "--from", from], "sqlite:///tmp/x.db", "to PostgreSQL");
    refused(&["migrate", "--from", from], "mysql://u:s3cr3t@h/d", "must begin with");
    refused(&["migrate", "--from", from], nowhere, "PostgreSQL at 127.0.0.1:1");
    let asked = run(&["migrate", "--from", from], None, "").is(1);
    assert!(asked.err.contains("where to?"), "{asked:?}");
    let demo = DemoProcess::start_with(&data, None);
    refused(&["migrate", "--from", from], nowhere, "another server has it open");
    drop(demo);
    // And the old one is served as before.
    inspect(&data, None).await;
    if let Some(url) = empty(served.folder.path(), "new").await {
        // A change that no start notices: a byte of an old record.
        let key = std::fs::read(data.join("log.key")).unwrap();
        let change = "UPDATE records SET leaf_bytes = CAST(replace(CAST(leaf_bytes AS TEXT), 'admin', 'Admin') AS BLOB) \
                      WHERE id = (SELECT min(id) FROM records WHERE kind = 'admin')";
        sqlite(&data, change).await;
        refused(&["migrate", "--from", from], &url, "was changed");
        assert!(open(&data, Some(&url)).await.is_err());
        assert_eq!(std::fs::read(data.join("log.key")).unwrap(), key);
    }
}

async fn sqlite(data: &Path, statement: &str) {
    use sea_orm::ConnectionTrait as _;
    let url = format!("sqlite://{}", data.join("bailiwick.db").display());
    let db = sea_orm::Database::connect(url).await.unwrap();
    let done = db.execute_unprepared(statement).await.unwrap();
    assert_eq!(done.rows_affected(), 1, "{statement}");
    db.close().await.unwrap();
}
