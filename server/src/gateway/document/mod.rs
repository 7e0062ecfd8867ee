//! A JSON body, kept byte for byte.
//!
//! A gateway that parses a body and writes it again loses what it does not know: the order of keys, `1.0` against `1`,
//! a field of next month's API. A [`Document`] keeps the client's bytes and, beside them, a flat table of where each
//! value lies. Reading goes through the table; changing is a list of [`Edits`] over byte ranges, and every byte
//! outside an edit reaches the provider as the client sent it.
//!
//! Strict where leniency would let two readers see two different requests: duplicate keys, lone surrogates, bytes
//! that are not UTF-8, text after the value and nesting beyond the limit are refused (RFC 8259, section 4 and 8).

mod distinct;
mod edit;
mod parse;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;

pub use distinct::{rename, tell_apart};
pub use edit::Edits;
pub use parse::{Limits, Malformed};

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `{…}`
    Object,
    /// `[…]`
    Array,
    /// `"…"`
    String,
    /// A number, as its text.
    Number,
    /// `true`
    True,
    /// `false`
    False,
    /// `null`
    Null,
}

/// The index of a value in its [`Document`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u32);

const NONE: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
struct Node {
    kind: Kind,
    /// The value's own bytes, quotes and brackets included.
    start: u32,
    end: u32,
    /// The key's bytes within the quotes; empty range at 0 for array members and the root.
    key_start: u32,
    key_end: u32,
    parent: u32,
    next: u32,
    /// First child of an object or array.
    child: u32,
}

/// A parsed body with its original bytes.
#[derive(Debug, Clone)]
pub struct Document {
    bytes: Bytes,
    nodes: Vec<Node>,
}

impl Document {
    /// Parses `bytes` strictly within `limits`.
    pub fn parse(bytes: Bytes, limits: Limits) -> Result<Self, Malformed> {
        parse::parse(bytes, limits)
    }

    /// The bytes as they came.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The outermost value.
    #[must_use]
    pub fn root(&self) -> NodeId {
        NodeId(0)
    }

    /// Every value, the root first, a parent always before its children.
    pub fn ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..u32::try_from(self.nodes.len()).unwrap_or(NONE)).map(NodeId)
    }

    fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id.0 as usize)
    }

    /// What the value is.
    #[must_use]
    pub fn kind(&self, id: NodeId) -> Kind {
        self.node(id).map_or(Kind::Null, |node| node.kind)
    }

    /// The value's bytes as text, quotes and brackets included.
    #[must_use]
    pub fn raw(&self, id: NodeId) -> &str {
        self.slice(self.range(id))
    }

    /// Where the value lies in the body.
    #[must_use]
    pub fn range(&self, id: NodeId) -> Range<usize> {
        self.node(id).map_or(0..0, |node| node.start as usize..node.end as usize)
    }

    /// Where the value's key lies, within its quotes; `None` for array members and the root.
    #[must_use]
    pub fn key_range(&self, id: NodeId) -> Option<Range<usize>> {
        self.node(id)
            .filter(|node| node.key_start != 0)
            .map(|node| node.key_start as usize..node.key_end as usize)
    }

    /// The value's key, decoded.
    #[must_use]
    pub fn key(&self, id: NodeId) -> Option<Cow<'_, str>> {
        self.key_range(id).map(|range| decode(self.slice(range)))
    }

    /// The decoded text of a string, the text of a number; `None` for anything else.
    #[must_use]
    pub fn text(&self, id: NodeId) -> Option<Cow<'_, str>> {
        let node = self.node(id)?;
        match node.kind {
            Kind::String => {
                Some(decode(self.slice(node.start as usize + 1..(node.end as usize).saturating_sub(1))))
            }
            Kind::Number => Some(Cow::Borrowed(self.raw(id))),
            _ => None,
        }
    }

    /// The decoded text, if the value is a string.
    #[must_use]
    pub fn string(&self, id: NodeId) -> Option<Cow<'_, str>> {
        (self.kind(id) == Kind::String).then(|| self.text(id)).flatten()
    }

    /// The value as an unsigned integer, if it is one.
    #[must_use]
    pub fn unsigned(&self, id: NodeId) -> Option<u64> {
        (self.kind(id) == Kind::Number).then(|| self.raw(id).parse().ok()).flatten()
    }

    /// The members of an object or array, in order.
    pub fn children(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        let mut at = self.node(id).map_or(NONE, |node| node.child);
        std::iter::from_fn(move || {
            let node = self.nodes.get(at as usize)?;
            let id = NodeId(at);
            at = node.next;
            Some(id)
        })
    }

    /// The value that encloses this one.
    #[must_use]
    pub fn parent(&self, id: NodeId) -> Option<NodeId> {
        self.node(id).filter(|node| node.parent != NONE).map(|node| NodeId(node.parent))
    }

    /// The member of an object by its key.
    #[must_use]
    pub fn get(&self, object: NodeId, key: &str) -> Option<NodeId> {
        if self.kind(object) != Kind::Object {
            return None;
        }
        self.children(object).find(|child| self.key(*child).is_some_and(|found| found == key))
    }

    /// The member of the outermost object by its key.
    #[must_use]
    pub fn member(&self, key: &str) -> Option<NodeId> {
        self.get(self.root(), key)
    }

    /// The value's position as an RFC 6901 JSON pointer.
    #[must_use]
    pub fn pointer(&self, id: NodeId) -> String {
        let mut parts: Vec<String> = Vec::new();
        let mut at = id;
        while let Some(parent) = self.parent(at) {
            parts.push(match self.key(at) {
                Some(key) => key.replace('~', "~0").replace('/', "~1"),
                None => self.children(parent).position(|child| child == at).unwrap_or(0).to_string(),
            });
            at = parent;
        }
        parts.iter().rev().fold(String::new(), |mut pointer, part| {
            pointer.push('/');
            pointer.push_str(part);
            pointer
        })
    }

    fn slice(&self, range: Range<usize>) -> &str {
        // The whole body was checked to be UTF-8 and every range ends on a JSON token, so neither step can miss.
        self.bytes.get(range).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

/// Decodes the inside of a JSON string that the parser has accepted.
fn decode(raw: &str) -> Cow<'_, str> {
    if memchr::memchr(b'\\', raw.as_bytes()).is_none() {
        return Cow::Borrowed(raw);
    }
    let mut quoted = String::with_capacity(raw.len() + 2);
    quoted.push('"');
    quoted.push_str(raw);
    quoted.push('"');
    serde_json::from_str(&quoted).map_or(Cow::Borrowed(raw), Cow::Owned)
}
