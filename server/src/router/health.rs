//! How an endpoint has been doing, in two atomics.

use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

/// Failures in a row after which an endpoint rests.
const TOLERATED: u32 = 3;
/// The shortest rest, in milliseconds; it doubles with every further failure.
const REST_MS: i64 = 5_000;
/// The longest rest.
const MAX_REST_MS: i64 = 120_000;

/// The record of one endpoint on this replica.
#[derive(Debug, Default)]
pub struct Health {
    failures: AtomicU32,
    resting_until_ms: AtomicI64,
}

impl Health {
    /// An answer came in full.
    pub fn succeeded(&self) {
        self.failures.store(0, Ordering::Relaxed);
        self.resting_until_ms.store(0, Ordering::Relaxed);
    }

    /// The endpoint failed. `retry_after_ms` is what it asked for, if it did.
    pub fn failed(&self, now_ms: i64, retry_after_ms: Option<i64>) {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let rest = match (retry_after_ms, failures.checked_sub(TOLERATED)) {
            (Some(asked), _) => asked.clamp(0, MAX_REST_MS),
            (None, Some(over)) => (REST_MS << over.min(8)).min(MAX_REST_MS),
            (None, None) => return,
        };
        self.resting_until_ms.fetch_max(now_ms.saturating_add(rest), Ordering::Relaxed);
    }

    /// Whether it has failed so often in a row that it rests between tries, and not answered since.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.failures.load(Ordering::Relaxed) >= TOLERATED
    }

    /// Whether others should be tried before it.
    #[must_use]
    pub fn is_resting(&self, now_ms: i64) -> bool {
        self.resting_until_ms.load(Ordering::Relaxed) > now_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_after_three_failures_and_wakes_on_success() {
        let health = Health::default();
        health.failed(1_000, None);
        health.failed(1_000, None);
        assert!(!health.is_resting(1_000));
        health.failed(1_000, None);
        assert!(health.is_resting(1_000) && !health.is_resting(6_001));
        assert!(health.is_failing(), "also while it does not rest");
        health.succeeded();
        assert!(!health.is_resting(1_000) && !health.is_failing());
        health.failed(1_000, Some(30_000));
        assert!(health.is_resting(30_000));
    }
}
