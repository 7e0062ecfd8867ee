//! The checks of numbers: check digits and dates, as primitives that the rows of the tables put together.
//!
//! Sources: ISO/IEC 7812-1, annex B (Luhn); ISO/IEC 7064 (MOD 11,10 and MOD 97-10); J. Verhoeff, *Error detecting
//! decimal codes*, Mathematical Centre Tracts 29 (1969); EAN-13 and the other weighted sums as each row's own source says.
//!
//! A check looks at the letters and digits of a number without its separators, letters in upper case.

use std::fmt;

use crate::recognizers::luhn;

/// How the check digit follows from the weighted sum of the digits before it. The third and fourth say that what is ten
/// in the first and second is written 0; in those, such a number is not issued.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rule {
    /// It is the remainder.
    Remainder,
    /// It is what is missing to the next multiple.
    Complement,
    /// The remainder, ten as 0.
    RemainderZero,
    /// What is missing, ten as 0.
    ComplementZero,
}

/// The order of a date of two-digit parts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    /// Year, month, day.
    Ymd,
    /// Day, month, year.
    Dmy,
}

/// What must hold of a number's letters and digits.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Check {
    /// Each of these.
    All(&'static [Self]),
    /// One of these.
    Any(&'static [Self]),
    /// This, of the part that begins at the first place and ends before the second.
    Part(usize, usize, &'static Self),
    /// The Luhn check.
    Luhn,
    /// ISO/IEC 7064 MOD 11,10.
    Mod11With10,
    /// Verhoeff's check.
    Verhoeff,
    /// Weighted sum: weights of the first digits, modulus, and how the next digit follows.
    Weighted(&'static [u32], u32, Rule),
    /// The weighted sum of all digits is a multiple of the modulus.
    Multiple(&'static [u32], u32),
    /// All digits, as one number, leave this remainder: modulus, remainder.
    Modulo(u64, u64),
    /// The last digits, as a number, are the modulus minus the remainder of those before: how many, modulus.
    Missing(usize, u64),
    /// A date: where it begins, its order, what may be added to the month, and to the day.
    Date(usize, Order, &'static [u32], &'static [u32]),
    /// Not one digit over and over, and not `123456789…`.
    Varied,
    /// The place, and the characters that may stand there.
    At(usize, &'static [u8]),
    /// A rule of its own.
    Own(Own),
}

/// A rule of one kind of number. Its name stands for it in the detector's digest.
#[derive(Clone, Copy)]
pub(crate) struct Own(pub(crate) &'static str, pub(crate) fn(&[u8]) -> bool);

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// The value of a digit, or of a letter as in base 36.
pub(crate) fn value(byte: u8) -> u32 {
    char::from(byte).to_digit(36).unwrap_or(0)
}

/// The digits as a number. `None` if some are none.
pub(crate) fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0u64, |n, d| {
        d.is_ascii_digit().then(|| n.checked_mul(10)?.checked_add(u64::from(d - b'0'))).flatten()
    })
}

/// The sum of the digits of a number below 100: what Luhn's and its relatives add up.
pub(crate) const fn cross(n: u32) -> u32 {
    n / 10 + n % 10
}

impl Check {
    /// Whether it holds of `of`.
    pub(crate) fn holds(&self, of: &[u8]) -> bool {
        match *self {
            Self::All(checks) => checks.iter().all(|check| check.holds(of)),
            Self::Any(checks) => checks.iter().any(|check| check.holds(of)),
            Self::Part(from, to, check) => of.get(from..to).is_some_and(|part| check.holds(part)),
            Self::Luhn => of.iter().all(u8::is_ascii_digit) && luhn(of.iter().copied()),
            Self::Mod11With10 => mod_11_10(of),
            Self::Verhoeff => verhoeff(of),
            Self::Weighted(weights, modulus, rule) => {
                let sum = sum(of, weights) % modulus;
                let missing = (modulus - sum) % modulus;
                let Some(check) = of.get(weights.len()).filter(|c| c.is_ascii_digit()) else { return false };
                let check = value(*check);
                match rule {
                    Rule::Remainder => check == sum,
                    Rule::Complement => check == missing,
                    Rule::RemainderZero => check == sum % 10,
                    Rule::ComplementZero => check == missing % 10,
                }
            }
            Self::Multiple(weights, modulus) => {
                of.len() == weights.len() && sum(of, weights).is_multiple_of(modulus)
            }
            Self::Modulo(modulus, remainder) => number(of).is_some_and(|n| n % modulus == remainder),
            Self::Missing(len, modulus) => of.len().checked_sub(len).is_some_and(|at| {
                let (body, check) = of.split_at(at);
                number(body).zip(number(check)).is_some_and(|(n, check)| check == modulus - n % modulus)
            }),
            Self::Date(at, order, months, days) => is_date(of, at, order, months, days),
            Self::Varied => {
                let run =
                    of.windows(2).all(|w| matches!(w, [a, b] if *b == a + 1 || (*a == b'9' && *b == b'0')));
                !run && of.windows(2).any(|w| matches!(w, [a, b] if a != b))
            }
            Self::At(at, any) => of.get(at).is_some_and(|c| any.contains(c)),
            Self::Own(Own(_, holds)) => holds(of),
        }
    }
}

/// The sum of the first digits, each times its weight.
pub(crate) fn sum(of: &[u8], weights: &[u32]) -> u32 {
    of.iter().zip(weights).map(|(c, weight)| value(*c) * weight).sum()
}

/// ISO/IEC 7064 MOD 11,10.
pub(crate) fn mod_11_10(digits: &[u8]) -> bool {
    let Some((last, body)) = digits.split_last() else { return false };
    let product = body.iter().fold(10, |product, digit| {
        let sum = (value(*digit) + product) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (11 - product) % 10 == value(*last)
}

/// Multiplication in the dihedral group of order ten.
const fn dihedral(a: u8, b: u8) -> u8 {
    let (turn, flip) = (a % 5, a >= 5);
    let sum = if flip { (turn + 5 - b % 5) % 5 } else { (turn + b % 5) % 5 };
    if flip == (b >= 5) { sum } else { sum + 5 }
}

/// Verhoeff's check, the check digit last.
pub(crate) fn verhoeff(digits: &[u8]) -> bool {
    // The permutation that each place applies once more than the place after it.
    const PERMUTATION: [u8; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let sum = digits.iter().rev().enumerate().fold(0, |sum, (place, digit)| {
        let permuted = (0..place % 8).fold(digit.wrapping_sub(b'0'), |d, _| {
            PERMUTATION.get(usize::from(d)).copied().unwrap_or_default()
        });
        dihedral(sum, permuted)
    });
    digits.iter().all(u8::is_ascii_digit) && sum == 0
}

fn is_date(of: &[u8], at: usize, order: Order, months: &[u32], days: &[u32]) -> bool {
    let two = |at: usize| of.get(at..at + 2).and_then(number).and_then(|n| u32::try_from(n).ok());
    let parts = match order {
        Order::Ymd => (two(at + 2), two(at + 4)),
        Order::Dmy => (two(at + 2), two(at)),
    };
    let (Some(month), Some(day)) = parts else { return false };
    let any = |added: &[u32], of: u32, holds: &dyn Fn(u32) -> bool| {
        added.iter().any(|added| of.checked_sub(*added).is_some_and(holds))
    };
    any(months, month, &|month| any(days, day, &|day| (1..=days_of(month)).contains(&day)))
}

/// The most days that a month has.
pub(crate) const fn days_of(month: u32) -> u32 {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 29,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the numbers that differ from a valid one in their last digit, none is valid.
    #[test]
    fn one_check_digit_holds() {
        for (check, valid) in [
            (Check::Luhn, "4111111111111111"),
            (Check::Mod11With10, "86095742719"),
            (Check::Verhoeff, "2363"),
            (Check::Weighted(&[10, 9, 8, 7, 6, 5, 4, 3, 2], 11, Rule::Complement), "9434765919"),
            (Check::Missing(2, 97), "85073003328"),
        ] {
            let (body, last) = valid.split_at(valid.len() - 1);
            for digit in "0123456789".chars() {
                let number = format!("{body}{digit}");
                assert_eq!(check.holds(number.as_bytes()), last == digit.to_string(), "{check:?} {number}");
            }
        }
    }

    #[test]
    fn verhoeff_sees_every_swap_of_neighbours() {
        let valid = b"234567890124";
        assert!(verhoeff(valid));
        for at in 0..valid.len() - 1 {
            let mut swapped = *valid;
            swapped.swap(at, at + 1);
            assert_eq!(verhoeff(&swapped), swapped == *valid, "{at}");
        }
    }

    #[test]
    fn dates_with_what_is_added_to_them() {
        let holds = |of: &str, order, months, days| Check::Date(0, order, months, days).holds(of.as_bytes());
        assert!(holds("850730", Order::Ymd, &[0], &[0]) && !holds("851330", Order::Ymd, &[0], &[0]));
        assert!(holds("300785", Order::Dmy, &[0], &[0]) && !holds("310485", Order::Dmy, &[0], &[0]));
        assert!(holds("855730", Order::Ymd, &[0, 50], &[0]) && holds("700785", Order::Dmy, &[0], &[0, 40]));
    }
}
