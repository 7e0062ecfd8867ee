//! Context words: what stands shortly before a candidate raises or lowers the confidence in it.
//!
//! The words of the rows of [`numbered`] and [`labelled`] stand with them; `lists` has the others.
//! Only what stands before counts, so that a stream need not be held back for what may follow.

mod lists;

use std::collections::BTreeMap;

use smallvec::SmallVec;

use super::{Input, labelled, numbered};
use crate::bytes::Block;
use crate::{EntitySet, EntityType};
pub(crate) use lists::AGAINST;
use lists::FOR;

/// How far back a context word may stand, in bytes.
pub(crate) const REACH: usize = 48;

/// How far back a word for something else may stand: only right before.
const REACH_AGAINST: usize = 24;

/// What the words before a candidate say.
#[derive(Clone, Copy, Default)]
pub(crate) struct Says {
    /// A word speaks for the kind.
    pub(crate) yes: bool,
    /// A word speaks for something else.
    pub(crate) no: bool,
}

/// What all words before a place say.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Heard {
    /// The kinds that a word speaks for, no word against them nearer.
    pub(crate) yes: EntitySet,
    /// A word speaks for something else, or did before a nearer word for the kind.
    no: bool,
}

impl Heard {
    pub(crate) const fn says(self, entity: EntityType) -> Says {
        let yes = self.yes.contains(entity);
        Says { yes, no: self.no && !yes }
    }
}

/// The words by what they begin with.
#[derive(Debug)]
pub(crate) struct Context {
    /// Bucket by bucket.
    words: Vec<Word>,
    /// Where each bucket begins, and where the last one ends.
    begins: Vec<u16>,
}

/// A word, and the kinds that it speaks for; none if against.
#[derive(Clone, Debug)]
struct Word {
    text: Box<str>,
    kinds: EntitySet,
}

/// A word that was heard: where it ends and begins, and the kinds that it speaks for.
type Hit = (usize, usize, EntitySet);

/// How many buckets there are: many more than words, since most words of a text are none of these.
const BUCKETS: usize = 1 << 12;

/// The bucket of what begins with these bytes, whatever their case.
fn bucket(head: [u8; 3]) -> usize {
    let [a, b, c] = head.map(|byte| byte | 0x20);
    let hash = u32::from_le_bytes([a, b, c, 0]).wrapping_mul(0x9e37_79b1);
    (hash >> (u32::BITS - BUCKETS.ilog2())) as usize
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte >= 0x80
}

/// Every word with the kinds that it speaks for.
pub(crate) fn words() -> BTreeMap<String, EntitySet> {
    let mut words: BTreeMap<String, EntitySet> = BTreeMap::new();
    let mut add = |word: &str, entity: Option<EntityType>| {
        // Only the case of ASCII is folded when a text is listened to.
        let mut forms = vec![word.to_owned()];
        if !word.is_ascii() {
            let mut letters = word.chars();
            let first = letters.next().map(|c| c.to_uppercase().collect::<String>()).unwrap_or_default();
            forms.extend([word.to_uppercase(), first + letters.as_str()]);
        }
        for form in forms {
            let kinds = words.entry(form).or_default();
            if let Some(entity) = entity {
                kinds.insert(entity);
            }
        }
    };
    let labels = labelled::LABELS.iter().map(|label| (label.entity, label.words));
    let rows = numbered::rows().map(|row| (row.entity, row.words));
    for (entity, list) in FOR.iter().copied().chain(rows).chain(labels) {
        list.iter().for_each(|word| add(word, Some(entity)));
    }
    AGAINST.iter().for_each(|word| add(word, None));
    words
}

impl Context {
    pub(crate) fn new() -> Self {
        let mut buckets: BTreeMap<usize, Vec<Word>> = BTreeMap::new();
        for (text, kinds) in words() {
            let mut places: Vec<usize> = match *text.as_bytes() {
                [a, b, c, ..] => vec![bucket([a, b, c])],
                // After one of two letters anything may stand but a letter.
                [a, b] => (0..=u8::MAX).filter(|c| !is_letter(*c)).map(|c| bucket([a, b, c])).collect(),
                _ => Vec::new(),
            };
            places.sort_unstable();
            places.dedup();
            let word = Word { text: text.into(), kinds };
            places.into_iter().for_each(|place| buckets.entry(place).or_default().push(word.clone()));
        }
        let (mut words, mut begins) = (Vec::new(), vec![0]);
        for place in 0..BUCKETS {
            words.extend(buckets.remove(&place).unwrap_or_default());
            begins.push(u16::try_from(words.len()).unwrap_or(u16::MAX));
        }
        Self { words, begins }
    }

    /// The words that may begin at `at`.
    fn beginning(&self, input: &Input<'_>, at: usize) -> &[Word] {
        let place = match input.span(at, at + 3) {
            [a, b, c] => bucket([*a, *b, *c]),
            // At the very end.
            short => bucket([0, 1, 2].map(|place| short.get(place).copied().unwrap_or(b' '))),
        };
        let words = match self.begins.get(place..place + 2) {
            Some([from, to]) if from < to => self.words.get(usize::from(*from)..usize::from(*to)),
            _ => None,
        };
        words.unwrap_or_default()
    }

    /// What stands before `start` says. Of a word for a kind and a word against, the nearer counts.
    pub(crate) fn hear(&self, input: &Input<'_>, start: usize) -> Heard {
        let from = start.saturating_sub(REACH);
        let mut hits: SmallVec<[Hit; 8]> = SmallVec::new();
        let mut begins = word_begins(input, from, start);
        while begins != 0 {
            let begin = from + begins.trailing_zeros() as usize;
            begins &= begins - 1;
            for word in self.beginning(input, begin) {
                let end = begin + word.text.len();
                let short = word.text.len() <= 4;
                if end <= start
                    && input.span(begin, end).eq_ignore_ascii_case(word.text.as_bytes())
                    && !(short && input.byte(end).is_some_and(is_letter))
                {
                    hits.push((end, begin, word.kinds));
                }
            }
        }
        // Of two that end together the longer one is first.
        hits.sort_unstable_by_key(|(end, begin, _)| (*end, *begin));
        let (mut heard, mut said) = (Heard::default(), 0);
        for (end, _, kinds) in hits {
            if !kinds.is_empty() {
                heard.yes = heard.yes.union(kinds);
                said = end;
            } else if start - end <= REACH_AGAINST && said != end {
                // `reference` within `tax reference` is no word against.
                heard = Heard { yes: EntitySet::EMPTY, no: true };
            }
        }
        heard
    }
}

/// The places from `from` to `to` at which a word may begin, as bits: letters that none stands before, and those after the letter
/// of an escape.
fn word_begins(input: &Input<'_>, from: usize, to: usize) -> u64 {
    const { assert!(REACH <= Block::LEN) };
    let span = input.span(from, to);
    let Block { letters, others, .. } = Block::of(span);
    let letters = letters | others;
    let before = input.before(from).is_some_and(is_letter) && !input.begins(from);
    let mut begins = letters & !(letters << 1 | u64::from(before));
    for at in memchr::memchr_iter(b'\\', span) {
        let place = at + 2;
        if place < span.len() && input.begins(from + place) {
            begins |= letters & 1 << place;
        }
    }
    begins
}

#[cfg(test)]
mod tests {
    use super::*;
    use EntityType::{Card, Phone};

    /// The kinds that are heard at the end of a text, and whether a word against is.
    fn heard(text: &str) -> Heard {
        let context = Context::new();
        Input::new(text, &context).hear(text.len())
    }

    #[test]
    fn every_word_is_heard_in_any_case_and_after_an_escape() {
        let context = Context::new();
        for (word, kinds) in words() {
            assert!(word.len() > 1 && word.bytes().next().is_some_and(is_letter), "{word:?}");
            for text in
                [format!("{word} "), format!("1{word}:"), format!("x\\n{} ", word.to_ascii_uppercase())]
            {
                let heard = Input::new(&text, &context).hear(text.len());
                assert!(
                    heard.yes.intersection(kinds) == kinds && (heard.no || !kinds.is_empty()),
                    "{text:?}"
                );
            }
            let within = format!("x{word} ");
            let heard = Input::new(&within, &context).hear(within.len());
            // Another one may stand within it.
            let one = word.chars().all(char::is_alphabetic);
            assert!(!one || (heard.yes.is_empty() && !heard.no), "{within:?}");
        }
    }

    #[test]
    fn the_nearer_of_two_words_counts() {
        assert!(heard("order by phone ").says(Phone).yes && !heard("order by phone ").says(Phone).no);
        assert!(heard("phone order ").says(Phone).no && !heard("phone order ").says(Phone).yes);
        let reference = heard("tax reference ");
        assert!(reference.says(EntityType::UkUtr).yes && !reference.says(Phone).no);
        assert!(heard("order by phone ").says(Card).no);
    }

    #[test]
    fn what_is_too_far_away_or_cut_is_not_heard() {
        let far = |gap: usize| heard(&format!("phone{}", " ".repeat(gap))).yes.contains(Phone);
        assert!(far(REACH - 5) && !far(REACH - 4));
        let against = |gap: usize| heard(&format!("order{}", " ".repeat(gap))).no;
        assert!(against(REACH_AGAINST) && !against(REACH_AGAINST + 1));
        assert!(!heard("telling ").yes.contains(Phone) && heard("tel ").yes.contains(Phone));
        assert!(!heard("a\\xphone ").yes.contains(Phone));
    }
}
