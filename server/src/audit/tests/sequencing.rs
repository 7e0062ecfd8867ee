//! The protocol by which replicas share one tree, under arbitrary scripts: each replica has a runtime of its own that can be
//! paused anywhere, dropped without a word and started again, with a clock of its own; any number of them has the duty
//! to sequence at a time. Whatever happens, the tree only grows, every checkpoint that anybody signed is one of it, no
//! replica's records have a gap, and what was acknowledged is there once.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use bailiwick_ledger::verify::verify_export_with;
use proptest::prelude::*;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::*;

const NAMES: [&str; 3] = ["a", "b", "c"];
const LOG: &str = "log.example/test";

#[derive(Debug, Clone)]
enum Op {
    /// So many records are written, one after the other, while the script goes on.
    Write(usize, usize),
    /// It has the duty, or not.
    Duty(usize, bool),
    /// It is asked for a checkpoint, while the script goes on.
    Checkpoint(usize),
    /// It stands still for so many milliseconds, wherever it is.
    Pause(usize, u64),
    /// It is gone, wherever it was, and starts again.
    Crash(usize),
    /// Its clock goes ahead by so many milliseconds.
    Ahead(usize, i64),
    /// The script waits for so many milliseconds.
    Rest(u64),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let node = 0..NAMES.len();
    let op = prop_oneof![
        6 => (node.clone(), 1..20_usize).prop_map(|(node, count)| Op::Write(node, count)),
        4 => (node.clone(), any::<bool>()).prop_map(|(node, on)| Op::Duty(node, on)),
        3 => node.clone().prop_map(Op::Checkpoint),
        3 => (node.clone(), 1..60_u64).prop_map(|(node, ms)| Op::Pause(node, ms)),
        2 => node.clone().prop_map(Op::Crash),
        1 => (node, 0..86_400_000_i64).prop_map(|(node, ms)| Op::Ahead(node, ms)),
        4 => (0..25_u64).prop_map(Op::Rest),
    ];
    proptest::collection::vec(op, 10..60)
}

/// What came of a script so far.
#[derive(Debug, Default)]
struct Seen {
    acknowledged: Mutex<Vec<String>>,
    signed: Mutex<Vec<(String, SignedCheckpoint)>>,
}

struct Node {
    name: &'static str,
    runtime: Runtime,
    audit: Arc<Audit>,
    clock: Clock,
    duty: watch::Sender<bool>,
}

async fn opened(
    folder: &Path,
    name: &str,
    held: Vec<(String, SignedCheckpoint)>,
    clock: &Clock,
) -> Result<(Audit, watch::Sender<bool>), AuditOpenError> {
    let store = Store::open_in(folder).await?;
    let (duty, on_duty) = watch::channel(false);
    let config = AuditConfig {
        log: LogId::new(LOG).unwrap(),
        replica: name.into(),
        key: load_or_create_key(&folder.join("log.key"))?,
        checkpoint_file: Some(folder.join(format!("{name}.checkpoint"))),
        held,
        duty: Some(on_duty),
        spool: None,
    };
    Ok((Audit::open(store, config, clock.clone()).await?, duty))
}

impl Node {
    fn start(folder: &Path, name: &'static str) -> Self {
        // One thread: who blocks it stops everything of this replica.
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let clock = Clock::new();
        let (folder, its_clock) = (folder.to_owned(), clock.clone());
        let opening = runtime.spawn(async move { opened(&folder, name, Vec::new(), &its_clock).await });
        let (audit, duty) = runtime.block_on(opening).unwrap().unwrap();
        Self { name, runtime, audit: Arc::new(audit), clock, duty }
    }

    fn write(&self, first: usize, count: usize, seen: &Arc<Seen>) -> JoinHandle<()> {
        let (audit, seen, name) = (Arc::clone(&self.audit), Arc::clone(seen), self.name);
        self.runtime.spawn(async move {
            for at in first..first + count {
                let decision = format!("{name}-{at}");
                if audit.append(attempt(&decision)).await.is_ok() {
                    seen.acknowledged.lock().unwrap().push(decision);
                }
            }
        })
    }

    fn checkpoint(&self, seen: &Arc<Seen>) -> JoinHandle<()> {
        let (audit, seen, name) = (Arc::clone(&self.audit), Arc::clone(seen), self.name);
        self.runtime.spawn(async move {
            if let Ok(signed) = audit.checkpoint().await {
                seen.signed.lock().unwrap().push((name.into(), signed));
            }
        })
    }
}

fn run(ops: &[Op]) {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let mut nodes: Vec<Node> = NAMES.into_iter().map(|name| Node::start(folder, name)).collect();
    let seen = Arc::new(Seen::default());
    let mut under_way = Vec::new();
    let mut written = 0;
    for op in ops {
        match *op {
            Op::Write(node, count) => {
                under_way.push(nodes[node].write(written, count, &seen));
                written += count;
            }
            Op::Duty(node, on) => drop(nodes[node].duty.send_replace(on)),
            Op::Checkpoint(node) => under_way.push(nodes[node].checkpoint(&seen)),
            Op::Pause(node, ms) => {
                nodes[node].runtime.spawn(async move { std::thread::sleep(Duration::from_millis(ms)) });
            }
            Op::Crash(node) => {
                let again = Node::start(folder, NAMES[node]);
                std::mem::replace(&mut nodes[node], again).runtime.shutdown_background();
            }
            Op::Ahead(node, ms) => {
                let clock = &nodes[node].clock;
                clock.raise_to(clock.now_ms() + ms);
            }
            Op::Rest(ms) => std::thread::sleep(Duration::from_millis(ms)),
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for handle in under_way {
            // What was under way on a replica that is gone ends without a word.
            let _ = handle.await;
        }
    });
    for node in nodes {
        node.runtime.block_on(async { node.audit.close().await }).unwrap();
    }
    let (acknowledged, signed) =
        (seen.acknowledged.lock().unwrap().clone(), seen.signed.lock().unwrap().clone());
    runtime.block_on(check(folder, &acknowledged, signed));
}

async fn check(folder: &Path, acknowledged: &[String], signed: Vec<(String, SignedCheckpoint)>) {
    // Whoever opens the log looks whether it continues every checkpoint that he is shown.
    let (audit, _duty) = opened(folder, "auditor", signed, &Clock::new()).await.unwrap();
    let (file, _) = audit.export(ExportRequest::default(), Vec::new()).await.unwrap();
    let mut next: BTreeMap<String, u64> = BTreeMap::new();
    let mut there: HashMap<String, usize> = HashMap::new();
    let report = verify_export_with(file.as_slice(), Some(audit.public_key()), |record| {
        let header = record.header;
        let expected = next.entry(header.replica.clone()).or_insert(header.replica_sequence);
        assert_eq!(header.replica_sequence, *expected, "of replica {}", header.replica);
        *expected += 1;
        // The log tells of itself too.
        if let Some(decision) = header.ids.get("decision") {
            *there.entry(decision.clone()).or_default() += 1;
        }
    })
    .unwrap();
    assert_eq!(report.problems, []);
    for decision in acknowledged {
        assert_eq!(there.get(decision), Some(&1), "{decision}");
    }
    assert!(there.values().all(|count| *count == 1), "{there:?}");
    audit.close().await.unwrap();
}

/// How many scripts are run.
fn cases() -> u32 {
    match std::env::var_os("BAILIWICK_TEST_FULL") {
        Some(_) => 300,
        None if database::on_postgres() => 4,
        None => 12,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 40, ..ProptestConfig::default() })]

    #[test]
    fn one_tree_whatever_happens_to_those_who_write_it(ops in ops()) {
        run(&ops);
    }
}
