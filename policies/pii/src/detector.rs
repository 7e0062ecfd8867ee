//! The detector: one pass of a pre-filter, recognizers where it saw something, overlaps resolved.
//!
//! The pre-filter looks at every byte twice: a range of bytes (digits, `:`, `@`) by a comparison that compiles
//! to vector instructions, and the literals of the recognizers by Aho-Corasick. Where it sees nothing, no
//! recognizer runs. Of overlapping candidates a secret wins, then the more confident, then the longer one; a
//! URL gives way to anything within it. The loser keeps what the winner does not cover, as pieces of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, MatchKind};
use sha2::{Digest, Sha256};

use crate::fold::Folded;
use crate::recognizers::context::{self, Context};
use crate::recognizers::lexicon::{self, Lexicon};
use crate::recognizers::numbered::{self, Forms};
use crate::recognizers::numbers::Numbers;
use crate::recognizers::{
    Candidates, FLOOR, Input, base64, bic, card, coordinates, credential, crypto_address, date, de_tax_id,
    diagnosis_code, email, iban, ip_address, jwt, labelled, mac_address, mrz, phone, place, url, us_ssn, vin,
    word_of_first_digit,
};
use crate::{EntitySet, EntityType, Finding, PhoneRegions, bytes};

/// Raised whenever the code of a recognizer changes what it finds; a changed table shows in the digest by itself.
const REVISION: u32 = 7;

/// What a literal of the pre-filter leads to.
#[derive(Clone, Copy, Debug)]
enum Literal {
    Key(usize),
    Word(&'static str),
    Pem,
    Jwt,
    Www,
    Filler,
    Bic,
}

/// Some literals. The automata are several because a vector search takes only few literals at a time.
#[derive(Debug)]
struct Literals {
    automaton: AhoCorasick,
    kinds: Vec<Literal>,
}

/// How many times a text may be encoded.
const ENCODED_MAX: usize = 2;

/// How many literals an automaton has at most.
const LITERALS_MAX: usize = 30;

/// Finds entities in text. Make one and share it: making it compiles its tables.
#[derive(Clone, Debug)]
pub struct Detector {
    tables: Arc<Tables>,
    kinds: EntitySet,
    regions: PhoneRegions,
    /// What is less certain is not reported.
    floor: u8,
    digest: String,
}

/// The compiled tables.
#[derive(Debug)]
struct Tables {
    literals: Vec<Literals>,
    context: Context,
    forms: Forms,
    plans: phone::Plans,
    lexicon: Lexicon,
    /// Over everything that tells what is found.
    digest: String,
}

impl Detector {
    /// What it is certain of to fewer percent it does not report, unless told otherwise: [`Detector::at_least`].
    pub const USUAL_CONFIDENCE: u8 = FLOOR;

    /// Compiles the tables. The detector looks for the usual kinds: [`EntityType::is_on`].
    pub fn new() -> Self {
        let keys = credential::KEYS.iter().enumerate().map(|(i, key)| (key.prefix, Literal::Key(i)));
        let words = credential::WORDS.iter().map(|word| (*word, Literal::Word(word)));
        let others = [
            (credential::PEM, Literal::Pem),
            (jwt::PREFIX, Literal::Jwt),
            ("www.", Literal::Www),
            (mrz::FILLER, Literal::Filler),
        ];
        let banks = bic::WORDS.iter().map(|word| (*word, Literal::Bic));
        let all: Vec<_> = keys.chain(words).chain(others).chain(banks).collect();
        let literals = all.chunks(LITERALS_MAX).map(Literals::new).collect();
        let tables = Tables {
            literals,
            context: Context::new(),
            forms: Forms::new(),
            plans: phone::Plans::new(),
            lexicon: Lexicon::new(),
            digest: table_digest(),
        };
        let (kinds, regions) = (EntitySet::usual(), PhoneRegions::NONE);
        Self { tables: Arc::new(tables), kinds, regions, floor: FLOOR, digest: String::new() }.digested()
    }

    /// A detector with the same tables that looks for `kinds` and for nothing else.
    #[must_use]
    pub fn looking_for(&self, kinds: EntitySet) -> Self {
        Self { kinds, ..self.clone() }.digested()
    }

    /// A detector that knows the national telephone numbers of `regions` as well.
    #[must_use]
    pub fn calling_from(&self, regions: PhoneRegions) -> Self {
        for region in regions.iter() {
            self.tables.plans.prepare(region);
        }
        Self { regions, ..self.clone() }.digested()
    }

    /// A detector that reports whatever it is certain of to this many percent at least. Below the usual 50 it reports more that
    /// is right, and far more that is not: numbers whose check digits hold by chance (30), and numbers that only look like one
    /// of their kind (8).
    #[must_use]
    pub fn at_least(&self, percent: u8) -> Self {
        Self { floor: percent.clamp(1, 100), ..self.clone() }.digested()
    }

    /// The same with its digest: over the tables, and what it is told to look for.
    fn digested(self) -> Self {
        let Self { kinds, regions, floor, .. } = &self;
        let told = format!("{} {kinds:?} {regions:?} {floor}", self.tables.digest);
        Self { digest: format!("sha256:{}", hex::encode(Sha256::digest(told))), ..self }
    }

    /// The kinds that it looks for.
    pub const fn kinds(&self) -> EntitySet {
        self.kinds
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
        self.scan_level(text, 0, out);
    }

    /// `level` is how many encodings are around the text.
    fn scan_level(&self, text: &str, level: usize, out: &mut Vec<Finding>) {
        let input = Input::new(text, &self.tables.context);
        let mut found = Candidates::new(self.floor, self.kinds);
        self.scan_bytes(&input, &mut found);
        if level < ENCODED_MAX {
            self.scan_encoded(&input, level, &mut found);
        }
        self.scan_literals(&input, &mut found);
        if self.kinds.intersects(lexicon::KINDS) {
            self.tables.lexicon.scan(&input, self.kinds, &mut found);
        }
        resolve(input.bytes, found.found, out);
    }

    /// Words that are base64 of a text: what the text holds, the word holds.
    fn scan_encoded(&self, input: &Input<'_>, level: usize, found: &mut Candidates) {
        let mut inner = Vec::new();
        for word in std::mem::take(&mut found.encoded) {
            inner.clear();
            self.scan_level(&word.text, level + 1, &mut inner);
            if let Some(best) = inner.iter().max_by_key(|finding| {
                (!finding.entity.is_restorable(), !finding.entity.spans_words(), finding.confidence)
            }) {
                found.add(
                    best.entity,
                    word.start,
                    word.end.min(input.bytes.len()),
                    i32::from(best.confidence.percent()),
                );
            }
        }
    }

    /// Digits, `@` and `:`.
    fn scan_bytes(&self, input: &Input<'_>, found: &mut Candidates) {
        let (mut at, mut url_from, mut v6_from) = (0, 0, 0);
        // Digits, `:`, `@` and what is between them in ASCII.
        let of_interest = |byte: u8| byte.wrapping_sub(b'0') <= b'@' - b'0';
        while let Some(next) = bytes::position(input.bytes, at, of_interest) {
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
                        mac_address::at(input, next, found);
                        v6_from = ip_address::v6(input, next, found);
                    }
                }
                _ => {}
            }
        }
    }

    /// A run of `len` digits at `at`; where to go on.
    fn scan_digits(&self, input: &Input<'_>, at: usize, len: usize, found: &mut Candidates) -> usize {
        if self.kinds.contains(EntityType::Credential) {
            credential::by_digit(input, at, found);
        }
        let next = at + len;
        if let Some(end) = iban::at(input, at, found) {
            return end;
        }
        self.scan_places(input, at, len, found);
        if len == 1
            && let Some(spaced) = Numbers::spaced(input, at)
        {
            card::at(input, &spaced, found);
            us_ssn::at(input, &spaced, found);
            de_tax_id::at(input, &spaced, found);
            return spaced.end();
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
        let near = numbers.near();
        phone::at(input, &self.tables.plans, &self.regions, near.as_ref().unwrap_or(&numbers), found);
        next
    }

    /// What begins with a run of digits, or is recognised by one.
    fn scan_places(&self, input: &Input<'_>, at: usize, len: usize, found: &mut Candidates) {
        self.tables.forms.at(input, at, len, found);
        mrz::at(input, at, len, found);
        labelled::at(input, at, len, found);
        if len < 6 {
            self.scan_short(input, at, len, found);
        }
        base64::at(input, at, found);
        if let Some((start, end)) = word_of_first_digit(input, at).filter(|(start, end)| end - start > 13) {
            vin::at(input, start, end, found);
            crypto_address::at(input, start, end, found);
        }
    }

    /// What is recognised by a short run of digits. A recognizer of nothing but kinds that are not looked for need not look.
    fn scan_short(&self, input: &Input<'_>, at: usize, len: usize, found: &mut Candidates) {
        let asked = |kind: EntityType| self.kinds.contains(kind);
        if asked(EntityType::DateOfBirth) || asked(EntityType::PersonalDate) {
            date::at(input, at, len, found);
        }
        if asked(EntityType::Age) {
            date::age(input, at, len, found);
        }
        if asked(EntityType::Coordinates) {
            coordinates::at(input, at, len, found);
        }
        if asked(EntityType::StreetAddress) {
            place::street(input, at, len, found);
        }
        if asked(EntityType::PostalCode) {
            place::postal_code(input, at, len, found);
        }
        if asked(EntityType::DiagnosisCode) {
            diagnosis_code::at(input, at, len, found);
        }
        if asked(EntityType::MacAddress) {
            mac_address::around(input, at, found);
        }
    }

    fn scan_literals(&self, input: &Input<'_>, found: &mut Candidates) {
        for literals in &self.tables.literals {
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
                Some(Literal::Filler) => mrz::line(input, at, found),
                Some(Literal::Bic) => bic::word(input, at, hit.end(), found),
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

/// Resolves overlaps, cluster by cluster of candidates that touch one another, so that it takes time in proportion to the
/// candidates where they do not pile up.
fn resolve(bytes: &[u8], mut candidates: Vec<Finding>, out: &mut Vec<Finding>) {
    // A few sorted runs, one after the other: a stable sort merges them.
    candidates.sort_by_key(|finding| finding.start);
    let mut rest = candidates.as_mut_slice();
    while let Some((first, later)) = rest.split_first() {
        let mut end = first.end;
        let touching = |next: &&Finding| {
            let touches = next.start < end;
            end = end.max(next.end);
            touches
        };
        let len = 1 + later.iter().take_while(touching).count();
        let (cluster, after) = std::mem::take(&mut rest).split_at_mut(len);
        match cluster {
            [alone] => out.extend(says_something(bytes, alone).then_some(*alone)),
            _ => resolve_cluster(bytes, cluster, out),
        }
        rest = after;
    }
}

/// Whether there is a letter or digit in a finding.
fn says_something(bytes: &[u8], finding: &Finding) -> bool {
    let worded = |b: &u8| b.is_ascii_alphanumeric() || !b.is_ascii();
    bytes.get(finding.start..finding.end).unwrap_or_default().iter().any(worded)
}

fn resolve_cluster(bytes: &[u8], candidates: &mut [Finding], out: &mut Vec<Finding>) {
    let rank = |f: &Finding| {
        // What is made of words gives way to what has a form, so that holding words back on a stream changes nothing
        // where no such kind is redacted.
        let kind = match f.entity {
            EntityType::Url => 2,
            entity if entity.spans_words() => 3,
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
        for piece in around(&taken, *candidate) {
            if says_something(bytes, &piece) {
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
fn table_digest() -> String {
    let tables = format!(
        "{} {REVISION} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {}",
        Detector::version(),
        (credential::KEYS, credential::MORE_KEYS),
        credential::WORDS,
        card::ISSUERS,
        numbered::TABLES,
        lexicon::vocabularies(),
        context::words(),
        context::AGAINST,
        phone::NATIONAL,
        context::REACH,
    );
    hex::encode(Sha256::digest(tables))
}
