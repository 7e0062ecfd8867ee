//! The answer's text on its way back: scanned, redacted where a rule says so, then restored.
//!
//! Restoring is a way out of the building, so it happens at named positions only: text for the same client (`content`
//! and `refusal`, as strings or in parts, and reasoning), and what goes to a tool (the arguments of a function, the
//! input of a custom tool) where a rule allows it. Every other string of a message (an annotation, a signed part) is
//! scanned and redacted and keeps its placeholders, and so is everything else of a whole answer: its keys, its numbers,
//! what stands outside its messages. An answer of Anthropic's API, of which `rewrite/messages.rs` tells, is looked at in the same way,
//! and one of OpenAI's Responses (`rewrite/responses.rs`).
//! What the protocol itself says (`id`, `role`, `type`, a tool's name) is not touched.
//!
//! The endpoint's own credential must not come back to a client. It is looked for in every string of a message, decoded,
//! over all its pieces; what could still turn out to be its beginning is held back. Blind spot: an encoded credential.

mod block;
mod messages;
#[cfg(test)]
mod messages_tests;
mod order;
mod order_of_responses;
mod place;
mod protocol;
mod responses;
#[cfg(test)]
mod responses_tests;
mod said;
mod said_of_responses;
mod strand;
mod stream;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use bailiwick_pii::{Detector, EntityCounts, Mode, RedactionPlan, TokenKey, Vault, redact, stream::Guard};
use bailiwick_wire::Losses;
use bytes::Bytes;

use super::document::{Document, Edits, Kind, Limits, NodeId, rename, tell_apart};
use super::sealed::{SHORTEST as SHORTEST_SEAL, Seal};
use super::spans::is_schema_name;
use crate::providers::failure::Malformed;
use crate::providers::{Secret, UpstreamFailure};
use place::{Place, strings};
use protocol::{is_of_protocol, is_plain_number};
use strand::{Flow, Strand};
pub use stream::Chunk;

/// Answers nest less than requests.
const LIMITS: Limits = Limits { depth: 64, nodes: 1_000_000 };

/// Vectors are long, and there are many of them.
const LIMITS_OF_VECTORS: Limits = Limits { depth: 64, nodes: 8_000_000 };

/// A shorter name or number holds nothing that a recognizer finds.
const SHORTEST: usize = 7;

/// Rewrites one answer.
#[derive(Debug)]
pub struct Rewriter {
    detector: Arc<Detector>,
    plan: RedactionPlan,
    key: TokenKey,
    vault: Arc<Vault>,
    nothing: Vault,
    streams: Vec<Strand>,
    /// Blocks of a message of Anthropic's API that are open.
    blocks: Vec<block::Block>,
    /// How far such a message has come, where its events have to be in order.
    order: Option<order::Order>,
    /// What is kept of a stream of responses.
    response: responses::Events,
    /// Choices that were said to have ended while something of them was held, with the reason as JSON.
    ended: Vec<(u64, String)>,
    /// Chunks without choices that came after that.
    late: Vec<Bytes>,
    /// Chunks so far.
    chunks: u64,
    /// The last chunk, for what all have in common.
    last: Option<Bytes>,
    credential: Option<Secret>,
    /// Choices whose text ended before a value at which a rule has it stop.
    stopped: BTreeSet<u64>,
    /// Whether a message of Anthropic's API did, and whether its client has been told why it ended.
    over: bool,
    told_end: bool,
    /// Whether the last string, number or name that was there as a whole did.
    stopped_now: bool,
    /// Whether token probabilities were left out.
    hid_logprobs: bool,
    /// Thoughts that only their provider can read, which nobody took yet.
    seals: Vec<Seal>,
    found: EntityCounts,
    redacted: EntityCounts,
}

/// What token probabilities of an answer are called where it is told what was left out.
pub const LOGPROBS: &str = "answer.logprobs";

/// Why a choice ended that a rule stopped: the word that the API has for it.
const STOPPED: &str = "\"content_filter\"";

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
            blocks: Vec::new(),
            order: None,
            response: responses::Events::default(),
            ended: Vec::new(),
            late: Vec::new(),
            chunks: 0,
            last: None,
            credential,
            stopped: BTreeSet::new(),
            over: false,
            told_end: false,
            stopped_now: false,
            hid_logprobs: false,
            seals: Vec::new(),
            found: EntityCounts::default(),
            redacted: EntityCounts::default(),
        }
    }

    /// The sealed thoughts that came since this was asked before.
    pub fn take_seals(&mut self) -> Vec<Seal> {
        std::mem::take(&mut self.seals)
    }

    /// Keeps a string where it is a signature of a thought, or an encrypted one; `cut` where only a part of its text goes out.
    fn seal(&mut self, document: &Document, id: NodeId, cut: bool) {
        if let Some(value) = document.string(id).filter(|value| value.len() >= SHORTEST_SEAL) {
            self.seals.push(Seal { value: value.into_owned(), cut });
        }
    }

    /// The same for a stream from its first event on: one of Anthropic's API that ends without having said all is malformed.
    #[must_use]
    pub fn in_order(mut self) -> Self {
        self.order = Some(order::Order::default());
        self
    }

    /// Findings of the answer so far, by kind.
    #[must_use]
    pub fn found(&self) -> EntityCounts {
        let mut found = self.found;
        self.flows().for_each(|flow| found.merge(flow.guard.found()));
        found
    }

    /// Redactions of the answer so far, by kind.
    #[must_use]
    pub fn redacted(&self) -> EntityCounts {
        let mut redacted = self.redacted;
        self.flows().for_each(|flow| redacted.merge(flow.guard.redacted()));
        redacted
    }

    /// Whether it leaves out token probabilities.
    #[must_use]
    pub fn hides_logprobs(&self) -> bool {
        !self.plan.is_empty()
    }

    /// What it left out of the answer so far because it tells the text once more.
    #[must_use]
    pub fn left_out(&self) -> Losses {
        let mut left_out = Losses::default();
        if self.hid_logprobs {
            left_out.add(LOGPROBS);
        }
        left_out
    }

    fn flows(&self) -> impl Iterator<Item = &Flow> {
        let of_blocks = self.blocks.iter().flat_map(|block| &block.pieces).map(|piece| &piece.flow);
        let of_response = self.response.flows();
        self.streams.iter().map(|strand| &strand.flow).chain(of_blocks).chain(of_response)
    }

    /// Rewrites a whole answer.
    ///
    /// # Errors
    /// [`UpstreamFailure::Malformed`].
    pub fn whole(&mut self, body: Bytes) -> Result<Bytes, UpstreamFailure> {
        let document = Document::parse(body, LIMITS).map_err(|_| malformed())?;
        let mut edits = Edits::new();
        let ends = self.others(&document, "message", &mut edits)?;
        for choice in choices(&document) {
            let Some(message) = document.get(choice, "message") else { continue };
            let end = ends.iter().copied().find(|end| encloses(&document, choice, *end));
            let mut stopped = end.is_some();
            for (id, place) in strings(&document, message) {
                if signs_a_thought(&document, id) {
                    self.seal(&document, id, false);
                }
                if let Some(text) = document.string(id) {
                    // After the end nothing is said.
                    let is_over = stopped && end.is_none_or(|end| id > end);
                    let out = if is_over { String::new() } else { self.at_once(&text, place)? };
                    stopped |= !is_over && self.stopped_now;
                    if out != *text {
                        edits.set_string(&document, id, &out);
                    }
                }
            }
            if stopped {
                if let Some(calls) = document.get(message, "tool_calls") {
                    edits.remove(&document, calls);
                }
                if let Some(reason) = document.get(choice, "finish_reason") {
                    edits.set_raw(&document, reason, String::from(STOPPED));
                }
            }
        }
        self.hide_logprobs(&document, &mut edits);
        Ok(edits.apply(&document))
    }

    /// Rewrites all of an answer or chunk that is not a string of a message or delta: its keys, its numbers, and the members
    /// that the protocol does not have. `holder` is the member of a choice whose strings are looked at elsewhere. Gives the
    /// places at which a rule has the answer stop.
    fn others(
        &mut self,
        document: &Document,
        holder: &str,
        edits: &mut Edits,
    ) -> Result<Vec<NodeId>, UpstreamFailure> {
        let (mut keys, mut ends) = (Vec::new(), Vec::new());
        for id in document.ids() {
            self.stopped_now = false;
            if let Some(key) = document.key(id).filter(|key| !is_schema_name(key))
                && let Some(out) = self.plain(&key)
            {
                keys.push((id, out));
            }
            let ends_before = self.stopped_now;
            let clean = match document.kind(id) {
                Kind::Number if !is_plain_number(document, holder, id) => self.plain(document.raw(id)),
                Kind::String if !is_of_protocol(document, holder, id) => {
                    let text = document.string(id).unwrap_or_default();
                    // The client's own, word for word: some services tell which stop sequence came.
                    let told = document.key(id).is_some_and(|key| key == "stop_reason")
                        && document.parent(id).is_some_and(|choice| is_choice(document, choice));
                    let place = if told { Place::Text } else { Place::Other };
                    Some(self.at_once(&text, place)?).filter(|out| *out != *text)
                }
                _ => None,
            };
            if ends_before || self.stopped_now {
                ends.push(id);
            }
            if let Some(clean) = clean {
                edits.set_string(document, id, &clean);
            }
        }
        rename(document, keys, edits);
        Ok(ends)
    }

    /// Rewrites what stands beside the vectors of an answer.
    ///
    /// # Errors
    /// [`UpstreamFailure::Malformed`], [`UpstreamFailure::CredentialEcho`].
    pub fn vectors(&mut self, body: Bytes) -> Result<Bytes, UpstreamFailure> {
        let document = Document::parse(body, LIMITS_OF_VECTORS).map_err(|_| malformed())?;
        let mut edits = Edits::new();
        self.others(&document, "", &mut edits)?;
        Ok(edits.apply(&document))
    }

    /// Rewrites a number or a name. `None` if nothing is to be changed.
    fn plain(&mut self, text: &str) -> Option<String> {
        self.stopped_now = false;
        if text.len() < SHORTEST {
            return None;
        }
        let (mut found, mut vault) = (Vec::new(), Vault::new());
        self.detector.scan(text, &mut found);
        found.iter().for_each(|finding| self.found.add(finding.entity));
        let stops = |finding| self.plan.applies_to(finding).is_some_and(|redaction| redaction.stop);
        self.stopped_now = found.iter().any(stops);
        redact(text, &found, &self.plan, &self.key, &mut vault, &mut self.redacted)
    }

    /// Rewrites what a provider says about a request that it refuses. Nothing is restored in it.
    ///
    /// # Errors
    /// [`UpstreamFailure::CredentialEcho`].
    pub fn said(&mut self, message: &str) -> Result<String, UpstreamFailure> {
        self.at_once(message, Place::Other)
    }

    /// Rewrites a string that is there as a whole.
    fn at_once(&mut self, text: &str, place: Place) -> Result<String, UpstreamFailure> {
        let (mut out, guard) = self.look(text, place)?;
        self.stopped_now = guard.is_stopped();
        self.found.merge(guard.found());
        self.redacted.merge(guard.redacted());
        if place == Place::Arguments && *guard.redacted() != EntityCounts::default() {
            out = tell_apart(text, out);
        }
        Ok(out)
    }

    /// What a string that is there as a whole becomes, and the guard that says what was in it.
    fn look(&self, text: &str, place: Place) -> Result<(String, Guard), UpstreamFailure> {
        let mut guard = self.guard(place);
        let mut out = String::with_capacity(text.len());
        guard.push(text, &mut out);
        guard.finish(&mut out);
        if self.credential.as_ref().is_some_and(|credential| credential.occurs_in(out.as_bytes())) {
            return Err(UpstreamFailure::CredentialEcho);
        }
        Ok((out, guard))
    }

    /// Token probabilities tell the text once more, token by token, where no recognizer can see it whole. They are left out
    /// wherever a rule redacts answers, and the client is told.
    fn hide_logprobs(&mut self, document: &Document, edits: &mut Edits) {
        if !self.hides_logprobs() {
            return;
        }
        for choice in choices(document) {
            if let Some(logprobs) =
                document.get(choice, "logprobs").filter(|id| document.kind(*id) != Kind::Null)
            {
                edits.set_raw(document, logprobs, String::from("null"));
                self.hid_logprobs = true;
            }
        }
    }

    fn guard(&self, place: Place) -> Guard {
        let (vault, mode) = match place {
            Place::Text => (&*self.vault, Mode::Text),
            Place::Arguments => (&*self.vault, Mode::JsonString),
            Place::Input => (&*self.vault, Mode::ToolText),
            Place::ProviderArguments => (&self.nothing, Mode::JsonString),
            Place::Name | Place::Other => (&self.nothing, Mode::Text),
        };
        Guard::new(Arc::clone(&self.detector), self.plan, self.key.clone(), vault, mode)
    }
}

fn choices(document: &Document) -> impl Iterator<Item = NodeId> + '_ {
    document.member("choices").into_iter().flat_map(|choices| document.children(choices))
}

fn is_choice(document: &Document, id: NodeId) -> bool {
    document.parent(id).is_some_and(|list| document.member("choices") == Some(list))
}

/// Whether a string is the signature of a part of `content` that is a thought.
fn signs_a_thought(document: &Document, id: NodeId) -> bool {
    let kind = document.parent(id).and_then(|part| document.get(part, "type"));
    document.key(id).is_some_and(|key| key == "signature")
        && kind.and_then(|kind| document.string(kind)).is_some_and(|kind| kind == "thinking")
}

/// Whether a value is another one, or within it.
fn encloses(document: &Document, outer: NodeId, id: NodeId) -> bool {
    std::iter::successors(Some(id), |at| document.parent(*at)).any(|at| at == outer)
}

fn malformed() -> UpstreamFailure {
    UpstreamFailure::Malformed(Malformed::Json)
}
