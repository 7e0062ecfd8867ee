//! Geographic positions.
//!
//! Source: ISO 6709 (<https://www.iso.org/standard/75147.html>) and RFC 5870 for `geo:`; a geographic subdivision smaller than a
//! state is an identifier under 45 CFR 164.514(b)(2)(i)(B). Validator: range, at least three decimals (about 100 m). Decimal
//! degrees are found only after a word such as *lat*, since vectors and prices look the same; degrees with `°`, a minute and
//! a letter for the hemisphere always. Not found: decimal degrees without a word, positions in words, grid references.

use super::{Candidates, Input};
use crate::EntityType;

/// Looks at the run of `len` digits at `at`.
pub(crate) fn at(input: &Input<'_>, at: usize, len: usize, found: &mut Candidates) {
    if len > 3 || !input.begins(at) || input.before(at) == Some(b'.') {
        return;
    }
    let end = at + len;
    if input.byte(end) == Some(b'.') {
        decimal(input, at, end, found);
    }
    if input.span(end, end + 2) == "°".as_bytes() {
        sexagesimal(input, at, end + 2, found);
    }
}

fn decimal(input: &Input<'_>, start: usize, point: usize, found: &mut Candidates) {
    let decimals = input.run(point + 1, 18, |b| b.is_ascii_digit());
    let end = point + 1 + decimals;
    let whole: u32 = input.slice(start, point).parse().unwrap_or(999);
    // Degrees written with a sign are as sure as after a word.
    let degrees = input.span(end, end + 2) == "°".as_bytes();
    let goes_on = input.byte(end).is_some_and(|b| b.is_ascii_alphanumeric() || b == b'%')
        || (input.byte(end) == Some(b'.') && input.byte(end + 1).is_some_and(|b| b.is_ascii_digit()));
    if !(3..=17).contains(&decimals) || whole > 180 || goes_on {
        return;
    }
    let sign = usize::from(matches!(input.before(start), Some(b'-' | b'+')));
    let says = input.says(start - sign, EntityType::Coordinates);
    let confidence = match (says.yes, degrees) {
        (true, _) => 90,
        (false, true) => 60,
        _ => 0,
    };
    found.add(EntityType::Coordinates, start - sign, end, confidence);
}

/// `52°31'12"N`, the minutes and the hemisphere at least.
fn sexagesimal(input: &Input<'_>, start: usize, after: usize, found: &mut Candidates) {
    let mut at = after;
    let number = |at: usize| input.run(at, 8, |b| b.is_ascii_digit() || b == b'.');
    let mark = |at: usize| match input.byte(at) {
        Some(b'\'' | b'"') => 1,
        Some(0xe2) if matches!(input.span(at, at + 3), [0xe2, 0x80, 0xb2 | 0xb3 | 0x99 | 0x9d]) => 3,
        _ => 0,
    };
    let mut parts = 0;
    while parts < 2 {
        let len = number(at);
        let signs = mark(at + len);
        if len == 0 || signs == 0 {
            break;
        }
        at += len + signs;
        // Two apostrophes for a double one.
        at += mark(at).min(1);
        parts += 1;
    }
    let hemisphere = matches!(input.byte(at), Some(b'N' | b'S' | b'E' | b'W' | b'O'));
    if parts > 0 && hemisphere && input.ends(at + 1) {
        found.add(EntityType::Coordinates, start, at + 1, 92);
    }
}

#[cfg(test)]
mod tests {
    use crate::EntityType::Coordinates;
    use crate::recognizers::table::{finds, finds_not};

    #[test]
    fn examples() {
        finds(
            Coordinates,
            &[
                ("lat [52.520008], lng [13.404954]", 90),
                ("GPS: [-33.8688], [151.2093]", 90),
                ("{\"latitude\":[48.85661],\"longitude\":[2.35222]}", 90),
                ("at [52°31'12\"N] [13°24'18\"E], about", 92),
                ("[40°26′46″N]", 92),
            ],
        );
        finds_not(Coordinates, &["0.12345, 0.54321", "lat 52.5", "GPS 255.12345", "20°C", "lat 1.2.3456"]);
    }
}
