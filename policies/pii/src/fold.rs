//! Folds the spellings of a text that look or read the same to plain ASCII, so that recognizers need not know
//! them: what Unicode's compatibility decomposition (NFKC, UAX #15) makes one character of ASCII (full-width and
//! mathematical letters and digits among it), decimal digits of every script, spaces and line breaks of all kinds,
//! typographic dashes. Left out is what is not shown: Default_Ignorable_Code_Point of
//! <https://www.unicode.org/Public/UCD/latest/ucd/DerivedCoreProperties.txt>, control characters other than white space,
//! and marks that combine with a character of ASCII. Spans found in the folded text are mapped back.
//!
//! Letters of Greek and Cyrillic that look like Latin ones (Unicode's confusables,
//! <https://www.unicode.org/Public/security/latest/confusables.txt>) are folded in words that have ASCII letters or digits beside
//! them. Character references of HTML (`&#64;`, `&commat;`) and percent-encoded letters, digits, `@`, `.`, `-`, `+` and `_`
//! (RFC 3986, section 2.1) are decoded, once.
//!
//! A digit that is raised, lowered or circled is left alone after a digit, where it marks a note. Blind spot: numbers that
//! mix the two.

use unicode_normalization::char::{decompose_compatible, is_combining_mark};

use crate::bytes;

/// What becomes of a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fold {
    Keep,
    Remove,
    To(char),
    /// A digit that marks a note after a digit, and else to this.
    Note(char),
    /// Removed after a character of ASCII.
    Mark,
}

/// The zeros of the decimal digits (General_Category Nd) outside ASCII: nine more digits follow each.
/// <https://www.unicode.org/Public/UCD/latest/ucd/extracted/DerivedGeneralCategory.txt>
const ZEROS: [u32; 65] = [
    0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6, 0xe50, 0xed0,
    0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40, 0x1c50,
    0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10, 0x104a0, 0x10d30, 0x11066, 0x110f0,
    0x11136, 0x111d0, 0x112f0, 0x11450, 0x114d0, 0x11650, 0x116c0, 0x11730, 0x118e0, 0x11950, 0x11c50,
    0x11d50, 0x11da0, 0x16a60, 0x16ac0, 0x16b50, 0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6, 0x1e140,
    0x1e2f0, 0x1e950, 0x1fbf0,
];

/// The digit that a character is in its script.
fn digit(c: char) -> Option<char> {
    let code = u32::from(c);
    let before = ZEROS.partition_point(|zero| *zero <= code).checked_sub(1)?;
    let value = code.checked_sub(*ZEROS.get(before)?)?;
    char::from_digit(value, 10)
}

/// The character of ASCII that the compatibility decomposition makes of this one.
fn compatible(c: char) -> Option<char> {
    let (mut one, mut more) = (None, false);
    decompose_compatible(c, |part| {
        more |= one.is_some();
        one = Some(part);
    });
    one.filter(|part| !more && part.is_ascii())
}

/// Whether a character of ASCII is left out.
const fn is_hidden(byte: u8) -> bool {
    matches!(byte, 0..=0x08 | 0x0b | 0x0e..=0x1f | 0x7f)
}

/// The Latin letter that a Greek or Cyrillic one looks like.
const fn looks_like(c: char) -> Option<char> {
    Some(match c {
        'А' | 'Α' => 'A',
        'В' | 'Β' => 'B',
        'С' | 'Ϲ' => 'C',
        'Е' | 'Ε' => 'E',
        'Н' | 'Η' => 'H',
        'І' | 'Ι' => 'I',
        'Ј' => 'J',
        'К' | 'Κ' => 'K',
        'М' | 'Μ' => 'M',
        'Ν' => 'N',
        'О' | 'Ο' => 'O',
        'Р' | 'Ρ' => 'P',
        'Ѕ' => 'S',
        'Т' | 'Τ' => 'T',
        'Х' | 'Χ' => 'X',
        'Ү' | 'Υ' => 'Y',
        'Ζ' => 'Z',
        'а' | 'α' => 'a',
        'с' | 'ϲ' => 'c',
        'ԁ' => 'd',
        'е' => 'e',
        'һ' => 'h',
        'і' | 'ι' => 'i',
        'ј' => 'j',
        'ο' | 'о' => 'o',
        'р' | 'ρ' => 'p',
        'ԛ' => 'q',
        'ѕ' => 's',
        'υ' => 'u',
        'ν' => 'v',
        'ԝ' => 'w',
        'х' => 'x',
        'у' => 'y',
        _ => return None,
    })
}

/// The longest character reference or percent-encoding looked at.
const ENCODED_MAX: usize = 10;

/// What the encoded character at the beginning of `rest` stands for, and how long it is written.
fn decode(rest: &str) -> Option<(char, usize)> {
    let bytes = rest.as_bytes();
    match bytes {
        [b'%', high, low, ..] => {
            let digit = |b: u8| char::from(b).to_digit(16);
            let c = char::from_u32(digit(*high)? * 16 + digit(*low)?)?;
            (c.is_ascii_alphanumeric() || matches!(c, '@' | '.' | '-' | '+' | '_')).then_some((c, 3))
        }
        [b'&', b'#', ..] => {
            let end = bytes.iter().take(ENCODED_MAX).position(|b| *b == b';')?;
            let number = rest.get(2..end)?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            let c = char::from_u32(code.ok()?)?;
            (c == '\u{a0}' || (' '..='~').contains(&c))
                .then_some((if c == '\u{a0}' { ' ' } else { c }, end + 1))
        }
        [b'&', ..] => {
            const NAMES: [(&str, char); 9] = [
                ("&commat;", '@'),
                ("&period;", '.'),
                ("&nbsp;", ' '),
                ("&colon;", ':'),
                ("&sol;", '/'),
                ("&lowbar;", '_'),
                ("&hyphen;", '-'),
                ("&dash;", '-'),
                ("&plus;", '+'),
            ];
            NAMES.iter().find(|(name, _)| rest.starts_with(name)).map(|(name, c)| (*c, name.len()))
        }
        _ => None,
    }
}

fn fold(c: char) -> Fold {
    if c.is_ascii() {
        return if u8::try_from(c).is_ok_and(is_hidden) { Fold::Remove } else { Fold::Keep };
    }
    match c {
        // Most of what is written in Chinese, Japanese and Korean.
        '\u{3041}'..='\u{3098}'
        | '\u{309b}'..='\u{3163}'
        | '\u{3400}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7a3}' => Fold::Keep,
        // Default_Ignorable_Code_Point, other format characters and controls: not shown, whatever stands around them.
        '\u{80}'..='\u{84}'
        | '\u{86}'..='\u{9f}'
        | '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{115f}'..='\u{1160}'
        | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffc}'
        | '\u{13430}'..='\u{1343f}'
        | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d159}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}' => Fold::Remove,
        '\u{85}' | '\u{2028}' | '\u{2029}' => Fold::To('\n'),
        '\u{a0}'
        | '\u{1680}'
        | '\u{2000}'..='\u{200a}'
        | '\u{202f}'
        | '\u{205f}'
        | '\u{2800}'
        | '\u{3000}' => Fold::To(' '),
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' => Fold::To('-'),
        '\u{2024}' | '\u{3002}' | '\u{ff61}' => Fold::To('.'),
        '\u{b2}' | '\u{b3}' | '\u{b9}' | '\u{2070}'..='\u{209c}' | '\u{2460}'..='\u{2468}' | '\u{24ea}' => {
            match compatible(c) {
                Some(digit) if digit.is_ascii_digit() => Fold::Note(digit),
                to => to.map_or(Fold::Keep, Fold::To),
            }
        }
        // Nothing else becomes one character of ASCII.
        '\u{2b0}'..='\u{2e3}'
        | '\u{1d2c}'..='\u{1dbb}'
        | '\u{2100}'..='\u{24e9}'
        | '\u{2c7c}'
        | '\u{a7f2}'..='\u{a7f4}'
        | '\u{fb29}'
        | '\u{fe10}'..='\u{fe19}'
        | '\u{fe30}'..='\u{fe6b}'
        | '\u{ff01}'..='\u{ff5e}'
        | '\u{1d400}'..='\u{1d6a3}'
        | '\u{1f12b}'..='\u{1f149}' => compatible(c).map_or(Fold::Keep, Fold::To),
        _ => match digit(c) {
            Some(digit) => Fold::To(digit),
            None if is_combining_mark(c) => Fold::Mark,
            None => Fold::Keep,
        },
    }
}

/// Whether a character may be folded to something else than itself.
pub(crate) fn is_folded(c: char) -> bool {
    fold(c) != Fold::Keep || looks_like(c).is_some()
}

/// Whether a letter that looks Latin stands beside ASCII letters or digits, others of its sort between.
fn is_mixed(last: char, rest: &str) -> bool {
    let next = rest.chars().take(16).find(|c| looks_like(*c).is_none());
    last.is_ascii_alphanumeric() || next.is_some_and(|c| c.is_ascii_alphanumeric())
}

/// A folded text and the way back.
pub(crate) struct Folded {
    pub(crate) text: String,
    /// For each folded or removed character: the place in the folded text after it, and in the original.
    steps: Vec<Step>,
}

struct Step {
    /// Place of the character in the folded text, and its length there.
    folded: usize,
    folded_len: usize,
    /// Place of the character in the original, and its length there.
    original: usize,
    original_len: usize,
}

impl Folded {
    /// Folds `text`. `None` if there is nothing to fold.
    pub(crate) fn new(text: &str) -> Option<Self> {
        if !may_fold(text.as_bytes()) {
            return None;
        }
        let mut folded = Self { text: String::with_capacity(text.len()), steps: Vec::new() };
        let mut copied = 0;
        // The last character, folded, and whether it was written as a note.
        let (mut last, mut noted) = ('\n', false);
        let mut next = 0;
        while let Some(original) = bytes::position(text.as_bytes(), next, may_change) {
            let (before, rest) = text.split_at_checked(original).unwrap_or((text, ""));
            let Some(c) = rest.chars().next() else { break };
            if original > next {
                // What was skipped stays as it is.
                (last, noted) = (before.chars().next_back().unwrap_or(last), false);
            }
            let (mut folded_to, mut len) = (fold(c), c.len_utf8());
            next = original + len;
            if folded_to == Fold::Keep {
                if let Some(latin) = looks_like(c).filter(|_| is_mixed(last, rest)) {
                    folded_to = Fold::To(latin);
                } else if let Some((decoded, written)) = decode(rest) {
                    (folded_to, len) = (Fold::To(decoded), written);
                }
            }
            let to = match folded_to {
                Fold::Note(_) if last.is_ascii_digit() && !noted => Fold::Keep,
                Fold::Note(digit) => Fold::To(digit),
                Fold::Mark if last.is_ascii() => Fold::Remove,
                Fold::Mark => Fold::Keep,
                to => to,
            };
            if to != Fold::Remove {
                last = if let Fold::To(to) = to { to } else { c };
                noted = matches!(folded_to, Fold::Note(_));
            }
            if to == Fold::Keep {
                continue;
            }
            folded.text.push_str(text.get(copied..original).unwrap_or_default());
            copied = original + len;
            next = copied;
            let at = folded.text.len();
            if let Fold::To(c) = to {
                folded.text.push(c);
            }
            folded.steps.push(Step {
                folded: at,
                folded_len: folded.text.len() - at,
                original,
                original_len: len,
            });
        }
        if copied == 0 {
            return None;
        }
        folded.text.push_str(text.get(copied..).unwrap_or_default());
        Some(folded)
    }

    /// The place in the original of the character that starts at `at` in the folded text.
    pub(crate) fn start(&self, at: usize) -> usize {
        // Steps wholly before the character; a removed character just before it is not part of it.
        let before = self.steps.partition_point(|s| s.folded + s.folded_len <= at && s.folded <= at);
        self.after(before, at)
    }

    /// The place in the original after the character that ends at `at` in the folded text.
    pub(crate) fn end(&self, at: usize) -> usize {
        // Characters removed right after it are not part of it.
        let before = self.steps.partition_point(|s| s.folded + s.folded_len <= at && s.folded < at);
        self.after(before, at)
    }

    fn after(&self, steps: usize, at: usize) -> usize {
        match steps.checked_sub(1).and_then(|i| self.steps.get(i)) {
            Some(s) => s.original + s.original_len + (at - (s.folded + s.folded_len)),
            None => at,
        }
    }
}

/// Whether a character that begins with this byte may be folded, wherever it stands.
const fn begins_folded(byte: u8) -> bool {
    is_hidden(byte)
        || (byte >= 0xc0 && !matches!(byte, 0xc3..=0xc9 | 0xd3 | 0xd5 | 0xe4..=0xe9 | 0xeb..=0xec))
}

/// The same, or what is encoded.
const fn may_change(byte: u8) -> bool {
    begins_folded(byte) || matches!(byte, b'%' | b'&')
}

/// Whether a text may hold something to fold. What is folded begins with one of some bytes; most text has none of them.
fn may_fold(bytes: &[u8]) -> bool {
    // Of most texts the plainer question is enough.
    let rare = |byte: u8| !matches!(byte, b' '..=b'~' | b'\n');
    bytes.chunks(256).any(|piece| bytes::any(piece, rare) && bytes::any(piece, begins_folded))
        || may_decode(bytes)
}

/// Whether something in a text of ASCII may be encoded.
fn may_decode(bytes: &[u8]) -> bool {
    memchr::memchr2_iter(b'%', b'&', bytes).any(|at| {
        let rest = bytes.get(at..bytes.len().min(at + ENCODED_MAX)).unwrap_or_default();
        std::str::from_utf8(rest)
            .or_else(|error| std::str::from_utf8(rest.get(..error.valid_up_to()).unwrap_or_default()))
            .is_ok_and(|rest| decode(rest).is_some())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_shown_is_not_seen() {
        for range in [
            0xad..=0xad,
            0x34f..=0x34f,
            0x61c..=0x61c,
            0x115f..=0x1160,
            0x17b4..=0x17b5,
            0x180b..=0x180f,
            0x200b..=0x200f,
            0x202a..=0x202e,
            0x2060..=0x206f,
            0x3164..=0x3164,
            0xfe00..=0xfe0f,
            0xfeff..=0xfeff,
            0xffa0..=0xffa0,
            0xfff0..=0xfffc,
            0x00..=0x08,
            0x0e..=0x1f,
            0x7f..=0x84,
            0x86..=0x9f,
            0x300..=0x36f,
            0x20e3..=0x20e3,
            0x1bca0..=0x1bca3,
            0x1d173..=0x1d17a,
            0xe0000..=0xe0fff,
        ] {
            for c in range.filter_map(char::from_u32) {
                let text = format!("4111{c}1111");
                assert_eq!(Folded::new(&text).map(|f| f.text), Some("41111111".into()), "{:x}", c as u32);
            }
        }
    }

    #[test]
    fn what_reads_the_same_is_the_same() {
        for (text, folded) in [
            ("𝟒𝟣1①", "411①"),
            ("①②③", "123"),
            ("⁴¹¹ x²", "411 x2"),
            ("1111¹", "1111¹"),
            ("𝐚𝐧𝐧𝐚﹫ｂ｡ｄｅ", "anna@b.de"),
            ("४१ ๔๑", "41 41"),
            ("a\u{2028}b\u{85}c\u{2800}d", "a\nb\nc d"),
            ("mu\u{308}ller", "muller"),
            ("a\u{2b0}b", "ahb"),
        ] {
            let got = Folded::new(text).map_or_else(|| text.to_owned(), |folded| folded.text);
            assert_eq!(got, folded, "{text:?}");
        }
        for text in ["müller, façade – ja", "हिन्दी में", "日本語", "ª º № ½ ﬁ"]
        {
            let kept = Folded::new(text).map(|folded| folded.text.replace('-', "–"));
            assert!(kept.is_none_or(|kept| kept == text), "{text:?}");
        }
    }

    #[test]
    fn what_looks_latin_in_a_latin_word_is_latin() {
        for (text, folded) in [
            ("аnnа@exаmple.com", "anna@example.com"),
            ("ѕοs1", "sos1"),
            ("ΑΦΜ и Москва", "ΑΦΜ и Москва"),
            ("pаssword", "password"),
        ] {
            let got = Folded::new(text).map_or_else(|| text.to_owned(), |folded| folded.text);
            assert_eq!(got, folded, "{text:?}");
        }
    }

    #[test]
    fn every_character_that_is_folded_begins_with_a_byte_that_is_looked_at() {
        for c in (0..=0x10_ffff).filter_map(char::from_u32).filter(|c| is_folded(*c)) {
            assert!(begins_folded(c.to_string().as_bytes()[0]), "{:x}", c as u32);
        }
    }

    #[test]
    fn what_stands_before_counts_though_it_was_skipped() {
        let long = "x".repeat(300);
        for (text, folded) in [
            // A note after a digit that was skipped, and a digit after letters that were.
            (format!("{long}7¹"), format!("{long}7¹")),
            (format!("{long}¹"), format!("{long}1")),
            (format!("¹{long}¹²"), format!("1{long}12")),
            (format!("{long}\u{301}é\u{301}"), format!("{long}é\u{301}")),
            (format!("{long}а б"), format!("{long}a б")),
            (format!("&#64;{long}%41&#66;¹"), format!("@{long}AB1")),
        ] {
            assert_eq!(Folded::new(&text).map_or_else(|| text.clone(), |f| f.text), folded, "{text:?}");
        }
    }

    #[test]
    fn what_is_encoded_is_decoded_once() {
        for (text, folded) in [
            ("anna&#64;example.com", "anna@example.com"),
            ("anna&#x40;example&period;com", "anna@example.com"),
            ("anna%40example%2Ecom", "anna@example.com"),
            ("&#52;111&nbsp;1111", "4111 1111"),
            ("%34%31", "41"),
            ("100% &c; &amp; %20 %zz &#9999999; %", "100% &c; &amp; %20 %zz &#9999999; %"),
            ("%2540", "%2540"),
        ] {
            let got = Folded::new(text).map_or_else(|| text.to_owned(), |folded| folded.text);
            assert_eq!(got, folded, "{text:?}");
        }
        let text = "to anna%40b.de now";
        let folded = Folded::new(text).unwrap();
        let at = folded.text.find("anna@b.de").unwrap();
        assert_eq!(text.get(folded.start(at)..folded.end(at + 9)), Some("anna%40b.de"));
    }

    #[test]
    fn maps_back() {
        let text = "a\u{200b}１\u{a0}ü2\u{200b}";
        let folded = Folded::new(text).unwrap();
        assert_eq!(folded.text, "a1 ü2");
        let back = |from: &str| {
            let at = folded.text.find(from).unwrap();
            text.get(folded.start(at)..folded.end(at + from.len())).unwrap()
        };
        assert_eq!(back("a"), "a");
        assert_eq!(back("1"), "１");
        assert_eq!(back("a1"), "a\u{200b}１");
        assert_eq!(back("1 "), "１\u{a0}");
        assert_eq!(back("ü2"), "ü2");
        assert_eq!(back("2"), "2");
        assert!(Folded::new("plain").is_none());
        assert!(Folded::new("Müller — nein".replace('—', "-").as_str()).is_none());
    }
}
