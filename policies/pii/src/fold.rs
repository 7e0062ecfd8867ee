//! Folds the spellings of a text that look or read the same to plain ASCII, so that recognizers need not know
//! them: spaces that do not break, typographic dashes, full-width letters and digits, digits of other scripts,
//! and characters that are not shown (Default_Ignorable_Code_Point of
//! <https://www.unicode.org/Public/UCD/latest/ucd/DerivedCoreProperties.txt>). Spans found in the folded text are
//! mapped back.

/// What becomes of a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fold {
    Keep,
    Remove,
    To(char),
}

fn fold(c: char) -> Fold {
    let digit = |zero: char| Fold::To(char::from(b'0' + u8::try_from(c as u32 - zero as u32).unwrap_or(0)));
    match c {
        // Default_Ignorable_Code_Point: not shown, whatever stands around it.
        '\u{ad}'
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
        | '\u{fff0}'..='\u{fff8}'
        | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}' => Fold::Remove,
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => Fold::To(' '),
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' => Fold::To('-'),
        '\u{2024}' | '\u{3002}' => Fold::To('.'),
        '\u{660}'..='\u{669}' => digit('\u{660}'),
        '\u{6f0}'..='\u{6f9}' => digit('\u{6f0}'),
        '\u{966}'..='\u{96f}' => digit('\u{966}'),
        // Full-width forms of ASCII.
        '\u{ff01}'..='\u{ff5e}' => Fold::To(char::from_u32(c as u32 - 0xfee0).unwrap_or(c)),
        _ => Fold::Keep,
    }
}

/// Whether a character is folded to something else than itself.
pub(crate) fn is_folded(c: char) -> bool {
    fold(c) != Fold::Keep
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
        // What is folded begins with one of few bytes; most text has none of them.
        if text.is_ascii()
            || !text
                .bytes()
                .any(|b| matches!(b, 0xC2 | 0xCD | 0xD8 | 0xD9 | 0xDB | 0xE0..=0xE3 | 0xEF | 0xF0 | 0xF3))
        {
            return None;
        }
        let mut folded = Self { text: String::new(), steps: Vec::new() };
        let mut copied = 0;
        for (original, c) in text.char_indices() {
            if c.is_ascii() {
                continue;
            }
            let to = fold(c);
            if to == Fold::Keep {
                continue;
            }
            folded.text.push_str(text.get(copied..original).unwrap_or_default());
            copied = original + c.len_utf8();
            let at = folded.text.len();
            if let Fold::To(c) = to {
                folded.text.push(c);
            }
            folded.steps.push(Step {
                folded: at,
                folded_len: folded.text.len() - at,
                original,
                original_len: c.len_utf8(),
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
            0xfff0..=0xfff8,
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
