//! What a command prints. Results go to standard output, everything else to standard error.

use std::borrow::Cow;
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
            self.raw(&format!("{}\n", json(value)));
        } else {
            self.line(text().trim_end_matches('\n'));
        }
    }

    /// Prints a form that programs read, such as CSV, to standard output as it is.
    pub fn raw(self, text: &str) {
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(text.as_bytes());
        let _ = out.flush();
    }

    /// Prints a line to standard output. A reader that has gone away is no failure of ours.
    pub fn line(self, text: &str) {
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "{}", shown(text, &['\n', '\t']));
        let _ = out.flush();
    }

    /// Prints a line to standard error.
    pub fn note(self, text: &str) {
        let _ = writeln!(std::io::stderr().lock(), "{}", shown(text, &['\n', '\t']));
    }

    /// Prints why a command failed.
    pub fn error(self, text: &str) {
        if self.json {
            let _ = writeln!(std::io::stderr().lock(), "{}", json(&serde_json::json!({ "error": text })));
        } else {
            self.note(&format!("bailiwick: {text}"));
        }
    }
}

/// A text as a terminal may have it. Names and reasons come from other people: what would move the cursor, colour the
/// screen, or turn the direction of reading is written as its code point.
fn shown<'t>(text: &'t str, but: &[char]) -> Cow<'t, str> {
    let acts = |at: char| acts(at) && !but.contains(&at);
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for at in text.chars() {
        if acts(at) { out.extend(at.escape_unicode()) } else { out.push(at) }
    }
    Cow::Owned(out)
}

fn acts(at: char) -> bool {
    let turns =
        matches!(at, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}');
    at.is_control() || turns
}

/// JSON that may be shown on a terminal and still says the same: what would act there stands as JSON's own escape
/// (RFC 8259, section 7). Such characters can be nowhere but in strings.
fn json(value: &impl Serialize) -> String {
    let text = serde_json::to_string(value).unwrap_or_default();
    let mut out = String::with_capacity(text.len());
    for at in text.chars() {
        if acts(at) {
            out.extend(at.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            out.push(at);
        }
    }
    out
}

/// Rows as columns, each as wide as its widest cell.
#[must_use]
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<Cow<'_, str>>> =
        rows.iter().map(|row| row.iter().map(|cell| shown(cell, &[])).collect()).collect();
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
    for row in &rows {
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
    for row in &rows {
        out.push_str(&line(&mut row.iter().map(AsRef::as_ref)));
    }
    out
}

/// The time in a field of Unix milliseconds, to the minute; nothing where there is none.
pub(super) fn instant(value: &serde_json::Value, name: &str) -> String {
    value
        .get(name)
        .and_then(serde_json::Value::as_i64)
        .and_then(chrono::DateTime::from_timestamp_millis)
        .map(|at| at.format("%Y-%m-%d %H:%M UTC").to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_stays_json_and_does_nothing_to_the_terminal() {
        let value = serde_json::json!({ "a\u{202e}b": "\u{7f}\u{85}\u{1b}\n\u{61c}é𝄞\"\\" });
        let text = json(&value);
        assert!(!text.contains(acts), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    fn a_name_does_nothing_to_the_terminal() {
        let rows = [vec![String::from("a\u{1b}[2J\nb"), String::from("\u{202e}x")]];
        let table = table(&["name", "other"], &rows);
        assert_eq!(table.lines().count(), 2, "{table}");
        assert!(!table.contains(['\u{1b}', '\u{202e}']), "{table}");
        assert!(table.contains("\\u{1b}[2J"), "{table}");
        assert_eq!(shown("two\nlines", &['\n']), "two\nlines");
    }
}
