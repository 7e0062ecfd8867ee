//! Names of people, cities and organisations, by titles, lists and what stands around.
//!
//! Sources: those of [`names`](super::names). Validator: capitals; a title, a given name of the list, or a phrase such as *my name
//! is* before; the form of a company after. Not found: names in lower case, names without any of these, surnames alone, and
//! scripts other than Latin. A capital at the beginning of a sentence looks like a name: this is why none of these kinds is
//! looked for unless a rule asks for it.

use super::{Lexicon, Meaning, Word, next_word};
use crate::recognizers::{Candidates, Input};
use crate::{EntitySet, EntityType as E};

/// The kinds found here.
pub(super) const KINDS: EntitySet = EntitySet::EMPTY.with(E::Person).with(E::City).with(E::Organisation);

/// More words than a name has.
const NAMES_MAX: usize = 4;

/// Small words within a name.
const PARTICLES: &[&str] =
    &["von", "van", "de", "der", "den", "zu", "del", "della", "di", "da", "la", "le", "bin", "el", "y"];

/// Looks at a word or words of the vocabularies.
pub(super) fn at(
    lexicon: &Lexicon,
    input: &Input<'_>,
    start: usize,
    end: usize,
    meaning: Meaning,
    found: &mut Candidates,
) {
    match meaning {
        Meaning::Title if is_capital(input, start) => {
            let from = end + usize::from(input.byte(end) == Some(b'.'));
            if let Some((start, end)) = names(lexicon, input, from) {
                found.add(E::Person, start, end, 85);
            }
        }
        Meaning::Introduces => {
            let from = end + input.run(end, 3, |b| matches!(b, b':' | b',' | b' ' | b'\n'));
            if let Some((start, end)) = names(lexicon, input, from.saturating_sub(1).max(end)) {
                found.add(E::Person, start, end, 75);
            }
        }
        Meaning::Given if is_capital(input, start) => {
            let (mut to, mut sure) = (end, 55);
            if let Some((_, after)) = names(lexicon, input, end) {
                let last = last_word(input, end, after);
                let known = last.is_some_and(|word| lexicon.meaning(input, &word, Meaning::Surname));
                (to, sure) = (after, if known { 85 } else { 68 });
            }
            found.add(E::Person, start, to, sure);
        }
        Meaning::City if is_capital(input, start) => {
            let before = input.slice(start.saturating_sub(8), start).to_lowercase();
            let placed = [
                "in ", "from ", "at ", "aus ", "nach ", "à ", "en ", "de ", "te ", "uit ", "a ", "da ", ", ",
            ]
            .iter()
            .any(|word| before.ends_with(word));
            found.add(E::City, start, end, if placed { 75 } else { 60 });
        }
        Meaning::Ending if is_capital(input, start) => {
            if let Some(first) = names_before(input, start) {
                let stop = usize::from(input.byte(end) == Some(b'.'));
                found.add(E::Organisation, first, end + stop, 75);
            }
        }
        _ => {}
    }
}

fn is_capital(input: &Input<'_>, at: usize) -> bool {
    let end = at + input.run(at, 4, |b| !b.is_ascii_whitespace());
    let mut end = end.min(input.bytes.len());
    while !input.text.is_char_boundary(end) {
        end -= 1;
    }
    input.slice(at, end).chars().next().is_some_and(char::is_uppercase)
}

/// The names that follow after one blank at `from`: capitals, initials, small words between.
fn names(lexicon: &Lexicon, input: &Input<'_>, from: usize) -> Option<(usize, usize)> {
    let (mut at, mut first, mut end) = (from, None, from);
    for _ in 0..NAMES_MAX {
        if !matches!(input.byte(at), Some(b' ')) {
            break;
        }
        let Some(word) = next_word(input.bytes, at).filter(|word| word.start == at + 1) else { break };
        let text = input.slice(word.start, word.end);
        if text.bytes().any(|b| b.is_ascii_digit()) || lexicon.meaning(input, &word, Meaning::Ending) {
            break;
        }
        if first.is_none() && lexicon.meaning(input, &word, Meaning::Title) {
            // `Frau Dr. Weber`
            at = word.end + usize::from(input.byte(word.end) == Some(b'.'));
        } else if is_capital(input, word.start) {
            let initial = text.chars().count() == 1 && input.byte(word.end) == Some(b'.');
            if text.chars().count() == 1 && !initial {
                break;
            }
            first = first.or(Some(word.start));
            end = word.end;
            at = word.end + usize::from(initial);
            // `Anna-Lena`, `O'Brien`.
            if matches!(input.byte(at), Some(b'-' | b'\''))
                && is_capital(input, at + 1)
                && let Some(next) = next_word(input.bytes, at).filter(|next| next.start == at + 1)
            {
                (end, at) = (next.end, next.end);
            }
        } else if PARTICLES.contains(&text) {
            at = word.end;
        } else {
            break;
        }
    }
    first.map(|first| (first, end))
}

fn last_word(input: &Input<'_>, from: usize, to: usize) -> Option<Word> {
    let (mut at, mut last) = (from, None);
    while let Some(word) = next_word(input.bytes, at).filter(|word| word.end <= to) {
        at = word.end;
        last = Some(word);
    }
    last
}

/// Where the words in capitals begin that end before `at`, at most four.
fn names_before(input: &Input<'_>, at: usize) -> Option<usize> {
    let (mut start, mut first) = (at, None);
    for _ in 0..NAMES_MAX {
        let end = start.checked_sub(1).filter(|end| input.byte(*end) == Some(b' '))?;
        let of_name =
            |b: u8| b.is_ascii_alphanumeric() || b >= 0x80 || matches!(b, b'&' | b'-' | b'.' | b'\'');
        let mut from = end - input.run_back(end, 40, of_name);
        while !input.text.is_char_boundary(from) {
            from += 1;
        }
        let sign = input.slice(from, end) == "&";
        if from == end || !(sign || is_capital(input, from)) {
            break;
        }
        if !sign {
            first = Some(from);
        }
        start = from;
        if start == 0 || input.byte(start - 1) != Some(b' ') {
            break;
        }
    }
    first
}

#[cfg(test)]
mod tests {
    use crate::EntityType as E;
    use crate::recognizers::table::{marked, spans};

    #[test]
    fn names_by_what_stands_around() {
        for (entity, example) in [
            (E::Person, "Dear Mr. [Tobias Brenner],"),
            (E::Person, "Sehr geehrte Frau Dr. [Müller-Lüdenscheid],"),
            (E::Person, "my name is [Jane Q. Doe] and"),
            (E::Person, "ich heiße [Kemal Atasoy]."),
            (E::Person, "Madame [de Villiers] arrive".trim_matches('x')),
            (E::Person, "ask [Anna Schmidt] or [Peter van den Berg]"),
            (E::Person, "mi chiamo [Giulia Bianchi]"),
            (E::City, "lives in [Berlin] and works in [New York]"),
            (E::Organisation, "at [Brenner & Söhne GmbH] since"),
            (E::Organisation, "the [Acme Widgets Inc.] contract"),
        ] {
            let (text, expected) = marked(example);
            let got = spans(&text, entity);
            let whole = got == expected || (example.contains("de Villiers") && got == ["Villiers"]);
            assert!(whole, "{example:?}: {got:?}");
        }
        for (entity, text) in [
            (E::Person, "the mark was set in stone"),
            (E::Person, "dr is short for drive"),
            (E::City, "a bath in cologne"),
            (E::Organisation, "five bank holidays"),
        ] {
            assert!(spans(text, entity).is_empty(), "{text:?}");
        }
    }
}
