//! The answer's text on its way back: scanned, redacted where a rule says so, then restored.
//!
//! Restoring is a way out of the building, so it happens at named positions only: text for the same client (`content`
//! and `refusal`, as strings or in parts, and reasoning), and what goes to a tool (the arguments of a function, the
//! input of a custom tool) where a rule allows it. Every other string of a message (an annotation, a signed part) is
//! scanned and redacted and keeps its placeholders, and so is everything else of a whole answer: its keys, its numbers,
//! what stands outside its messages. An answer of Anthropic's API, of which `rewrite/messages.rs` tells, is looked at in the same way.
//! What the protocol itself says (`id`, `role`, `type`, a tool's name) is not touched.
//!
//! The endpoint's own credential must not come back to a client. It is looked for in every string of a message, decoded,
//! over all its pieces; what could still turn out to be its beginning is held back. Blind spot: an encoded credential.

mod messages;
#[cfg(test)]
mod messages_tests;
mod order;
mod place;
mod protocol;
mod strand;
mod stream;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use bailiwick_pii::{Detector, EntityCounts, Mode, RedactionPlan, TokenKey, Vault, redact, stream::Guard};
use bytes::Bytes;

use super::document::{Document, Edits, Kind, Limits, NodeId, rename, tell_apart};
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
    blocks: Vec<messages::Block>,
    /// How far such a message has come, where its events have to be in order.
    order: Option<order::Order>,
    /// Choices that were said to have ended while something of them was held, with the reason as JSON.
    ended: Vec<(u64, String)>,
    /// Chunks without choices that came after that.
    late: Vec<Bytes>,
    /// Chunks so far.
    chunks: u64,
    /// The last chunk, for what all have in common.
    last: Option<Bytes>,
    credential: Option<Secret>,
    /// Choices whose text ended before a value at which a rule has it stop; of Anthropic's API, such a block and those
    /// after it.
    stopped: BTreeSet<u64>,
    /// Whether the last string that was there as a whole did.
    stopped_now: bool,
    found: EntityCounts,
    redacted: EntityCounts,
}

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
            ended: Vec::new(),
            late: Vec::new(),
            chunks: 0,
            last: None,
            credential,
            stopped: BTreeSet::new(),
            stopped_now: false,
            found: EntityCounts::default(),
            redacted: EntityCounts::default(),
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

    fn flows(&self) -> impl Iterator<Item = &Flow> {
        self.streams.iter().map(|strand| &strand.flow).chain(self.blocks.iter().map(|block| &block.flow))
    }

    /// Rewrites a whole answer.
    ///
    /// # Errors
    /// [`UpstreamFailure::Malformed`].
    pub fn whole(&mut self, body: Bytes) -> Result<Bytes, UpstreamFailure> {
        let document = Document::parse(body, LIMITS).map_err(|_| malformed())?;
        let mut edits = Edits::new();
        for choice in choices(&document) {
            let Some(message) = document.get(choice, "message") else { continue };
            let mut stopped = false;
            for (id, place) in strings(&document, message) {
                if let Some(text) = document.string(id) {
                    // After the end nothing is said.
                    let out = if stopped { String::new() } else { self.at_once(&text, place)? };
                    stopped |= self.stopped_now;
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
        self.others(&document, "message", &mut edits)?;
        self.hide_logprobs(&document, &mut edits);
        Ok(edits.apply(&document))
    }

    /// Rewrites all of an answer or chunk that is not a string of a message or delta: its keys, its numbers, and the members
    /// that the protocol does not have. `holder` is the member of a choice whose strings are looked at elsewhere.
    fn others(
        &mut self,
        document: &Document,
        holder: &str,
        edits: &mut Edits,
    ) -> Result<(), UpstreamFailure> {
        let mut keys = Vec::new();
        for id in document.ids() {
            if let Some(key) = document.key(id).filter(|key| !is_schema_name(key))
                && let Some(out) = self.plain(&key)
            {
                keys.push((id, out));
            }
            let clean = match document.kind(id) {
                Kind::Number if !is_plain_number(document, holder, id) => self.plain(document.raw(id)),
                Kind::String if !is_of_protocol(document, holder, id) => {
                    let text = document.string(id).unwrap_or_default();
                    Some(self.at_once(&text, Place::Other)?).filter(|out| *out != *text)
                }
                _ => None,
            };
            if let Some(clean) = clean {
                edits.set_string(document, id, &clean);
            }
        }
        rename(document, keys, edits);
        Ok(())
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
        if text.len() < SHORTEST {
            return None;
        }
        let (mut found, mut vault) = (Vec::new(), Vault::new());
        self.detector.scan(text, &mut found);
        found.iter().for_each(|finding| self.found.add(finding.entity));
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
        let mut guard = self.guard(place);
        let mut out = String::with_capacity(text.len());
        guard.push(text, &mut out);
        guard.finish(&mut out);
        self.stopped_now = guard.is_stopped();
        if self.credential.as_ref().is_some_and(|credential| credential.occurs_in(out.as_bytes())) {
            return Err(UpstreamFailure::CredentialEcho);
        }
        self.found.merge(guard.found());
        self.redacted.merge(guard.redacted());
        if place == Place::Arguments && *guard.redacted() != EntityCounts::default() {
            out = tell_apart(text, out);
        }
        Ok(out)
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

    fn guard(&self, place: Place) -> Guard {
        let (vault, mode) = match place {
            Place::Text => (&*self.vault, Mode::Text),
            Place::Arguments => (&*self.vault, Mode::JsonString),
            Place::Input => (&*self.vault, Mode::ToolText),
            Place::Name | Place::Other => (&self.nothing, Mode::Text),
        };
        Guard::new(Arc::clone(&self.detector), self.plan, self.key.clone(), vault, mode)
    }
}

fn choices(document: &Document) -> impl Iterator<Item = NodeId> + '_ {
    document.member("choices").into_iter().flat_map(|choices| document.children(choices))
}

fn malformed() -> UpstreamFailure {
    UpstreamFailure::Malformed(Malformed::Json)
}
