//! What is wrong with a bundle, said so that its author can mend it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing; nothing is wrong.
    Note,
    /// Probably not what its author meant.
    Warning,
    /// The bundle does not load.
    Error,
}

/// One thing wrong with a bundle: where, what, and the way out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// Path inside the bundle, such as `rules/eu.yaml`.
    pub file: String,
    /// Line, from 1, where known.
    pub line: Option<usize>,
    /// Column, from 1, where known.
    pub column: Option<usize>,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub fix: String,
}

impl Problem {
    /// A problem that keeps the bundle from loading.
    pub fn error(file: impl Into<String>, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(Severity::Error, file, what, fix)
    }

    /// A problem that is probably a mistake.
    pub fn warning(file: impl Into<String>, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(Severity::Warning, file, what, fix)
    }

    /// Something worth knowing.
    pub fn note(file: impl Into<String>, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(Severity::Note, file, what, fix)
    }

    fn new(
        severity: Severity,
        file: impl Into<String>,
        what: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { severity, file: file.into(), line: None, column: None, what: what.into(), fix: fix.into() }
    }

    /// The same problem at a line, counted from 1; 0 is no line.
    #[must_use]
    pub(crate) fn on(self, line: usize) -> Self {
        if line == 0 { self } else { self.at(line, None) }
    }

    /// The same problem at a line, counted from 1.
    #[must_use]
    pub fn at(mut self, line: usize, column: Option<usize>) -> Self {
        self.line = Some(line);
        self.column = column;
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
            if let Some(column) = self.column {
                write!(f, ":{column}")?;
            }
        }
        match self.severity {
            Severity::Error => {}
            Severity::Warning => write!(f, ": warning")?,
            Severity::Note => write!(f, ": note")?,
        }
        write!(f, ": {}", self.what)?;
        if !self.fix.is_empty() {
            write!(f, "; {}", self.fix)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}

/// The candidate nearest to what was written, if any is near enough to be what was meant.
#[must_use]
pub fn did_you_mean<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (written.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .map(|c| (distance(written, c), c))
        .filter(|(d, _)| *d <= limit)
        .min_by_key(|(d, _)| *d)
        .map(|(_, c)| c)
}

/// Edit distance by characters in which two neighbours that changed places are one slip (optimal string alignment: Damerau
/// 1964, Levenshtein 1965).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    let mut last: Option<char> = None;
    for (i, ca) in a.chars().enumerate() {
        let mut left = i + 1;
        let mut next = Vec::with_capacity(row.len());
        next.push(left);
        let mut last_b: Option<char> = None;
        for (j, (cb, (diagonal, above))) in b.iter().zip(row.iter().zip(row.iter().skip(1))).enumerate() {
            left = (diagonal + usize::from(ca != *cb)).min(above + 1).min(left + 1);
            if last == Some(*cb) && last_b == Some(ca) {
                let two_back = j.checked_sub(1).and_then(|j| before.get(j));
                left = two_back.map_or(left, |cost| left.min(cost + 1));
            }
            last_b = Some(*cb);
            next.push(left);
        }
        last = Some(ca);
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_suggested_and_far_ones_are_not() {
        let keys = ["require", "redact", "subject_region"];
        assert_eq!(did_you_mean("requires", keys), Some("require"));
        assert_eq!(did_you_mean("subject_regions", keys), Some("subject_region"));
        assert_eq!(did_you_mean("banana", keys), None);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
        // Neighbours that changed places are one slip, also in a name too short for two.
        for (a, b, slips) in [("EMIAL", "EMAIL", 1), ("ab", "ba", 1), ("ca", "abc", 3), ("abab", "baba", 2)] {
            assert_eq!(distance(a, b), slips, "{a} {b}");
            assert_eq!(distance(b, a), slips, "{b} {a}");
        }
        assert_eq!(did_you_mean("EMIAL", ["EMAIL", "IBAN"]), Some("EMAIL"));
    }

    #[test]
    fn a_problem_reads_like_a_compiler_message() {
        let p = Problem::error("rules/a.yaml", "no such region `EUU`", "write `EU`").at(3, Some(7));
        assert_eq!(p.to_string(), "rules/a.yaml:3:7: no such region `EUU`; write `EU`");
    }
}
