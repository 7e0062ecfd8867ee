//! The patterns of numbering plans as tables, one look-up a digit.
//!
//! They are regular expressions of few parts: digits, `\\d`, classes of digits, groups, `|`, `?` and `{2,4}`. A text is made to
//! an automaton (K. Thompson, *Regular expression search algorithm*, CACM 11(6), 1968) and that to one without choices.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Some digits: bit `n` for the digit `n`.
type Digits = u16;

/// A part of an expression.
enum Part {
    Digit(Digits),
    Each(Vec<Self>),
    Any(Vec<Self>),
    /// Least and most times.
    Times(Box<Self>, usize, usize),
}

/// The rest of an expression that is being read.
struct Reader<'p>(&'p [u8]);

impl Reader<'_> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn take(&mut self, byte: u8) -> bool {
        let rest = self.0.strip_prefix(&[byte]);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn any(&mut self) -> Option<Part> {
        let mut branches = vec![self.each()?];
        while self.take(b'|') {
            branches.push(self.each()?);
        }
        Some(Part::Any(branches))
    }

    fn each(&mut self) -> Option<Part> {
        let mut parts = Vec::new();
        while self.0.first().is_some_and(|byte| !matches!(byte, b'|' | b')')) {
            let part = self.one()?;
            parts.push(self.times(part)?);
        }
        Some(Part::Each(parts))
    }

    fn one(&mut self) -> Option<Part> {
        match self.next()? {
            byte @ b'0'..=b'9' => Some(Part::Digit(1 << (byte - b'0'))),
            b'\\' => self.take(b'd').then_some(Part::Digit(0x3ff)),
            b'[' => self.class(),
            b'(' => {
                if self.take(b'?') && !self.take(b':') {
                    return None;
                }
                let group = self.any()?;
                self.take(b')').then_some(group)
            }
            _ => None,
        }
    }

    fn class(&mut self) -> Option<Part> {
        let mut digits = 0;
        while !self.take(b']') {
            let first = self.next().filter(u8::is_ascii_digit)?;
            let last = if self.take(b'-') { self.next().filter(u8::is_ascii_digit)? } else { first };
            (first..=last).for_each(|digit| digits |= 1 << (digit - b'0'));
        }
        Some(Part::Digit(digits))
    }

    fn times(&mut self, part: Part) -> Option<Part> {
        if self.take(b'?') {
            return Some(Part::Times(Box::new(part), 0, 1));
        }
        if !self.take(b'{') {
            return Some(part);
        }
        let least = self.number()?;
        let most = if self.take(b',') { self.number()? } else { least };
        self.take(b'}').then(|| Part::Times(Box::new(part), least, most))
    }

    fn number(&mut self) -> Option<usize> {
        let len = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (number, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        std::str::from_utf8(number).ok()?.parse().ok()
    }
}

/// An automaton with choices. State 0 is the end.
struct Choices(Vec<Choice>);

enum Choice {
    End,
    Digit(Digits, usize),
    Fork(Vec<usize>),
}

impl Choices {
    fn push(&mut self, choice: Choice) -> usize {
        self.0.push(choice);
        self.0.len() - 1
    }

    /// Adds a part that `next` follows; where it begins.
    fn add(&mut self, part: &Part, next: usize) -> usize {
        match part {
            Part::Digit(digits) => self.push(Choice::Digit(*digits, next)),
            Part::Each(parts) => parts.iter().rev().fold(next, |next, part| self.add(part, next)),
            Part::Any(branches) => {
                let begins = branches.iter().map(|branch| self.add(branch, next)).collect();
                self.push(Choice::Fork(begins))
            }
            Part::Times(part, least, most) => {
                let mut begin = next;
                for _ in *least..*most {
                    let once = self.add(part, begin);
                    begin = self.push(Choice::Fork(vec![once, next]));
                }
                (0..*least).fold(begin, |next, _| self.add(part, next))
            }
        }
    }

    /// The states that are reached without a digit, forks left out.
    fn reached(&self, mut from: Vec<usize>) -> Vec<usize> {
        let mut reached = Vec::new();
        while let Some(state) = from.pop() {
            match self.0.get(state) {
                Some(Choice::Fork(to)) => from.extend(to),
                _ => reached.push(state),
            }
        }
        reached.sort_unstable();
        reached.dedup();
        reached
    }

    /// The states after a digit.
    fn after(&self, states: &[usize], digit: usize) -> Vec<usize> {
        let next = states.iter().filter_map(|state| match self.0.get(*state) {
            Some(Choice::Digit(digits, next)) if digits >> digit & 1 == 1 => Some(*next),
            _ => None,
        });
        self.reached(next.collect())
    }
}

/// A pattern as a table.
#[derive(Debug)]
pub(super) struct Pattern {
    /// For each state the next one after each digit, and whether a number may end in it. From the state 0 nothing leads to an
    /// end; a number begins in the state 1.
    states: Vec<([u16; 10], bool)>,
}

impl Pattern {
    /// Compiles an expression; white space in it means nothing. `None` if it has other parts than those of numbering plans.
    pub(super) fn new(expression: &str) -> Option<Self> {
        let expression: Vec<u8> = expression.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let mut reader = Reader(&expression);
        let whole = reader.any().filter(|_| reader.0.is_empty())?;
        let mut choices = Choices(vec![Choice::End]);
        let begin = choices.add(&whole, 0);
        let mut sets = vec![Vec::new(), choices.reached(vec![begin])];
        let mut known: HashMap<Vec<usize>, u16> = HashMap::from([(Vec::new(), 0)]);
        known.entry(sets.last()?.clone()).or_insert(1);
        let mut states = Vec::new();
        while let Some(set) = sets.get(states.len()).cloned() {
            let mut next = [0; 10];
            for (digit, next) in next.iter_mut().enumerate() {
                *next = match known.entry(choices.after(&set, digit)) {
                    Entry::Occupied(known) => *known.get(),
                    Entry::Vacant(new) => {
                        sets.push(new.key().clone());
                        *new.insert(u16::try_from(sets.len() - 1).ok()?)
                    }
                };
            }
            states.push((next, set.first() == Some(&0)));
        }
        Some(Self { states })
    }

    /// Whether it matches all of the digits.
    pub(super) fn is_match(&self, digits: &str) -> bool {
        let mut state = 1;
        for byte in digits.bytes() {
            state = self.after(state, byte);
            if state == 0 {
                return false;
            }
        }
        self.is_end(state)
    }

    /// Whether it matches what the digits begin with.
    pub(super) fn begins(&self, digits: &str) -> bool {
        let mut state = 1;
        self.is_end(state)
            || digits.bytes().any(|byte| {
                state = self.after(state, byte);
                self.is_end(state)
            })
    }

    fn after(&self, state: u16, byte: u8) -> u16 {
        let next = self.states.get(usize::from(state)).map(|(next, _)| next);
        next.and_then(|next| next.get(usize::from(byte.wrapping_sub(b'0')))).copied().unwrap_or(0)
    }

    fn is_end(&self, state: u16) -> bool {
        self.states.get(usize::from(state)).is_some_and(|(_, end)| *end)
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn a_pattern_matches_whole_numbers() {
        for (expression, matches, others) in [
            ("12|3", &["12", "3"][..], &["", "1", "2", "123", "33", "a"][..]),
            ("[2-47]\\d{2}", &["200", "499", "712"], &["500", "20", "2000", "100"]),
            ("0(?:1[2-4]|5)?6", &["06", "0126", "0146", "056"], &["0", "0116", "0156", "0566"]),
            ("(\\d{2,4})(9)", &["009", "12349", "999"], &["09", "1234", "123499"]),
            ("1{3}(?:2|\n  3\n)", &["1112", "1113"], &["112", "11123", "1114"]),
            ("(?:1?2){2}", &["22", "1212", "212", "122"], &["2", "112", "222"]),
        ] {
            let pattern = Pattern::new(expression).unwrap();
            for digits in matches {
                assert!(pattern.is_match(digits), "{expression}: {digits}");
                assert!(pattern.begins(&format!("{digits}0")), "{expression}: {digits}0");
            }
            for digits in others {
                assert!(!pattern.is_match(digits), "{expression}: {digits}");
            }
        }
        let pattern = Pattern::new("1[28]").unwrap();
        assert!(!pattern.begins("1") && !pattern.begins("1912") && pattern.begins("18"));
    }

    #[test]
    fn other_expressions_are_none() {
        for expression in
            ["a", "1+", "1*", "(1", "1)", "[1", "[a]", "1{2", "1{,2}", "(?=1)", "^1$", "\\w", "."]
        {
            assert!(Pattern::new(expression).is_none(), "{expression}");
        }
    }
}
