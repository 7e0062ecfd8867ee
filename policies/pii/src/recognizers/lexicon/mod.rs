//! Words: vocabularies of health and of the special categories, and names, by one pass over the words of a text.
//!
//! Sources: those that each list names at its head. Validator: the list, and where somebody is meant, a word for a person.
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
mod words;

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::{Candidates, Input};
use crate::{EntitySet, EntityType as E};
use words::{Word, Words, hash_folded, next_word, word_at};

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
    /// The same without the words of names.
    filter_without_names: Vec<u64>,
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

impl Lexicon {
    pub(crate) fn new() -> Self {
        let filter = vec![0; (FILTER_BITS / 64) as usize];
        let mut lexicon = Self { filter_without_names: filter.clone(), filter, terms: HashMap::default() };
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
        let of_names = !matches!(meaning, Meaning::Term(_) | Meaning::Somebody);
        let filters = [Some(&mut self.filter), (!of_names).then_some(&mut self.filter_without_names)];
        for filter in filters.into_iter().flatten() {
            if let Some(bits) = filter.get_mut((hash % FILTER_BITS / 64) as usize) {
                *bits |= 1 << (hash % 64);
            }
        }
    }

    /// Looks at every word, for the kinds asked for.
    pub(crate) fn scan(&self, input: &Input<'_>, kinds: EntitySet, found: &mut Candidates) {
        // Where the last word for a person ends.
        let (mut words, mut person) = (Words::new(input.bytes), None);
        let named = kinds.intersects(person::KINDS);
        let filter = if named { &self.filter } else { &self.filter_without_names };
        while let Some(word) = words.next() {
            if !may_hold(filter, word.hash) {
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
                        words.skip_to(end);
                    }
                    Meaning::Term(_) => continue,
                    Meaning::Somebody => {
                        person = Some(end);
                        continue;
                    }
                    meaning if named => {
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
        may_hold(&self.filter, word.hash)
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

/// Whether a word with this hash may be in a filter's tables.
fn may_hold(filter: &[u64], hash: u64) -> bool {
    filter.get((hash % FILTER_BITS / 64) as usize).is_some_and(|bits| bits >> (hash % 64) & 1 == 1)
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
    use crate::EntityType as E;
    use crate::recognizers::table::{marked, spans};

    /// What is said of somebody, in each language.
    const SAID: [(super::Lang, &str); 6] = [
        (super::Lang::En, "My colleague:"),
        (super::Lang::De, "Mein Kollege:"),
        (super::Lang::Fr, "Mon collègue :"),
        (super::Lang::Es, "Mi colega:"),
        (super::Lang::It, "Il mio collega:"),
        (super::Lang::Nl, "Mijn collega:"),
    ];

    #[test]
    fn every_word_of_every_vocabulary_is_found_said_of_somebody() {
        use super::{categories, health};
        let mut wrong = Vec::new();
        let mut look = |entity: E, lang: super::Lang, words: &str| {
            let said = SAID.iter().find(|(of, _)| *of == lang).map_or("", |(_, said)| said);
            for word in words.split('|') {
                for word in [word.to_owned(), word.to_uppercase()] {
                    let text = format!("{said} {word}, yes");
                    // Words of which one is within another are found as the longer one.
                    let got = spans(&text, entity);
                    if got.concat().is_empty() {
                        wrong.push(format!("{entity} {text:?}"));
                    }
                }
            }
        };
        for (lang, words) in health::WORDS {
            look(E::HealthCondition, *lang, words);
        }
        look(E::HealthCondition, super::Lang::En, health::EVERYWHERE);
        for (entity, lang, words) in categories::WORDS {
            look(*entity, *lang, words);
        }
        assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    }

    #[test]
    fn every_special_category_has_words_in_six_languages() {
        use super::{categories, health};
        let of_articles = [
            E::Religion,
            E::EthnicOrigin,
            E::PoliticalOpinion,
            E::TradeUnion,
            E::SexualOrientation,
            E::GeneticData,
            E::BiometricData,
        ];
        for (lang, _) in SAID {
            for category in of_articles {
                let words =
                    categories::WORDS.iter().filter(|(entity, of, _)| (*entity, *of) == (category, lang));
                let count: usize = words.map(|(.., words)| words.split('|').count()).sum();
                assert!(count >= 4, "{category} {lang:?}: {count}");
            }
            assert!(
                health::WORDS.iter().any(|(of, words)| *of == lang && words.split('|').count() > 50),
                "{lang:?}"
            );
        }
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
