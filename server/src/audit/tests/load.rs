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
        let (cpu, began) = (cpu_seconds(), tokio::time::Instant::now());
        let (appends, mut waits) = run(&log, budget, tasks, Duration::from_secs(4)).await;
        let (cpu, wall) = (cpu_seconds() - cpu, began.elapsed().as_secs_f64());
        waits.sort_unstable();
        let quantile = |share: f64| waits[((waits.len() - 1) as f64 * share) as usize].as_micros();
        println!(
            "{tasks:>4} tasks: {:>8.0} appends/s, {:>6.1} µs CPU an append, wait p50 {} µs p99 {} µs",
            appends as f64 / wall,
            cpu * 1e6 / appends as f64,
            quantile(0.5),
            quantile(0.99),
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

/// User and system time of this process, from `/proc` (100 ticks a second on every Linux).
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    fields[11..13].iter().map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() / 100.0
}
