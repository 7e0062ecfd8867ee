//! Latencies of a run, and what is told of them.

use std::time::Duration;

use serde_json::{Value, json};

/// Microseconds, in order of arrival.
#[derive(Default)]
pub(crate) struct Latencies(Vec<u32>);

impl Latencies {
    pub(crate) fn record(&mut self, took: Duration) {
        self.0.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// Percentiles in microseconds: exact, by rank; and how many took longer than so many milliseconds.
    pub(crate) fn summary(mut self) -> Value {
        self.0.sort_unstable();
        let at = |per_mille: usize| {
            let rank = (self.0.len() * per_mille).div_ceil(1000).saturating_sub(1);
            self.0.get(rank).copied()
        };
        let over = |millis: u32| self.0.len() - self.0.partition_point(|micros| *micros <= millis * 1_000);
        json!({
            "p50": at(500), "p90": at(900), "p99": at(990), "p999": at(999), "max": at(1000),
            "over_ms": { "1": over(1), "2": over(2), "5": over(5), "10": over(10), "50": over(50) },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_rank() {
        let mut latencies = Latencies::default();
        for micros in (1..=1000).rev() {
            latencies.record(Duration::from_micros(micros));
        }
        latencies.record(Duration::from_micros(2_001));
        let summary = latencies.summary();
        let of = |names: [&str; 5]| names.map(|name| summary[name].as_u64().unwrap());
        assert_eq!(of(["p50", "p90", "p99", "p999", "max"]), [501, 901, 991, 1_000, 2_001]);
        let over = json!({ "1": 1, "2": 1, "5": 0, "10": 0, "50": 0 });
        assert_eq!(summary["over_ms"], over);
        assert_eq!(Latencies::default().summary()["p50"], Value::Null);
    }
}
