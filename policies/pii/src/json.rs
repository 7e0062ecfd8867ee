//! The little of JSON that looking into a JSON text needs: what its strings say behind their escapes, whether a place
//! is inside a string, and how far the number around a place reaches. RFC 8259.
//!
//! A string of a JSON text may hold a JSON text again; one that begins with `{` or `[` is followed into, [`DEPTH`]
//! levels in all. Nothing is parsed and nothing is refused: a text that breaks off, or is no JSON at all, is followed
//! as far as it goes, and an escape that is none stands for itself.

/// How many JSON texts inside one another are followed, the outermost counted.
const DEPTH: usize = 4;

/// An escape that has begun.
#[derive(Clone, Copy, Debug, Default)]
enum Escape {
    #[default]
    None,
    Backslash,
    /// After `\u`: digits seen and their value.
    Hex(u8, u16),
}

/// One of the JSON texts inside one another.
#[derive(Clone, Copy, Debug, Default)]
struct Layer {
    in_string: bool,
    /// Nothing but white space came since the string began.
    fresh: bool,
    escape: Escape,
    /// The first half of a character outside the basic plane.
    high: Option<u16>,
}

/// Where decoded characters go.
trait Sink {
    fn put(&mut self, c: char);
}

impl Sink for String {
    fn put(&mut self, c: char) {
        self.push(c);
    }
}

impl Sink for () {
    fn put(&mut self, _: char) {}
}

#[derive(Clone, Copy, Debug, Default)]
struct Layers {
    layers: [Layer; DEPTH],
    /// The innermost that is open.
    deepest: usize,
}

impl Layers {
    fn innermost(&self) -> Layer {
        self.layers.get(self.deepest).copied().unwrap_or_default()
    }

    /// Takes one character of the text on `level`.
    fn feed(&mut self, level: usize, c: char, out: &mut impl Sink) {
        let Some(layer) = self.layers.get_mut(level) else { return out.put(c) };
        if !layer.in_string {
            if c == '"' {
                *layer = Layer { in_string: true, fresh: true, ..Layer::default() };
            }
            return out.put(c);
        }
        match std::mem::take(&mut layer.escape) {
            Escape::None if c == '\\' => layer.escape = Escape::Backslash,
            Escape::None if c == '"' => {
                self.lone(level, out);
                self.deepest = level;
                if let Some(layer) = self.layers.get_mut(level) {
                    layer.in_string = false;
                }
                out.put('"');
            }
            Escape::None => self.say(level, c, out),
            Escape::Backslash => match c {
                'u' => layer.escape = Escape::Hex(0, 0),
                '"' | '\\' | '/' => self.say(level, c, out),
                'b' => self.say(level, '\u{8}', out),
                'f' => self.say(level, '\u{c}', out),
                'n' => self.say(level, '\n', out),
                'r' => self.say(level, '\r', out),
                't' => self.say(level, '\t', out),
                _ => {
                    self.say(level, '\\', out);
                    self.feed(level, c, out);
                }
            },
            Escape::Hex(seen, unit) => match c.to_digit(16).and_then(|digit| u16::try_from(digit).ok()) {
                Some(digit) if seen == 3 => self.unit(level, unit << 4 | digit, out),
                Some(digit) => layer.escape = Escape::Hex(seen + 1, unit << 4 | digit),
                None => {
                    self.say(level, '\\', out);
                    self.say(level, 'u', out);
                    for place in (0..u32::from(seen)).rev() {
                        let digit = u32::from(unit) >> (4 * place) & 0xf;
                        self.say(level, char::from_digit(digit, 16).unwrap_or('0'), out);
                    }
                    self.feed(level, c, out);
                }
            },
        }
    }

    /// A `\uXXXX` is complete.
    fn unit(&mut self, level: usize, unit: u16, out: &mut impl Sink) {
        let high = self.layers.get_mut(level).and_then(|layer| layer.high.take());
        let pair = high.and_then(|high| char::decode_utf16([high, unit]).next()?.ok());
        match pair {
            Some(c) => self.say(level, c, out),
            None => {
                if high.is_some() {
                    self.say(level, char::REPLACEMENT_CHARACTER, out);
                }
                match char::from_u32(u32::from(unit)) {
                    Some(c) => self.say(level, c, out),
                    None if unit < 0xdc00 => {
                        if let Some(layer) = self.layers.get_mut(level) {
                            layer.high = Some(unit);
                        }
                    }
                    None => self.say(level, char::REPLACEMENT_CHARACTER, out),
                }
            }
        }
    }

    /// Half a character that gets no other half.
    fn lone(&mut self, level: usize, out: &mut impl Sink) {
        if self.layers.get_mut(level).and_then(|layer| layer.high.take()).is_some() {
            self.say(level, char::REPLACEMENT_CHARACTER, out);
        }
    }

    /// The string on `level` says `c`.
    fn say(&mut self, level: usize, c: char, out: &mut impl Sink) {
        self.lone(level, out);
        let Some(layer) = self.layers.get_mut(level) else { return out.put(c) };
        if layer.fresh && !c.is_ascii_whitespace() {
            layer.fresh = false;
            if matches!(c, '{' | '[') && level + 1 < DEPTH {
                self.deepest = level + 1;
                if let Some(inner) = self.layers.get_mut(level + 1) {
                    *inner = Layer::default();
                }
            }
        }
        if level < self.deepest {
            self.feed(level + 1, c, out);
        } else {
            out.put(c);
        }
    }
}

/// Follows a text piece by piece and knows, if it is JSON, where in it it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Follower {
    /// Unknown before the first character that is not white space.
    json: Option<bool>,
    layers: Layers,
}

impl Follower {
    /// For a text that is JSON.
    pub(crate) fn json() -> Self {
        Self { json: Some(true), layers: Layers::default() }
    }

    /// For a text that is taken for JSON if it begins with `{` or `[`.
    pub(crate) fn text() -> Self {
        Self { json: None, layers: Layers::default() }
    }

    /// Looks at the beginning of the next piece; whether the text is JSON.
    fn begins(&mut self, piece: &str) -> bool {
        if self.json.is_none()
            && let Some(first) = piece.trim_ascii_start().chars().next()
        {
            self.json = Some(matches!(first, '{' | '['));
        }
        self.is_json()
    }

    /// Reads the next piece.
    pub(crate) fn advance(&mut self, piece: &str) {
        if self.begins(piece) {
            piece.chars().for_each(|c| self.layers.feed(0, c, &mut ()));
        }
    }

    /// A value was left out here.
    pub(crate) fn skip(&mut self) {
        self.json.get_or_insert(false);
        let deepest = self.layers.deepest;
        if let Some(layer) = self.layers.layers.get_mut(deepest) {
            layer.fresh = false;
        }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.json == Some(true)
    }

    /// Whether the next character is inside a string of the innermost text.
    pub(crate) fn in_string(&self) -> bool {
        self.layers.innermost().in_string
    }

    /// How many times what is written here has to be escaped.
    pub(crate) fn escapes(&self) -> usize {
        if self.is_json() { self.layers.deepest + usize::from(self.in_string()) } else { 0 }
    }
}

/// A text as its reader understands it: where it is JSON, escapes in its strings are decoded, and in the strings of
/// JSON texts in its strings. Remembers how everything was written.
#[derive(Clone, Debug)]
pub(crate) struct View {
    text: String,
    head: Follower,
    /// Read, but not yet a character.
    pending: String,
    /// Places that were written otherwise, in order.
    marks: Vec<Mark>,
    /// How the marks were written, one after another.
    written: String,
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    start: usize,
    end: usize,
    /// Place in `View::written`.
    from: usize,
    to: usize,
}

impl View {
    pub(crate) fn new(head: Follower) -> Self {
        Self { text: String::new(), head, pending: String::new(), marks: Vec::new(), written: String::new() }
    }

    /// As it is understood.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Reads the next piece.
    pub(crate) fn push(&mut self, piece: &str) {
        if !self.head.begins(piece) {
            return self.text.push_str(piece);
        }
        for c in piece.chars() {
            let start = self.text.len();
            self.head.layers.feed(0, c, &mut self.text);
            if self.text.len() == start {
                self.pending.push(c);
            } else if !self.pending.is_empty()
                || !self.text.ends_with(c)
                || self.text.len() > start + c.len_utf8()
            {
                self.pending.push(c);
                self.mark(start);
            }
        }
    }

    /// How many bytes it takes to remember what it holds.
    pub(crate) fn size(&self) -> usize {
        self.text.len() + self.written.len() + self.marks.len() * size_of::<Mark>()
    }

    /// How many bytes it takes, with the room that it has left.
    pub(crate) fn capacity(&self) -> usize {
        self.text.capacity()
            + self.pending.capacity()
            + self.written.capacity()
            + self.marks.capacity() * size_of::<Mark>()
    }

    /// Gives up room that it does not need for what it holds.
    pub(crate) fn shrink(&mut self) {
        self.text.shrink_to(self.text.len() * 2);
        self.written.shrink_to(self.written.len() * 2);
        self.marks.shrink_to(self.marks.len() * 2);
    }

    /// Whether what was read last is the beginning of an escape.
    pub(crate) fn is_within_escape(&self) -> bool {
        !self.pending.is_empty()
    }

    /// The text ends here, perhaps within an escape.
    pub(crate) fn end(&mut self) {
        if !self.pending.is_empty() {
            let start = self.text.len();
            self.text.push(char::REPLACEMENT_CHARACTER);
            self.mark(start);
        }
    }

    fn mark(&mut self, start: usize) {
        let from = self.written.len();
        self.written.push_str(&self.pending);
        self.pending.clear();
        self.marks.push(Mark { start, end: self.text.len(), from, to: self.written.len() });
    }

    /// Appends to `out` how `start..end` was written. Neither may be within a mark: see [`widen`](Self::widen).
    pub(crate) fn written(&self, start: usize, end: usize, out: &mut String) {
        let mut at = start;
        let first = self.marks.partition_point(|mark| mark.end <= start);
        for mark in self.marks.iter().skip(first).take_while(|mark| mark.end <= end) {
            out.push_str(self.text.get(at..mark.start).unwrap_or_default());
            out.push_str(self.written.get(mark.from..mark.to).unwrap_or_default());
            at = mark.end;
        }
        out.push_str(self.text.get(at..end).unwrap_or_default());
    }

    /// `start..end`, widened so that it cuts no mark.
    pub(crate) fn widen(&self, start: usize, end: usize) -> (usize, usize) {
        let cut = |at: usize| {
            let first = self.marks.partition_point(|mark| mark.end <= at);
            self.marks.get(first).filter(|mark| mark.start < at)
        };
        (cut(start).map_or(start, |mark| mark.start), cut(end).map_or(end, |mark| mark.end))
    }

    /// Whether everything is written as it is understood.
    pub(crate) fn is_plain(&self) -> bool {
        self.marks.is_empty()
    }

    /// Drops the beginning, up to about `until`. Gives the number of bytes dropped.
    pub(crate) fn forget(&mut self, until: usize) -> usize {
        let (mut until, _) = self.widen(until, until);
        while !self.text.is_char_boundary(until) {
            until -= 1;
        }
        self.text.drain(..until);
        let gone = self.marks.partition_point(|mark| mark.end <= until);
        let written = self.marks.drain(..gone).next_back().map_or(0, |mark| mark.to);
        self.written.drain(..written);
        for mark in &mut self.marks {
            *mark = Mark {
                start: mark.start - until,
                end: mark.end - until,
                from: mark.from - written,
                to: mark.to - written,
            };
        }
        until
    }
}

/// A JSON text within a string, as its reader understands it: what to scan instead of the text itself, where the text
/// holds escapes. For [`redact_embedded`](crate::redact_embedded).
#[derive(Clone, Debug)]
pub struct Embedded(View);

impl Embedded {
    /// `None` where there is nothing to decode: `text` holds no backslash, or begins with neither `{` nor `[`. `json`
    /// says that it is JSON whatever it begins with.
    pub fn of(text: &str, json: bool) -> Option<Self> {
        if !json && !matches!(text.trim_ascii_start().as_bytes().first(), Some(b'{' | b'[')) {
            return None;
        }
        memchr::memchr(b'\\', text.as_bytes()).map(|_| Self::new(text))
    }

    /// `text`, taken for JSON.
    pub fn new(text: &str) -> Self {
        let mut view = View::new(Follower::json());
        view.push(text);
        view.end();
        Self(view)
    }

    /// The text to scan.
    pub fn text(&self) -> &str {
        self.0.text()
    }

    pub(crate) const fn view(&self) -> &View {
        &self.0
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

/// Whether `start..end` can be a number that is a value in a JSON text.
pub(crate) fn is_number_value(text: &str, start: usize, end: usize) -> bool {
    let before = text.get(..start).unwrap_or_default().trim_ascii_end().as_bytes().last();
    let number = text.get(start..end).unwrap_or_default();
    matches!(before, Some(b':' | b',' | b'['))
        && number.bytes().all(|b| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'))
}

/// Appends `value` to `out`, escaped `times` times as the inside of a JSON string.
pub(crate) fn escape_into(value: &str, times: usize, out: &mut String) {
    if times == 0 {
        return out.push_str(value);
    }
    if !value.bytes().any(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)) {
        return out.push_str(value);
    }
    if let Ok(quoted) = serde_json::to_string(value) {
        let quoted = zeroize::Zeroizing::new(quoted);
        let inner = quoted.strip_prefix('"').and_then(|q| q.strip_suffix('"')).unwrap_or_default();
        escape_into(inner, times - 1, out);
    }
}

/// A quotation mark where what is written has to be escaped `times` times.
pub(crate) const fn quote(times: usize) -> &'static str {
    match times {
        0 => "\"",
        1 => "\\\"",
        2 => "\\\\\\\"",
        _ => "\\\\\\\\\\\\\\\"",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(text: &str) -> View {
        let mut view = View::new(Follower::text());
        view.push(text);
        view.end();
        view
    }

    #[test]
    fn strings_are_decoded_and_strings_in_strings() {
        for (written, understood) in [
            (r#"{"a":"b\u0040c","d":"\n"}"#, "{\"a\":\"b@c\",\"d\":\"\n\"}"),
            (r#" [ "\uD83D\uDE00\uD83Dx\ude00" ]"#, " [ \"😀\u{fffd}x\u{fffd}\" ]"),
            (r#"{"a":"{\"b\":\"c\\u0040d\"}"}"#, r#"{"a":"{"b":"c@d"}"}"#),
            (r#"{"a":"C:\\new"}"#, r#"{"a":"C:\new"}"#),
            (r#"["\q\u12g\u"]"#, r#"["\q\u12g\u"]"#),
            (r#"["\u00"#, "[\"\u{fffd}"),
            (r#"hello \u0040"#, r#"hello \u0040"#),
        ] {
            let view = view(written);
            assert_eq!(view.text(), understood);
            let mut out = String::new();
            view.written(0, view.text().len(), &mut out);
            assert_eq!(out, written);
        }
    }

    #[test]
    fn every_place_is_written_as_it_was() {
        let written = r#"{"a":"b\u0040c\"","{\"d\"":["\\{\u0041"],"e":"[\"\\u0040\\\"\"]"}"#;
        let view = view(written);
        for cut in 0..=view.text().len() {
            let (at, end) = view.widen(cut, cut);
            if view.text().is_char_boundary(cut) && at == end {
                let mut out = String::new();
                view.written(0, cut, &mut out);
                view.written(cut, view.text().len(), &mut out);
                assert_eq!(out, written, "{cut}");
            }
        }
        let mut short = view.clone();
        let dropped = short.forget(9);
        let (mut one, mut other) = (String::new(), String::new());
        view.written(dropped, view.text().len(), &mut one);
        short.written(0, short.text().len(), &mut other);
        assert_eq!(one, other);
    }

    #[test]
    fn knows_how_often_to_escape() {
        let mut follower = Follower::text();
        for (piece, escapes) in
            [("{", 0), ("\"a", 1), ("\":", 0), ("\" {", 1), ("\\\"b\\\":\\\"", 2), ("\\\"}\"", 0), ("}", 0)]
        {
            follower.advance(piece);
            assert_eq!(follower.escapes(), escapes, "{piece}");
        }
        let mut out = String::new();
        escape_into("a\"b", 2, &mut out);
        assert_eq!(out, r#"a\\\"b"#);
    }
}
