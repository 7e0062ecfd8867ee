//! How far a text that is still being written can be decided: where nothing that comes can change what is found.

use crate::fold::is_folded;
use crate::recognizers::credential::PEM;

/// The longest number or IBAN with its separators, generously.
const NUMBER_MAX: usize = 96;

/// Whether a character ends every word: no finding has it inside, unless between groups of a number.
fn ends_word(c: char) -> bool {
    c.is_ascii_whitespace() || (c > '\u{24f}' && !is_folded(c))
}

/// White space between the groups of a number.
fn is_gap(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

/// Whether a word can be a group of a number that goes on in the next word: it has a digit, or is as short as a
/// group of letters in an IBAN.
fn continues_number(word: &str) -> bool {
    word.chars().any(char::is_numeric)
        || (word.chars().filter(|c| c.is_ascii_alphanumeric()).count() <= 4
            && word.chars().all(|c| c.is_ascii_alphanumeric() || is_folded(c) || c.is_ascii_punctuation()))
}

/// The place in `text` up to which findings are certain, whatever follows. It is a character boundary. The last `words`
/// words before it are uncertain too: as many as a finding made of words has.
pub(super) fn decided(text: &str, words: usize) -> usize {
    let decided = decided_by_form(text);
    let mut start = decided;
    for _ in 0..words {
        let head = text.get(..start).unwrap_or_default().trim_end();
        start =
            head.char_indices().rev().find(|(_, c)| c.is_whitespace()).map_or(0, |(i, c)| i + c.len_utf8());
        if start == 0 {
            break;
        }
    }
    start
}

/// The same for findings that have a form.
fn decided_by_form(text: &str) -> usize {
    let mut start = word_start(text, text.len());
    let last = start;
    // Back over words that may be groups of one number.
    let mut first_digits = None;
    while let Some(gap) = text.get(..start).and_then(|t| t.chars().next_back()) {
        if !is_gap(gap) || last - start > NUMBER_MAX {
            break;
        }
        let word_end = start - gap.len_utf8();
        let before = word_start(text, word_end);
        let word = text.get(before..word_end).unwrap_or_default();
        if !continues_number(word) {
            break;
        }
        start = before;
        // A number begins with a group that has a digit, or a sign of one.
        if word.chars().any(|c| c.is_numeric() || is_folded(c) || matches!(c, '+' | '(')) {
            first_digits = Some(before);
        }
    }
    private_key(text, first_digits.unwrap_or(last))
}

/// Where the word that ends at `end` starts.
fn word_start(text: &str, end: usize) -> usize {
    let head = text.get(..end).unwrap_or_default();
    head.char_indices().rev().find(|(_, c)| ends_word(*c)).map_or(0, |(i, c)| i + c.len_utf8())
}

/// `decided`, or where a private key begins that has not ended.
fn private_key(text: &str, decided: usize) -> usize {
    let Some(begin) = text.rfind(PEM) else { return decided };
    let rest = text.get(begin + PEM.len()..).unwrap_or_default();
    // Anything that cannot be in a key ends it too.
    let of_key = |c: char| {
        c.is_ascii_alphanumeric() || c.is_ascii_whitespace() || "+/=\\:,-".contains(c) || is_folded(c)
    };
    let closed = rest.find("-----END ").is_some_and(|end| {
        let tail = rest.get(end + 9..).unwrap_or_default();
        tail.find("-----").is_some_and(|dashes| tail.len() > dashes + 5)
    });
    if closed || !rest.chars().all(of_key) { decided } else { decided.min(begin) }
}

#[cfg(test)]
mod tests {
    use super::decided;

    #[test]
    fn holds_what_may_go_on() {
        for (certain, held) in [
            ("", ""),
            ("hello ", ""),
            ("hello ", "wor"),
            ("card ", "4111 1111"),
            ("card ", "4111 1111 "),
            ("an ", "DE89 37"),
            ("it ", "GB82 WEST 1"),
            ("ring ", "+49 (0)30 12"),
            ("mail ", "jane@exam"),
            ("电邮", "li@ex"),
            ("a ", "-----BEGIN PRIVATE KEY-----\nMII\nxyz"),
            ("see it in the ", "bo"),
            ("card ", "4111\n1111\r\n"),
            ("card ", "4111  1111 - 11"),
        ] {
            assert_eq!(decided(&format!("{certain}{held}"), 0), certain.len(), "{certain:?} {held:?}");
        }
        assert_eq!(decided("one two three four fiv", 0), "one two three four ".len());
        assert_eq!(decided("one two three four fiv", 2), "one two ".len());
        assert_eq!(decided("one two", 9), 0);
    }
}
