//! Exceptions: time-boxed, approved, reasoned waivers of one rule for one scope.

use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A waiver, as written in `exceptions/*.yaml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// Unique name within the bundle.
    pub id: String,
    /// The rule that is waived.
    pub rule: String,
    /// Where, and below.
    pub scope: String,
    /// Why.
    pub reason: String,
    /// Who approved it.
    pub approved_by: String,
    /// When it was approved.
    pub approved_on: NaiveDate,
    /// The first instant at which it holds, as RFC 3339 or a date (its first instant, UTC).
    #[serde(with = "instant")]
    #[schemars(with = "String")]
    pub from: DateTime<Utc>,
    /// The first instant at which it no longer holds, as RFC 3339 or a date (its first instant, UTC).
    #[serde(with = "instant")]
    #[schemars(with = "String")]
    pub until: DateTime<Utc>,
    /// The file that it stands in.
    #[serde(skip)]
    pub file: String,
    /// The line that it begins on, from 1; 0 where nobody knows.
    #[serde(skip)]
    pub line: usize,
}

impl Exception {
    /// Whether it holds at an instant, in Unix milliseconds.
    #[must_use]
    pub fn holds_at(&self, time_ms: i64) -> bool {
        self.from.timestamp_millis() <= time_ms && time_ms < self.until.timestamp_millis()
    }
}

/// Instants in bundles: RFC 3339, or a date for its first instant in UTC.
pub(crate) mod instant {
    use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
        at.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DateTime<Utc>, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse(&text).ok_or_else(|| {
            serde::de::Error::custom(format!(
                "`{text}` is neither a date (2026-11-22) nor an instant (2026-11-22T09:00:00Z)"
            ))
        })
    }

    pub(crate) fn parse(text: &str) -> Option<DateTime<Utc>> {
        if let Ok(at) = DateTime::parse_from_rfc3339(text) {
            return Some(at.with_timezone(&Utc));
        }
        text.parse::<NaiveDate>().ok().map(|day| day.and_time(NaiveTime::MIN).and_utc())
    }
}
