//! A database that refuses, and one that was changed behind the server's back.

use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sea_orm::sqlx::{ConnectOptions as _, Connection as _, Executor as _, PgConnection};

use super::*;

/// Appends fail while `refuse` holds and succeed again after `allow`, and nothing is lost or doubled.
async fn refused_meanwhile(log: TestLog, refuse: &str, allow: &str) {
    let budget = log.budget().await;
    for at in 0..3 {
        log.audit.append(outcome(&format!("before{at}"), Some(budget))).await.unwrap();
    }
    log.audit.decisions(&DecisionFilter::default(), None, 1).await.unwrap();
    log.store.sql(refuse).await;
    for at in 0..3 {
        let big = Section::new("big", &"x".repeat(2_000_000), salt()).unwrap();
        let mut entry = outcome(&format!("meanwhile{at}"), Some(budget));
        entry.draft = entry.draft.section(big);
        let refused = log.audit.append(entry).await;
        assert!(matches!(refused, Err(AuditUnavailable::Database { .. })), "{refused:?}");
    }
    log.store.sql(allow).await;
    let appended = log.audit.append(outcome("after", Some(budget))).await.unwrap();
    assert_eq!(appended, Appended { leaf: Some(3), replica_sequence: 3 });
    assert_eq!(budgets::spend_since(&log.store, 0).await.unwrap()[0].settled_nano, 4_000);
    let report = prove::export(&log, ExportRequest::default()).await;
    assert_eq!(report.problems, []);
    let log = TestLog::reopen(log.stop().await).await.unwrap();
    assert_eq!(log.audit.decisions(&DecisionFilter::default(), None, 100).await.unwrap().len(), 4);
}

/// Makes every commit fail as PostgreSQL would with this SQLSTATE.
fn raise(code: &str) -> String {
    format!(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ \
         BEGIN RAISE EXCEPTION 'refused by a test' USING ERRCODE = '{code}'; END $$; \
         CREATE TRIGGER refuse BEFORE INSERT ON records EXECUTE FUNCTION refuse()"
    )
}

const RAISE_NO_MORE: &str = "DROP TRIGGER refuse ON records";

#[tokio::test]
async fn a_read_only_database_refuses_until_it_is_writable_again() {
    let log = TestLog::new().await;
    if database::on_postgres() {
        return refused_meanwhile(log, &raise("25006"), RAISE_NO_MORE).await;
    }
    refused_meanwhile(log, "PRAGMA query_only = on", "PRAGMA query_only = off").await;
}

#[tokio::test]
async fn a_full_database_refuses_until_there_is_room_again() {
    let log = TestLog::new().await;
    if database::on_postgres() {
        return refused_meanwhile(log, &raise("53100"), RAISE_NO_MORE).await;
    }
    // SQLite takes the present size where that is more, so the next page is one too many.
    refused_meanwhile(log, "PRAGMA max_page_count = 1", "PRAGMA max_page_count = 1000000").await;
}

/// Holds a lock that every commit needs, on a connection of its own.
enum Locker {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Locker {
    async fn lock(log: &TestLog) -> Self {
        if let Some(url) = database::postgres_in(log.folder.path()).await {
            let mut other = PgConnection::connect(&url).await.unwrap();
            other.execute("BEGIN; SELECT * FROM tree_head FOR UPDATE").await.unwrap();
            return Self::Postgres(other);
        }
        let file = log.folder.path().join(FILE);
        let mut other = SqliteConnectOptions::new().filename(file).connect().await.unwrap();
        other.execute("BEGIN IMMEDIATE").await.unwrap();
        Self::Sqlite(other)
    }

    async fn unlock(self) {
        match self {
            Self::Sqlite(mut other) => {
                other.execute("ROLLBACK").await.unwrap();
                other.close().await.unwrap();
            }
            Self::Postgres(mut other) => {
                other.execute("ROLLBACK").await.unwrap();
                other.close().await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn a_database_that_another_process_locks_refuses_until_it_is_free() {
    let log = TestLog::new().await;
    log.audit.append(attempt("d1")).await.unwrap();
    let other = Locker::lock(&log).await;
    let began = tokio::time::Instant::now();
    let refused = log.audit.append(attempt("d2")).await;
    assert!(matches!(refused, Err(AuditUnavailable::Database { .. })), "{refused:?}");
    assert!(began.elapsed() < std::time::Duration::from_secs(10));
    other.unlock().await;
    assert_eq!(log.audit.append(attempt("d3")).await.unwrap().leaf, Some(1));
}

#[tokio::test]
async fn a_second_writer_is_noticed_and_the_log_stays_shut() {
    let log = TestLog::new().await;
    log.audit.append(attempt("d1")).await.unwrap();
    let clock = Clock::new();
    let (other_store, other) = open(log.folder.path(), &clock).await.unwrap();
    other.append(attempt("d2")).await.unwrap();
    for _ in 0..2 {
        let refused = log.audit.append(attempt("d3")).await;
        assert!(matches!(refused, Err(AuditUnavailable::Database { .. })), "{refused:?}");
    }
    assert_eq!(other.append(attempt("d4")).await.unwrap().leaf, Some(2), "the one that is right goes on");
    other.close().await.unwrap();
    other_store.close().await;
}

/// What SQLite says, as PostgreSQL says it.
fn dialect(statement: &str) -> String {
    if !database::on_postgres() {
        return statement.to_owned();
    }
    statement
        .replace("1 << 40", "1::int8 << 40")
        .replace("zeroblob(32)", "decode(repeat('00', 32), 'hex')")
        .replace("zeroblob(8)", "decode(repeat('00', 8), 'hex')")
        .replace(
            "CAST(replace(CAST(leaf_bytes AS TEXT), '/acme', '/acne') AS BLOB)",
            "convert_to(replace(convert_from(leaf_bytes, 'UTF8'), '/acme', '/acne'), 'UTF8')",
        )
}

/// Why a log of 600 leaves does not open after `statement`.
async fn refusal(statement: &str) -> String {
    let log = TestLog::new().await;
    let appends = (0..600).map(|at| {
        let audit = log.audit.clone();
        async move { audit.append(attempt(&format!("d{at}"))).await.unwrap() }
    });
    futures::future::join_all(appends).await;
    let folder = log.stop().await;
    sql(folder.path(), &dialect(statement)).await;
    match TestLog::reopen(folder).await {
        Ok(_) => panic!("opened after {statement}"),
        Err(AuditOpenError::Broken(why)) => why,
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_changed_database_is_not_opened() {
    let changed = [
        ("DELETE FROM records WHERE id = (1 << 40) + 599", "missing"),
        ("DELETE FROM records WHERE id = (1 << 40) + 590", "missing"),
        ("DELETE FROM records", "missing"),
        ("DELETE FROM tree_runs", "missing"),
        ("UPDATE tree_runs SET record = record + 1", "missing"),
        (
            "UPDATE records SET leaf_bytes = CAST(replace(CAST(leaf_bytes AS TEXT), '/acme', '/acne') AS BLOB) \
             WHERE id = (1 << 40) + 595",
            "leaf 595 was changed",
        ),
        ("UPDATE records SET leaf_hash = zeroblob(32) WHERE id = (1 << 40) + 550", "hash"),
        ("UPDATE records SET id = id + 1000 WHERE id = (1 << 40) + 599", "missing"),
        ("UPDATE tree_tiles SET root = zeroblob(32) WHERE position = 0", "hash"),
        ("DELETE FROM tree_tiles WHERE position = 1", "missing"),
        ("UPDATE tree_head SET size = 599", "leaves"),
        ("UPDATE tree_head SET frontier = zeroblob(8), size = 0", "leaves"),
        ("DELETE FROM tree_head", "head"),
        (
            "INSERT INTO records SELECT id + 1, time_ms, kind, scope, decision, leaf_bytes, leaf_hash, sections, \
             index_update FROM records ORDER BY id DESC LIMIT 1",
            "the leaves of 600 records",
        ),
        ("UPDATE tree_head SET log = 'log.example/other'", "belongs to the log"),
        ("UPDATE checkpoints SET note = replace(note, '600', '601')", "not signed by the key"),
        (
            "DELETE FROM tree_head; DELETE FROM records; DELETE FROM tree_tiles; DELETE FROM checkpoints",
            "beside the key signs 600 leaves, and the database holds 0",
        ),
    ];
    for (statement, why) in changed {
        let refusal = refusal(statement).await;
        assert!(refusal.contains(why), "{statement}: {refusal}");
    }
}

/// A copy of a database that nobody has open.
enum Copy {
    File(std::path::PathBuf),
    Database(String),
}

impl Copy {
    async fn of(folder: &Path) -> Self {
        if let Some(url) = database::postgres_in(folder).await {
            let name = database::name_of(&url);
            database::create(&format!("{name}_copy"), name, folder).await;
            return Self::Database(format!("{name}_copy"));
        }
        let copy = folder.join("copy.db");
        std::fs::copy(folder.join(FILE), &copy).unwrap();
        Self::File(copy)
    }

    async fn put_back(self, folder: &Path) {
        match self {
            Self::File(copy) => std::fs::copy(copy, folder.join(FILE)).map(drop).unwrap(),
            Self::Database(copy) => {
                let url = database::postgres_in(folder).await.unwrap();
                let name = database::name_of(&url);
                // Not dropped at once: that waits for all of the cluster's pages to be written.
                database::administer(&format!("ALTER DATABASE {name} RENAME TO {name}_new")).await;
                database::administer(&format!("ALTER DATABASE {copy} RENAME TO {name}")).await;
            }
        }
    }
}

#[tokio::test]
async fn an_old_copy_of_the_database_is_not_opened() {
    let log = TestLog::new().await;
    log.audit.append(attempt("d1")).await.unwrap();
    let folder = log.stop().await;
    let copy = Copy::of(folder.path()).await;
    let log = TestLog::reopen(folder).await.unwrap();
    log.audit.append(attempt("d2")).await.unwrap();
    let folder = log.stop().await;
    copy.put_back(folder.path()).await;
    let clock = Clock::new();
    let refusal = open(folder.path(), &clock).await.map(|_| ()).unwrap_err().to_string();
    assert!(refusal.contains("beside the key signs 2 leaves, and the database holds 1"), "{refusal}");

    // Where the file was put back with it, who kept the checkpoint elsewhere notices still.
    let file = folder.path().join("log.checkpoint");
    let kept = SignedCheckpoint::parse(&std::fs::read_to_string(&file).unwrap()).unwrap();
    std::fs::remove_file(&file).unwrap();
    let held = || vec![(String::from("the auditor's"), kept.clone())];
    let refusal = open_holding(folder.path(), &clock, held()).await.map(|_| ()).unwrap_err().to_string();
    assert!(refusal.contains("the auditor's signs 2 leaves, and the database holds 1"), "{refusal}");
    let (store, audit) = open(folder.path(), &clock).await.unwrap();
    // Of the same length, and another log.
    audit.append(attempt("d3")).await.unwrap();
    audit.close().await.unwrap();
    store.close().await;
    let refusal = open_holding(folder.path(), &clock, held()).await.map(|_| ()).unwrap_err().to_string();
    assert!(refusal.contains("are not those that the auditor's signs"), "{refusal}");
}

#[tokio::test]
async fn another_key_does_not_open_the_log_and_a_readable_one_is_refused() {
    let log = TestLog::new().await;
    log.audit.append(attempt("d1")).await.unwrap();
    let key = log.folder.path().join("log.key");
    let folder = log.stop().await;
    let kept = std::fs::read_to_string(&key).unwrap();
    std::fs::remove_file(&key).unwrap();
    let clock = Clock::new();
    let refusal = open(folder.path(), &clock).await.map(|_| ()).unwrap_err().to_string();
    assert!(refusal.contains("not signed by the key of this log"), "{refusal}");
    std::fs::write(&key, kept).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
        let refusal = open(folder.path(), &clock).await.map(|_| ()).unwrap_err().to_string();
        assert!(refusal.contains("chmod 600"), "{refusal}");
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    open(folder.path(), &clock).await.unwrap();
}
