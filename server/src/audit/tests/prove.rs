//! Exports, receipts, checkpoints and pruning, checked with the ledger's own verifier.

use bailiwick_ledger::verify::{Report, verify_export};

use sea_orm::sqlx::{Connection as _, PgConnection, query_scalar};

use super::*;

pub(super) async fn export(log: &TestLog, request: ExportRequest) -> Report {
    let (file, _) = log.audit.export(request, Vec::new()).await.unwrap();
    verify_export(file.as_slice(), Some(log.audit.public_key())).unwrap()
}

async fn filled(decisions: usize) -> TestLog {
    let log = TestLog::new().await;
    let appends = (0..decisions).map(|at| {
        let audit = log.audit.clone();
        async move {
            audit.append(attempt(&format!("d{at:05}"))).await.unwrap();
            audit.append(outcome(&format!("d{at:05}"), None)).await.unwrap();
        }
    });
    futures::future::join_all(appends).await;
    log
}

#[tokio::test]
async fn a_receipt_of_any_decision_verifies() {
    // 600 decisions are 1,200 leaves: four complete tiles and a part of the fifth.
    let log = filled(600).await;
    for at in (0..600).step_by(37) {
        let decision = format!("d{at:05}");
        let receipt = log.audit.receipt(&decision).await.unwrap();
        let verified = receipt.verify(Some(log.audit.public_key())).unwrap();
        assert_eq!(verified.decision.as_deref(), Some(decision.as_str()));
        assert_eq!(verified.records.len(), 2);
    }
    assert!(matches!(log.audit.receipt("none").await, Err(AuditError::NotFound(_))));
}

#[tokio::test]
async fn an_export_of_a_part_is_complete_and_says_so() {
    let log = filled(300).await;
    log.audit.append(Entry::new(Draft::new(Kind::Admin, 1_800_000_000_000).scope("/other"))).await.unwrap();
    for at in 0..20 {
        let draft = Draft::new(Kind::Admin, 1_800_000_001_000 + at).scope("/other/deep");
        log.audit.append(Entry::new(draft)).await.unwrap();
    }
    log.audit
        .append(Entry::new(Draft::new(Kind::Admin, 1_800_000_009_000).scope("/otherwise")))
        .await
        .unwrap();
    let scope = ExportRequest { scope: Some("/other".into()), ..ExportRequest::default() };
    let report = export(&log, scope.clone()).await;
    assert_eq!(report.problems, []);
    assert_eq!(report.counts.records, 22, "/other, what is below it, and the record of this export");
    assert_eq!(report.counts.stubs, 601);

    let time = ExportRequest { from_ms: Some(1_800_000_001_005), to_ms: Some(1_800_000_001_010), ..scope };
    let report = export(&log, time).await;
    assert_eq!(report.problems, []);
    assert_eq!((report.from, report.to), (606, 611));
    assert_eq!((report.counts.records, report.counts.stubs), (5, 0));

    let never = ExportRequest { from_ms: Some(1), to_ms: Some(2), ..ExportRequest::default() };
    let report = export(&log, never).await;
    assert_eq!(report.problems, []);
    assert_eq!(report.counts.records, 0);
}

#[tokio::test]
async fn an_export_of_any_time_holds_every_record_of_it() {
    const START: i64 = 1_800_000_000_000;
    let mut log = TestLog::new().await;
    // Not in the order of the leaves: replicas and requests overlap.
    let times: Vec<i64> = (0..1_100).map(|at| START + at * 10 + (at * 7_919) % 173).collect();
    for part in times.chunks(500) {
        let entries = part.iter().map(|time| Entry::new(Draft::new(Kind::Admin, *time).scope("/acme")));
        futures::future::try_join_all(entries.map(|entry| log.audit.append(entry))).await.unwrap();
        // The times of the open end are read again at a start.
        log = TestLog::reopen(log.stop().await).await.unwrap();
    }
    let ends =
        [-1_000, 0, 1, 2_400, 2_560, 2_570, 5_333, 10_230, 10_240, 11_050, 20_000].map(|end| START + end);
    for (at, from) in ends.into_iter().enumerate() {
        for to in ends.into_iter().skip(at) {
            let request = ExportRequest {
                from_ms: Some(from),
                to_ms: Some(to),
                scope: Some("/acme".into()),
                ..Default::default()
            };
            let report = export(&log, request).await;
            assert_eq!(report.problems, []);
            let expected = times.iter().filter(|time| (from..to).contains(*time)).count();
            assert_eq!(report.counts.records, expected as u64, "{from}..{to}");
        }
    }
}

/// Whether the database's files hold these bytes; on PostgreSQL, whether its rows do.
async fn holds(log: &TestLog, bytes: &str) -> bool {
    if let Some(url) = database::postgres_in(log.folder.path()).await {
        let mut connection = PgConnection::connect(&url).await.unwrap();
        let found: bool =
            query_scalar("SELECT EXISTS (SELECT FROM records WHERE position($1 IN sections) > 0)")
                .bind(bytes.as_bytes())
                .fetch_one(&mut connection)
                .await
                .unwrap();
        return found;
    }
    [FILE, "bailiwick.db-wal"].iter().any(|file| {
        let file = std::fs::read(log.folder.path().join(file)).unwrap_or_default();
        memchr::memmem::find(&file, bytes.as_bytes()).is_some()
    })
}

#[tokio::test]
async fn a_destroyed_section_is_gone_from_the_file_and_the_log_still_verifies() {
    let log = TestLog::new().await;
    let mut entry = attempt("d1");
    let secret = "zanzibar-marmalade-7741";
    entry.draft =
        entry.draft.section(Section::new("network", &serde_json::json!({"host": secret}), salt()).unwrap());
    log.audit.append(entry).await.unwrap();
    log.audit.append(attempt("d2")).await.unwrap();
    assert!(holds(&log, secret).await, "otherwise this test shows nothing");

    let request = PruneRequest {
        from: 0,
        to: 2,
        sections: vec!["network".into()],
        reason: "retention".into(),
        principal: None,
    };
    let pruned = log.audit.prune(request.clone()).await.unwrap();
    assert_eq!((pruned.sections, pruned.retained), (1, 0));
    assert!(!holds(&log, secret).await);
    let record = &log.audit.decision("d1").await.unwrap()[0];
    assert!(record.section("network").is_none());
    assert!(record.section("facts").is_some());
    assert!(record.header().unwrap().commitments.contains_key("network"));
    assert_eq!(log.audit.prune(request).await.unwrap().sections, 0, "a second time finds nothing");

    let report = export(&log, ExportRequest::default()).await;
    assert_eq!(report.problems, []);
    assert_eq!(report.sections_withheld, 1);
    let receipt = log.audit.receipt("d1").await.unwrap();
    receipt.verify(Some(log.audit.public_key())).unwrap();
}

#[tokio::test]
async fn what_is_to_be_kept_is_kept_until_its_time_is_over() {
    const DAY_MS: i64 = 86_400_000;
    let log = TestLog::new().await;
    let now_ms = log.clock.now_ms();
    for (decision, age_days, retain) in
        [("over", 3, "2"), ("odd", 3, "two"), ("young", 1, "2"), ("free", 1, "")]
    {
        let mut entry = attempt(decision);
        entry.draft.time_ms = now_ms - age_days * DAY_MS;
        if !retain.is_empty() {
            entry.draft = entry.draft.id("retain_days", retain);
        }
        log.audit.append(entry).await.unwrap();
    }
    let request = PruneRequest {
        from: 0,
        to: 4,
        sections: vec!["facts".into()],
        reason: "retention".into(),
        principal: None,
    };
    let pruned = log.audit.prune(request).await.unwrap();
    assert_eq!((pruned.sections, pruned.retained), (2, 2));
    for (decision, kept) in [("young", true), ("over", false), ("odd", true), ("free", false)] {
        let record = &log.audit.decision(decision).await.unwrap()[0];
        assert_eq!(record.section("facts").is_some(), kept, "{decision}");
    }
}

#[tokio::test]
async fn checkpoints_follow_the_log_by_themselves_and_stand_beside_the_key() {
    let log = TestLog::new().await;
    log.audit.append(attempt("d1")).await.unwrap();
    let file = log.folder.path().join("log.checkpoint");
    for _ in 0..250 {
        if let Ok(note) = std::fs::read_to_string(&file) {
            let signed = SignedCheckpoint::parse(&note).unwrap();
            assert_eq!(signed.verify(log.audit.public_key()).unwrap().size, 1);
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("nothing was signed");
}
