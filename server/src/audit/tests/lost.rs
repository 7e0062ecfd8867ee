//! PostgreSQL whose connections are cut, whose answers are lost, and to which a second server comes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// Stands between a log and its database. While it is deaf, what the database says is swallowed and the log finds
/// its connection closed, but the database does not learn of that.
struct Between {
    url: String,
    deaf: Arc<AtomicBool>,
    /// No connection can be made.
    away: Arc<AtomicBool>,
}

impl Between {
    async fn to(url: &str) -> Self {
        let (before, rest) = url.rsplit_once('@').unwrap();
        let (address, name) = rest.split_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("{before}@{}/{name}", listener.local_addr().unwrap());
        let deaf = Arc::new(AtomicBool::new(false));
        let away = Arc::new(AtomicBool::new(false));
        let (address, flag, gone) = (address.to_owned(), Arc::clone(&deaf), Arc::clone(&away));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if gone.load(Ordering::SeqCst) {
                    continue;
                }
                let server = TcpStream::connect(&address).await.unwrap();
                tokio::spawn(pass(client, server, Arc::clone(&flag)));
            }
        });
        Self { url, deaf, away }
    }
}

async fn pass(client: TcpStream, server: TcpStream, deaf: Arc<AtomicBool>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    tokio::spawn(async move {
        let mut bytes = vec![0; 65_536];
        // The way to the database stays open when the client closes its own.
        while let Ok(count @ 1..) = from_client.read(&mut bytes).await {
            if to_server.write_all(&bytes[..count]).await.is_err() {
                break;
            }
        }
        tokio::time::sleep(Duration::from_secs(30)).await;
    });
    let mut bytes = vec![0; 65_536];
    while let Ok(count @ 1..) = from_server.read(&mut bytes).await {
        if deaf.load(Ordering::SeqCst) {
            // One connection only, and the client does see that it ends.
            deaf.store(false, Ordering::SeqCst);
            drop(to_client);
            while let Ok(1..) = from_server.read(&mut bytes).await {}
            return;
        }
        if to_client.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}

/// A log whose database is behind a [`Between`]; none where the run is not on PostgreSQL.
async fn behind() -> Option<(TestLog, Between)> {
    let folder = TempDir::new().unwrap();
    let url = database::postgres_in(folder.path()).await?;
    let between = Between::to(&url).await;
    std::fs::write(folder.path().join("database_url"), &between.url).unwrap();
    Some((TestLog::reopen(folder).await.unwrap(), between))
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_told_as_what_it_was() {
    let Some((log, between)) = behind().await else { return };
    log.audit.append(attempt("d0")).await.unwrap();
    for round in 1..=5 {
        between.deaf.store(true, Ordering::SeqCst);
        let appended = log.audit.append(attempt(&format!("d{round}"))).await.unwrap();
        assert_eq!(appended.leaf, Some(round * 2 - 1), "it was committed, and is told so");
        // A new connection does not know the statement yet; asking for that may not be what gets lost.
        log.audit.append(attempt(&format!("between{round}"))).await.unwrap();
    }
    let report = prove::export(&log, ExportRequest::default()).await;
    assert_eq!(report.problems, []);
    log.stop().await;
}

#[tokio::test]
async fn nobody_is_told_what_became_of_a_commit_before_that_is_known() {
    let Some((log, between)) = behind().await else { return };
    log.audit.append(attempt("d0")).await.unwrap();
    between.away.store(true, Ordering::SeqCst);
    between.deaf.store(true, Ordering::SeqCst);
    let audit = log.audit.clone();
    let told = tokio::spawn(async move { audit.append_for_sure(attempt("d1")).await });
    // Whoever comes meanwhile is refused, and that is known: nothing of it was tried.
    let meanwhile = loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        if !log.audit.is_writable() {
            break log.audit.append_for_sure(attempt("d2")).await;
        }
    };
    assert!(matches!(meanwhile, Err(AuditUnavailable::Database { .. })), "{meanwhile:?}");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let early = told.is_finished();
    between.away.store(false, Ordering::SeqCst);
    match told.await.unwrap() {
        Ok(appended) => {
            assert!(!early, "nobody can know yet");
            assert_eq!(appended.leaf, Some(1), "it was committed");
        }
        // The connection was lost before the commit was sent on it, and that can be known at once.
        Err(refused) => {
            assert!(early, "{refused}");
            while log.audit.append(attempt("d3")).await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            assert!(log.audit.decision("d1").await.is_err(), "it was refused: {refused}");
        }
    }
    assert!(log.audit.decision("d2").await.is_err());
    let report = prove::export(&log, ExportRequest::default()).await;
    assert_eq!(report.problems, []);
    log.stop().await;
}

#[tokio::test]
async fn a_commit_that_is_still_under_way_does_not_happen_after_it_was_refused() {
    let Some((log, between)) = behind().await else { return };
    log.audit.append(attempt("d0")).await.unwrap();
    // The commit waits in the database while its client is told that the connection is gone.
    let url = database::postgres_in(log.folder.path()).await.unwrap();
    database::run(
        &url,
        "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ \
         BEGIN RAISE NOTICE 'the client hears this, and then no more'; PERFORM pg_sleep(4); RETURN NULL; END $$; \
         CREATE TRIGGER wait BEFORE INSERT ON records EXECUTE FUNCTION wait()",
    )
    .await;
    between.deaf.store(true, Ordering::SeqCst);
    let refused = log.audit.append(attempt("d1")).await;
    assert!(matches!(refused, Err(AuditUnavailable::Database { .. })), "{refused:?}");
    database::run(&url, "DROP TRIGGER wait ON records").await;
    assert_eq!(log.audit.append(attempt("d2")).await.unwrap().leaf, Some(1));
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(log.audit.decision("d1").await.is_err(), "it must not appear later");
    let report = prove::export(&log, ExportRequest::default()).await;
    assert_eq!(report.problems, []);
    log.stop().await;
}

/// The process dies while its commit is under way in the database, which goes on with it.
#[test]
fn a_start_does_not_overlook_a_commit_that_outlives_its_server() {
    if !database::on_postgres() {
        return;
    }
    let runtime = || tokio::runtime::Runtime::new().unwrap();
    let first = runtime();
    let folder = first.block_on(async {
        let log = TestLog::new().await;
        log.audit.append(attempt("d0")).await.unwrap();
        sql(
            log.folder.path(),
            "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ \
             BEGIN PERFORM pg_sleep(2); RETURN NULL; END $$; \
             CREATE TRIGGER wait AFTER INSERT ON records EXECUTE FUNCTION wait()",
        )
        .await;
        let audit = log.audit.clone();
        tokio::spawn(async move { audit.append(attempt("d1")).await });
        tokio::time::sleep(Duration::from_millis(500)).await;
        log.folder
    });
    first.shutdown_background();
    runtime().block_on(async {
        let log = TestLog::reopen(folder).await.unwrap();
        sql(log.folder.path(), "DROP TRIGGER wait ON records").await;
        assert_eq!(log.audit.append(attempt("d2")).await.unwrap().leaf, Some(2));
        assert_eq!(log.audit.decision("d1").await.unwrap().len(), 1);
        let report = prove::export(&log, ExportRequest::default()).await;
        assert_eq!(report.problems, []);
        log.stop().await;
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_connections_are_ended_goes_on() {
    if !database::on_postgres() {
        return;
    }
    let log = TestLog::new().await;
    let budget = log.budget().await;
    let url = database::postgres_in(log.folder.path()).await.unwrap();
    let mut acknowledged = 0;
    let ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    for round in 0..40 {
        if round % 8 == 5 {
            database::run(&url, ended).await;
        }
        let mut entry = outcome(&format!("d{round}"), Some(budget));
        // What the gateway does with an outcome: it is tried until it is durable.
        while let Err(refused) = log.audit.append(entry).await {
            assert!(matches!(refused, AuditUnavailable::Database { .. }), "{refused:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
            entry = outcome(&format!("d{round}"), Some(budget));
        }
        acknowledged += 1;
    }
    let spent: i64 =
        budgets::spend_since(&log.store, 0).await.unwrap().iter().map(|row| row.settled_nano).sum();
    assert_eq!(spent, acknowledged * 1_000, "each is booked once");
    let report = prove::export(&log, ExportRequest::default()).await;
    assert_eq!(report.problems, []);
    log.stop().await;
}
