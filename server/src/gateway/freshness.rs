//! How old the knowledge is that the snapshot in force is what is configured. A server that cannot ask goes on with
//! what it has for a bounded time; then it refuses, because a key may have been revoked meanwhile.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// When the database last confirmed the snapshot.
#[derive(Debug)]
pub struct Freshness {
    start: Instant,
    /// Milliseconds from `start` to the last confirmation.
    confirmed_ms: AtomicU64,
    bound: Duration,
}

impl Freshness {
    /// Confirmed now; stale when nothing confirms it for `bound`.
    #[must_use]
    pub fn new(bound: Duration) -> Self {
        Self { start: Instant::now(), confirmed_ms: AtomicU64::new(0), bound }
    }

    /// The database was asked at `asked`, and the snapshot is what it said.
    pub fn confirm(&self, asked: Instant) {
        let ms = asked.saturating_duration_since(self.start).as_millis();
        self.confirmed_ms.fetch_max(u64::try_from(ms).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// For how long nothing has confirmed it.
    #[must_use]
    pub fn age(&self) -> Duration {
        let confirmed = Duration::from_millis(self.confirmed_ms.load(Ordering::Relaxed));
        self.start.elapsed().saturating_sub(confirmed)
    }

    /// Whether that is too long.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.age() >= self.bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stale_until_confirmed_again() {
        let freshness = Freshness::new(Duration::from_millis(30));
        let asked = Instant::now();
        assert!(!freshness.is_stale());
        std::thread::sleep(Duration::from_millis(40));
        assert!(freshness.is_stale());
        // An answer that took its time says only how things were when it was asked for.
        freshness.confirm(asked);
        assert!(freshness.is_stale());
        freshness.confirm(Instant::now());
        assert!(!freshness.is_stale());
    }
}
