//! Builds the table of a [`Document`] in one pass. Recursion goes no deeper than the limit on nesting allows.

use bytes::Bytes;
use jiter::{Jiter, JiterError, Peek};

use super::{Document, Kind, NONE, Node, NodeId};

/// How much structure a body may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Objects and arrays inside one another.
    pub depth: usize,
    /// Values in all.
    pub nodes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 64, nodes: 1_000_000 }
    }
}

/// Why a body could not be read. The text names positions, never content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Bytes that are not UTF-8 (RFC 8259, section 8.1).
    #[error("the body is not UTF-8: byte {at} does not belong to any character")]
    NotUtf8 {
        /// Byte offset.
        at: usize,
    },
    /// Not JSON.
    #[error("the body is not valid JSON at byte {at}: {what}")]
    NotJson {
        /// Byte offset.
        at: usize,
        /// What the parser expected.
        what: String,
    },
    /// Half of a character beyond the basic plane (RFC 8259, section 8.2).
    #[error("the string at byte {at} holds half of a character: a surrogate escape without its other half")]
    LoneSurrogate {
        /// Byte offset.
        at: usize,
    },
    /// Two members of one object have the same name.
    #[error("the object at byte {at} has the same key twice; readers disagree about which one counts")]
    DuplicateKey {
        /// Byte offset of the object.
        at: usize,
    },
    /// Too deep.
    #[error("the body nests deeper than {limit} levels")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// Too many values.
    #[error("the body holds more than {limit} values")]
    TooManyValues {
        /// The limit.
        limit: usize,
    },
    /// More bytes than offsets can address.
    #[error("the body is larger than 4 GiB")]
    TooLarge,
}

impl Malformed {
    /// What to change.
    #[must_use]
    pub fn way_out(&self) -> &'static str {
        match self {
            Self::NotUtf8 { .. } => "encode the body as UTF-8",
            Self::NotJson { .. } => "send one JSON object, written by a JSON library (RFC 8259)",
            Self::LoneSurrogate { .. } => {
                "do not cut text within a character: escape both halves, or send the character itself as UTF-8"
            }
            Self::DuplicateKey { .. } => "name every member of an object once",
            Self::TooDeep { .. } => "nest less deeply",
            Self::TooManyValues { .. } | Self::TooLarge => "send less at once",
        }
    }
}

pub(super) fn parse(bytes: Bytes, limits: Limits) -> Result<Document, Malformed> {
    let document = parse_repeated(bytes, limits)?;
    check_duplicates(&document)?;
    Ok(document)
}

/// Like [`parse`], but members of one object may have the same name.
pub(super) fn parse_repeated(bytes: Bytes, limits: Limits) -> Result<Document, Malformed> {
    if u32::try_from(bytes.len()).is_err() {
        return Err(Malformed::TooLarge);
    }
    if let Err(error) = std::str::from_utf8(&bytes) {
        return Err(Malformed::NotUtf8 { at: error.valid_up_to() });
    }
    let mut builder = Builder {
        nodes: Vec::with_capacity(64),
        open: Vec::with_capacity(16),
        limits,
        text: &bytes,
        parser: Jiter::new(&bytes),
    };
    builder.run().map_err(|error| surrogate(error, &bytes))?;
    let nodes = builder.nodes;
    Ok(Document { bytes, nodes })
}

struct Open {
    node: u32,
    last_child: u32,
    object: bool,
}

struct Builder<'a> {
    nodes: Vec<Node>,
    open: Vec<Open>,
    limits: Limits,
    text: &'a [u8],
    parser: Jiter<'a>,
}

impl Builder<'_> {
    fn run(&mut self) -> Result<(), Malformed> {
        let peek = self.parser.peek().map_err(not_json)?;
        self.value(peek, (0, 0))?;
        while let Some(open) = self.open.last() {
            let before = self.parser.current_index();
            if open.object {
                let more = self.parser.next_key().map_err(not_json)?.is_some();
                self.member(more, before)?;
            } else {
                match self.parser.array_step().map_err(not_json)? {
                    Some(peek) => self.value(peek, (0, 0))?,
                    None => self.close(),
                }
            }
        }
        self.parser.finish().map_err(not_json)
    }

    /// A key was read (from `before` on), or the object ended.
    fn member(&mut self, more: bool, before: usize) -> Result<(), Malformed> {
        if !more {
            self.close();
            return Ok(());
        }
        let key = self.key_range(before);
        let peek = self.parser.peek().map_err(not_json)?;
        self.value(peek, key)
    }

    /// The key's range within its quotes; only white space and punctuation stand between `before` and the quote.
    fn key_range(&self, before: usize) -> (u32, u32) {
        let rest = self.text.get(before..).unwrap_or_default();
        let Some(quote) = memchr::memchr(b'"', rest) else { return (0, 0) };
        let start = before + quote + 1;
        let mut end = start;
        while let Some(byte) = self.text.get(end) {
            match byte {
                b'"' => break,
                b'\\' => end += 2,
                _ => end += 1,
            }
        }
        (offset(start), offset(end))
    }

    fn value(&mut self, peek: Peek, key: (u32, u32)) -> Result<(), Malformed> {
        let start = self.parser.current_index();
        if self.nodes.len() >= self.limits.nodes {
            return Err(Malformed::TooManyValues { limit: self.limits.nodes });
        }
        let kind = match peek {
            Peek::Object => Kind::Object,
            Peek::Array => Kind::Array,
            Peek::String => Kind::String,
            Peek::True => Kind::True,
            Peek::False => Kind::False,
            Peek::Null => Kind::Null,
            _ => Kind::Number,
        };
        let id = offset(self.nodes.len());
        let parent = match self.open.last_mut() {
            Some(open) => {
                let previous = std::mem::replace(&mut open.last_child, id);
                let parent = open.node;
                if previous == NONE {
                    self.patch(parent, |node| node.child = id);
                } else {
                    self.patch(previous, |node| node.next = id);
                }
                parent
            }
            None => NONE,
        };
        self.nodes.push(Node {
            kind,
            start: offset(start),
            end: offset(start),
            key_start: key.0,
            key_end: key.1,
            parent,
            next: NONE,
            child: NONE,
        });
        match kind {
            Kind::Object | Kind::Array => self.enter(id, kind == Kind::Object),
            Kind::String => self.leaf(id, |parser| parser.known_str().map(drop)),
            Kind::Number => self.leaf(id, |parser| parser.known_number_bytes(peek).map(drop)),
            Kind::True | Kind::False => self.leaf(id, |parser| parser.known_bool(peek).map(drop)),
            Kind::Null => self.leaf(id, |parser| parser.known_null()),
        }
    }

    fn leaf(
        &mut self,
        id: u32,
        read: impl FnOnce(&mut Jiter<'_>) -> Result<(), JiterError>,
    ) -> Result<(), Malformed> {
        read(&mut self.parser).map_err(not_json)?;
        let end = offset(self.parser.current_index());
        self.patch(id, |node| node.end = end);
        Ok(())
    }

    fn enter(&mut self, id: u32, object: bool) -> Result<(), Malformed> {
        if self.open.len() >= self.limits.depth {
            return Err(Malformed::TooDeep { limit: self.limits.depth });
        }
        self.open.push(Open { node: id, last_child: NONE, object });
        if object {
            // The position before the call is the opening brace; the first quote after it opens the first key.
            let before = self.parser.current_index();
            let more = self.parser.known_object().map_err(not_json)?.is_some();
            self.member(more, before)
        } else {
            match self.parser.known_array().map_err(not_json)? {
                Some(peek) => self.value(peek, (0, 0)),
                None => {
                    self.close();
                    Ok(())
                }
            }
        }
    }

    fn close(&mut self) {
        if let Some(open) = self.open.pop() {
            let end = offset(self.parser.current_index());
            self.patch(open.node, |node| node.end = end);
        }
    }

    fn patch(&mut self, id: u32, change: impl FnOnce(&mut Node)) {
        if let Some(node) = self.nodes.get_mut(id as usize) {
            change(node);
        }
    }
}

/// Bodies over 4 GiB were refused at the start.
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(NONE)
}

#[expect(clippy::needless_pass_by_value, reason = "the signature that `map_err` asks for")]
fn not_json(error: JiterError) -> Malformed {
    // jiter's messages name types and positions, never the text.
    Malformed::NotJson { at: error.index, what: error.error_type.to_string() }
}

/// Tells an escape for half a character as what it is: the parser tells that its other half is not an escape.
fn surrogate(error: Malformed, text: &[u8]) -> Malformed {
    let Malformed::NotJson { at, what } = &error else { return error };
    if !what.contains("escape") && !what.contains("surrogate") {
        return error;
    }
    let from = at.saturating_sub(7);
    let seen = text.get(from..text.len().min(at + 6)).unwrap_or_default();
    let half = seen.windows(4).position(|four| match four {
        [b'\\', b'u', b'd' | b'D', third] => matches!(third.to_ascii_lowercase(), b'8' | b'9' | b'a'..=b'f'),
        _ => false,
    });
    match half {
        Some(half) => Malformed::LoneSurrogate { at: from + half },
        None => error,
    }
}

fn check_duplicates(document: &Document) -> Result<(), Malformed> {
    let mut keys: Vec<std::borrow::Cow<'_, str>> = Vec::new();
    for object in document.ids().filter(|id| document.kind(*id) == Kind::Object) {
        keys.clear();
        keys.extend(document.children(object).filter_map(|child| document.key(child)));
        if keys.len() < 2 {
            continue;
        }
        keys.sort_unstable();
        if keys.windows(2).any(|pair| pair.first() == pair.last()) {
            return Err(Malformed::DuplicateKey { at: document.range(object).start });
        }
    }
    Ok(())
}

impl NodeId {
    #[cfg(test)]
    pub(super) fn nth(index: u32) -> Self {
        Self(index)
    }
}
