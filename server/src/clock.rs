//! The clock: Unix milliseconds that never run backwards.
//!
//! A system clock that is set back must not revive an expired attestation or key, nor put a record before the
//! one it follows. The clock therefore never returns less than it returned before or, after a restart, than
//! the time of the log's last record.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Cheap to clone; clones share the highest time that any of them has told.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    floor_ms: Arc<AtomicI64>,
}

impl Clock {
    /// A clock that has told no time yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Now, in Unix milliseconds.
    pub fn now_ms(&self) -> i64 {
        self.not_before(system_ms())
    }

    /// Never again tells less than `floor_ms`.
    pub fn raise_to(&self, floor_ms: i64) {
        self.not_before(floor_ms);
    }

    /// How far the system clock is behind what this clock has told, in milliseconds; 0 where it is not. More
    /// than a moment means that it was set back.
    pub fn behind_ms(&self) -> i64 {
        self.floor_ms.load(Ordering::Relaxed).saturating_sub(system_ms()).max(0)
    }

    fn not_before(&self, ms: i64) -> i64 {
        self.floor_ms.fetch_max(ms, Ordering::Relaxed).max(ms)
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the system clock")]
fn system_ms() -> i64 {
    // Before 1970 counts as 1970: the floor then holds the time where it was.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_does_not_run_below_a_floor() {
        let clock = Clock::new();
        let now = clock.now_ms();
        let later = now + 3_600_000;
        clock.raise_to(later);
        assert_eq!(clock.now_ms(), later);
        assert!(clock.behind_ms() > 3_500_000);
        clock.raise_to(now);
        let clone = clock.clone();
        assert_eq!((clone.now_ms(), clock.now_ms()), (later, later));
    }
}
