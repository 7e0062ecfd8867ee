//! Words that are base64 of a text.
//!
//! Source: RFC 4648, sections 4 and 5 (<https://www.rfc-editor.org/rfc/rfc4648>). Validator: the word decodes to printable UTF-8;
//! it is then scanned like any text, and a finding in it is one of the whole word. Not found: words of fewer than
//! [`LEN_MIN`] characters, words without a digit, base64 broken over lines, and what stands after the first
//! [`LEN_MAX`] characters.

use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use super::{Candidates, Encoded, Input};

/// Shorter words are everything.
const LEN_MIN: usize = 16;

/// As many characters of a word are decoded: a page of text many times over.
const LEN_MAX: usize = 64 * 1024;

const fn engine(alphabet: &alphabet::Alphabet) -> GeneralPurpose {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(alphabet, config)
}

const STANDARD: GeneralPurpose = engine(&alphabet::STANDARD);
const URL_SAFE: GeneralPurpose = engine(&alphabet::URL_SAFE);

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

/// Looks at the word around the digit at `at`, if it is the word's first.
pub(crate) fn at(input: &Input<'_>, at: usize, found: &mut Candidates) {
    let back = input.run_back(at, 64, is_base64);
    let start = input.skip_escape(at - back).min(at);
    if input.span(start, at).iter().any(u8::is_ascii_digit) || !input.begins(start) {
        return;
    }
    let len = input.run(start, LEN_MAX, is_base64);
    if len < LEN_MIN || input.span(start, start + 3) == b"eyJ" {
        return;
    }
    let word = input.span(start, start + len);
    let engine = if word.iter().any(|b| matches!(b, b'-' | b'_')) { &URL_SAFE } else { &STANDARD };
    // The first characters tell almost always.
    let plain =
        |bytes: &[u8]| bytes.iter().all(|b| !b.is_ascii_control() || matches!(b, b'\n' | b'\t' | b'\r'));
    let begins = word.get(..LEN_MIN).and_then(|first| engine.decode(first).ok());
    if !begins.is_some_and(|bytes| {
        plain(&bytes) && bytes.iter().filter(|b| b.is_ascii()).count() * 4 >= bytes.len() * 3
    }) {
        return;
    }
    let Some(text) =
        engine.decode(word).ok().filter(|bytes| plain(bytes)).and_then(|bytes| String::from_utf8(bytes).ok())
    else {
        return;
    };
    let end = start + len + input.run(start + len, 2, |b| b == b'=');
    found.encoded.push(Encoded { start, end, text });
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

    use crate::EntityType::Email;
    use crate::recognizers::table::spans;

    #[test]
    fn what_the_text_of_a_word_holds_the_word_holds() {
        let long = format!("{} and then anna.lang@kunde.example", "Nothing of anybody 12. ".repeat(1_500));
        for text in ["anna.lang@kunde.example", "mail: anna.lang@kunde.example, größer", &long] {
            for word in
                [STANDARD.encode(text), URL_SAFE_NO_PAD.encode(text), STANDARD.encode(STANDARD.encode(text))]
            {
                if word.len() < super::LEN_MAX {
                    assert_eq!(
                        spans(&format!("so {word} yes"), Email),
                        [word.as_str()],
                        "{} bytes",
                        text.len()
                    );
                }
            }
        }
        for text in
            ["c2hvcnQ=", "YW5uYS5sYW5nQGt1bmRlLmV4YW1wbGU", "dGhpcyBpcyBub3RoaW5nIG9mIGFueWJvZHkgMTI="]
        {
            let found = !spans(text, Email).is_empty();
            assert_eq!(found, text.starts_with("YW5u"), "{text}");
        }
        // Bytes that are no text.
        assert!(spans(&STANDARD.encode([7; 64]), Email).is_empty());
    }
}
