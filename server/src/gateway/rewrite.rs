//! The answer's text on its way back: scanned, redacted where a rule says so, then restored.
//!
//! Restoring is a way out of the building, so it happens at named positions only: text for the same client (`content`
//! and `refusal`, as strings or in parts, and reasoning), and what goes to a tool (the arguments of a function, the
//! input of a custom tool) where a rule allows it. Every other string of a message (an annotation, a signed part) is
//! scanned and redacted and keeps its placeholders, and so is everything else of a whole answer: its keys, its numbers,
//! what stands outside its messages. What the protocol itself says (`id`, `role`, `type`, a tool's name) is not touched.
//!
//! The endpoint's own credential must not come back to a client. It is looked for in every string of a message, decoded,
//! over all its pieces; what could still turn out to be its beginning is held back. Blind spot: an encoded credential.
//!
//! On a stream each string has a guard of its own, told apart by its whole way below `delta`, which holds back no more
//! than its window. A string ends where the stream does (in an array whose members have no index, where the next member
//! comes): a `finish_reason` is what a service says, and some say it and go on. One that comes while something of its
//! choice is held back is held back with it, and so are chunks without choices after it, so that a client gets the text
//! first, the reason next and the usage last. What a guard still holds at the end goes out in a chunk of its own, at the
//! very same position; at the end of an array member it is added to the string's last piece if that is in the same chunk.
//! Blind spot, on a stream: a signature that comes in a later chunk than what it signs.

mod place;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bailiwick_pii::{Detector, EntityCounts, Mode, RedactionPlan, TokenKey, Vault, redact, stream::Guard};
use bytes::Bytes;

use super::document::{Document, Edits, Kind, Limits, NodeId, rename, tell_apart};
use super::spans::is_schema_name;
use crate::providers::failure::Malformed;
use crate::providers::{Echo, EchoScan, Secret, UpstreamFailure};
use place::{Place, Position, index, item_of, strings};

/// Answers nest less than requests.
const LIMITS: Limits = Limits { depth: 64, nodes: 1_000_000 };

/// Vectors are long, and there are many of them.
const LIMITS_OF_VECTORS: Limits = Limits { depth: 64, nodes: 8_000_000 };

/// A shorter name or number holds nothing that a recognizer finds.
const SHORTEST: usize = 7;

/// The longest number that the protocol itself says.
const PLAIN_NUMBER: usize = 10;

/// Rewrites one answer.
#[derive(Debug)]
pub struct Rewriter {
    detector: Arc<Detector>,
    plan: RedactionPlan,
    key: TokenKey,
    vault: Arc<Vault>,
    nothing: Vault,
    streams: Vec<Strand>,
    /// Choices that were said to have ended while something of them was held, with the reason as JSON.
    ended: Vec<(u64, String)>,
    /// Chunks without choices that came after that.
    late: Vec<Bytes>,
    /// Chunks so far.
    chunks: u64,
    /// The last chunk, for what all have in common.
    last: Option<Bytes>,
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
    /// The last chunk with a piece of it, by number, with the piece and the array member that it is in.
    seen: (u64, NodeId, Option<NodeId>),
}

impl Strand {
    /// What may go out after one more piece.
    fn push(&mut self, text: &str) -> Result<String, UpstreamFailure> {
        let mut out = String::with_capacity(text.len());
        self.guard.push(text, &mut out);
        self.clear(out)
    }

    /// What may go out where the text breaks off.
    fn abandon(&mut self) -> Result<String, UpstreamFailure> {
        let mut out = String::new();
        self.guard.abandon(&mut out);
        self.clear(out)
    }

    /// What of the text that the guard has cleared is not the beginning of the credential.
    fn clear(&mut self, out: String) -> Result<String, UpstreamFailure> {
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

    fn holds(&self) -> bool {
        self.guard.holds() || !self.held.is_empty()
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
            ended: Vec::new(),
            late: Vec::new(),
            chunks: 0,
            last: None,
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
        for message in choices(&document).filter_map(|choice| document.get(choice, "message")) {
            for (id, place) in strings(&document, message) {
                if let Some(text) = document.string(id) {
                    let out = self.at_once(&text, place)?;
                    if out != *text {
                        edits.set_string(&document, id, &out);
                    }
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

    /// Rewrites one chunk of a stream. Gives out the chunk's data, and before it what strings held that have ended.
    ///
    /// # Errors
    /// [`UpstreamFailure::Malformed`], [`UpstreamFailure::CredentialEcho`].
    pub fn chunk(&mut self, data: Bytes, hide_usage: bool) -> Result<Chunk, UpstreamFailure> {
        let document = Document::parse(data.clone(), LIMITS).map_err(|_| malformed())?;
        self.chunks += 1;
        self.last = Some(data);
        let mut rewritten = Rewritten::default();
        let mut delayed = Vec::new();
        for (ordinal, choice) in choices(&document).enumerate() {
            let number = number(&document, choice, ordinal);
            if let Some(delta) = document.get(choice, "delta") {
                for (id, place) in strings(&document, delta) {
                    self.piece(&document, number, delta, id, place, &mut rewritten)?;
                }
            }
            if let Some(reason) = document.get(choice, "finish_reason")
                && document.string(reason).is_some_and(|reason| !reason.is_empty())
                && self.streams.iter().any(|strand| strand.position.choice == number && strand.holds())
            {
                self.ended.retain(|(ended, _)| *ended != number);
                self.ended.push((number, document.raw(reason).to_owned()));
                delayed.push(reason);
            }
        }
        let mut edits = Edits::new();
        for (id, out) in rewritten.strings {
            if document.string(id).is_some_and(|text| out != *text) {
                edits.set_string(&document, id, &out);
            }
        }
        self.others(&document, "delta", &mut edits)?;
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
                |strand| strand.finish(),
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
                let (guard, echo) = (self.guard(place), self.credential.clone().map(EchoScan::new));
                let seen = (chunk, id, item);
                self.streams.push(Strand { position, guard, echo, held: String::new(), seen });
                self.streams.len() - 1
            }
        };
        if let Some(strand) = self.streams.get_mut(at) {
            strand.seen = (chunk, id, item);
            let out = strand.push(&text)?;
            rewritten.strings.push((id, out));
        }
        Ok(())
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
            self.found.merge(strand.guard.found());
            self.redacted.merge(strand.guard.redacted());
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
        self.close(|strand, _| strand.finish())
    }

    /// What is still held when a stream breaks off, without what could be the beginning of a value or of the credential:
    /// the data of chunks to send.
    ///
    /// # Errors
    /// [`UpstreamFailure::CredentialEcho`].
    pub fn abandon(&mut self) -> Result<Vec<String>, UpstreamFailure> {
        self.close(|strand, ended| if ended { strand.finish() } else { strand.abandon() })
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

/// Whether a string or number was looked at as part of a message or delta, or is what the protocol itself says.
fn is_of_protocol(document: &Document, holder: &str, id: NodeId) -> bool {
    let Some(parent) = document.parent(id) else { return false };
    let key = document.key(id);
    let key = key.as_deref().unwrap_or_default();
    if parent == document.root() {
        return matches!(key, "id" | "object" | "created" | "model" | "system_fingerprint" | "service_tier");
    }
    let is_choice =
        |at: NodeId| document.parent(at).is_some_and(|choices| document.member("choices") == Some(choices));
    if is_choice(parent) {
        return key == "index";
    }
    let looked_at = document.kind(id) == Kind::String;
    // The bytes of a vector in base64.
    if key == "embedding" && looked_at {
        return is_base64(document.raw(id).trim_matches('"'));
    }
    let mut enclosing = std::iter::successors(Some(id), |at| document.parent(*at));
    enclosing.any(|at| {
        let key = document.key(at);
        let of_choice = || document.parent(at).is_some_and(is_choice);
        match key.as_deref() {
            Some(key) if key == holder => looked_at && of_choice(),
            // Left out where a rule redacts answers.
            Some("logprobs") => of_choice(),
            Some("usage") => document.parent(at) == Some(document.root()) && !looked_at,
            _ => false,
        }
    })
}

/// Whether a number is what the protocol says and short, or a member of a vector and small.
fn is_plain_number(document: &Document, holder: &str, id: NodeId) -> bool {
    let raw = document.raw(id);
    let of_vector =
        document.parent(id).and_then(|parent| document.key(parent)).is_some_and(|key| key == "embedding");
    if of_vector {
        return raw.parse::<f64>().is_ok_and(|number| number.abs() < 1e6);
    }
    raw.len() <= PLAIN_NUMBER && is_of_protocol(document, holder, id)
}

/// Whether a text can be nothing but bytes: what could be read is shorter.
fn is_base64(text: &str) -> bool {
    let of_base64 = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
    text.len() >= 64 && text.len().is_multiple_of(4) && text.trim_end_matches('=').bytes().all(of_base64)
}

fn choices(document: &Document) -> impl Iterator<Item = NodeId> + '_ {
    document.member("choices").into_iter().flat_map(|choices| document.children(choices))
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

fn malformed() -> UpstreamFailure {
    UpstreamFailure::Malformed(Malformed::Json)
}
