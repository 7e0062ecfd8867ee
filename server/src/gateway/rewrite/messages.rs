//! An answer of Anthropic's API, whole and in events.
//!
//! Its content is blocks. Text is for the client; what one of the client's tools is called with is restored only where a rule
//! allows it, and what the provider called a tool of its own with never is; everything else is scanned and redacted and
//! keeps its placeholders. A thought is signed, so it is never altered: where a rule would redact something in it, its
//! text is left out (from there on, on a stream) and its signature kept, which is how the API itself hides thoughts.
//!
//! On a stream each string of a block has a guard of its own (`block.rs`), which holds back no more than its window. What it
//! still holds goes out in a piece of its own before the block's end, and before the signature of a thought.
//!
//! Where a rule has the answer stop at a value, wherever that stands (a text, a key, a number, a block that nobody knows),
//! the answer is over: what is open is closed, the reason is `refusal`, and nothing else goes out. A block in which
//! it stops stays, cut, only if it is text or a thought. Blind spots, on a stream: a call that has begun stays begun, with
//! arguments that end where they do; a value that is spread over events other than the deltas of one block.

use bytes::Bytes;
use serde_json::json;

use super::block::{Block, BlockKind, Came, MOST_PIECES};
use super::place::Place;
use super::said::{Said, block_of, is_plain_number, said};
use super::strand::Flow;
use super::stream::Chunk;
use super::{LIMITS, Rewriter, malformed};
use crate::gateway::document::{Document, Edits, Kind, NodeId, rename};
use crate::gateway::spans::is_schema_name;
use crate::providers::{EchoScan, UpstreamFailure};

/// Why a message ended that a rule stopped: the word that the API has for it.
const STOPPED: &str = "\"refusal\"";

/// Blocks that may be open at once.
const MOST_OPEN: usize = 64;

impl Rewriter {
    /// Rewrites a whole answer, or the count of one.
    ///
    /// # Errors
    /// [`UpstreamFailure::Malformed`], [`UpstreamFailure::CredentialEcho`].
    pub fn message(&mut self, body: Bytes) -> Result<Bytes, UpstreamFailure> {
        let document = Document::parse(body, LIMITS).map_err(|_| malformed())?;
        let mut edits = Edits::new();
        if let Some(stopped) = self.everything(&document, &[], &mut edits)? {
            // After the end nothing is said, and no tool is called.
            let blocks =
                document.member("content").into_iter().flat_map(|content| document.children(content));
            let at = block_of(&document, stopped);
            let before: Vec<NodeId> = blocks.take_while(|block| at.is_some() && Some(*block) != at).collect();
            let is_said = |block: &NodeId| kind_of(&document, *block).is_said();
            match (at.filter(is_said).or(before.last().copied()), document.member("content")) {
                (Some(last), _) => edits.cut_after(&document, last),
                (None, Some(content)) => edits.set_raw(&document, content, String::from("[]")),
                (None, None) => {}
            }
            if document.member("content").is_some() {
                edits.upsert(&document, document.root(), "stop_reason", STOPPED);
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
        let (mut edits, mut before, mut handled) = (Edits::new(), Vec::new(), Vec::new());
        let kind = document.member("type").and_then(|id| document.string(id)).ok_or_else(malformed)?;
        let index = document.member("index").and_then(|id| document.unsigned(id));
        if let Some(order) = &mut self.order {
            order.event(&document, &kind, index)?;
        }
        let was_over = self.over;
        if was_over {
            // What is open is closed, and the end is told.
            let is_open = self.blocks.iter().any(|block| Some(block.index) == index);
            let goes_out = match &*kind {
                "content_block_stop" => is_open,
                "message_delta" | "message_stop" | "ping" => true,
                _ => false,
            };
            if !goes_out {
                return Ok(Chunk { before, data: None, changed: true });
            }
        }
        match &*kind {
            "content_block_start" => {
                let index = index.ok_or_else(malformed)?;
                let block = document.member("content_block").ok_or_else(malformed)?;
                self.begin_block(&document, index, block, &mut edits, &mut handled)?;
            }
            "content_block_delta" => {
                let index = index.ok_or_else(malformed)?;
                let delta = document.member("delta").ok_or_else(malformed)?;
                self.block_delta(&document, index, delta, &mut edits, &mut handled, &mut before)?;
            }
            "content_block_stop" => {
                let index = index.ok_or_else(malformed)?;
                before.extend(self.end_pieces(index)?);
                self.retire(index);
            }
            // The reason for the end is told only when all of the text is known.
            "message_delta" | "message_stop" => {
                let open: Vec<u64> = self.blocks.iter().map(|block| block.index).collect();
                for index in open {
                    before.extend(self.end_pieces(index)?);
                    if kind == "message_stop" {
                        before.extend(self.retire(index).map(|block| block.stop()));
                    }
                }
            }
            _ => {}
        }
        if self.everything(&document, &handled, &mut edits)?.is_some() {
            self.over = true;
        }
        if self.over && kind == "content_block_start" {
            // What would have something done is not begun.
            let index = index.unwrap_or_default();
            let is_said = |block: &Block| block.index == index && block.kind.is_said();
            if !self.blocks.iter().any(is_said) {
                self.retire(index);
                return Ok(Chunk { before, data: None, changed: true });
            }
        }
        if self.over && kind == "message_delta" {
            self.told_end = true;
            match document.member("delta").filter(|delta| document.kind(*delta) == Kind::Object) {
                Some(delta) => edits.upsert(&document, delta, "stop_reason", STOPPED),
                None => {
                    let delta = format!("{{\"stop_reason\":{STOPPED},\"stop_sequence\":null}}");
                    edits.upsert(&document, document.root(), "delta", &delta);
                }
            }
        }
        if self.over && kind == "message_stop" && !self.told_end {
            before.push(
                json!({
                    "type": "message_delta", "delta": { "stop_reason": "refusal", "stop_sequence": null },
                    "usage": { "output_tokens": 0 },
                })
                .to_string(),
            );
        }
        let changed = !edits.is_empty();
        Ok(Chunk { before, data: Some(edits.apply(&document)), changed })
    }

    fn flow(&self, place: Place) -> Flow {
        Flow::new(self.guard(place), self.credential.clone().map(EchoScan::new))
    }

    /// Begins a block, and its strings with what it says of them already.
    fn begin_block(
        &mut self,
        document: &Document,
        index: u64,
        opened: NodeId,
        edits: &mut Edits,
        handled: &mut Vec<NodeId>,
    ) -> Result<(), UpstreamFailure> {
        if document.get(opened, "type").and_then(|kind| document.string(kind)).is_none()
            || self.blocks.len() >= MOST_OPEN
            || self.blocks.iter().any(|block| block.index == index)
        {
            return Err(malformed());
        }
        let kind = kind_of(document, opened);
        let mut block = Block::new(index, kind);
        for id in document.children(opened) {
            let (Some(key), Some(text)) = (document.key(id), document.string(id)) else { continue };
            if text.is_empty() {
                continue;
            }
            if let Some((_, delta)) = kind.text().filter(|(member, _)| *member == key) {
                let place = if kind == BlockKind::Text { Place::Text } else { Place::Other };
                let came = Came { id, path: vec![key.into_owned()], delta: delta.to_owned(), place };
                handled.push(id);
                self.push(document, &mut block, &came, edits)?;
            } else if kind == BlockKind::Other
                && block.pieces.len() < MOST_PIECES
                && said(document, id) == Said::At(Place::Other)
            {
                // It may be all of it, so all of it goes out; what comes later is looked at together with it.
                handled.push(id);
                let (sent, guard) = self.look(&text, Place::Other)?;
                self.over |= guard.is_stopped();
                block.begin_with(&key, &text, &sent, self.flow(Place::Other))?;
                if sent != *text {
                    edits.set_string(document, id, &sent);
                }
            }
        }
        self.blocks.push(block);
        Ok(())
    }

    /// Takes the pieces that a delta brings.
    fn block_delta(
        &mut self,
        document: &Document,
        index: u64,
        delta: NodeId,
        edits: &mut Edits,
        handled: &mut Vec<NodeId>,
        before: &mut Vec<String>,
    ) -> Result<(), UpstreamFailure> {
        let name =
            document.get(delta, "type").and_then(|kind| document.string(kind)).ok_or_else(malformed)?;
        if name == "signature_delta" {
            // What is signed is told before its signature.
            before.extend(self.end_pieces(index)?);
        }
        let at = self.blocks.iter().position(|block| block.index == index).ok_or_else(malformed)?;
        let mut block = self.blocks.remove(at);
        let text = block.kind.text().filter(|(_, delta)| *delta == name);
        let is_whole =
            |member: &str| document.get(delta, member).is_some_and(|id| document.kind(id) == Kind::String);
        let mut done =
            if text.is_none_or(|(member, _)| is_whole(member)) { Ok(()) } else { Err(malformed()) };
        for came in block.came(document, delta, &name) {
            handled.push(came.id);
            done = done.and_then(|()| self.push(document, &mut block, &came, edits));
        }
        self.blocks.insert(at, block);
        done
    }

    /// Takes one piece of a string: what of it goes out stands in its place.
    fn push(
        &mut self,
        document: &Document,
        block: &mut Block,
        came: &Came,
        edits: &mut Edits,
    ) -> Result<(), UpstreamFailure> {
        let text = document.string(came.id).unwrap_or_default();
        let mut out = String::new();
        if !self.over {
            if block.piece(came).is_none() {
                if block.pieces.len() >= MOST_PIECES {
                    return Err(malformed());
                }
                block.begin(came, self.flow(came.place));
            }
            if let Some(piece) = block.piece(came) {
                out = piece.push(&text)?;
                self.over |= piece.flow.guard.is_stopped();
            }
            out = block.clear(out);
        }
        if out != *text {
            edits.set_string(document, came.id, &out);
        }
        Ok(())
    }

    /// Ends the strings of a block; gives out the events with what they still held.
    fn end_pieces(&mut self, index: u64) -> Result<Vec<String>, UpstreamFailure> {
        let at = self.blocks.iter().position(|block| block.index == index).ok_or_else(malformed)?;
        let mut block = self.blocks.remove(at);
        let mut out = Vec::new();
        let mut ended = Vec::new();
        for mut piece in std::mem::take(&mut block.pieces) {
            let rest = if self.over { String::new() } else { piece.finish()? };
            self.over |= piece.flow.guard.is_stopped();
            block.pieces.push(piece);
            let rest = block.clear(rest);
            let Some(piece) = block.pieces.pop() else { continue };
            out.extend(block.event(&piece, &rest));
            ended.push(piece);
        }
        for piece in &ended {
            self.found.merge(piece.flow.guard.found());
            self.redacted.merge(piece.flow.guard.redacted());
        }
        self.blocks.insert(at, block);
        Ok(out)
    }

    /// Takes a block out, keeping what it counted.
    fn retire(&mut self, index: u64) -> Option<Block> {
        let at = self.blocks.iter().position(|block| block.index == index)?;
        let block = self.blocks.remove(at);
        for piece in &block.pieces {
            self.found.merge(piece.flow.guard.found());
            self.redacted.merge(piece.flow.guard.redacted());
        }
        Some(block)
    }

    /// What open blocks still hold when a stream breaks off, without what could be the beginning of a value.
    pub(super) fn abandon_blocks(&mut self) -> Result<Vec<String>, UpstreamFailure> {
        let mut out = Vec::new();
        let open: Vec<u64> = self.blocks.iter().map(|block| block.index).collect();
        for index in open {
            let Some(mut block) = self.retire(index) else { continue };
            for mut piece in std::mem::take(&mut block.pieces) {
                let rest = if self.over { String::new() } else { piece.abandon()? };
                self.over |= piece.flow.guard.is_stopped();
                block.pieces.push(piece);
                let rest = block.clear(rest);
                out.extend(block.pieces.pop().and_then(|piece| block.event(&piece, &rest)));
            }
        }
        Ok(out)
    }

    /// Rewrites all of an answer or event but what was `handled` before: its keys, numbers and strings. Gives the place
    /// at which a rule has the answer stop; what comes after it says nothing.
    fn everything(
        &mut self,
        document: &Document,
        handled: &[NodeId],
        edits: &mut Edits,
    ) -> Result<Option<NodeId>, UpstreamFailure> {
        let mut keys = Vec::new();
        let (mut stopped, over) = (None, self.over);
        for id in document.ids() {
            if let Some(key) = document.key(id).filter(|key| !is_schema_name(key)) {
                if let Some(out) = self.plain(&key) {
                    keys.push((id, out));
                }
                if self.stopped_now {
                    stopped.get_or_insert(id);
                }
            }
            let is_over = over || stopped.is_some();
            let clean = match document.kind(id) {
                _ if handled.contains(&id) => None,
                Kind::Number if !is_plain_number(document, id) => {
                    let out = self.plain(document.raw(id));
                    if self.stopped_now {
                        stopped.get_or_insert(id);
                    }
                    out
                }
                Kind::String => {
                    let text = document.string(id).unwrap_or_default();
                    let said = said(document, id);
                    match said {
                        Said::Seal => {
                            let index = document.member("index").and_then(|id| document.unsigned(id));
                            let block = self.blocks.iter().find(|block| Some(block.index) == index);
                            let cut = block.is_some_and(|block| block.omitted);
                            self.seal(document, id, cut);
                            None
                        }
                        Said::Protocol => None,
                        Said::Thought | Said::At(_) if is_over => (!text.is_empty()).then(String::new),
                        Said::Thought | Said::At(_) => {
                            let place = if let Said::At(place) = said { place } else { Place::Other };
                            let out = self.at_once(&text, place)?;
                            if self.stopped_now {
                                stopped.get_or_insert(id);
                            }
                            let out = if said == Said::Thought && out != *text { String::new() } else { out };
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

/// The kind of a block.
fn kind_of(document: &Document, block: NodeId) -> BlockKind {
    let kind = document.get(block, "type").and_then(|kind| document.string(kind));
    BlockKind::of(kind.as_deref().unwrap_or_default())
}
