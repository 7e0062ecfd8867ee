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

    /// Percentiles in microseconds: exact, by rank.
    pub(crate) fn summary(mut self) -> Value {
        self.0.sort_unstable();
        let at = |per_mille: usize| {
            let rank = (self.0.len() * per_mille).div_ceil(1000).saturating_sub(1);
            self.0.get(rank).copied()
        };
        json!({ "p50": at(500), "p90": at(900), "p99": at(990), "p999": at(999), "max": at(1000) })
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
        let expected = json!({ "p50": 500, "p90": 900, "p99": 990, "p999": 999, "max": 1000 });
        assert_eq!(latencies.summary(), expected);
        assert_eq!(Latencies::default().summary()["p50"], Value::Null);
    }
}
