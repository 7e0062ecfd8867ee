//! kill -9: what was acknowledged is there, and what is there verifies.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::*;

const FOLDER: &str = "BAILIWICK_TEST_CRASH_FOLDER";

/// The process that is killed: appends from 16 tasks and says what was acknowledged.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "the child process of `an_acknowledged_record_survives_kill_9`"]
async fn child() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let clock = Clock::new();
    let (store, audit) = open(Path::new(&folder), &clock).await.unwrap();
    let budget = BudgetId(budgets::list(&store).await.unwrap()[0].id);
    let start = std::process::id();
    for task in 0..16 {
        let audit = audit.clone();
        tokio::spawn(async move {
            for turn in 0.. {
                let decision = format!("p{start}-{task}-{turn}");
                let first = audit.append(attempt(&decision)).await.unwrap();
                println!("ack {} {decision} attempt", first.leaf.unwrap());
                let second = audit.append(outcome(&decision, Some(budget))).await.unwrap();
                println!("ack {} {decision} outcome", second.leaf.unwrap());
            }
        });
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledged_record_survives_kill_9() {
    let log = TestLog::new().await;
    log.budget().await;
    let mut folder = log.stop().await;
    let mut acknowledged = Vec::new();
    for round in 0..4_u64 {
        let path = folder.path().to_owned();
        // An odd time each round, so that the kill meets commits, checkpoints and tiles at different points.
        let acks =
            tokio::task::spawn_blocking(move || kill_after(&path, Duration::from_millis(217 + 331 * round)));
        let acks = acks.await.unwrap();
        assert!(acks.len() > 20, "the child must have done something: {}", acks.len());
        acknowledged.extend(acks);

        let log = TestLog::reopen(folder).await.unwrap();
        for (leaf, decision, kind) in acknowledged.iter().rev().take(100) {
            let records = log.audit.decision(decision).await.unwrap();
            assert!(
                records.iter().any(|record| record.leaf == Some(*leaf) && record.kind == *kind),
                "{leaf} {decision}"
            );
        }
        let report = prove::export(&log, ExportRequest::default()).await;
        assert_eq!(report.problems, []);

        let size = log.audit.checkpoint().await.unwrap().unverified().size;
        let all = crate::store::records::range(&log.store, 0, size, size).await.unwrap();
        for (leaf, decision, kind) in &acknowledged {
            let record = &all[usize::try_from(*leaf).unwrap()];
            assert_eq!((record.leaf, record.kind.as_str()), (Some(*leaf), kind.as_str()));
            assert_eq!(record.header().unwrap().ids.get("decision"), Some(decision), "{leaf}");
        }
        let count = |kind: &str| all.iter().filter(|record| record.kind == kind).count();
        let spend: i64 =
            budgets::spend_since(&log.store, 0).await.unwrap().iter().map(|spend| spend.settled_nano).sum();
        assert_eq!(
            spend,
            1_000 * i64::try_from(count("outcome")).unwrap(),
            "spend and the records that explain it"
        );
        let unsettled = log.audit.unsettled().await.unwrap();
        assert_eq!(unsettled.len(), count("attempt") - count("outcome"));
        let listed = log.audit.decisions(&DecisionFilter::default(), None, u64::MAX >> 1).await.unwrap();
        assert_eq!(listed.len(), count("attempt"), "the list catches up with the log");
        assert_eq!(listed.iter().filter(|row| row.outcome == "answered").count(), count("outcome"));
        folder = log.stop().await;
    }
}

fn kill_after(folder: &Path, time: Duration) -> Vec<(u64, String, String)> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "audit::tests::crash::child", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = child.stdout.take().unwrap();
    let (first, began) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut acks = Vec::new();
        for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8(line).unwrap();
            // The harness writes on the same line before the first.
            let Some((_, ack)) = line.split_once("ack ") else { continue };
            if let [leaf, decision, kind] = ack.split(' ').collect::<Vec<_>>().as_slice() {
                let _ = first.send(());
                acks.push((leaf.parse().unwrap(), (*decision).to_owned(), (*kind).to_owned()));
            }
        }
        acks
    });
    began.recv_timeout(Duration::from_secs(30)).expect("the child appends");
    std::thread::sleep(time);
    child.kill().unwrap();
    child.wait().unwrap();
    let mut acks = reader.join().unwrap();
    // The kill may have cut the last line, so that its words are not what they were.
    acks.pop();
    acks
}
