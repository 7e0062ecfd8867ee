//! Something that happened, as an alert of it is made.

use serde_json::Value;

use super::kind::{Kind, Severity};

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Event {
    /// What.
    pub(super) kind: Kind,
    /// How much it matters.
    pub(super) severity: Severity,
    /// Where.
    pub(super) scope: String,
    /// What is told of once, or counted while it lasts.
    pub(super) subject: String,
    /// What is known of it, by name: no secret, and no name of a person that the log does not hold.
    pub(super) facts: Value,
    /// How often the same is an alert.
    pub(super) often: Often,
}

/// How often the same subject is an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Often {
    /// Once: the subject names this one time.
    Once,
    /// Again when the one before is closed; until then it is counted.
    WhileOpen,
}

/// An instant as people read it.
pub(super) fn instant(ms: i64) -> String {
    chrono::DateTime::from_timestamp_millis(ms)
        .map_or_else(|| ms.to_string(), |at| at.format("%Y-%m-%d %H:%M UTC").to_string())
}
