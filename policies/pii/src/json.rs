//! The little of JSON that redaction inside a JSON text needs: whether a place is inside a string, and how far
//! the number around a place reaches. RFC 8259.

/// Follows a JSON text piece by piece and knows whether it is inside a string.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct StringTracker {
    in_string: bool,
    escaped: bool,
    /// Hex digits of a `\u` escape that are still to come.
    hex_left: u8,
}

impl StringTracker {
    /// Reads the next piece.
    pub(crate) fn advance(&mut self, piece: &str) {
        for byte in piece.bytes() {
            match byte {
                _ if self.escaped => {
                    self.escaped = false;
                    self.hex_left = if byte == b'u' { 4 } else { 0 };
                }
                _ if self.hex_left > 0 => self.hex_left -= 1,
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                _ => {}
            }
        }
    }

    /// How many of the next bytes, which are `rest`, belong to an escape that has begun: a value can't begin there, and
    /// what is written in place of one must not cut the escape in two.
    pub(crate) fn escape_left(self, rest: &str) -> usize {
        match (self.escaped, rest.as_bytes().first()) {
            (true, Some(b'u')) => 5,
            (true, _) => 1,
            (false, _) => usize::from(self.hex_left),
        }
    }

    /// Whether the next byte is inside a string.
    pub(crate) const fn in_string(self) -> bool {
        self.in_string
    }
}

/// Widens `start..end` over the number literal that it is part of, not before `from`.
pub(crate) fn number_around(text: &str, start: usize, end: usize, from: usize) -> (usize, usize) {
    let of_number = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    let bytes = text.as_bytes();
    let before = bytes.get(from..start).unwrap_or_default().iter().rev().take_while(|b| of_number(b)).count();
    let after = bytes.get(end..).unwrap_or_default().iter().take_while(|b| of_number(b)).count();
    (start - before, end + after)
}

/// Appends `value` to `out`, escaped as the inside of a JSON string.
pub(crate) fn escape_into(value: &str, out: &mut String) {
    if let Ok(quoted) = serde_json::to_string(value) {
        out.push_str(quoted.strip_prefix('"').and_then(|q| q.strip_suffix('"')).unwrap_or_default());
    }
}
