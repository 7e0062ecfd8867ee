//! Watches a response on its way to the client: scans it, redacts what the plan says, then restores
//! placeholders; in this order, so that a restored value is never a finding.
//!
//! *Window.* If the plan redacts anything, the last word is held back, and with it the words before it that may
//! be groups of one number (`4111 1111 …`, at most about 100 bytes), and a private key until it ends. A word
//! ends at white space, a control character, or a character that no finding holds (scripts other than Latin).
//! If the plan is empty nothing is held back but what may become a placeholder, and the scan only counts.
//!
//! *Cutting.* A text cut into any chunks gives the same output as the same text in one, as long as no single
//! word or private key exceeds [`Guard::WINDOW`] bytes. One that does is decided on what there is of it, and
//! if that much is a finding, the rest of the word is swallowed with it.
//!
//! *Blind spots.* Those of the recognizers; an entity that the model spreads over several of its texts
//! (choices, tool calls, messages); context words further back than the recognizers look.

use std::sync::Arc;

use super::{Restorer, window};
use crate::json::{StringTracker, number_around};
use crate::redact::{Around, replacement};
use crate::{Detector, EntityCounts, Finding, Mode, RedactionPlan, TokenKey, Vault};

/// How much decided text is kept as context for what follows: more than a context word reaches, and enough for
/// the longest word for a secret with its assignment.
const CONTEXT: usize = 192;

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
    buffer: String,
    /// Where the undecided text begins in the buffer.
    decided: usize,
    /// Whether the rest of a redacted word is being dropped.
    swallowing: bool,
    strings: StringTracker,
    redacted: EntityCounts,
    found: EntityCounts,
    scratch: Vec<Finding>,
}

impl Guard {
    /// The longest single word or private key, in bytes, that is held back to be decided as a whole.
    pub const WINDOW: usize = 16 * 1024;

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
        Self {
            detector,
            plan,
            key,
            mode,
            known,
            vault: Vault::new(),
            restorer: Restorer::new(vault, mode),
            buffer: String::new(),
            decided: 0,
            swallowing: false,
            strings: StringTracker::default(),
            redacted: EntityCounts::default(),
            found: EntityCounts::default(),
            scratch: Vec::new(),
        }
    }

    /// Takes the next chunk and appends to `out` what is certain.
    pub fn push(&mut self, chunk: &str, out: &mut String) {
        if self.plan.is_empty() {
            self.restorer.push(chunk, out);
        }
        let chunk = self.unswallowed(chunk);
        self.buffer.push_str(chunk);
        let undecided = self.buffer.get(self.decided..).unwrap_or_default();
        let mut until = self.decided + window::decided(undecided);
        // What a whole-number chain begins before, or a key, stays as it is; only the window forces a cut.
        let forced = until == self.decided && undecided.len() > Self::WINDOW;
        if forced {
            until = self.buffer.len();
        }
        if until > self.decided {
            self.decide(until, forced, out);
        }
    }

    /// Appends to `out` what was held back. The guard can then take another text.
    pub fn finish(&mut self, out: &mut String) {
        self.decide(self.buffer.len(), false, out);
        self.restorer.finish(out);
        self.buffer.clear();
        self.decided = 0;
        self.swallowing = false;
        self.strings = StringTracker::default();
    }

    /// How many findings were redacted so far.
    pub const fn redacted(&self) -> &EntityCounts {
        &self.redacted
    }

    /// How many findings there were so far, placeholders not counted.
    pub const fn found(&self) -> &EntityCounts {
        &self.found
    }

    /// The part of `chunk` after a word that is being swallowed.
    fn unswallowed<'c>(&mut self, chunk: &'c str) -> &'c str {
        if !self.swallowing {
            return chunk;
        }
        match chunk.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>')) {
            Some(end) => {
                self.swallowing = false;
                chunk.get(end..).unwrap_or_default()
            }
            None => "",
        }
    }

    /// Emits the buffer up to `until`, or to before a finding that crosses it.
    fn decide(&mut self, until: usize, forced: bool, out: &mut String) {
        let mut findings = std::mem::take(&mut self.scratch);
        findings.clear();
        self.detector.scan(&self.buffer, &mut findings);
        let mut until = until;
        if let Some(crossing) = findings.iter().find(|f| f.start < until && f.end > until) {
            until = crossing.start.max(self.decided);
        }
        for finding in &findings {
            if finding.start < self.decided || finding.end > until || self.is_placeholder(finding) {
                continue;
            }
            self.found.add(finding.entity);
            if let Some(redaction) = self.plan.applies_to(finding) {
                self.replace(finding, redaction, out);
                self.swallowing |= forced && finding.end == self.buffer.len();
            }
        }
        self.scratch = findings;
        self.emit(until, out);
        self.forget();
    }

    fn replace(&mut self, finding: &Finding, redaction: crate::Redaction, out: &mut String) {
        let (mut start, mut end, mut quote) = (finding.start, finding.end, "");
        if self.mode == Mode::JsonString {
            let mut strings = self.strings;
            strings.advance(self.buffer.get(self.decided..start).unwrap_or_default());
            if strings.in_string() {
                start += strings.escape_left(self.buffer.get(start..).unwrap_or_default());
                if start >= end {
                    return;
                }
            } else {
                (start, end) = number_around(&self.buffer, start, end, self.decided);
                quote = "\"";
            }
        }
        let held = start.max(finding.start)..finding.end;
        self.emit(start, out);
        // A placeholder cannot begin before a redacted value and end after it.
        self.restorer.finish(out);
        let value = self.buffer.get(held).unwrap_or_default();
        // Judged by the value alone, so that it does not depend on where the text was cut.
        let stand_in = replacement(finding, value, redaction, &self.key, &mut self.vault, &Around::default());
        for part in [quote, &stand_in, quote] {
            out.push_str(part);
        }
        self.redacted.add(finding.entity);
        self.strings.advance(self.buffer.get(start..end).unwrap_or_default());
        self.decided = end;
    }

    /// Passes the buffer up to `until` on to the restorer.
    fn emit(&mut self, until: usize, out: &mut String) {
        let text = self.buffer.get(self.decided..until).unwrap_or_default();
        if self.mode == Mode::JsonString {
            self.strings.advance(text);
        }
        if !self.plan.is_empty() {
            self.restorer.push(text, out);
        }
        self.decided = self.decided.max(until);
    }

    /// Drops decided text that is too far back to matter.
    fn forget(&mut self) {
        let mut drop = self.decided.saturating_sub(CONTEXT);
        if drop < CONTEXT {
            return;
        }
        while !self.buffer.is_char_boundary(drop) {
            drop -= 1;
        }
        self.buffer.drain(..drop);
        self.decided -= drop;
    }

    fn is_placeholder(&self, finding: &Finding) -> bool {
        let value = finding.value(&self.buffer).unwrap_or_default();
        self.known.binary_search_by(|known| known.as_str().cmp(value)).is_ok()
    }
}
