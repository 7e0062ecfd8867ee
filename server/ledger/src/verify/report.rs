//! What verification found.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::{Checkpoint, LogId, PublicKey, export::Counts};

/// The most problems that are told one by one.
const MAX_PROBLEMS: usize = 100;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The line in the file, from 1.
    pub line: u64,
    /// The leaf that it concerns.
    pub leaf: Option<u64>,
    /// What is wrong, and what that means.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.leaf {
            Some(leaf) => write!(f, "at line {}, leaf {leaf}: {}", self.line, self.what),
            None => write!(f, "at line {}: {}", self.line, self.what),
        }
    }
}

/// How far the gap-free numbering of each replica's records could be checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SequenceCheck {
    /// Every leaf of the range is a full record, so every number was seen.
    #[default]
    Complete,
    /// Stubs hide numbers: only the order of those shown is known.
    Partial,
}

/// The result of verifying an export.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Report {
    /// The log that the export is of.
    pub log: Option<LogId>,
    /// First leaf of the range.
    pub from: u64,
    /// End of the range, exclusive.
    pub to: u64,
    /// When the export was made, by its maker's clock, in Unix milliseconds.
    pub created_ms: Option<i64>,
    /// What its maker says was selected.
    pub filter: Option<String>,
    /// Records, disclosed sections and stubs.
    #[serde(flatten)]
    pub counts: Counts,
    /// Sections of full records that are not disclosed.
    pub sections_withheld: u64,
    /// The signed tree head.
    pub checkpoint: Option<Checkpoint>,
    /// The key that signed.
    #[serde(serialize_with = "display")]
    pub key: Option<PublicKey>,
    /// Whether that key was compared with one from outside the file.
    pub key_expected: bool,
    /// How far the replicas' numbering was checked.
    pub sequences: SequenceCheck,
    /// What is wrong; empty if and only if the export verifies.
    pub problems: Vec<Problem>,
    /// Problems beyond those in the list.
    pub more_problems: u64,
}

fn display<S: Serializer>(key: &Option<PublicKey>, serializer: S) -> Result<S::Ok, S::Error> {
    match key {
        Some(key) => serializer.collect_str(key),
        None => serializer.serialize_none(),
    }
}

impl Report {
    /// Whether the export verifies.
    #[must_use]
    pub const fn verified(&self) -> bool {
        self.problems.is_empty()
    }

    /// What a reader should know of an export that verifies, or of how far it was checked.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let (Some(key), false) = (&self.key, self.key_expected) {
            notes.push(format!(
                "verified against the key inside the file; compare its fingerprint {} with the one that the \
                 log's operator published, or give the public key",
                key.fingerprint()
            ));
        }
        if self.sequences == SequenceCheck::Partial {
            notes.push(format!(
                "{} leaves are stubs: whether each replica's numbering has gaps cannot be known from this file",
                self.counts.stubs
            ));
        }
        if let Some(head) = self.checkpoint.as_ref().filter(|head| head.size > self.to) {
            notes.push(format!("the log went on: its checkpoint covers {} leaves", head.size));
        }
        notes
    }

    pub(super) fn add(&mut self, problem: Problem) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(problem);
        } else {
            self.more_problems += 1;
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", if self.verified() { "VERIFIED" } else { "NOT VERIFIED" })?;
        if let Some(log) = &self.log {
            writeln!(f, "  log         {log}")?;
            writeln!(f, "  leaves      {} to {} (exclusive)", self.from, self.to)?;
            writeln!(f, "  records     {} in full, {} as stubs", self.counts.records, self.counts.stubs)?;
            writeln!(
                f,
                "  sections    {} disclosed, {} withheld",
                self.counts.sections, self.sections_withheld
            )?;
        }
        if let Some(head) = &self.checkpoint {
            writeln!(f, "  checkpoint  {} leaves, root {}", head.size, head.root)?;
        }
        if let Some(key) = &self.key {
            writeln!(f, "  key         {key}")?;
        }
        for problem in &self.problems {
            writeln!(f, "  {problem}")?;
        }
        if self.more_problems > 0 {
            writeln!(f, "  and {} more problems", self.more_problems)?;
        }
        self.notes().iter().try_for_each(|note| writeln!(f, "  note: {note}"))
    }
}
