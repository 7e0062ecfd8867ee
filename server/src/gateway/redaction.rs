//! What is done to the body before it leaves: findings replaced, and what can be put back kept for the way back; and what
//! the rules do not let a provider be asked for left out.
//!
//! A thought that its provider signed is never altered: one in which something is to be replaced goes out without its text,
//! which is how the API itself keeps thoughts that it does not show
//! (<https://platform.claude.com/docs/en/build-with-claude/extended-thinking>).
//!
//! What is JSON stays JSON, in strings too: a number that is replaced becomes a string, and members of one object whose
//! names become the same are told apart by a number.

use std::borrow::Cow;
use std::sync::Arc;

use bailiwick_pii::{Embedded, EntityCounts, Mode, TokenKey, Vault, redact, redact_embedded};
use bailiwick_wire::Losses;
use bailiwick_wire::openai_responses::SIGNED;

use super::classify::Classified;
use super::decide::Decided;
use super::document::{Document, Edits, Kind, NodeId, rename, tell_apart};
use super::spans::{is_arguments, within};
use super::uncached;

/// The edits that redact a body, with what is needed on the way back.
#[derive(Debug)]
pub struct Redacted {
    pub(super) edits: Edits,
    pub(super) vault: Arc<Vault>,
    pub(super) counts: EntityCounts,
    pub(super) key: TokenKey,
    /// What the rules do not let a provider be asked for, by name.
    pub(super) left_out: Losses,
}

/// Makes the redactions of a decision. `root` is the server's secret for placeholders.
#[must_use]
pub fn redact_body(decided: &Decided, root: &TokenKey) -> Redacted {
    let classified = &decided.classified;
    let plan = &decided.decision.request_redactions;
    let key = token_key(decided, root);
    let document = &classified.read.document;
    let mut edits = Edits::new();
    let denied = decided.decision.obligations.cache_denied;
    let left_out = if denied { uncached::take_out(document, &mut edits) } else { Losses::default() };
    let mut redacted =
        Redacted { edits, vault: Arc::default(), counts: EntityCounts::default(), key, left_out };
    for seal in &classified.read.sealed.cut {
        // Of which the client has only a part: without any of it, it is what was signed.
        let Some(part) = document.parent(*seal) else { continue };
        let thought = document.get(part, "thinking").filter(|id| document.kind(*id) == Kind::String);
        for text in thought.into_iter().chain(thoughts_of_item(document, part)) {
            redacted.edits.set_string(document, text, "");
        }
    }
    if plan.is_empty() {
        return redacted;
    }
    let text = &classified.read.text;
    let mut vault = Vault::new();
    let mut keys = Vec::new();
    let mut findings = Vec::new();
    let all = classified.to_replace(plan);
    for of_span in all.chunk_by(|one, other| one.span == other.span) {
        let Some(first) = of_span.first() else { continue };
        findings.clear();
        findings.extend(of_span.iter().map(|found| found.finding));
        // A request in which that would be left is refused: [`Decided::refusal`].
        let Some(span) = text.spans.get(first.span).filter(|_| !text.is_unchangeable(first.span)) else {
            continue;
        };
        let (key, counts) = (&redacted.key, &mut redacted.counts);
        if span.key {
            let name = text.span_text(span);
            if let Some(clean) = redact(name, &findings, plan, key, &mut vault, counts) {
                keys.push((span.node, clean));
            }
            continue;
        }
        if is_signed(document, span.node) {
            // Part of it would no longer be what was signed; without any of it, it is a thought that is not shown.
            findings.iter().for_each(|finding| redacted.counts.add(finding.entity));
            redacted.edits.set_string(document, span.node, "");
            continue;
        }
        // A redacted number becomes a string: a value that is not there has no numeric form.
        debug_assert!(matches!(document.kind(span.node), Kind::String | Kind::Number));
        let file = text.file(first.span);
        let leaf = match file {
            Some(file) => Cow::Borrowed(file.text.as_str()),
            None => document.text(span.node).unwrap_or_default(),
        };
        let clean = if is_arguments(document, span.node) || is_json(&leaf) {
            let embedded = text.embedded(first.span).cloned().unwrap_or_else(|| Embedded::new(&leaf));
            redact_embedded(Mode::JsonString, &embedded, &findings, plan, key, &mut vault, counts)
                .map(|clean| tell_apart(&leaf, clean))
        } else if let Some(embedded) = text.embedded(first.span) {
            redact_embedded(Mode::Text, embedded, &findings, plan, key, &mut vault, counts)
        } else {
            redact(&leaf, &findings, plan, key, &mut vault, counts)
        };
        if let Some(clean) = clean {
            let clean = match file {
                Some(file) => file.with(&clean),
                None => clean,
            };
            redacted.edits.set_string(document, span.node, &clean);
        }
    }
    rename(document, keys, &mut redacted.edits);
    redacted.vault = Arc::new(vault);
    redacted
}

/// The texts of a thought of the input for a response: `/input/*/summary/*/text` and `/input/*/content/*/text`.
fn thoughts_of_item(document: &Document, item: NodeId) -> Vec<NodeId> {
    let kind = document.get(item, "type").and_then(|kind| document.string(kind));
    if kind.as_deref() != Some("reasoning") || !within(document, item, "input") {
        return Vec::new();
    }
    let lists = ["summary", "content"].iter().filter_map(|name| document.get(item, name));
    let texts = lists.flat_map(|list| document.children(list)).filter_map(|part| document.get(part, "text"));
    texts.filter(|text| document.kind(*text) == Kind::String).collect()
}

/// Whether a string is what a thought says that its provider has signed: `/messages/*/content/*/thinking`, or within that; or the
/// text of a thought that was signed elsewhere than by a service that speaks of responses itself.
fn is_signed(document: &Document, id: NodeId) -> bool {
    let item =
        document.parent(id).and_then(|part| document.parent(part)).and_then(|list| document.parent(list));
    let seal = item.and_then(|item| document.get(item, "encrypted_content"));
    let of_item = seal.and_then(|seal| document.string(seal)).is_some_and(|seal| seal.starts_with(SIGNED));
    if of_item && item.is_some_and(|item| thoughts_of_item(document, item).contains(&id)) {
        return true;
    }
    let mut enclosing = std::iter::successors(Some(id), |at| document.parent(*at));
    let thought = enclosing.find(|at| document.key(*at).is_some_and(|key| key == "thinking"));
    let Some(part) = thought.and_then(|at| document.parent(at)) else { return false };
    let member = |name: &str| document.get(part, name).and_then(|id| document.string(id));
    let list = document.parent(part);
    let message = list.and_then(|list| document.parent(list));
    member("type").is_some_and(|kind| kind == "thinking")
        && member("signature").is_some_and(|signature| !signature.is_empty())
        && list.and_then(|list| document.key(list)).is_some_and(|key| key == "content")
        && message.is_some_and(|message| within(document, message, "messages"))
}

/// Whether a string is an object or array of JSON.
fn is_json(text: &str) -> bool {
    matches!(text.trim_ascii_start().as_bytes().first(), Some(b'{' | b'['))
        && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

/// Placeholders are stable within a session of one key, and within the request where there is no session.
fn token_key(decided: &Decided, root: &TokenKey) -> TokenKey {
    let Classified { hints, read, .. } = &decided.classified;
    let label = match &hints.session {
        Some(session) => format!("session\u{0}{}\u{0}{session}", read.auth.key.id),
        None => format!("request\u{0}{}", decided.id),
    };
    root.derive(label.as_bytes())
}
