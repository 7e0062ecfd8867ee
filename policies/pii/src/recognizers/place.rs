//! Streets with house numbers, and postal codes.
//!
//! Sources: Universal Postal Union, S42 (<https://www.upu.int/en/postal-solutions/programmes-services/addressing-solutions>) for
//! the order of an address; the forms of postal codes in its addressing guides
//! (<https://www.upu.int/en/postal-solutions/programmes-services/addressing-solutions#addressing-guides>); 45 CFR 164.514(b)(2)(i)(B)
//! for what must go. Validator: a house number beside a word for a street in six languages, capitals where a name is; a postal
//! code's form with a state, a country letter or a word before it. Not found: house names, post boxes, streets without a
//! number or a word for a street (`Broadway 5`), five digits alone.

use super::{Candidates, Input, is_one_of};
use crate::EntityType as E;

/// Words for a street after its name, English.
const AFTER: &[&str] = &[
    "street",
    "st",
    "avenue",
    "ave",
    "road",
    "rd",
    "boulevard",
    "blvd",
    "lane",
    "ln",
    "drive",
    "dr",
    "court",
    "ct",
    "place",
    "pl",
    "square",
    "sq",
    "terrace",
    "way",
    "parkway",
    "pkwy",
    "highway",
    "hwy",
    "circle",
    "cir",
    "close",
    "crescent",
    "mews",
];

/// Words for a street before its name: French, Spanish, Italian, Portuguese.
const BEFORE: &[&str] = &[
    "rue",
    "avenue",
    "boulevard",
    "chemin",
    "allée",
    "place",
    "quai",
    "impasse",
    "calle",
    "avenida",
    "plaza",
    "paseo",
    "carrera",
    "camino",
    "via",
    "viale",
    "piazza",
    "corso",
    "vicolo",
    "rua",
    "largo",
];

/// Ends of a street's name in one word, or after a dash or blank: German, Dutch.
const ENDS: &[&str] = &[
    "straße", "strasse", "str", "str.", "weg", "platz", "allee", "gasse", "ring", "damm", "ufer", "chaussee",
    "straat", "laan", "plein", "gracht", "kade", "dreef", "singel", "steeg",
];

/// The two letters of the states of the United States, its district and territories
/// (<https://pe.usps.com/text/pub28/28apb.htm>).
const STATES: &str = "ALAKAZARCACOCTDEDCFLGAHIIDILINIAKSKYLAMEMDMAMIMNMSMOMTNENVNHNJNMNYNCNDOHOKORPARISCSDTNTXUTVTVAWAWVWIWYPRGUVIASMP";

/// The longest word of a street's name.
const WORD_MAX: usize = 40;

/// Looks at the run of `len` digits at `at`.
pub(crate) fn street(input: &Input<'_>, at: usize, len: usize, found: &mut Candidates) {
    if len > 5
        || !input.begins(at)
        || !matches!(
            input.before(at),
            None | Some(b' ' | b'\n' | b'\t' | b'"' | b'\'' | b'(' | b':' | b',' | b'n' | b't')
        )
    {
        return;
    }
    // A letter of the house number.
    let letter = input.run(at + len, 1, |b| b.is_ascii_alphabetic());
    let end = if input.ends(at + len + letter) { at + len + letter } else { at + len };
    if !input.ends(end) {
        return;
    }
    if let Some(start) = name_before(input, at) {
        if len < 5 {
            found.add(E::StreetAddress, start, end, 80);
        }
    } else if let Some(to) = name_after(input, end).filter(|_| !is_year(input, at, end)) {
        found.add(E::StreetAddress, at, to, 80);
    }
}

/// `in 2024 Main Street was closed`
fn is_year(input: &Input<'_>, at: usize, end: usize) -> bool {
    let word = at.checked_sub(1).map_or("", |end| word_before(input, end).1);
    input.slice(at, end).parse().is_ok_and(|year: u32| (1900..=2099).contains(&year))
        && ["in", "since", "of", "by", "until", "from", "seit", "im", "en", "nel"]
            .contains(&word.to_lowercase().as_str())
}

fn is_letter(b: u8) -> bool {
    b.is_ascii_alphabetic() || b >= 0x80 || matches!(b, b'\'' | b'.' | b'-')
}

/// The word that ends at `end`, whole characters.
fn word_before<'t>(input: &Input<'t>, end: usize) -> (usize, &'t str) {
    let mut start = end - input.run_back(end, WORD_MAX, is_letter);
    while !input.text.is_char_boundary(start) {
        start += 1;
    }
    (start, input.slice(start, end))
}

fn is_name(word: &str) -> bool {
    let mut letters = word.chars();
    letters.next().is_some_and(char::is_uppercase) && letters.next().is_some()
}

/// How many letters a word has before the [end](ENDS) of a street's name.
fn before_end(word: &str) -> Option<usize> {
    if word.is_ascii() {
        let at = |ends: &&str| word.len().checked_sub(ends.len());
        let found = ENDS.iter().filter_map(|ends| Some((word.split_at_checked(at(ends)?)?, ends)));
        let mut found = found.filter(|((_, tail), ends)| tail.eq_ignore_ascii_case(ends));
        return found.next().map(|((head, _), _)| head.len());
    }
    let lower = word.to_lowercase();
    ENDS.iter().find_map(|ends| lower.strip_suffix(ends)).map(|head| head.chars().count())
}

/// The street whose name ends before the blank before `at`: `Hauptstraße`, `rue de la Paix`.
fn name_before(input: &Input<'_>, at: usize) -> Option<usize> {
    let mut end = at.checked_sub(1).filter(|end| input.byte(*end) == Some(b' '))?;
    if input.before(end) == Some(b',') {
        end -= 1;
    }
    let (start, word) = word_before(input, end);
    let capital = is_name(word);
    if let Some(head) = capital.then(|| before_end(word)).flatten() {
        // `Hauptstraße`: three letters at least before the end; `Berliner Straße`: a name before it.
        if head >= 3 && word.len() > 6 {
            return Some(start);
        }
        let before =
            start.checked_sub(1).filter(|at| head == 0 && matches!(input.byte(*at), Some(b' ' | b'-')));
        if let Some((start, name)) = before.map(|before| word_before(input, before)) {
            return is_name(name).then_some(start);
        }
    }
    // Up to four words back to one for a street.
    let (mut start, mut capital) = (start, capital);
    for _ in 0..4 {
        let before = start.checked_sub(1).filter(|at| input.byte(*at) == Some(b' '))?;
        let (at, word) = word_before(input, before);
        if word.is_empty() {
            return None;
        }
        if is_one_of(word, BEFORE) {
            return (capital && input.begins(at)).then_some(at);
        }
        capital |= is_name(word);
        start = at;
    }
    None
}

/// The end of the street whose name begins after the number: `Main Street`, `rue de la Paix`.
fn name_after(input: &Input<'_>, number: usize) -> Option<usize> {
    let mut at = number + usize::from(input.byte(number) == Some(b','));
    let (mut names, mut french) = (0, false);
    for place in 0..5 {
        if input.byte(at) != Some(b' ') {
            break;
        }
        let start = at + 1;
        let len = input.run(start, WORD_MAX, |b| is_letter(b) && b != b'.');
        let word = input.slice(start, start + len);
        if word.is_empty() {
            // `5th`, `42nd`.
            let ordinal = input.run(start, 5, |b| b.is_ascii_alphanumeric());
            let text = input.slice(start, start + ordinal);
            if place > 0
                || !text.starts_with(|c: char| c.is_ascii_digit())
                || !text.ends_with(['t', 'd', 'h'])
            {
                break;
            }
            (names, at) = (names + 1, start + ordinal);
            continue;
        }
        let name = is_name(word);
        at = start + len;
        if place == 0 && is_one_of(word, BEFORE) && (!name || word.eq_ignore_ascii_case("rue")) {
            french = true;
            continue;
        }
        if !french && names > 0 && name && is_one_of(word, AFTER) {
            return Some(at + usize::from(input.byte(at) == Some(b'.')));
        }
        if name {
            names += 1;
            // A French street ends with the first name that no small word follows.
            if french {
                return Some(at);
            }
        } else if !french {
            break;
        }
    }
    None
}

/// Looks for a postal code in the run of `len` digits at `at`.
pub(crate) fn postal_code(input: &Input<'_>, at: usize, len: usize, found: &mut Candidates) {
    let end = at + len;
    let capitals = |from: usize, to: usize| {
        let span = input.span(from, to);
        !span.is_empty() && span.iter().all(u8::is_ascii_uppercase)
    };
    if len == 5 && input.begins(at) {
        let four = input.run(end + 1, 5, |b| b.is_ascii_digit());
        let long = if input.byte(end) == Some(b'-') && four == 4 { end + 5 } else { end };
        let clear = input.ends(long)
            && !matches!(input.byte(long), Some(b'.' | b',') if input.byte(long + 1).is_some_and(|b| b.is_ascii_digit()));
        // `CA 90210`, `D-10115`.
        let state = at >= 3
            && matches!(input.before(at), Some(b' '))
            && capitals(at - 3, at - 1)
            && input.begins(at - 3)
            && STATES.as_bytes().chunks(2).any(|state| state == input.span(at - 3, at - 1));
        let country = at >= 2
            && matches!(input.span(at - 2, at), b"D-" | b"F-" | b"I-" | b"E-")
            && input.begins(at - 2);
        let says = input.says(at, E::PostalCode);
        let confidence = match (state, country, says.yes) {
            (true, ..) => 85,
            (_, true, _) => 80,
            (.., true) => 78,
            _ => 0,
        };
        if clear {
            found.add(E::PostalCode, at, long, confidence);
        }
    } else if len == 4 && input.begins(at) {
        // `1234 AB`: the Netherlands, not SA, SD, SS.
        let letters = input.span(end + 1, end + 3);
        let dutch = input.byte(end) == Some(b' ')
            && capitals(end + 1, end + 3)
            && letters.len() == 2
            && input.ends(end + 3)
            && !matches!(letters, b"SA" | b"SD" | b"SS")
            && input.byte(at) != Some(b'0');
        let country = at >= 2
            && matches!(input.span(at - 2, at), b"A-" | b"B-" | b"L-")
                | (at >= 3 && input.span(at - 3, at) == b"CH-");
        let says = input.says(at, E::PostalCode);
        let year = input.slice(at, end).parse().is_ok_and(|year: u32| (1900..=2099).contains(&year));
        if dutch && (!year || says.yes) {
            found.add(E::PostalCode, at, end + 3, if says.yes { 85 } else { 65 });
        } else if country && input.ends(end) {
            found.add(E::PostalCode, at, end, 75);
        } else if says.yes && input.ends(end) {
            found.add(E::PostalCode, at, end, 70);
        }
    } else if len <= 2 {
        british(input, at, len, found);
        canadian(input, at, len, found);
    }
}

/// `SW1A 1AA`: looked at from the first digit on.
fn british(input: &Input<'_>, at: usize, len: usize, found: &mut Candidates) {
    let letters = input.run_back(at, 3, |b| b.is_ascii_uppercase());
    let start = at - letters;
    if !(1..=2).contains(&letters) || !input.begins(start) {
        return;
    }
    let mut end = at + len;
    end += usize::from(len == 1 && input.byte(end).is_some_and(|b| b.is_ascii_uppercase()));
    let [b' ', digit, one, two] = input.span(end, end + 4) else { return };
    let inward = |b: &u8| b.is_ascii_uppercase() && !b"CIKMOV".contains(b);
    if digit.is_ascii_digit() && inward(one) && inward(two) && input.ends(end + 4) {
        found.add(E::PostalCode, start, end + 4, 82);
    }
}

/// `K1A 0B1`.
fn canadian(input: &Input<'_>, at: usize, len: usize, found: &mut Candidates) {
    let Some(start) = at.checked_sub(1).filter(|start| len == 1 && input.begins(*start)) else { return };
    let letter = |b: &u8| b.is_ascii_uppercase() && !b"DFIOQU".contains(b);
    if let [one, _, two, b' ' | b'-', digit, three, last] = input.span(start, start + 7)
        && letter(one)
        && !matches!(one, b'W' | b'Z')
        && letter(two)
        && letter(three)
        && digit.is_ascii_digit()
        && last.is_ascii_digit()
        && input.ends(start + 7)
    {
        found.add(E::PostalCode, start, start + 7, 82);
    }
}

#[cfg(test)]
mod tests {
    use crate::EntityType as E;
    use crate::recognizers::table::{finds, finds_not};

    #[test]
    fn streets() {
        finds(
            E::StreetAddress,
            &[
                ("lives at [12 Main Street], Leeds", 80),
                ("[1600 Pennsylvania Ave] NW", 80),
                ("[221b Baker St.], London", 80),
                ("wohnt in der [Hauptstraße 12a] in", 80),
                ("[Berliner Str. 5], Potsdam", 80),
                ("[Karl-Marx-Allee 34]", 80),
                ("au [12 rue de Rivoli]", 80),
                ("vive en [calle de Alcalá 45]", 80),
                ("[Via Garibaldi 7], Milano", 80),
                ("[Keizersgracht 123], Amsterdam", 80),
                ("[350 5th Avenue]", 80),
            ],
        );
        finds_not(
            E::StreetAddress,
            &[
                "12 main points",
                "in 2024 Main Street was closed for months",
                "page 12 of 40",
                "via email 5 times",
                "Bring 3 friends",
                "the way 3 of us went",
                "Umsatz 12",
            ],
        );
    }

    #[test]
    fn postal_codes() {
        finds(
            E::PostalCode,
            &[
                ("Beverly Hills, CA [90210]", 85),
                ("NY [10118-0110],", 85),
                ("D-[10115] Berlin", 80),
                ("PLZ [10115]", 78),
                ("zip code: [90210].", 78),
                ("London [SW1A 1AA]", 82),
                ("Leeds [LS1 4AP].", 82),
                ("Ottawa [K1A 0B1]", 82),
                ("[1017 CA] Amsterdam", 65),
            ],
        );
        finds_not(
            E::PostalCode,
            &["90210", "in 2024 EU law", "XX 90210", "A1B 2", "PM 10115", "CA 90210.5", "size XL1 4AP5"],
        );
    }
}
