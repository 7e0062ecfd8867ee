//! Puts values back in place of their placeholders, however the text is cut into chunks.
//!
//! *Window.* It holds back only the end of the text that could still become a placeholder, so never more than three times the
//! longest placeholder of the vault, and nothing while no `<` (or first letter of a surrogate) is near. *Changed placeholders.*
//! A token is known in any case, with blanks, line breaks, backslashes or zero-width characters within, and with its brackets
//! written as `\u003c` (as Go's JSON encoder does) or `&lt;`; a surrogate is known in any case. *JSON.* Values are escaped as the
//! place needs it: in [`Mode::JsonString`], and in a text that begins with `{` or `[`, which is taken for JSON; JSON in its
//! strings is followed into. *Blind spots.* A surrogate with a blank or line break within, a token without its brackets, a
//! placeholder of which letters are missing: none of these is restored. What a model makes up restores nothing.

use zeroize::Zeroizing;

use crate::json::{Follower, escape_into};
use crate::{Mode, Vault};

/// Restores placeholders on one stream of text.
pub struct Restorer {
    /// What stands between the brackets of tokens, sorted.
    tokens: Vec<(String, Zeroizing<String>)>,
    /// Surrogates in lower case, sorted.
    surrogates: Vec<(String, Zeroizing<String>)>,
    /// The lengths of surrogates that occur, longest first.
    lengths: Vec<usize>,
    /// The longest that a token may be written.
    longest: usize,
    /// Whether a placeholder starts with a byte.
    first: [bool; 256],
    pending: String,
    mode: Mode,
    place: Follower,
}

/// What stands at a place.
enum Found<'r> {
    Nothing,
    /// The beginning of a placeholder, as far as the text goes.
    Part,
    /// A placeholder: how long it is written, and its value.
    Whole(usize, &'r str),
}

/// How a token's brackets may be written.
const OPENING: [&str; 4] = ["<", "\\u003c", "\\\\u003c", "&lt;"];
const CLOSING: [&str; 4] = [">", "\\u003e", "\\\\u003e", "&gt;"];

impl Restorer {
    /// A restorer for what `vault` lets be restored: into text in [`Mode::Text`], into what goes to a tool in the other
    /// modes.
    pub fn new(vault: &Vault, mode: Mode) -> Self {
        let (mut tokens, mut surrogates) = (Vec::new(), Vec::new());
        for (placeholder, value) in vault.restorable(mode.is_for_tools()) {
            match placeholder.strip_prefix('<').and_then(|token| token.strip_suffix('>')) {
                Some(token) => tokens.push((token.to_owned(), value.clone())),
                None => surrogates.push((placeholder.to_ascii_lowercase(), value.clone())),
            }
        }
        tokens.sort_by(|a, b| a.0.cmp(&b.0));
        surrogates.sort_by(|a, b| a.0.cmp(&b.0));
        let mut lengths: Vec<usize> = surrogates.iter().map(|(placeholder, _)| placeholder.len()).collect();
        lengths.sort_unstable_by(|a, b| b.cmp(a));
        lengths.dedup();
        let mut first = [false; 256];
        let mut begins = |byte: u8| {
            if let Some(slot) = first.get_mut(usize::from(byte)) {
                *slot = true;
            }
        };
        for byte in surrogates.iter().filter_map(|(placeholder, _)| placeholder.bytes().next()) {
            begins(byte);
            begins(byte.to_ascii_uppercase());
        }
        if !tokens.is_empty() {
            b"<\\&".iter().for_each(|byte| begins(*byte));
        }
        let longest = 3 * tokens.iter().map(|(token, _)| token.len() + 2).max().unwrap_or(0);
        Self {
            tokens,
            surrogates,
            lengths,
            longest,
            first,
            pending: String::new(),
            mode,
            place: beginning(mode),
        }
    }

    /// How many bytes it holds of the stream, with the room that it has left.
    pub(super) fn size(&self) -> usize {
        self.pending.capacity()
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
            if !self.tokens.is_empty() || !self.surrogates.is_empty() {
                place.advance(piece);
            }
            out.push_str(piece);
        };
        let (mut done, mut at, mut kept) = (0, 0, text.len());
        while let Some(ahead) = self.next_start(text, at) {
            let rest = text.get(ahead..).unwrap_or_default();
            match self.found(rest, last) {
                Found::Part => {
                    kept = ahead;
                    break;
                }
                Found::Whole(len, value) => {
                    pass(done, ahead, &mut place, out);
                    escape_into(value, place.escapes(), out);
                    place.skip();
                    at = ahead + len;
                    done = at;
                }
                Found::Nothing => at = ahead + 1,
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

    /// The placeholder that `rest` begins with. `last` says that nothing more comes.
    fn found(&self, rest: &str, last: bool) -> Found<'_> {
        match self.token(rest, last) {
            Found::Nothing => self.surrogate(rest, last),
            found => found,
        }
    }

    fn token(&self, rest: &str, last: bool) -> Found<'_> {
        if self.tokens.is_empty() {
            return Found::Nothing;
        }
        let Some(opening) = OPENING.iter().find(|opening| rest.starts_with(**opening)) else {
            let part = !last && OPENING.iter().any(|opening| opening.starts_with(rest));
            return if part { Found::Part } else { Found::Nothing };
        };
        let (mut body, mut at) = (String::new(), opening.len());
        while at < self.longest {
            let tail = rest.get(at..).unwrap_or_default();
            if let Some(closing) = CLOSING.iter().find(|closing| tail.starts_with(**closing)) {
                let value = self.tokens.binary_search_by(|(token, _)| token.as_str().cmp(&body));
                return match value.ok().and_then(|at| self.tokens.get(at)) {
                    Some((_, value)) => Found::Whole(at + closing.len(), value),
                    None => Found::Nothing,
                };
            }
            if !tail.is_empty() && CLOSING.iter().any(|closing| closing.starts_with(tail)) {
                return if last { Found::Nothing } else { Found::Part };
            }
            let Some(c) = tail.chars().next() else { return if last { Found::Nothing } else { Found::Part } };
            at += c.len_utf8();
            match c {
                // The letter of an escape such as `\n`.
                '\\' => at += usize::from(matches!(tail.as_bytes().get(1), Some(b'n' | b'r' | b't'))),
                '\u{200b}' | '\u{200c}' | '\u{200d}' | '\u{2060}' | '\u{feff}' => {}
                c if c.is_whitespace() => {}
                c if c.is_ascii_alphanumeric() || c == '_' => {
                    body.push(c.to_ascii_uppercase());
                    let after = self.tokens.partition_point(|(token, _)| token.as_str() < body.as_str());
                    if !self.tokens.get(after).is_some_and(|(token, _)| token.starts_with(&body)) {
                        return Found::Nothing;
                    }
                }
                _ => return Found::Nothing,
            }
        }
        Found::Nothing
    }

    fn surrogate(&self, rest: &str, last: bool) -> Found<'_> {
        let Some(longest) = self.lengths.first() else { return Found::Nothing };
        let mut len = rest.len().min(*longest);
        while !rest.is_char_boundary(len) {
            len -= 1;
        }
        let lower = rest.get(..len).unwrap_or_default().to_ascii_lowercase();
        let after = self.surrogates.partition_point(|(placeholder, _)| *placeholder <= lower);
        let grows =
            self.surrogates.get(after).is_some_and(|(placeholder, _)| placeholder.starts_with(&lower));
        if !last && len == rest.len() && grows {
            return Found::Part;
        }
        let whole = self.lengths.iter().find_map(|len| {
            let head = lower.get(..*len)?;
            let at =
                self.surrogates.binary_search_by(|(placeholder, _)| placeholder.as_str().cmp(head)).ok()?;
            self.surrogates.get(at).map(|(_, value)| Found::Whole(*len, value.as_str()))
        });
        whole.unwrap_or(Found::Nothing)
    }
}

impl std::fmt::Debug for Restorer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Restorer")
            .field("placeholders", &(self.tokens.len() + self.surrogates.len()))
            .field("held", &self.pending.len())
            .finish()
    }
}

/// Where a text begins.
fn beginning(mode: Mode) -> Follower {
    if mode == Mode::JsonString { Follower::json() } else { Follower::text() }
}
