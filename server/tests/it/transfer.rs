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
use serde_json::{Value, json};

use crate::app::message;
use crate::books::{check_books, read_export};
use crate::process::{DemoProcess, Ended, command, run, run_in};
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

/// Everything that is committed gets its place in the tree. Where several servers may write, that is not the commit's.
async fn placed(demo: &DemoProcess) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let asked = client
        .get(format!("{}/api/v1/audit/checkpoint", demo.url()))
        .bearer_auth(demo.told["admin_token"].as_str().unwrap());
    assert_eq!(asked.send().await.unwrap().status(), 200);
}

async fn open(data: &Path, database_url: Option<&str>) -> Result<Arc<App>, String> {
    let mut config = Config::at("127.0.0.1:0".parse().unwrap(), data.to_path_buf());
    config.upstream.private_networks = config.upstream.private_networks.and_loopback();
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

/// Backs a place up while nothing is said about where.
fn back_up(data: &Path, url: Option<&str>, file: &Path, more: &[&str]) -> Ended {
    let words =
        [&["backup", file.to_str().unwrap(), "--data-dir", data.to_str().unwrap(), "--json"], more].concat();
    run_in(&words, &url.map(|url| (TO, url)).into_iter().collect::<Vec<_>>())
}

fn restore(file: &Path, data: &Path, url: Option<&str>, more: &[&str]) -> Ended {
    let words =
        [&["restore", file.to_str().unwrap(), "--data-dir", data.to_str().unwrap(), "--json"], more].concat();
    run_in(&words, &url.map(|url| (TO, url)).into_iter().collect::<Vec<_>>())
}

/// A server that has served and was stopped, on the database of the run.
async fn served(requests: usize) -> (Served, Option<String>) {
    let served = Served { folder: tempfile::tempdir().unwrap() };
    let url = empty(served.folder.path(), "first").await;
    served.serve(url.clone(), requests).await;
    (served, url)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_is_of_one_instant_and_goes_on_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("b.jsonl"));
    let url = empty(folder.path(), "first").await;
    let demo = DemoProcess::start_with(&data, url.clone());
    ask(&demo, 3).await;
    placed(&demo).await;
    let (mut sizes, mut files) = (Vec::new(), Vec::new());
    {
        let stop = std::sync::atomic::AtomicBool::new(false);
        let load = async {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                ask(&demo, 3).await;
                placed(&demo).await;
            }
        };
        let backups = async {
            for round in 0..3 {
                let (data, url, file) = (data.clone(), url.clone(), file.with_extension(format!("{round}")));
                files.push(file.clone());
                let done = tokio::task::spawn_blocking(move || {
                    back_up(&data, url.as_deref(), &file, &["--include-secrets"]).is(0).json()
                });
                sizes.push(done.await.unwrap()["size"].as_u64().unwrap());
                tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            }
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
        };
        tokio::join!(load, backups);
    }
    assert!(sizes.is_sorted() && sizes[0] < sizes[2], "{sizes:?}");
    let original = demo.url().to_owned();
    demo.kill();
    drop(original);
    for (round, file) in files.iter().enumerate() {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
        // Into a file, and on PostgreSQL into another database too.
        let to = [None, empty(folder.path(), &format!("to{round}")).await];
        for (at, to) in to.iter().enumerate().filter(|(at, to)| *at == 0 || to.is_some()) {
            let elsewhere = folder.path().join(format!("elsewhere-{round}-{at}"));
            let done = restore(file, &elsewhere, to.as_deref(), &["--newest"]).is(0).json();
            assert_eq!(done["size"], sizes[round]);
            assert_eq!(done["ended_log"], Value::Null);
            let signed = inspect(&elsewhere, to.as_deref()).await;
            assert!(signed.unverified().size > sizes[round]);
            let export = String::from_utf8(export(&elsewhere, to.as_deref()).await).unwrap();
            assert!(export.contains("stated_newest\\\":true"), "the restore is recorded");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_a_stopped_server_goes_on_in_its_own_directory() {
    let (served, url) = served(6).await;
    let (data, file) = (served.data(), served.folder.path().join("b.jsonl"));
    let before = last_checkpoint(&data);
    let done = back_up(&data, url.as_deref(), &file, &[]).is(0);
    assert!(done.err.contains("the secrets are not in it"), "{done:?}");
    assert_eq!(done.json()["size"], before.unverified().size);
    let written = std::fs::read_to_string(&file).unwrap();
    for secret in ["log.key", "token.key", "pseudonym.key", "admin.token"] {
        if let Ok(secret) = std::fs::read_to_string(data.join(secret)) {
            assert!(!written.contains(secret.trim()));
        }
    }
    // What is there is not written over.
    assert!(back_up(&data, url.as_deref(), &file, &[]).is(1).err.contains("exists"));
    let there = restore(&file, &data, url.as_deref(), &[]).is(1);
    assert!(there.err.contains("exists") || there.err.contains("not empty"), "{there:?}");
    // Without its keys nobody goes on with the log.
    let keyless = restore(&file, &served.folder.path().join("keyless"), None, &["--newest"]).is(1);
    assert!(keyless.err.contains("log.key, token.key, pseudonym.key"), "{keyless:?}");
    // The disk of the database is gone; the checkpoint beside the key says that the backup is the newest.
    let to = empty(served.folder.path(), "second").await;
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(data.join(format!("bailiwick.db{end}")));
    }
    restore(&file, &data, to.as_deref(), &[]).is(0);
    served.serve(to.clone(), 3).await;
    inspect(&data, to.as_deref()).await;
    begins_with(&export(&data, to.as_deref()).await, &before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_backup_is_recognised_and_never_forks_the_log() {
    let (served, url) = served(3).await;
    let (data, folder) = (served.data(), served.folder.path());
    let file = folder.join("old.jsonl");
    back_up(&data, url.as_deref(), &file, &["--include-secrets"]).is(0);
    let old = last_checkpoint(&data);
    served.serve(url.clone(), 3).await;
    let (later, exported) = (data.join("checkpoint"), folder.join("export.jsonl"));
    std::fs::write(&exported, export(&data, url.as_deref()).await).unwrap();
    let new = |name: &str| folder.join(name);
    let (later, exported) = (later.to_str().unwrap(), exported.to_str().unwrap());
    // Nobody says which is the last; then an auditor does, by a checkpoint or by an export.
    let refused = restore(&file, &new("a"), None, &[]).is(1);
    assert!(refused.err.contains("--checkpoint FILE") && refused.err.contains("--newest"), "{refused:?}");
    for held in [later, exported] {
        let refused = restore(&file, &new("b"), None, &["--checkpoint", held]).is(1);
        assert!(refused.err.contains("too old") && refused.err.contains("--accept-loss"), "{refused:?}");
        let stated = restore(&file, &new("b"), None, &["--newest", "--checkpoint", held]).is(1);
        assert!(stated.err.contains("too old"), "{stated:?}");
        assert!(!new("b").join("bailiwick.db").exists());
    }
    let junk =
        restore(&file, &new("b"), None, &["--checkpoint", file.with_file_name("none").to_str().unwrap()]);
    assert!(junk.is(1).err.contains("none"));
    // The old one itself is no reason to end the log.
    let own = file.to_str().unwrap();
    let needless = restore(&file, &new("c"), None, &["--checkpoint", own, "--accept-loss", "x"]).is(1);
    assert!(needless.err.contains("can go on"), "{needless:?}");

    let to = empty(folder, "second").await;
    let lost = new("d");
    std::fs::create_dir(&lost).unwrap();
    std::fs::copy(later, lost.join("checkpoint")).unwrap();
    let done = restore(&file, &lost, to.as_deref(), &["--accept-loss", "the disk burned"]).is(0).json();
    assert_eq!(done["ended_log"].as_str().unwrap(), old.unverified().origin.as_str());
    assert_ne!(done["log"], done["ended_log"]);
    assert!(lost.join("checkpoint.ended-1").exists(), "the evidence stays");
    let export = export(&lost, to.as_deref()).await;
    let (report, records) = read_export(&export, None);
    assert!(report.verified());
    let first = &records[0];
    assert_eq!(first.header.kind, "admin");
    let act = &first.sections["act"];
    assert_eq!(act["act"], "log_begun_anew");
    assert_eq!(act["what"]["reason"], "the disk burned");
    assert_eq!(act["what"]["ended_log"], done["ended_log"]);
    assert!(
        act["what"]["last_known_checkpoint"].as_str().unwrap().starts_with(old.unverified().origin.as_str())
    );
    // What was configured is there, and what was spent of budgets.
    let app = open(&lost, to.as_deref()).await.unwrap();
    assert!(store::budgets::spend_since(&app.store, 0).await.unwrap().iter().any(|row| row.settled_nano > 0));
    assert!(!store::keys::list(&app.store).await.unwrap().is_empty());
    app.close(std::time::Duration::from_secs(5)).await;
    served_again(&lost, to).await;
}

async fn served_again(data: &Path, url: Option<String>) {
    let demo = DemoProcess::start_with(data, url);
    ask(&demo, 3).await;
    told(&demo).await;
    assert_eq!(tokio::task::spawn_blocking(move || demo.terminate()).await.unwrap(), Some(0));
}

/// What is recorded from now on becomes an alert.
async fn told(demo: &DemoProcess) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let token = demo.told["admin_token"].as_str().unwrap();
    let expires = chrono::Utc::now() + chrono::TimeDelta::hours(1);
    let switch = json!({
        "kind": "transfer_mechanism", "target": "bcr", "reason": "after the restore", "expires": expires,
    });
    let thrown = client.post(format!("{}/api/v1/kill-switches", demo.url())).bearer_auth(token).json(&switch);
    assert_eq!(thrown.send().await.unwrap().status(), 201);
    let began = std::time::Instant::now();
    loop {
        let asked = client.get(format!("{}/api/v1/alerts?kind=kill_switch_thrown", demo.url()));
        let alerts: Value = asked.bearer_auth(token).send().await.unwrap().json().await.unwrap();
        if alerts["alerts"].as_array().is_some_and(|alerts| !alerts.is_empty()) {
            return;
        }
        assert!(
            began.elapsed() < std::time::Duration::from_secs(20),
            "no alert comes out of the log: {alerts}"
        );
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_backup_is_refused_and_leaves_nothing() {
    let (served, url) = served(2).await;
    let (data, folder) = (served.data(), served.folder.path());
    let file = folder.join("b.jsonl");
    back_up(&data, url.as_deref(), &file, &["--include-secrets"]).is(0);
    let whole = std::fs::read(&file).unwrap();
    let damaged = folder.join("damaged");
    let refused = |bytes: &[u8], told: &[&str]| {
        std::fs::write(&damaged, bytes).unwrap();
        let new = folder.join("new");
        let refused = restore(&damaged, &new, None, &["--newest"]).is(1);
        assert!(told.iter().any(|told| refused.err.contains(told)), "{told:?}: {refused:?}");
        assert!(!new.exists(), "{told:?}");
    };
    refused(b"", &["end is missing"]);
    refused(b"{}\n", &["no backup"]);
    refused(b"SQLite format 3\0...\n", &["no backup"]);
    refused(&std::fs::read(data.join("checkpoint")).unwrap(), &["no backup"]);
    refused(&export(&data, url.as_deref()).await, &["no backup"]);
    let lines: Vec<&[u8]> = whole.split_inclusive(|byte| *byte == b'\n').collect();
    refused(&lines[..lines.len() - 1].concat(), &["end is missing"]);
    refused(&whole[..whole.len() - 1], &["end is missing"]);
    refused(&whole[..whole.len() / 2], &["end is missing"]);
    refused(&[lines[..5].concat(), lines[6..].concat()].concat(), &["digest", "no table", "cannot be read"]);
    refused(&[whole.clone(), b"[]\n".to_vec()].concat(), &["after its end"]);
    let known = [
        "digest",
        "cannot be read",
        "no text",
        "no backup",
        "does not know",
        "end is missing",
        "another schema",
        "no table",
        "after its end",
    ];
    for part in 1..40 {
        let mut flipped = whole.clone();
        let at = whole.len() * part / 40;
        flipped[at] ^= 1;
        refused(&flipped, &known);
    }
    // Somewhere that nobody can write.
    let nowhere = back_up(&data, url.as_deref(), Path::new("/nowhere/b"), &[]).is(1);
    assert!(nowhere.err.contains("/nowhere/b"), "{nowhere:?}");
    let proc = back_up(&data, url.as_deref(), Path::new("/proc/b"), &[]).is(1);
    assert!(proc.err.contains("/proc/b"), "{proc:?}");
    let none = back_up(&folder.join("none"), None, &folder.join("x"), &[]).is(1);
    assert!(none.err.contains("there is no database"), "{none:?}");
    std::fs::create_dir(folder.join("other")).unwrap();
    std::fs::write(folder.join("other/bailiwick.db"), b"").unwrap();
    let other = back_up(&folder.join("other"), None, &folder.join("x"), &[]).is(1);
    assert!(other.err.contains("holds no database"), "{other:?}");
    // And the whole one is good.
    restore(&file, &folder.join("new"), None, &["--newest"]).is(0);
}
