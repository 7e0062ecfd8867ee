//! Group commit: what is acknowledged, what is refused.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_tasks_share_commits_without_a_gap() {
    let log = TestLog::new().await;
    let budget = log.budget().await;
    let tasks: Vec<_> = (0..64)
        .map(|task| {
            let audit = log.audit.clone();
            tokio::spawn(async move {
                let mut leaves = Vec::new();
                for turn in 0..10 {
                    let decision = format!("d{task:03}-{turn:03}");
                    leaves.push(audit.append(attempt(&decision)).await.unwrap());
                    leaves.push(audit.append(outcome(&decision, Some(budget))).await.unwrap());
                }
                leaves
            })
        })
        .collect();
    let mut appended = Vec::new();
    for task in tasks {
        let leaves = task.await.unwrap();
        assert!(leaves.is_sorted_by(|a, b| a.leaf < b.leaf), "one caller's records are in its order");
        appended.extend(leaves);
    }
    appended.sort_by_key(|appended| appended.leaf);
    let leaves: Vec<u64> = appended.iter().map(|appended| appended.leaf.unwrap()).collect();
    assert_eq!(leaves, (0..1280).collect::<Vec<u64>>());
    assert!(appended.iter().all(|appended| Some(appended.replica_sequence) == appended.leaf));

    let spend = budgets::spend_since(&log.store, 0).await.unwrap();
    assert_eq!(spend.iter().map(|spend| spend.settled_nano).collect::<Vec<_>>(), [640_000]);
    let listed = log.audit.decisions(&DecisionFilter::default(), None, 1_000).await.unwrap();
    assert_eq!(listed.len(), 640);
    assert!(listed.iter().all(|row| row.outcome == "answered"));

    let report = prove::export(&log, ExportRequest::default()).await;
    assert_eq!(report.problems, []);
    assert_eq!(report.counts.records, 1281, "the export itself is recorded");
}

#[tokio::test]
async fn an_entry_that_cannot_be_a_record_fails_alone() {
    let log = TestLog::new().await;
    let bad = Entry::new(Draft::new(Kind::Admin, 0).id("Not A Name", "x"));
    let (good, bad) = tokio::join!(log.audit.append(attempt("d1")), log.audit.append(bad));
    assert!(matches!(bad, Err(AuditUnavailable::Invalid(_))));
    assert_eq!(good.unwrap().leaf, Some(0));
    assert_eq!(log.audit.append(attempt("d2")).await.unwrap().leaf, Some(1));
}

#[tokio::test]
async fn the_list_follows_the_log_and_tells_who_listens() {
    let log = TestLog::new().await;
    let mut live = log.audit.subscribe();
    log.audit.append(attempt("d1")).await.unwrap();
    assert_eq!(live.recv().await.unwrap().outcome, "forwarding");
    let listed = log.audit.decisions(&DecisionFilter::default(), None, 10).await.unwrap();
    assert_eq!(listed, [row("d1", "forwarding")], "whoever reads sees what was appended before");
    log.audit.append(outcome("d1", None)).await.unwrap();
    assert_eq!(live.recv().await.unwrap().outcome, "answered");
    assert_eq!(log.audit.decision_row("d1").await.unwrap(), Some(row("d1", "answered")));

    let none = DecisionFilter { scope: Some("/acm".into()), ..DecisionFilter::default() };
    assert_eq!(log.audit.decisions(&none, None, 10).await.unwrap(), []);
    let all = DecisionFilter { scope: Some("/acme".into()), ..DecisionFilter::default() };
    assert_eq!(log.audit.decisions(&all, None, 10).await.unwrap().len(), 1);
    assert_eq!(log.audit.decisions(&all, Some("d1"), 10).await.unwrap(), [], "the cursor is exclusive");
}

#[tokio::test]
async fn the_list_is_written_without_anybody_asking() {
    let log = TestLog::new().await;
    log.audit.append(attempt("d1")).await.unwrap();
    let wait = std::time::Duration::from_millis(20);
    for _ in 0..200 {
        if crate::store::decisions::get(&log.store, "d1").await.unwrap().is_some() {
            return;
        }
        tokio::time::sleep(wait).await;
    }
    panic!("the row was never written");
}

#[tokio::test]
async fn a_log_goes_on_where_it_stopped() {
    let mut folder = TempDir::new().unwrap();
    for start in 0..4_u64 {
        let log = TestLog::reopen(folder).await.unwrap();
        for at in 0..300_u64 {
            let appended = log.audit.append(attempt(&format!("d{start}-{at}"))).await.unwrap();
            assert_eq!(
                appended,
                Appended { leaf: Some(start * 300 + at), replica_sequence: start * 300 + at }
            );
        }
        assert!(log.clock.now_ms() >= 1_700_000_000_000);
        folder = log.stop().await;
    }
    let log = TestLog::reopen(folder).await.unwrap();
    assert_eq!(log.audit.checkpoint().await.unwrap().unverified().size, 1200);
    assert_eq!(log.audit.unsettled().await.unwrap().len(), 1200);
    let report = prove::export(&log, ExportRequest::default()).await;
    assert_eq!(report.problems, []);
}

#[tokio::test]
async fn attempts_without_an_outcome_are_found_at_the_next_start() {
    let log = TestLog::new().await;
    for at in 0..5 {
        log.audit.append(attempt(&format!("d{at}"))).await.unwrap();
    }
    for at in [0, 1, 3] {
        log.audit.append(outcome(&format!("d{at}"), None)).await.unwrap();
    }
    let log = TestLog::reopen(log.stop().await).await.unwrap();
    let decisions = |records: Vec<StoredRecord>| -> Vec<String> {
        records.iter().map(|record| record.header().unwrap().ids["decision"].clone()).collect()
    };
    let unsettled = log.audit.unsettled().await.unwrap();
    assert_eq!(unsettled[0].section("attempt").map(|section| section.bytes.is_empty()), Some(false));
    assert_eq!(decisions(unsettled), ["d2", "d4"]);
    log.audit.append(outcome("d2", None)).await.unwrap();
    assert_eq!(decisions(log.audit.unsettled().await.unwrap()), ["d4"]);
    let log = TestLog::reopen(log.stop().await).await.unwrap();
    assert_eq!(decisions(log.audit.unsettled().await.unwrap()), ["d4"]);
}

#[tokio::test]
async fn a_closed_log_takes_nothing() {
    let log = TestLog::new().await;
    log.audit.append(attempt("d1")).await.unwrap();
    log.audit.close().await.unwrap();
    assert!(matches!(log.audit.append(attempt("d2")).await, Err(AuditUnavailable::Closed)));
    log.audit.close().await.unwrap();
    let last = crate::store::tree::last_checkpoint(&log.store, "log.example/test").await.unwrap().unwrap();
    assert_eq!(last.size, 1, "closing signs what is there");
    assert!(crate::store::decisions::get(&log.store, "d1").await.unwrap().is_some());
}
