//! The detector: one pass of a pre-filter, recognizers where it saw something, overlaps resolved.
//!
//! The pre-filter looks at every byte twice: a range of bytes (digits, `:`, `@`) by a comparison that compiles
//! to vector instructions, and the literals of the recognizers by Aho-Corasick. Where it sees nothing, no
//! recognizer runs. Of overlapping candidates a secret wins, then the more confident, then the longer one; a
//! URL gives way to anything within it. The loser keeps what the winner does not cover, as pieces of its own.

use std::collections::BTreeMap;

use aho_corasick::{AhoCorasick, MatchKind};
use sha2::{Digest, Sha256};

use crate::fold::Folded;
use crate::recognizers::context::{self, Context};
use crate::recognizers::numbers::Numbers;
use crate::recognizers::{
    Candidates, Input, card, credential, de_tax_id, email, iban, ip_address, jwt, phone, url, us_ssn,
};
use crate::{EntityType, Finding};

/// Raised whenever the code of a recognizer changes what it finds; a changed table shows in the digest by itself.
const REVISION: u32 = 3;

/// What a literal of the pre-filter leads to.
#[derive(Clone, Copy, Debug)]
enum Literal {
    Key(usize),
    Word(&'static str),
    Pem,
    Jwt,
    Www,
}

/// Some literals. The automata are several because a vector search takes only few literals at a time.
#[derive(Debug)]
struct Literals {
    automaton: AhoCorasick,
    kinds: Vec<Literal>,
}

/// How many literals an automaton has at most.
const LITERALS_MAX: usize = 30;

/// Finds entities in text. Make one and share it: making it compiles its tables.
#[derive(Debug)]
pub struct Detector {
    literals: Vec<Literals>,
    context: Context,
    plans: phone::Plans,
    digest: String,
}

impl Detector {
    /// Compiles the tables.
    pub fn new() -> Self {
        let keys = credential::KEYS.iter().enumerate().map(|(i, key)| (key.prefix, Literal::Key(i)));
        let words = credential::WORDS.iter().map(|word| (*word, Literal::Word(word)));
        let others = [(credential::PEM, Literal::Pem), (jwt::PREFIX, Literal::Jwt), ("www.", Literal::Www)];
        let all: Vec<_> = keys.chain(words).chain(others).collect();
        let literals = all.chunks(LITERALS_MAX).map(Literals::new).collect();
        Self { literals, context: Context::new(), plans: phone::Plans::new(), digest: digest() }
    }

    /// Appends the findings of `text` to `out`: sorted by start, not overlapping, on character boundaries. The
    /// same text gives the same findings.
    pub fn scan(&self, text: &str, out: &mut Vec<Finding>) {
        match Folded::new(text) {
            None => self.scan_folded(text, out),
            Some(folded) => {
                let from = out.len();
                self.scan_folded(&folded.text, out);
                for finding in out.iter_mut().skip(from) {
                    finding.start = folded.start(finding.start);
                    finding.end = folded.end(finding.end);
                }
            }
        }
    }

    /// The version of the detector, for records.
    pub const fn version() -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    /// A digest over the recognizers' tables and the version: `sha256:` and 64 hexadecimal digits. Detectors
    /// with the same digest find the same.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    fn scan_folded(&self, text: &str, out: &mut Vec<Finding>) {
        let input = Input { text, bytes: text.as_bytes(), context: &self.context };
        let mut found = Candidates::default();
        self.scan_bytes(&input, &mut found);
        self.scan_literals(&input, &mut found);
        resolve(input.bytes, found.0, out);
    }

    /// Digits, `@` and `:`.
    fn scan_bytes(&self, input: &Input<'_>, found: &mut Candidates) {
        let (mut at, mut url_from, mut v6_from) = (0, 0, 0);
        while let Some(next) = next_of_interest(input.bytes, at) {
            at = next + 1;
            match input.byte(next) {
                Some(b'0'..=b'9') => {
                    at = next + input.run(next, usize::MAX, |b| b.is_ascii_digit());
                    at = self.scan_digits(input, next, at - next, found);
                }
                Some(b'@') => email::at(input, next, found),
                Some(b':') => {
                    if input.span(next, next + 3) == b"://" {
                        if next >= url_from {
                            url_from = url::at(input, next, found);
                        }
                    } else if next >= v6_from {
                        v6_from = ip_address::v6(input, next, found);
                    }
                }
                _ => {}
            }
        }
    }

    /// A run of `len` digits at `at`; where to go on.
    fn scan_digits(&self, input: &Input<'_>, at: usize, len: usize, found: &mut Candidates) -> usize {
        let next = at + len;
        if let Some(end) = iban::at(input, at, found) {
            return end;
        }
        // A short run that no other follows is nothing.
        let goes_on = |b: u8| b" -./()\t\r\neE".contains(&b);
        if len < 7 && !input.byte(next).is_some_and(goes_on) {
            return next;
        }
        if let Some(literal) = Numbers::literal(input, at, len) {
            card::at(input, &literal, found);
            us_ssn::at(input, &literal, found);
            de_tax_id::at(input, &literal, found);
        }
        let Some(numbers) = Numbers::read(input, at) else { return next };
        ip_address::v4(input, &numbers, found);
        if numbers.digits.len() < 7 {
            return next;
        }
        card::at(input, &numbers, found);
        us_ssn::at(input, &numbers, found);
        de_tax_id::at(input, &numbers, found);
        // A telephone number does not go on over a wide gap.
        phone::at(input, &self.plans, numbers.near().as_ref().unwrap_or(&numbers), found);
        next
    }

    fn scan_literals(&self, input: &Input<'_>, found: &mut Candidates) {
        for literals in &self.literals {
            literals.scan(input, found);
        }
    }
}

impl Literals {
    fn new(literals: &[(&'static str, Literal)]) -> Self {
        let (patterns, kinds): (Vec<_>, Vec<_>) = literals.iter().copied().unzip();
        #[expect(clippy::expect_used, reason = "the literals are constants; a test compiles them")]
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostFirst)
            .build(&patterns)
            .expect("constant literals");
        Self { automaton, kinds }
    }

    fn scan(&self, input: &Input<'_>, found: &mut Candidates) {
        let mut from = 0;
        while let Some(hit) = self.automaton.find(aho_corasick::Input::new(input.bytes).range(from..)) {
            let at = hit.start();
            from = match self.kinds.get(hit.pattern().as_usize()) {
                Some(Literal::Key(n)) => credential::key(input, *n, at, found),
                Some(Literal::Word(word)) => credential::word(input, word, hit.end(), found),
                Some(Literal::Pem) => credential::pem(input, at, found),
                Some(Literal::Jwt) => jwt::at(input, at, found),
                Some(Literal::Www) => url::www(input, at, found),
                None => hit.end(),
            }
            .min(input.bytes.len());
        }
    }
}

impl Default for Detector {
    fn default() -> Self {
        Self::new()
    }
}

/// The next byte from `at` on that is a digit, `:`, `@` or between them in ASCII.
fn next_of_interest(bytes: &[u8], at: usize) -> Option<usize> {
    const STEP: usize = 64;
    let of_interest = |byte: u8| byte.wrapping_sub(b'0') <= b'@' - b'0';
    let rest = bytes.get(at..)?;
    let mut skipped = 0;
    for chunk in rest.chunks(STEP) {
        // No early exit in here: that is what lets it compile to vector instructions.
        if chunk.iter().fold(false, |any, byte| any | of_interest(*byte)) {
            return chunk.iter().position(|byte| of_interest(*byte)).map(|i| at + skipped + i);
        }
        skipped += STEP;
    }
    None
}

/// Resolves overlaps.
fn resolve(bytes: &[u8], mut candidates: Vec<Finding>, out: &mut Vec<Finding>) {
    if candidates.len() < 2 {
        out.append(&mut candidates);
        return;
    }
    let rank = |f: &Finding| {
        let kind = match f.entity {
            EntityType::Url => 2,
            entity => u8::from(entity.is_restorable()),
        };
        (kind, u8::MAX - f.confidence.percent(), usize::MAX - (f.end - f.start), f.start, f.entity)
    };
    candidates.sort_unstable_by_key(rank);
    // Taken spans by their start; they never overlap.
    let mut taken: BTreeMap<usize, Finding> = BTreeMap::new();
    for candidate in candidates {
        // A candidate within one that is taken is another reading of the same text. One that reaches beyond it
        // keeps what lies beyond: whatever any recognizer saw is covered.
        for piece in around(&taken, candidate) {
            let worded = |b: &u8| b.is_ascii_alphanumeric() || !b.is_ascii();
            if bytes.get(piece.start..piece.end).unwrap_or_default().iter().any(worded) {
                taken.insert(piece.start, piece);
            }
        }
    }
    out.extend(taken.into_values());
}

/// The pieces of `finding` that nothing taken covers.
fn around(taken: &BTreeMap<usize, Finding>, finding: Finding) -> Vec<Finding> {
    let mut pieces = Vec::new();
    let mut start = finding.start;
    let before = taken.range(..finding.start).next_back().map(|(_, t)| *t);
    let within = taken.range(finding.start..finding.end).map(|(_, t)| *t);
    for t in before.into_iter().chain(within) {
        if t.end <= start {
            continue;
        }
        if t.start > start {
            pieces.push(Finding { start, end: t.start, ..finding });
        }
        start = t.end;
    }
    if start < finding.end {
        pieces.push(Finding { start, ..finding });
    }
    pieces
}

/// A digest over everything that tells what is found.
fn digest() -> String {
    let tables = format!(
        "{} {REVISION} {:?} {:?} {:?} {:?} {:?} {:?} {}",
        Detector::version(),
        credential::KEYS,
        credential::WORDS,
        card::ISSUERS,
        context::FOR,
        context::AGAINST,
        phone::NATIONAL,
        context::REACH,
    );
    format!("sha256:{}", hex::encode(Sha256::digest(tables)))
}
