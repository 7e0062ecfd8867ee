//! Watches a response on its way to the client: scans it, redacts what the plan says, then restores
//! placeholders; in this order, so that a restored value is never a finding.
//!
//! *Window.* If the plan redacts anything, the last word is held back, and with it the words before it that may
//! be groups of one number (`4111 1111 …`, at most about 100 bytes), and a private key until it ends. A word
//! ends at white space, a control character, or a character that no finding holds (scripts other than Latin).
//! If the plan redacts a kind that is made of words (names, streets, vocabularies), the last eight words are held back too.
//! If the plan is empty nothing is held back but what may become a placeholder, and the scan only counts.
//!
//! *Memory.* At most [`Guard::SIZE`] bytes a stream, besides the chunk that is being looked at and the request's placeholders.
//!
//! *Cutting.* A text cut into any chunks gives the same output as the same text in one, as long as no single
//! word or private key exceeds [`Guard::WINDOW`] bytes (about 500 characters of a word that is written with nothing but
//! escapes). One that does is decided on what there is of it, and if that much is a finding, the rest of the word is swallowed
//! with it.
//!
//! *JSON.* In [`Mode::JsonString`], and in a text that begins with `{` or `[`, the scan reads what the strings say
//! behind their escapes, in JSON texts inside strings too, four levels in all. What no redaction touches goes out as it
//! was written.
//!
//! *Blind spots.* Those of the recognizers; two keys of one object that redaction makes the same; an entity that the model spreads over several of its texts
//! (choices, tool calls, messages); context words further back than the recognizers look.

use std::sync::Arc;

use super::{Restorer, window};
use crate::json::{Follower, View, is_number_value, number_around, quote};
use crate::redact::{Around, replacement};
use crate::{Detector, EntityCounts, EntityType, Finding, Mode, RedactionPlan, TokenKey, Vault};

/// How much decided text is kept as context for what follows: more than a context word reaches, and enough for
/// the longest word for a secret with its assignment.
const CONTEXT: usize = 192;

/// More words than a finding made of words has: a street with its number, a company's name.
const WORDS_MAX: usize = 8;

/// Longer than words are; what is longer may be a secret of letters.
const PLAIN_MAX: usize = 48;

/// What is held back takes at most this much, with what remembers how it was written.
const HELD_MAX: usize = 18 * 1024;

/// Placeholders of a stream's own redactions that are remembered, so that two values do not get the same one.
const PLACEHOLDERS_MAX: usize = 16;

/// Findings for which room is kept.
const FINDINGS_KEPT: usize = 64;

/// Scans one stream of text, redacts what the plan says, then restores placeholders.
#[derive(Debug)]
pub struct Guard {
    detector: Arc<Detector>,
    plan: RedactionPlan,
    key: TokenKey,
    mode: Mode,
    /// The request's placeholders: not findings.
    known: Vec<String>,
    /// Placeholders of response redactions. Nothing in it is ever restored.
    vault: Vault,
    restorer: Restorer,
    /// Decided text kept as context, then undecided text.
    view: View,
    /// Where the undecided text begins in the buffer.
    decided: usize,
    /// How many words a finding that is redacted may have.
    words: usize,
    /// Whether the rest of a redacted word is being dropped.
    swallowing: bool,
    /// Whether the text ended before a value, and all that follows is dropped.
    stopped: bool,
    /// Follows what is decided.
    place: Follower,
    redacted: EntityCounts,
    found: EntityCounts,
    scratch: Vec<Finding>,
}

impl Guard {
    /// The longest single word or private key, in bytes, that is held back to be decided as a whole.
    pub const WINDOW: usize = 16 * 1024;

    /// The most bytes that a stream takes between two chunks, the request's placeholders left out.
    pub const SIZE: usize = 48 * 1024;

    /// A guard for one stream of text: `plan` holds the redactions of the response, `vault` the values that
    /// may be restored, `key` makes the placeholders of response redactions.
    pub fn new(
        detector: Arc<Detector>,
        plan: RedactionPlan,
        key: TokenKey,
        vault: &Vault,
        mode: Mode,
    ) -> Self {
        let mut known: Vec<String> = vault.placeholders().map(str::to_owned).collect();
        known.sort_unstable();
        let words = if plan.entities().iter().any(EntityType::spans_words) { WORDS_MAX } else { 0 };
        Self {
            words,
            detector,
            plan,
            key,
            mode,
            known,
            vault: Vault::new(),
            restorer: Restorer::new(vault, mode),
            view: View::new(beginning(mode)),
            decided: 0,
            swallowing: false,
            stopped: false,
            place: beginning(mode),
            redacted: EntityCounts::default(),
            found: EntityCounts::default(),
            scratch: Vec::new(),
        }
    }

    /// Takes the next chunk and appends to `out` what is certain.
    pub fn push(&mut self, chunk: &str, out: &mut String) {
        if self.stopped {
            return;
        }
        if self.plan.is_empty() {
            self.restorer.push(chunk, out);
        }
        let before = self.view.text().len();
        self.view.push(chunk);
        if self.swallowing && !self.swallow(before) {
            return;
        }
        let undecided = self.view.text().get(self.decided..).unwrap_or_default();
        let mut until = self.decided + window::decided(undecided, self.words);
        // What a whole-number chain begins before, or a key, stays as it is; only the window forces a cut.
        let forced = until == self.decided
            && (undecided.len() > Self::WINDOW || self.view.size() > HELD_MAX + CONTEXT);
        if forced {
            until = self.view.text().len();
        }
        if until > self.decided {
            self.decide(until, forced, out);
        }
    }

    /// Appends to `out` what was held back. The guard can then take another text.
    pub fn finish(&mut self, out: &mut String) {
        self.view.end();
        if !self.swallowing && !self.stopped {
            self.decide(self.view.text().len(), false, out);
        }
        self.restorer.finish(out);
        self.view = View::new(beginning(self.mode));
        self.decided = 0;
        self.swallowing = false;
        self.place = beginning(self.mode);
    }

    /// Like [`finish`](Self::finish), for a text that broke off: the beginning of a value that the rest would have shown
    /// to be one is left out. What is still undecided goes out only if it is plain words.
    pub fn abandon(&mut self, out: &mut String) {
        // Whole words that wait only for more of them.
        let undecided = self.view.text().get(self.decided..).unwrap_or_default();
        let until = self.decided + window::decided(undecided, 0);
        if !self.swallowing && until > self.decided {
            self.decide(until, false, out);
        }
        let undecided = self.view.text().get(self.decided..).unwrap_or_default();
        let plain = |c: char| {
            c.is_alphabetic() || c.is_whitespace() || matches!(c, '.' | ',' | ';' | '!' | '?' | '\'' | '"')
        };
        let words = self.view.is_plain()
            && undecided.len() <= PLAIN_MAX
            && undecided.chars().all(plain)
            && !is_folded_in(undecided);
        self.swallowing |= !self.plan.is_empty() && !words;
        self.finish(out);
    }

    /// Whether the text was ended before a value at which it has to stop. What came after it is dropped.
    pub const fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// How many bytes it takes now, the request's placeholders left out.
    pub fn size(&self) -> usize {
        // A hash map's entry, its text, and what a table has in reserve.
        const PLACEHOLDER: usize = 256;
        size_of::<Self>()
            + self.view.capacity()
            + self.restorer.size()
            + self.vault.len() * PLACEHOLDER
            + self.scratch.capacity() * size_of::<Finding>()
    }

    /// Whether text is held back.
    pub fn holds(&self) -> bool {
        !self.stopped && self.restorer.held() > 0
            || (!self.stopped
                && !self.plan.is_empty()
                && (self.decided < self.view.text().len() || self.view.is_within_escape()))
    }

    /// How many findings were redacted so far.
    pub const fn redacted(&self) -> &EntityCounts {
        &self.redacted
    }

    /// How many findings there were so far, placeholders not counted.
    pub const fn found(&self) -> &EntityCounts {
        &self.found
    }

    /// Leaves out what came from `before` on, up to the end of the word; whether it ended.
    fn swallow(&mut self, before: usize) -> bool {
        let came = self.view.text().get(before..).unwrap_or_default();
        let end = came.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>'));
        let (from, _) = self.view.widen(before + end.unwrap_or(came.len()), 0);
        self.decided = from.max(before);
        self.swallowing = end.is_none();
        if self.swallowing {
            self.forget();
        }
        !self.swallowing
    }

    /// Emits the buffer up to `until`, or to before a finding that crosses it.
    fn decide(&mut self, until: usize, forced: bool, out: &mut String) {
        let mut findings = std::mem::take(&mut self.scratch);
        findings.clear();
        self.detector.scan(self.view.text(), &mut findings);
        let (mut until, _) = self.view.widen(until, until);
        if let Some(crossing) = findings.iter().find(|f| f.start < until && f.end > until) {
            until = crossing.start.max(self.decided);
        }
        for finding in &findings {
            if finding.start < self.decided || finding.end > until || self.is_placeholder(finding) {
                continue;
            }
            self.found.add(finding.entity);
            if self.plan.applies_to(finding).is_some_and(|redaction| redaction.stop) {
                self.stop(finding, out);
                return;
            }
            if let Some(redaction) = self.plan.applies_to(finding) {
                self.replace(finding, redaction, out);
                self.swallowing |= forced && finding.end == self.view.text().len();
            }
        }
        findings.clear();
        findings.shrink_to(FINDINGS_KEPT);
        self.scratch = findings;
        if self.vault.len() > PLACEHOLDERS_MAX {
            self.vault = Vault::new();
        }
        self.emit(until, out);
        self.forget();
    }

    /// Ends the text before a finding.
    fn stop(&mut self, finding: &Finding, out: &mut String) {
        let (start, _) = self.view.widen(finding.start, finding.end);
        self.emit(start, out);
        self.restorer.flush(out);
        self.redacted.add(finding.entity);
        self.stopped = true;
        self.view = View::new(beginning(self.mode));
        self.decided = 0;
    }

    fn replace(&mut self, finding: &Finding, redaction: crate::Redaction, out: &mut String) {
        let (mut start, mut end) = self.view.widen(finding.start, finding.end);
        let held = start..end;
        let mut mark = "";
        let mut here = self.place;
        let mut before = String::new();
        self.view.written(self.decided, start, &mut before);
        here.advance(&before);
        if here.is_json() && !here.in_string() {
            let text = self.view.text();
            let (first, last) = number_around(text, start, end, self.decided);
            if self.mode == Mode::JsonString || is_number_value(text, first, last) {
                mark = quote(here.escapes());
                (start, end) = (first, last);
            }
        }
        self.emit(start, out);
        // A placeholder cannot begin before a redacted value and end after it.
        self.restorer.flush(out);
        self.restorer.skip();
        let value = self.view.text().get(held).unwrap_or_default();
        // Judged by the value alone, so that it does not depend on where the text was cut.
        let stand_in = replacement(finding, value, redaction, &self.key, &mut self.vault, &Around::default());
        for part in [mark, &stand_in, mark] {
            out.push_str(part);
        }
        self.redacted.add(finding.entity);
        self.place.skip();
        self.decided = end;
    }

    /// Passes the buffer up to `until` on to the restorer.
    fn emit(&mut self, until: usize, out: &mut String) {
        if until <= self.decided {
            return;
        }
        if self.view.is_plain() {
            let text = self.view.text().get(self.decided..until).unwrap_or_default();
            self.place.advance(text);
            if !self.plan.is_empty() {
                self.restorer.push(text, out);
            }
        } else if !self.plan.is_empty() {
            let mut text = String::with_capacity(until - self.decided);
            self.view.written(self.decided, until, &mut text);
            self.place.advance(&text);
            self.restorer.push(&text, out);
        }
        self.decided = until;
    }

    /// Drops decided text that is too far back to matter.
    fn forget(&mut self) {
        let drop = self.decided.saturating_sub(CONTEXT);
        if drop < CONTEXT {
            return;
        }
        self.decided -= self.view.forget(drop);
        self.view.shrink();
    }

    fn is_placeholder(&self, finding: &Finding) -> bool {
        let value = finding.value(self.view.text()).unwrap_or_default();
        self.known.binary_search_by(|known| known.as_str().cmp(value)).is_ok()
    }
}

/// Whether a text holds characters that only look like others.
fn is_folded_in(text: &str) -> bool {
    text.chars().any(crate::fold::is_folded)
}

/// Where a text begins.
fn beginning(mode: Mode) -> Follower {
    if mode == Mode::JsonString { Follower::json() } else { Follower::text() }
}
