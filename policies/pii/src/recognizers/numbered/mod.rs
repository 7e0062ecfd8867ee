//! Numbers that authorities issue: a row each, with the ways to write it, its check and its words.
//!
//! A run of digits is classified once, by its length and by the letters before it: that gives the few forms that can
//! begin there. A form is compared with the text as it stands, then the row's check is asked. A number whose check few
//! others pass, or whose form nothing else has, is reported alone; the others only where one of the row's words stands
//! before. *Blind spots.* Numbers written in another form than the rows list; numbers split over lines; a word that
//! follows the number.

mod americas;
mod asia_pacific;
mod baltic;
mod central;
mod checks;
mod dach;
mod health;
mod islands;
mod nordic;
mod south;
mod things;
mod vat;
mod west;

use std::ops::Range;

use smallvec::SmallVec;

use super::numbers::Numbers;
use super::{Candidates, FLOOR, Input, UNSPOKEN};
use crate::{EntitySet, EntityType};
use checks::Check;
pub(crate) use checks::{days_of, mod_11_10};
pub(crate) use dach::icao;

/// One kind of number.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) entity: EntityType,
    /// Each way to write it, and the confidence in it where no word speaks for it. 0 is the usual one of numbers that need a word:
    /// less than is reported, unless a detector is told to.
    ///
    /// `#` stands for a digit, `@` for a letter, `*` for either, a blank for one blank, dash, full stop or slash, the
    /// same all over; anything else for itself.
    pub(crate) forms: &'static [(&'static str, u8)],
    pub(crate) check: Check,
    /// The confidence where a word speaks for it.
    pub(crate) worded: u8,
    /// Words before it that speak for it, lower case, in the languages where it is used.
    pub(crate) words: &'static [&'static str],
    /// Who says so.
    pub(crate) source: &'static str,
    /// Texts in which what stands between brackets is found, and nothing else of the kind.
    pub(crate) examples: &'static [&'static str],
    /// Texts in which nothing of the kind is found.
    pub(crate) others: &'static [&'static str],
}

/// The tables.
pub(crate) const TABLES: &[&[Row]] = &[
    things::ROWS,
    health::ROWS,
    americas::ROWS,
    islands::ROWS,
    dach::ROWS,
    west::ROWS,
    south::ROWS,
    nordic::ROWS,
    baltic::ROWS,
    central::ROWS,
    asia_pacific::ROWS,
    vat::ROWS,
];

/// What the tables of numbers say of one kind of number: for documentation, and for whoever wants to check it.
#[derive(Clone, Copy, Debug)]
pub struct NumberKind {
    /// The kind.
    pub entity: EntityType,
    /// The ways to write it: `#` a digit, `@` a letter, `*` either, a blank one blank, dash, full stop or slash.
    pub forms: &'static [(&'static str, u8)],
    /// Words before it that speak for it.
    pub words: &'static [&'static str],
    /// Who says so.
    pub source: &'static str,
    /// Texts in which what stands between brackets is found.
    pub examples: &'static [&'static str],
    /// Texts in which nothing of the kind is found.
    pub others: &'static [&'static str],
}

impl NumberKind {
    /// Every kind of number in the tables. A kind may have several entries.
    pub fn all() -> impl Iterator<Item = Self> {
        rows().map(|row| Self {
            entity: row.entity,
            forms: row.forms,
            words: row.words,
            source: row.source,
            examples: row.examples,
            others: row.others,
        })
    }

    /// Whether the number is found only where one of its words stands before.
    pub fn needs_words(&self) -> bool {
        self.forms.iter().all(|(_, alone)| *alone < FLOOR)
    }
}

/// Every row.
pub(crate) fn rows() -> impl Iterator<Item = &'static Row> {
    TABLES.iter().copied().flatten()
}

/// Letters before the first digit, at most.
const LETTERS_MAX: usize = 6;

/// Digits in the first run, at most.
const RUN_MAX: usize = 16;

/// More letters and digits than any number has.
const LEN_MAX: usize = 24;

/// The letters and digits of a number.
type Compact = SmallVec<[u8; LEN_MAX]>;

/// A way to write a number, as it is looked for.
#[derive(Clone, Copy, Debug)]
struct Form {
    row: &'static Row,
    written: &'static str,
    /// The confidence where no word speaks for it.
    alone: u8,
}

impl Form {
    /// How certain it is at most where no word speaks for it.
    fn silent(self) -> i32 {
        if self.alone == 0 { UNSPOKEN } else { i32::from(self.alone) }
    }
}

/// Forms that begin alike.
#[derive(Clone, Debug, Default)]
struct Alike {
    /// In an order in which those that are written alike follow one another.
    forms: Vec<Form>,
    kinds: EntitySet,
    /// The most certain of them where no word speaks for it.
    silent: i32,
}

impl Alike {
    fn add(&mut self, form: Form) {
        self.kinds.insert(form.row.entity);
        self.silent = self.silent.max(form.silent());
        self.forms.push(form);
        self.forms.sort_by_key(|form| form.written);
    }
}

/// Forms that begin alike, by what follows their first run of digits.
#[derive(Clone, Debug, Default)]
struct Bucket {
    nothing: Alike,
    letter: Alike,
    /// A sign, and then a digit.
    digit: Alike,
    /// A sign, and then a letter.
    other: Alike,
}

impl Bucket {
    /// Adds a form whose first run ends at `end`.
    fn add(&mut self, form: Form, end: usize) {
        let mut rest = form.written.bytes().skip(end);
        match rest.next() {
            None => self.nothing.add(form),
            Some(b'@' | b'*' | b'a'..=b'z' | b'A'..=b'Z') => self.letter.add(form),
            Some(_) if matches!(rest.next(), Some(b'#' | b'0'..=b'9')) => self.digit.add(form),
            Some(_) => self.other.add(form),
        }
    }
}

/// The forms by the letters before their first digit, whether something stands between, and the length of the first
/// run of digits.
#[derive(Debug)]
pub(crate) struct Forms(Vec<Bucket>);

fn bucket(letters: usize, apart: bool, run: usize) -> Option<usize> {
    (letters <= LETTERS_MAX && run <= RUN_MAX)
        .then_some((letters * 2 + usize::from(apart)) * (RUN_MAX + 1) + run)
}

impl Forms {
    pub(crate) fn new() -> Self {
        let mut buckets = vec![Bucket::default(); (LETTERS_MAX + 1) * 2 * (RUN_MAX + 1)];
        for row in rows() {
            for (written, alone) in row.forms {
                for (place, end) in places(written) {
                    if let Some(bucket) = buckets.get_mut(place) {
                        bucket.add(Form { row, written, alone: *alone }, end);
                    }
                }
            }
        }
        Self(buckets)
    }

    /// Looks at the run of `len` digits at `at`.
    pub(crate) fn at(&self, input: &Input<'_>, at: usize, len: usize, found: &mut Candidates) {
        if len > RUN_MAX {
            return;
        }
        let letter = |b: u8| b.is_ascii_alphabetic();
        if input.begins(at) {
            self.try_all(input, (0, false), at..at + len, at, found);
            if matches!(input.before(at), Some(b' ' | b'-' | b'.')) {
                let letters = input.run_back(at - 1, LETTERS_MAX + 1, letter);
                let start = input.skip_escape(at - 1 - letters).min(at - 1);
                if (1..=LETTERS_MAX).contains(&letters) && input.begins(start) {
                    self.try_all(input, (at - 1 - start, true), at..at + len, start, found);
                }
            }
            return;
        }
        let start = input.skip_escape(at - input.run_back(at, LETTERS_MAX + 2, letter)).min(at);
        let letters = at - start;
        if letters <= LETTERS_MAX && input.begins(start) {
            self.try_all(input, (letters, false), at..at + len, start, found);
        }
        // Glued to the word for it: `IdNr86095742719`.
        if letters > 1 && len > 5 {
            self.try_all(input, (0, false), at..at + len, at, found);
        }
    }

    /// Tries every form with so many letters, something behind them or not, before a run of digits.
    fn try_all(
        &self,
        input: &Input<'_>,
        (letters, apart): (usize, bool),
        run: Range<usize>,
        start: usize,
        found: &mut Candidates,
    ) {
        let Some(bucket) = bucket(letters, apart, run.len()).and_then(|at| self.0.get(at)) else { return };
        let next = input.byte(run.end);
        if next.is_some_and(|b| b.is_ascii_alphanumeric()) {
            try_each(input, &bucket.letter, start, found);
            return;
        }
        try_each(input, &bucket.nothing, start, found);
        match next.and_then(|_| input.byte(run.end + 1)) {
            Some(b'0'..=b'9') => try_each(input, &bucket.digit, start, found),
            Some(b'a'..=b'z' | b'A'..=b'Z') => try_each(input, &bucket.other, start, found),
            _ => {}
        }
    }
}

fn try_each(input: &Input<'_>, alike: &Alike, start: usize, found: &mut Candidates) {
    let floor = i32::from(found.floor);
    // What only a word can make certain enough is not looked at without one.
    let unheard = |silent: i32, kinds: EntitySet| silent < floor && !input.hear(start).yes.intersects(kinds);
    if !found.kinds.intersects(alike.kinds) || unheard(alike.silent, alike.kinds) {
        return;
    }
    // What the form before read, if it is written like this one.
    let mut last: Option<(&str, Option<Reading>)> = None;
    for form @ Form { row, written, alone } in &alike.forms {
        if !found.kinds.contains(row.entity) || unheard(form.silent(), EntitySet::EMPTY.with(row.entity)) {
            continue;
        }
        let (_, reading) = match &mut last {
            Some(last) if last.0 == *written => last,
            last => last.insert((written, read(input, written, start))),
        };
        let Some(reading) = reading else { continue };
        if !row.check.holds(&reading.compact) {
            continue;
        }
        let glued = !input.begins(start);
        let heard = input.hear(start);
        let says = heard.says(row.entity);
        let bordered = is_bordered(input, start, reading.end, written, says.yes);
        if !bordered || (glued && !(says.yes && Numbers::is_in_a_word(input, start, reading.end))) {
            continue;
        }
        let unspoken = match *alone {
            // A word speaks for another kind.
            0 if !heard.yes.is_empty() => UNSPOKEN - 10,
            0 => UNSPOKEN,
            alone => i32::from(alone),
        };
        let confidence = match (says.yes, says.no) {
            (true, _) => i32::from(row.worded),
            // Lower case is what hashes and names in code are written in.
            _ if reading.lower => 0,
            (_, true) => unspoken - 25,
            _ => unspoken,
        };
        found.add(row.entity, start, reading.end, confidence);
    }
}

/// What a form read.
struct Reading {
    end: usize,
    /// In upper case.
    compact: Compact,
    /// Whether a letter was in lower case.
    lower: bool,
}

/// Compares `form` with the text at `start`.
fn read(input: &Input<'_>, form: &str, start: usize) -> Option<Reading> {
    let (mut compact, mut lower, mut sign) = (Compact::new(), false, None);
    for (place, of) in form.bytes().enumerate() {
        let byte = input.byte(start + place)?;
        let fits = match of {
            b'#' => byte.is_ascii_digit(),
            b'@' => byte.is_ascii_alphabetic(),
            b'*' => byte.is_ascii_alphanumeric(),
            b' ' => matches!(byte, b' ' | b'-' | b'.' | b'/') && *sign.get_or_insert(byte) == byte,
            of => byte.eq_ignore_ascii_case(&of),
        };
        if !fits {
            return None;
        }
        lower |= byte.is_ascii_lowercase();
        if byte.is_ascii_alphanumeric() {
            compact.push(byte.to_ascii_uppercase());
        }
    }
    Some(Reading { end: start + form.len(), compact, lower })
}

/// Whether a number may begin and end where it does.
fn is_bordered(input: &Input<'_>, start: usize, end: usize, form: &str, worded: bool) -> bool {
    let word =
        |at: Option<usize>| at.and_then(|at| input.byte(at)).is_some_and(|b| b.is_ascii_alphanumeric());
    let digit = |at: Option<usize>| at.and_then(|at| input.byte(at)).is_some_and(|b| b.is_ascii_digit());
    let lone = worded && !form.contains([' ', '-', '.', '/']);
    // A group of a longer row of groups, unless a word says otherwise.
    let row = !worded
        && form.contains(' ')
        && (input.byte(end) == Some(b' ') && digit(Some(end + 1))
            || input.before(start) == Some(b' ') && digit(start.checked_sub(2)));
    let begins = match input.before(start) {
        Some(b'.' | b'+') => !digit(start.checked_sub(2)) && input.before(start) != Some(b'+'),
        Some(b'-' | b'/' | b':') => lone || !word(start.checked_sub(2)),
        _ => true,
    };
    let ends = match input.byte(end) {
        Some(b'.') => !digit(Some(end + 1)),
        Some(b'-' | b'/' | b':') => lone || !word(Some(end + 1)),
        Some(b'%') => false,
        _ => input.ends(end),
    };
    begins && ends && !row && (worded || !is_size(input, start, end, form))
}

/// Whether digits and a letter are a size, as collectors of garbage write them: `[1048576K->174765K(1223168K)]`.
fn is_size(input: &Input<'_>, start: usize, end: usize, form: &str) -> bool {
    let unit = form.starts_with('#')
        && form.ends_with("#@")
        && matches!(input.byte(end - 1), Some(b'B' | b'K' | b'M' | b'G' | b'T'));
    unit && (matches!(input.before(start), Some(b'[' | b'(' | b'>' | b'='))
        || input.byte(end) == Some(b'(')
        || input.span(end, end + 2) == b"->")
}

/// The buckets of a form, and where its first run of digits ends in each.
fn places(form: &str) -> impl Iterator<Item = (usize, usize)> {
    let first = form.find(|c: char| c == '#' || c.is_ascii_digit()).unwrap_or(0);
    let (head, rest) = form.split_at(first);
    let apart = head.ends_with([' ', '-', '.']);
    let (head, letters) = (head.len(), head.len() - usize::from(apart));
    let run = rest.bytes().take_while(|b| b.is_ascii_digit() || *b == b'#').count();
    // As many of the letters or digits behind it as are digits, and if all are, the digits behind them.
    let more = rest.bytes().skip(run).take_while(|b| *b == b'*').count();
    let behind = rest.bytes().skip(run + more).take_while(|b| *b == b'#').count();
    let runs = (run..=run + more).map(move |to| if to == run + more { to + behind } else { to });
    runs.filter_map(move |run| Some((bucket(letters, apart, run)?, head + run)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recognizers::table::{marked, spans};

    #[test]
    fn sizes_are_no_numbers() {
        use crate::EntityType::{EsNif, IePps};
        let found = |text: &str, entity| spans(text, entity);
        // Both have the right letter.
        assert_eq!(found("so 1048585K and 10485774M", IePps), ["1048585K"]);
        assert_eq!(found("so 1048585K and 10485774M", EsNif), ["10485774M"]);
        for text in [
            "[1048585K->174765K(1223168K)]",
            "x>1048585K(",
            "heap=1048585K",
            "10485774M->10485774M(10485774M)",
        ] {
            assert!(found(text, IePps).is_empty() && found(text, EsNif).is_empty(), "{text}");
        }
        assert_eq!(found("DNI=10485774M", EsNif), ["10485774M"]);
    }

    #[test]
    fn every_row_finds_its_examples_and_nothing_else() {
        let mut wrong = Vec::new();
        for row in rows() {
            assert!(row.source.starts_with("https://"), "{:?} has no source", row.entity);
            assert!(!row.examples.is_empty() && !row.others.is_empty(), "{:?} has no examples", row.entity);
            for (form, _) in row.forms {
                assert!(places(form).next().is_some(), "{form:?} has no bucket");
            }
            for example in row.examples {
                let (text, expected) = marked(example);
                let got = spans(&text, row.entity);
                if got != expected {
                    wrong.push(format!("{:?} {example:?}: {got:?}", row.entity));
                }
            }
            for text in row.others {
                let got = spans(text, row.entity);
                if !got.is_empty() {
                    wrong.push(format!("{:?} {text:?}: {got:?}", row.entity));
                }
            }
        }
        assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    }

    #[test]
    fn form_of_a_text() {
        let mut seen = [0; 4];
        for row in rows() {
            for (form, alone) in row.forms {
                seen[usize::from(form.contains('@'))] += 1;
                seen[2 + usize::from(*alone == 0)] += 1;
                let compact = form.bytes().filter(u8::is_ascii_alphanumeric).count();
                assert!(form.len() < 40 && compact <= LEN_MAX, "{form:?}");
                assert!(row.worded >= 50 && *alone < row.worded, "{form:?}");
            }
        }
        assert!(seen.iter().all(|n| *n > 0), "{seen:?}");
    }
}
