//! What is done to the body before it leaves: findings replaced, and what can be put back kept for the way back.

use std::sync::Arc;

use bailiwick_pii::{EntityCounts, Mode, TokenKey, Vault, redact_as};

use super::classify::Classified;
use super::decide::Decided;
use super::document::{Document, Edits, Kind, NodeId};

/// The edits that redact a body, with what is needed on the way back.
#[derive(Debug)]
pub struct Redacted {
    pub(super) edits: Edits,
    pub(super) vault: Arc<Vault>,
    pub(super) counts: EntityCounts,
    pub(super) key: TokenKey,
}

/// Makes the redactions of a decision. `root` is the server's secret for placeholders.
#[must_use]
pub fn redact_body(decided: &Decided, root: &TokenKey) -> Redacted {
    let classified = &decided.classified;
    let plan = &decided.decision.request_redactions;
    let key = token_key(decided, root);
    let mut redacted =
        Redacted { edits: Edits::new(), vault: Arc::default(), counts: EntityCounts::default(), key };
    if plan.is_empty() {
        return redacted;
    }
    let document = &classified.read.document;
    let mut vault = Vault::new();
    let mut findings = Vec::new();
    let mut at = 0;
    while let Some(first) = classified.findings.get(at) {
        findings.clear();
        while let Some(next) = classified.findings.get(at).filter(|next| next.span == first.span) {
            findings.push(next.finding);
            at += 1;
        }
        let Some(span) = classified.read.text.spans.get(first.span) else { continue };
        let text = classified.read.text.span_text(span);
        let mode = if is_arguments(document, span.node) { Mode::JsonString } else { Mode::Text };
        let key = &redacted.key;
        let Some(clean) = redact_as(mode, text, &findings, plan, key, &mut vault, &mut redacted.counts)
        else {
            continue;
        };
        if span.key {
            redacted.edits.set_key(document, span.node, &clean);
        } else {
            // A redacted number becomes a string: a value that is not there has no numeric form.
            debug_assert!(matches!(document.kind(span.node), Kind::String | Kind::Number));
            redacted.edits.set_string(document, span.node, &clean);
        }
    }
    redacted.vault = Arc::new(vault);
    redacted
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

/// Whether a string is the arguments of a tool call, which are JSON themselves and must stay JSON.
fn is_arguments(document: &Document, id: NodeId) -> bool {
    document.key(id).is_some_and(|key| key == "arguments")
        && document.parent(id).and_then(|parent| document.key(parent)).is_some_and(|key| key == "function")
}
