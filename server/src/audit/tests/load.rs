//! How fast the log takes records: a measurement, not a test.

use std::time::Duration;

use super::*;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: cargo test --release -p bailiwick audit::tests::load -- --ignored --nocapture"]
async fn appends_a_second() {
    for tasks in [1, 8, 32, 64, 256] {
        let folder =
            TempDir::new_in(std::env::var("BAILIWICK_BENCH_DIR").unwrap_or_else(|_| ".".into())).unwrap();
        let log = TestLog::reopen(folder).await.unwrap();
        let budget = log.budget().await;
        run(&log, budget, tasks, Duration::from_millis(500)).await;
        let cpu = cpu_us();
        let began = tokio::time::Instant::now();
        let (appends, mut waits) = run(&log, budget, tasks, Duration::from_secs(4)).await;
        let cpu = cpu_us() - cpu;
        let wall = usize::try_from(began.elapsed().as_millis()).unwrap();
        waits.sort_unstable();
        println!(
            "{tasks:>4} tasks: {:>6} appends/s, {:>4} µs CPU an append, wait p50 {} µs p99 {} µs",
            appends * 1_000 / wall,
            cpu / appends,
            waits[waits.len() / 2].as_micros(),
            waits[waits.len() * 99 / 100].as_micros(),
        );
        log.stop().await;
    }
}

async fn run(log: &TestLog, budget: BudgetId, tasks: usize, time: Duration) -> (usize, Vec<Duration>) {
    static RUN: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let run = RUN.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let end = tokio::time::Instant::now() + time;
    let tasks: Vec<_> = (0..tasks)
        .map(|task| {
            let audit = log.audit.clone();
            tokio::spawn(async move {
                let mut waits = Vec::new();
                for turn in 0.. {
                    let decision = format!("{run:04}-{turn:09}-{task:04}-0123456789abcdef");
                    for entry in [attempt(&decision), outcome(&decision, Some(budget))] {
                        let began = tokio::time::Instant::now();
                        audit.append(entry).await.unwrap();
                        waits.push(began.elapsed());
                    }
                    if tokio::time::Instant::now() > end {
                        break;
                    }
                }
                waits
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.unwrap());
    }
    (all.len(), all)
}

/// User and system time of this process in microseconds, from `/proc` (100 ticks a second on every Linux).
fn cpu_us() -> usize {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    fields[11..13].iter().map(|ticks| ticks.parse::<usize>().unwrap()).sum::<usize>() * 10_000
}
