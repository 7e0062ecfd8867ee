//! Traffic in numbers: what the overview tells of a range of time.

use serde::{Deserialize, Serialize};

use super::ActivityBucket;

/// How far back to look, as read from the URL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Range {
    /// The last hour, by five minutes.
    Hour,
    /// The last day, by the hour.
    #[default]
    Day,
    /// The last week, by six hours.
    Week,
    /// The last thirty days, by the day.
    Month,
}

impl Range {
    /// Every range, in the order in which they are offered.
    pub const ALL: [Self; 4] = [Self::Hour, Self::Day, Self::Week, Self::Month];

    /// The name in URLs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "30d",
        }
    }

    /// The range with this [`Range::name`].
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|range| range.name() == name)
    }

    /// The length of a step in milliseconds, and how many there are.
    #[must_use]
    pub const fn steps(self) -> (i64, i64) {
        match self {
            Self::Hour => (300_000, 12),
            Self::Day => (3_600_000, 24),
            Self::Week => (6 * 3_600_000, 28),
            Self::Month => (24 * 3_600_000, 30),
        }
    }

    /// When the first step begins, at this time.
    #[must_use]
    pub const fn from_ms(self, now_ms: i64) -> i64 {
        let (step, count) = self.steps();
        now_ms - now_ms.rem_euclid(step) - (count - 1) * step
    }
}

/// What happened in a range of time, in the scopes that the viewer sees.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// When the first step begins.
    pub from_ms: i64,
    /// When the last one ends, which may be to come.
    pub to_ms: i64,
    /// Counts by equal steps, oldest first, those without a request too.
    pub steps: Vec<ActivityBucket>,
    /// Requests that were allowed and answered.
    pub allowed: u64,
    /// Requests that were refused.
    pub denied: u64,
    /// Requests that no endpoint answered.
    pub failed: u64,
    /// Requests under way.
    pub running: u64,
    /// Requests that only asked what would be decided.
    pub dry_runs: u64,
    /// What was spent.
    pub cost_nanos: i64,
    /// What was redacted, by entity kind, the most frequent first.
    pub redactions: Vec<(String, u64)>,
    /// Hours of the range that have still to be counted, so that the numbers are too low.
    pub uncounted_hours: u32,
}

impl Traffic {
    /// Requests that were to be served.
    #[must_use]
    pub const fn requests(&self) -> u64 {
        self.allowed.saturating_add(self.denied).saturating_add(self.failed).saturating_add(self.running)
    }

    /// Everything that was redacted.
    #[must_use]
    pub fn redacted(&self) -> u64 {
        self.redactions.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_ends_with_the_step_that_is_under_way() {
        // 2026-11-22, 17:40:12 UTC.
        let now = 1_795_369_212_123;
        for range in Range::ALL {
            assert_eq!(Range::from_name(range.name()), Some(range));
            let (step, count) = range.steps();
            let from = range.from_ms(now);
            assert_eq!(from % step, 0);
            assert!(from + step * count > now && from + step * (count - 1) <= now, "{}", range.name());
        }
        assert_eq!(Range::from_name("1y"), None);
    }
}
