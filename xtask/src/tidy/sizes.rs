//! How long the files are: a report, not a rule.

use super::sources::Source;

/// From here on a file is named.
const LONG: usize = 500;

/// Median, 90th percentile and the long ones.
pub(super) fn summary(files: &[Source]) -> String {
    let mut lengths: Vec<(usize, &str)> = files
        .iter()
        .filter(|file| file.ships())
        .map(|file| (file.text.lines().count(), &*file.path))
        .collect();
    lengths.sort_unstable();
    let at = |percent: usize| {
        lengths
            .get((lengths.len() * percent / 100).min(lengths.len().saturating_sub(1)))
            .map_or(0, |(n, _)| *n)
    };
    let mut text =
        format!("{} Rust files that ship: median {} lines, 90% within {}", lengths.len(), at(50), at(90));
    for (length, path) in lengths.iter().rev().take_while(|(length, _)| *length > LONG) {
        text.push_str(&format!("\n  long: {path} ({length} lines)"));
    }
    text
}
