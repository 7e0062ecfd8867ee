//! Money on the hot path: reserve and settle on a chain of six budgets, one core.
#![allow(missing_docs, reason = "a bench names itself")]
#![allow(clippy::unwrap_used, reason = "a bench fails by panicking")]

use std::hint::black_box;
use std::time::Duration;

use bailiwick::budgets::{Budget, Budgets, Price, WorstCase};
use bailiwick::providers::Usage;
use criterion::{Criterion, criterion_group, criterion_main};
use futures::FutureExt;

const NOW: i64 = 1_795_000_000_000;
const WINDOWS: [&str; 6] = [
    "hour",
    "day in Europe/Berlin",
    "month in America/New_York",
    "year in Europe/London from april",
    "last 24 hours",
    "total",
];

fn budgets() -> (Budgets, Vec<i64>) {
    let budgets = Budgets::new(Duration::from_secs(5), 1_000);
    let ids: Vec<i64> = (1..).take(WINDOWS.len()).collect();
    for (id, window) in ids.iter().zip(WINDOWS) {
        let budget = Budget { lower_output: true, ..Budget::new(*id, window.parse().unwrap(), i64::MAX / 2) };
        budgets.put(budget, &[], NOW);
    }
    (budgets, ids)
}

fn bench(criterion: &mut Criterion) {
    let (budgets, chain) = budgets();
    criterion.bench_function("budgets: reserve and settle, chain of six", |bencher| {
        let mut now_ms = NOW;
        bencher.iter(|| {
            now_ms += 1;
            let held = budgets.reserve(black_box(&chain), 1_000, now_ms).now_or_never().unwrap().unwrap();
            black_box(held.settle(black_box(700)));
        });
    });
    criterion.bench_function("budgets: what is left of a chain of six", |bencher| {
        bencher.iter(|| black_box(budgets.free_nano(black_box(&chain), NOW)));
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
