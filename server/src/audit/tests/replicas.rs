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
    let store = open_store(folder).await.unwrap();
    let (duty, on_duty) = watch::channel(false);
    let config = AuditConfig {
        log: LogId::new("log.example/test").unwrap(),
        replica: name.into(),
        key: load_or_create_key(&folder.join("log.key")).unwrap(),
        checkpoint_file: Some(folder.join(format!("{name}.checkpoint"))),
        duty: Some(on_duty),
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
async fn a_replica_whose_name_another_process_took_commits_nothing_more() {
    let folder = TempDir::new().unwrap();
    let old = replica(folder.path(), "a").await;
    old.write("old", 2).await;
    let new = replica(folder.path(), "a").await;
    new.write("new", 2).await;
    let refused = old.audit.append(attempt("ghost")).await;
    assert!(refused.is_err(), "{refused:?}");
    assert!(matches!(new.audit.decision("ghost").await, Err(AuditError::NotFound(_))));
    new.write("newer", 2).await;
    new.verified().await;
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
