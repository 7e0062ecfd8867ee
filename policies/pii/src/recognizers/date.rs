//! Dates of birth, dates in a person's life or care, and ages over 89.
//!
//! Source: 45 CFR 164.514(b)(2)(i)(C) (<https://www.ecfr.gov/current/title-45/section-164.514>): all elements of dates but the
//! year, all ages over 89, and all elements of dates that tell such an age, the year among them. Validator: a day and a month
//! that exist, in digits or with the month's name in six languages; a word before it (*born*, *geboren*, *admitted*,
//! *entlassen*). Of a year alone, right after a word for a birth, one up to [`OLD`]. Not found: dates without such a word, which
//! say nothing of a person; later years alone; dates in words; ages without *aged*, *year-old* or their like beside them.

use super::numbered::days_of;
use super::{Candidates, Input, is_one_of};
use crate::EntityType as E;

/// The names of the months in English, German, French, Spanish, Italian, Dutch and Portuguese, and how they are shortened.
const MONTHS: [&[&str]; 12] = [
    &[
        "january", "jan", "januar", "jänner", "januari", "janvier", "janv", "enero", "ene", "gennaio", "gen",
        "janeiro",
    ],
    &[
        "february",
        "feb",
        "februar",
        "februari",
        "février",
        "fév",
        "fevrier",
        "febrero",
        "febbraio",
        "fevereiro",
    ],
    &["march", "mar", "märz", "mär", "maerz", "mrz", "maart", "mrt", "mars", "marzo", "março"],
    &["april", "apr", "avril", "avr", "abril", "abr", "aprile"],
    &["may", "mai", "mei", "mayo", "maggio", "mag", "maio"],
    &["june", "jun", "juni", "juin", "junio", "giugno", "giu", "junho"],
    &["july", "jul", "juli", "juillet", "juil", "julio", "luglio", "lug", "julho"],
    &["august", "aug", "augustus", "août", "aout", "agosto", "ago"],
    &["september", "sep", "sept", "septembre", "septiembre", "settembre", "set", "setembro"],
    &["october", "oct", "oktober", "okt", "octobre", "octubre", "ottobre", "ott", "outubro"],
    &["november", "nov", "novembre", "noviembre", "novembro"],
    &[
        "december",
        "dec",
        "dezember",
        "dez",
        "décembre",
        "déc",
        "decembre",
        "diciembre",
        "dic",
        "dicembre",
        "dezembro",
    ],
];

/// The longest name of a month, in bytes.
const MONTH_MAX: usize = 12;

fn month(word: &str) -> Option<u32> {
    // Most words begin with another letter than any of them.
    let first = word.bytes().next()?.to_ascii_lowercase();
    if !(3..=MONTH_MAX).contains(&word.len()) || !b"adefgjlmnos".contains(&first) {
        return None;
    }
    MONTHS.iter().position(|names| is_one_of(word, names)).and_then(|at| u32::try_from(at + 1).ok())
}

/// Looks at the run of `len` digits at `at`.
pub(crate) fn at(input: &Input<'_>, at: usize, len: usize, found: &mut Candidates) {
    if !matches!(len, 1 | 2 | 4) || !input.begins(at) {
        return;
    }
    if let Some((start, end)) = date(input, at, len) {
        let heard = input.hear(start);
        for (entity, confidence) in [(E::DateOfBirth, 92), (E::PersonalDate, 75)] {
            if heard.yes.contains(entity) {
                found.add(entity, start, end, confidence);
                return;
            }
        }
    } else if len == 4 {
        year_of_birth(input, at, found);
    }
}

/// Whoever was born in this year or before is over 89, or soon will be: a detector has no clock, and asks for too much rather
/// than too little.
const OLD: u32 = 1940;

/// Beginnings of words for a birth, lower case.
const BIRTHS: [&str; 15] = [
    "born",
    "birth",
    "dob",
    "yob",
    "geboren",
    "geb.",
    "geburt",
    "jahrgang",
    "né",
    "naissance",
    "nacid",
    "nacimiento",
    "nat",
    "nascita",
    "geboor",
];

/// How many words a word for a birth may stand before a year: `born in Leeds in`.
const WORDS_TO_A_YEAR: usize = 4;

/// A year soon after a word for a birth, if it tells an age over 89.
fn year_of_birth(input: &Input<'_>, at: usize, found: &mut Candidates) {
    const REACH: usize = 40;
    let end = at + 4;
    let old = input.slice(at, end).parse().is_ok_and(|year: u32| (1880..=OLD).contains(&year));
    let sign = |b: u8| matches!(b, b'.' | b',' | b'-' | b'/' | b':');
    let goes_on =
        input.byte(end).is_some_and(sign) && input.byte(end + 1).is_some_and(|b| b.is_ascii_digit());
    if !old || goes_on || !input.ends(end) {
        return;
    }
    // Within the sentence, and no other number between.
    let within = |b: u8| !matches!(b, b';' | b'\n' | b'!' | b'?') && !b.is_ascii_digit();
    let mut start = at - input.run_back(at, REACH, within);
    while !input.text.is_char_boundary(start) {
        start += 1;
    }
    let before = input.slice(start, at).to_lowercase();
    let sentence = before
        .rsplit_once(". ")
        .filter(|(head, _)| !head.ends_with("geb"))
        .map_or(&*before, |(_, rest)| rest);
    let mut words =
        sentence.rsplit(|c: char| !(c.is_alphabetic() || c == '.')).filter(|word| !word.is_empty());
    if words.by_ref().take(WORDS_TO_A_YEAR).any(is_birth) {
        found.add(E::DateOfBirth, at, end, 75);
    }
}

fn is_birth(word: &str) -> bool {
    let whole = |known: &str| matches!(word.strip_prefix(known), Some("" | "e" | "o" | "a" | "os" | "as"));
    BIRTHS.iter().any(|known| if known.len() < 4 { whole(known) } else { word.starts_with(known) })
}

/// The date that the digits begin, or that a month's name before them begins.
fn date(input: &Input<'_>, at: usize, len: usize) -> Option<(usize, usize)> {
    let after = at + len;
    let first: u32 = input.slice(at, after).parse().ok()?;
    let sign = input.byte(after)?;
    let digits = |at: usize| input.run(at, 5, |b| b.is_ascii_digit());
    if matches!(sign, b'.' | b'/' | b'-') {
        let second_len = digits(after + 1);
        let middle = after + 1 + second_len;
        if (1..=2).contains(&second_len) && input.byte(middle) == Some(sign) {
            let third_len = digits(middle + 1);
            let end = middle + 1 + third_len;
            let second: u32 = input.slice(after + 1, middle).parse().ok()?;
            let third: u32 = input.slice(middle + 1, end).parse().ok()?;
            let holds = |month: u32, day: u32| (1..=days_of(month)).contains(&day);
            let fits = match (len, third_len) {
                (4, 1 | 2) => year(first) && holds(second, third),
                (1 | 2, 2 | 4) => {
                    (third_len == 2 || year(third)) && (holds(second, first) || holds(first, second))
                }
                _ => false,
            };
            let goes_on = input.byte(end) == Some(sign) && digits(end + 1) > 0;
            if fits && !goes_on && (input.ends(end) || input.byte(end) == Some(b'T')) {
                return Some((at, end));
            }
        }
    }
    day_first(input, at, len, first).or_else(|| month_first(input, at, len, first))
}

/// `12 March 1980`, `12. März 1980`, `12 de marzo de 1980`, `1er mars 1980`.
fn day_first(input: &Input<'_>, at: usize, len: usize, day: u32) -> Option<(usize, usize)> {
    if len > 2 || day == 0 {
        return None;
    }
    let mut place = at + len;
    for ordinal in ["st", "nd", "rd", "th", "er", "."] {
        if input.slice(place, place + ordinal.len()) == ordinal {
            place += ordinal.len();
            break;
        }
    }
    place += usize::from(matches!(input.byte(place)?, b' ' | b'-'));
    place = skip(input, place, &["de ", "of "]);
    let name = word(input, place);
    let fits = place > at + len && month(name).is_some_and(|month| day <= days_of(month));
    fits.then(|| (at, with_year(input, place + name.len())))
}

/// `March 12, 1980`.
fn month_first(input: &Input<'_>, at: usize, len: usize, day: u32) -> Option<(usize, usize)> {
    let before = at.checked_sub(1).filter(|before| input.byte(*before) == Some(b' '))?;
    let start = before - input.run_back(before, MONTH_MAX, |b| b.is_ascii_alphabetic() || b == b'.');
    let start = input.skip_escape(start).min(before);
    let name = input.slice(start, before).trim_end_matches('.');
    let fits = len <= 2 && month(name).is_some_and(|month| (1..=days_of(month)).contains(&day));
    (fits && input.begins(start)).then(|| (start, with_year(input, at + len)))
}

const fn year(year: u32) -> bool {
    matches!(year, 1850..=2099)
}

fn skip(input: &Input<'_>, at: usize, words: &[&str]) -> usize {
    words.iter().find(|word| input.slice(at, at + word.len()) == **word).map_or(at, |word| at + word.len())
}

/// The letters from `at` on.
fn word<'t>(input: &Input<'t>, at: usize) -> &'t str {
    let len = input.run(at, MONTH_MAX + 1, |b| b.is_ascii_alphabetic() || b >= 0x80);
    input.slice(at, at + len)
}

/// The end with the year that may follow.
fn with_year(input: &Input<'_>, end: usize) -> usize {
    let mut at = end + input.run(end, 3, |b| matches!(b, b' ' | b',' | b'.' | b'-'));
    at = skip(input, at, &["de ", "del ", "of "]);
    let digits = input.run(at, 5, |b| b.is_ascii_digit());
    if digits == 4 && input.slice(at, at + 4).parse().is_ok_and(year) { at + 4 } else { end }
}

/// What follows an age: one word, glued with a dash or after a blank.
const AFTER: &[&str] = &[
    "year-old",
    "years-old",
    "years old",
    "year old",
    "yo",
    "y/o",
    "y.o.",
    "yrs old",
    "jahre alt",
    "jährige",
    "jährigen",
    "jähriger",
    "ans",
    "años",
    "anni",
    "jaar oud",
    "jarige",
];

/// Looks for an age over 89 in the run of `len` digits at `at`.
pub(crate) fn age(input: &Input<'_>, at: usize, len: usize, found: &mut Candidates) {
    if !matches!(len, 2 | 3) || !input.begins(at) {
        return;
    }
    let end = at + len;
    let old = input.slice(at, end).parse().is_ok_and(|age: u32| (90..=125).contains(&age));
    let alone = !matches!(input.byte(end), Some(b'%' | b'.' | b',' | b'/' | b':' | b'-') if input.byte(end + 1).is_some_and(|b| b.is_ascii_digit()))
        && !matches!(input.before(at), Some(b'.' | b',' | b'/' | b':' | b'-' | b'$' | b'#' | b'v'));
    if !old || !alone || input.byte(end) == Some(b'%') {
        return;
    }
    let next = end + input.run(end, 1, |b| matches!(b, b' ' | b'-'));
    let follows = next > end || input.byte(end).is_some_and(|b| b.is_ascii_alphabetic());
    let said = follows
        && AFTER.iter().any(|after| {
            let to = next + after.len();
            input.text.get(next..to).is_some_and(|text| text.to_lowercase() == **after) && input.ends(to)
        });
    let before = input.says(at, E::Age).yes && input.ends(end);
    // `ans` and `años` are also durations: `il y a 95 ans`.
    let word = input.text.get(next..).is_some_and(|text| text.starts_with("ans") || text.starts_with("año"));
    let confidence = match (before, said) {
        (true, _) => 80,
        (false, true) if !word || is_of_somebody(input, at) => 80,
        _ => 0,
    };
    found.add(E::Age, at, end, confidence);
}

/// Whether what stands right before an age in French or Spanish says that somebody has it.
fn is_of_somebody(input: &Input<'_>, at: usize) -> bool {
    const BEFORE: [&str; 16] = [
        "elle a ",
        "il a ",
        "patient a ",
        "patiente a ",
        "mère a ",
        "père a ",
        "femme de ",
        "homme de ",
        "dame de ",
        "patient de ",
        "patiente de ",
        "tiene ",
        "mujer de ",
        "hombre de ",
        "paciente de ",
        "señora de ",
    ];
    const REACH: usize = 16;
    let mut start = at.saturating_sub(REACH);
    while !input.text.is_char_boundary(start) {
        start += 1;
    }
    let before = input.slice(start, at).to_lowercase();
    BEFORE.iter().any(|words| before.ends_with(words))
}

#[cfg(test)]
mod tests {
    use crate::EntityType as E;
    use crate::recognizers::table::{finds, finds_not};

    #[test]
    fn dates_of_birth() {
        finds(
            E::DateOfBirth,
            &[
                ("born on [12/03/1980] in Leeds", 92),
                ("DOB: [1980-03-12]", 92),
                ("geboren am [12.3.1980]", 92),
                ("geb. [12.03.80],", 92),
                ("date of birth: [March 12, 1980]", 92),
                ("né le [12 mars 1980]", 92),
                ("nacida el [12 de marzo de 1980]", 92),
                ("geboren op [12 maart 1980]", 92),
                ("nato il [1 gennaio 1990]", 92),
                ("Geburtsdatum [12. März 1980].", 92),
                ("born in [1932]", 75),
                ("she was born in Leeds in [1929].", 75),
                ("year of birth: [1931]", 75),
                ("Jahrgang [1933]", 75),
                ("geb. [1930], verwitwet", 75),
                ("née en [1928] à Lyon", 75),
                ("nacida en [1930]", 75),
                ("nato nel [1927]", 75),
                ("geboren in [1931]", 75),
            ],
        );
        finds_not(
            E::DateOfBirth,
            &[
                "12/03/1980",
                "born in 1980",
                "the war of 1914",
                "born in 1980, when the house of 1932 burnt",
                "He was born there. In 1932 it burnt",
                "geb. 1932.5",
                "native of 1932",
                "born on 45/13/1980",
                "geboren in Berlin",
                "DOB 1980-13-12",
                "version born 1.2.3",
            ],
        );
    }

    #[test]
    fn every_name_of_a_month_is_known_in_any_case() {
        for (at, names) in super::MONTHS.iter().enumerate() {
            for name in *names {
                let month = u32::try_from(at + 1).ok();
                assert_eq!(
                    (super::month(name), super::month(&name.to_uppercase())),
                    (month, month),
                    "{name}"
                );
            }
        }
        assert_eq!((super::month("and"), super::month("mars"), super::month("marts")), (None, Some(3), None));
    }

    #[test]
    fn dates_of_care_and_life() {
        finds(
            E::PersonalDate,
            &[
                ("admitted [2024-03-12] with", 75),
                ("entlassen am [12.03.2024]", 75),
                ("died [March 3, 2021]", 75),
                ("décédé le [3 mars 2021]", 75),
            ],
        );
        finds_not(
            E::PersonalDate,
            &["released 2024-03-12", "the meeting on 12.03.2024", "admitted in March"],
        );
    }

    #[test]
    fn ages() {
        finds(
            E::Age,
            &[
                ("a [93]-year-old man", 80),
                ("aged [101], she", 80),
                ("she is [92] years old", 80),
                ("[94] Jahre alt", 80),
                ("âgé de [96] ans", 80),
                ("leeftijd: [91]", 80),
                ("die [94]-jährige Patientin", 80),
                ("la patiente a [94] ans", 80),
                ("une femme de [92] ans", 80),
                ("mi madre tiene [91] años", 80),
                ("il paziente ha [93] anni", 80),
                ("zij is [95] jaar oud", 80),
                ("[97]yo male", 80),
            ],
        );
        finds_not(
            E::Age,
            &[
                "a 45-year-old man",
                "93 pages",
                "age 12",
                "aged 93%",
                "93.5 years",
                "in 120 years",
                "depuis 95 ans",
                "il y a 95 ans",
                "hace 95 años",
            ],
        );
    }
}
