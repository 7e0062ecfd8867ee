//! Limits on what is read as a bundle, so that one that nobody can have meant is refused at once and not when the memory is
//! gone: the number and size of files, how deep a document nests, and what its aliases unfold to.
//!
//! Blind spot: nesting is counted over bytes, so a text of very many opening brackets that nothing closes counts as deep.

use crate::documents::before_comment;
use crate::problem::Problem;
use crate::source::BundleSource;
use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, Visitor};
use std::cell::Cell;
use std::fmt;

/// The most files that a bundle may have.
pub const MAX_FILES: usize = 10_000;
/// The most bytes that one of its files may have.
pub const MAX_FILE_BYTES: usize = 1 << 20;
/// The most bytes that all of them may have together.
pub const MAX_TOTAL_BYTES: usize = 16 << 20;

/// The most rules that a bundle may have, those of the packs that it includes among them: lint compares them in pairs.
pub const MAX_RULES: usize = 5_000;
/// The most exceptions, attestations or tests.
pub const MAX_OTHERS: usize = 10_000;

/// Brackets, or hyphens of compact lists, within each other.
const MAX_DEPTH: usize = 64;
/// Values in a file after its aliases are unfolded. (serde_norway has a limit of its own, on aliases alone.)
const MAX_VALUES: usize = 200_000;
/// Bytes of text in a file after its aliases are unfolded.
const MAX_UNFOLDED_BYTES: usize = 4 << 20;

/// What is too large about a bundle.
pub(crate) fn sizes(source: &BundleSource) -> Vec<Problem> {
    let mut problems: Vec<Problem> = source
        .files
        .iter()
        .filter(|(_, text)| text.len() > MAX_FILE_BYTES)
        .map(|(path, text)| {
            Problem::error(
                path,
                format!("the file has {} bytes; a bundle's file has at most {MAX_FILE_BYTES}", text.len()),
                "split it, or keep what is no policy outside the bundle's folder",
            )
        })
        .collect();
    let whole =
        |what: String| Problem::error(".", what, "keep what is no policy outside the bundle's folder");
    if source.files.len() > MAX_FILES {
        problems.push(whole(format!("the bundle has {} files; it may have {MAX_FILES}", source.files.len())));
    }
    let total: usize = source.files.values().map(String::len).sum();
    if total > MAX_TOTAL_BYTES {
        problems.push(whole(format!("the bundle has {total} bytes; it may have {MAX_TOTAL_BYTES}")));
    }
    problems
}

/// Too many of a kind.
pub(crate) fn count(what: &str, many: usize, most: usize) -> Option<Problem> {
    (many > most).then(|| {
        Problem::error(
            ".",
            format!("the bundle has {many} {what}; it may have {most}"),
            format!("say the same with fewer {what}"),
        )
    })
}

/// What makes a YAML file too costly to read: nothing else may read one that comes from outside before this has.
#[must_use]
pub fn cost(file: &str, text: &str) -> Option<Problem> {
    if let Some(line) = too_deep(text) {
        let problem = Problem::error(file, format!("it nests deeper than {MAX_DEPTH}"), "make it flatter");
        return Some(problem.at(line, None));
    }
    // Without an anchor and an alias there is nothing to unfold.
    if !(text.contains('&') && text.contains('*')) {
        return None;
    }
    let budget = Budget { values: Cell::new(MAX_VALUES), bytes: Cell::new(MAX_UNFOLDED_BYTES) };
    for document in serde_norway::Deserializer::from_str(text) {
        let Err(error) = Walk(&budget).deserialize(document) else { continue };
        let spent = budget.values.get() == 0 || budget.bytes.get() == 0;
        // Faults of syntax are reported when the file is read.
        if !spent && !error.to_string().contains("repetition limit") {
            return None;
        }
        let problem = Problem::error(
            file,
            "its aliases (`*name`) unfold to far more than is written",
            "write the values where they are needed",
        );
        return Some(match error.location() {
            Some(at) => problem.at(at.line(), Some(at.column())),
            None => problem.on(first_alias(text).unwrap_or_default()),
        });
    }
    None
}

/// The first line, from 1, on which a node seems to be an alias: `*name` where a value may begin.
fn first_alias(text: &str) -> Option<usize> {
    let begins = |line: &str| {
        let mut before = ' ';
        let mut characters = line.chars().peekable();
        while let Some(c) = characters.next() {
            let named =
                characters.peek().is_some_and(|next| next.is_alphanumeric() || matches!(next, '_' | '-'));
            if c == '*' && named && (before.is_whitespace() || matches!(before, '[' | '{' | ',')) {
                return true;
            }
            before = c;
        }
        false
    };
    (1..).zip(text.lines()).find(|(_, line)| begins(before_comment(line))).map(|(number, _)| number)
}

/// The line at which a text nests too deep. libyaml takes quadratic time over such texts.
fn too_deep(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (number, line) in (1..).zip(text.lines()) {
        let compact = line.split_whitespace().take_while(|word| matches!(*word, "-" | "?")).count();
        if compact > MAX_DEPTH {
            return Some(number);
        }
        for byte in line.bytes() {
            match byte {
                b'[' | b'{' => depth += 1,
                b']' | b'}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth > MAX_DEPTH {
                return Some(number);
            }
        }
    }
    None
}

/// What is left to be read of a file.
struct Budget {
    values: Cell<usize>,
    bytes: Cell<usize>,
}

impl Budget {
    fn spend<E: Error>(&self, bytes: usize) -> Result<(), E> {
        self.values.set(self.values.get().saturating_sub(1));
        self.bytes.set(self.bytes.get().saturating_sub(bytes));
        if self.values.get() == 0 || self.bytes.get() == 0 {
            return Err(E::custom("too much"));
        }
        Ok(())
    }
}

/// Visits every value as it would be read, and keeps none.
#[derive(Clone, Copy)]
struct Walk<'b>(&'b Budget);

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.0.spend(1)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.0.spend(8)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        self.0.spend(8)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.0.spend(8)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.0.spend(text.len())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.0.spend(1)
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        self.0.spend(1)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<(), A::Error> {
        self.0.spend(1)?;
        while values.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        self.0.spend(1)?;
        while entries.next_key_seed(self)?.is_some() {
            entries.next_value_seed(self)?;
        }
        Ok(())
    }

    fn visit_enum<A: EnumAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        // A tag, which no file of a bundle has: reading it says so.
        Err(A::Error::custom("a tag"))
    }
}
