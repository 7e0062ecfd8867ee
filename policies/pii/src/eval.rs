//! How well a detector does on labelled texts: precision, recall and F2 by kind.
//!
//! A label is found if a finding of its kind overlaps it by half of its bytes or more; a finding is right if it overlaps a
//! label of its kind. F2 weighs recall twice as much as precision (C. J. van Rijsbergen, *Information Retrieval*, 1979,
//! chapter 7): a value that gets through costs more than one that is redacted needlessly. A kind that the file labels
//! nowhere is counted all the same where it is found.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Detector, EntityCounts, EntitySet, EntityType, Finding};

/// One labelled text: a line of a gold file (JSON Lines).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// The text.
    pub text: String,
    /// What is in it.
    #[serde(default)]
    pub entities: Vec<Label>,
    /// Its language, for whoever reads the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lang: Option<String>,
}

/// One labelled entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// What it is.
    pub entity_type: EntityType,
}

/// Why a gold file cannot be used. It holds no text of the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GoldError {
    /// A line is no labelled text.
    #[error(
        "line {0}: not a labelled text; write {{\"text\": …, \"entities\": [{{\"start\", \"end\", \"entity_type\"}}]}} on one line"
    )]
    Malformed(usize),
    /// A label is not within its text, or cuts a character.
    #[error(
        "line {0}: a label lies outside its text or cuts a character; start and end count bytes of UTF-8"
    )]
    Outside(usize),
}

/// Reads a gold file.
///
/// # Errors
/// Where a line is malformed or a label lies outside its text.
pub fn read_gold(text: &str) -> Result<Vec<Example>, GoldError> {
    let mut examples = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let example: Example = serde_json::from_str(line).map_err(|_| GoldError::Malformed(at + 1))?;
        let inside =
            |label: &Label| example.text.get(label.start..label.end).is_some_and(|value| !value.is_empty());
        if !example.entities.iter().all(inside) {
            return Err(GoldError::Outside(at + 1));
        }
        examples.push(example);
    }
    Ok(examples)
}

/// A share in thousandths; none where there is nothing to share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(Option<u64>);

impl Share {
    fn of(part: u64, whole: u64) -> Self {
        Self((part * 1000).checked_div(whole))
    }

    /// In thousandths.
    pub const fn thousandths(self) -> Option<u64> {
        self.0
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(share) => f.pad(&format!("{}.{:03}", share / 1000, share % 1000)),
            None => f.pad("-"),
        }
    }
}

/// What was found of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Labels.
    pub labels: u64,
    /// Labels that were found.
    pub found: u64,
    /// Findings.
    pub findings: u64,
    /// Findings where there is a label.
    pub right: u64,
}

impl Tally {
    /// Findings that are right, of all findings.
    pub fn precision(&self) -> Share {
        Share::of(self.right, self.findings)
    }

    /// Labels that are found, of all labels.
    pub fn recall(&self) -> Share {
        Share::of(self.found, self.labels)
    }

    /// Five times precision times recall by four times precision plus recall. None where there is neither label nor finding.
    pub fn f2(&self) -> Share {
        let (precision, recall) = (self.precision().0.unwrap_or(0), self.recall().0.unwrap_or(0));
        if self.labels == 0 && self.findings == 0 {
            return Share(None);
        }
        Share((5 * precision * recall).checked_div(4 * precision + recall).or(Some(0)))
    }
}

/// What was found by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report(BTreeMap<EntityType, Tally>);

impl Report {
    /// Scans every example and compares.
    pub fn of(detector: &Detector, examples: &[Example]) -> Self {
        let (mut report, mut findings) = (Self::default(), Vec::new());
        for example in examples {
            findings.clear();
            detector.scan(&example.text, &mut findings);
            report.add(example, &findings);
        }
        report
    }

    /// Compares what anybody found: the findings of each example, in the examples' order.
    pub fn compare<'f>(examples: &[Example], found: impl IntoIterator<Item = &'f [Finding]>) -> Self {
        let mut report = Self::default();
        for (example, findings) in examples.iter().zip(found) {
            report.add(example, findings);
        }
        report
    }

    fn add(&mut self, example: &Example, findings: &[Finding]) {
        for label in &example.entities {
            let tally = self.0.entry(label.entity_type).or_default();
            let covered: usize = findings
                .iter()
                .filter(|f| f.entity == label.entity_type)
                .map(|f| f.end.min(label.end).saturating_sub(f.start.max(label.start)))
                .sum();
            tally.labels += 1;
            tally.found += u64::from(covered * 2 >= label.end - label.start);
        }
        for finding in findings {
            let tally = self.0.entry(finding.entity).or_default();
            let right = example.entities.iter().any(|label| {
                label.entity_type == finding.entity && label.start < finding.end && finding.start < label.end
            });
            tally.findings += 1;
            tally.right += u64::from(right);
        }
    }

    /// The tally of a kind.
    pub fn get(&self, entity: EntityType) -> Tally {
        self.0.get(&entity).copied().unwrap_or_default()
    }

    /// Kind and tally, in the order of the kinds.
    pub fn iter(&self) -> impl Iterator<Item = (EntityType, &Tally)> {
        self.0.iter().map(|(entity, tally)| (*entity, tally))
    }

    /// All kinds together.
    pub fn total(&self) -> Tally {
        self.0.values().fold(Tally::default(), |sum, tally| Tally {
            labels: sum.labels + tally.labels,
            found: sum.found + tally.found,
            findings: sum.findings + tally.findings,
            right: sum.right + tally.right,
        })
    }
}

/// How often ordinary text is taken for something: findings in texts that hold nothing, by words of text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ordinary {
    words: u64,
    found: EntityCounts,
}

impl Ordinary {
    /// Scans a text and counts its words, which white space separates.
    pub fn add(&mut self, detector: &Detector, text: &str) {
        let mut findings = Vec::new();
        detector.scan(text, &mut findings);
        findings.iter().for_each(|finding| self.found.add(finding.entity));
        self.words += text.split_whitespace().count() as u64;
    }

    /// Words so far.
    pub const fn words(&self) -> u64 {
        self.words
    }

    /// Findings so far.
    pub const fn found(&self) -> &EntityCounts {
        &self.found
    }

    /// How many of the kinds there were in 10,000 words.
    pub fn in_10_000(&self, kinds: EntitySet) -> Share {
        let found: u64 = kinds.iter().map(|entity| u64::from(self.found.get(entity))).sum();
        Share::of(found * 10_000, self.words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_what_they_should_be() {
        let tally = Tally { labels: 4, found: 3, findings: 6, right: 3 };
        assert_eq!(tally.precision().to_string(), "0.500");
        assert_eq!(tally.recall().to_string(), "0.750");
        assert_eq!(tally.f2().to_string(), "0.681");
        assert_eq!(Tally::default().f2().to_string(), "-");
        assert_eq!(Tally { labels: 2, ..Tally::default() }.f2().to_string(), "0.000");
    }

    #[test]
    fn a_file_that_cannot_be_used_says_which_line() {
        let good = r#"{"text": "a@b.de", "entities": [{"start": 0, "end": 6, "entity_type": "EMAIL"}]}"#;
        assert_eq!(read_gold(good).map(|examples| examples.len()), Ok(1));
        assert_eq!(read_gold(&format!("{good}\n{{")), Err(GoldError::Malformed(2)));
        assert_eq!(read_gold(&good.replace("\"end\": 6", "\"end\": 7")), Err(GoldError::Outside(1)));
    }

    #[test]
    fn ordinary_text_is_counted_by_words() {
        let mut ordinary = Ordinary::default();
        ordinary.add(&Detector::new(), "call a@b.example or\n4111 1111 1111 1111 now");
        assert_eq!(ordinary.words(), 8);
        assert_eq!(ordinary.in_10_000(EntitySet::checked()).to_string(), "1250.000");
        assert_eq!(ordinary.in_10_000(EntitySet::all()).to_string(), "2500.000");
        assert_eq!(Ordinary::default().in_10_000(EntitySet::all()).to_string(), "-");
    }

    #[test]
    fn half_of_a_label_is_enough_and_less_is_not() {
        let detector = Detector::new();
        let text = "mail jane@example.com now";
        let report = |start, end| {
            let entities = vec![Label { start, end, entity_type: EntityType::Email }];
            let examples = [Example { text: text.to_owned(), entities, lang: None }];
            Report::of(&detector, &examples).total()
        };
        assert_eq!(report(5, 21), Tally { labels: 1, found: 1, findings: 1, right: 1 });
        assert_eq!(report(0, 10).found, 1);
        assert_eq!(report(0, 7), Tally { labels: 1, found: 0, findings: 1, right: 1 });
    }
}
