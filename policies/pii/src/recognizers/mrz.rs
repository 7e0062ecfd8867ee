//! The machine-readable zone of passports, visas and identity cards: its lines, each by itself.
//!
//! Source: ICAO Doc 9303, part 4 (TD3, two lines of 44), part 5 (TD1, three lines of 30) and part 6 (TD2, two lines of 36;
//! <https://www.icao.int/publications/doc-series/doc-9303>). Validator: the check digits of the number, the date of birth and the
//! date of expiry (part 3, section 4.9), the sex, and dates that exist; of a line of names its length, the document's code, and the
//! filler between and after the names. Not found: lines of names that fill their line without three fillers in a row, lines in
//! lower case, and lines that are broken or written with blanks.

use super::numbered::{days_of, icao};
use super::{Candidates, Input};
use crate::EntityType;

/// What stands where nothing else does, as it stands behind names.
pub(crate) const FILLER: &str = "<<<";

/// The digits of a date with its check digit.
const DATE: usize = 7;

/// From the date of birth to behind the check digit of the date of expiry.
const DATES: usize = 2 * DATE + 1;

fn is_of_line(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'<'
}

/// Looks at a run of `len` digits at `at`: a date of birth with its check digit, before the sex and a date of expiry.
pub(crate) fn at(input: &Input<'_>, at: usize, len: usize, found: &mut Candidates) {
    let sex = input.byte(at + DATE);
    if len != DATE || !matches!(sex, Some(b'M' | b'F' | b'X' | b'<')) {
        return;
    }
    let (birth, expiry) = (input.span(at, at + DATE), input.span(at + DATE + 1, at + DATES));
    if !is_date(birth) || !is_date(expiry) {
        return;
    }
    // The first line of the dates, or after number, its check digit and nationality.
    let (number, nationality) = (10, 3);
    for (before, whole) in [(0, 30), (number + nationality, 36), (number + nationality, 44)] {
        let Some(start) = at.checked_sub(before) else { continue };
        let of_number = input.span(start, start + number);
        let holds = before == 0
            || icao(of_number) && input.span(start + number, at).iter().all(|b| !b.is_ascii_digit());
        if holds && is_line(input, start, whole) {
            found.add(EntityType::Passport, start, start + whole, 98);
            return;
        }
    }
}

/// Looks at the line around the [`FILLER`] at `at`: one of names, or the first of an identity card. Where to go on.
pub(crate) fn line(input: &Input<'_>, at: usize, found: &mut Candidates) -> usize {
    const MOST: usize = 44;
    let start = at - input.run_back(at, MOST + 1, is_of_line);
    let len = input.run(start, MOST + 1, is_of_line);
    let end = start + len;
    let span = input.span(start, end);
    if matches!(len, 30 | 36 | MOST) && is_line(input, start, len) {
        let names = span.iter().all(|b| !b.is_ascii_digit());
        let separated = memchr::memmem::find(span, b"<<").is_some_and(|at| {
            at > 1 && span.get(at + 2..).is_some_and(|rest| rest.iter().any(u8::is_ascii_uppercase))
        });
        let confidence = match (len, names) {
            (30, true) if separated && span.first().is_some_and(u8::is_ascii_uppercase) => 70,
            (30, false) if begins(span, b"IAC") && span.get(5..15).is_some_and(icao) => 90,
            (36 | MOST, true) if begins(span, b"PVIAC") && separated => 90,
            _ => 0,
        };
        found.add(EntityType::Passport, start, end, confidence);
    }
    end.max(at + FILLER.len())
}

/// Whether a line begins with the code of a document, one of these letters and another one or none, and the issuer's.
fn begins(line: &[u8], codes: &[u8]) -> bool {
    let letter = |b: &u8| b.is_ascii_uppercase();
    let [code, kind, issuer @ ..] = line else { return false };
    let issuer = issuer.get(..3).unwrap_or_default();
    codes.contains(code)
        && (letter(kind) || *kind == b'<')
        && issuer.first().is_some_and(letter)
        && !issuer.iter().any(u8::is_ascii_digit)
}

/// Whether nothing but a line of so many characters stands at `start`.
fn is_line(input: &Input<'_>, start: usize, whole: usize) -> bool {
    let of_word = |b: u8| b.is_ascii_alphanumeric() || b == b'<';
    input.run(start, whole + 1, is_of_line) == whole
        && input.begins(start)
        && input.before(start) != Some(b'<')
        && !input.byte(start + whole).is_some_and(of_word)
}

/// Whether the digits are year, month and day, and their check digit.
fn is_date(digits: &[u8]) -> bool {
    let two = |at: usize| {
        let digits = digits.get(at..at + 2)?;
        digits.iter().try_fold(0, |n, digit| digit.is_ascii_digit().then(|| n * 10 + u32::from(digit - b'0')))
    };
    let (month, day) = (two(2).unwrap_or(0), two(4).unwrap_or(0));
    digits.len() == DATE && icao(digits) && (1..=days_of(month)).contains(&day)
}

#[cfg(test)]
mod tests {
    use crate::EntityType::Passport;
    use crate::recognizers::table::{finds, finds_not};

    #[test]
    fn examples() {
        finds(
            Passport,
            &[
                // The specimens of Doc 9303.
                ("[P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<]", 90),
                ("[L898902C36UTO7408122F1204159ZE184226B<<<<<10]", 98),
                ("\\n[I<UTOD231458907<<<<<<<<<<<<<<<]\\n", 90),
                ("[7408122F1204159UTO<<<<<<<<<<<6]", 98),
                ("[ERIKSSON<<ANNA<MARIA<<<<<<<<<<]", 70),
                ("[I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<]", 90),
                ("mrz: [D231458907UTO7408122F1204159<<<<<<<6].", 98),
            ],
        );
    }

    #[test]
    fn counter_examples() {
        finds_not(
            Passport,
            &[
                "L898902C37UTO7408122F1204159ZE184226B<<<<<10",
                "L898902C36UTO7408123F1204159ZE184226B<<<<<10",
                "L898902C36UTO7408122F1204158ZE184226B<<<<<10",
                "L898902C36UTO7408122F1204159ZE184226B<<<<<1",
                "L898902C36UTO7408122F1204159ZE184226B<<<<<100",
                "L898902C36UTO7408122Q1204159ZE184226B<<<<<10",
                "I<UTOD231458908<<<<<<<<<<<<<<<",
                "<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<",
                "std::cout <<<HEAD<<<<<<",
                "7408122F1204159",
                "P<UTOERIKSSON<ANNA<MARIA<<<<<<<<<<<<<<<<<<<<",
            ],
        );
    }
}
