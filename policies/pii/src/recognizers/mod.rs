//! The recognizers: a file each, with the source of its rules, its validator and its examples.
//!
//! A recognizer is asked about one place where the pre-filter saw something of its kind (a digit, an `@`, a
//! `:`, a known prefix). It looks at a bounded stretch around that place, so that a scan is linear in the text.

pub(crate) mod base64;
pub(crate) mod bic;
pub(crate) mod card;
pub(crate) mod context;
pub(crate) mod coordinates;
pub(crate) mod credential;
pub(crate) mod crypto_address;
pub(crate) mod date;
pub(crate) mod de_tax_id;
pub(crate) mod diagnosis_code;
pub(crate) mod email;
pub(crate) mod iban;
pub(crate) mod ip_address;
pub(crate) mod jwt;
pub(crate) mod labelled;
pub(crate) mod lexicon;
pub(crate) mod mac_address;
pub(crate) mod mrz;
pub(crate) mod numbered;
pub(crate) mod numbers;
pub(crate) mod phone;
pub(crate) mod place;
pub(crate) mod url;
pub(crate) mod us_ssn;
pub(crate) mod vin;

#[cfg(test)]
pub(crate) mod table;

use std::cell::Cell;

use crate::{Confidence, EntitySet, EntityType, Finding};
use context::{Context, Heard, Says};
use credential::Runs;

/// What is less certain than this is not reported, unless a detector is told otherwise.
pub(crate) const FLOOR: u8 = 50;

/// The confidence in a number whose check digits hold, and that needs a word which does not stand there.
pub(crate) const UNSPOKEN: i32 = 30;

/// The confidence in a number that has neither check digits nor a word.
pub(crate) const SHAPELESS: i32 = 8;

/// The text to look at, and where findings go.
pub(crate) struct Input<'t> {
    pub(crate) text: &'t str,
    pub(crate) bytes: &'t [u8],
    context: &'t Context,
    /// The place before which the words were last listened to, and what they say.
    heard: Cell<Option<(usize, Heard)>>,
}

impl<'t> Input<'t> {
    pub(crate) fn new(text: &'t str, context: &'t Context) -> Self {
        Self { text, bytes: text.as_bytes(), context, heard: Cell::new(None) }
    }

    /// What the words before `start` say about `entity`.
    pub(crate) fn says(&self, start: usize, entity: EntityType) -> Says {
        self.hear(start).says(entity)
    }

    /// What the words before `start` say.
    pub(crate) fn hear(&self, start: usize) -> Heard {
        match self.heard.get() {
            Some((at, heard)) if at == start => heard,
            _ => {
                let heard = self.context.hear(self, start);
                self.heard.set(Some((start, heard)));
                heard
            }
        }
    }

    /// The byte at `at`.
    pub(crate) fn byte(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    /// The byte before `at`.
    pub(crate) fn before(&self, at: usize) -> Option<u8> {
        self.byte(at.checked_sub(1)?)
    }

    /// The text of a span that lies on character boundaries.
    pub(crate) fn slice(&self, start: usize, end: usize) -> &'t str {
        self.text.get(start..end).unwrap_or_default()
    }

    /// The bytes of a span.
    pub(crate) fn span(&self, start: usize, end: usize) -> &'t [u8] {
        self.bytes.get(start..end).unwrap_or_default()
    }

    /// How many bytes from `at` on satisfy `of`, at most `limit`.
    pub(crate) fn run(&self, at: usize, limit: usize, of: impl Fn(u8) -> bool) -> usize {
        self.bytes.get(at..).unwrap_or_default().iter().take(limit).take_while(|b| of(**b)).count()
    }

    /// How many bytes up to `at` satisfy `of`, at most `limit`.
    pub(crate) fn run_back(&self, at: usize, limit: usize, of: impl Fn(u8) -> bool) -> usize {
        self.bytes.get(..at).unwrap_or_default().iter().rev().take(limit).take_while(|b| of(**b)).count()
    }

    /// Whether a word can begin at `at`: nothing of a word stands before it. The letter of an escape such as
    /// `\n` (a JSON text inside the text) is no part of a word.
    pub(crate) fn begins(&self, at: usize) -> bool {
        match self.before(at) {
            None => true,
            Some(b'n' | b't' | b'r' | b'b' | b'f') => at >= 2 && self.byte(at - 2) == Some(b'\\'),
            Some(byte) => !byte.is_ascii_alphanumeric(),
        }
    }

    /// Whether a word can end at `at`.
    pub(crate) fn ends(&self, at: usize) -> bool {
        self.byte(at).is_none_or(|byte| !byte.is_ascii_alphanumeric())
    }

    /// Moves `start` past the letter of an escape such as `\n`.
    pub(crate) fn skip_escape(&self, start: usize) -> usize {
        match (self.before(start), self.byte(start)) {
            (Some(b'\\'), Some(b'n' | b't' | b'r' | b'b' | b'f')) => start + 1,
            (Some(b'\\'), Some(b'u')) => start + 1 + self.run(start + 1, 4, |b| b.is_ascii_hexdigit()),
            _ => start,
        }
    }
}

/// Candidates, before overlaps are resolved.
pub(crate) struct Candidates {
    /// What is less certain is left out.
    pub(crate) floor: u8,
    /// What is looked for.
    pub(crate) kinds: EntitySet,
    pub(crate) found: Vec<Finding>,
    /// Words that hold another text.
    pub(crate) encoded: Vec<Encoded>,
    /// Where characters of keys go on to.
    pub(crate) runs: Runs,
}

/// A word that holds a text in an encoding.
pub(crate) struct Encoded {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) text: String,
}

impl Candidates {
    pub(crate) fn new(floor: u8, kinds: EntitySet) -> Self {
        Self { floor, kinds, found: Vec::new(), encoded: Vec::new(), runs: Runs::default() }
    }

    /// Adds a candidate unless it is too doubtful, or of a kind that is not looked for.
    pub(crate) fn add(&mut self, entity: EntityType, start: usize, end: usize, confidence: i32) {
        if confidence >= i32::from(self.floor) && start < end && self.kinds.contains(entity) {
            let percent = u8::try_from(confidence.min(100)).unwrap_or(100);
            self.found.push(Finding { entity, start, end, confidence: Confidence::new(percent) });
        }
    }
}

/// The word of letters and digits around `at`, if the digit there is its first.
pub(crate) fn word_of_first_digit(input: &Input<'_>, at: usize) -> Option<(usize, usize)> {
    const LONG: usize = 128;
    let start = input.skip_escape(at - input.run_back(at, LONG, |b| b.is_ascii_alphabetic())).min(at);
    let end = at + input.run(at, LONG, |b| b.is_ascii_alphanumeric());
    input.begins(start).then_some((start, end))
}

/// Whether a word is one of those, which are in lower case.
pub(crate) fn is_one_of(word: &str, known: &[&str]) -> bool {
    if word.is_ascii() {
        let first = word.bytes().next().map(|byte| byte.to_ascii_lowercase());
        let mut alike =
            known.iter().filter(|known| known.len() == word.len() && known.bytes().next() == first);
        return alike.any(|known| known.eq_ignore_ascii_case(word));
    }
    let lower = word.to_lowercase();
    known.contains(&lower.as_str())
}

/// The Luhn check of ISO/IEC 7812-1, annex B, over ASCII digits.
pub(crate) fn luhn(digits: impl DoubleEndedIterator<Item = u8>) -> bool {
    let sum: u32 = digits
        .rev()
        .enumerate()
        .map(|(i, digit)| {
            let digit = u32::from(digit.wrapping_sub(b'0'));
            if i % 2 == 0 { digit } else { digit * 2 - if digit > 4 { 9 } else { 0 } }
        })
        .sum();
    sum.is_multiple_of(10)
}
