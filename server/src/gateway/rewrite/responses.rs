//! An answer of OpenAI's Responses, whole and in events.
//!
//! Its output is items. What a message says is for the client; what one of the client's tools is called with is restored only
//! where a rule allows it, and what the provider called a tool of its own with never is; everything else is scanned and
//! redacted and keeps its placeholders, thoughts too: a thought may be signed, so one in which a rule would redact something goes
//! out without its text, in none of its parts (on a stream from there on), and with what is sealed of it.
//!
//! A stream says a text in pieces (what a shell says and what it complains of are two) and then, whole, at the end of its part, of
//! its item and of the answer. Each text in pieces has a guard of its own, which holds back no more than its window; what it still
//! holds goes out in a piece of its own before the text's end. An event of which nothing goes out is none. What is said whole is
//! looked at as a whole, so that it is what the pieces add up to, and counts once. Events that are added or left out make the
//! numbers of those after them others than the provider's, so all are numbered anew where they have to be.
//!
//! What an answer tells again of its request is looked at and redacted like the rest, but it is the client's own: it counts as
//! nothing that was found in the answer, and no answer stops at it.
//!
//! Where a rule has the answer stop at a value, wherever that stands, the answer is over: what is open is closed, the answer is
//! incomplete because of `content_filter`, and nothing else goes out. An item in which it stops stays, cut, only if it is a
//! message or a thought. Probabilities of tokens are left out where a rule redacts answers. Blind spots, on a stream: a call that
//! has begun stays begun, with arguments that end where they do; a value that is spread over events other than those with pieces
//! of one text.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use bailiwick_pii::EntityCounts;
use bytes::Bytes;

use super::order_of_responses::Order;
use super::place::Place;
use super::said::Said;
use super::said_of_responses::{is_asked, is_plain_number, is_said, item_of, part_of, said};
use super::strand::Flow;
use super::stream::Chunk;
use super::{LIMITS, Rewriter, encloses, malformed};
use crate::gateway::document::{Document, Edits, Kind, NodeId, rename};
use crate::gateway::spans::is_schema_name;
use crate::providers::{EchoScan, UpstreamFailure};

/// Texts that may be open at once.
const MOST_OPEN: usize = 64;

/// Why an answer that a rule stopped is not whole: the word that the API has for it.
const STOPPED: &str = "{\"reason\":\"content_filter\"}";

/// What is kept of a stream.
#[derive(Debug, Default)]
pub(super) struct Events {
    /// Events that went out.
    number: u64,
    order: Order,
    pieces: Vec<Piece>,
    /// Items of which a text came in pieces.
    told: BTreeSet<u64>,
    /// Thoughts of which the rest is left out.
    omitted: BTreeSet<u64>,
    /// Sealed thoughts that were taken note of, by a digest.
    sealed: BTreeSet<u64>,
    /// Where a rule had the answer stop.
    over_at: Option<Text>,
}

impl Events {
    /// The texts that are open.
    pub(super) fn flows(&self) -> impl Iterator<Item = &Flow> {
        self.pieces.iter().map(|piece| &piece.flow)
    }
}

/// Which text: the item's place, and that of the part of it or of the command that it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Text {
    output: Option<u64>,
    part: Option<u64>,
    command: Option<u64>,
}

impl Text {
    fn of(document: &Document) -> Self {
        let at = |name: &str| document.member(name).and_then(|id| document.unsigned(id));
        let part = at("content_index").or_else(|| at("summary_index"));
        Self { output: at("output_index"), part, command: at("command_index") }
    }

    /// Whether it is of the same part, or about the same command.
    fn is_beside(self, other: Self) -> bool {
        self.part == other.part && self.command == other.command
    }
}

/// A text of which pieces come.
#[derive(Debug)]
struct Piece {
    /// The events' name, without `.delta`.
    stem: String,
    /// The names that lead to it within `delta`, where that holds several.
    path: Vec<String>,
    text: Text,
    place: Place,
    thought: bool,
    /// The members of an event of it that say which text it is, as JSON.
    members: String,
    flow: Flow,
}

impl Rewriter {
    /// How many events went out.
    #[must_use]
    pub const fn events(&self) -> u64 {
        self.response.number
    }

    /// Rewrites a whole answer.
    ///
    /// # Errors
    /// [`UpstreamFailure::Malformed`], [`UpstreamFailure::CredentialEcho`].
    pub fn response(&mut self, body: Bytes) -> Result<Bytes, UpstreamFailure> {
        let document = Document::parse(body, LIMITS).map_err(|_| malformed())?;
        let mut edits = Edits::new();
        if let Some(stopped) = self.all_of_response(&document, &[], &mut edits)? {
            end_answer(&document, document.root(), Some(stopped), None, &mut edits);
        }
        Ok(edits.apply(&document))
    }

    /// Rewrites the data of one event of a stream. What has to go out before it comes first.
    ///
    /// # Errors
    /// [`UpstreamFailure::Malformed`], [`UpstreamFailure::CredentialEcho`].
    pub fn response_event(&mut self, data: Bytes) -> Result<Chunk, UpstreamFailure> {
        let document = Document::parse(data, LIMITS).map_err(|_| malformed())?;
        let (mut edits, mut before, mut handled) = (Edits::new(), Vec::new(), Vec::new());
        let kind = document.member("type").and_then(|id| document.string(id)).ok_or_else(malformed)?;
        let text = Text::of(&document);
        if self.order.is_some() {
            self.response.order.event(&kind, text.output)?;
        }
        let ends = matches!(&*kind, "response.completed" | "response.incomplete");
        let was_over = self.over;
        if was_over && !ends && !self.closes(&kind, text) {
            return Ok(Chunk { before, data: None, changed: true });
        }
        let stem = kind.strip_suffix(".delta").filter(|_| document.member("delta").is_some());
        let mut held = false;
        if let Some(stem) = stem {
            held = self.take_pieces(&document, stem, text, &mut edits, &mut handled)?;
        } else if ends {
            before.extend(self.end_texts(|_| true, Flow::finish)?);
        } else if let Some(stem) = kind.strip_suffix(".done") {
            let of_item = stem == "response.output_item";
            let of_part = matches!(stem, "response.content_part" | "response.reasoning_summary_part");
            let is_ended = |piece: &Piece| {
                piece.text.output == text.output
                    && (of_item || piece.text.is_beside(text) && (of_part || piece.stem == stem))
            };
            before.extend(self.end_texts(is_ended, Flow::finish)?);
        }
        let counted = (self.found, self.redacted);
        if ends {
            (self.found, self.redacted) = <(EntityCounts, EntityCounts)>::default();
        }
        let stopped = self.all_of_response(&document, &handled, &mut edits)?;
        if ends {
            self.found = at_least(self.found, &counted.0);
            self.redacted = at_least(self.redacted, &counted.1);
        } else if self.says_again(&kind, text) {
            (self.found, self.redacted) = counted;
        }
        if stopped.is_some() && !self.over {
            self.over = true;
            self.response.over_at = Some(text);
        }
        if self.over {
            if ends {
                let response = document.member("response").ok_or_else(malformed)?;
                end_answer(&document, response, stopped, self.response.over_at, &mut edits);
                edits.upsert(&document, document.root(), "type", "\"response.incomplete\"");
            } else if kind == "response.output_item.done"
                && let Some(item) = document.member("item")
            {
                cut_item(&document, item, stopped, self.response.over_at, &mut edits);
            } else if kind.ends_with(".added") && !was_over {
                // What would have something done is not begun.
                let item = document.member("item").filter(|item| !is_said(&document, *item));
                if item.is_some() {
                    return Ok(Chunk { before, data: None, changed: true });
                }
            }
        }
        // A piece of which nothing goes out yet says nothing; what is held of it has an event, and a number, of its own.
        if held {
            return Ok(Chunk { before, data: None, changed: true });
        }
        let number = self.response.number;
        let told = document.member("sequence_number").and_then(|id| document.unsigned(id));
        if told != Some(number) {
            edits.upsert(&document, document.root(), "sequence_number", &number.to_string());
        }
        self.response.number += 1;
        let changed = !edits.is_empty();
        Ok(Chunk { before, data: Some(edits.apply(&document)), changed })
    }

    /// Whether an event closes what was open when the answer was stopped.
    fn closes(&self, kind: &str, text: Text) -> bool {
        let Some(over) = self.response.over_at else { return false };
        let of_item = text.output.is_some() && over.output == text.output;
        of_item && kind.ends_with(".done") && (kind == "response.output_item.done" || text.is_beside(over))
    }

    /// Whether an event says once more what was said in pieces, or what the client itself asked.
    fn says_again(&self, kind: &str, text: Text) -> bool {
        matches!(kind, "response.created" | "response.queued" | "response.in_progress")
            || kind.ends_with(".done")
                && text.output.is_some_and(|output| self.response.told.contains(&output))
    }

    /// Takes the pieces of an event: what of each goes out stands in its place. Of a text that is told alone there is one; what a
    /// shell says comes in two, each under its name. Tells whether all of it is held, and nothing else is there to be told.
    fn take_pieces(
        &mut self,
        document: &Document,
        stem: &str,
        text: Text,
        edits: &mut Edits,
        handled: &mut Vec<NodeId>,
    ) -> Result<bool, UpstreamFailure> {
        let delta = document.member("delta").ok_or_else(malformed)?;
        if document.kind(delta) != Kind::String && is_text(stem) {
            return Err(malformed());
        }
        // What stands in a list has no name, so it is looked at as it stands.
        let (mut any, mut told) = (false, false);
        for (id, path) in pieces(document, delta) {
            any |= document.string(id).is_some_and(|piece| !piece.is_empty());
            told |= !self.take_piece(document, (stem, path), (id, text), edits, handled)?.is_empty();
        }
        let is_other = |id: NodeId| {
            document.kind(id) != Kind::Object && !handled.contains(&id) && encloses(document, delta, id)
        };
        Ok(any && !told && self.tells_pieces_alone(document) && !document.ids().any(is_other))
    }

    /// Whether an event has nothing to tell but its pieces.
    fn tells_pieces_alone(&self, document: &Document) -> bool {
        document.children(document.root()).all(|member| {
            let name = document.key(member);
            match name.as_deref().unwrap_or_default() {
                "type" | "sequence_number" | "delta" | "obfuscation" => true,
                "logprobs" => self.hides_logprobs() || document.children(member).next().is_none(),
                name => PLACES.contains(&name),
            }
        })
    }

    /// Takes one piece of a text; gives what of it goes out.
    fn take_piece(
        &mut self,
        document: &Document,
        (stem, path): (&str, Vec<String>),
        (id, text): (NodeId, Text),
        edits: &mut Edits,
        handled: &mut Vec<NodeId>,
    ) -> Result<String, UpstreamFailure> {
        handled.push(id);
        let delta = document.string(id).unwrap_or_default();
        let is_it = |piece: &Piece| piece.text == text && piece.stem == stem && piece.path == path;
        let found = self.response.pieces.iter().position(is_it);
        let at = match found {
            Some(at) => at,
            None if self.response.pieces.len() >= MOST_OPEN => return Err(malformed()),
            None => {
                let (place, thought) = place_of(stem);
                let flow = Flow::new(self.guard(place), self.credential.clone().map(EchoScan::new));
                let (stem, members) = (stem.to_owned(), members(document));
                self.response.pieces.push(Piece { stem, path, text, place, thought, members, flow });
                self.response.pieces.len() - 1
            }
        };
        self.response.told.extend(text.output);
        let Some(piece) = self.response.pieces.get_mut(at) else { return Ok(String::new()) };
        let mut out = piece.flow.push(&delta)?;
        if piece.thought {
            if *piece.flow.guard.redacted() != EntityCounts::default() {
                self.response.omitted.extend(text.output);
            }
            if text.output.is_some_and(|output| self.response.omitted.contains(&output)) {
                out.clear();
            }
        }
        if piece.flow.guard.is_stopped() && !self.over {
            self.over = true;
            self.response.over_at = Some(text);
        }
        if out != *delta {
            edits.set_string(document, id, &out);
        }
        // The padding stands for the length of what came.
        let padding = document.member("obfuscation").filter(|id| out != *delta && !handled.contains(id));
        if let Some(padding) = padding {
            edits.set_string(document, padding, "");
            handled.push(padding);
        }
        Ok(out)
    }

    /// Ends texts; gives out the events with what they still held.
    fn end_texts(
        &mut self,
        is_ended: impl Fn(&Piece) -> bool,
        how: fn(&mut Flow) -> Result<String, UpstreamFailure>,
    ) -> Result<Vec<String>, UpstreamFailure> {
        let pieces = std::mem::take(&mut self.response.pieces);
        let (ended, open): (Vec<Piece>, _) = pieces.into_iter().partition(is_ended);
        self.response.pieces = open;
        let mut out = Vec::new();
        for mut piece in ended {
            let mut rest = if self.over { String::new() } else { how(&mut piece.flow)? };
            self.found.merge(piece.flow.guard.found());
            self.redacted.merge(piece.flow.guard.redacted());
            if piece.flow.guard.is_stopped() && !self.over {
                self.over = true;
                self.response.over_at = Some(piece.text);
            }
            if piece.thought {
                if *piece.flow.guard.redacted() != EntityCounts::default() {
                    self.response.omitted.extend(piece.text.output);
                }
                if piece.text.output.is_some_and(|output| self.response.omitted.contains(&output)) {
                    rest.clear();
                }
            }
            if !rest.is_empty() {
                out.push(piece.event(self.response.number, &rest));
                self.response.number += 1;
            }
        }
        Ok(out)
    }

    /// What open texts still hold when a stream breaks off, without what could be the beginning of a value.
    pub(super) fn abandon_texts(&mut self) -> Result<Vec<String>, UpstreamFailure> {
        self.end_texts(|_| true, Flow::abandon)
    }

    /// Rewrites all of an answer or event but what was `handled` before: its keys, numbers and strings. Gives the place
    /// at which a rule has the answer stop; what comes after it says nothing.
    fn all_of_response(
        &mut self,
        document: &Document,
        handled: &[NodeId],
        edits: &mut Edits,
    ) -> Result<Option<NodeId>, UpstreamFailure> {
        let (mut keys, mut seals, mut thoughts, mut altered) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut stopped = None;
        let hidden: Vec<NodeId> = document.ids().filter(|id| is_logprobs(document, *id)).collect();
        for id in document.ids() {
            if handled.contains(&id) || hidden.iter().any(|hidden| encloses(document, *hidden, id)) {
                continue;
            }
            let asked = is_asked(document, id).then_some((self.found, self.redacted));
            if let Some(key) = document.key(id).filter(|key| !is_schema_name(key)) {
                if let Some(out) = self.plain(&key) {
                    keys.push((id, out));
                }
                if self.stopped_now && asked.is_none() {
                    stopped.get_or_insert(id);
                }
            }
            let is_over = stopped.is_some() && asked.is_none();
            let clean = match document.kind(id) {
                Kind::Number if !is_plain_number(document, id) => {
                    let out = self.plain(document.raw(id));
                    if self.stopped_now && asked.is_none() {
                        stopped.get_or_insert(id);
                    }
                    out
                }
                Kind::String => {
                    let text = document.string(id).unwrap_or_default();
                    match said(document, id) {
                        Said::Protocol => None,
                        Said::Seal => {
                            seals.push(id);
                            None
                        }
                        Said::Thought | Said::At(_) if is_over => (!text.is_empty()).then(String::new),
                        Said::Thought => {
                            let out = self.at_once(&text, Place::Other)?;
                            if self.stopped_now {
                                stopped.get_or_insert(id);
                            }
                            if out != *text {
                                altered.push(id);
                            }
                            thoughts.push(id);
                            None
                        }
                        Said::At(place) => {
                            let out = self.at_once(&text, place)?;
                            if self.stopped_now && asked.is_none() {
                                stopped.get_or_insert(id);
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
            if let Some(counted) = asked {
                (self.found, self.redacted) = counted;
            }
        }
        rename(document, keys, edits);
        if !self.plan.is_empty() {
            let told = hidden.into_iter().filter(|list| document.children(*list).next().is_some());
            for list in told {
                edits.set_raw(document, list, String::from("[]"));
                self.hid_logprobs = true;
            }
        }
        let altered_items: Vec<NodeId> = altered.iter().filter_map(|id| item_of(document, *id)).collect();
        if altered_items.is_empty() && !altered.is_empty() {
            self.response.omitted.extend(output_of(document, None));
        }
        let is_left_out = |response: &Events, item: Option<NodeId>| {
            item.is_some_and(|item| altered_items.contains(&item))
                || output_of(document, item).is_some_and(|output| response.omitted.contains(&output))
        };
        for id in thoughts {
            // Part of one would no longer be what was signed, and was not told in pieces either.
            let left_out = altered.contains(&id) || is_left_out(&self.response, item_of(document, id));
            if left_out && document.string(id).is_some_and(|text| !text.is_empty()) {
                edits.set_string(document, id, "");
            }
        }
        for id in seals {
            let mut digest = DefaultHasher::new();
            document.raw(id).hash(&mut digest);
            let cut = is_left_out(&self.response, item_of(document, id));
            if self.response.sealed.insert(digest.finish()) || cut {
                self.seal(document, id, cut);
            }
        }
        Ok(stopped)
    }
}

impl Piece {
    /// An event with what it still held.
    fn event(&self, number: u64, text: &str) -> String {
        let mut out =
            format!("{{\"type\":\"{}.delta\",\"sequence_number\":{number}{}", self.stem, self.members);
        let text = serde_json::to_string(text).unwrap_or_default();
        let delta = self.path.iter().rev().fold(text, |inner, name| format!("{{\"{name}\":{inner}}}"));
        out.push_str(&format!(",\"delta\":{delta}"));
        if self.place == Place::Text && self.stem == "response.output_text" {
            out.push_str(",\"logprobs\":[]");
        }
        out.push('}');
        out
    }
}

/// The place of an item among those of the answer: what its event says, or where it stands.
fn output_of(document: &Document, item: Option<NodeId>) -> Option<u64> {
    Text::of(document).output.or_else(|| {
        let item = item?;
        let at = document.children(document.parent(item)?).position(|one| one == item)?;
        u64::try_from(at).ok()
    })
}

/// What a text is of which pieces come, and whether it is a thought.
fn place_of(stem: &str) -> (Place, bool) {
    match stem {
        "response.output_text" | "response.refusal" => (Place::Text, false),
        "response.function_call_arguments" => (Place::Arguments, false),
        // What the client runs stands as it is.
        "response.custom_tool_call_input"
        | "response.shell_call_command"
        | "response.apply_patch_call_operation_diff" => (Place::Input, false),
        "response.mcp_call_arguments" => (Place::ProviderArguments, false),
        "response.reasoning_text" | "response.reasoning_summary_text" => (Place::Other, true),
        _ => (Place::Other, false),
    }
}

/// Whether a piece of it has to be a string.
fn is_text(stem: &str) -> bool {
    let (place, thought) = place_of(stem);
    thought || place != Place::Other
}

/// The strings of `delta`, with the names that lead to them. Names that could be anything lead nowhere: they would have to be
/// looked at themselves.
fn pieces(document: &Document, delta: NodeId) -> Vec<(NodeId, Vec<String>)> {
    fn collect(document: &Document, id: NodeId, path: &[String], found: &mut Vec<(NodeId, Vec<String>)>) {
        match document.kind(id) {
            Kind::String => found.push((id, path.to_vec())),
            Kind::Object => {
                for member in document.children(id) {
                    let name = document.key(member).filter(|name| {
                        name.len() <= NAME
                            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
                    });
                    if let Some(name) = name {
                        collect(document, member, &[path, &[name.into_owned()]].concat(), found);
                    }
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    collect(document, delta, &[], &mut found);
    found
}

/// The longest name of a piece.
const NAME: usize = 32;

/// Members that say which text a piece is of.
const PLACES: [&str; 5] = ["item_id", "output_index", "content_index", "summary_index", "command_index"];

/// These members of an event: `,"item_id":"…","output_index":0`.
fn members(document: &Document) -> String {
    let told = PLACES.iter().filter_map(|name| Some((name, document.member(name)?)));
    told.map(|(name, id)| format!(",\"{name}\":{}", document.raw(id))).collect()
}

/// Probabilities of tokens, which tell the text once more, token by token, where no recognizer can see it whole.
fn is_logprobs(document: &Document, id: NodeId) -> bool {
    document.kind(id) == Kind::Array && document.key(id).is_some_and(|key| key == "logprobs")
}

/// Kind by kind the larger count: what was said in pieces is said again at the end.
fn at_least(mut counts: EntityCounts, others: &EntityCounts) -> EntityCounts {
    for (entity, count) in others.iter() {
        counts.set(entity, counts.get(entity).max(count));
    }
    counts
}

/// Ends an answer that a rule stopped: after that nothing is said, and no tool is called.
fn end_answer(
    document: &Document,
    response: NodeId,
    stopped: Option<NodeId>,
    over: Option<Text>,
    edits: &mut Edits,
) {
    edits.upsert(document, response, "status", "\"incomplete\"");
    edits.upsert(document, response, "incomplete_details", STOPPED);
    let Some(output) = document.get(response, "output").filter(|list| document.kind(*list) == Kind::Array)
    else {
        return;
    };
    let items: Vec<NodeId> = document.children(output).collect();
    let here = stopped.and_then(|at| items.iter().position(|item| encloses(document, *item, at)));
    let there = || over.and_then(|over| over.output).and_then(|at| usize::try_from(at).ok());
    // Where nothing is found now that was found in pieces, what was found then counts; elsewhere nothing was said before it.
    let at = if stopped.is_some() { here } else { there() };
    let before = items.get(..at.unwrap_or(0).min(items.len())).unwrap_or_default();
    let item = at.and_then(|at| items.get(at)).copied().filter(|item| is_said(document, *item));
    if let Some(item) = item {
        cut_item(document, item, stopped, over, edits);
    }
    match item.or(before.last().copied()) {
        Some(last) => edits.cut_after(document, last),
        None => edits.set_raw(document, output, String::from("[]")),
    }
}

/// Cuts an item after the part in which a rule has the answer stop.
fn cut_item(
    document: &Document,
    item: NodeId,
    stopped: Option<NodeId>,
    over: Option<Text>,
    edits: &mut Edits,
) {
    let here = stopped.and_then(|at| part_of(document, item, at));
    let there = || {
        let at = over.and_then(|over| over.part).and_then(|at| usize::try_from(at).ok())?;
        let lists = ["content", "summary"].iter().filter_map(|name| document.get(item, name));
        lists.filter_map(|list| document.children(list).nth(at)).next()
    };
    if let Some(part) = here.or_else(there) {
        edits.cut_after(document, part);
    }
    if document.get(item, "status").is_some() {
        edits.upsert(document, item, "status", "\"incomplete\"");
    }
}
