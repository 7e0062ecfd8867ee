//! Money on the hot path: reserve and settle on a chain of six budgets, one core.
#![allow(missing_docs, reason = "a bench names itself")]
#![allow(clippy::unwrap_used, reason = "a bench fails by panicking")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use bailiwick::budgets::{Budget, Budgets, Lessee, NoBus, Patience, Price, WorstCase};
use bailiwick::providers::Usage;
use bailiwick::store::{self, Store};
use criterion::{Criterion, criterion_group, criterion_main};
use futures::FutureExt;
use tempfile::TempDir;

const NOW: i64 = 1_795_000_000_000;
const WINDOWS: [&str; 6] = [
    "hour",
    "day in Europe/Berlin",
    "month in America/New_York",
    "year in Europe/London from april",
    "last 24 hours",
    "total",
];

/// This replica alone on a database of its own, with six budgets of which it has leased everything.
async fn budgets(folder: &TempDir) -> (Budgets, Vec<i64>) {
    let store = Store::open_file(&folder.path().join("bailiwick.db")).await.unwrap();
    store::scopes::put(&store, "/", serde_json::json!({}), 0).await.unwrap();
    let lessee = Lessee::register(store.clone(), "bench", NOW).await.unwrap();
    let patience = Patience {
        wait: Duration::from_secs(5),
        limit_wait: Duration::from_secs(1),
        waiters: 1_000,
        look: Duration::from_secs(3_600),
    };
    let budgets = Budgets::new(lessee, patience, Arc::new(NoBus));
    let mut ids = Vec::new();
    for window in WINDOWS {
        let row = store::budgets::Budget {
            id: 0,
            scope: Some(String::from("/")),
            key_id: None,
            owner: None,
            model_group: None,
            window: window.to_owned(),
            unit: String::from("usd"),
            limit_nano: i64::MAX / 2,
            hard: true,
            thresholds: serde_json::json!([]),
            settings: serde_json::json!({}),
            created_ms: 0,
        };
        let id = store::budgets::create(&store, row).await.unwrap().0;
        budgets.put(Budget::new(id, window.parse().unwrap(), i64::MAX / 2), &[], NOW);
        ids.push(id);
    }
    budgets.reserve(&ids, 1_000, NOW).await.unwrap().release();
    (budgets, ids)
}

fn bench(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = TempDir::new().unwrap();
    let (budgets, chain) = runtime.block_on(budgets(&folder));
    criterion.bench_function("budgets: reserve and settle, chain of six", |bencher| {
        bencher.iter(|| {
            let held = budgets.reserve(black_box(&chain), 1_000, NOW + 1).now_or_never().unwrap().unwrap();
            held.settle(black_box(700)).durable();
        });
    });
    let window = "month in America/New_York".parse::<bailiwick::budgets::Window>().unwrap();
    criterion.bench_function("budgets: the bucket of an instant", |bencher| {
        bencher.iter(|| window.bucket(black_box(NOW)));
    });
    let price = Price::of_text(2_500_000_000, 10_000_000_000);
    let usage = Usage { input_tokens: 1_000, output_tokens: 200, reasoning_tokens: 50, ..Usage::default() };
    let worst = WorstCase { input: 4_000, output: 1_000, ..WorstCase::default() };
    criterion.bench_function("budgets: worst case and cost", |bencher| {
        bencher.iter(|| {
            (
                black_box(price).worst_case_nano(black_box(worst)),
                black_box(price).cost_nano(black_box(&usage)),
            )
        });
    });
}

criterion_group!(benches, bench);
criterion_main!(benches);
