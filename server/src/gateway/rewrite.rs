//! The answer's text on its way back: scanned, redacted where a rule says so, then restored.
//!
//! Restoring is a way out of the building, so it happens at named positions only: the text of a message for the same
//! client, and the arguments of a tool call where a rule allows it. Every other string of a message (reasoning, an
//! annotation) is scanned and redacted and keeps its placeholders; nothing outside the messages is touched. Signed
//! reasoning blocks do not occur in this API.
//!
//! The endpoint's own credential must not come back to a client. It is looked for in every string of a message, decoded,
//! over all its pieces; what could still turn out to be its beginning is held back. Blind spot: an encoded credential.
//!
//! On a stream each string has a guard of its own, which holds back no more than its window. What a guard still holds
//! when its choice ends goes out in a chunk of its own before the one that ends the choice.

use std::sync::Arc;

use bailiwick_pii::{Detector, EntityCounts, Mode, RedactionPlan, TokenKey, Vault, stream::Guard};
use bytes::Bytes;

use super::document::{Document, Edits, Kind, Limits, NodeId};
use crate::providers::failure::Malformed;
use crate::providers::{Echo, EchoScan, Secret, UpstreamFailure};

/// Answers nest less than requests.
const LIMITS: Limits = Limits { depth: 64, nodes: 1_000_000 };

/// Rewrites one answer.
#[derive(Debug)]
pub struct Rewriter {
    detector: Arc<Detector>,
    plan: RedactionPlan,
    key: TokenKey,
    vault: Arc<Vault>,
    nothing: Vault,
    streams: Vec<Strand>,
    credential: Option<Secret>,
    found: EntityCounts,
    redacted: EntityCounts,
}

/// One string of a stream.
#[derive(Debug)]
struct Strand {
    position: Position,
    guard: Guard,
    echo: Option<EchoScan>,
    /// Cleared by the guard; could be the beginning of the credential.
    held: String,
}

impl Strand {
    /// What may go out after one more piece.
    fn push(&mut self, text: &str) -> Result<String, UpstreamFailure> {
        let mut out = String::with_capacity(text.len());
        self.guard.push(text, &mut out);
        let Some(echo) = &mut self.echo else { return Ok(out) };
        let Echo::Held(count) = echo.push(out.as_bytes()) else {
            return Err(UpstreamFailure::CredentialEcho);
        };
        self.held.push_str(&out);
        // A beginning of the credential begins where a character does; were it otherwise, all is held.
        let at = self.held.len().saturating_sub(count);
        let keep = if self.held.is_char_boundary(at) {
            self.held.split_off(at)
        } else {
            std::mem::take(&mut self.held)
        };
        let clear = std::mem::replace(&mut self.held, keep);
        Ok(clear)
    }

    /// What is left at the end.
    fn finish(&mut self) -> Result<String, UpstreamFailure> {
        let mut out = String::new();
        self.guard.finish(&mut out);
        if self.echo.as_mut().is_some_and(|echo| echo.push(out.as_bytes()) == Echo::Found) {
            return Err(UpstreamFailure::CredentialEcho);
        }
        self.held.push_str(&out);
        Ok(std::mem::take(&mut self.held))
    }
}

/// Which string of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Position {
    choice: u64,
    /// The index of the tool call, for its arguments.
    tool: Option<u64>,
    /// The member's name.
    member: String,
    place: Place,
}

/// What may happen to a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Text for the client.
    Text,
    /// The arguments of a tool call: JSON within a string.
    Arguments,
    /// Anything else of a message.
    Other,
}

impl Rewriter {
    /// A rewriter for one answer.
    #[must_use]
    pub fn new(
        detector: Arc<Detector>,
        plan: RedactionPlan,
        key: TokenKey,
        vault: Arc<Vault>,
        credential: Option<Secret>,
    ) -> Self {
        Self {
            detector,
            plan,
            key,
            vault,
            nothing: Vault::new(),
            streams: Vec::new(),
            credential,
            found: EntityCounts::default(),
            redacted: EntityCounts::default(),
        }
    }

    /// Findings of the answer so far, by kind.
    #[must_use]
    pub fn found(&self) -> EntityCounts {
        let mut found = self.found;
        self.streams.iter().for_each(|strand| found.merge(strand.guard.found()));
        found
    }

    /// Redactions of the answer so far, by kind.
    #[must_use]
    pub fn redacted(&self) -> EntityCounts {
        let mut redacted = self.redacted;
        self.streams.iter().for_each(|strand| redacted.merge(strand.guard.redacted()));
        redacted
    }

    /// Rewrites a whole answer.
    ///
    /// # Errors
    /// [`UpstreamFailure::Malformed`].
    pub fn whole(&mut self, body: Bytes) -> Result<Bytes, UpstreamFailure> {
        let document = Document::parse(body, LIMITS).map_err(|_| malformed())?;
        let mut edits = Edits::new();
        for (id, place, _) in strings(&document, "message") {
            let Some(text) = document.string(id) else { continue };
            let mut guard = self.guard(place);
            let mut out = String::with_capacity(text.len());
            guard.push(&text, &mut out);
            guard.finish(&mut out);
            if self.credential.as_ref().is_some_and(|credential| credential.occurs_in(out.as_bytes())) {
                return Err(UpstreamFailure::CredentialEcho);
            }
            self.found.merge(guard.found());
            self.redacted.merge(guard.redacted());
            if out != *text {
                edits.set_string(&document, id, &out);
            }
        }
        self.hide_logprobs(&document, &mut edits);
        Ok(edits.apply(&document))
    }

    /// Token probabilities tell the text once more, token by token, where no recognizer can see it whole. They are left out
    /// wherever a rule redacts answers.
    fn hide_logprobs(&self, document: &Document, edits: &mut Edits) {
        if self.plan.is_empty() {
            return;
        }
        for choice in choices(document) {
            if let Some(logprobs) =
                document.get(choice, "logprobs").filter(|id| document.kind(*id) != Kind::Null)
            {
                edits.set_raw(document, logprobs, String::from("null"));
            }
        }
    }

    /// Rewrites one chunk of a stream. Gives out the chunk's data, and before it, where a choice ends, what was held.
    ///
    /// # Errors
    /// [`UpstreamFailure::Malformed`].
    pub fn chunk(&mut self, data: Bytes, hide_usage: bool) -> Result<Chunk, UpstreamFailure> {
        let document = Document::parse(data, LIMITS).map_err(|_| malformed())?;
        let mut edits = Edits::new();
        let mut held = Vec::new();
        for (id, place, position) in strings(&document, "delta") {
            let Some(text) = document.string(id) else { continue };
            let out = self.stream(position, place).push(&text)?;
            if out != *text {
                edits.set_string(&document, id, &out);
            }
        }
        for choice in choices(&document) {
            let ended = document
                .get(choice, "finish_reason")
                .is_some_and(|reason| document.kind(reason) == Kind::String);
            if ended && let Some(rest) = self.flush(index(&document, choice))? {
                held.push(template(&document, &rest));
            }
        }
        if hide_usage && let Some(usage) = document.member("usage") {
            edits.remove(&document, usage);
        }
        self.hide_logprobs(&document, &mut edits);
        let changed = !edits.is_empty();
        Ok(Chunk { before: held, data: edits.apply(&document), changed })
    }

    /// What is still held when a stream ends without saying so: one chunk's data for each choice.
    ///
    /// # Errors
    /// [`UpstreamFailure::CredentialEcho`].
    pub fn finish(&mut self) -> Result<Vec<String>, UpstreamFailure> {
        let mut open: Vec<u64> = self.streams.iter().map(|strand| strand.position.choice).collect();
        open.sort_unstable();
        open.dedup();
        let mut held = Vec::new();
        for choice in open {
            if let Some(rest) = self.flush(choice)? {
                held.push(format!("{{\"object\":\"chat.completion.chunk\",\"choices\":[{rest}]}}"));
            }
        }
        Ok(held)
    }

    /// The choice object that carries what the choice's guards hold, if they hold anything.
    fn flush(&mut self, choice: u64) -> Result<Option<String>, UpstreamFailure> {
        let mut delta = serde_json::Map::new();
        let mut calls = Vec::new();
        let (ended, open): (Vec<Strand>, _) = std::mem::take(&mut self.streams)
            .into_iter()
            .partition(|strand| strand.position.choice == choice);
        self.streams = open;
        for mut strand in ended {
            let rest = strand.finish();
            self.found.merge(strand.guard.found());
            self.redacted.merge(strand.guard.redacted());
            let (position, rest) = (strand.position, rest?);
            if rest.is_empty() {
                continue;
            }
            match position.tool {
                Some(tool) if position.place == Place::Arguments => {
                    calls.push(serde_json::json!({ "index": tool, "function": { "arguments": rest } }));
                }
                _ => {
                    delta.insert(position.member, rest.into());
                }
            }
        }
        if !calls.is_empty() {
            delta.insert(String::from("tool_calls"), calls.into());
        }
        let rest = (!delta.is_empty()).then(|| {
            serde_json::json!({ "index": choice, "delta": delta, "finish_reason": null }).to_string()
        });
        Ok(rest)
    }

    fn guard(&self, place: Place) -> Guard {
        let (vault, mode) = match place {
            Place::Text => (&*self.vault, Mode::Text),
            Place::Arguments => (&*self.vault, Mode::JsonString),
            Place::Other => (&self.nothing, Mode::Text),
        };
        Guard::new(Arc::clone(&self.detector), self.plan, self.key.clone(), vault, mode)
    }

    fn stream(&mut self, position: Position, place: Place) -> &mut Strand {
        let at = match self.streams.iter().position(|strand| strand.position == position) {
            Some(at) => at,
            None => {
                let (guard, echo) = (self.guard(place), self.credential.clone().map(EchoScan::new));
                self.streams.push(Strand { position, guard, echo, held: String::new() });
                self.streams.len() - 1
            }
        };
        #[expect(clippy::indexing_slicing, reason = "found or pushed just above")]
        &mut self.streams[at]
    }
}

/// One chunk, rewritten.
#[derive(Debug)]
pub struct Chunk {
    /// Data of chunks to send first.
    pub before: Vec<String>,
    /// The chunk's data.
    pub data: Bytes,
    /// Whether it differs from what came.
    pub changed: bool,
}

fn choices(document: &Document) -> impl Iterator<Item = NodeId> + '_ {
    document.member("choices").into_iter().flat_map(|choices| document.children(choices))
}

fn index(document: &Document, id: NodeId) -> u64 {
    document.get(id, "index").and_then(|index| document.unsigned(index)).unwrap_or(0)
}

/// The strings of every choice's message or delta.
fn strings<'a>(
    document: &'a Document,
    holder: &'static str,
) -> impl Iterator<Item = (NodeId, Place, Position)> + 'a {
    choices(document).flat_map(move |choice| {
        let number = index(document, choice);
        let mut found = Vec::new();
        if let Some(message) = document.get(choice, holder) {
            collect(document, message, number, None, 0, &mut found);
        }
        found
    })
}

fn collect(
    document: &Document,
    id: NodeId,
    choice: u64,
    tool: Option<u64>,
    depth: usize,
    found: &mut Vec<(NodeId, Place, Position)>,
) {
    for child in document.children(id) {
        let key = document.key(child).unwrap_or_default();
        match document.kind(child) {
            Kind::Object | Kind::Array => {
                let tool = match (&*key, document.key(id).as_deref()) {
                    ("", Some("tool_calls")) => Some(index(document, child)),
                    _ => tool,
                };
                collect(document, child, choice, tool, depth + 1, found);
            }
            Kind::String => {
                let place = match (&*key, depth) {
                    ("role" | "id" | "type" | "finish_reason", _) => continue,
                    ("content" | "refusal", 0) => Place::Text,
                    ("arguments", _) if document.key(id).as_deref() == Some("function") => Place::Arguments,
                    // A tool's name is sent by the client itself.
                    ("name", _) if document.key(id).as_deref() == Some("function") => continue,
                    _ => Place::Other,
                };
                let member = key.into_owned();
                found.push((child, place, Position { choice, tool, member, place }));
            }
            _ => {}
        }
    }
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

fn malformed() -> UpstreamFailure {
    UpstreamFailure::Malformed(Malformed::Json)
}
