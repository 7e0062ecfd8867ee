//! An answer of Anthropic's API, whole and in events.
//!
//! Its content is blocks. Text is for the client; what a tool is called with is restored only where a rule allows it;
//! everything else is scanned and redacted and keeps its placeholders. A thought is signed, so it is never altered: where a
//! rule would redact something in it, its text is left out (from there on, on a stream) and its signature kept, which is
//! how the API itself hides thoughts.
//!
//! On a stream each block has a guard of its own, which holds back no more than its window. What it still holds goes out in
//! a piece of its own before the block's end, and before the signature of a thought.

use bytes::Bytes;
use serde_json::json;

use super::place::Place;
use super::strand::Flow;
use super::stream::Chunk;
use super::{LIMITS, Rewriter, malformed};
use crate::gateway::document::{Document, Edits, Kind, NodeId, rename};
use crate::gateway::spans::is_schema_name;
use crate::providers::{EchoScan, UpstreamFailure};
use bailiwick_pii::EntityCounts;

/// The longest number that the protocol itself says.
const PLAIN_NUMBER: usize = 10;

/// Why a message ended that a rule stopped: the word that the API has for it.
const STOPPED: &str = "\"refusal\"";

/// Blocks that may be open at once.
const MOST_OPEN: usize = 64;

/// A block that is open.
#[derive(Debug)]
pub(super) struct Block {
    index: u64,
    kind: BlockKind,
    pub(super) flow: Flow,
    /// A thought of which the rest is left out.
    omitted: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BlockKind {
    Text,
    Thought,
    Input,
}

impl BlockKind {
    const fn place(self) -> Place {
        match self {
            Self::Text => Place::Text,
            Self::Thought => Place::Other,
            Self::Input => Place::Arguments,
        }
    }

    /// The kind of a block by its `type`; what is not known is looked at as the input of a tool or as nothing to restore.
    fn of(kind: &str) -> Self {
        match kind {
            "text" => Self::Text,
            "tool_use" | "server_tool_use" | "mcp_tool_use" => Self::Input,
            _ => Self::Thought,
        }
    }

    /// The type and the member of a piece.
    const fn piece(self) -> (&'static str, &'static str) {
        match self {
            Self::Text => ("text_delta", "text"),
            Self::Thought => ("thinking_delta", "thinking"),
            Self::Input => ("input_json_delta", "partial_json"),
        }
    }
}

impl Block {
    /// An event with a piece of this block; `None` for no text.
    fn event(&self, text: &str) -> Option<String> {
        if text.is_empty() || self.omitted {
            return None;
        }
        let (kind, member) = self.kind.piece();
        let event = json!({
            "type": "content_block_delta", "index": self.index, "delta": { "type": kind, member: text },
        });
        Some(event.to_string())
    }

    /// What of a piece goes out.
    fn clear(&mut self, out: String) -> String {
        if self.kind == BlockKind::Thought && *self.flow.guard.redacted() != EntityCounts::default() {
            self.omitted = true;
        }
        if self.omitted { String::new() } else { out }
    }
}

impl Rewriter {
    /// Rewrites a whole answer, or the count of one.
    ///
    /// # Errors
    /// [`UpstreamFailure::Malformed`], [`UpstreamFailure::CredentialEcho`].
    pub fn message(&mut self, body: Bytes) -> Result<Bytes, UpstreamFailure> {
        let document = Document::parse(body, LIMITS).map_err(|_| malformed())?;
        let mut edits = Edits::new();
        if let Some(stopped) = self.everything(&document, None, &mut edits)? {
            // After the end nothing is said, and no tool is called.
            let blocks =
                document.member("content").into_iter().flat_map(|content| document.children(content));
            let at = block_of(&document, stopped);
            let before: Vec<NodeId> = blocks.take_while(|block| at.is_some() && Some(*block) != at).collect();
            let is_said = |block: &NodeId| {
                let kind = document.get(*block, "type").and_then(|kind| document.string(kind));
                matches!(kind.as_deref(), Some("text" | "thinking"))
            };
            match (at.filter(is_said).or(before.last().copied()), document.member("content")) {
                (Some(last), _) => edits.cut_after(&document, last),
                (None, Some(content)) => edits.set_raw(&document, content, String::from("[]")),
                (None, None) => {}
            }
            if let Some(reason) = document.member("stop_reason") {
                edits.set_raw(&document, reason, String::from(STOPPED));
            }
        }
        Ok(edits.apply(&document))
    }

    /// Rewrites the data of one event of a stream. What has to go out before it comes first.
    ///
    /// # Errors
    /// [`UpstreamFailure::Malformed`], [`UpstreamFailure::CredentialEcho`].
    pub fn message_event(&mut self, data: Bytes) -> Result<Chunk, UpstreamFailure> {
        let document = Document::parse(data, LIMITS).map_err(|_| malformed())?;
        let (mut edits, mut before) = (Edits::new(), Vec::new());
        let text = |id: Option<NodeId>| id.and_then(|id| document.string(id));
        let kind = text(document.member("type")).ok_or_else(malformed)?;
        let index = document.member("index").and_then(|id| document.unsigned(id));
        if let Some(order) = &mut self.order {
            order.event(&document, &kind, index)?;
        }
        if !self.stopped.is_empty() {
            // After the end nothing is said, and no tool is called; what is open is closed.
            let is_open = self.blocks.iter().any(|block| Some(block.index) == index);
            match &*kind {
                "content_block_stop" if is_open => {
                    index.into_iter().for_each(|index| self.retire(index));
                    return Ok(Chunk { before, data: Some(document.bytes().clone()), changed: false });
                }
                "content_block_start" | "content_block_delta" | "content_block_stop" => {
                    return Ok(Chunk { before, data: None, changed: true });
                }
                "message_stop" => {
                    let open: Vec<u64> = self.blocks.iter().map(|block| block.index).collect();
                    open.into_iter().for_each(|index| self.retire(index));
                }
                _ => {}
            }
        }
        let mut piece = None;
        match &*kind {
            "content_block_start" => {
                let index = index.ok_or_else(malformed)?;
                let block = document.member("content_block");
                let kind = text(block.and_then(|block| document.get(block, "type"))).ok_or_else(malformed)?;
                if self.blocks.len() >= MOST_OPEN || self.blocks.iter().any(|block| block.index == index) {
                    return Err(malformed());
                }
                let kind = BlockKind::of(&kind);
                let echo = self.credential.clone().map(EchoScan::new);
                let flow = Flow::new(self.guard(kind.place()), echo);
                self.blocks.push(Block { index, kind, flow, omitted: false });
            }
            "content_block_delta" => {
                let delta = document.member("delta").ok_or_else(malformed)?;
                let index = index.ok_or_else(malformed)?;
                let open = self.blocks.iter_mut().find(|block| block.index == index).ok_or_else(malformed)?;
                let said = text(document.get(delta, "type")).ok_or_else(malformed)?;
                let (wanted, member) = open.kind.piece();
                if said == wanted {
                    let id = document.get(delta, member).ok_or_else(malformed)?;
                    let came = document.string(id).ok_or_else(malformed)?;
                    let out = open.flow.push(&came)?;
                    if open.flow.guard.is_stopped() {
                        self.stopped.insert(index);
                    }
                    let out = open.clear(out);
                    if out != *came {
                        edits.set_string(&document, id, &out);
                    }
                    piece = Some(id);
                } else if said == "signature_delta" {
                    let rest = open.flow.finish()?;
                    if open.flow.guard.is_stopped() {
                        self.stopped.insert(index);
                    }
                    let rest = open.clear(rest);
                    before.extend(open.event(&rest));
                    let echo = self.credential.clone().map(EchoScan::new);
                    let (index, kind, omitted) = (open.index, open.kind, open.omitted);
                    self.retire(index);
                    let flow = Flow::new(self.guard(kind.place()), echo);
                    self.blocks.push(Block { index, kind, flow, omitted });
                }
            }
            "content_block_stop" => {
                let index = index.ok_or_else(malformed)?;
                before.extend(self.end_block(index)?);
            }
            "message_stop" => {
                let open: Vec<u64> = self.blocks.iter().map(|block| block.index).collect();
                for index in open {
                    before.extend(self.end_block(index)?);
                }
            }
            "message_delta" if !self.stopped.is_empty() => {
                let delta = document.member("delta");
                if let Some(reason) = delta.and_then(|delta| document.get(delta, "stop_reason")) {
                    edits.set_raw(&document, reason, String::from(STOPPED));
                }
            }
            _ => {}
        }
        if self.everything(&document, piece, &mut edits)?.is_some() {
            self.stopped.insert(index.unwrap_or_default());
        }
        let changed = !edits.is_empty();
        Ok(Chunk { before, data: Some(edits.apply(&document)), changed })
    }

    /// Ends a block; gives out the event with what it still held.
    fn end_block(&mut self, index: u64) -> Result<Option<String>, UpstreamFailure> {
        let Some(block) = self.blocks.iter_mut().find(|block| block.index == index) else {
            return Err(malformed());
        };
        let rest = block.flow.finish()?;
        if block.flow.guard.is_stopped() {
            self.stopped.insert(index);
        }
        let rest = block.clear(rest);
        let event = block.event(&rest);
        self.retire(index);
        Ok(event)
    }

    /// Takes a block out, keeping what it counted.
    fn retire(&mut self, index: u64) {
        if let Some(at) = self.blocks.iter().position(|block| block.index == index) {
            let block = self.blocks.remove(at);
            self.found.merge(block.flow.guard.found());
            self.redacted.merge(block.flow.guard.redacted());
        }
    }

    /// What open blocks still hold when a stream breaks off, without what could be the beginning of a value.
    pub(super) fn abandon_blocks(&mut self) -> Result<Vec<String>, UpstreamFailure> {
        let mut out = Vec::new();
        for mut block in std::mem::take(&mut self.blocks) {
            let rest = block.flow.abandon();
            self.found.merge(block.flow.guard.found());
            self.redacted.merge(block.flow.guard.redacted());
            let rest = block.clear(rest?);
            out.extend(block.event(&rest));
        }
        Ok(out)
    }

    /// Rewrites all of an answer or event but `piece`, which was looked at before: its keys, numbers and strings. Gives the
    /// string at which a rule has the answer stop; what comes after it says nothing.
    fn everything(
        &mut self,
        document: &Document,
        piece: Option<NodeId>,
        edits: &mut Edits,
    ) -> Result<Option<NodeId>, UpstreamFailure> {
        let mut keys = Vec::new();
        let mut stopped = None;
        for id in document.ids() {
            if let Some(key) = document.key(id).filter(|key| !is_schema_name(key))
                && let Some(out) = self.plain(&key)
            {
                keys.push((id, out));
            }
            let clean = match document.kind(id) {
                _ if Some(id) == piece => None,
                Kind::Number if !is_plain_number(document, id) => self.plain(document.raw(id)),
                Kind::String => {
                    let text = document.string(id).unwrap_or_default();
                    match said(document, id) {
                        Said::Protocol => None,
                        Said::Thought | Said::At(_) if stopped.is_some() => {
                            (!text.is_empty()).then(String::new)
                        }
                        Said::Thought => {
                            let out = self.at_once(&text, Place::Other)?;
                            if self.stopped_now {
                                stopped = Some(id);
                            }
                            (out != *text).then(String::new)
                        }
                        Said::At(place) => {
                            let out = self.at_once(&text, place)?;
                            if self.stopped_now {
                                stopped = Some(id);
                            }
                            Some(out).filter(|out| *out != *text)
                        }
                    }
                }
                _ => None,
            };
            if let Some(clean) = clean {
                edits.set_string(document, id, &clean);
            }
        }
        rename(document, keys, edits);
        Ok(stopped)
    }
}

/// What a string of an answer is.
enum Said {
    /// What the protocol itself says.
    Protocol,
    /// A thought.
    Thought,
    /// Anything else.
    At(Place),
}

fn said(document: &Document, id: NodeId) -> Said {
    let other = Said::At(Place::Other);
    let Some(parent) = document.parent(id) else { return other };
    let key = document.key(id);
    let key = key.as_deref().unwrap_or_default();
    let root = document.root();
    let is_root = |at: NodeId| at == root || is_member(document, at, "message");
    if is_root(parent) {
        return match key {
            "id" | "type" | "role" | "model" | "stop_reason" => Said::Protocol,
            _ => other,
        };
    }
    // `delta` of the end of a message, and `usage`, which says tiers and regions.
    if is_member(document, parent, "delta") && matches!(key, "type" | "stop_reason" | "signature") {
        return Said::Protocol;
    }
    let of_usage = document.key(parent).is_some_and(|key| key == "usage");
    if of_usage && matches!(key, "service_tier" | "inference_geo" | "speed") {
        return Said::Protocol;
    }
    let Some(block) = block_of(document, id) else { return other };
    let kind = document.get(block, "type").and_then(|kind| document.string(kind));
    let kind = kind.as_deref().unwrap_or_default();
    if parent == block {
        return match (kind, key) {
            (_, "type" | "id" | "tool_use_id") => Said::Protocol,
            // A tool's name is sent by the client itself.
            ("tool_use" | "server_tool_use", "name") => Said::Protocol,
            ("text", "text") => Said::At(Place::Text),
            ("thinking", "thinking") => Said::Thought,
            ("thinking", "signature") | ("redacted_thinking", "data") => Said::Protocol,
            _ => other,
        };
    }
    // What a tool is called with, whatever it is called with.
    let mut enclosing = std::iter::successors(Some(parent), |at| document.parent(*at));
    let within_input = enclosing
        .any(|at| document.parent(at) == Some(block) && document.key(at).is_some_and(|key| key == "input"));
    if within_input && kind == "tool_use" {
        return Said::At(Place::Input);
    }
    if key == "type" { Said::Protocol } else { other }
}

/// Whether a value is the member of the root with this name.
fn is_member(document: &Document, id: NodeId, name: &str) -> bool {
    document.parent(id) == Some(document.root()) && document.key(id).is_some_and(|key| key == name)
}

/// The block that a value is in: a member of `content`, of the root or of `message`, or `content_block`.
fn block_of(document: &Document, id: NodeId) -> Option<NodeId> {
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
fn is_plain_number(document: &Document, id: NodeId) -> bool {
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
