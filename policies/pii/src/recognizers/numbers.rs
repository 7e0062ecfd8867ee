//! Groups of digits with separators between them: what cards, phones and national numbers are written as.

use smallvec::SmallVec;

use super::Input;

/// More groups than any number has.
const GROUPS_MAX: usize = 10;

/// More digits than any number has.
const DIGITS_MAX: usize = 24;

/// Fewer digits that are written one by one are a list.
const SPACED_MIN: usize = 9;

/// The longest separator: white space, a line break among it perhaps, and one dash.
const SEPARATOR_MAX: usize = 8;

/// How far a word reaches around a number that is glued to it, as far as it matters.
const WORD_MAX: usize = 64;

/// More digits after a dash or a slash belong to the number; fewer are a check value or a date.
pub(crate) const ASIDE_MAX: usize = 4;

/// What stands before a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Separator {
    /// The first group.
    None,
    Space,
    Dash,
    Dot,
    Slash,
    /// A parenthesis, alone or with a space or dash.
    Parenthesis,
    /// White space of several characters, or a dash with white space around it.
    Wide,
    /// The same with a line break.
    Break,
}

/// What stands before a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Before {
    /// Nothing of a word or number, or a sign after a letter.
    Clear,
    /// One of `-/:_` after a digit.
    Sign(u8),
    /// A full stop after a digit: the number is a fraction or part of a version.
    Dot,
    /// A letter.
    Letter,
}

/// What follows a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// Nothing of a word or number.
    Clear,
    /// A dash, full stop or slash, and that many digits.
    Sign(Separator, usize),
    /// A letter.
    Letter,
}

/// A run of digits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) separator: Separator,
    /// How many digits.
    pub(crate) len: usize,
}

/// The groups from one place on, as far as they may belong together.
pub(crate) struct Numbers {
    pub(crate) groups: SmallVec<[Group; GROUPS_MAX]>,
    /// All their digits.
    pub(crate) digits: SmallVec<[u8; 48]>,
    /// Whether a number can begin at the first group: it does not continue a word or a number.
    pub(crate) begins: bool,
    /// What stands before the first group, for numbers that something of their own confirms.
    pub(crate) before: Before,
    /// Whether no other group stands before the first, a space between.
    pub(crate) fresh: bool,
}

impl Numbers {
    /// Reads the groups from the digit at `at` on. `None` if there are too few digits for anything.
    pub(crate) fn read(input: &Input<'_>, at: usize) -> Option<Self> {
        let mut groups = SmallVec::new();
        let mut digits = SmallVec::new();
        let (mut start, mut separator) = (at, Separator::None);
        loop {
            let len = input.run(start, usize::MAX, |b| b.is_ascii_digit());
            let end = start + len;
            if len > DIGITS_MAX || digits.len() + len > DIGITS_MAX {
                break;
            }
            digits.extend_from_slice(input.span(start, end));
            groups.push(Group { start, end, separator, len });
            let Some((next, kind)) = Self::separator(input, end) else { break };
            if groups.len() == GROUPS_MAX {
                break;
            }
            (start, separator) = (next, kind);
        }
        let begins = match input.before(at) {
            // After `12-`, `12.` or `12/` the number goes on; after a space a new one may begin.
            Some(b'-' | b'.' | b'/' | b':' | b'_') => {
                at < 2
                    || !input.byte(at - 2).is_some_and(|b| b.is_ascii_alphanumeric())
                    || (matches!(input.before(at), Some(b':' | b'_'))
                        && !input.byte(at - 2).is_some_and(|b| b.is_ascii_digit()))
            }
            _ => input.begins(at),
        };
        let fresh = !(matches!(input.before(at), Some(b' '))
            && at.checked_sub(2).and_then(|at| input.byte(at)).is_some_and(|b| b.is_ascii_digit()));
        let before = Self::before(input, at);
        (digits.len() >= 4).then_some(Self { groups, digits, begins, before, fresh })
    }

    fn before(input: &Input<'_>, at: usize) -> Before {
        let sign = input.before(at).filter(|b| matches!(b, b'-' | b'.' | b'/' | b':' | b'_'));
        let digit = at.checked_sub(2).and_then(|at| input.byte(at)).is_some_and(|b| b.is_ascii_digit());
        match sign {
            Some(b'.') if digit => Before::Dot,
            Some(sign) if digit => Before::Sign(sign),
            None if !input.begins(at) => Before::Letter,
            _ => Before::Clear,
        }
    }

    /// The number that begins with the `whole` digits at `start`, if it is written with a fraction or an exponent and whole
    /// all the same, as one group: `4111111111111111.0` and `4.111111111111111e15` (RFC 8259, section 6) say what
    /// `4111111111111111` says. The value is exact, however many zeros it is written with.
    pub(crate) fn literal(input: &Input<'_>, start: usize, whole: usize) -> Option<Self> {
        let digits_at = |at: usize| input.run(at, usize::MAX, |b| b.is_ascii_digit());
        let point = start + whole;
        let fraction = if input.byte(point) == Some(b'.') { digits_at(point + 1) } else { 0 };
        let mut end = if fraction > 0 { point + 1 + fraction } else { point };
        let exponent = Self::exponent(input, end);
        if fraction == 0 && exponent.is_none() {
            return None;
        }
        let mut places = 0;
        if let Some((exponent, after)) = exponent {
            (places, end) = (exponent, after);
        }
        let before = Self::before(input, start);
        let goes_on =
            input.byte(end) == Some(b'.') && input.byte(end + 1).is_some_and(|b| b.is_ascii_digit());
        if before == Before::Dot || goes_on || !input.ends(end) {
            return None;
        }
        let written = || input.span(start, point).iter().chain(input.span(point + 1, point + 1 + fraction));
        let zeros = written().take_while(|digit| **digit == b'0').count();
        let trailing = written().rev().take_while(|digit| **digit == b'0').count();
        let significant = (whole + fraction).checked_sub(zeros + trailing)?;
        let len = i64::try_from(whole).ok()?.checked_add(places)?.checked_sub(i64::try_from(zeros).ok()?)?;
        let len = usize::try_from(len).ok().filter(|len| (significant..=DIGITS_MAX).contains(len))?;
        let mut digits: SmallVec<[u8; 48]> = written().skip(zeros).take(significant).copied().collect();
        digits.resize(len, b'0');
        let groups = SmallVec::from_iter([Group { start, end, separator: Separator::None, len }]);
        Some(Self { groups, digits, begins: before == Before::Clear, before, fresh: true })
    }

    /// The digit at `at` and those after it, if they are written one by one with the same blank, dash or full stop between:
    /// `4 1 1 1 …`. As one group.
    pub(crate) fn spaced(input: &Input<'_>, at: usize) -> Option<Self> {
        let sign = input.byte(at + 1).filter(|b| matches!(b, b' ' | b'-' | b'.'))?;
        let digit = |at: usize| input.byte(at).is_some_and(|b| b.is_ascii_digit());
        let mut digits: SmallVec<[u8; 48]> = SmallVec::from_slice(input.span(at, at + 1));
        let mut end = at + 1;
        while input.byte(end) == Some(sign) && digit(end + 1) && !digit(end + 2) && digits.len() < DIGITS_MAX
        {
            digits.extend_from_slice(input.span(end + 1, end + 2));
            end += 2;
        }
        if digits.len() < SPACED_MIN {
            return None;
        }
        let before = Self::before(input, at);
        let len = digits.len();
        let groups = SmallVec::from_iter([Group { start: at, end, separator: Separator::None, len }]);
        Some(Self { groups, digits, begins: before == Before::Clear, before, fresh: true })
    }

    /// Where the last group ends.
    pub(crate) fn end(&self) -> usize {
        self.groups.last().map_or(0, |group| group.end)
    }

    /// The exponent at `at` and where it ends. One of more digits than any number of interest has is taken for a large one.
    fn exponent(input: &Input<'_>, at: usize) -> Option<(i64, usize)> {
        if !matches!(input.byte(at), Some(b'e' | b'E')) {
            return None;
        }
        let sign = matches!(input.byte(at + 1), Some(b'+' | b'-'));
        let first = at + 1 + usize::from(sign);
        let end = first + input.run(first, usize::MAX, |b| b.is_ascii_digit());
        let digits = input.slice(first, end);
        if digits.is_empty() {
            return None;
        }
        let digits = digits.trim_start_matches('0');
        let places: i64 = if digits.is_empty() { 0 } else { digits.parse().unwrap_or(i64::MAX / 4) };
        Some((if input.byte(at + 1) == Some(b'-') { -places } else { places }, end))
    }

    /// The separator at `at`, if a digit follows it.
    fn separator(input: &Input<'_>, at: usize) -> Option<(usize, Separator)> {
        use Separator::{Dash, Dot, Parenthesis, Slash, Space};
        let digit = |at: usize| input.byte(at).is_some_and(|b| b.is_ascii_digit());
        let one = match input.byte(at)? {
            b' ' | b'\t' => Space,
            b'\n' | b'\r' => Separator::Break,
            b'-' => Dash,
            b'.' => Dot,
            b'/' => Slash,
            b'(' | b')' => Parenthesis,
            _ => return None,
        };
        if digit(at + 1) {
            return Some((at + 1, one));
        }
        let two = (input.byte(at)?, input.byte(at + 1)?);
        if matches!(two, (b')', b' ' | b'-' | b'/') | (b' ' | b'-', b'(')) {
            return digit(at + 2).then_some((at + 2, Parenthesis));
        }
        let of_gap = |b: u8| matches!(b, b' ' | b'\t' | b'\n' | b'\r' | b'-');
        if !of_gap(two.1) {
            return None;
        }
        let len = input.run(at, SEPARATOR_MAX, of_gap);
        let between = input.span(at, at + len);
        let dashes = between.iter().filter(|b| **b == b'-').count();
        let kind = if between.contains(&b'\n') { Separator::Break } else { Separator::Wide };
        (dashes < 2 && digit(at + len)).then_some((at + len, kind))
    }

    /// The groups before the first wide gap, if there is one.
    pub(crate) fn near(&self) -> Option<Self> {
        let wide = |group: &Group| matches!(group.separator, Separator::Wide | Separator::Break);
        let groups = self.groups.iter().position(wide)?;
        let (mut near, len) = (self.groups.clone(), self.digits_of(groups).len());
        near.truncate(groups);
        let digits = SmallVec::from_slice(self.digits.get(..len)?);
        Some(Self { groups: near, digits, ..*self })
    }

    /// The digits of the first `groups` groups.
    pub(crate) fn digits_of(&self, groups: usize) -> &[u8] {
        let len: usize = self.groups.iter().take(groups).map(|g| g.len).sum();
        self.digits.get(..len).unwrap_or_default()
    }

    /// Where the first `groups` groups end, if a number can end there.
    pub(crate) fn end_of(&self, input: &Input<'_>, groups: usize) -> Option<usize> {
        let end = self.groups.get(groups.checked_sub(1)?)?.end;
        let goes_on = self.groups.get(groups).is_some_and(|next| {
            matches!(next.separator, Separator::Dash | Separator::Dot | Separator::Slash)
        });
        (!goes_on && input.ends(end)).then_some(end)
    }

    /// Where the first `groups` groups end and what follows them.
    pub(crate) fn end_and_after(&self, input: &Input<'_>, groups: usize) -> Option<(usize, After)> {
        let end = self.groups.get(groups.checked_sub(1)?)?.end;
        let after = match self.groups.get(groups) {
            Some(next) if matches!(next.separator, Separator::Dash | Separator::Dot | Separator::Slash) => {
                After::Sign(next.separator, next.len)
            }
            _ if input.ends(end) => After::Clear,
            _ => After::Letter,
        };
        Some((end, after))
    }

    /// Whether the word that a number from `start` to `end` is glued to cannot be hexadecimal, be it a hash or `0x…`.
    pub(crate) fn is_in_a_word(input: &Input<'_>, start: usize, end: usize) -> bool {
        let of_word = |b: u8| b.is_ascii_alphanumeric();
        let before = input.span(start - input.run_back(start, WORD_MAX, of_word), start);
        let after = input.span(end, end + input.run(end, WORD_MAX, of_word));
        let hex = |b: &u8| b.is_ascii_hexdigit();
        !(matches!(before, [b'0', b'x' | b'X']) || before.iter().chain(after).all(hex))
    }

    /// Whether only few digits stand before the sign before the first group: a number of its own, not of this one.
    pub(crate) fn is_after_few(&self, input: &Input<'_>) -> bool {
        let sign = self.start().saturating_sub(1);
        let few = input.run_back(sign, ASIDE_MAX + 1, |b| b.is_ascii_digit());
        let start = sign - few;
        (1..=ASIDE_MAX).contains(&few)
            && input.begins(start)
            && !matches!(input.before(start), Some(b'-' | b'.' | b'/'))
    }

    /// Where the first group starts.
    pub(crate) fn start(&self) -> usize {
        self.groups.first().map_or(0, |g| g.start)
    }

    /// Whether the first groups have these lengths.
    pub(crate) fn has_shape(&self, lengths: &[usize]) -> bool {
        self.groups.len() >= lengths.len()
            && self.groups.iter().zip(lengths).all(|(group, len)| group.len == *len)
    }

    /// The lengths of the first `groups` groups.
    pub(crate) fn shape(&self, groups: usize) -> SmallVec<[usize; GROUPS_MAX]> {
        self.groups.iter().take(groups).map(|g| g.len).collect()
    }

    /// The separators between the first `groups` groups.
    pub(crate) fn separators(&self, groups: usize) -> impl Iterator<Item = Separator> + '_ {
        self.groups.iter().take(groups).skip(1).map(|g| g.separator)
    }

    /// The separator of the first `groups` groups, if it is the same between all.
    pub(crate) fn uniform(&self, groups: usize) -> Option<Separator> {
        let mut between = self.separators(groups);
        let first = between.next().unwrap_or(Separator::None);
        between.all(|s| s == first).then_some(first)
    }
}
