//! Groups of digits with separators between them: what cards, phones and national numbers are written as.

use smallvec::SmallVec;

use super::Input;

/// More groups than any number has.
const GROUPS_MAX: usize = 10;

/// More digits than any number has.
const DIGITS_MAX: usize = 24;

/// More digits than a number with a fraction or an exponent is looked at with.
const LITERAL_MAX: usize = 64;

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
        (digits.len() >= 4).then_some(Self { groups, digits, begins, fresh })
    }

    /// The number that begins here, if it is written with a fraction or an exponent and whole all the same, as one group:
    /// `4111111111111111.0` and `4.111111111111111e15` (RFC 8259, section 6) say what `4111111111111111` says.
    pub(crate) fn literal(&self, input: &Input<'_>) -> Option<Self> {
        let start = self.start();
        let digits_at = |at: usize| input.run(at, LITERAL_MAX, |b| b.is_ascii_digit());
        let whole = digits_at(start);
        let mut end = start + whole;
        let fraction = if input.byte(end) == Some(b'.') { digits_at(end + 1) } else { 0 };
        let mut digits: SmallVec<[u8; 48]> = SmallVec::from_slice(input.span(start, end));
        if fraction > 0 {
            digits.extend_from_slice(input.span(end + 1, end + 1 + fraction));
            end += 1 + fraction;
        }
        let mut point = i32::try_from(whole).ok()?;
        let exponent = self.exponent(input, end);
        if let Some((places, after)) = exponent {
            point = point.checked_add(places)?;
            end = after;
        }
        let goes_on = matches!(input.byte(end), Some(b'.' | b'-' | b'/'))
            && input.byte(end + 1).is_some_and(|b| b.is_ascii_digit());
        if (fraction == 0 && exponent.is_none()) || goes_on || !input.ends(end) {
            return None;
        }
        let point = usize::try_from(point).ok().filter(|point| *point <= LITERAL_MAX)?;
        if digits.iter().skip(point).any(|digit| *digit != b'0') {
            return None;
        }
        digits.resize(point, b'0');
        let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
        digits.drain(..zeros);
        let len = digits.len();
        if len > DIGITS_MAX {
            return None;
        }
        let groups = SmallVec::from_iter([Group { start, end, separator: Separator::None, len }]);
        Some(Self { groups, digits, begins: self.begins, fresh: self.fresh })
    }

    /// The exponent at `at` and where it ends.
    fn exponent(&self, input: &Input<'_>, at: usize) -> Option<(i32, usize)> {
        let sign = matches!(input.byte(at + 1), Some(b'+' | b'-'));
        let first = at + 1 + usize::from(sign);
        let len = input.run(first, 4, |b| b.is_ascii_digit());
        let places: i32 = input.slice(first, first + len).parse().ok()?;
        let places = if input.byte(at + 1) == Some(b'-') { -places } else { places };
        (matches!(input.byte(at), Some(b'e' | b'E')) && len < 4).then_some((places, first + len))
    }

    /// The separator at `at`, if a digit follows it.
    fn separator(input: &Input<'_>, at: usize) -> Option<(usize, Separator)> {
        use Separator::{Dash, Dot, Parenthesis, Slash, Space};
        let digit = |at: usize| input.byte(at).is_some_and(|b| b.is_ascii_digit());
        let one = match input.byte(at)? {
            b' ' | b'\t' => Space,
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
        matches!(two, (b')', b' ' | b'-' | b'/') | (b' ' | b'-', b'(')).then_some(())?;
        digit(at + 2).then_some((at + 2, Parenthesis))
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

    /// Where the first group starts.
    pub(crate) fn start(&self) -> usize {
        self.groups.first().map_or(0, |g| g.start)
    }

    /// The lengths of the first `groups` groups.
    pub(crate) fn shape(&self, groups: usize) -> SmallVec<[usize; GROUPS_MAX]> {
        self.groups.iter().take(groups).map(|g| g.len).collect()
    }

    /// The separator of the first `groups` groups, if it is the same between all.
    pub(crate) fn uniform(&self, groups: usize) -> Option<Separator> {
        let mut between = self.groups.iter().take(groups).skip(1).map(|g| g.separator);
        let first = between.next().unwrap_or(Separator::None);
        between.all(|s| s == first).then_some(first)
    }
}
