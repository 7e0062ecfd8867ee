//! Puts values back in place of their placeholders, however the text is cut into chunks.
//!
//! *Window.* It holds back only the longest end of the text that could still become a placeholder, so never
//! more than the longest placeholder of the vault, and nothing while no `<` (or first letter of a surrogate)
//! is near. *JSON.* Values are escaped as the place needs it: in [`Mode::JsonString`], and in a text that begins
//! with `{` or `[`, which is taken for JSON; JSON in its strings is followed into. *Blind spots.* A placeholder that
//! the model changed, in case or by a space within it, is not restored. In [`Mode::JsonString`] the angle brackets may
//! be written as `\u003c` and `\u003e`, as Go's JSON encoder writes them; other needless escapes are not undone.

use zeroize::Zeroizing;

use crate::json::{Follower, escape_into};
use crate::{Mode, Vault};

/// Restores placeholders on one stream of text.
pub struct Restorer {
    /// Sorted by placeholder.
    table: Vec<(String, Zeroizing<String>)>,
    /// The lengths that occur, longest first.
    lengths: Vec<usize>,
    /// Whether a placeholder starts with a byte.
    first: [bool; 256],
    pending: String,
    mode: Mode,
    place: Follower,
}

impl Restorer {
    /// A restorer for what `vault` lets be restored: into text in [`Mode::Text`], into what goes to a tool in the other
    /// modes.
    pub fn new(vault: &Vault, mode: Mode) -> Self {
        let mut table = Vec::new();
        for (placeholder, value) in vault.restorable(mode.is_for_tools()) {
            if mode == Mode::JsonString && placeholder.contains('<') {
                for escape in ["\\u003", "\\\\u003"] {
                    let spelt_out =
                        placeholder.replace('<', &format!("{escape}c")).replace('>', &format!("{escape}e"));
                    table.push((spelt_out, value.clone()));
                }
            }
            table.push((placeholder.to_owned(), value.clone()));
        }
        table.sort_by(|a, b| a.0.cmp(&b.0));
        let mut lengths: Vec<usize> = table.iter().map(|(placeholder, _)| placeholder.len()).collect();
        lengths.sort_unstable_by(|a, b| b.cmp(a));
        lengths.dedup();
        let mut first = [false; 256];
        for (placeholder, _) in &table {
            if let Some(slot) = placeholder.bytes().next().and_then(|b| first.get_mut(usize::from(b))) {
                *slot = true;
            }
        }
        Self { table, lengths, first, pending: String::new(), mode, place: beginning(mode) }
    }

    /// Takes the next chunk and appends to `out` what is certain.
    pub fn push(&mut self, chunk: &str, out: &mut String) {
        if self.pending.is_empty() {
            let kept = self.restore(chunk, false, out);
            self.pending.push_str(chunk.get(kept..).unwrap_or_default());
        } else {
            let mut text = std::mem::take(&mut self.pending);
            text.push_str(chunk);
            let kept = self.restore(&text, false, out);
            text.drain(..kept);
            self.pending = text;
        }
    }

    /// Appends to `out` what was held back. The restorer can then take another text.
    pub fn finish(&mut self, out: &mut String) {
        self.flush(out);
        self.place = beginning(self.mode);
    }

    /// Appends to `out` what was held back, within a text.
    pub(super) fn flush(&mut self, out: &mut String) {
        let text = std::mem::take(&mut self.pending);
        self.restore(&text, true, out);
    }

    /// Something of the text did not come here.
    pub(super) fn skip(&mut self) {
        self.place.skip();
    }

    /// How many bytes are held back.
    pub fn held(&self) -> usize {
        self.pending.len()
    }

    /// Restores as far as is certain; the place from which it is not.
    fn restore(&mut self, text: &str, last: bool, out: &mut String) -> usize {
        let mut place = self.place;
        let pass = |from: usize, to: usize, place: &mut Follower, out: &mut String| {
            let piece = text.get(from..to).unwrap_or_default();
            if !self.table.is_empty() {
                place.advance(piece);
            }
            out.push_str(piece);
        };
        let (mut done, mut at, mut kept) = (0, 0, text.len());
        while let Some(ahead) = self.next_start(text, at) {
            let rest = text.get(ahead..).unwrap_or_default();
            if !last && self.could_grow(rest) {
                kept = ahead;
                break;
            }
            match self.longest(rest) {
                Some((placeholder, value)) => {
                    pass(done, ahead, &mut place, out);
                    escape_into(value, place.escapes(), out);
                    place.skip();
                    at = ahead + placeholder.len();
                    done = at;
                }
                None => at = ahead + 1,
            }
        }
        pass(done, kept, &mut place, out);
        self.place = place;
        kept
    }

    /// The next place where a placeholder could start.
    fn next_start(&self, text: &str, from: usize) -> Option<usize> {
        let is_first = |byte: &u8| self.first.get(usize::from(*byte)).copied().unwrap_or(false);
        Some(from + text.as_bytes().get(from..)?.iter().position(is_first)?)
    }

    /// Whether some placeholder is longer than `rest` and begins with it.
    fn could_grow(&self, rest: &str) -> bool {
        let after = self.table.partition_point(|(placeholder, _)| placeholder.as_str() <= rest);
        self.table.get(after).is_some_and(|(placeholder, _)| placeholder.starts_with(rest))
    }

    /// The longest placeholder that `rest` begins with.
    fn longest(&self, rest: &str) -> Option<(&str, &str)> {
        self.lengths.iter().find_map(|len| {
            let head = rest.get(..*len)?;
            let at = self.table.binary_search_by(|(placeholder, _)| placeholder.as_str().cmp(head)).ok()?;
            self.table.get(at).map(|(placeholder, value)| (placeholder.as_str(), value.as_str()))
        })
    }
}

impl std::fmt::Debug for Restorer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Restorer")
            .field("placeholders", &self.table.len())
            .field("held", &self.pending.len())
            .finish()
    }
}

/// Where a text begins.
fn beginning(mode: Mode) -> Follower {
    if mode == Mode::JsonString { Follower::json() } else { Follower::text() }
}
