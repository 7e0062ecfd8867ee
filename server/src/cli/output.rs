//! What a command prints. Results go to standard output, everything else to standard error.

use std::io::Write as _;

use serde::Serialize;

/// Where and in which form to print.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    json: bool,
}

impl Output {
    /// JSON or text.
    #[must_use]
    pub fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether one JSON value is asked for.
    #[must_use]
    pub fn is_json(self) -> bool {
        self.json
    }

    /// Prints the result: `value` as JSON, or else `text`.
    pub fn result(self, value: &impl Serialize, text: impl FnOnce() -> String) {
        if self.json {
            self.line(&serde_json::to_string(value).unwrap_or_default());
        } else {
            self.line(text().trim_end_matches('\n'));
        }
    }

    /// Prints a line to standard output. A reader that has gone away is no failure of ours.
    pub fn line(self, text: &str) {
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "{text}");
        let _ = out.flush();
    }

    /// Prints a line to standard error.
    pub fn note(self, text: &str) {
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }

    /// Prints why a command failed.
    pub fn error(self, text: &str) {
        if self.json {
            self.note(&serde_json::json!({ "error": text }).to_string());
        } else {
            self.note(&format!("bailiwick: {text}"));
        }
    }
}

/// Rows as columns, each as wide as its widest cell.
#[must_use]
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut out = String::new();
        for (cell, width) in cells.zip(&widths) {
            out.push_str(cell);
            out.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.chars().count()) + 2));
        }
        format!("{}\n", out.trim_end())
    };
    let mut out = line(&mut head.iter().copied());
    for row in rows {
        out.push_str(&line(&mut row.iter().map(String::as_str)));
    }
    out
}
