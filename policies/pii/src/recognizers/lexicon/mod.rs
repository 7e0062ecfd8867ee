//! Words: vocabularies of health and of the special categories, and names, by one pass over the words of a text.
//!
//! Each word is folded to lower case and looked up once, whatever the number of vocabularies; a filter of bits keeps the
//! tables out of the way of the words that are in none. Words are also known with the common endings of their language and
//! without their accents. A word of a special category counts only where a word for a person stands before it in the same
//! sentence; without one a word about health is only that. *Window.* A term has at most five words. *Blind spots.*
//! Words that are not listed, misspelt words, compounds (`Krebsverdacht`), irony and negation: `he is not Catholic` is a
//! finding. Names: see [`names`].

mod categories;
mod health;
mod names;
mod person;

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::{Candidates, Input};
use crate::{EntitySet, EntityType as E};

/// A language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lang {
    En,
    De,
    Fr,
    Es,
    It,
    Nl,
}

impl Lang {
    /// The endings that a word of the language may take.
    const fn endings(self) -> &'static [&'static str] {
        match self {
            Self::En => &["s", "es"],
            Self::De => &["e", "en", "er", "es", "em", "n", "s"],
            Self::Fr => &["s", "e", "es"],
            Self::Es => &["s", "es"],
            Self::It => &[],
            Self::Nl => &["e", "en", "s"],
        }
    }
}

/// The kinds found by words.
pub(crate) const KINDS: EntitySet = person::KINDS
    .with(E::HealthTerm)
    .with(E::HealthCondition)
    .with(E::Religion)
    .with(E::EthnicOrigin)
    .with(E::PoliticalOpinion)
    .with(E::TradeUnion)
    .with(E::SexualOrientation)
    .with(E::GeneticData)
    .with(E::BiometricData);

/// How far before a term a word for a person may stand, in bytes.
const PERSON_REACH: usize = 56;

/// What a word or the words from it on mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Term(E),
    Somebody,
    Given,
    Surname,
    City,
    Title,
    Introduces,
    Ending,
}

/// A term: its words and what they mean.
#[derive(Debug)]
struct Term {
    /// The words after the first, in lower case.
    rest: Vec<String>,
    first: String,
    meaning: Meaning,
}

/// Bits of the filter.
const FILTER_BITS: u64 = 1 << 17;

/// The compiled vocabularies.
#[derive(Debug)]
pub(crate) struct Lexicon {
    filter: Vec<u64>,
    /// Terms by the hash of their first word; longer ones first.
    terms: HashMap<u64, Vec<Term>, BuildHasherDefault<Hashed>>,
}

/// Everything that tells what is found: for the digest.
pub(crate) fn vocabularies() -> impl std::fmt::Debug {
    (
        (health::EVERYWHERE, health::WORDS, categories::WORDS, categories::PEOPLE),
        (names::GIVEN, names::SURNAMES, names::CITIES, names::TITLES, names::INTRODUCE, names::ENDINGS),
    )
}

/// A word of the text.
#[derive(Clone, Copy, Debug)]
struct Word {
    start: usize,
    end: usize,
    hash: u64,
}

impl Lexicon {
    pub(crate) fn new() -> Self {
        let mut lexicon = Self { filter: vec![0; (FILTER_BITS / 64) as usize], terms: HashMap::default() };
        lexicon.add_all(health::EVERYWHERE, None, Meaning::Term(E::HealthTerm));
        for (lang, words) in health::WORDS {
            lexicon.add_all(words, Some(*lang), Meaning::Term(E::HealthTerm));
        }
        for (entity, lang, words) in categories::WORDS {
            lexicon.add_all(words, Some(*lang), Meaning::Term(*entity));
        }
        for word in categories::PEOPLE {
            lexicon.add_all(word, None, Meaning::Somebody);
        }
        for (words, meaning) in [
            (names::GIVEN, Meaning::Given),
            (names::SURNAMES, Meaning::Surname),
            (names::CITIES, Meaning::City),
            (names::TITLES, Meaning::Title),
            (names::INTRODUCE, Meaning::Introduces),
            (names::ENDINGS, Meaning::Ending),
        ] {
            lexicon.add_all(words, None, meaning);
        }
        for terms in lexicon.terms.values_mut() {
            terms.sort_by_key(|term| std::cmp::Reverse(term.rest.len()));
        }
        lexicon
    }

    fn add_all(&mut self, words: &str, lang: Option<Lang>, meaning: Meaning) {
        for term in words.split('|') {
            let endings = lang.map_or(&[][..], Lang::endings);
            for form in
                std::iter::once(term.to_owned()).chain(endings.iter().map(|end| format!("{term}{end}")))
            {
                self.add(&form, meaning);
                let plain: String = form.nfd().filter(|c| !is_combining_mark(*c)).collect();
                if plain != form {
                    self.add(&plain, meaning);
                }
                if lang == Some(Lang::De) && !form.is_ascii() {
                    let spelt =
                        form.replace('ä', "ae").replace('ö', "oe").replace('ü', "ue").replace('ß', "ss");
                    self.add(&spelt, meaning);
                }
            }
        }
    }

    fn add(&mut self, term: &str, meaning: Meaning) {
        let words: Vec<String> =
            term.split([' ', '-', '.', '\'']).filter(|word| !word.is_empty()).map(str::to_owned).collect();
        let Some((first, rest)) = words.split_first() else { return };
        let hash = next_word(first.as_bytes(), 0).map_or(0, |word| word.hash);
        let terms = self.terms.entry(hash).or_default();
        if terms.iter().any(|t| t.first == *first && t.rest == rest && t.meaning == meaning) {
            return;
        }
        terms.push(Term { rest: rest.to_vec(), first: first.clone(), meaning });
        if let Some(bits) = self.filter.get_mut((hash % FILTER_BITS / 64) as usize) {
            *bits |= 1 << (hash % 64);
        }
    }

    fn may_hold(&self, hash: u64) -> bool {
        self.filter.get((hash % FILTER_BITS / 64) as usize).is_some_and(|bits| bits >> (hash % 64) & 1 == 1)
    }

    /// Looks at every word, for the kinds asked for.
    pub(crate) fn scan(&self, input: &Input<'_>, kinds: EntitySet, found: &mut Candidates) {
        // Where the last word for a person ends.
        let (mut at, mut person) = (0, None);
        while let Some(word) = next_word(input.bytes, at) {
            at = word.end;
            if !self.may_hold(word.hash) {
                continue;
            }
            let Some(terms) = self.terms.get(&word.hash) else { continue };
            let joined = |at: Option<u8>| at.is_some_and(|b| b == b'_' || b.is_ascii_digit());
            if joined(input.before(word.start)) || joined(input.byte(word.end)) {
                continue;
            }
            for term in terms {
                let Some(end) = Self::end_of(input, &word, term) else { continue };
                // An address of the web may hold a word, but none that goes on after it.
                if !term.rest.is_empty() && !is_free(input, word.start) {
                    continue;
                }
                match term.meaning {
                    Meaning::Term(entity) if kinds.contains(entity) || entity == E::HealthTerm => {
                        Self::said(input, word.start, end, entity, person, found);
                        at = at.max(end);
                    }
                    Meaning::Term(_) => continue,
                    Meaning::Somebody => {
                        person = Some(end);
                        continue;
                    }
                    meaning if kinds.intersects(person::KINDS) => {
                        person::at(self, input, word.start, end, meaning, found);
                        continue;
                    }
                    _ => continue,
                }
                break;
            }
        }
    }

    /// What the word from `start` to `end` means, if it is a single one.
    fn meaning(&self, input: &Input<'_>, word: &Word, is: Meaning) -> bool {
        self.may_hold(word.hash)
            && self.terms.get(&word.hash).is_some_and(|terms| {
                terms.iter().any(|term| {
                    term.meaning == is
                        && term.rest.is_empty()
                        && same(input.slice(word.start, word.end), &term.first)
                })
            })
    }

    /// Where the term ends that begins with `word`, if it stands there.
    fn end_of(input: &Input<'_>, word: &Word, term: &Term) -> Option<usize> {
        if !same(input.slice(word.start, word.end), &term.first) {
            return None;
        }
        let mut end = word.end;
        for expected in &term.rest {
            // One blank, dash, full stop or apostrophe between.
            let gap = match input.byte(end) {
                Some(b' ' | b'-' | b'.' | b'\n' | b'\'') => 1,
                Some(0xe2) => 3,
                _ => return None,
            };
            let next = word_at(input.bytes, end + gap)?;
            if !same(input.slice(next.start, next.end), expected) {
                return None;
            }
            end = next.end;
        }
        Some(end)
    }

    /// A term, said of somebody or not.
    fn said(
        input: &Input<'_>,
        start: usize,
        end: usize,
        entity: E,
        person: Option<usize>,
        found: &mut Candidates,
    ) {
        match (entity, is_said_of(input, person, start)) {
            (E::HealthTerm, true) => found.add(E::HealthCondition, start, end, 78),
            (E::HealthTerm, false) => found.add(E::HealthTerm, start, end, 65),
            (_, true) => found.add(entity, start, end, 72),
            (_, false) => {}
        }
    }
}

/// Whether the word for a person that ended at `person` stands before `start` in the same sentence.
fn is_said_of(input: &Input<'_>, person: Option<usize>, start: usize) -> bool {
    let Some(person) = person.filter(|person| person + PERSON_REACH > start && *person <= start) else {
        return false;
    };
    // The full stop after `Mr` ends no sentence.
    let from = person + usize::from(input.byte(person) == Some(b'.'));
    let ends = |b: &u8| matches!(b, b'.' | b'!' | b'?' | b'\n' | b';');
    !input.span(from.min(start), start).iter().any(ends)
}

/// Whether white space or an opening mark stands before `start`, so that no other finding without blanks ends within.
fn is_free(input: &Input<'_>, start: usize) -> bool {
    match input.before(start) {
        None | Some(b'"' | b'\'') => true,
        Some(b'(' | b'[') => start < 2 || input.byte(start - 2).is_some_and(|b| b.is_ascii_whitespace()),
        Some(byte) => byte.is_ascii_whitespace() || input.begins(start) && matches!(byte, b'n' | b't' | b'r'),
    }
}

/// Whether a word of the text is a word in lower case.
fn same(word: &str, lower: &str) -> bool {
    word.eq_ignore_ascii_case(lower) || (!word.is_ascii() && word.to_lowercase() == *lower)
}

/// The next word from `at` on. A word is letters (ASCII, and those of Latin, Greek and Cyrillic script) and the digits after
/// them.
fn next_word(bytes: &[u8], at: usize) -> Option<Word> {
    let rest = bytes.get(at..)?;
    word_at(bytes, at + rest.iter().position(|byte| is(*byte, STARTS))?)
}

/// The word of letters and digits that begins at `start`. `None` if there is none.
fn word_at(bytes: &[u8], start: usize) -> Option<Word> {
    let rest = bytes.get(start..)?;
    let (mut length, mut all) = (0, 0);
    for byte in rest {
        if !is(*byte, CONTINUES) {
            break;
        }
        all |= byte;
        length += 1;
    }
    let word = rest.get(..length).filter(|word| !word.is_empty())?;
    let hash = if all.is_ascii() { hash_ascii(word, rest) } else { hash_folded(word) };
    Some(Word { start, end: start + length, hash })
}

const STARTS: u8 = 1;
const CONTINUES: u8 = 2;

/// What each byte may do in a word.
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0_u8;
    loop {
        let starts = byte.is_ascii_alphabetic() || (byte >= 0xc3 && byte <= 0xd3);
        let continues = starts || byte.is_ascii_digit() || (byte >= 0x80 && byte <= 0xbf);
        #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler; a byte is below 256")]
        {
            classes[byte as usize] = if starts { STARTS } else { 0 } | if continues { CONTINUES } else { 0 };
        }
        if byte == u8::MAX {
            break classes;
        }
        byte += 1;
    }
};

fn is(byte: u8, class: u8) -> bool {
    CLASSES.get(usize::from(byte)).is_some_and(|classes| classes & class != 0)
}

/// Eight bytes more of a word, the first one lowest, zeros after its end.
fn mix(hash: u64, eight: u64) -> u64 {
    let product = (hash ^ eight).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    // The high bits are mixed best.
    product ^ (product >> 32)
}

/// The hash of a word of ASCII letters and digits in lower case. `rest` begins with the word and may go on after it, so that
/// eight bytes can be read at once.
fn hash_ascii(word: &[u8], rest: &[u8]) -> u64 {
    // Sets the bit that makes a letter small, which digits have too.
    const SMALL: u64 = 0x2020_2020_2020_2020;
    let (mut hash, mut at) = (0, 0);
    while at < word.len() {
        let left = word.len() - at;
        let mask = if left < 8 { (1_u64 << (8 * left)) - 1 } else { u64::MAX };
        let eight = match rest.get(at..).and_then(<[u8]>::first_chunk::<8>) {
            Some(eight) => u64::from_le_bytes(*eight),
            None => word.iter().skip(at).rev().fold(0, |eight, byte| eight << 8 | u64::from(*byte)),
        };
        hash = mix(hash, (eight | SMALL) & mask);
        at += 8;
    }
    hash
}

/// The same of any word: of Latin-1 the capitals too are folded, and equal words of ASCII have equal hashes.
fn hash_folded(word: &[u8]) -> u64 {
    let mut last = 0;
    let folded = word.iter().map(|byte| {
        let folded = match *byte {
            b @ b'A'..=b'Z' => b | 0x20,
            // The capitals of Latin-1, as their second byte.
            b @ 0x80..=0x9e if last == 0xc3 && b != 0x97 => b | 0x20,
            b => b,
        };
        last = *byte;
        folded
    });
    let (mut hash, mut eight, mut bits) = (0, 0, 0);
    for byte in folded {
        eight |= u64::from(byte) << bits;
        bits += 8;
        if bits == 64 {
            hash = mix(hash, eight);
            (eight, bits) = (0, 0);
        }
    }
    if bits > 0 { mix(hash, eight) } else { hash }
}

/// Takes the hash of a word, which needs no other: only its halves are laid over each other for the table.
#[derive(Clone, Copy, Debug, Default)]
struct Hashed(u64);

impl std::hash::Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = hash_folded(bytes);
    }

    fn write_u64(&mut self, hash: u64) {
        // The table takes its seven bits of control from the highest.
        self.0 = hash.rotate_left(32) ^ hash;
    }
}

#[cfg(test)]
mod tests {
    use super::{hash_folded, next_word};
    use crate::EntityType as E;
    use crate::recognizers::table::{marked, spans};

    #[test]
    fn a_word_has_one_hash_whatever_its_case_and_whatever_follows() {
        let letters = "Abcdefgh1JKLMNopqrstuvwxyz9";
        let mut seen = std::collections::HashSet::new();
        for length in 1..=letters.len() {
            let word = letters.get(..length).unwrap();
            let expected = hash_folded(word.to_lowercase().as_bytes());
            assert!(seen.insert(expected), "{word} has the hash of a shorter one");
            for text in [
                word.to_owned(),
                format!("{word} and more words"),
                format!("{word}. Or"),
                word.to_uppercase(),
            ] {
                let found = next_word(text.as_bytes(), 0).unwrap();
                assert_eq!((found.start, found.end, found.hash), (0, length, expected), "{text:?}");
            }
        }
        let hash = |text: &str| next_word(text.as_bytes(), 0).unwrap().hash;
        assert_eq!(hash("ÜBERMÜDUNG"), hash("übermüdung"));
        assert_ne!(hash("übermüdung"), hash("ubermudung"));
    }

    #[test]
    fn words_of_six_languages() {
        for (entity, example) in [
            (E::HealthTerm, "What are the symptoms of [diabetes]?"),
            (E::HealthCondition, "My father has [Type 2 Diabetes] and takes [metformin]."),
            (E::HealthCondition, "Die Patientin leidet an [Depressionen]."),
            (E::HealthCondition, "Ich bin [schwanger]"),
            (E::HealthCondition, "la patiente souffre d'[épilepsie]"),
            (E::HealthCondition, "El paciente tiene [cáncer de pulmón]."),
            (E::HealthCondition, "La paziente è [incinta]"),
            (E::HealthCondition, "De patiënt heeft [longkanker]"),
            (E::HealthCondition, "he was diagnosed with [multiple sclerosis] in 2019"),
            (E::Religion, "She is [Catholic] and"),
            (E::Religion, "mein Kollege ist [evangelisch]"),
            (E::Religion, "The [Catholic] church".trim_matches('x')),
            (E::EthnicOrigin, "my neighbour is [Kurdish]"),
            (E::PoliticalOpinion, "his wife is a [Labour Party] member"),
            (E::TradeUnion, "Herr Weber ist [Gewerkschaftsmitglied]"),
            (E::TradeUnion, "employee is a [union member]"),
            (E::SexualOrientation, "he told us that he is [gay]"),
            (E::GeneticData, "her [BRCA1] result"),
            (E::BiometricData, "the employee's [fingerprint] was stored"),
        ] {
            let (text, mut expected) = marked(example);
            if example.starts_with("The [") {
                expected.clear();
            }
            assert_eq!(spans(&text, entity), expected, "{example:?}");
        }
        for (entity, text) in [
            (E::Religion, "Catholic churches of the 12th century"),
            (E::SexualOrientation, "The gay rights movement began"),
            (E::HealthTerm, "snake_diabetes_case and diabetes2"),
            (E::HealthCondition, "He left. Diabetes is common."),
            (E::TradeUnion, "the European Union"),
        ] {
            assert!(spans(text, entity).is_empty(), "{text:?}");
        }
    }
}
