//! Several replicas that write to one log, with one sequencer, none, or two at once.

use bailiwick_ledger::verify::verify_export;
use tokio::sync::watch;

use super::*;

struct Replica {
    store: Store,
    audit: Audit,
    duty: watch::Sender<bool>,
}

async fn replica(folder: &Path, name: &str) -> Replica {
    replica_with(folder, name, None).await
}

async fn replica_with(folder: &Path, name: &str, spool: Option<SpoolConfig>) -> Replica {
    let store = Store::open_in(folder).await.unwrap();
    let (duty, on_duty) = watch::channel(false);
    let config = AuditConfig {
        log: LogId::new("log.example/test").unwrap(),
        replica: name.into(),
        key: load_or_create_key(&folder.join("log.key")).unwrap(),
        checkpoint_file: Some(folder.join(format!("{name}.checkpoint"))),
        held: Vec::new(),
        duty: Some(on_duty),
        spool,
    };
    let audit = Audit::open(store.clone(), config, Clock::new()).await.unwrap();
    Replica { store, audit, duty }
}

impl Replica {
    async fn write(&self, name: &str, count: usize) {
        for at in 0..count {
            let decision = format!("{name}-{at:04}");
            self.audit.append(attempt(&decision)).await.unwrap();
            self.audit.append(outcome(&decision, None)).await.unwrap();
        }
    }

    async fn verified(&self) -> bailiwick_ledger::verify::Report {
        let (file, _) = self.audit.export(ExportRequest::default(), Vec::new()).await.unwrap();
        let report = verify_export(file.as_slice(), Some(self.audit.public_key())).unwrap();
        assert_eq!(report.problems, []);
        report
    }

    async fn stop(self) {
        self.audit.close().await.unwrap();
        self.store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_replicas_share_one_tree_whoever_sequences() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let (a, b, c) = (replica(folder, "a").await, replica(folder, "b").await, replica(folder, "c").await);
    a.duty.send_replace(true);
    let changes = async {
        // Taken over, taken over twice at once, and nobody.
        for (on_a, on_b, on_c) in [
            (true, true, true),
            (false, true, false),
            (false, false, false),
            (true, false, true),
            (false, true, true),
        ] {
            tokio::time::sleep(Duration::from_millis(60)).await;
            a.duty.send_replace(on_a);
            b.duty.send_replace(on_b);
            c.duty.send_replace(on_c);
        }
    };
    let receipts = async {
        for at in [0, 20, 60] {
            tokio::time::sleep(Duration::from_millis(40)).await;
            let decision = format!("a-{at:04}");
            if a.audit.decision(&decision).await.is_ok() {
                a.audit.receipt(&decision).await.unwrap().verify(Some(a.audit.public_key())).unwrap();
            }
        }
    };
    tokio::join!(a.write("a", 80), b.write("b", 80), c.write("c", 80), changes, receipts);

    // Whoever is asked answers for the records of all.
    let first = b.verified().await;
    assert!(first.counts.records > 480, "{:?}", first.counts);
    let receipt = c.audit.receipt("a-0079").await.unwrap();
    assert_eq!(receipt.verify(Some(c.audit.public_key())).unwrap().records.len(), 2);

    // One goes without a word and comes back; what it wrote goes on where it ended.
    drop(b);
    a.write("later", 5).await;
    let b = replica(folder, "b").await;
    b.write("again", 5).await;
    let second = b.verified().await;
    assert!(second.to > first.to);
    assert_eq!(second.counts.records, second.to);
    for replica in [a, b, c] {
        replica.stop().await;
    }
}

#[tokio::test]
async fn whoever_gets_the_duty_takes_it_up_without_being_asked() {
    let folder = TempDir::new().unwrap();
    let (a, b) = (replica(folder.path(), "a").await, replica(folder.path(), "b").await);
    let size = || async {
        let head = crate::store::tree::head(&a.store, "log.example/test").await.unwrap();
        head.unwrap().size
    };
    let mut wrote = 0;
    // The first one from the start on, and then another one takes over.
    for duty in [&a.duty, &b.duty] {
        a.write(&format!("d{wrote}"), 3).await;
        wrote += 6;
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(size().await < wrote, "nobody has the duty");
        duty.send_replace(true);
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        while size().await < wrote {
            assert!(std::time::Instant::now() < deadline, "nobody takes it up");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        duty.send_replace(false);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for replica in [a, b] {
        replica.stop().await;
    }
}

/// Undoes one of three changes of a table, the first one too, as a database does that runs transactions beside one another.
fn undo(tables: &[&str]) -> String {
    let triggers = tables.iter().map(|table| {
        format!(
            "CREATE TRIGGER undo BEFORE INSERT OR UPDATE OR DELETE ON {table} \
             FOR EACH STATEMENT EXECUTE FUNCTION undo();"
        )
    });
    format!(
        "CREATE SEQUENCE tries; CREATE FUNCTION undo() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         IF nextval('tries') % 3 = 1 THEN RAISE EXCEPTION 'undone by a test' USING ERRCODE = '40001'; END IF; \
         RETURN NULL; END $$; {}",
        triggers.collect::<String>()
    )
}

#[tokio::test]
async fn what_the_database_undoes_is_done_again() {
    if !database::on_postgres() {
        return;
    }
    for table in ["records", "tree_head", "checkpoints", "tree_runs", "settings", "replicas"] {
        let folder = TempDir::new().unwrap();
        let a = replica(folder.path(), "a").await;
        sql(folder.path(), &undo(&[table])).await;
        a.write("d", 3).await;
        crate::store::settings::put(&a.store, "name", 1.into(), 1).await.unwrap();
        assert!(crate::store::replicas::beat(&a.store, a.audit.replica()).await.unwrap());
        assert_eq!(a.audit.checkpoint().await.unwrap().unverified().size, 6, "{table}");
        // Two rows in one transaction.
        let request = PruneRequest {
            from: 0,
            to: 2,
            sections: vec!["facts".into(), "usage".into()],
            reason: "test".into(),
            principal: None,
        };
        assert_eq!(a.audit.prune(request).await.unwrap().sections, 2, "{table}");
        a.verified().await;
        a.stop().await;
    }
}

#[tokio::test]
async fn a_record_that_was_removed_before_it_was_sequenced_stops_the_sequencer() {
    let folder = TempDir::new().unwrap();
    let a = replica(folder.path(), "a").await;
    a.write("d", 3).await;
    sql(folder.path(), "DELETE FROM records WHERE id = 1099511627778").await;
    let refused = a.audit.checkpoint().await.unwrap_err().to_string();
    assert!(refused.contains("record number 2 of replica 1 is missing"), "{refused}");
}

#[tokio::test]
async fn a_silent_replica_is_stopped_once_and_what_it_left_open_is_found() {
    use crate::store::replicas::{self, State};

    let folder = TempDir::new().unwrap();
    let a = replica(folder.path(), "a").await;
    let b = replica(folder.path(), "b").await;
    a.write("done", 3).await;
    a.audit.append(attempt("open")).await.unwrap();
    let peer =
        |peers: Vec<replicas::Peer>| peers.into_iter().find(|peer| peer.number == a.audit.replica().number);
    let seen = peer(replicas::peers(&b.store).await.unwrap()).unwrap();
    assert_eq!(seen.state, State::Live);
    assert!((0..60_000).contains(&seen.silent_ms), "{seen:?}");
    assert!(!replicas::fence(&b.store, seen, 60_000).await.unwrap(), "it was just seen");

    sql(folder.path(), "UPDATE replicas SET seen_ms = seen_ms - 60000 WHERE number = 1").await;
    let seen = peer(replicas::peers(&b.store).await.unwrap()).unwrap();
    assert!(seen.silent_ms >= 60_000);
    assert!(replicas::beat(&a.store, a.audit.replica()).await.unwrap());
    assert!(!replicas::fence(&b.store, seen, 60_000).await.unwrap(), "it was seen again meanwhile");
    sql(folder.path(), "UPDATE replicas SET seen_ms = seen_ms - 60000 WHERE number = 1").await;
    assert!(replicas::fence(&b.store, seen, 60_000).await.unwrap());
    assert!(!replicas::fence(&b.store, seen, 60_000).await.unwrap(), "somebody did that already");

    // What was paused wakes, and can neither record nor say that it is there.
    assert!(a.audit.append(outcome("open", None)).await.is_err());
    assert!(!replicas::beat(&a.store, a.audit.replica()).await.unwrap());

    let seen = peer(replicas::peers(&b.store).await.unwrap()).unwrap();
    assert_eq!(seen.state, State::Fenced);
    for _ in 0..2 {
        let open = b.audit.adopt(seen).await.unwrap();
        let ids: Vec<_> =
            open.iter().map(|record| record.header().unwrap().ids["decision"].clone()).collect();
        assert_eq!(ids, ["open"]);
        let row = b.audit.decision_row("done-0002").await.unwrap().unwrap();
        assert_eq!(row.outcome, "answered");
    }
    b.audit.append(outcome("open", None)).await.unwrap();
    assert_eq!(b.audit.adopt(seen).await.unwrap(), [], "nothing is booked twice");
    assert_eq!(b.audit.decision_row("open").await.unwrap().unwrap().outcome, "answered");
    b.audit.checkpoint().await.unwrap();
    replicas::gone(&b.store, seen.number).await.unwrap();
    assert_eq!(peer(replicas::peers(&b.store).await.unwrap()), None);
    b.verified().await;
}

#[tokio::test]
async fn over_a_gap_a_replica_does_not_go_on_and_it_does_when_that_is_mended() {
    if !database::on_postgres() {
        return;
    }
    let folder = TempDir::new().unwrap();
    let a = replica(folder.path(), "a").await;
    a.write("d", 3).await;
    a.audit.checkpoint().await.unwrap();
    // What it wrote last is not there any more, as in a database that was put back under it.
    let last = "id = 1099511627776 + 5";
    sql(folder.path(), &format!("CREATE TABLE kept AS SELECT * FROM records WHERE {last}")).await;
    sql(folder.path(), &format!("DELETE FROM records WHERE {last}")).await;
    for _ in 0..3 {
        let refused = a.audit.append(attempt("later")).await;
        assert!(matches!(refused, Err(AuditUnavailable::Database { .. })), "{refused:?}");
    }
    assert_eq!(crate::store::replicas::next_sequence(&a.store, a.audit.replica().number).await.unwrap(), 5);
    sql(folder.path(), "INSERT INTO records SELECT * FROM kept").await;
    let began = std::time::Instant::now();
    while a.audit.append(attempt("later")).await.is_err() {
        assert!(began.elapsed() < Duration::from_secs(10), "it does not go on");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    a.verified().await;
    a.stop().await;
}

#[tokio::test]
async fn a_tree_that_does_not_continue_what_was_signed_is_not_signed() {
    let folder = TempDir::new().unwrap();
    let (a, b) = (replica(folder.path(), "a").await, replica(folder.path(), "b").await);
    a.write("d", 3).await;
    assert_eq!(a.audit.checkpoint().await.unwrap().unverified().size, 6);
    let then = crate::store::tree::head(&a.store, "log.example/test").await.unwrap().unwrap();
    a.write("e", 3).await;
    assert_eq!(a.audit.checkpoint().await.unwrap().unverified().size, 12);
    // The database is put back to where it was then, under both of them.
    let bytes = hex::encode(&then.frontier);
    let bytes =
        if database::on_postgres() { format!("decode('{bytes}', 'hex')") } else { format!("x'{bytes}'") };
    sql(
        folder.path(),
        &format!(
            "DELETE FROM records WHERE id >= 1099511627776 + 6; DELETE FROM checkpoints WHERE size > 6; \
             UPDATE tree_head SET size = 6, frontier = {bytes}"
        ),
    )
    .await;
    // This one had written nothing since, and notices nothing; the tree becomes longer than it was.
    b.write("f", 5).await;
    for _ in 0..2 {
        let refused = a.audit.checkpoint().await.unwrap_err().to_string();
        assert!(refused.contains("are not those that"), "{refused}");
    }
    let signed = crate::store::tree::checkpoints(&a.store, "log.example/test").await.unwrap();
    assert!(signed.iter().all(|checkpoint| checkpoint.size <= 6), "no fork is signed");
    for replica in [a, b] {
        replica.store.close().await;
    }
}

#[tokio::test]
async fn a_row_of_the_list_that_a_commit_did_not_take_is_not_said_to_be_there() {
    if !database::on_postgres() {
        return;
    }
    let folder = TempDir::new().unwrap();
    let spool =
        SpoolConfig { path: folder.path().join("spool"), bytes: 1 << 20, bound: Duration::from_secs(60) };
    let a = replica_with(folder.path(), "a", Some(spool)).await;
    assert!(a.audit.begin_spool().await.unwrap());
    // Records come into the database, rows of the list do not.
    sql(
        folder.path(),
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ \
         BEGIN RAISE EXCEPTION 'refused by a test' USING ERRCODE = '53100'; END $$; \
         CREATE TRIGGER refuse BEFORE INSERT ON decisions FOR EACH ROW EXECUTE FUNCTION refuse()",
    )
    .await;
    let number = a.audit.replica().number;
    let mut appended = 0;
    let began = std::time::Instant::now();
    while began.elapsed() < Duration::from_secs(4) {
        a.audit.append(outcome(&format!("d{appended}"), None)).await.unwrap();
        appended += 1;
        tokio::time::sleep(Duration::from_millis(35)).await;
    }
    let there = crate::store::replicas::next_sequence(&a.store, number).await.unwrap();
    assert!(there > 20, "{there} of {appended} are there");
    let peers = crate::store::replicas::peers(&a.store).await.unwrap();
    assert_eq!(peers[0].done_to, 0, "no row is there, so whoever adopts it reads from the first record on");
    sql(folder.path(), "DROP TRIGGER refuse ON decisions").await;
    // The list follows the log, and hands in by and by what was refused.
    let began = std::time::Instant::now();
    while a.audit.decisions(&DecisionFilter::default(), None, 1_000).await.unwrap().len() < appended {
        assert!(began.elapsed() < Duration::from_secs(30), "rows of the list are lost");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    a.verified().await;
    a.stop().await;
}

/// What a database that is spread over machines would have to ask one of them for.
#[tokio::test]
async fn a_commit_waits_for_nobody_and_nothing_is_numbered_by_the_database() {
    if !database::on_postgres() {
        return;
    }
    let folder = TempDir::new().unwrap();
    let (a, b) = (replica(folder.path(), "a").await, replica(folder.path(), "b").await);
    let log = TestLog { folder, store: a.store.clone(), clock: Clock::new(), audit: a.audit.clone() };
    let budget = log.budget().await;
    b.audit.append(outcome("d0", Some(budget))).await.unwrap();
    let url = database::postgres_in(log.folder.path()).await.unwrap();
    // Another replica commits, the sequencer moves the head, somebody leases and somebody signs, all at the same time.
    let others = database::hold(
        &url,
        "SELECT FROM replicas WHERE number = 2 FOR UPDATE; SELECT FROM budget_spend WHERE replica = 2 FOR UPDATE; \
         SELECT FROM tree_head FOR UPDATE; SELECT FROM checkpoints FOR UPDATE; \
         SELECT FROM budgets FOR NO KEY UPDATE; SELECT FROM decisions FOR UPDATE; SELECT FROM records FOR UPDATE",
    )
    .await;
    for at in 1..20 {
        let appended = tokio::time::timeout(
            Duration::from_secs(3),
            a.audit.append(outcome(&format!("d{at}"), Some(budget))),
        );
        appended.await.expect("it waits for a lock").unwrap();
    }
    database::commit(others).await;
    for (what, none) in [
        ("SELECT count(*) FROM pg_sequences WHERE schemaname = current_schema()", "numbers of the database"),
        (
            "SELECT count(*) FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace \
             AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)",
            "tables without a key",
        ),
    ] {
        assert_eq!(database::number(&url, what).await, 0, "{none}");
    }
    a.verified().await;
    for replica in [a, b] {
        replica.audit.close().await.unwrap();
        replica.store.close().await;
    }
}
