//! What a string or number of an answer of Anthropic's API is.

use super::place::Place;
use crate::gateway::document::{Document, Kind, NodeId};

/// The longest number that the protocol itself says.
const PLAIN_NUMBER: usize = 10;
/// A kind's or reason's name is no longer, and holds fewer digits in all: those of a day are eight.
const WORD: usize = 48;
const WORD_DIGITS: usize = 8;

/// What a string of an answer is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// What the protocol itself says.
    Protocol,
    /// The signature of a thought, or an encrypted one: as it is.
    Seal,
    /// A thought.
    Thought,
    /// Anything else.
    At(Place),
}

/// What a string is.
pub(super) fn said(document: &Document, id: NodeId) -> Said {
    let other = Said::At(Place::Other);
    let Some(parent) = document.parent(id) else { return other };
    let key = document.key(id);
    let key = key.as_deref().unwrap_or_default();
    let root = document.root();
    let word = || if is_word(document, id) { Said::Protocol } else { Said::At(Place::Other) };
    let is_root = |at: NodeId| at == root || is_member(document, at, "message");
    if is_root(parent) {
        return match key {
            "id" | "model" => Said::Protocol,
            "type" | "role" | "stop_reason" => word(),
            // The client's own, word for word.
            "stop_sequence" => Said::At(Place::Text),
            _ => other,
        };
    }
    // `delta` of the end of a message, and `usage`, which says tiers and regions.
    if is_member(document, parent, "delta") {
        let signs = || {
            let kind = document.get(parent, "type").and_then(|kind| document.string(kind));
            kind.is_some_and(|kind| kind == "signature_delta")
        };
        return match key {
            "type" | "stop_reason" => word(),
            "signature" if signs() => Said::Seal,
            "stop_sequence" => Said::At(Place::Text),
            _ => other,
        };
    }
    let of_usage = document.key(parent).is_some_and(|key| key == "usage");
    if of_usage && matches!(key, "service_tier" | "inference_geo" | "speed") {
        return word();
    }
    let Some(block) = block_of(document, id) else { return other };
    let kind = document.get(block, "type").and_then(|kind| document.string(kind));
    let kind = kind.as_deref().unwrap_or_default();
    if parent == block {
        return match (kind, key) {
            (_, "type") => word(),
            (_, "id" | "tool_use_id") => Said::Protocol,
            // A tool's name is sent by the client itself.
            ("tool_use" | "server_tool_use", "name") => Said::Protocol,
            ("text", "text") => Said::At(Place::Text),
            ("thinking", "thinking") => Said::Thought,
            ("thinking", "signature") | ("redacted_thinking", "data") => Said::Seal,
            _ => other,
        };
    }
    // What a tool is called with, whatever it is called with. A call that the provider makes itself is done by now:
    // nothing is put back into it.
    let mut enclosing = std::iter::successors(Some(parent), |at| document.parent(*at));
    let within_input = enclosing
        .any(|at| document.parent(at) == Some(block) && document.key(at).is_some_and(|key| key == "input"));
    match (within_input, kind) {
        (true, "tool_use") => Said::At(Place::Input),
        (false, _) if key == "type" => word(),
        _ => other,
    }
}

/// Whether a string can be nothing but a name of the protocol's.
pub(super) fn is_word(document: &Document, id: NodeId) -> bool {
    let Some(text) = document.string(id) else { return false };
    let of_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    text.len() <= WORD
        && text.bytes().all(of_word)
        && text.bytes().filter(u8::is_ascii_digit).count() <= WORD_DIGITS
}

/// Whether a value is the member of the root with this name.
pub(super) fn is_member(document: &Document, id: NodeId, name: &str) -> bool {
    document.parent(id) == Some(document.root()) && document.key(id).is_some_and(|key| key == name)
}

/// The block that a value is in: a member of `content`, of the root or of `message`, or `content_block`.
pub(super) fn block_of(document: &Document, id: NodeId) -> Option<NodeId> {
    std::iter::successors(Some(id), |at| document.parent(*at)).find(|at| {
        if is_member(document, *at, "content_block") {
            return true;
        }
        let list = document.parent(*at).filter(|list| document.kind(*list) == Kind::Array);
        list.is_some_and(|list| {
            let holder = document.parent(list);
            document.key(list).is_some_and(|key| key == "content")
                && holder.is_some_and(|at| at == document.root() || is_member(document, at, "message"))
        })
    })
}

/// Whether a number is what the protocol says, and short: an index, a count of tokens.
pub(super) fn is_plain_number(document: &Document, id: NodeId) -> bool {
    if document.raw(id).len() > PLAIN_NUMBER {
        return false;
    }
    let top = document.parent(id) == Some(document.root());
    let index = top && document.key(id).is_some_and(|key| matches!(&*key, "index" | "input_tokens"));
    let mut enclosing = std::iter::successors(Some(id), |at| document.parent(*at));
    index
        || enclosing.any(|at| {
            let holder = document.parent(at);
            document.key(at).is_some_and(|key| key == "usage")
                && holder.is_some_and(|at| at == document.root() || is_member(document, at, "message"))
        })
}
