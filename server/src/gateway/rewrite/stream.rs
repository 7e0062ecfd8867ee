//! An answer that comes in chunks.
//!
//! On a stream each string has a guard of its own, told apart by its whole way below `delta`, which holds back no more
//! than its window. A string ends where the stream does (in an array whose members have no index, where the next member
//! comes): a `finish_reason` is what a service says, and some say it and go on. One that comes while something of its
//! choice is held back is held back with it, and so are chunks without choices after it, so that a client gets the text
//! first, the reason next and the usage last. What a guard still holds at the end goes out in a chunk of its own, at the
//! very same position; at the end of an array member it is added to the string's last piece if that is in the same chunk.
//! A choice that a rule has stop at a value says nothing after that, and ends with `content_filter` when the stream does.
//! Blind spot, on a stream: a signature that comes in a later chunk than what it signs.

use bytes::Bytes;

use super::place::{Place, Position, index, item_of, strings};
use super::strand::{Flow, Strand};
use super::{LIMITS, Rewriter, choices, encloses, malformed, signs_a_thought};
use crate::gateway::document::{Document, Edits, NodeId};
use crate::providers::{EchoScan, UpstreamFailure};

/// What one chunk becomes.
#[derive(Debug, Default)]
struct Rewritten {
    strings: Vec<(NodeId, String)>,
    /// Choices to send first, each in a chunk of its own.
    before: Vec<String>,
}

/// One chunk, rewritten.
#[derive(Debug)]
pub struct Chunk {
    /// Data of chunks to send first.
    pub before: Vec<String>,
    /// The chunk's data. None where it is held back until the end.
    pub data: Option<Bytes>,
    /// Whether it differs from what came.
    pub changed: bool,
}

impl Rewriter {
    /// Rewrites one chunk of a stream. Gives out the chunk's data, and before it what strings held that have ended.
    ///
    /// # Errors
    /// [`UpstreamFailure::Malformed`], [`UpstreamFailure::CredentialEcho`].
    pub fn chunk(&mut self, data: Bytes, hide_usage: bool) -> Result<Chunk, UpstreamFailure> {
        let document = Document::parse(data.clone(), LIMITS).map_err(|_| malformed())?;
        self.chunks += 1;
        self.last = Some(data);
        let mut rewritten = Rewritten::default();
        let (mut delayed, mut edits) = (Vec::new(), Edits::new());
        // At a number, a name or a member that the protocol does not have; all of the chunk's own text comes after it.
        let ends = self.others(&document, "delta", &mut edits)?;
        for (ordinal, choice) in choices(&document).enumerate() {
            let number = number(&document, choice, ordinal);
            if ends.iter().any(|end| encloses(&document, choice, *end)) {
                self.stop(number);
            }
            if let Some(delta) = document.get(choice, "delta") {
                for (id, place) in strings(&document, delta) {
                    if signs_a_thought(&document, id) {
                        self.seal(&document, id, false);
                    }
                    self.piece(&document, number, delta, id, place, &mut rewritten)?;
                }
            }
            if self.stopped.contains(&number) {
                // Its end was told to come last, with another reason.
                delayed.extend(document.get(choice, "finish_reason"));
            } else if let Some(reason) = document.get(choice, "finish_reason")
                && document.string(reason).is_some_and(|reason| !reason.is_empty())
                && self.streams.iter().any(|strand| strand.position.choice == number && strand.flow.holds())
            {
                self.ended.retain(|(ended, _)| *ended != number);
                self.ended.push((number, document.raw(reason).to_owned()));
                delayed.push(reason);
            }
        }
        for (id, out) in rewritten.strings {
            if document.string(id).is_some_and(|text| out != *text) {
                edits.set_string(&document, id, &out);
            }
        }
        for reason in delayed {
            edits.set_raw(&document, reason, String::from("null"));
        }
        let before = self.templates(&document, &rewritten.before)?;
        if hide_usage && let Some(usage) = document.member("usage") {
            edits.remove(&document, usage);
        }
        self.hide_logprobs(&document, &mut edits);
        let (data, changed) = (edits.apply(&document), !edits.is_empty());
        if !self.ended.is_empty() && choices(&document).next().is_none() {
            self.late.push(data);
            return Ok(Chunk { before, data: None, changed });
        }
        Ok(Chunk { before, data: Some(data), changed })
    }

    /// Chunks like this one with other choices.
    fn templates(&mut self, document: &Document, choices: &[String]) -> Result<Vec<String>, UpstreamFailure> {
        let rewrite = |choice: &String| {
            // The way to a held string may lead over names of members that are to be redacted.
            let body = Bytes::from(template(document, choice));
            let document = Document::parse(body, LIMITS).map_err(|_| malformed())?;
            let mut edits = Edits::new();
            self.others(&document, "delta", &mut edits)?;
            Ok(String::from_utf8_lossy(&edits.apply(&document)).into_owned())
        };
        choices.iter().map(rewrite).collect()
    }

    /// Rewrites one piece of a string.
    fn piece(
        &mut self,
        document: &Document,
        choice: u64,
        delta: NodeId,
        id: NodeId,
        place: Place,
        rewritten: &mut Rewritten,
    ) -> Result<(), UpstreamFailure> {
        let Some(text) = document.string(id).filter(|text| !text.is_empty()) else { return Ok(()) };
        if self.stopped.contains(&choice) {
            rewritten.strings.push((id, String::new()));
            return Ok(());
        }
        if place == Place::Name {
            let out = self.at_once(&text, place)?;
            rewritten.strings.push((id, out));
            return Ok(());
        }
        let (item, chunk) = (item_of(document, delta, id), self.chunks);
        if self.streams.iter().any(|strand| strand.position.is_in_item()) {
            // Of members without an index, one that comes ends the one before.
            let goes_on = |strand: &Strand| {
                let (seen, _, before) = strand.seen;
                item.is_some_and(|item| {
                    strand.position.is_in(document, delta, item) && (seen != chunk || before == Some(item))
                })
            };
            self.end(
                |strand| strand.position.choice == choice && strand.position.is_in_item() && !goes_on(strand),
                |strand| strand.flow.finish(),
                rewritten,
            )?;
        }
        let found = self
            .streams
            .iter()
            .position(|strand| strand.position.choice == choice && strand.position.is(document, delta, id));
        let at = match found {
            Some(at) => at,
            None => {
                let position = Position::of(document, choice, delta, id);
                let flow = Flow::new(self.guard(place), self.credential.clone().map(EchoScan::new));
                self.streams.push(Strand { position, flow, seen: (chunk, id, item) });
                self.streams.len() - 1
            }
        };
        if let Some(strand) = self.streams.get_mut(at) {
            strand.seen = (chunk, id, item);
            let out = strand.flow.push(&text)?;
            rewritten.strings.push((id, out));
            if strand.flow.guard.is_stopped() {
                self.stop(choice);
            }
        }
        Ok(())
    }

    /// Ends a choice: nothing more is said, and the reason is told last.
    fn stop(&mut self, choice: u64) {
        if self.stopped.insert(choice) {
            self.ended.retain(|(ended, _)| *ended != choice);
            self.ended.push((choice, String::from(super::STOPPED)));
        }
    }

    /// Ends strings: what they still hold is added to their piece of this chunk, or goes out before it.
    fn end(
        &mut self,
        ends: impl Fn(&Strand) -> bool,
        how: impl Fn(&mut Strand) -> Result<String, UpstreamFailure>,
        rewritten: &mut Rewritten,
    ) -> Result<(), UpstreamFailure> {
        let (ended, open): (Vec<Strand>, _) = std::mem::take(&mut self.streams).into_iter().partition(ends);
        self.streams = open;
        for mut strand in ended {
            let rest = how(&mut strand);
            let choice = strand.position.choice;
            if strand.flow.guard.is_stopped() && self.stopped.insert(choice) {
                self.ended.push((choice, String::from(super::STOPPED)));
            }
            self.found.merge(strand.flow.guard.found());
            self.redacted.merge(strand.flow.guard.redacted());
            let rest = rest?;
            let (seen, id, _) = strand.seen;
            let piece = rewritten.strings.iter_mut().find(|(piece, _)| seen == self.chunks && *piece == id);
            match piece {
                Some((_, out)) => out.push_str(&rest),
                None if rest.is_empty() => {}
                None => {
                    let position = &strand.position;
                    let choice = serde_json::json!({
                        "index": position.choice, "delta": position.delta(rest), "finish_reason": null,
                    });
                    rewritten.before.push(choice.to_string());
                }
            }
        }
        Ok(())
    }

    /// What is still held when a stream ends without saying so: the data of chunks to send.
    ///
    /// # Errors
    /// [`UpstreamFailure::CredentialEcho`].
    pub fn finish(&mut self) -> Result<Vec<String>, UpstreamFailure> {
        self.close(|strand, _| strand.flow.finish())
    }

    /// What is still held when a stream breaks off, without what could be the beginning of a value or of the credential:
    /// the data of chunks to send.
    ///
    /// # Errors
    /// [`UpstreamFailure::CredentialEcho`].
    pub fn abandon(&mut self) -> Result<Vec<String>, UpstreamFailure> {
        let mut out = self.abandon_blocks()?;
        out.extend(self.abandon_texts()?);
        out.extend(
            self.close(|strand, ended| if ended { strand.flow.finish() } else { strand.flow.abandon() })?,
        );
        Ok(out)
    }

    /// Ends every string in a way that depends on whether its choice was said to have ended.
    fn close(
        &mut self,
        how: fn(&mut Strand, bool) -> Result<String, UpstreamFailure>,
    ) -> Result<Vec<String>, UpstreamFailure> {
        let ended = std::mem::take(&mut self.ended);
        let mut rewritten = Rewritten::default();
        // Nothing of a chunk that went out can be added to.
        self.chunks += 1;
        let is_ended = |strand: &Strand| ended.iter().any(|(choice, _)| *choice == strand.position.choice);
        self.end(|_| true, |strand| how(strand, is_ended(strand)), &mut rewritten)?;
        // What a rule stops only now ends for that reason, whatever was said before.
        let stopped = std::mem::take(&mut self.ended);
        let mut ended: Vec<(u64, String)> = ended
            .into_iter()
            .filter(|(choice, _)| stopped.iter().all(|(stopped, _)| stopped != choice))
            .collect();
        ended.extend(stopped);
        rewritten.before.extend(ended.iter().map(|(choice, reason)| {
            format!("{{\"index\":{choice},\"delta\":{{}},\"finish_reason\":{reason}}}")
        }));
        let mut out = Vec::new();
        if let Some(last) = self.last.take().filter(|_| !rewritten.before.is_empty()) {
            let document = Document::parse(last, LIMITS).map_err(|_| malformed())?;
            out = self.templates(&document, &rewritten.before)?;
        }
        out.extend(self.late.drain(..).map(|data| String::from_utf8_lossy(&data).into_owned()));
        Ok(out)
    }
}

/// The number of a choice: what it says, or where it stands.
fn number(document: &Document, choice: NodeId, ordinal: usize) -> u64 {
    index(document, choice).unwrap_or_else(|| u64::try_from(ordinal).unwrap_or(u64::MAX))
}

/// A chunk like this one with another choice.
fn template(document: &Document, choice: &str) -> String {
    let mut out = String::from("{");
    for key in ["id", "object", "created", "model", "system_fingerprint"] {
        if let Some(member) = document.member(key) {
            out.push_str(&format!("\"{key}\":{},", document.raw(member)));
        }
    }
    out.push_str(&format!("\"choices\":[{choice}]}}"));
    out
}
