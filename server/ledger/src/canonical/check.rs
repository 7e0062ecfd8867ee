//! The reading half: are these bytes the canonical form of some value?

use super::{MAX_DEPTH, compare_keys};

/// Where and why bytes are not canonical JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not canonical JSON (RFC 8785) at byte {offset}: {why}")]
pub struct NotCanonical {
    /// Offset in bytes.
    pub offset: usize,
    /// What is wrong there.
    pub why: &'static str,
}

/// Whether `bytes` are the canonical form of exactly one JSON value.
#[must_use]
pub fn is_canonical(bytes: &[u8]) -> bool {
    check(bytes).is_ok()
}

/// Checks that `bytes` are the canonical form of exactly one JSON value: UTF-8, no white space, shortest
/// spelling of strings and numbers, keys in strictly ascending order of their UTF-16 code units, nesting of
/// at most [`MAX_DEPTH`].
///
/// # Errors
///
/// [`NotCanonical`] names the first byte where they are not.
pub fn check(bytes: &[u8]) -> Result<(), NotCanonical> {
    if let Err(error) = std::str::from_utf8(bytes) {
        return Err(NotCanonical { offset: error.valid_up_to(), why: "not UTF-8" });
    }
    let mut scanner = Scanner { bytes, at: 0 };
    scanner.value(0)?;
    if scanner.at == bytes.len() { Ok(()) } else { scanner.fail("more bytes after the value") }
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    fn fail<T>(&self, why: &'static str) -> Result<T, NotCanonical> {
        Err(NotCanonical { offset: self.at, why })
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8, why: &'static str) -> Result<(), NotCanonical> {
        if self.take(byte) { Ok(()) } else { self.fail(why) }
    }

    fn since(&self, start: usize) -> &'a [u8] {
        self.bytes.get(start..self.at).unwrap_or_default()
    }

    fn value(&mut self, depth: usize) -> Result<(), NotCanonical> {
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(drop),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word(b"true"),
            Some(b'f') => self.word(b"false"),
            Some(b'n') => self.word(b"null"),
            Some(_) => self.fail("expected a value"),
            None => self.fail("ends before its value"),
        }
    }

    fn word(&mut self, word: &'static [u8]) -> Result<(), NotCanonical> {
        if !self.bytes.get(self.at..).unwrap_or_default().starts_with(word) {
            return self.fail("expected true, false or null");
        }
        self.at += word.len();
        Ok(())
    }

    fn object(&mut self, depth: usize) -> Result<(), NotCanonical> {
        if depth >= MAX_DEPTH {
            return self.fail("nested too deeply");
        }
        self.at += 1;
        if self.take(b'}') {
            return Ok(());
        }
        let mut last: Option<&[u8]> = None;
        loop {
            let at = self.at;
            let key = self.string()?;
            if last.is_some_and(|last| compare_keys(last, key).is_ge()) {
                return Err(NotCanonical { offset: at, why: "keys are not in ascending order, or repeat" });
            }
            last = Some(key);
            self.expect(b':', "expected a colon")?;
            self.value(depth + 1)?;
            if self.take(b'}') {
                return Ok(());
            }
            self.expect(b',', "expected a comma or the end of the object")?;
        }
    }

    fn array(&mut self, depth: usize) -> Result<(), NotCanonical> {
        if depth >= MAX_DEPTH {
            return self.fail("nested too deeply");
        }
        self.at += 1;
        if self.take(b']') {
            return Ok(());
        }
        loop {
            self.value(depth + 1)?;
            if self.take(b']') {
                return Ok(());
            }
            self.expect(b',', "expected a comma or the end of the array")?;
        }
    }

    /// Returns the escaped text between the quotes.
    fn string(&mut self) -> Result<&'a [u8], NotCanonical> {
        self.expect(b'"', "expected a string")?;
        let start = self.at;
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            let clean = rest.iter().position(|&byte| byte < 0x20 || byte == b'"' || byte == b'\\');
            self.at += clean.unwrap_or(rest.len());
            match self.peek() {
                Some(b'"') => {
                    let text = self.since(start);
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => self.escape()?,
                Some(_) => return self.fail("a control character in a string"),
                None => return self.fail("ends inside a string"),
            }
        }
    }

    fn escape(&mut self) -> Result<(), NotCanonical> {
        let rest = self.bytes.get(self.at + 1..).unwrap_or_default();
        self.at += match rest {
            [b'"' | b'\\' | b'b' | b't' | b'n' | b'f' | b'r', ..] => 2,
            // Only control characters without a short form; lower-case digits.
            [b'u', b'0', b'0', b'0', b'0'..=b'7' | b'b' | b'e' | b'f', ..]
            | [b'u', b'0', b'0', b'1', b'0'..=b'9' | b'a'..=b'f', ..] => 6,
            _ => return self.fail("an escape that the canonical form does not use"),
        };
        Ok(())
    }

    fn number(&mut self) -> Result<(), NotCanonical> {
        let start = self.at;
        while matches!(self.peek(), Some(b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')) {
            self.at += 1;
        }
        let text = self.since(start);
        if plain_integer(text) {
            return Ok(());
        }
        let number: Option<f64> = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
        match number {
            Some(number)
                if number.is_finite() && ryu_js::Buffer::new().format_finite(number).as_bytes() == text =>
            {
                Ok(())
            }
            _ => Err(NotCanonical { offset: start, why: "a number that is not in its canonical form" }),
        }
    }
}

/// An integer of at most 15 digits is exact in a double, so it is canonical as it stands.
fn plain_integer(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    match digits {
        [b'0'] => digits.len() == text.len(),
        [b'1'..=b'9', rest @ ..] => rest.len() < 15 && rest.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}
