//! One detected entity in a text.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::EntityType;

/// How sure a recognizer is, in percent: 0 to 100.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Confidence(#[schemars(range(max = 100))] u8);

impl Confidence {
    /// `percent`, at most 100.
    pub const fn new(percent: u8) -> Self {
        Self(if percent > 100 { 100 } else { percent })
    }

    /// The confidence in percent.
    pub const fn percent(self) -> u8 {
        self.0
    }

    /// The confidence as a decimal fraction with two places: `0.85`, `1.00`.
    pub fn score(self) -> Score {
        Score(self)
    }
}

/// A [`Confidence`] that prints as a decimal fraction.
#[derive(Clone, Copy, Debug)]
pub struct Score(Confidence);

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = self.0.percent();
        write!(f, "{}.{:02}", percent / 100, percent % 100)
    }
}

/// One detected entity. It holds no text: the value is `text[start..end]` of the text that was scanned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Finding {
    /// What was found.
    pub entity: EntityType,
    /// First byte, on a UTF-8 boundary.
    pub start: usize,
    /// One past the last byte, on a UTF-8 boundary.
    pub end: usize,
    /// How sure the recognizer is.
    pub confidence: Confidence,
}

impl Finding {
    /// The found text, if `text` is the one that was scanned.
    pub fn value<'t>(&self, text: &'t str) -> Option<&'t str> {
        text.get(self.start..self.end)
    }
}
