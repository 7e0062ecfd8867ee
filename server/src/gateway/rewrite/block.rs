//! An open block of a message of Anthropic's API, and its strings that come in pieces.
//!
//! Each string of a block has a guard of its own, told apart by the way to it within `delta`, whatever the delta is called:
//! so a value that is cut over pieces is seen in blocks and deltas too that nobody knows yet. Strings that come whole
//! (those of a citation, and what is within an array) are looked at one by one.

use bailiwick_pii::EntityCounts;
use serde_json::{Value, json};

use super::place::Place;
use super::strand::Flow;
use crate::gateway::document::{Document, Kind, NodeId};
use crate::providers::UpstreamFailure;

/// Strings of one block that may come in pieces: the API's own blocks have one.
pub(super) const MOST_PIECES: usize = 16;

/// Deltas that are a whole: what is in one does not go on in the next.
const WHOLE: [&str; 1] = ["citations_delta"];

/// A block that is open.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) index: u64,
    pub(super) kind: BlockKind,
    /// A thought of which the rest is left out.
    pub(super) omitted: bool,
    pub(super) pieces: Vec<Piece>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BlockKind {
    Text,
    Thought,
    /// A call of one of the client's tools.
    Call,
    /// A call that the provider makes itself.
    ProviderCall,
    /// Anything else.
    Other,
}

impl BlockKind {
    pub(super) fn of(kind: &str) -> Self {
        match kind {
            "text" => Self::Text,
            "thinking" => Self::Thought,
            "tool_use" => Self::Call,
            "server_tool_use" | "mcp_tool_use" => Self::ProviderCall,
            _ => Self::Other,
        }
    }

    /// The member that a block of the kind begins with and goes on with, and the delta that it goes on in.
    pub(super) const fn text(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Text => Some(("text", "text_delta")),
            Self::Thought => Some(("thinking", "thinking_delta")),
            Self::Call | Self::ProviderCall | Self::Other => None,
        }
    }

    /// Whether it says something, rather than having something done.
    pub(super) const fn is_said(self) -> bool {
        matches!(self, Self::Text | Self::Thought)
    }

    /// What a string is that comes in a delta.
    fn place(self, delta: &str, path: &[String]) -> Place {
        match (self, delta, path) {
            (Self::Text, "text_delta", [key]) if key == "text" => Place::Text,
            (Self::Call, "input_json_delta", [key]) if key == "partial_json" => Place::Arguments,
            (_, "input_json_delta", [key]) if key == "partial_json" => Place::ProviderArguments,
            _ => Place::Other,
        }
    }
}

/// A string of a block, of which pieces come.
#[derive(Debug)]
pub(super) struct Piece {
    /// The keys of the way to it within `delta`.
    path: Vec<String>,
    /// What the delta is called that it came in last; empty before the first.
    delta: String,
    pub(super) flow: Flow,
    /// What of it went out with the block's beginning while it was still held here.
    owed: String,
}

/// A string that came: which it is, and what it is.
#[derive(Debug)]
pub(super) struct Came {
    pub(super) id: NodeId,
    pub(super) path: Vec<String>,
    pub(super) delta: String,
    pub(super) place: Place,
}

impl Block {
    pub(super) const fn new(index: u64, kind: BlockKind) -> Self {
        Self { index, kind, omitted: false, pieces: Vec::new() }
    }

    /// The strings of a delta that are pieces of a string of this block.
    pub(super) fn came(&self, document: &Document, delta: NodeId, name: &str) -> Vec<Came> {
        let mut found = Vec::new();
        if !WHOLE.contains(&name) {
            collect(document, delta, &mut Vec::new(), &mut |id, path| {
                let protocol = matches!(path, [key] if key == "type")
                    || (name == "signature_delta" && matches!(path, [key] if key == "signature"));
                if !protocol {
                    let place = self.kind.place(name, path);
                    found.push(Came { id, path: path.to_vec(), delta: name.to_owned(), place });
                }
            });
        }
        found
    }

    /// The string that a piece belongs to; `None` where it is the first.
    pub(super) fn piece(&mut self, came: &Came) -> Option<&mut Piece> {
        let piece = self.pieces.iter_mut().find(|piece| piece.path == came.path)?;
        came.delta.clone_into(&mut piece.delta);
        Some(piece)
    }

    /// Begins a string.
    pub(super) fn begin(&mut self, came: &Came, flow: Flow) {
        let (path, delta) = (came.path.clone(), came.delta.clone());
        self.pieces.push(Piece { path, delta, flow, owed: String::new() });
    }

    /// Begins a string with what the block began with, of which `sent` went out.
    pub(super) fn begin_with(
        &mut self,
        key: &str,
        text: &str,
        sent: &str,
        mut flow: Flow,
    ) -> Result<(), UpstreamFailure> {
        let out = flow.push(text)?;
        let owed = sent.strip_prefix(out.as_str()).unwrap_or_default().to_owned();
        self.pieces.push(Piece { path: vec![key.to_owned()], delta: String::new(), flow, owed });
        Ok(())
    }

    /// What of a piece goes out. Of a thought in which something is replaced nothing does from there on.
    pub(super) fn clear(&mut self, out: String) -> String {
        let redacted = |piece: &Piece| *piece.flow.guard.redacted() != EntityCounts::default();
        if self.kind == BlockKind::Thought && self.pieces.iter().any(redacted) {
            self.omitted = true;
        }
        if self.omitted { String::new() } else { out }
    }

    /// An event with what a string still held; `None` for no text.
    pub(super) fn event(&self, piece: &Piece, text: &str) -> Option<String> {
        if text.is_empty() || self.omitted || piece.delta.is_empty() {
            return None;
        }
        let (inner, outer) = piece.path.split_last()?;
        let said = outer
            .iter()
            .rev()
            .fold((inner, json!(text)), |(key, value), outer| (outer, json!({ key.as_str(): value })));
        let delta = json!({ "type": piece.delta, said.0.as_str(): said.1 });
        Some(self.delta(&delta))
    }

    fn delta(&self, delta: &Value) -> String {
        json!({ "type": "content_block_delta", "index": self.index, "delta": delta }).to_string()
    }

    /// The event with which it ends.
    pub(super) fn stop(&self) -> String {
        json!({ "type": "content_block_stop", "index": self.index }).to_string()
    }
}

impl Piece {
    /// Takes a piece; gives what may go out.
    pub(super) fn push(&mut self, text: &str) -> Result<String, UpstreamFailure> {
        let out = self.flow.push(text)?;
        Ok(self.unsaid(out))
    }

    /// What is left at the end.
    pub(super) fn finish(&mut self) -> Result<String, UpstreamFailure> {
        let out = self.flow.finish()?;
        Ok(self.unsaid(out))
    }

    /// What may go out where the stream breaks off.
    pub(super) fn abandon(&mut self) -> Result<String, UpstreamFailure> {
        let out = self.flow.abandon()?;
        Ok(self.unsaid(out))
    }

    /// What of a text has not gone out yet. Where something that begins in what has is replaced, all of it is new.
    fn unsaid(&mut self, out: String) -> String {
        if self.owed.is_empty() || out.is_empty() {
            return out;
        }
        if let Some(rest) = self.owed.strip_prefix(out.as_str()) {
            self.owed = rest.to_owned();
            return String::new();
        }
        let owed = std::mem::take(&mut self.owed);
        out.strip_prefix(owed.as_str()).map(str::to_owned).unwrap_or(out)
    }
}

/// Every string below an object that no array stands before, with its way.
fn collect(
    document: &Document,
    object: NodeId,
    path: &mut Vec<String>,
    found: &mut impl FnMut(NodeId, &[String]),
) {
    for child in document.children(object) {
        let Some(key) = document.key(child) else { continue };
        path.push(key.into_owned());
        match document.kind(child) {
            Kind::Object => collect(document, child, path, found),
            Kind::String => found(child, path),
            _ => {}
        }
        path.pop();
    }
}
